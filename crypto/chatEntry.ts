/**
 * An entry of the chat: sealed, signed by its author's identity, and chained to what the same author wrote before it.
 *
 *     entry  = kind(1) ‖ key id(16) ‖ salt(16) ‖ box of link ‖ body ‖ signature(64)         1; 3: without the signature
 *     erased = kind(1) ‖ key id(16) ‖ first 24 of id ‖ box of link ‖ commitment ‖ signature(64)   2; 4: without the signature
 *     link   = author(32) ‖ writer(8) ‖ sequence(4) ‖ time(8) ‖ previous(32)
 *     commitment = BLAKE2b-256(label ‖ 0 ‖ salt ‖ body)
 *     id     = BLAKE2b-256(label ‖ 0 ‖ opaque8 meeting id ‖ key id ‖ link ‖ commitment)
 *
 * A writer is one browser of an author; its entries count from 0, and each names the id of the one before. So a signature under one
 * vouches for all before it: whoever has a later entry needs no other proof for an earlier one, and a gap shows. The chain outlives
 * an erased body, whose salt goes with it: a commitment tells nobody what it said, whatever they guess.
 *
 * Boxes are XChaCha20-Poly1305 under the keys of chatKey.ts; the signature is Ed25519 over the id (RFC 8032). A nonce is the salt and eight zeros,
 * or follows from all that is sealed: so who knows what an entry says makes the same bytes of it, and nobody has to hand them on (chatBlock.ts).
 *
 * A chat has thousands of entries, so what reads them does so at once: libsodium has to be `ready` (primitives.ts).
 */
import type { Bytes } from './bytes.ts';
import { concat, equal, labelled, utf8 } from './bytes.ts';
import type { ChatKey } from './chatKey.ts';
import { CHAT_KEY_ID_BYTES } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  blake2bNow,
  openWithNonceNow,
  random,
  ready,
  sealWithNonceNow,
  verifyNow,
} from './primitives.ts';
import type { KeyPair } from './primitives.ts';
import { signBytes } from './signed.ts';

const FULL = 1;
const ERASED = 2;
/** Added to a kind: somebody else vouches for it. */
const VOUCHED = 2;
export const WRITER_BYTES = 8;
export const SALT_BYTES = 16;
export const SIGNATURE_BYTES = 64;
const HASH_BYTES = 32;
const LINK_BYTES = 32 + WRITER_BYTES + 4 + 8 + HASH_BYTES;
const HEADER_BYTES = 1 + CHAT_KEY_ID_BYTES;
/** Where dates end (ECMA-262 §21.4.1.1). */
export const MAX_TIME = 8.64e15;
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

/** What it says, or what stays of that: a commitment of 32 bytes. */
export type ChatContent =
  | { readonly is: 'full'; readonly salt: Bytes; readonly body: Bytes }
  | { readonly is: 'erased'; readonly commitment: Bytes };

export interface OpenedEntry extends ChatLink {
  /** 32 bytes. Covers all but the signature. */
  readonly id: Bytes;
  /** Null: it needs a later one of its author's that names it. */
  readonly signature: Bytes | null;
  readonly content: ChatContent;
}

/** @returns the entry, and its id (32 bytes) */
export async function sealEntry(
  key: ChatKey,
  meetingId: string,
  terms: Omit<ChatLink, 'author'> & { identity: KeyPair; body: Bytes },
): Promise<{ bytes: Bytes; id: Bytes }> {
  await ready();
  const { identity, body, ...rest } = terms;
  const link: ChatLink = { ...rest, author: identity.publicKey };
  const content: ChatContent = { is: 'full', salt: random(SALT_BYTES), body };
  const id = entryId(key, meetingId, link, content);
  const signature = await signBytes(SIGNATURE_LABEL, id, identity.privateKey);
  return { bytes: entryBytes(key, meetingId, { ...link, content, id, signature }), id };
}

/** Covers all of an entry but its signature. 32 bytes. */
export function entryId(key: ChatKey, meetingId: string, link: ChatLink, content: ChatContent): Bytes {
  const bound = boundTo(key, meetingId);
  const commitment =
    content.is === 'erased'
      ? content.commitment
      : blake2bNow(concat(COMMITMENT, content.salt, content.body), HASH_BYTES);
  return blake2bNow(concat(bound.id, linkBytes(link), commitment), HASH_BYTES);
}

/** Seals what was opened, or is known: the same bytes each time. */
export function entryBytes(key: ChatKey, meetingId: string, entry: OpenedEntry): Bytes {
  const { content, signature, id } = entry;
  const bound = boundTo(key, meetingId);
  const isFull = content.is === 'full';
  const box = isFull
    ? sealWithNonceNow(key.entryKey, nonceOf(content.salt), concat(linkBytes(entry), content.body), bound.full)
    : sealWithNonceNow(
        key.erasedKey,
        id.subarray(0, AEAD_NONCE_BYTES),
        concat(linkBytes(entry), content.commitment),
        bound.erased,
      );
  const kind = (isFull ? FULL : ERASED) + (signature === null ? VOUCHED : 0);
  const head = isFull ? content.salt : id.subarray(0, AEAD_NONCE_BYTES);
  return concat(Uint8Array.of(kind), key.id, head, box, signature ?? NOTHING);
}

