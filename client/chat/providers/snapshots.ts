/**
 * Snapshots: all of the document in the place of many items of the log, so that newcomers load one thing and the server keeps less.
 *
 * Whoever is level and finds many items makes one, after a time drawn at random, so that seldom two do. Everybody who is level looks at each: the first
 * who finds in it all that they know, and nothing that was erased, confirms it. One that was confirmed is looked at by all, also by those who were
 * away: where it lacks something that is said aloud, given to the log again by one after the other, and another takes its place; so it is with one that
 * holds what was erased since. What is in the log and waits
 * for a key goes along as it is. Whoever lacks a key of the snapshot before can tell nothing of it, and neither makes nor confirms any. Entries lie in it under the keys
 * that they were sealed with (e2ee/chat/snapshot.ts), so it opens nothing to anybody that the log does not.
 */
import type { ChatHead, ChatItem, ChatSnapshot } from '../../../signal/protocol/chat.ts';
import type { ChatCalls, SealedItem, UnreadItem } from '../../e2ee/chat/messages.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { ChatDocument } from '../document.ts';
import { areIn, ChatDocument as Document, type Left, type PlacedEntry } from '../document.ts';
import type { AlarmKind } from '../view.ts';
import type { Deletions } from './deletions.ts';
import type { ChatLine, ChatPort } from './ways.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface SnapshotsTerms {
  readonly line: ChatLine;
  readonly port: ChatPort;
  readonly document: ChatDocument;
  /** Where the log goes, while all of it is taken in and everything here is in it; else null. */
  readonly level: () => ChatHead | null;
  /** What snapshots hold of it is not hidden from us. */
  readonly isWhole: () => boolean;
  /** Items of it wait for keys. */
  readonly hasUnread: () => boolean;
  /** The chain's hash at an item; undefined where it is not known any more. */
  readonly hashAt: (seq: number) => string | undefined;
  /** To the log. */
  readonly append: (item: SealedItem) => Promise<void>;
  /** What a snapshot is not to hold. */
  readonly left: () => Left;
  /** What it need not hold. */
  readonly spared: () => Left;
  /** What was deleted from the log. */
  readonly deletions: Deletions;
  /** How long the log keeps things, in days. */
  readonly keepDays: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Gives entries to the log that it has lost. */
  readonly putBack: (entries: readonly PlacedEntry[]) => void;
  /** What is kept between visits is another now. */
  readonly moved: () => void;
  readonly alarm: (is: AlarmKind) => void;
  /** @returns calls it off */
  readonly after: (ms: number, run: () => void) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  /** So many items are worth a snapshot. */
  readonly worth: number;
}

/** Two hardly ever draw the same moment of this. */
const MAKE_MS = 20_000;
const CHECK_MS = 4000;
/** Whoever finds that something is lost waits for a part of this, so that each gives back what those before have not. */
const FILL_MS = 10_000;
const RETRY_MS = 15_000;
const DAY_MS = 86_400_000;
/** Parts that are asked for at once. */
const PARTS_AHEAD = 4;

export class Snapshots {
  readonly #terms: SnapshotsTerms;
  #confirmed: ChatSnapshot | null = null;
  #offered: ChatSnapshot | null = null;
  /** The one, confirmed, that was found to be right. */
  #right: string | null;
  /** Those that were looked at and are not. */
  readonly #wrong = new Set<string>();
  /** The confirmed one, or the log itself (`NONE`), where it lacks what is not given back yet. */
  #lacking: string | null = null;
  /** The confirmed one, where sections of it do not open here and may hold what waits for keys: whoever lacks these makes and confirms none after it. */
  #shut: string | null = null;
  /** The confirmed one has to be replaced. */
  #isOutdated = false;
  /** The confirmed one, where another of ours waits to take its place. If nobody confirms that, it is tried again at the next visit. */
  #replacing: string | null = null;
  #base = 0;
  #isBusy = false;
  #isDue = false;
  #cancel: (() => void) | null = null;
  #isClosed = false;

  constructor(terms: SnapshotsTerms, right: string | null) {
    this.#terms = terms;
    this.#right = right;
  }

  /** The one that the log goes on from. */
  get confirmed(): ChatSnapshot | null {
    return this.#confirmed;
  }

  /** Id of the one that needs no second look. */
  get right(): string | null {
    return this.#right;
  }

