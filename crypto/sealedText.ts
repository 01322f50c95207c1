/**
 * Short texts as the server keeps them: sealed, bound to what they are, and padded so that lengths tell little.
 *
 *     nonce(24) ‖ XChaCha20-Poly1305( opaque16 UTF-8 ‖ zeros to a multiple of 32 ) ‖ tag(16)
 */
import type { Bytes } from './bytes.ts';
import { fromUtf8, utf8 } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { aeadOpen, aeadSeal } from './primitives.ts';

const STEP_BYTES = 32;

/**
 * @param key  32 bytes
 * @param aad  says what the text is and where it belongs
 * @throws CryptoError 'usage' for a text of 64 KiB and more
 */
export async function sealText(key: Bytes, text: string, aad: Bytes): Promise<Bytes> {
  const content = new Writer().opaque16(utf8(text)).done();
  const padded = new Uint8Array(Math.ceil(content.length / STEP_BYTES) * STEP_BYTES);
  padded.set(content);
  return aeadSeal(key, padded, aad);
}

/** @throws CryptoError 'malformed' or 'forged' */
export async function openText(key: Bytes, sealed: Bytes, aad: Bytes): Promise<string> {
  const reader = new Reader(await aeadOpen(key, sealed, aad));
  const text = fromUtf8(reader.opaque16());
  if (reader.remaining >= STEP_BYTES || reader.rest().some((byte) => byte !== 0)) {
    throw new CryptoError('malformed', 'padded in another way');
  }
  return text;
}
