/**
 * What was deleted from the log, and what explains it: a host's signed word, or age. For nothing else the server's word is taken.
 *
 * A host signs how far the log is to go, by number and chain, so the word is about this log and nothing that came later. It holds at once, whether or
 * not the server obeys: what lies there is missed nowhere, and kept out of snapshots. Where the server says that more is gone, what we have is compared
 * with what the log still holds (snapshots.ts); what is missing and too young to be gone is said aloud, and given back. What is left is looked at too: a
 * list that was cut in the middle is of no use to newcomers.
 */
import * as z from 'zod/mini';
import type { ChatHead, ChatItem } from '../../../signal/protocol/chat.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';
import type { ChatCalls, OpenedItem } from '../../e2ee/chat/messages.ts';
import type { ChatDocument } from '../document.ts';
import { Vector } from '../document.ts';
import type { ChatPort } from './ways.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const Clocks = z.array(z.tuple([z.int(), z.int()]));

/**
 * What is kept between visits. `deleted`: items up to this one are gone, by the server's word; `looked`: up to this one nothing is missing, or it was given
 * back. `cleared`: the log up to here, by a host's. `heard`: the chain's hash in the word that was followed last. `before`: of those
 * that went rightly the document had what lies up to these clocks. `marks`: of the newest items, where each began in its client's list, and of older ones fewer and fewer.
 */
export const DeletionsMemory = z.object({
  deleted: z.int(),
  looked: z.int(),
  cleared: z.int(),
  heard: z.nullable(z.string()),
  before: Clocks,
  marks: z.array(z.tuple([z.int(), z.int(), z.int()])),
});
export type DeletionsMemory = z.infer<typeof DeletionsMemory>;

/** An item, and where it began in the list of a client. */
type Mark = [seq: number, client: number, clock: number];

export interface DeletionsTerms {
  readonly port: ChatPort;
  readonly document: ChatDocument;
  /** What the log has brought, or has of us. */
  readonly vector: () => Vector;
  /** Number of the newest item that was taken in; 0: none. */
  readonly seen: () => number;
  /** The chain's hash at an item; undefined where it is not known any more. */
  readonly hashAt: (seq: number) => string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The server shows a word that no host has signed. */
  readonly forged: () => void;
  /** A host has deleted what we had. */
  readonly cleared: () => void;
}

const DAY_MS = 86_400_000;
/**
 * A host who clears has not seen what was written in that moment: a handful of items, and each of so many is told apart. The further a word comes
 * behind what it is about, the more of what came next in each list counts as seen with it.
 */
const MARKS = 64;
const MOST_MARKS = 4 * MARKS;

export class Deletions {
  readonly #terms: DeletionsTerms;
  #word: ChatCalls['chat.word']['out'] = { isForged: false, keepDays: 0, cleared: null, expired: 0, isOpen: false };
  #deleted: number;
  #looked: number;
  #cleared: number;
  #heard: string | null;
  #before: Vector;
  #marks: Mark[];
  /** Went with what is being looked into. */
  #goneWith: Vector | null = null;
  /** What is missing in the log is given to it in any case. */
  #isAnew = false;

  constructor(terms: DeletionsTerms, memory: DeletionsMemory | null) {
    this.#terms = terms;
    this.#deleted = memory?.deleted ?? 0;
    this.#looked = memory?.looked ?? 0;
    this.#cleared = memory?.cleared ?? 0;
    this.#heard = memory?.heard ?? null;
    this.#before = new Vector(memory?.before);
    this.#marks = memory?.marks ?? [];
  }

