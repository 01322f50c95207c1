/**
 * What one person of a chat writes to one other: sealed once more inside of the entry, to an identity instead of to the ring.
 *
 *     card    = 2 ‖ KEM key(1216) ‖ text                            an identity's key for one meeting; the entry's signature vouches for it
 *     private = 1 ‖ enc(1120) ‖ to recipient(48) ‖ to author(104) ‖ nonce(24) ‖ XChaCha20-Poly1305( opaque32 text ‖ zeros ) ‖ tag(16)
 *
 * Both are what an entry's body box holds; a body that begins with anything else is plain text. The text is under a random content key.
 * `to recipient` is that key, sealed by HPKE in base mode (RFC 9180 §5) with X-Wing, HKDF-SHA-512 and AES-256-GCM, with meeting, author
 * and recipient in `info`; `to author` is key and recipient, under a key that follows from the author's own identity. So whoever copies one
 * into an entry of their own, or to another meeting, gives nobody anything to open. It does not say for whom it is: one tries. Lengths
 * are powers of two from 256 on, so that a sign and a sentence look alike.
 *
 * The KEM key pair follows from identity and meeting: nobody knows an identity again by it elsewhere.
 */
import type { PrivateKey } from 'ts-mls';
import type { Bytes } from './bytes.ts';
import { concat, labelled, owned, utf8, wipe } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { KEM_KEY_BYTES, isKemKey } from './kemKey.ts';
import { suite } from './mlsSuite.ts';
import { AEAD_OVERHEAD, aeadOpen, aeadSeal, hkdf, random } from './primitives.ts';
import type { KeyPair } from './primitives.ts';

const PRIVATE = 1;
const CARD = 2;
const KEY_BYTES = 32;
const IDENTITY_BYTES = 32;
const ENC_BYTES = 1120;
const TO_RECIPIENT_BYTES = KEY_BYTES + 16;
const TO_AUTHOR_BYTES = KEY_BYTES + IDENTITY_BYTES + AEAD_OVERHEAD;
const LEAST_TEXT_BYTES = 256;
const HEAD_BYTES = 1 + ENC_BYTES + TO_RECIPIENT_BYTES + TO_AUTHOR_BYTES;
const NO_SALT = new Uint8Array(0);

/** What an identity opens private entries of one meeting with. */
export interface PrivateKeys {
  readonly meetingId: string;
  /** Of the identity, 32 bytes. */
  readonly identity: Bytes;
  /** For its card, 1216 bytes. */
  readonly publicKey: Bytes;
  readonly kem: PrivateKey;
  readonly ownKey: Bytes;
}

/** Who writes to whom, where. Identities have 32 bytes. */
export interface Between {
  readonly meetingId: string;
  readonly author: Bytes;
  readonly recipient: Bytes;
}

/** Derives them. @param identity only read @param meetingId to which they are bound: another one gives others */
export async function derivePrivateKeys(identity: KeyPair, meetingId: string): Promise<PrivateKeys> {
  const expand = (label: string): Promise<Bytes> =>
    hkdf(identity.privateKey, { salt: NO_SALT, info: labelled(label, utf8(meetingId)), length: KEY_BYTES });
  const [seed, ownKey] = await Promise.all([expand('parley chat KEM key 1'), expand('parley chat own key 1')]);
  const { hpke } = await suite();
  const pair = await hpke.deriveKeyPair(seed);
  wipe(seed);
  const publicKey = owned(await hpke.exportPublicKey(pair.publicKey));
  return { meetingId, identity: identity.publicKey, publicKey, kem: pair.privateKey, ownKey };
}

/** @param text what is said along with the key */
export function cardBody({ publicKey }: PrivateKeys, text: Bytes): Bytes {
  return concat(Uint8Array.of(CARD), publicKey, text);
}

/** A card as it was written: a key that can be sealed to, and what was said with it. */
export interface Card {
  readonly is: 'card';
  /** 1216 bytes. */
  readonly publicKey: Bytes;
  readonly text: Bytes;
}

