/**
 * An entry of the chat: sealed, signed by its author's identity, and chained to what the same author wrote before it.
 *
 *     entry  = 1 ‖ key id(16) ‖ link box ‖ body box              erased: 2 ‖ key id(16) ‖ link box ‖ hash of the body box(32)
 *     link   = author(32) ‖ writer(8) ‖ sequence(4) ‖ time(8) ‖ previous(32) ‖ signature(64)
 *     id     = BLAKE2b-256(label ‖ 0 ‖ opaque8 meeting id ‖ key id ‖ link without signature ‖ hash of the body box)
 *
 * A writer is one browser of an author; its entries count from 0, and each names the id of the one before. So a signature under one
 * vouches for all before it: whoever has a later entry needs no other proof for an earlier one, and a gap shows. The chain outlives
 * an erased body. Boxes are XChaCha20-Poly1305 under the keys of chatKey.ts; the signature is Ed25519 over the id (RFC 8032).
 *
 * A chat has thousands of entries, so what reads them does so at once: libsodium has to be `ready` (primitives.ts).
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8 } from './bytes.ts';
import type { ChatKey } from './chatKey.ts';
import { CHAT_KEY_ID_BYTES } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { AEAD_OVERHEAD, aeadOpenNow, aeadSeal, blake2b, blake2bNow, verifyNow } from './primitives.ts';
import type { KeyPair } from './primitives.ts';
import { signBytes } from './signed.ts';

const FULL = 1;
const ERASED = 2;
export const WRITER_BYTES = 8;
const HASH_BYTES = 32;
const LINK_BYTES = 32 + WRITER_BYTES + 4 + 8 + HASH_BYTES + 64;
const LINK_BOX_BYTES = LINK_BYTES + AEAD_OVERHEAD;
const HEADER_BYTES = 1 + CHAT_KEY_ID_BYTES;
/** Where dates end (ECMA-262 §21.4.1.1). */
const MAX_TIME = 8.64e15;
const SIGNATURE_LABEL = 'parley chat entry 1';

/** `previous` of an author's very first entry. */
export const NO_PREVIOUS: Bytes = new Uint8Array(HASH_BYTES);

export interface ChatLink {
  /** Identity key, 32 bytes. */
  readonly author: Bytes;
  /** 8 random bytes, of one browser for one meeting. */
  readonly writer: Bytes;
  /** From 0, one more each; below 2^32. */
  readonly sequence: number;
  /** Milliseconds since 1970, by the author. */
  readonly at: number;
  /** Id of the entry before it, 32 bytes; of a writer's first: the last that this author is known to have written, or zeros. */
  readonly previous: Bytes;
}

export interface OpenedLink extends ChatLink {
  /** 32 bytes. Covers all but the signature. */
  readonly id: Bytes;
  readonly signature: Bytes;
}

/** @returns the entry, and its id (32 bytes) */
export async function sealEntry(
  key: ChatKey,
  meetingId: string,
  terms: Omit<ChatLink, 'author'> & { identity: KeyPair; body: Bytes },
): Promise<{ bytes: Bytes; id: Bytes }> {
  const { identity, body, ...rest } = terms;
  const link: ChatLink = { author: identity.publicKey, ...rest };
  const bound = boundTo(key, meetingId);
  const bodyBox = await aeadSeal(key.bodyKey, body, bound.body);
  const id = idOf(key, meetingId, linkBytes(link), await blake2b(bodyBox, HASH_BYTES));
  const signature = await signBytes(SIGNATURE_LABEL, id, identity.privateKey);
  const linkBox = await aeadSeal(key.linkKey, concat(linkBytes(link), signature), bound.link);
  return { bytes: concat(Uint8Array.of(FULL), key.id, linkBox, bodyBox), id };
}

