/**
 * Snapshots in the worker: what the page knows of the document becomes one, and one becomes what the page puts into the document.
 *
 * It is opened whole, and every author's signature in it checked, before anything of it is given out; then block by block, so that the page
 * works on one while the next is made ready. Between entries others have their turn: frames of the meeting are sealed in this worker, too.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { concat, equal } from '../../../crypto/bytes.ts';
import type { PackedEntry, UnpackedEntry } from '../../../crypto/chatBlock.ts';
import { packEntries, unpackEntries } from '../../../crypto/chatBlock.ts';
import { entryBytes } from '../../../crypto/chatEntry.ts';
import { itemHead } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { ready } from '../../../crypto/primitives.ts';
import type { ChatHead } from '../../../signal/protocol/chat.ts';
import type { EntryReader } from './entries.ts';
import type { ChatKeys } from './keys.ts';
import type { ChatCalls, EntryVerdict, ListOutline, ListPart, UnreadItem } from './messages.ts';
import type { Section } from './snapshot.ts';
import { openSeal, openSection, packSnapshot, snapshotKeyId, unpackSnapshot } from './snapshot.ts';

/** Entries that are given out at a time: some ten milliseconds. */
const BLOCK = 1000;
/** Others wait no longer than this. */
const TURN_MS = 8;

type Found = UnpackedEntry & { readonly key: ChatKey };

export interface UnpackedSnapshot {
  readonly opened: number;
  readonly blocks: number;
  readonly hidden: number;
  /** As they were in the log: some may open here. */
  readonly unread: readonly UnreadItem[];
}

interface OpenedBlock {
  readonly parts: readonly ListPart[];
  readonly entries: readonly Found[];
}

/** One that the log goes on from, and one that is looked at. */
const MOST_OPEN = 2;

export class SnapshotKeeper {
  readonly #meeting: string;
  readonly #keys: ChatKeys;
  readonly #reader: EntryReader;
  /** What is given out now, by number. */
  readonly #opened = new Map<number, readonly OpenedBlock[]>();
  #last = 0;

  constructor(meeting: string, keys: ChatKeys, reader: EntryReader) {
    this.#meeting = meeting;
    this.#keys = keys;
    this.#reader = reader;
  }

