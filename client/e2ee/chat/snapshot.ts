/**
 * A snapshot as it is sealed:
 *
 *     snapshot = count(2) ‖ (opaque32 ring or forward item)… ‖ opaque32 seal ‖ count(2) ‖ (opaque32 section)…
 *     seal     = item of kind `snapshot` under a key of today's link: covers' sequence(8) ‖ covers' hash(32) ‖ SHA-256 of the sections(32)
 *     section  = item of kind `snapshot` under one key: count(4) ‖ (client(8) ‖ clocks(4))… ‖ length(4) ‖ opaque32 deflated plain, or plain of that length ‖ rest
 *
 * A section has lists of the document whose entries are sealed under its key, and these as a block (crypto/chatBlock.ts). One that was sealed under
 * another lies in it as it is. Sections are compressed one by one: whoever can write into one can read all of it, so its length tells nobody what
 * they do not know. The seal says by whom at least: only who holds a key of today's link can have made it, so whoever was removed makes none. Whose
 * entries are, and what they say, their authors' signatures say.
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
import type { ListOutline } from './messages.ts';

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
  readonly sections: readonly Bytes[];
}

/** @returns parts; null: more than the server takes */
export async function packSnapshot(
  key: ChatKey,
  meeting: string,
  given: { covers: ChatHead; keys: readonly Bytes[]; sections: readonly Section[] },
): Promise<{ hash: string; parts: string[] } | null> {
  const sealed = new Writer().u16(given.sections.length);
  for (const one of given.sections) sealed.opaque32(await sealSection(meeting, one));
  const sections = sealed.done();
  const seal = await sealItem(key, meeting, 'snapshot', sealContent(given.covers, await sha256(sections)));
  const head = new Writer().u16(given.keys.length);
  for (const one of given.keys) head.opaque32(one);
  const whole = concat(head.opaque32(seal).done(), sections);
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
  const sections = Array.from({ length: reader.u16() }, () => reader.opaque32());
  reader.end();
  return { keys, seal, sections };
}

/** Whether a holder of this key says that these sections are what everything up to `covers` came to. @throws CryptoError */
export async function isSealed(
  key: ChatKey,
  meeting: string,
  { seal, sections }: Unpacked,
  covers: ChatHead,
): Promise<boolean> {
  const writer = new Writer().u16(sections.length);
  for (const section of sections) writer.opaque32(section);
  return equal(openItem(key, meeting, 'snapshot', seal), sealContent(covers, await sha256(writer.done())));
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

function sealContent({ seq, hash }: ChatHead, sections: Bytes): Bytes {
  return new Writer().u64(seq).fixed(fromBase64url(hash)).fixed(sections).done();
}
