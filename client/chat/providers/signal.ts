/**
 * The sealed way through signal: a log of items that the server cannot open, checked against its hash chain.
 *
 * It starts from where this browser was last, takes in what came since, and then adds what the log lacks. What was added and not
 * answered is found again by comparing, so a lost answer adds nothing twice and loses nothing. A log that is shorter than it was, or
 * does not follow upon what we have seen of it, is said aloud; what we have stays, and is given to the log again.
 */
import * as z from 'zod/mini';
import { ChatHead, type ChatItem, type ChatPush, type ChatSnapshot } from '../../../signal/protocol/chat.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { Result } from '../../../signal/protocol/requests.ts';
import type { OpenedItem, SealedItem } from '../../e2ee/chat/messages.ts';
import { OfflineError } from '../../net/offline.ts';
import type { ChatDocument, Left, Place } from '../document.ts';
import { hasRemovals, mergeUpdates, nameOf, Vector } from '../document.ts';
import { piecesOf } from '../pieces.ts';
import type { AlarmKind } from '../view.ts';
import { Deletions, DeletionsMemory } from './deletions.ts';
import type { ChatProvider, ProviderState } from './provider.ts';
import { Snapshots, type SnapshotBlock } from './snapshots.ts';
import type { ChatLine, ChatPort } from './ways.ts';

type Bytes = Uint8Array<ArrayBuffer>;
export type { ChatLine, ChatPort, ChatRequest } from './ways.ts';

/**
 * What is kept between visits. `head`: the newest item that was taken in, with everything before it. `vector`: what the log holds, by
 * the document's clocks. `dirty`: something was removed here that the log may not know.
 */
export const SignalMemory = z.object({
  head: z.nullable(ChatHead),
  vector: z.array(z.tuple([z.int(), z.int()])),
  dirty: z.boolean(),
  deletions: DeletionsMemory,
  /** Id of the confirmed snapshot that was found to hold all that we know. */
  right: z.nullable(z.string()),
  /** Items of ours hold entries of others. */
  carries: z.boolean(),
  /** Of the snapshot that the log goes on from not all could be opened. */
  lacks: z.boolean(),
});
export type SignalMemory = z.infer<typeof SignalMemory>;

export interface SignalTerms {
  readonly line: ChatLine;
  readonly port: ChatPort;
  readonly document: ChatDocument;
  readonly memory: SignalMemory | null;
  /** The log has to be read from its start: a key came of which something waits there. */
  readonly again: boolean;
  /** State, memory or what is kept is another now. */
  readonly moved: () => void;
  /** @param by  identity of the one who says so, where nothing else shows it */
  readonly alarm: (is: AlarmKind, by?: string) => void;
  /** Keys came: what was hidden may open. */
  readonly ringCame: () => void;
  readonly heard: (body: string) => void;
  /** Looks for entries of ours that the log never had. @returns what writes them once more, and the clients of whom they are now */
  readonly unsent: () => { readonly clients: ReadonlySet<number>; readonly rewrite: () => void };
  /** The host has deleted what we had. */
  readonly cleared: () => void;
  /** @returns calls it off */
  readonly after: (ms: number, run: () => void) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether a change holds entries of others. */
  readonly isOthers: (update: Bytes) => boolean;
  /** Names of places of what was written before, in milliseconds since 1970. */
  readonly old: (before: number) => ReadonlySet<string>;
  /** Besides, of what nobody need have for us. */
  readonly spared: (before: number) => ReadonlySet<string>;
  /** Entries of a snapshot that the log goes on from, for the document. */
  readonly place: (block: SnapshotBlock) => void;
  /** All of it is placed. */
  readonly placed: () => void;
  /** So many items are worth a snapshot. */
  readonly snapshotAfter: number;
}