  /** The chat was opened: what the server has. */
  opened(confirmed: ChatSnapshot | null, base: ChatHead): void {
    this.#confirmed = confirmed;
    this.#offered = null;
    this.#base = base.seq;
    this.look();
  }

  pushed(snapshot: ChatSnapshot): void {
    if (snapshot.confirmed) {
      this.#confirmed = snapshot;
      this.#base = Math.max(this.#base, snapshot.covers.seq);
      this.#isOutdated = false;
      if (this.#offered?.id === snapshot.id) this.#offered = null;
    } else this.#offered = snapshot;
    this.look();
  }

  /** The log, with its snapshots, was deleted up to here. */
  cleared(base: ChatHead): void {
    this.#base = base.seq;
    this.#confirmed = this.#offered = null;
  }

  /** Something was erased, or keys are others now: what was right may be no longer. */
  outdate(): void {
    this.#right = this.#replacing = null;
    this.look();
  }

  /** Looked into by `load`: a newcomer knows nothing to compare it with. */
  took(id: string): void {
    this.#right = id;
  }

  /** There may be something to do. */
  look(): void {
    if (this.#isDue || this.#isClosed || this.#next() === null) return;
    this.#isDue = true;
    const ms = { make: MAKE_MS, check: CHECK_MS, fill: FILL_MS }[this.#next()!];
    this.#cancel = this.#terms.after(ms * (0.1 + this.#terms.random()), () => {
      this.#isDue = false;
      void this.#act();
    });
  }

  /**
   * Opens one and gives out what it holds, block by block: each is worked on while the worker makes the next one ready.
   * @param read  with what its entries say
   * @returns how many sections do not open here, which items in it wait for keys, and what others of those come to; null, and nothing is given out:
   *   it cannot be had, or is not what it says
   */
  async load(
    { id, parts: count, hash, covers }: ChatSnapshot,
    { take, each }: { take: boolean; each: (block: SnapshotBlock) => void },
  ): Promise<{ hidden: number; strange: number; unread: UnreadItem[]; late: Bytes[] } | null> {
    const { line, port } = this.#terms;
    const asked: Promise<string>[] = [];
    const parts: string[] = [];
    while (parts.length < count) {
      while (asked.length < PARTS_AHEAD && parts.length + asked.length < count) {
        const part = parts.length + asked.length;
        const answer = this.#patiently(() => line.request('chat.part', { snapshot: id, part }));
        asked.push(answer.then(({ body }) => body));
        // Where one is missing, nobody waits for those after it.
        asked.at(-1)!.catch(() => undefined);
      }
      parts.push(await asked.shift()!);
    }
    const found = await port.call('chat.unpack', { parts, hash, covers, take });
    if (found === null) return null;
    const { opened, blocks, hidden, unread, late } = found;
    const ask = (index: number) => {
      const answer = port.call('chat.block', { opened, index, read: take });
      answer.catch(() => undefined);
      return answer;
    };
    let next = blocks > 0 ? ask(0) : null;
    for (let index = 1; next !== null; index++) {
      const block: SnapshotBlock = await next;
      next = index < blocks ? ask(index) : null;
      each(block);
    }
    // Its own keys came with it, and were everybody's.
    const isStrange = opened > 0 && this.#terms.deletions.isOpen;
    return { hidden: isStrange ? 0 : hidden, strange: isStrange ? hidden : 0, unread, late };
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #next(): 'check' | 'fill' | 'make' | null {
    const level = this.#terms.level();
    if (level === null || this.#isBusy) return null;
    const [confirmed, offered] = [this.#confirmed, this.#offered];
    if (this.#lacking === (confirmed?.id ?? NONE)) return 'fill';
    if (this.#terms.deletions.isDoubted) return 'check';
    const isKnown = confirmed === null || confirmed.id === this.#right || confirmed.id === this.#replacing;
    if (!isKnown && !this.#isOutdated) return 'check';
    // Whoever lacks a key cannot say that nothing is missing.
    if (!this.#terms.isWhole() || (confirmed !== null && confirmed.id === this.#shut)) return null;
    if (offered !== null && !this.#wrong.has(offered.id)) return 'check';
    if (this.#isOutdated && level.seq > 0) return 'make';
    return level.seq - this.#base >= this.#terms.worth ? 'make' : null;
  }

  async #act(): Promise<void> {
    const next = this.#next();
    if (next === null || this.#isClosed) return;
    this.#isBusy = true;
    let isDone = true;
    try {
      if (next === 'make') await this.#make();
      else if (next === 'check') await this.#check();
      else await this.#fill();
    } catch {
      // The connection, too much at once, or it is not there any more: another time.
      isDone = false;
    }
    this.#isBusy = false;
    if (isDone) return this.look();
    this.#isDue = true;
    this.#cancel = this.#terms.after(RETRY_MS, () => {
      this.#isDue = false;
      this.look();
    });
  }

  async #make(): Promise<void> {
    const { line, port, document, level, left } = this.#terms;
    const covers = level()!;
    const unread = await this.#unread(covers, 0);
    if (unread === null) return;
    const { keys, packed } = await port.call('chat.pack', { covers, unread, ...document.outline(left()) });
    // Others have to hold the key before they can look into what it seals.
    for (const one of keys) await this.#terms.append(one);
    if (keys.length > 0) return;
    if (packed === null) {
      // More than the server takes.
      this.#isOutdated = false;
      this.#base = covers.seq;
      return;
    }
    const { id, hash, parts } = packed;
    const snapshot = { id, covers, parts: parts.length, hash, confirmed: false };
    await line.request('chat.offer', { snapshot });
    for (const [part, body] of parts.entries())
      await this.#patiently(() => line.request('chat.offerPart', { snapshot: id, part, body }));
    // Until somebody has confirmed it, or as many came again.
    this.#wrong.add(id);
    this.#offered = snapshot;
    this.#isOutdated = false;
    this.#base = covers.seq;
    this.#replacing = this.#confirmed?.id ?? null;
  }

  async #check(): Promise<void> {
    const { line, moved, deletions } = this.#terms;
    const [confirmed, offered] = [this.#confirmed, this.#offered];
    if (deletions.isDoubted || offered === null || this.#wrong.has(offered.id)) return this.#checkLog(confirmed);
    const found = await this.#compare(offered);
    if (found.is === 'later') throw new Error('not level any more');
    this.#wrong.add(offered.id);
    if (found.is !== 'right') return;
    await line.request('chat.confirm', { snapshot: offered.id });
    this.#right = offered.id;
    this.pushed({ ...offered, confirmed: true });
    moved();
  }

  /** Whether the log holds all that we know, with the snapshot that it goes on from. */
  async #checkLog(snapshot: ChatSnapshot | null): Promise<void> {
    const { alarm, moved, deletions } = this.#terms;
    const { isDoubted, deleted } = deletions;
    const found = await this.#compare(snapshot);
    if (found.is === 'later') throw new Error('not level any more');
    if (snapshot !== null && found.is === 'right') this.#right = snapshot.id;
    this.#isOutdated ||= snapshot !== null && found.is !== 'right';
    if (found.is === 'forged') alarm('rolledBack');
    if (found.is === 'lacks' && !found.isTorn) {
      // By the server, or by members: nobody else seals a snapshot. By whom, nothing in it says.
      alarm(isDoubted && deleted >= (snapshot?.covers.seq ?? 0) ? 'deleted' : 'dropped');
    }
    if (found.is === 'lacks') this.#lacking = snapshot?.id ?? NONE;
    if (isDoubted) deletions.settled(found.is !== 'lacks');
    moved();
  }

  async #fill(): Promise<void> {
    const name = this.#lacking;
    const found = await this.#compare(this.#confirmed);
    if (found.is === 'later') throw new Error('not level any more');
    if (found.is === 'lacks') this.#terms.putBack(found.missing);
    if (this.#lacking === name) this.#lacking = null;
  }

  /** What a snapshot, if there is one, and the items after it come to, beside what we have. */
  async #compare(snapshot: ChatSnapshot | null): Promise<Found> {
    const { line, port, document, level, isWhole, hasUnread, hashAt, left, spared } = this.#terms;
    const known = snapshot && hashAt(snapshot.covers.seq);
    if (known !== null && known !== undefined && known !== snapshot!.covers.hash) return { is: 'forged' };
    const theirs = new Document(SILENT);
    try {
      const each = (block: SnapshotBlock) => void theirs.place(block, null);
      const opened = snapshot === null ? EMPTY : await this.load(snapshot, { take: false, each });
      if (opened === null) return { is: 'forged' };
      // Before what came after it, which may remove something that it holds.
      const isOutdated = document.hasLeft(theirs, left());
      const from = snapshot?.covers.seq ?? this.#base;
      const given: Bytes[] = [];
      let head: ChatHead;
      for (let after = from; ;) {
        const page = await line.request('chat.read', { after });
        if (page.base.seq > from) return { is: 'later' };
        const { updates } = await port.call('chat.peek', { items: page.items });
        given.push(...updates.flatMap((update) => update ?? []));
        head = page.head;
        after = page.items.at(-1)?.seq ?? head.seq;
        if (after >= head.seq) break;
      }
      // What came meanwhile is in one and not in the other.
      if (level()?.seq !== head.seq) return { is: 'later' };
      theirs.apply([...given, ...opened.late], null);
      // What others wrote under one key may lie in a section of another, which we lack.
      const missing = opened.hidden > 0 && !(isWhole() && !hasUnread()) ? [] : document.missingIn(theirs, spared());
      // It is there, and builds upon what is not: of no use to newcomers, and nobody's fault.
      if (missing.length > 0) return { is: 'lacks', missing, isTorn: areIn(given, missing) };
      // Where nothing of the log is hidden from us, what is hidden in it was never in the log.
      const isStrange = opened.strange > 0 || (opened.hidden > 0 && isWhole() && !hasUnread());
      if (isOutdated || isStrange) return { is: 'outdated' };
      if (snapshot === null) return { is: 'right' };
      if (snapshot.confirmed) {
        if (opened.hidden > 0) this.#shut = snapshot.id;
        return { is: 'right' };
      }
      // What waits for a key is to be had by whoever comes to it. Clocks differ.
      const bodies = new Set(opened.unread.map(({ body }) => body));
      const isThere = (await this.#unread(snapshot.covers, 1 / 4))?.every(({ body }) => bodies.has(body));
      return { is: isThere === true ? 'right' : 'outdated' };
    } finally {
      theirs.destroy();
    }
  }

  /** What waits for keys, in the log up to there and in the snapshot before it. @param margin  part of the time that things are kept, at most a day: older by then need not be there @returns null where not all can be known */
  async #unread({ seq: end }: ChatHead, margin: number): Promise<UnreadItem[] | null> {
    const { line, port, hasUnread, keepDays, now } = this.#terms;
    if (!hasUnread()) return [];
    const noBlocks = () => undefined;
    const found: UnreadItem[] = [];
    if (this.#confirmed !== null) {
      const before = await this.load(this.#confirmed, { take: false, each: noBlocks });
      // What waits here for keys may lie in a section that others could make of it.
      if (before === null || before.hidden > 0) {
        this.#shut = this.#confirmed.id;
        return null;
      }
      found.push(...before.unread);
    }
    // Of changes of several parts, those of which not all have been read yet.
    let parts: ChatItem[] = [];
    for (let after = this.#confirmed?.covers.seq ?? 0; after < end;) {
      const page = await line.request('chat.read', { after });
      const items = [...parts, ...page.items.filter(({ seq }) => seq <= end)];
      const { open, unread } = await port.call('chat.peek', { items });
      for (const { seq, at, body } of unread.map((i) => items[i]!)) found.push({ seq, at, body });
      parts = open.map((i) => items[i]!);
      const last = page.items.at(-1);
      if (last === undefined) break;
      after = last.seq;
    }
    for (const { seq, at, body } of parts) found.push({ seq, at, body });
    const from = now() - (keepDays() - margin * Math.min(4, keepDays())) * DAY_MS;
    return found.filter(({ at }) => !(at < from));
  }

  /** Waits where the server wants that. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const wait = error instanceof ProtocolError && error.code === 'tooMany' ? (error.retryAfterMs ?? 1000) : 0;
        if (wait === 0) throw error;
        await new Promise<void>((resolve) => this.#terms.after(wait, resolve));
      }
    }
  }
}

export type SnapshotBlock = ChatCalls['chat.block']['out'];

type Found =
  | { readonly is: 'right' | 'outdated' | 'forged' | 'later' }
  /** Not even with the items after it. */
  | { readonly is: 'lacks'; readonly missing: readonly PlacedEntry[]; readonly isTorn: boolean };

/** The log goes on from no snapshot. */
const NONE = '';
const EMPTY = { hidden: 0, strange: 0, unread: [], late: [] };
const SILENT = { added: () => undefined, removed: () => undefined, updated: () => undefined };