/** @returns the id of the key that an entry needs, 16 bytes; null for what is no entry */
export function entryKeyId(entry: Bytes): Bytes | null {
  return split(entry) === null ? null : entry.slice(1, HEADER_BYTES);
}

/**
 * Who claims to have written an entry, and what it says. Nothing is proven yet: check the signature, or that a proven entry names this id.
 * @throws CryptoError 'malformed', 'forged'
 */
export function openEntry(key: ChatKey, meetingId: string, entry: Bytes): OpenedEntry {
  const parts = split(entry);
  if (parts === null) throw new CryptoError('malformed', 'no entry');
  const { isFull, head, box, signature } = parts;
  const bound = boundTo(key, meetingId);
  const opened = isFull
    ? openWithNonceNow(key.entryKey, nonceOf(head), box, bound.full)
    : openWithNonceNow(key.erasedKey, head, box, bound.erased);
  const reader = new Reader(opened);
  const link: ChatLink = {
    author: reader.fixed(32),
    writer: reader.fixed(WRITER_BYTES),
    sequence: reader.u32(),
    at: reader.u64(),
    previous: reader.fixed(HASH_BYTES),
  };
  const rest = reader.rest();
  if (link.at > MAX_TIME) throw new CryptoError('malformed', 'no such time');
  const content: ChatContent = isFull
    ? { is: 'full', salt: head, body: rest }
    : { is: 'erased', commitment: commitmentOf(rest) };
  const id = entryId(key, meetingId, link, content);
  // Whoever makes one gives it the nonce that everybody gives it.
  if (!isFull && !equal(head, id.subarray(0, AEAD_NONCE_BYTES)))
    throw new CryptoError('forged', 'sealed in another way');
  return { ...link, id, signature, content };
}

/** True if the author whom it names has signed it. */
export function isSignedByAuthor({ author, id, signature }: OpenedEntry): boolean {
  return signature !== null && verifyNow(author, labelled(SIGNATURE_LABEL, id), signature);
}

/** The same entry without what it says: its id and its place in the chain stay. @throws CryptoError 'malformed', 'forged' */
export function eraseEntry(key: ChatKey, meetingId: string, entry: Bytes): Bytes {
  const opened = openEntry(key, meetingId, entry);
  const { content } = opened;
  if (content.is === 'erased') return entry;
  const commitment = blake2bNow(concat(COMMITMENT, content.salt, content.body), HASH_BYTES);
  return entryBytes(key, meetingId, { ...opened, content: { is: 'erased', commitment } });
}

function split(entry: Bytes): { isFull: boolean; head: Bytes; box: Bytes; signature: Bytes | null } | null {
  const kind = entry[0] ?? 0;
  if (kind < FULL || kind > ERASED + VOUCHED) return null;
  const isFull = kind === FULL || kind === FULL + VOUCHED;
  const from = HEADER_BYTES + (isFull ? SALT_BYTES : AEAD_NONCE_BYTES);
  const to = entry.length - (kind > VOUCHED ? 0 : SIGNATURE_BYTES);
  const least = LINK_BYTES + AEAD_TAG_BYTES;
  if (isFull ? to - from < least : to - from !== least + HASH_BYTES) return null;
  const signature = kind > VOUCHED ? null : entry.slice(to);
  return { isFull, head: entry.slice(HEADER_BYTES, from), box: entry.subarray(from, to), signature };
}

function commitmentOf(bytes: Bytes): Bytes {
  if (bytes.length !== HASH_BYTES) throw new CryptoError('malformed', 'no commitment');
  return bytes;
}

function nonceOf(salt: Bytes): Bytes {
  const nonce = new Uint8Array(AEAD_NONCE_BYTES);
  nonce.set(salt);
  return nonce;
}

function linkBytes({ author, writer, sequence, at, previous }: ChatLink): Bytes {
  if (!Number.isSafeInteger(at) || at < 0 || !Number.isInteger(sequence) || sequence < 0 || sequence >= 2 ** 32)
    throw new CryptoError('usage', 'no such place or time');
  const bytes = new Uint8Array(LINK_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(author);
  bytes.set(writer, 32);
  view.setUint32(40, sequence);
  view.setUint32(44, Math.floor(at / 2 ** 32));
  view.setUint32(48, at % 2 ** 32);
  bytes.set(previous, 52);
  return bytes;
}

const COMMITMENT = labelled('parley chat commitment 1');
const NOTHING = new Uint8Array(0);

/** What boxes and ids under a key are bound to. */
interface Bound {
  readonly meetingId: string;
  readonly full: Bytes;
  readonly erased: Bytes;
  readonly id: Bytes;
}

/** Made once for a key, which has one meeting. */
const known = new WeakMap<ChatKey, Bound>();

function boundTo(key: ChatKey, meetingId: string): Bound {
  const before = known.get(key);
  if (before?.meetingId === meetingId) return before;
  const place = new Writer().opaque8(utf8(meetingId)).fixed(key.id).done();
  const aad = (part: 'entry' | 'erased') => labelled(`parley chat ${part} 1`, key.id, utf8(meetingId));
  const bound = { meetingId, full: aad('entry'), erased: aad('erased'), id: labelled('parley chat link 1', place) };
  known.set(key, bound);
  return bound;
}
