/**
 * Many entries of the chat in one, for who holds their key: nothing is said of them that the reader can work out.
 *
 *     block  = plain (most of it text: to be compressed) and rest (random: no compressing helps)
 *     plain  = writers ‖ run… ‖ loose… ‖ bodies                                             varints, see `packEntries`
 *     rest   = (author(32) ‖ writer(8))… ‖ (previous(32) ‖ (salt(16), or commitment(32) of an erased one)… ‖ signature(64))… ‖ loose entry…
 *
 * A run are entries of one writer of which each names the one before. Their ids are not in it, nor their boxes, nor any signature but the
 * last one's: the reader makes every id from what the entry says, its place in the run and the id before it, and the signature under the last id
 * proves them all (chatEntry.ts). So whoever packs can leave out a run's end, where they hold a signature of before it, and no more: not alter,
 * reorder, insert, or give an entry to somebody else. An entry that fits into no run that ends in a signature comes along as it is, `loose`.
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, equal } from './bytes.ts';
import type { ChatContent, OpenedEntry } from './chatEntry.ts';
import { entryId, isSignedByAuthor, MAX_TIME, SALT_BYTES, SIGNATURE_BYTES, WRITER_BYTES } from './chatEntry.ts';
import type { ChatKey } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';

const HASH_BYTES = 32;
/** Bits of an entry's first byte. */
const ERASED = 1;
/** Its time is before that of the one before it. */
const EARLIER = 2;
/** It does not lie right behind the one before it. */
const PLACED = 4;

/** Where an entry lies: a list of the caller's, and its number in that. */
export interface BlockPlace {
  readonly list: number;
  readonly clock: number;
}

/** `entry`: proven; null for one that nobody here can open. `bytes`: as it is. */
export interface PackedEntry extends BlockPlace {
  readonly bytes: Bytes;
  readonly entry: OpenedEntry | null;
}

/** Proven, or as it came. */
export type UnpackedEntry = BlockPlace & ({ readonly entry: OpenedEntry } | { readonly loose: Bytes });

export interface Block {
  readonly plain: Bytes;
  readonly rest: Bytes;
}

type Opened = PackedEntry & { readonly entry: OpenedEntry };

/**
 *     plain = number of writers ‖ number of runs ‖ ( writer ‖ first sequence ‖ count ‖ step… )… ‖ count ‖ ( list ‖ clock ‖ length )… ‖ body…
 *     step  = 1 erased, 2 earlier, 4 placed(1) ‖ milliseconds since the one before ‖ list ‖ clock, if placed ‖ length of the body, if not erased
 *
 * @param entries  proven, in any order; a signature may be missing where another of them vouches
 */
export function packEntries(entries: readonly PackedEntry[]): Block {
  const { runs, loose } = runsOf(entries);
  const [plain, rest, bodies] = [new Writer(), new Writer(), new Writer()];
  const writers = new Map<string, number>();
  const known = new Writer();
  for (const [first] of runs) {
    const { author, writer } = first!.entry;
    const name = writerName(first!.entry);
    if (!writers.has(name)) known.fixed(author).fixed(writer);
    writers.set(name, writers.get(name) ?? writers.size);
  }
  plain.varint(writers.size).varint(runs.length);
  rest.fixed(known.done());
  for (const run of runs) {
    const { entry: first } = run[0]!;
    plain
      .varint(writers.get(writerName(first))!)
      .varint(first.sequence)
      .varint(run.length);
    rest.fixed(first.previous);
    let [list, clock, at] = [-1, -1, 0];
    for (const { entry, ...place } of run) {
      const { content } = entry;
      const isNext = place.list === list && place.clock === clock + 1;
      const flags = content.is === 'erased' ? ERASED : 0;
      plain.u8(flags + (entry.at < at ? EARLIER : 0) + (isNext ? 0 : PLACED)).varint(Math.abs(entry.at - at));
      if (!isNext) plain.varint(place.list).varint(place.clock);
      ({ list, clock } = place);
      at = entry.at;
      if (content.is === 'erased') rest.fixed(content.commitment);
      else {
        rest.fixed(content.salt);
        plain.varint(content.body.length);
        bodies.fixed(content.body);
      }
    }
    rest.fixed(run.at(-1)!.entry.signature!);
  }
  plain.varint(loose.length);
  for (const { list, clock, bytes } of loose) {
    plain.varint(list).varint(clock).varint(bytes.length);
    rest.fixed(bytes);
  }
  return { plain: concat(plain.done(), bodies.done()), rest: rest.done() };
}

/**
 * One after the other, each proven when it comes but for the loose ones; the caller may pause between two. libsodium has to be `ready`.
 * @param isProven  of a run's last: has been, or is now
 * @throws CryptoError 'malformed', 'forged': then nothing of it counts
 */
