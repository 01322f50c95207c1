/**
 * Whispers: what is only worth something now (who types, who has read how far), sealed under the ring and signed by its author.
 *
 *     content = author(32) ‖ time(8) ‖ signature(64) ‖ body
 *
 * Old ones are refused, so that a server cannot show somebody typing for ever.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat, fromBase64url, fromUtf8, utf8 } from '../../../crypto/bytes.ts';
import { itemHead, openItem, sealItem } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import { ready, type KeyPair } from '../../../crypto/primitives.ts';
import { signBytes, verifyBytes } from '../../../crypto/signed.ts';
import type { Ring } from './ring.ts';

const LABEL = 'parley chat whisper 1';
/** Clocks of two people may differ by this much. */
const MAX_AGE_MS = 5 * 60_000;

/** @param given.body JSON text, at most some 1500 bytes @returns base64url */
export async function sealWhisper(
  key: ChatKey,
  meeting: string,
  given: { identity: KeyPair; at: number; body: string },
): Promise<string> {
  const { identity, at, body } = given;
  const content = utf8(body);
  const signature = await signBytes(LABEL, signedPart(meeting, key.id, at, content), identity.privateKey);
  const head = new Writer().fixed(identity.publicKey).u64(at).fixed(signature).done();
  return base64url(await sealItem(key, meeting, 'whisper', concat(head, content)));
}

/** @returns null for what does not open, is not signed, or is not of now */
export async function openWhisper(
  ring: Ring,
  { meeting, generation }: { meeting: string; generation: number },
  text: string,
  now: number,
): Promise<{ author: string; at: number; body: string } | null> {
  try {
    await ready();
    const item = fromBase64url(text);
    const head = itemHead(item);
    const key = head !== null && 'keyId' in head ? ring.find(head.keyId) : null;
    // Whoever was removed holds the older ones.
    if (key === null || ring.generationOf(key.id) !== generation) return null;
    const reader = new Reader(openItem(key, meeting, 'whisper', item));
    const author = reader.fixed(32);
    const at = reader.u64();
    const signature = reader.fixed(64);
    const content = reader.rest();
    if (Math.abs(now - at) > MAX_AGE_MS) return null;
    if (!(await verifyBytes(LABEL, signedPart(meeting, key.id, at, content), signature, author))) return null;
    return { author: base64url(author), at, body: fromUtf8(content) };
  } catch {
    return null;
  }
}

function signedPart(meeting: string, keyId: Bytes, at: number, content: Bytes): Bytes {
  return new Writer().opaque8(utf8(meeting)).fixed(keyId).u64(at).fixed(content).done();
}