const DAY_MS = 86_400_000;
/** After a failure that does not say how long to wait. */
const RETRY_MS = 1000;
/** What came by another way and is not in the log after this is added by whoever waited longest: its author may be gone. */
const CARRY_MS = 6000;
/** Members learn of a new link within a moment of each other. */
const RENEW_MS = 3000;
/** What another has seen of the log comes to us within this, or is kept from us. */
const WITHHELD_MS = 10_000;
/** Whoever finds that a log has lost something waits for a part of this, so that each gives it what those before have not. */
const FILL_MS = 10_000;
/** Of a change that is given to the log at a time: what has arrived of a larger one need not go again. */
const PIECE_BYTES = 256 * 1024;
/** States of the log that others' words are compared with. */
const RECENT = 512;

export class SignalProvider implements ChatProvider {
  readonly #terms: SignalTerms;
  #state: ProviderState = 'offline';
  #head: ChatHead | null;
  #vector: Vector;
  #dirty: boolean;
  /** The chain where we have been, by numbers of items. */
  readonly #recent = new Map<number, string>();
  /** Who says that the log goes further than we know, while that may still come. */
  readonly #claimants = new Set<string>();
  /** Changes of ours that the log does not have, oldest first. */
  #waiting: Bytes[] = [];
  /** Compare, since more may be missing than what waits. */
  #compare = true;
  #flushing = false;
  /** Others may be filling the log at this moment. */
  #isHeld = false;
  #carries: boolean;
  #full = false;
  /** How far we have ever come. */
  #furthest: number;
  /** From where it is read the next time: at a large change that is not finished. */
  #settled: ChatHead | null;
  /** Items that we cannot open. */
  #hidden = 0;
  readonly #deletions: Deletions;
  /** Where the log begins. */
  #base: ChatHead | null = null;
  /** Nothing was taken in yet since the log began anew. */
  #isBase = false;
  /** Whether the log comes to what a host's word is about is looked at soon. */
  #isAwaiting = false;
  /** When we found the log cut last. */
  #cutAt = -Infinity;
  #used = 0;
  /** Rises with each connection: what an older one brings is dropped. */
  #turn = 0;
  #taking: Promise<void> = Promise.resolve();
  #calls: (() => void)[] = [];
  /** One look is due at what came by another way. */
  #isCarrying = false;
  readonly #snapshots: Snapshots;
  /** The log goes on from a snapshot of which not all could be opened. */
  #lacks: boolean;

  constructor(terms: SignalTerms) {
    this.#terms = terms;
    this.#head = this.#settled = terms.memory?.head ?? null;
    this.#furthest = this.#head?.seq ?? 0;
    this.#lacks = terms.memory?.lacks ?? false;
    this.#vector = new Vector(terms.memory?.vector);
    this.#dirty = terms.memory?.dirty ?? false;
    this.#carries = terms.memory?.carries ?? false;
    const { line, port, document, alarm, moved, now, after, random, snapshotAfter: worth } = terms;
    if (terms.again) this.#head = this.#settled = null;
    const hashAt = (seq: number) => this.#recent.get(seq);
    const deletions = new Deletions(
      {
        ...{ port, document, now, hashAt, cleared: terms.cleared },
        vector: () => this.#vector,
        seen: () => this.#head?.seq ?? 0,
        forged: () => alarm('forged'),
      },
      terms.memory?.deletions ?? null,
    );
    this.#deletions = deletions;
    this.#snapshots = new Snapshots(
      {
        ...{ line, port, document, alarm, moved, now, after, random, worth, hashAt, deletions },
        level: () => (this.isLevel ? this.#head : null),
        isWhole: () => !this.#lacks,
        hasUnread: () => this.#hidden > 0,
        keepDays: () => this.keepDays,
        append: (item) => this.#append(this.#turn, item),
        left: () => this.#left(terms.old(now() - this.keepDays * DAY_MS)),
        spared: () => this.#left(terms.spared(deletions.spareBefore)),
        putBack: (entries) => {
          this.#carries = true;
          document.putBack(entries);
        },
      },
      terms.memory?.right ?? null,
    );
  }