/** What a body is. `broken`: a card whose key nobody can seal to. */
export function bodyKind(body: Bytes): { readonly is: 'text' | 'private' | 'broken' } | Card {
  if (body[0] === PRIVATE) return { is: 'private' };
  if (body[0] !== CARD) return { is: 'text' };
  const [publicKey, text] = [body.slice(1, 1 + KEM_KEY_BYTES), body.slice(1 + KEM_KEY_BYTES)];
  return isKemKey(publicKey) ? { is: 'card', publicKey, text } : { is: 'broken' };
}

/** @param to.publicKey from the recipient's card @returns the body, for `sealEntry` */
export async function sealPrivate(
  keys: PrivateKeys,
  to: { readonly identity: Bytes; readonly publicKey: Bytes },
  text: Bytes,
): Promise<Bytes> {
  const between = { meetingId: keys.meetingId, author: keys.identity, recipient: to.identity };
  const { hpke } = await suite();
  const contentKey = random(KEY_BYTES);
  const recipientKey = await hpke.importPublicKey(to.publicKey);
  const { enc, ct } = await hpke.seal(recipientKey, contentKey, bound('key', between));
  const own = await aeadSeal(keys.ownKey, concat(contentKey, to.identity), ownAad(between));
  const filled = new Writer().opaque32(text).done();
  const padded = new Uint8Array(Math.max(LEAST_TEXT_BYTES, 2 ** Math.ceil(Math.log2(filled.length))));
  padded.set(filled);
  const box = await aeadSeal(contentKey, padded, bound('text', between));
  wipe(contentKey, padded);
  return concat(Uint8Array.of(PRIVATE), enc, ct, own, box);
}

/** A content key, and for whom it is. */
export interface ContentKey {
  readonly key: Bytes;
  readonly recipient: Bytes;
}

/** Of one's own. @throws CryptoError 'malformed', 'forged' */
export async function ownContentKey(keys: PrivateKeys, body: Bytes): Promise<ContentKey> {
  const { own } = split(body);
  const reader = new Reader(await aeadOpen(keys.ownKey, own, ownAad({ ...keys, author: keys.identity })));
  return { key: reader.fixed(KEY_BYTES), recipient: reader.fixed(IDENTITY_BYTES) };
}

/** Tries whether it is for us: takes milliseconds. Null: it is not. @param author proven */
export async function triedContentKey(keys: PrivateKeys, author: Bytes, body: Bytes): Promise<ContentKey | null> {
  const info = bound('key', { meetingId: keys.meetingId, author, recipient: keys.identity });
  const { hpke } = await suite();
  try {
    const { enc, toRecipient } = split(body);
    return { key: owned(await hpke.open(keys.kem, enc, toRecipient, info)), recipient: keys.identity };
  } catch {
    return null;
  }
}

/** @param between author proven, recipient as with the key @throws CryptoError 'malformed', 'forged' */
export async function openPrivate(contentKey: Bytes, between: Between, body: Bytes): Promise<Bytes> {
  const padded = await aeadOpen(contentKey, split(body).box, bound('text', between));
  const reader = new Reader(padded);
  const text = reader.opaque32();
  if (reader.rest().some((byte) => byte !== 0)) throw new CryptoError('malformed', 'padded in another way');
  return text;
}

function split(body: Bytes): { enc: Bytes; toRecipient: Bytes; own: Bytes; box: Bytes } {
  if (body[0] !== PRIVATE || body.length < HEAD_BYTES + AEAD_OVERHEAD + LEAST_TEXT_BYTES)
    throw new CryptoError('malformed', 'nothing private');
  const reader = new Reader(body.subarray(1));
  const [enc, toRecipient, own] = [ENC_BYTES, TO_RECIPIENT_BYTES, TO_AUTHOR_BYTES].map((size) => reader.fixed(size));
  return { enc: enc!, toRecipient: toRecipient!, own: own!, box: reader.rest() };
}

function bound(part: 'key' | 'text', { meetingId, author, recipient }: Between): Bytes {
  return labelled(`parley chat private ${part} 1`, author, recipient, utf8(meetingId));
}

function ownAad({ meetingId, author }: Pick<Between, 'meetingId' | 'author'>): Bytes {
  return labelled('parley chat private own 1', author, utf8(meetingId));
}
