/**
 * A snapshot as it is sealed:
 *
 *     snapshot = count(2) ‖ (opaque32 ring or forward item)… ‖ opaque32 seal
 *     seal     = item of kind `snapshot` under a key of today's link: covers' sequence(8) ‖ covers' hash(32) ‖ count(2) ‖ (opaque32 section)… ‖ unread
 *     unread   = count(4) ‖ (sequence(8) ‖ time(8) ‖ opaque32 item)…
 *     section  = item of kind `snapshot` under one key: count(4) ‖ (client(8) ‖ clocks(4))… ‖ length(4) ‖ opaque32 deflated plain, or plain of that length ‖ rest
 *
 * A section has lists of the document whose entries are sealed under its key, and these as a block (crypto/chatBlock.ts). One that was sealed under
 * another lies in it as it is. Sections are compressed one by one: whoever can write into one can read all of it, so its length tells nobody what
 * they do not know. The seal lets in nobody who was removed: they make none, and open nothing of one, though it may have what somebody wrote before
 * hearing of the removal. Items that its maker has no key for lie in it as they are, so that nothing is lost, and nobody who adds what opens for nobody
 * keeps others from making one. Whose entries are, and what they say, their authors' signatures say.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat, equal, fromBase64url } from '../../../crypto/bytes.ts';
import type { Block } from '../../../crypto/chatBlock.ts';
import { itemHead, openItem, sealItem } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import { sha256 } from '../../../crypto/primitives.ts';
import { MAX_PART_BYTES, MAX_PARTS, type ChatHead } from '../../../signal/protocol/chat.ts';
import { deflate, inflate } from './deflate.ts';
import type { ListOutline, UnreadItem } from './messages.ts';

/** Of one section before it is compressed: some hundred thousand messages. */
const MAX_PLAIN_BYTES = 64 * 1024 * 1024;
/** Less is not worth compressing. */
const WORTH_BYTES = 2048;

export interface Section {
  readonly key: ChatKey;
  readonly lists: readonly ListOutline[];
  readonly block: Block;
}

export interface Unpacked {
  readonly keys: readonly Bytes[];
  readonly seal: Bytes;
}

/** @returns parts; null: more than the server takes */
export async function packSnapshot(
  key: ChatKey,
  meeting: string,
  given: {
    covers: ChatHead;
    keys: readonly Bytes[];
    sections: readonly Section[];
    unread: readonly UnreadItem[];
  },
): Promise<{ hash: string; parts: string[] } | null> {
  const content = new Writer().fixed(headOf(given.covers)).u16(given.sections.length);
  for (const one of given.sections) content.opaque32(await sealSection(meeting, one));
  content.u32(given.unread.length);
  for (const { seq, at, body } of given.unread) content.u64(seq).u64(at).opaque32(fromBase64url(body));
  const head = new Writer().u16(given.keys.length);
  for (const one of given.keys) head.opaque32(one);
  const whole = head.opaque32(await sealItem(key, meeting, 'snapshot', content.done())).done();
  const count = Math.ceil(whole.length / MAX_PART_BYTES);
  if (count > MAX_PARTS) return null;
  const parts = Array.from({ length: count }, (_, i) =>
    base64url(whole.subarray(i * MAX_PART_BYTES, (i + 1) * MAX_PART_BYTES)),
  );
  return { hash: base64url(await sha256(whole)), parts };
}

/** @throws CryptoError 'malformed' */
export async function unpackSnapshot(parts: readonly string[], hash: string): Promise<Unpacked | null> {
  const whole = concat(...parts.map(fromBase64url));
  if (base64url(await sha256(whole)) !== hash) return null;
  const reader = new Reader(whole);
  const keys = Array.from({ length: reader.u16() }, () => reader.opaque32());
  const seal = reader.opaque32();
  reader.end();
  return { keys, seal };
}

/**
 * What a holder of this key says that everything up to `covers` came to.
 * @returns its sections, and what it has as it was in the log; null: it covers something else
 * @throws CryptoError
 */
export function openSeal(
  key: ChatKey,
  meeting: string,
  { seal }: Unpacked,
  covers: ChatHead,
): { sections: Bytes[]; unread: UnreadItem[] } | null {
  const reader = new Reader(openItem(key, meeting, 'snapshot', seal));
  if (!equal(reader.fixed(HEAD_BYTES), headOf(covers))) return null;
  const sections = Array.from({ length: reader.u16() }, () => reader.opaque32());
  const unread = Array.from({ length: countOf(reader) }, () => {
    const [seq, at] = [reader.u64(), reader.u64()];
    return { seq, at, body: base64url(reader.opaque32()) };
  });
  reader.end();
  return { sections, unread };
}

/** Each takes twenty bytes at least. @throws RangeError */
function countOf(reader: Reader): number {
  const count = reader.u32();
  if (count > reader.remaining / 20) throw new RangeError('more than there is');
  return count;
}

/** @returns the key that it names; null for none */
export function snapshotKeyId(item: Bytes): Bytes | null {
  const head = itemHead(item);
  return head?.kind === 'snapshot' ? head.keyId : null;
}

async function sealSection(meeting: string, { key, lists, block }: Section): Promise<Bytes> {
  const content = new Writer().u32(lists.length);
  for (const { client, clocks } of lists) content.u64(client).u32(clocks);
  const { plain, rest } = block;
  const deflated = plain.length < WORTH_BYTES ? plain : await deflate(plain);
  content
    .u32(plain.length)
    .opaque32(deflated.length < plain.length ? deflated : plain)
    .fixed(rest);
  return sealItem(key, meeting, 'snapshot', content.done());
}

/** @throws CryptoError · TypeError · RangeError */
export async function openSection(key: ChatKey, meeting: string, section: Bytes): Promise<Section> {
  const reader = new Reader(openItem(key, meeting, 'snapshot', section));
  const lists: ListOutline[] = [];
  for (let left = reader.u32(); left > 0; left--) lists.push({ client: reader.u64(), clocks: reader.u32() });
  const length = reader.u32();
  if (length > MAX_PLAIN_BYTES) throw new RangeError('more than a chat has');
  const given = reader.opaque32();
  const plain = given.length === length ? given : await inflate(given, length);
  return { key, lists, block: { plain, rest: reader.rest() } };
}

const HEAD_BYTES = 8 + 32;
const headOf = ({ seq, hash }: ChatHead): Bytes => new Writer().u64(seq).fixed(fromBase64url(hash)).done();