  get state(): ProviderState {
    return this.#state;
  }

  get memory(): SignalMemory {
    const { right } = this.#snapshots;
    const [head, vector, lacks] = [this.#settled, this.#vector.clocks, this.#lacks];
    const [dirty, carries, deletions] = [this.#dirty, this.#carries, this.#deletions.memory];
    return { head, vector, dirty, deletions, right, carries, lacks };
  }

  /** The server has no room for what waits. */
  get isFull(): boolean {
    return this.#full;
  }

  /** Something was deleted from the log. */
  get isCut(): boolean {
    return this.#deletions.isCut;
  }

  /** It was rightly deleted from the log. */
  isGone(place: Place): boolean {
    return this.#deletions.before.covers(place);
  }

  /** What was written before and is not in the log may have been deleted from it. In milliseconds since 1970. */
  get cutAt(): number {
    return this.#cutAt;
  }

  /** Where we are in the log. */
  get head(): ChatHead | null {
    return this.#head;
  }

  /** The log has what we cannot open. */
  get hasHidden(): boolean {
    return this.#hidden > 0;
  }

  /** Items of ours hold entries of others: of these we alone can take out what their authors erase. */
  get carries(): boolean {
    return this.#carries;
  }

  /** For how long the log keeps things, by the host's word as far as we have heard it. */
  get keepDays(): number {
    return this.#deletions.keepDays;
  }

  /** Beside what was deleted from the log. @param names  of places */
  #left(names: ReadonlySet<string>): Left {
    return { before: this.#deletions.before, has: (place) => names.has(nameOf(place)) };
  }

  /** Share of the server's room that is used. */
  get used(): number {
    return this.#used;
  }

  /** Link and password are proven on a fresh connection. */
  up(): void {
    const turn = (this.#turn += 1);
    this.#become('connecting');
    this.#open(turn).catch((error: unknown) => this.#failed(turn, error));
  }

  down(): void {
    this.#turn += 1;
    this.#become('offline');
  }

  pushed(push: ChatPush): void {
    const turn = this.#turn;
    switch (push.type) {
      case 'items':
        return this.#inTurn(turn, () => this.#take(turn, push.items));
      case 'whisper':
        return this.#terms.heard(push.body);
      case 'cleared':
        return this.#inTurn(turn, () => this.#cleared(push.base, push.state));
      case 'closed':
        return this.down();
      case 'snapshot':
        return this.#inTurn(turn, async () => {
          this.#snapshots.pushed(push.snapshot);
          if (this.#lacks && push.snapshot.confirmed) await this.#takeSnapshot(push.snapshot);
        });
      case 'erased':
        return;
    }
  }

  changed(update: Bytes): void {
    this.#waiting.push(update);
    this.#dirty ||= hasRemovals(update);
    this.#flush();
  }

  /** Everything that was done here is in the log. */
  get isLevel(): boolean {
    const { document } = this.#terms;
    const isIdle = this.#waiting.length === 0 && !this.#flushing && !this.#compare && !this.#dirty;
    return this.#state === 'online' && isIdle && this.#vector.isLevelWith(document);
  }

  keeps(place: Place): boolean {
    return this.#vector.covers(place);
  }

  /**
   * Something came by another way. If its author does not give it to the log, we do.
   * @param isRecent  false for what may have been deleted from the log: whoever kept it keeps it, and no more
   */
  overheard(update: Bytes, isRecent: boolean): void {
    if (!isRecent) {
      this.#vector.advance(update);
      return this.#deletions.skip(update);
    }
    if (this.#isCarrying) return;
    this.#isCarrying = true;
    const wait = CARRY_MS * (0.5 + this.#terms.random());
    this.#calls.push(
      this.#terms.after(wait, () => {
        this.#isCarrying = false;
        if (this.#vector.isLevelWith(this.#terms.document)) return;
        this.#compare = true;
        this.#flush();
      }),
    );
  }

  /** Another who has the chat open says that its log ends like this. Nobody but that one vouches for it: the server signs nothing. */
  compare(theirs: ChatHead, by: string): void {
    const { alarm, after } = this.#terms;
    const ours = this.#recent.get(theirs.seq);
    if (ours !== undefined && ours !== theirs.hash) return alarm('split', by);
    if (theirs.seq <= (this.#head?.seq ?? 0)) return;
    if (this.#claimants.has(by)) return;
    this.#claimants.add(by);
    const turn = this.#turn;
    const look = () => {
      this.#claimants.delete(by);
      if (turn === this.#turn && theirs.seq > (this.#head?.seq ?? 0)) alarm('withheld', by);
    };
    this.#calls.push(after(WITHHELD_MS, look));
  }

  whisper(body: string): void {
    if (this.#state === 'online') this.#terms.line.request('chat.whisper', { body }).catch(() => undefined);
  }

  /** Something was erased that a snapshot may hold. */
  erased(): void {
    this.#snapshots.outdate();
  }

  /** Link, password or keys are others now. Whoever is first tells the log what it lacks; the others find it told. */
  renewed(): void {
    this.#inTurn(this.#turn, async () => {
      const { late, isPast } = await this.#terms.port.call('chat.reopen', {});
      // What is written under one key is of use without what was written under another.
      this.#terms.document.beginAnew();
      this.#apply(late);
      this.#terms.ringCame();
      const { confirmed } = this.#snapshots;
      if (this.#lacks && confirmed !== null) await this.#takeSnapshot(confirmed);
      if (isPast) this.#readAgain();
    });
    // Whoever comes by the new link opens no snapshot of the former one.
    this.#snapshots.outdate();
    this.#tellSoon();
  }

  /** Hosts may have said something else about the chat. */
  wordMoved(): void {
    this.#inTurn(this.#turn, async () => {
      await this.#deletions.hear(null);
      if (this.#base !== null) this.#follow(this.#base);
      this.#terms.moved();
    });
  }

  #follow(base: ChatHead): void {
    // Where the server could not cut it out, it is in the snapshot still.
    if (this.#deletions.follow(base)) this.#snapshots.outdate();
    const { awaited } = this.#deletions;
    if (awaited === null || this.#isAwaiting) return;
    this.#isAwaiting = true;
    const turn = this.#turn;
    // A host has seen the log go further than we are shown.
    const look = () => {
      this.#isAwaiting = false;
      if (turn !== this.#turn || this.#deletions.awaited !== awaited || this.#state !== 'online') return;
      this.#deletions.giveUp();
      this.#terms.alarm('rolledBack');
      this.#terms.moved();
    };
    this.#calls.push(this.#terms.after(WITHHELD_MS, look));
  }

  /** The ring has to be in the log for whoever comes. */
  #tellSoon(): void {
    this.#calls.push(
      this.#terms.after(RENEW_MS * this.#terms.random(), () => {
        const turn = this.#turn;
        this.#tell(turn).catch((error: unknown) => this.#failed(turn, error));
      }),
    );
  }

  /** Room may have been made: tries again what was refused. */
  retry(): void {
    this.#full = false;
    this.#compare = true;
    this.#flush();
  }

  close(): void {
    this.down();
    this.#snapshots.close();
    for (const cancel of this.#calls) cancel();
    this.#calls = [];
  }

  async #open(turn: number): Promise<void> {
    const { line, alarm } = this.#terms;
    let page = await line.request('chat.open', { after: this.#head?.seq ?? 0 });
    this.#used = page.used / page.quota;
    const { state } = page;
    this.#snapshots.opened(page.snapshot, page.base);
    const isKnown = page.base.seq <= (this.#head?.seq ?? 0);
    if (this.#lacks && isKnown && page.snapshot !== null) await this.#takeSnapshot(page.snapshot);
    if (this.#head !== null && !this.#continues(page)) {
      alarm('rolledBack');
      this.#startOver();
      this.#fillSoon();
      page = { ...page, ...(await line.request('chat.read', { after: 0 })) };
    }
    await (this.#taking = this.#taking.then(async () => {
      // What comes meanwhile waits its turn behind this page.
      await this.#deletions.hear(state);
      await this.#catchUp(turn, page);
    }));
    if (turn !== this.#turn) return;
    if (this.isCut) this.#cutAt = this.#terms.now();
    this.#compare = true;
    this.#become('online');
    this.#flush();
    this.#tellSoon();
  }

  /** Whether a log that ends here can be the one that we have seen. */
  #continues({ head }: { head: ChatHead }): boolean {
    const known = this.#head!;
    return head.seq > known.seq || (head.seq === known.seq && head.hash === known.hash);
  }

  /** From the log's start, since what we took in of it may not count. */
  #readAgain(): void {
    this.#startOver();
    if (this.#state !== 'offline') this.up();
  }

  /**
   * The log begins here now: what was before was deleted from it, or lies in a snapshot.
   * @throws Error where it was cut while it was read: to be opened again
   */
  async #begins({ base, deleted }: { base: ChatHead; deleted: number }): Promise<void> {
    const { confirmed } = this.#snapshots;
    const snapshot = confirmed?.covers.seq === base.seq && confirmed.covers.hash === base.hash ? confirmed : null;
    const isBehind = base.seq > (this.#head?.seq ?? 0);
    if (isBehind && snapshot === null && deleted < base.seq) throw new Error('another snapshot than we know');
    this.#base = base;
    this.#follow(base);
    if (isBehind) {
      this.#head = this.#settled = base;
      this.#isBase = true;
      this.#lacks = false;
    }
    if (this.#deletions.begins(deleted)) this.#deletedTo(deleted);
    this.#furthest = Math.max(this.#furthest, base.seq);
    // What it holds is what we have seen in the log.
    if (snapshot !== null && isBehind) await this.#takeSnapshot(snapshot);
  }

  #deletedTo(deleted: number): void {
    const { document, unsent } = this.#terms;
    this.#isBase = true;
    // What never was in the log is written once more. What came by another way and is not in it yet is still carried.
    const { clients, rewrite } = unsent();
    this.#vector.cover(document, clients);
    this.#deletions.deletedTo(deleted, deleted >= this.#furthest);
    document.beginAnew();
    rewrite();
  }

  /** The log goes on from this one. */
  async #takeSnapshot(snapshot: ChatSnapshot): Promise<void> {
    const { alarm, document, ringCame, place, placed } = this.#terms;
    const isNew = document.vector.clocks.length === 0;
    const each = (block: SnapshotBlock): void => {
      this.#vector.reach(block.parts);
      place(block);
    };
    const opened = await this.#snapshots.load(snapshot, { take: true, each });
    if (opened === null) alarm('forged');
    this.#lacks = opened === null || opened.hidden > 0;
    placed();
    this.#apply(opened?.late ?? []);
    if ((opened?.unread.length ?? 0) > 0) this.#hidden += 1;
    if (this.#lacks) return;
    // Its keys are told by it.
    this.#isBase = false;
    // Whoever was here before looks whether it has all that they have.
    if (isNew) this.#snapshots.took(snapshot.id);
    ringCame();
  }

  /** Another log: nothing that we knew of the former one holds. */
  #startOver(): void {
    this.#head = this.#settled = null;
    this.#isBase = true;
    this.#recent.clear();
    this.#deletions.startOver();
    this.#vector = this.#deletions.before;
    this.#dirty = true;
  }

  /** Everybody who has the chat open finds out at once. */
  #fillSoon(): void {
    this.#isHeld = true;
    this.#calls.push(
      this.#terms.after(FILL_MS * this.#terms.random(), () => {
        this.#isHeld = false;
        this.#compare = true;
        this.#flush();
      }),
    );
  }