  /**
   * @param seal  with which the whole is sealed; `isClosed`: not all who have the link hold it, so what waits for another key must not lie under it
   * @returns null where that is so, or it is too large
   */
  async pack(
    { key: seal, isClosed }: { key: ChatKey; isClosed: boolean },
    { covers, unread, lists, entries }: ChatCalls['chat.pack']['in'],
  ): Promise<{ hash: string; parts: string[] } | null> {
    await ready();
    const turns = new TurnTaking();
    const found: PackedEntry[] = [];
    /** By list: how many entries under which key. */
    const counts = lists.map(() => new Map<ChatKey, number>());
    const isHidden = lists.map(() => false);
    for (const { bytes, list, clock } of entries) {
      if (turns.isOver) await turns.next();
      const proven = this.#reader.prove(bytes);
      // What nobody has signed is nothing that anybody misses.
      if (proven === 'none') continue;
      if (proven === 'hidden') isHidden[list] = true;
      else counts[list]!.set(proven.key, (counts[list]!.get(proven.key) ?? 0) + 1);
      found.push({ bytes, list, clock, entry: proven === 'hidden' ? null : proven.entry });
    }
    const isLost = lists.some((_, i) => isHidden[i] && counts[i]!.size === 0);
    if (isClosed && (isLost || unread.length > 0)) return null;
    const sections = new Map<ChatKey, { lists: ListOutline[]; entries: PackedEntry[] }>();
    const placeOf = lists.map((list, i) => {
      const [most] = [...counts[i]!].sort(([, a], [, b]) => b - a);
      const key = most?.[0] ?? seal;
      const section = sections.get(key) ?? { lists: [], entries: [] };
      sections.set(key, section);
      return { key, section, index: section.lists.push(list) - 1 };
    });
    for (const one of found) {
      const { section, index, key } = placeOf[one.list]!;
      const isOfKey = one.entry !== null && equal(one.bytes.subarray(1, 1 + key.id.length), key.id);
      section.entries.push({ ...one, list: index, entry: isOfKey ? one.entry : null });
    }
    const packed = [...sections].map(([key, section]): Section => {
      return { key, lists: section.lists, block: packEntries(section.entries) };
    });
    return packSnapshot(seal, this.#meeting, { covers, unread, keys: await this.#keys.told(), sections: packed });
  }

  async unpack({ parts, hash, covers, take }: ChatCalls['chat.unpack']['in']): Promise<UnpackedSnapshot | null> {
    const { ring, generation } = this.#keys;
    try {
      await ready();
      const snapshot = await unpackSnapshot(parts, hash);
      if (snapshot === null) return null;
      const heads = snapshot.keys.map(itemHead);
      const hidden = { opened: 0, blocks: 0, hidden: 1, unread: [] };
      if (heads.some((head) => (head?.kind !== 'ring' && head?.kind !== 'forward') || head.generation > generation))
        return null;
      if (heads.some((head) => 'generation' in head! && head.generation < generation)) return hidden;
      // Older keys would end later for whoever takes it than they did.
      if (covers.seq < (ring.beginnings.get(generation) ?? 0)) return null;
      if (take) await this.#takeKeys(snapshot.keys, covers);
      const key = ring.find(snapshotKeyId(snapshot.seal) ?? new Uint8Array());
      if (key === null) return hidden;
      if (ring.generationOf(key.id) !== generation) return null;
      const opened = openSeal(key, this.#meeting, snapshot, covers);
      if (opened === null || opened.unread.some(({ seq }) => seq > covers.seq)) return null;
      const lists: { outline: ListOutline; entries: Found[] }[] = [];
      let missing = 0;
      const turns = new TurnTaking();
      for (const section of opened.sections) {
        const key = ring.find(snapshotKeyId(section) ?? new Uint8Array());
        if (key === null) missing += 1;
        else lists.push(...(await this.#listsOf(await openSection(key, this.#meeting, section), turns)));
      }
      const blocks = blocksOf(lists);
      this.#opened.set((this.#last += 1), blocks);
      const [oldest] = this.#opened.keys();
      if (this.#opened.size > MOST_OPEN) this.#opened.delete(oldest!);
      return { opened: this.#last, blocks: blocks.length, hidden: missing, unread: opened.unread };
    } catch {
      return null;
    }
  }

  /** @throws RangeError for one that is not open, or has no such block */
  async block({ opened, index, read }: ChatCalls['chat.block']['in']): Promise<ChatCalls['chat.block']['out']> {
    const blocks = this.#opened.get(opened);
    const block = blocks?.[index];
    if (block === undefined) throw new RangeError('no such block');
    const { parts, entries } = block;
    const bytes = entries.map((one) => ('loose' in one ? one.loose : entryBytes(one.key, this.#meeting, one.entry)));
    const verdicts: (EntryVerdict | null)[] = [];
    for (const one of read ? entries : []) {
      const verdict = 'loose' in one ? null : this.#reader.said(one.key, one.entry);
      verdicts.push(verdict instanceof Promise ? await verdict : verdict);
    }
    if (index + 1 === blocks!.length) this.#opened.delete(opened);
    return { parts: [...parts], bytes: concat(...bytes), lengths: bytes.map(({ length }) => length), verdicts };
  }

  async #takeKeys(keys: readonly Bytes[], covers: ChatHead): Promise<void> {
    const { generation } = this.#keys;
    for (const item of keys) {
      if (itemHead(item)?.kind === 'ring') await this.#keys.openRing(item, generation, covers.seq);
      else await this.#keys.openForward(item, generation);
    }
  }

  /** @throws CryptoError where an author has not signed what is said to be theirs, or two entries lie in one place */
  async #listsOf(
    { key, lists, block }: Section,
    turns: TurnTaking,
  ): Promise<{ outline: ListOutline; entries: Found[] }[]> {
    const found = lists.map((outline) => ({ outline, entries: [] as Found[] }));
    for (const one of unpackEntries(key, this.#meeting, block, (entry) => this.#reader.isProven(entry))) {
      if (turns.isOver) await turns.next();
      if (one === null) continue;
      const list = found[one.list];
      if (list === undefined) throw new RangeError('lies where nothing can');
      list.entries.push({ ...one, key });
    }
    for (const { outline, entries } of found) {
      entries.sort((a, b) => a.clock - b.clock);
      const isTwice = entries.some(({ clock }, i) => clock === entries[i - 1]?.clock);
      if (isTwice || (entries.at(-1)?.clock ?? -1) >= outline.clocks) throw new RangeError('lies where nothing can');
    }
    return found;
  }
}

/** Lists one after the other, cut where a block is full. @throws RangeError where one comes twice */
function blocksOf(lists: readonly { outline: ListOutline; entries: readonly Found[] }[]): OpenedBlock[] {
  if (new Set(lists.map(({ outline }) => outline.client)).size < lists.length) throw new RangeError('a list twice');
  const blocks: { parts: ListPart[]; entries: Found[] }[] = [];
  for (const { outline, entries } of lists) {
    let from = 0;
    for (let at = 0; at === 0 || at < entries.length;) {
      let block = blocks.at(-1);
      if (block === undefined || block.entries.length >= BLOCK) blocks.push((block = { parts: [], entries: [] }));
      const some = entries.slice(at, at + BLOCK - block.entries.length);
      at += some.length;
      // What was removed after the last one is a hole, as between two.
      const to = at < entries.length ? entries[at]!.clock : outline.clocks;
      block.parts.push({ client: outline.client, from, to, clocks: some.map(({ clock }) => clock) });
      block.entries.push(...some);
      from = to;
      if (some.length === 0) break;
    }
  }
  return blocks;
}

/** Lets others have their turn, now and then. */
class TurnTaking {
  #since = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#since > TURN_MS;
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
    this.#since = performance.now();
  }
}
