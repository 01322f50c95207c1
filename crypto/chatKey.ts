/**
 * Keys of a meeting's chat: a ring of random secrets, each used until people leave who must not read on.
 *
 *     ring secret(32) ─ HKDF ─┬► id(16)      in the clear on whatever it sealed
 *                             ├► link key    who wrote an entry, when, after which
 *                             ├► body key    what it says
 *                             ├► item key    what the server keeps, and whispers
 *                             └► room(16)    where browsers find each other, and
 *                                password(32) what seals how they do
 *
 * HKDF-SHA-512 (RFC 5869) with meeting id and generation in `info`. So the id names secret and generation both: nobody can give a secret another
 * generation than the one that it was used in. A ring is wrapped under a key that follows from link and password where whoever has these may read it all:
 *
 *     nonce(24) ‖ XChaCha20-Poly1305( count(2) ‖ (secret(32) ‖ generation(4))… ) ‖ tag(16)
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, labelled, utf8, wipe } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { aeadOpen, aeadSeal, hkdf, random } from './primitives.ts';

const SECRET_BYTES = 32;
export const CHAT_KEY_ID_BYTES = 16;
/** More removals than a meeting has in a lifetime. */
const MAX_RING = 4096;
const NO_SALT = new Uint8Array(0);

/** A secret of the ring. */
export interface RingSecret {
  readonly secret: Bytes;
  /** Of the link and password that were good when it was drawn: with another one, nothing new is sealed under it. */
  readonly generation: number;
}

/** What a ring secret gives. */
export interface ChatKey {
  /** 16 bytes. */
  readonly id: Bytes;
  /** The same as base64url. */
  readonly name: string;
  readonly linkKey: Bytes;
  readonly bodyKey: Bytes;
  readonly itemKey: Bytes;
  /** Overwrites all of it. */
  wipe(): void;
}

/** @returns 32 random bytes */
export function newRingSecret(): Bytes {
  return random(SECRET_BYTES);
}

/** @param given.secret 32 bytes, only read @throws CryptoError 'usage' for another length */
export async function deriveChatKey({ secret, generation }: RingSecret, meetingId: string): Promise<ChatKey> {
  const place = new Writer().u32(generation).fixed(utf8(meetingId)).done();
  if (secret.length !== SECRET_BYTES) throw new CryptoError('usage', 'a ring secret has 32 bytes');
  const expand = (label: string, length: number) =>
    hkdf(secret, { salt: NO_SALT, info: labelled(label, place), length });
  const id = await expand('parley chat key id 1', CHAT_KEY_ID_BYTES);
  const linkKey = await expand('parley chat link key 1', 32);
  const bodyKey = await expand('parley chat body key 1', 32);
  const itemKey = await expand('parley chat item key 1', 32);
  return { id, name: base64url(id), linkKey, bodyKey, itemKey, wipe: () => wipe(linkKey, bodyKey, itemKey) };
}

/**
 * Where browsers of whoever holds this secret find each other, and what seals their talk of it. Neither tells anything of the secret or of
 * the keys above, so the page may have both, and the server the room.
 * @param given.secret 32 bytes, only read
 * @returns base64url of 16 and of 32 bytes
 */
export async function deriveChatRoom(
  { secret, generation }: RingSecret,
  meetingId: string,
): Promise<{ room: string; password: string }> {
  const info = (label: string) => labelled(label, new Writer().u32(generation).fixed(utf8(meetingId)).done());
  const expand = async (label: string, length: number) =>
    base64url(await hkdf(secret, { salt: NO_SALT, info: info(label), length }));
  return {
    room: await expand('parley chat room 1', 16),
    password: await expand('parley chat room password 1', 32),
  };
}

/**
 * Wraps a ring for whoever has link and password of a generation.
 * @param wrapKey 32 bytes, from `deriveMeetingKeys`
 * @throws CryptoError 'usage' for more than 4096 secrets
 */
export function sealRing(
  wrapKey: Bytes,
  place: { meetingId: string; generation: number },
  ring: readonly RingSecret[],
): Promise<Bytes> {
  if (ring.length > MAX_RING) throw new CryptoError('usage', 'too many secrets for one ring');
  const writer = new Writer().u16(ring.length);
  for (const { secret, generation } of ring) writer.fixed(secret).u32(generation);
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
  for (let i = 0; i < count; i++) ring.push({ secret: reader.fixed(SECRET_BYTES), generation: reader.u32() });
  reader.end();
  return ring;
}

function ringAad({ meetingId, generation }: { meetingId: string; generation: number }): Bytes {
  return concat(labelled('parley chat ring 1', utf8(meetingId)), new Writer().u32(generation).done());
}
