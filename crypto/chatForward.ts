/**
 * Closed secrets of the chat's ring handed on in the log, to people who were there before and are away now.
 *
 *     edge = id of the older key(16) ‖ nonce(24) ‖ XChaCha20-Poly1305( newer secret, as in chatKey.ts ) ‖ tag(16)
 *     key  = HKDF( older secret, salt: chat key of link and password, info: meeting id, generation, id of the older key )
 *
 * It takes both: whoever has the link alone has no older secret, and whoever was removed has no link of a later generation.
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8, wipe } from './bytes.ts';
import type { RingSecret } from './chatKey.ts';
import { CHAT_KEY_ID_BYTES, readSecret, writeSecret, WRITTEN_SECRET_BYTES } from './chatKey.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { AEAD_OVERHEAD, aeadOpen, aeadSeal, hkdf } from './primitives.ts';

export const EDGE_BYTES = CHAT_KEY_ID_BYTES + WRITTEN_SECRET_BYTES + AEAD_OVERHEAD;
const LABEL = 'parley chat forward 1';

export interface ForwardPlace {
  readonly meetingId: string;
  /** Of the link and password that `chatKey` follows from. */
  readonly generation: number;
  /** 32 bytes, from `deriveMeetingKeys`. */
  readonly chatKey: Bytes;
}

/** The older of two secrets, and the id of its key. */
export interface OlderSecret {
  readonly secret: Bytes;
  readonly id: Bytes;
}

/** @throws CryptoError 'usage' for an open secret: that is told to every link */
export async function sealForward(place: ForwardPlace, older: OlderSecret, newer: RingSecret): Promise<Bytes> {
  if (newer.closed === null) throw new CryptoError('usage', 'an open secret needs no older one');
  const key = await forwardKey(place, older);
  try {
    return concat(older.id, await aeadSeal(key, writeSecret(new Writer(), newer).done(), infoOf(place, older.id)));
  } finally {
    wipe(key);
  }
}

/** The id of the key that an edge needs. */
export function olderIdOf(edge: Bytes): Bytes {
  return edge.slice(0, CHAT_KEY_ID_BYTES);
}

/** @throws CryptoError 'forged' where it was wrapped for another place or under another secret, 'malformed' */
export async function openForward(place: ForwardPlace, older: OlderSecret, edge: Bytes): Promise<RingSecret> {
  const key = await forwardKey(place, older);
  try {
    const reader = new Reader(await aeadOpen(key, edge.slice(CHAT_KEY_ID_BYTES), infoOf(place, older.id)));
    const newer = readSecret(reader);
    reader.end();
    if (newer.closed === null) throw new CryptoError('malformed', 'an open secret needs no older one');
    return newer;
  } finally {
    wipe(key);
  }
}

function forwardKey(place: ForwardPlace, { secret, id }: OlderSecret): Promise<Bytes> {
  return hkdf(secret, { salt: place.chatKey, info: infoOf(place, id), length: 32 });
}

function infoOf({ meetingId, generation }: ForwardPlace, olderId: Bytes): Bytes {
  return labelled(LABEL, new Writer().u32(generation).fixed(olderId).fixed(utf8(meetingId)).done());
}
