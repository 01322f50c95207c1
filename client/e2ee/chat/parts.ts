/**
 * Changes too large for one item: cut into parts and put together again.
 *
 *     part = id(8) ‖ index(2) ‖ count(2) ‖ bytes
 *
 * Each part is sealed by itself, so one that comes out of a seal was made by somebody of the chat; what they make is limited.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat } from '../../../crypto/bytes.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import { random } from '../../../crypto/primitives.ts';
import type { ChatHead } from '../../../signal/protocol/chat.ts';

/** Beside padding and seal it stays within an item of the log. */
export const PART_BYTES = 56 * 1024;
/** A change is at most 14 MiB. */
const MAX_PARTS = 256;
/** Changes that are under way at one time. */
const MAX_OPEN = 32;
/** One whose next part does not come within so many items is not finished any more: its sender was stopped, or never meant to. */
const PATIENCE = 1000;

/**
 * @param count  of them; the last may be empty
 * @throws RangeError for more than there is room for
 */
export function cut(bytes: Bytes, count = Math.ceil(bytes.length / PART_BYTES)): Bytes[] {
  if (count > MAX_PARTS || bytes.length > count * PART_BYTES) throw new RangeError('a change of more than 14 MiB');
  const id = random(8);
  return Array.from({ length: count }, (_, index) =>
    concat(
      new Writer().fixed(id).u16(index).u16(count).done(),
      bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES),
    ),
  );
}

/** What parts come to, each with the indexes of its own in order; `open`: of those whose others are not among them. */
export function joined(parts: readonly { part: Bytes; index: number }[]): {
  large: { update: Bytes; of: number[] }[];
  open: number[];
} {
  const known = new Parts();
  const waiting = new Map<string, number[]>();
  const large: { update: Bytes; of: number[] }[] = [];
  for (const { part, index } of parts) {
    const name = String(part.subarray(0, 8));
    waiting.set(name, [...(waiting.get(name) ?? []), index]);
    const update = known.take(part);
    if (update === null) continue;
    large.push({ update, of: waiting.get(name)! });
    waiting.delete(name);
  }
  return { large, open: [...waiting.values()].flat() };
}

interface Unfinished {
  readonly count: number;
  readonly parts: Map<number, Bytes>;
  readonly before: ChatHead | null;
  /** The item before its newest part. */
  last: number;
}

export class Parts {
  readonly #open = new Map<string, Unfinished>();

  /** Where the log went before the first part of what is not finished; null: nothing is open. */
  get since(): ChatHead | null {
    const all = [...this.#open.values()].flatMap(({ before }) => before ?? []);
    return all.sort((a, b) => a.seq - b.seq)[0] ?? null;
  }

  /** The log goes on at this item. */
  goOn(seq: number): void {
    for (const [id, { last }] of this.#open) if (last < seq - PATIENCE) this.#open.delete(id);
  }

  /**
   * @param before  where the log goes, before its item; null where that is not known
   * @returns the whole once its last part is there @throws CryptoError 'malformed'
   */
  take(part: Bytes, before: ChatHead | null = null): Bytes | null {
    const reader = new Reader(part);
    const id = base64url(reader.fixed(8));
    const index = reader.u16();
    const count = reader.u16();
    const bytes = reader.rest();
    if (index >= count || count > MAX_PARTS) return null;
    const open = this.#open.get(id) ?? { count, parts: new Map<number, Bytes>(), before, last: 0 };
    open.last = before?.seq ?? open.last;
    this.#open.set(id, open);
    if (open.count === count && bytes.length <= PART_BYTES) open.parts.set(index, bytes);
    if (open.parts.size < open.count) {
      const [oldest] = this.#open.keys();
      if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#open.delete(oldest);
      return null;
    }
    this.#open.delete(id);
    return concat(...Array.from({ length: count }, (_, i) => open.parts.get(i)!));
  }
}
