/**
 * The keys of one meeting's chat in this browser: which one seals now, which the log lacks for whom, and what is kept of them on disk.
 *
 * Under "newcomers see everything" keys are open: told in the log to whoever has link and password. Otherwise they are closed: told to the
 * group (group.ts), and in the log only to holders of an older one (chatForward.ts). What holds is the host's signed word, as the worker has
 * checked it; a server that withholds a newer one delays it. Invariant: a closed secret is never wrapped under link and password alone.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import type { OlderSecret } from '../../../crypto/chatForward.ts';
import { olderIdOf, openForward, sealForward } from '../../../crypto/chatForward.ts';
import { edgesOf, forwardItem, MAX_EDGES, ringItem, wrappedRing } from '../../../crypto/chatItem.ts';
import type { ChatKey, RingSecret } from '../../../crypto/chatKey.ts';
import { deriveChatRoom, openRing, readSecret, sealRing, writeSecret } from '../../../crypto/chatKey.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import type { Access } from '../access.ts';
import type { OpenedItem } from './messages.ts';
import type { Newcomers } from './policy.ts';
import { hourOf, mayLeadTo, reachOf } from './policy.ts';
import type { Held, HeldTerms } from './ring.ts';
import { Ring } from './ring.ts';
import type { ChatShelf } from './shelf.ts';

export interface ChatKeysTerms {
  readonly meeting: string;
  /** Of the newest generation that we know. */
  readonly access: () => Access;
  /** By the host's word, as far as we have heard it. */
  readonly newcomers: () => Newcomers;
  readonly shelf: ChatShelf;
  /** One at a time over all tabs of this browser. */
  readonly alone: <T>(name: string, act: () => Promise<T>) => Promise<T>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Other keys are held, or another one seals. */
  readonly changed: () => void;
}

/** The group that we are in. */
export interface Circle {
  /** Places of keys told in it are this and the epoch in which they were. */
  readonly base: number;
  epoch: number;
  /** The last epoch that brought somebody who was not there; -1: none that we know of. */
  stranger: number;
  /** Tells all who are in it in this very epoch. */
  readonly tell: (secrets: readonly RingSecret[], epoch: number) => void;
}

export class ChatKeys {
  readonly ring: Ring;
  readonly #terms: ChatKeysTerms;
  #circle: Circle | null = null;
  #loading: Promise<boolean> | null = null;
  #beginning: Promise<Held> | null = null;
  /** What the log holds for each generation's link, as read from it: names of open keys, and `older>newer` of closed ones. */
  readonly #told = new Map<number, Set<string>>();

  constructor(terms: ChatKeysTerms) {
    this.#terms = terms;
    this.ring = new Ring(terms.meeting);
  }

  /** Takes up what this browser keeps. To be called first; again changes nothing. @returns whether what is kept lasts */
  load(): Promise<boolean> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** @param tell null: we are in none any more */
  enter(tell: Circle['tell'] | null, epoch = 0): void {
    this.ring.untell();
    this.#circle = tell && { base: this.ring.newest + 2, epoch, stranger: -1, tell };
  }

  get circle(): Circle | null {
    return this.#circle;
  }