/** @returns the id of the key that an entry needs, 16 bytes; null for what is no entry */
export function entryKeyId(entry: Bytes): Bytes | null {
  const [kind] = entry;
  const least = HEADER_BYTES + LINK_BOX_BYTES + (kind === FULL ? AEAD_OVERHEAD : HASH_BYTES);
  if ((kind !== FULL && kind !== ERASED) || entry.length < least) return null;
  if (kind === ERASED && entry.length !== least) return null;
  return entry.slice(1, HEADER_BYTES);
}

/**
 * Who claims to have written an entry. Nothing is proven yet: check the signature, or that a proven entry names this id.
 * @throws CryptoError 'malformed', 'forged'
 */
export function openLink(key: ChatKey, meetingId: string, entry: Bytes): OpenedLink {
  const { linkBox, rest, isErased } = split(entry);
  const opened = aeadOpenNow(key.linkKey, linkBox, boundTo(key, meetingId).link);
  const reader = new Reader(opened);
  const link: ChatLink = {
    author: reader.fixed(32),
    writer: reader.fixed(WRITER_BYTES),
    sequence: reader.u32(),
    at: reader.u64(),
    previous: reader.fixed(HASH_BYTES),
  };
  const signature = reader.fixed(64);
  reader.end();
  if (link.at > MAX_TIME) throw new CryptoError('malformed', 'no such time');
  const bodyHash = isErased ? rest : blake2bNow(rest, HASH_BYTES);
  const id = idOf(key, meetingId, opened.subarray(0, LINK_BYTES - 64), bodyHash);
  return { ...link, id, signature };
}

/** True if the author whom it names has signed it. */
export function isSignedByAuthor({ author, id, signature }: OpenedLink): boolean {
  return verifyNow(author, labelled(SIGNATURE_LABEL, id), signature);
}

/** What a proven entry says; null where it was erased. @throws CryptoError 'forged' */
export function openBody(key: ChatKey, meetingId: string, entry: Bytes): Bytes | null {
  const { rest, isErased } = split(entry);
  return isErased ? null : aeadOpenNow(key.bodyKey, rest, boundTo(key, meetingId).body);
}

/** The same entry without what it says: its id and its place in the chain stay. @throws CryptoError 'malformed' */
export async function eraseEntry(entry: Bytes): Promise<Bytes> {
  const { linkBox, rest, isErased } = split(entry);
  if (isErased) return entry;
  return concat(Uint8Array.of(ERASED), entry.subarray(1, HEADER_BYTES), linkBox, await blake2b(rest, HASH_BYTES));
}

function split(entry: Bytes): { linkBox: Bytes; rest: Bytes; isErased: boolean } {
  if (entryKeyId(entry) === null) throw new CryptoError('malformed', 'no entry');
  const at = HEADER_BYTES + LINK_BOX_BYTES;
  return { linkBox: entry.subarray(HEADER_BYTES, at), rest: entry.subarray(at), isErased: entry[0] === ERASED };
}

function linkBytes({ author, writer, sequence, at, previous }: ChatLink): Bytes {
  return new Writer().fixed(author).fixed(writer).u32(sequence).u64(at).fixed(previous).done();
}

/** @param link  without signature */
function idOf(key: ChatKey, meetingId: string, link: Bytes, bodyHash: Bytes): Bytes {
  return blake2bNow(concat(boundTo(key, meetingId).id, link, bodyHash), HASH_BYTES);
}

/** What boxes and ids under a key are bound to. */
interface Bound {
  readonly meetingId: string;
  readonly link: Bytes;
  readonly body: Bytes;
  readonly id: Bytes;
}

/** Made once for a key, which has one meeting. */
const known = new WeakMap<ChatKey, Bound>();

function boundTo(key: ChatKey, meetingId: string): Bound {
  const before = known.get(key);
  if (before?.meetingId === meetingId) return before;
  const place = new Writer().opaque8(utf8(meetingId)).fixed(key.id).done();
  const aad = (part: 'link' | 'body') => labelled(`parley chat ${part} 1`, key.id, utf8(meetingId));
  const bound = { meetingId, link: aad('link'), body: aad('body'), id: labelled('parley chat link 1', place) };
  known.set(key, bound);
  return bound;
}
