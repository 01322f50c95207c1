/**
 * Keys of a meeting's chat: a ring of random secrets, each used until people leave who must not read on.
 *
 *     ring secret(32) ─ HKDF ─┬► id(16)      in the clear on whatever it sealed
 *                             ├► entry key   who wrote an entry, when, after which, and what it says
 *                             ├► erased key  what stays of that
 *                             ├► item key    what the server keeps, and whispers
 *                             └► room(16)    where browsers find each other, and
 *                                password(32) what seals how they do
 *
 * HKDF-SHA-512 (RFC 5869) with meeting id, generation and promise in `info`. So the id names all of these: nobody can give a secret another
 * generation than the one that it was used in, nor show it to more people than was promised when it was begun. An open secret is wrapped under a
 * key that follows from link and password, for whoever has these may read it all; a closed one never is (chatForward.ts):
 *
 *     ring   = nonce(24) ‖ XChaCha20-Poly1305( count(2) ‖ secret… ) ‖ tag(16)
 *     secret = secret(32) ‖ generation(4) ‖ begun(4) ‖ reach(2)                    begun 0: open
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, labelled, utf8, wipe } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { aeadOpen, aeadSeal, hkdf, random } from './primitives.ts';

const SECRET_BYTES = 32;
export const CHAT_KEY_ID_BYTES = 16;
/** Of one secret, as `writeSecret` writes it. */
export const WRITTEN_SECRET_BYTES = SECRET_BYTES + 10;
/** More removals than a meeting has in a lifetime. */
const MAX_RING = 4096;
const NO_SALT = new Uint8Array(0);

/** A secret of the ring. */
export interface RingSecret {
  readonly secret: Bytes;
  /** Of the link and password that were good when it was drawn: with another one, nothing new is sealed under it. */
  readonly generation: number;
  /** Null: open, for whoever has link and password, at any time. */
  readonly closed: Closed | null;
}

/** What was promised of a secret when it was begun: who comes later gets it from members of the group for so long, and never otherwise. */
export interface Closed {
  /** Hours since 1970, above 0. */
  readonly begun: number;
  /** Hours; 0: nobody gets it who was not there. */
  readonly reach: number;
}

/** What a ring secret gives. */
export interface ChatKey {
  /** 16 bytes. */
  readonly id: Bytes;
  /** The same as base64url. */
  readonly name: string;
  /** For entries, and for what stays of them when they are erased. */
  readonly entryKey: Bytes;
  readonly erasedKey: Bytes;
  readonly itemKey: Bytes;
  /** Overwrites all of it. */
  wipe(): void;
}

/** @returns 32 random bytes */
export function newRingSecret(): Bytes {
  return random(SECRET_BYTES);
}

/** @param given.secret 32 bytes, only read @throws CryptoError 'usage' for another length */
export async function deriveChatKey(given: RingSecret, meetingId: string): Promise<ChatKey> {
  const id = await deriveChatKeyId(given, meetingId);
  const entryKey = await expand('parley chat entry key 1', given, meetingId, 32);
  const erasedKey = await expand('parley chat erased key 1', given, meetingId, 32);
  const itemKey = await expand('parley chat item key 1', given, meetingId, 32);
  return { id, name: base64url(id), entryKey, erasedKey, itemKey, wipe: () => wipe(entryKey, erasedKey, itemKey) };
}

/** Of its id alone, which tells whether a secret is held already. @returns 16 bytes @throws as `deriveChatKey` */
export function deriveChatKeyId(given: RingSecret, meetingId: string): Promise<Bytes> {
  return expand('parley chat key id 1', given, meetingId, CHAT_KEY_ID_BYTES);
}

async function expand(label: string, given: RingSecret, meetingId: string, length: number): Promise<Bytes> {
  const info = labelled(label, placeOf(given, meetingId));
  if (given.secret.length !== SECRET_BYTES) throw new CryptoError('usage', 'a ring secret has 32 bytes');
  return hkdf(given.secret, { salt: NO_SALT, info, length });
}

/**
 * Where browsers of whoever holds this secret find each other, and what seals their talk of it. Neither tells anything of the secret or of
 * the keys above, so the page may have both, and the server the room.
 * @param given.secret 32 bytes, only read
 * @returns base64url of 16 and of 32 bytes
 */
export async function deriveChatRoom(
  given: RingSecret,
  meetingId: string,
): Promise<{ room: string; password: string }> {
  return {
    room: base64url(await expand('parley chat room 1', given, meetingId, 16)),
    password: base64url(await expand('parley chat room password 1', given, meetingId, 32)),
  };
}

/**
 * Wraps a ring for whoever has link and password of a generation.
 * @param wrapKey 32 bytes, from `deriveMeetingKeys`
 * @throws CryptoError 'usage' for more than 4096 secrets, or for a closed one
 */
export function sealRing(
  wrapKey: Bytes,
  place: { meetingId: string; generation: number },
  ring: readonly RingSecret[],
): Promise<Bytes> {
  if (ring.length > MAX_RING) throw new CryptoError('usage', 'too many secrets for one ring');
  if (ring.some(({ closed }) => closed !== null))
    throw new CryptoError('usage', 'a closed secret is not for every link');
  const writer = new Writer().u16(ring.length);
  for (const one of ring) writeSecret(writer, one);
  return aeadSeal(wrapKey, writer.done(), ringAad(place));
}

/** @throws CryptoError 'forged' where it was wrapped for another meeting or generation, 'malformed' */
export async function openRing(
  wrapKey: Bytes,
  place: { meetingId: string; generation: number },
  sealed: Bytes,
): Promise<RingSecret[]> {
  const reader = new Reader(await aeadOpen(wrapKey, sealed, ringAad(place)));
  const count = reader.u16();
  if (count > MAX_RING) throw new CryptoError('malformed', 'too many secrets for one ring');
  const ring: RingSecret[] = [];
  for (let i = 0; i < count; i++) ring.push(readSecret(reader));
  reader.end();
  if (ring.some(({ closed }) => closed !== null)) throw new CryptoError('malformed', 'a closed secret for every link');
  return ring;
}

/** Writes the 42 bytes of one secret, as drawn above. */
export function writeSecret(writer: Writer, { secret, generation, closed }: RingSecret): Writer {
  return writer
    .fixed(secret)
    .u32(generation)
    .u32(closed?.begun ?? 0)
    .u16(closed?.reach ?? 0);
}

/** Reads what `writeSecret` wrote; the secret is a copy. @throws CryptoError 'malformed' */
export function readSecret(reader: Reader): RingSecret {
  const [secret, generation, begun, reach] = [reader.fixed(SECRET_BYTES), reader.u32(), reader.u32(), reader.u16()];
  if (begun === 0 && reach > 0) throw new CryptoError('malformed', 'an open secret with an end');
  return { secret, generation, closed: begun === 0 ? null : { begun, reach } };
}

function placeOf({ generation, closed }: RingSecret, meetingId: string): Bytes {
  const writer = new Writer()
    .u32(generation)
    .u32(closed?.begun ?? 0)
    .u16(closed?.reach ?? 0);
  return writer.fixed(utf8(meetingId)).done();
}

function ringAad({ meetingId, generation }: { meetingId: string; generation: number }): Bytes {
  return concat(labelled('parley chat ring 1', utf8(meetingId)), new Writer().u32(generation).done());
}
