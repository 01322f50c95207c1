/**
 * What was read, here and by others: which entries of whose chain, whatever the clocks say.
 *
 * A message that comes late stands in the middle, before others that were read long ago, and is unread for all that. So what was read is no
 * place in the conversation: it is ranges of sequence numbers, by author and writer. What is known not to be a message lies in them as well,
 * and what is not here never does. Pure: no clock, no I/O.
 */
import * as z from 'zod/mini';
import { MAX_TOLD, type Told } from './bodies.ts';
import type { Said, Thread } from './thread.ts';
import type { ReadEntry } from '../e2ee/chat/messages.ts';

/** Sequence numbers, both ends in it. */
const Range = z.tuple([z.int().check(z.nonnegative()), z.int().check(z.nonnegative())]);
type Range = z.infer<typeof Range>;

/** Of one chain. Beyond it the two oldest become one. */
const MAX_RANGES = 64;
/** Of each kind. Beyond it those go that nothing has been added to for the longest time. */
const MAX_CHAINS = 1000;

const Chains = z.array(z.tuple([z.string(), z.string(), z.array(Range).check(z.maxLength(MAX_RANGES))]));

/** `all`: of what everybody can read, by author and writer. `alone`: of what is between two. `others`: of what we wrote, by reader and writer. */
export const ReadMemory = z.object({ all: Chains, alone: Chains, others: Chains });
export type ReadMemory = z.infer<typeof ReadMemory>;

/** What was read in one tab was read. @param memories  the newest last */
export function readByAny(memories: readonly ReadMemory[]): ReadMemory {
  const joined = (of: keyof ReadMemory) => {
    const all = new RangesOfChains();
    for (const [name, writer, ranges] of memories.flatMap((one) => one[of]))
      for (const range of ranges) all.add([name, writer], range);
    return all.chains;
  };
  return { all: joined('all'), alone: joined('alone'), others: joined('others') };
}

export class Reading {
  readonly #thread: Thread;
  readonly #self: string;
  readonly #all: RangesOfChains;
  readonly #alone: RangesOfChains;
  readonly #others: RangesOfChains;
  /** Ids of messages that are known to have been read: the ranges say the same, less fast. */
  readonly #read = new Set<string>();

  constructor(thread: Thread, { self, memory }: { self: string; memory: ReadMemory | null }) {
    this.#thread = thread;
    this.#self = self;
    this.#all = new RangesOfChains(memory?.all);
    this.#alone = new RangesOfChains(memory?.alone);
    this.#others = new RangesOfChains(memory?.others);
  }

  /** Of others, and not read here; as they stand in the conversation. */
  get unread(): Said[] {
    return this.#thread.said.filter((said) => said.author !== this.#self && !said.erased && !this.#isRead(said));
  }