export function* unpackEntries(
  key: ChatKey,
  meetingId: string,
  block: Block,
  isProven: (entry: OpenedEntry) => boolean = isSignedByAuthor,
): Generator<UnpackedEntry | null, undefined> {
  const [plain, rest] = [new Reader(block.plain), new Reader(block.rest)];
  const heads = readRuns(plain);
  const writers = heads.writers.map(() => ({ author: rest.fixed(32), writer: rest.fixed(WRITER_BYTES) }));
  for (const { writer, sequence, entries } of heads.runs) {
    let previous = rest.fixed(HASH_BYTES);
    const run: (BlockPlace & { entry: OpenedEntry })[] = [];
    for (const [i, { isErased, at, list, clock, length }] of entries.entries()) {
      const content: ChatContent = isErased
        ? { is: 'erased', commitment: rest.fixed(HASH_BYTES) }
        : { is: 'full', salt: rest.fixed(SALT_BYTES), body: heads.body(length) };
      const link = { ...writers[writer]!, sequence: sequence + i, at, previous };
      const id = entryId(key, meetingId, link, content);
      run.push({ list, clock, entry: { ...link, id, content, signature: null } });
      previous = id;
      // Time for others, if the caller likes.
      yield null;
    }
    const last = run.pop()!;
    const head = { ...last, entry: { ...last.entry, signature: rest.fixed(SIGNATURE_BYTES) } };
    if (!isProven(head.entry)) throw new CryptoError('forged', 'a run that its author has not signed');
    yield* run;
    yield head;
  }
  for (const { list, clock, length } of heads.loose) yield { list, clock, loose: rest.fixed(length) };
  rest.end();
  heads.end();
}

interface RunHead {
  readonly writer: number;
  readonly sequence: number;
  readonly entries: readonly (BlockPlace & { isErased: boolean; at: number; length: number })[];
}

function readRuns(plain: Reader) {
  const writers = Array.from({ length: limited(plain.varint(), plain) });
  const runs = Array.from({ length: limited(plain.varint(), plain) }, (): RunHead => {
    const [writer, sequence, count] = [plain.varint(), plain.varint(), limited(plain.varint(), plain)];
    if (writer >= writers.length || count === 0) throw new CryptoError('malformed', 'a run of nobody, or of nothing');
    let [list, clock, at] = [-1, -1, 0];
    const entries = Array.from({ length: count }, () => {
      const flags = plain.u8();
      const isErased = (flags & ERASED) !== 0;
      const apart = plain.varint();
      at += flags & EARLIER ? -apart : apart;
      [list, clock] = flags & PLACED ? [plain.varint(), plain.varint()] : [list, clock + 1];
      if (flags > 7 || list < 0 || at < 0 || at > MAX_TIME)
        throw new CryptoError('malformed', 'an entry of no list or time');
      return { isErased, at, list, clock, length: isErased ? 0 : plain.varint() };
    });
    if (sequence + count > 2 ** 32) throw new CryptoError('malformed', 'more than a writer writes');
    return { writer, sequence, entries };
  });
  const loose = Array.from({ length: limited(plain.varint(), plain) }, () => ({
    list: plain.varint(),
    clock: plain.varint(),
    length: plain.varint(),
  }));
  return { writers, runs, loose, body: (length: number) => plain.fixed(length), end: () => plain.end() };
}

/** Nothing takes less than a byte: what says that there are more is not believed before room is made for them. */
function limited(count: number, { remaining }: Reader): number {
  if (count > remaining) throw new CryptoError('malformed', 'ends too early');
  return count;
}

function runsOf(entries: readonly PackedEntry[]): { runs: Opened[][]; loose: PackedEntry[] } {
  const loose: PackedEntry[] = [];
  const opened: Opened[] = [];
  for (const one of entries) {
    if (isOpened(one)) opened.push(one);
    else loose.push(one);
  }
  opened.sort((a, b) => a.entry.sequence - b.entry.sequence);
  const following = new Map<string, Opened[]>();
  const placed = new Set<Opened>();
  for (const one of opened) {
    const name = base64url(one.entry.previous);
    following.set(name, [...(following.get(name) ?? []), one]);
  }
  const taken = new Set<string>();
  const runs: Opened[][] = [];
  for (const first of opened) {
    const run: Opened[] = [];
    let next: Opened | undefined = placed.has(first) ? undefined : first;
    while (next !== undefined) {
      placed.add(next);
      const name = base64url(next.entry.id);
      if (taken.has(name)) {
        // It lies in the document twice.
        loose.push(next);
        break;
      }
      taken.add(name);
      run.push(next);
      const before: OpenedEntry = next.entry;
      next = following.get(name)?.find((one) => !placed.has(one) && follows(one.entry, before));
    }
    // What nobody here can prove by itself, somebody else's copy of the next one does.
    while (run.length > 0 && run.at(-1)!.entry.signature === null) loose.push(run.pop()!);
    if (run.length > 0) runs.push(run);
  }
  return { runs, loose };
}

function isOpened(one: PackedEntry): one is Opened {
  return one.entry !== null;
}

function follows(one: OpenedEntry, before: OpenedEntry): boolean {
  return one.sequence === before.sequence + 1 && equal(one.writer, before.writer) && equal(one.author, before.author);
}

function writerName({ author, writer }: OpenedEntry): string {
  return base64url(author) + base64url(writer);
}