  get memory(): DeletionsMemory {
    const [deleted, looked, cleared, heard] = [this.#deleted, this.#looked, this.#cleared, this.#heard];
    return { deleted, looked, cleared, heard, before: this.#before.clocks, marks: this.#marks };
  }

  /** Items up to this one are gone, by the server's word. */
  get deleted(): number {
    return this.#deleted;
  }

  /** Of what went rightly the document had what lies up to here. */
  get before(): Vector {
    return new Vector(this.#before.clocks);
  }

  /** By the server's word or a host's: whoever comes lacks what was first. */
  get isCut(): boolean {
    return this.#deleted > 0 || this.#word.cleared !== null;
  }

  /** By a host's word every key comes to whoever has the link: what opens for none of them is no member's honest work. */
  get isOpen(): boolean {
    return this.#word.isOpen;
  }

  /** For how long the log keeps things; Infinity: until everybody has left, whenever that is. */
  get keepDays(): number {
    return this.#word.keepDays === 0 ? Infinity : this.#word.keepDays;
  }

  /** What was written before, in milliseconds since 1970, may be gone. Clocks of authors, host and server differ. */
  get spareBefore(): number {
    const { now } = this.#terms;
    const { keepDays, expired } = this.#word;
    // What goes when everybody has left goes after a day where nobody ever came.
    const days = Math.max(1, keepDays);
    const margin = Math.min(1, days / 4);
    return Math.max(now() - (days - margin) * DAY_MS, Math.min(expired + margin * DAY_MS, now()));
  }

  /** More is gone than explains itself, or what is left may build upon it: that was not looked into. */
  get isDoubted(): boolean {
    return this.#deleted > this.#looked;
  }

  /** What came by items of the log, in their order. */
  took(items: readonly Pick<ChatItem, 'seq'>[], opened: readonly OpenedItem[]): void {
    for (let i = Math.max(0, items.length - MARKS); i < items.length; i++) {
      const one = opened[i]!;
      if (one.is !== 'update') continue;
      for (const { client, clock } of this.#terms.document.placesOf(one.update))
        this.#marks.push([items[i]!.seq, client, clock]);
    }
    this.#thin();
  }

  /** It came by another way, and may have gone from the log before: it is missed nowhere. */
  skip(update: Bytes): void {
    this.#before.advance(update);
  }

  /** @param state  that the server shows; null: what this browser has heard otherwise may be news */
  async hear(state: Signed | null): Promise<void> {
    this.#word = await this.#terms.port.call('chat.word', { state });
    if (this.#word.isForged) this.#terms.forged();
  }

  /** Number of the item that a host's word is about which has not been followed yet; null: there is none. */
  get awaited(): number | null {
    const { cleared } = this.#word;
    return cleared === null || cleared.hash === this.#heard ? null : cleared.seq;
  }

  /** This log does not come to that: the word is about one that was here before. */
  giveUp(): void {
    this.#heard = this.#word.cleared?.hash ?? this.#heard;
  }

  /**
   * Follows a host's word to clear the log, once.
   * @param base  where it begins now
   * @returns whether it is news
   */
  follow(base: ChatHead): boolean {
    const { cleared } = this.#word;
    if (cleared === null || cleared.hash === this.#heard) return false;
    const { seen, hashAt, vector } = this.#terms;
    const known = cleared.seq === base.seq ? base.hash : hashAt(cleared.seq);
    // About a log that was here before this one.
    const isOther = (known ?? cleared.hash) !== cleared.hash;
    // It came faster than what it is about.
    if (!isOther && Math.max(seen(), base.seq) < cleared.seq) return false;
    this.#heard = cleared.hash;
    if (isOther || cleared.seq <= this.#cleared) return false;
    this.#cleared = cleared.seq;
    const gone = vector().clocks.filter(
      ([client, clock]) => !this.#before.covers({ client, clock: clock - 1, length: 1 }),
    );
    this.#goes(new Vector(seen() <= cleared.seq ? gone : this.#until(cleared.seq, gone)));
    if (gone.length > 0) this.#terms.cleared();
    return true;
  }

  /** Where the log begins. @returns whether the server says that more is gone than it had */
  begins(deleted: number): boolean {
    const [isAnew, isMore] = [this.#isAnew, deleted > this.#deleted];
    this.#isAnew = false;
    if (isAnew) this.#looked = this.#deleted = deleted;
    return isMore && !isAnew;
  }

  /**
   * The server says that more is gone. All that the document has counts as known by then.
   * @param isAll  of what we have ever seen of the log nothing is left
   */
  deletedTo(deleted: number, isAll: boolean): void {
    this.#deleted = deleted;
    const gone = isAll ? new Vector(this.#terms.vector().clocks) : null;
    // Nobody can tell when everybody has left.
    const isExplained = deleted <= this.#cleared || this.keepDays === Infinity;
    // Whoever has nothing misses nothing.
    const isEmpty = this.#terms.document.vector.clocks.length === 0;
    if ((isAll && isExplained) || isEmpty) this.#looked = deleted;
    if (this.isDoubted) this.#goneWith = gone;
    else if (gone !== null) this.#goes(gone);
  }

  /** It was looked into. @param isRight  nothing is missing that should be there */
  settled(isRight: boolean): void {
    this.#looked = this.#deleted;
    if (isRight && this.#goneWith !== null) this.#goes(this.#goneWith);
    this.#goneWith = null;
  }

  /** Another log, which is given all that it lacks: what was said of the former one explains nothing in it. */
  startOver(): void {
    this.#isAnew = true;
    this.#cleared = this.#looked = this.#deleted = 0;
    this.#marks = [];
    this.#goneWith = null;
  }

  /** Of what lies between so many items back and twice as many a sixteenth stays, and of each list the newest. */
  #thin(): void {
    const newest = this.#marks.at(-1)?.[0] ?? 0;
    const later = new Set<number>();
    const kept: Mark[] = [];
    for (const mark of this.#marks.toReversed()) {
      const [seq, client] = mark;
      const age = newest - seq;
      const every = age < MARKS ? 1 : 2 ** Math.floor(Math.log2(age / (MARKS / 4)));
      if (seq % every === 0 || !later.has(client)) kept.push(mark);
      later.add(client);
    }
    this.#marks = kept.slice(0, MOST_MARKS).toReversed();
  }

  #goes(gone: Vector): void {
    const clocks = new Map(this.#before.clocks);
    for (const [client, clock] of gone.clocks) clocks.set(client, Math.max(clock, clocks.get(client) ?? 0));
    this.#before = new Vector(clocks);
  }

  /** As far as the log had come at an item. */
  #until(seq: number, clocks: readonly [number, number][]): [number, number][] {
    const until = new Map(clocks);
    for (const [at, client, from] of this.#marks)
      if (at > seq && until.has(client)) until.set(client, Math.min(from, until.get(client)!));
    return [...until];
  }
}