  async #catchUp(turn: number, first: Result<'chat.read'>): Promise<void> {
    const { line } = this.#terms;
    let page = first;
    for (;;) {
      if (turn !== this.#turn) return;
      // What is gone from the log cannot be checked any more; it is where the log begins now.
      await this.#begins(page);
      let next = this.#pageAfter(page);
      // Where these items do not follow, nobody waits for those after them.
      next?.catch(() => undefined);
      if (!(await this.#takeItems(page.items))) {
        // A log that does not hold together even from its start is nobody's.
        this.#terms.alarm(this.#head === null ? 'forged' : 'rolledBack');
        if (this.#head === null) return;
        this.#startOver();
        this.#fillSoon();
        page = await line.request('chat.read', { after: 0 });
        await this.#begins(page);
        if (!(await this.#takeItems(page.items))) return this.#terms.alarm('forged');
        next = this.#pageAfter(page);
      }
      if (next === null) return this.#arrived(page.head);
      page = await next;
    }
  }

  /** Asked for while this one is opened. Null: it is the last. */
  #pageAfter({ items, head }: Result<'chat.read'>): Promise<Result<'chat.read'>> | null {
    const last = items.at(-1);
    if (last === undefined || last.seq >= head.seq) return null;
    return this.#terms.line.request('chat.read', { after: last.seq });
  }

  /** The server's own word of where its log is has to agree with what it gave us. */
  #arrived(head: ChatHead): void {
    if (head.seq > 0 && (this.#head?.seq !== head.seq || this.#head.hash !== head.hash))
      this.#terms.alarm('rolledBack');
    this.#moved();
  }

  #moved(): void {
    if (this.#base !== null) this.#follow(this.#base);
    this.#terms.moved();
    this.#snapshots.look();
  }

  /** Items that were pushed, or that we have added ourselves. */
  async #take(turn: number, items: readonly ChatItem[]): Promise<void> {
    const known = this.#head?.seq ?? 0;
    const news = items.filter(({ seq }) => seq > known);
    if (news.length === 0) return;
    if (news[0]!.seq === known + 1 && (await this.#takeItems(news))) return this.#moved();
    await this.#catchUp(turn, await this.#terms.line.request('chat.read', { after: known }));
  }

  /** @returns false where they do not follow upon what we have */
  async #takeItems(items: readonly ChatItem[]): Promise<boolean> {
    if (items.length === 0) return true;
    // The chain has to be known just there.
    const split = items.findIndex(({ seq }) => seq === this.#deletions.awaited) + 1;
    if (split > 0 && split < items.length)
      return (await this.#takeItems(items.slice(0, split))) && this.#takeItems(items.slice(split));
    const { port, alarm, ringCame } = this.#terms;
    const { head, settled, broken, opened, late, hidden } = await port.call('chat.items', {
      head: this.#head,
      items: [...items],
      isBase: this.#isBase,
    });
    if (broken) return false;
    this.#isBase = false;
    this.#head = head;
    this.#settled = settled;
    this.#furthest = Math.max(this.#furthest, head.seq);
    this.#hidden = hidden;
    if ((this.#recent.get(head.seq) ?? head.hash) !== head.hash) alarm('rolledBack');
    this.#recent.set(head.seq, head.hash);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > RECENT && oldest !== undefined) this.#recent.delete(oldest);
    this.#deletions.took(items, opened);
    this.#apply([...late, ...opened.flatMap((one: OpenedItem) => (one.is === 'update' ? [one.update] : []))]);
    // Ours, sealed a moment too late: it goes out once more.
    if (opened.some((one) => one.is === 'stale')) this.#compare = true;
    if (opened.some((one) => one.is === 'forged')) alarm('forged');
    if (opened.some((one) => 'isNews' in one && one.isNews)) ringCame();
    return true;
  }

  #apply(updates: readonly Bytes[]): void {
    for (const update of updates) this.#vector.advance(update);
    if (updates.length > 0 && !this.#terms.document.apply(updates, this)) this.#terms.alarm('forged');
  }

  async #cleared(base: ChatHead, state: Signed | null): Promise<void> {
    await this.#deletions.hear(state);
    this.#snapshots.cleared(base);
    this.#cutAt = this.#terms.now();
    await this.#begins({ base, deleted: base.seq });
    // With it the keys may have gone.
    this.#tellSoon();
    this.#moved();
  }

  #flush(): void {
    if (this.#flushing || this.#full || this.#isHeld || this.#state !== 'online') return;
    const turn = this.#turn;
    const wasComparing = this.#compare;
    const update = this.#next();
    // The log has all: what waited for that, perhaps since another visit, goes on.
    if (update === null) return wasComparing ? this.#moved() : undefined;
    this.#flushing = true;
    this.#send(turn, update).then(
      () => {
        this.#flushing = false;
        if (this.#waiting.length === 0 && !this.#compare) this.#dirty = false;
        this.#moved();
        this.#flush();
      },
      (error: unknown) => {
        this.#flushing = false;
        // Not known how much of it arrived: comparing tells.
        this.#compare = true;
        this.#failed(turn, error);
      },
    );
  }

  /** What the log lacks; null: nothing. */
  #next(): Bytes | null {
    const { document } = this.#terms;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#compare) {
      this.#compare = false;
      if (!this.#dirty && this.#vector.isLevelWith(document)) return null;
      const update = document.changes(this.#vector);
      this.#carries ||= this.#terms.isOthers(update);
      return update;
    }
    return waiting.length === 0 ? null : mergeUpdates(waiting);
  }

  async #send(turn: number, update: Bytes): Promise<void> {
    for (const piece of piecesOf(update, PIECE_BYTES)) {
      const { keys, items } = await this.#terms.port.call('chat.seal', { update: piece });
      for (const body of [...keys, ...items]) await this.#append(turn, body);
    }
  }

  async #tell(turn: number): Promise<void> {
    if (this.#state !== 'online') return;
    const { keys } = await this.#terms.port.call('chat.tell', { isBase: this.#isBase });
    this.#isBase = false;
    for (const body of keys) await this.#append(turn, body);
  }

  async #append(turn: number, { body, hash, erase }: SealedItem): Promise<void> {
    const { seq, at } = await this.#terms.line.request('chat.append', { id: randomText(16), body, erase });
    const item: ChatItem = { seq, at, hash, body };
    await (this.#taking = this.#taking.then(() => this.#take(turn, [item])));
  }

  #inTurn(turn: number, act: () => Promise<void>): void {
    this.#taking = this.#taking
      .then(() => (turn === this.#turn ? act() : undefined))
      .catch((error: unknown) => this.#failed(turn, error));
  }

  #failed(turn: number, error: unknown): void {
    this.#taking = this.#taking.catch(() => undefined);
    if (turn !== this.#turn) return;
    // The connection comes again by itself.
    if (error instanceof OfflineError) return this.down();
    if (error instanceof ProtocolError && error.code === 'chatFull') {
      this.#full = true;
      return this.#terms.moved();
    }
    const wait = error instanceof ProtocolError ? (error.retryAfterMs ?? RETRY_MS) : RETRY_MS;
    if (error instanceof ProtocolError && error.code === 'linkRefused') return this.down();
    this.#calls.push(this.#terms.after(wait, () => turn === this.#turn && this.#again()));
  }

  #again(): void {
    if (this.#state === 'online') this.#flush();
    else this.up();
  }

  #become(state: ProviderState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#moved();
  }
}

function randomText(bytes: number): string {
  return textOf(crypto.getRandomValues(new Uint8Array(bytes)));
}

/** Base64url without padding (RFC 4648 §5). */
function textOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