  get hour(): number {
    return hourOf(this.#terms.now());
  }

  get newcomers(): Newcomers {
    return this.#terms.newcomers();
  }

  get generation(): number {
    return this.#terms.access().generation;
  }

  /**
   * This browser held keys of a later link once. Whoever was removed has the link of now too, so nothing is written or told by it, whatever
   * the server that takes it says.
   */
  get isPast(): boolean {
    return this.ring.latest > this.generation;
  }

  /** The key to seal with now, where there is one. */
  get current(): ChatKey | null {
    if (this.isPast) return null;
    const reach = reachOf(this.newcomers);
    if (reach === null) return this.ring.openOf(this.generation)?.key ?? null;
    const fit = this.ring.closed.filter((one) => one.generation === this.generation && one.closed?.reach === reach);
    // One that we have held since before the hour that it names is no key of this hour.
    const isOfNow = ({ closed, heard }: Held) => closed?.begun === this.hour && heard === this.hour;
    if (reach > 0) return fit.findLast(isOfNow)?.key ?? null;
    return this.#freshest(fit)?.key ?? null;
  }

  /** For what is kept nowhere; where none is to be written with yet, the newest that others may hold. */
  get whispering(): Held | null {
    const key = this.current;
    if (key !== null) return this.ring.get(key.name);
    if (this.isPast || reachOf(this.newcomers) === null) return null;
    return this.ring.closed.findLast(({ generation }) => generation === this.generation) ?? null;
  }

  /** Whether we may begin a key where there is none: one that nobody could hold beside us would lose what is written. */
  get canSeal(): boolean {
    if (this.isPast) return false;
    const reach = reachOf(this.newcomers);
    if (reach === null || this.#circle !== null || this.current !== null) return true;
    return this.ring.olderThan(this.#begun(reach), Infinity) !== null;
  }

  /** The key to write with now; begun where there is none yet. @returns null where nobody could read it */
  async sealing(): Promise<ChatKey | null> {
    if (this.current !== null) return this.current;
    if (!this.canSeal) return null;
    this.#beginning ??= this.#begin().finally(() => (this.#beginning = null));
    return (await this.#beginning).key;
  }

  async room(): Promise<{ room: string; password: string } | null> {
    const held = this.whispering;
    return held && deriveChatRoom(held, this.#terms.meeting);
  }

  /** Names the writer's run of entries that whoever opens one of them opens all of: 16 bytes, zeros for open keys. */
  runOf(key: ChatKey): Bytes {
    return this.ring.get(key.name)?.closed ? key.id : new Uint8Array(key.id.length);
  }

  /**
   * Secrets that a member told. New ones are begun in that epoch; others were begun before, and are given to us since we came.
   * @returns whether any was news
   */
  async take(secrets: readonly RingSecret[], epoch: number, isNew: boolean): Promise<boolean> {
    const circle = this.#circle;
    if (circle === null) return false;
    const place = circle.base + epoch;
    let isNews = false;
    for (const one of secrets) {
      const fits = isNew ? one.generation === this.generation : one.generation <= this.generation;
      if (one.closed === null || !fits) continue;
      const from = isNew ? (this.ring.olderThan(one, place)?.key.name ?? null) : null;
      isNews = (await this.ring.add(one, { heard: this.hour, place, told: isNew, from })).isNews || isNews;
    }
    if (isNews) await this.#moved();
    return isNews;
  }

  /** The log is read from its start, or from where it goes on after something was deleted: what it holds is seen now. */
  readAnew(): void {
    this.#told.clear();
  }

  async openRing(item: Bytes, generation: number, seq: number): Promise<OpenedItem> {
    const { meeting, access } = this.#terms;
    // An older one was told again under the newer.
    if (generation < access().generation) return { is: 'ring', isNews: false };
    if (generation > access().generation) return { is: 'hidden' };
    try {
      const secrets = await openRing(access().chatKey, { meetingId: meeting, generation }, wrappedRing(item));
      // Nobody wraps for today's link what only a later one may seal with: its keys would be known to whoever is removed before.
      if (secrets.some((one) => one.generation > generation)) return { is: 'forged' };
      const terms = { heard: this.hour, place: 0, told: false, from: null };
      let [isNews, isSaid] = [false, false];
      for (const one of secrets) {
        const added = await this.ring.add(one, terms);
        isNews ||= added.isNews;
        isSaid = this.#tell(generation, [added.name]) || isSaid;
      }
      if (this.ring.began(generation, seq) || isNews || isSaid) await this.#moved(isNews);
      return { is: 'ring', isNews };
    } catch {
      return { is: 'forged' };
    }
  }

  async openForward(item: Bytes, generation: number): Promise<OpenedItem> {
    const { meeting, access } = this.#terms;
    if (generation < access().generation) return { is: 'ring', isNews: false };
    if (generation > access().generation) return { is: 'hidden' };
    const place = { meetingId: meeting, generation, chatKey: access().chatKey };
    let [isNews, isHidden, isSaid] = [false, false, false];
    try {
      for (const edge of edgesOf(item)) {
        const older = this.ring.get(base64url(olderIdOf(edge)));
        if (older === null) isHidden = true;
        else {
          const newer = await openForward(place, olderSecret(older), edge);
          if (newer.generation > generation || !mayLeadTo(older, newer)) return { is: 'forged' };
          const from = older.key.name;
          const terms = { heard: this.hour, place: this.#placeNow, told: false, from };
          const added = await this.ring.add(newer, terms);
          isNews ||= added.isNews;
          isSaid = this.#tell(generation, [`${from}>${added.name}`]) || isSaid;
        }
      }
    } catch {
      return { is: 'forged' };
    }
    if (isNews || isSaid) await this.#moved(isNews);
    return isHidden ? { is: 'hidden', isNews } : { is: 'ring', isNews };
  }

  /** Items that the log lacks: open keys for link and password of today, closed ones for those who were there. */
  untold(): Promise<Bytes[]> {
    return this.#items(this.#told.get(this.generation), !this.ring.beginnings.has(this.generation));
  }

  /** All of them, as the log tells them: for a snapshot that takes its place. */
  told(): Promise<Bytes[]> {
    return this.#items(new Set(), true);
  }

  /** @param told  what is not needed @param isRing  the open ones in any case: where they stand in the log older generations end */
  async #items(told: ReadonlySet<string> | undefined, isRing: boolean): Promise<Bytes[]> {
    const { meeting, access } = this.#terms;
    const { generation, chatKey } = access();
    const place = { meetingId: meeting, generation, chatKey };
    const items: Bytes[] = [];
    if (this.ring.size === 0 || this.isPast) return items;
    if (isRing || this.ring.open.some(({ key }) => !told?.has(key.name)))
      items.push(ringItem(generation, await sealRing(chatKey, place, this.ring.open)));
    const edges: Bytes[] = [];
    for (const one of this.ring.closed) {
      const older = one.from === null ? null : this.ring.get(one.from);
      if (older === null || told?.has(`${one.from}>${one.key.name}`)) continue;
      edges.push(await sealForward(place, olderSecret(older), one));
    }
    for (let at = 0; at < edges.length; at += MAX_EDGES)
      items.push(forwardItem(generation, edges.slice(at, at + MAX_EDGES)));
    return items;
  }

  wipe(): void {
    this.#circle = null;
    this.ring.wipe();
  }

  /** Of one that comes by the log. */
  get #placeNow(): number {
    return this.#circle === null ? this.ring.newest + 1 : this.#circle.base + this.#circle.epoch;
  }

  /** In the group: told to all of it since the last stranger came. Else the newest that we have. */
  #freshest(fit: readonly Held[]): Held | null {
    const { base, stranger } = this.#circle ?? { base: 0, stranger: -1 };
    const told = fit.filter((one) => one.told);
    const fresh = told.filter(({ place }) => place >= base + stranger);
    if (told.length > 0 || stranger >= 0) return fresh.at(-1) ?? null;
    return fit.at(-1) ?? null;
  }

  #begun(reach: number | null): RingSecret {
    const closed = reach === null ? null : { begun: this.hour, reach };
    return { secret: new Uint8Array(0), generation: this.generation, closed };
  }

  async #begin(): Promise<Held> {
    const begun = this.#begun(reachOf(this.newcomers));
    const circle = this.#circle;
    const epoch = circle?.epoch ?? 0;
    const isClosed = begun.closed !== null;
    const place = isClosed ? this.#placeNow : 0;
    const from = isClosed ? (this.ring.olderThan(begun, place)?.key.name ?? null) : null;
    const held = await this.ring.start(begun, { heard: this.hour, place, told: isClosed && circle !== null, from });
    await this.#moved();
    // To those alone who were there when it was begun: whoever came meanwhile has another.
    if (isClosed) circle?.tell([held], epoch);
    return held;
  }

  #tell(generation: number, names: readonly string[]): boolean {
    const told = this.#told.get(generation) ?? new Set();
    this.#told.set(generation, told);
    const before = told.size;
    for (const name of names) told.add(name);
    return told.size > before;
  }

