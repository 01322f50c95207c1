/**
 * What the server keeps of a chat and passes on: items that only holders of the ring open.
 *
 *     item    = kind(1) ‖ key id(16) ‖ nonce(24) ‖ XChaCha20-Poly1305( opaque32 content ‖ zeros to a multiple of 64 ) ‖ tag(16)
 *     ring    = 2 ‖ generation(4) ‖ wrapped ring (chatKey.ts)
 *     forward = 6 ‖ generation(4) ‖ edge… (chatForward.ts)
 *
 * Kinds are bound in, so none passes for another. Lengths come in steps of 64 bytes.
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8 } from './bytes.ts';
import { EDGE_BYTES } from './chatForward.ts';
import type { ChatKey } from './chatKey.ts';
import { CHAT_KEY_ID_BYTES } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { AEAD_OVERHEAD, aeadOpenNow, aeadSeal } from './primitives.ts';

/** `update`: of the document · `part`: of a large one · `whisper`: never kept · `snapshot`: all of the document. */
const kinds = { update: 1, part: 3, whisper: 4, snapshot: 5 } as const;
export type ChatItemKind = keyof typeof kinds;
const kindOf = new Map(Object.entries(kinds).map(([kind, code]) => [code as number, kind as ChatItemKind]));
const RING = 2;
const FORWARD = 6;
export const MAX_EDGES = 256;
const STEP_BYTES = 64;
const HEADER_BYTES = 1 + CHAT_KEY_ID_BYTES;

/** What kind of item it claims to be, and which key or generation opens it; null for none. */
export type ChatItemHead =
  | { readonly kind: ChatItemKind; readonly keyId: Bytes }
  | { readonly kind: 'ring'; readonly generation: number }
  | { readonly kind: 'forward'; readonly generation: number };

/** Seals a part of the document, or a whisper. */
export async function sealItem(key: ChatKey, meetingId: string, kind: ChatItemKind, content: Bytes): Promise<Bytes> {
  const filled = new Writer().opaque32(content).done();
  const padded = new Uint8Array(Math.ceil(filled.length / STEP_BYTES) * STEP_BYTES);
  padded.set(filled);
  return concat(Uint8Array.of(kinds[kind]), key.id, await aeadSeal(key.itemKey, padded, itemAad(kind, meetingId, key)));
}

/** @param wrapped from `sealRing` */
export function ringItem(generation: number, wrapped: Bytes): Bytes {
  return new Writer().u8(RING).u32(generation).fixed(wrapped).done();
}

/** @param edges from `sealForward`, at most 256 */
export function forwardItem(generation: number, edges: readonly Bytes[]): Bytes {
  return new Writer()
    .u8(FORWARD)
    .u32(generation)
    .fixed(concat(...edges))
    .done();
}

/** @returns its edges, for `openForward` @throws CryptoError 'malformed' for another kind or length */
export function edgesOf(item: Bytes): Bytes[] {
  const count = (item.length - 5) / EDGE_BYTES;
  if (item[0] !== FORWARD || !Number.isInteger(count) || count < 1 || count > MAX_EDGES)
    throw new CryptoError('malformed', 'no keys that are handed on');
  return Array.from({ length: count }, (_, i) => item.slice(5 + i * EDGE_BYTES, 5 + (i + 1) * EDGE_BYTES));
}

/** Reads what is readable of an item; null where it is none. Nothing is proven by it. */
export function itemHead(item: Bytes): ChatItemHead | null {
  if (item[0] === RING || item[0] === FORWARD) {
    const kind = item[0] === RING ? 'ring' : 'forward';
    return item.length < 5 ? null : { kind, generation: new Reader(item.slice(1, 5)).u32() };
  }
  const kind = kindOf.get(item[0]!);
  if (kind === undefined || item.length < HEADER_BYTES + AEAD_OVERHEAD) return null;
  return { kind, keyId: item.slice(1, HEADER_BYTES) };
}

/** @returns what was wrapped, for `openRing` @throws CryptoError 'malformed' for another kind */
export function wrappedRing(item: Bytes): Bytes {
  if (item[0] !== RING || item.length < 5) throw new CryptoError('malformed', 'no ring');
  return item.slice(5);
}

/** At once, since there are thousands: libsodium has to be `ready`. @throws CryptoError 'malformed', 'forged' */
export function openItem(key: ChatKey, meetingId: string, kind: ChatItemKind, item: Bytes): Bytes {
  if (item[0] !== kinds[kind]) throw new CryptoError('malformed', 'an item of another kind');
  const reader = new Reader(aeadOpenNow(key.itemKey, item.subarray(HEADER_BYTES), itemAad(kind, meetingId, key)));
  const content = reader.opaque32();
  if (reader.remaining >= STEP_BYTES || reader.rest().some((byte) => byte !== 0)) {
    throw new CryptoError('malformed', 'padded in another way');
  }
  return content;
}

/** What items are bound to, made once for a key, which has one meeting. */
const known = new WeakMap<ChatKey, Map<string, Bytes>>();

function itemAad(kind: ChatItemKind, meetingId: string, key: ChatKey): Bytes {
  const ofKey = known.get(key) ?? new Map<string, Bytes>();
  known.set(key, ofKey);
  const name = `${kind} ${meetingId}`;
  const aad = ofKey.get(name) ?? labelled(`parley chat ${kind} 1`, key.id, utf8(meetingId));
  ofKey.set(name, aad);
  return aad;
}