  /**
   * From the first to the last of these all are in sight. Where all of them are news, so is what was passed over on the way to them, and it
   * counts as read. What came late stands before others that were read, and is passed over by nobody.
   * @returns what became another: `all`, of what everybody can read and others wrote
   */
  see(first: string, last: string): { any: boolean; all: boolean } {
    const { said } = this.#thread;
    const end = said.findLastIndex(({ id }) => id === last);
    if (end < 0) return { any: false, all: false };
    let start = said.findLastIndex(({ id }, index) => id === first && index <= end);
    if (start < 0) start = end;
    if (!said.slice(start, end + 1).some((one) => this.#isRead(one)))
      while (start > 0 && !this.#isRead(said[start - 1]!)) start--;
    const fresh = said.slice(start, end + 1).filter((one) => !this.#isRead(one));
    for (const { id } of fresh) this.#read.add(id);
    // The newest of a chain reaches back over those before it.
    for (const one of fresh.reverse()) this.#cover(one);
    return { any: fresh.length > 0, all: fresh.some(({ to, author }) => to === null && author !== this.#self) };
  }

  /**
   * For a whisper: what we have read of what everybody can read, that which was read last first.
   * @param author  whose entries go before all others
   */
  told(author: string | null): Told {
    const chains = [...this.#all.chains].reverse().filter(([whose]) => whose !== this.#self);
    const own = chains.filter(([whose]) => whose === author);
    const told: Told = [];
    for (const [whose, writer, ranges] of new Set([...own, ...chains])) {
      if (told.length === MAX_TOLD) break;
      const [from, to] = ranges.at(-1)!;
      const id = this.#thread.chain(whose, writer).findLast(({ sequence }) => sequence === to)?.id;
      if (id !== undefined) told.push([id, to - from]);
    }
    return told;
  }

  /** What somebody says that they have read. Nobody speaks for another, and of others' entries we need not know. @returns whether it is news */
  heard(reader: string, told: Told): boolean {
    let isNews = false;
    for (const [id, before] of told) {
      const entry = this.#thread.entry(id);
      if (entry?.author !== this.#self) continue;
      const { writer, sequence } = entry;
      isNews = this.#others.add([reader, writer], [Math.max(0, sequence - before), sequence]) || isNews;
    }
    return isNews;
  }

  /** Who has read an entry of ours: identities. */
  readersOf(id: string): string[] {
    const entry = this.#thread.entry(id);
    return entry === null ? [] : this.#others.whoHas(entry.writer, entry.sequence);
  }

  get memory(): ReadMemory {
    return { all: this.#all.chains, alone: this.#alone.chains, others: this.#others.chains };
  }

  #isRead({ id, to }: Said): boolean {
    if (this.#read.has(id)) return true;
    const { author, writer, sequence } = this.#thread.entry(id)!;
    const isRead = this.#rangesOf(to).has([author, writer], sequence);
    if (isRead) this.#read.add(id);
    return isRead;
  }

  /** With whatever stands before it in its chain and is nothing to be read. */
  #cover({ id, to }: Said): void {
    const { author, writer, sequence } = this.#thread.entry(id)!;
    const ranges = this.#rangesOf(to);
    if (ranges.has([author, writer], sequence)) return;
    const chain = this.#thread.chain(author, writer);
    let from = sequence;
    for (let index = chain.findLastIndex((one) => one.id === id) - 1; index >= 0; index--) {
      const before = chain[index]!;
      const isNext = before.sequence >= from - 1 && !ranges.has([author, writer], before.sequence);
      if (!isNext || !this.#isPast(before, to === null)) break;
      from = before.sequence;
    }
    ranges.add([author, writer], [from, sequence]);
  }

  /** It is no message that could still be unread. @param isForAll  of those that everybody can read; else of those between two */
  #isPast({ id }: ReadEntry, isForAll: boolean): boolean {
    const { body, to } = this.#thread.entry(id)!;
    // Its words may come once more, unless its author has erased them.
    if (body === null) return this.#thread.isErased(id);
    // Nobody has tried yet whether it is for us.
    if (body === '') return isForAll;
    return (to === null) !== isForAll || this.#thread.one(id) === null || this.#read.has(id);
  }

  #rangesOf(to: string | null): RangesOfChains {
    return to === null ? this.#all : this.#alone;
  }
}

type ChainName = readonly [of: string, writer: string];

/** Ranges by chain; what was added to last is last. */
class RangesOfChains {
  readonly #chains = new Map<string, [string, string, Range[]]>();
  /** By writer: made when asked for. */
  #byWriter: Map<string, [string, string, Range[]][]> | null = null;

  constructor(chains: ReadMemory['all'] = []) {
    for (const one of chains) this.#chains.set(nameOf(one), one);
  }

  get chains(): [string, string, Range[]][] {
    return [...this.#chains.values()];
  }

  has(chain: ChainName, sequence: number): boolean {
    return isIn(this.#chains.get(nameOf(chain))?.[2] ?? [], sequence);
  }

  /** @returns whether that is news */
  add(chain: ChainName, [from, to]: Range): boolean {
    const [name, before] = [nameOf(chain), this.#chains.get(nameOf(chain))?.[2] ?? []];
    if (before.some((one) => one[0] <= from && to <= one[1])) return false;
    const met = before.filter((one) => one[0] <= to + 1 && one[1] >= from - 1);
    const joined: Range = [Math.min(from, ...met.map((one) => one[0])), Math.max(to, ...met.map((one) => one[1]))];
    const ranges = [...before.filter((one) => !met.includes(one)), joined].sort((a, b) => a[0] - b[0]);
    const [first, second] = ranges;
    if (ranges.length > MAX_RANGES) ranges.splice(0, 2, [first![0], second![1]]);
    this.#chains.delete(name);
    this.#chains.set(name, [...chain, ranges]);
    if (this.#chains.size > MAX_CHAINS) this.#chains.delete(this.#chains.keys().next().value!);
    this.#byWriter = null;
    return true;
  }

  whoHas(writer: string, sequence: number): string[] {
    this.#byWriter ??= Map.groupBy(this.#chains.values(), (one) => one[1]);
    const chains = this.#byWriter.get(writer) ?? [];
    return chains.filter(([, , ranges]) => isIn(ranges, sequence)).map(([of]) => of);
  }
}

const nameOf = ([of, writer]: readonly [string, string, ...unknown[]]): string => `${of} ${writer}`;

const isIn = (ranges: readonly Range[], sequence: number): boolean =>
  ranges.some(([from, to]) => from <= sequence && sequence <= to);