  async #moved(isNews = true): Promise<void> {
    await this.keep();
    if (isNews) this.#terms.changed();
  }

  /** Two tabs hold one ring: neither loses what the other has come to. */
  async keep(): Promise<void> {
    const { shelf, meeting, alone } = this.#terms;
    // Where nothing can be stored it lasts as long as this worker.
    await alone(`ring ${meeting}`, async () => {
      const kept = await shelf.get(`ring ${meeting}`);
      if (kept !== null) await this.#takeKept(kept);
      await shelf.put(`ring ${meeting}`, this.#kept());
    }).catch(() => undefined);
  }

  async #load(): Promise<boolean> {
    const { shelf, meeting } = this.#terms;
    const isLasting = await shelf.open();
    const kept = await shelf.get(`ring ${meeting}`).catch(() => null);
    if (kept !== null) await this.#takeKept(kept, true);
    return isLasting;
  }

  #kept(): Bytes {
    const { ring } = this;
    const writer = new Writer().u16(ring.size);
    for (const one of ring.all)
      writeSecret(writer, one)
        .u32(one.heard)
        .u64(one.place)
        .text8(one.from ?? '');
    writer.u16(ring.beginnings.size);
    for (const [generation, seq] of ring.beginnings) writer.u32(generation).u64(seq);
    for (const [generation, names] of this.#told) for (const name of names) writer.u32(generation).text8(name);
    return writer.done();
  }

  /** @param all  also what is known of the log: of another tab's we know it by reading */
  async #takeKept(bytes: Bytes, all = false): Promise<void> {
    const reader = new Reader(bytes);
    for (let left = reader.u16(); left > 0; left--) {
      const secret = readSecret(reader);
      const terms: HeldTerms = { heard: reader.u32(), place: reader.u64(), told: false, from: reader.text8() || null };
      await this.ring.add(secret, terms);
    }
    for (let left = reader.u16(); left > 0; left--) this.ring.began(reader.u32(), reader.u64());
    while (all && reader.remaining > 0) this.#tell(reader.u32(), [reader.text8()]);
  }
}

function olderSecret({ secret, key }: Held): OlderSecret {
  return { secret, id: fromBase64url(key.name) };
}
