/**
 * What the server keeps of a chat and passes on: items that only holders of the ring open.
 *
 *     item    = kind(1) ‖ key id(16) ‖ nonce(24) ‖ XChaCha20-Poly1305( opaque32 content ‖ zeros to a multiple of 64 ) ‖ tag(16)
 *     ring    = 2 ‖ generation(4) ‖ wrapped ring (chatKey.ts)
 *
 * Kinds are bound in, so none passes for another. Lengths come in steps of 64 bytes.
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8 } from './bytes.ts';
import type { ChatKey } from './chatKey.ts';
import { CHAT_KEY_ID_BYTES } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { AEAD_OVERHEAD, aeadOpen, aeadSeal } from './primitives.ts';

/** `update`: of the document · `part`: of a large one · `whisper`: never kept · `snapshot`: all of the document. */
const kinds = { update: 1, part: 3, whisper: 4, snapshot: 5 } as const;
export type ChatItemKind = keyof typeof kinds;
const RING = 2;
const STEP_BYTES = 64;
const HEADER_BYTES = 1 + CHAT_KEY_ID_BYTES;

/** What kind of item it claims to be, and which key or generation opens it; null for none. */
export type ChatItemHead =
  { readonly kind: ChatItemKind; readonly keyId: Bytes } | { readonly kind: 'ring'; readonly generation: number };

/** Seals a part of the document, or a whisper. */
export async function sealItem(key: ChatKey, meetingId: string, kind: ChatItemKind, content: Bytes): Promise<Bytes> {
  const filled = new Writer().opaque32(content).done();
  const padded = new Uint8Array(Math.ceil(filled.length / STEP_BYTES) * STEP_BYTES);
  padded.set(filled);
  return concat(
    Uint8Array.of(kinds[kind]),
    key.id,
    await aeadSeal(key.itemKey, padded, itemAad(kind, meetingId, key.id)),
  );
}

/** @param wrapped from `sealRing` */
export function ringItem(generation: number, wrapped: Bytes): Bytes {
  return new Writer().u8(RING).u32(generation).fixed(wrapped).done();
}

/** Reads what is readable of an item; null where it is none. Nothing is proven by it. */
export function itemHead(item: Bytes): ChatItemHead | null {
  if (item[0] === RING)
    return item.length < 5 ? null : { kind: 'ring', generation: new Reader(item.slice(1, 5)).u32() };
  const found = Object.entries(kinds).find(([, code]) => code === item[0]);
  if (found === undefined || item.length < HEADER_BYTES + AEAD_OVERHEAD) return null;
  return { kind: found[0] as ChatItemKind, keyId: item.slice(1, HEADER_BYTES) };
}

/** @returns what was wrapped, for `openRing` @throws CryptoError 'malformed' for another kind */
export function wrappedRing(item: Bytes): Bytes {
  if (item[0] !== RING || item.length < 5) throw new CryptoError('malformed', 'no ring');
  return item.slice(5);
}

/** @throws CryptoError 'malformed', 'forged' */
export async function openItem(key: ChatKey, meetingId: string, kind: ChatItemKind, item: Bytes): Promise<Bytes> {
  if (item[0] !== kinds[kind]) throw new CryptoError('malformed', 'an item of another kind');
  const reader = new Reader(await aeadOpen(key.itemKey, item.slice(HEADER_BYTES), itemAad(kind, meetingId, key.id)));
  const content = reader.opaque32();
  if (reader.remaining >= STEP_BYTES || reader.rest().some((byte) => byte !== 0)) {
    throw new CryptoError('malformed', 'padded in another way');
  }
  return content;
}

function itemAad(kind: ChatItemKind, meetingId: string, keyId: Bytes): Bytes {
  return labelled(`parley chat ${kind} 1`, keyId, utf8(meetingId));
}
