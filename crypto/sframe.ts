/**
 * SFrame: sealing and opening one encoded media frame, RFC 9605 §4.4.
 *
 *     clear prefix(0–n) ‖ header(1–17) ‖ ciphertext ‖ tag(Nt)
 *
 * The clear prefix is what a relay or depacketizer must read (clearPrefix.ts). It is SFrame metadata (RFC 9605 §9.4), so
 * it is authenticated with the header; from the header on this is an SFrame ciphertext as in RFC 9605 §4.2.
 * Stateless: that no counter repeats and none is accepted twice is keyring.ts's work.
 */
import type { Bytes } from './bytes.ts';
import { release, utf8, wipe } from './bytes.ts';
import type { Direction, FrameCipher, SuiteId } from './sframeCipher.ts';
import { NONCE_BYTES, SUITES, ctrHmacCipher, gcmCipher } from './sframeCipher.ts';
import type { SFrameHeader, Uint64 } from './sframeHeader.ts';
import { headerLength, writeHeader, xorUint64 } from './sframeHeader.ts';

const PAGE_BYTES = 4096;

/** What one key id seals or opens with. */
export interface SFrameKeys {
  readonly kid: Uint64;
  readonly cipher: FrameCipher;
  /** Nt, bytes of the tag. */
  readonly tagBytes: number;
  /** `sframe_salt`, 12 bytes. */
  readonly salt: Bytes;
  readonly scratch: Scratch;
}

/** Takes in a base key (for MLS the exporter's output, RFC 9605 §5.2). Nothing reads it back; wipe the bytes afterwards. */
export async function importBaseKey(baseKey: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', baseKey, 'HKDF', false, ['deriveBits', 'deriveKey']);
}

/** `sframe_key` and `sframe_salt` of RFC 9605 §4.4.2, the key as a cipher that works in one direction. */
export async function deriveKeys(
  suite: SuiteId,
  baseKey: CryptoKey,
  kid: Uint64,
  direction: Direction,
): Promise<SFrameKeys> {
  const { hash, keyBytes, tagBytes } = SUITES[suite];
  const expand = (label: string) => ({
    name: 'HKDF',
    hash,
    // HKDF-Extract("", base_key): no salt.
    salt: new Uint8Array(0),
    info: derivationLabel(label, kid, suite),
  });
  const saltLabel = expand('SFrame 1.0 Secret salt ');
  const salt = new Uint8Array(await crypto.subtle.deriveBits(saltLabel, baseKey, 8 * NONCE_BYTES));
  const forKey = expand('SFrame 1.0 Secret key ');
  let cipher: FrameCipher;
  if (suite === 4 || suite === 5) {
    const usage: KeyUsage = direction === 'seal' ? 'encrypt' : 'decrypt';
    const aes = { name: 'AES-GCM', length: 8 * keyBytes };
    cipher = gcmCipher(await crypto.subtle.deriveKey(forKey, baseKey, aes, false, [usage]));
  } else {
    const key = new Uint8Array(await crypto.subtle.deriveBits(forKey, baseKey, 8 * keyBytes));
    cipher = await ctrHmacCipher(suite, key, direction);
    wipe(key);
  }
  return { kid, cipher, tagBytes, salt, scratch: new Scratch(salt) };
}

/**
 * Seals one frame.
 * @param counter  never used before with these keys; two frames under one counter reveal both
 * @param frame    codec payload, left untouched
 * @param clear    0 ≤ clear ≤ frame.length: bytes in front that stay readable and are authenticated
 * @returns        clear prefix ‖ header ‖ ciphertext ‖ tag, on a buffer of its own and of exactly that size
 */
export async function sealFrame(keys: SFrameKeys, counter: Uint64, frame: Bytes, clear: number): Promise<Bytes> {
  const { kid, scratch } = keys;
  const headerBytes = headerLength(kid, counter);
  const aad = scratch.aad(headerBytes + clear);
  writeHeader(aad, 0, kid, counter);
  for (let i = 0; i < clear; i++) aad[headerBytes + i] = frame[i]!;
  const plaintext = clear === 0 ? frame : frame.subarray(clear);
  const sealing = keys.cipher.seal(scratch.nonce(counter), aad, plaintext);

  // Made while another thread seals. Nothing of `scratch` may be used any more after the first await.
  const sealed = touched(frame.length + headerBytes + keys.tagBytes);
  for (let i = 0; i < clear; i++) sealed[i] = frame[i]!;
  for (let i = 0; i < headerBytes; i++) sealed[clear + i] = aad[i]!;
  const ciphertext = await sealing;
  sealed.set(new Uint8Array(ciphertext), clear + headerBytes);
  if (ciphertext.byteLength > PAGE_BYTES) release(ciphertext);
  return sealed;
}

/**
 * Opens one frame.
 * @param header  of this frame, read by `parseHeader(frame, clear)`; its key id chose the keys
 * @returns       clear prefix ‖ plaintext on a buffer of its own, or null if any byte is not what was sealed
 */
export async function openFrame(
  keys: SFrameKeys,
  header: SFrameHeader,
  frame: Bytes,
  clear: number,
): Promise<Bytes | null> {
  const { scratch } = keys;
  const { counter, length: headerBytes } = header;
  const start = clear + headerBytes;
  if (frame.length < start + keys.tagBytes) return null;
  const aad = scratch.aad(start);
  for (let i = 0; i < headerBytes; i++) aad[i] = frame[clear + i]!;
  for (let i = 0; i < clear; i++) aad[headerBytes + i] = frame[i]!;
  try {
    const opening = keys.cipher.open(scratch.nonce(counter), aad, frame.subarray(start));
    if (clear === 0) return new Uint8Array(await opening);

    const opened = touched(frame.length - headerBytes - keys.tagBytes);
    for (let i = 0; i < clear; i++) opened[i] = frame[i]!;
    const plaintext = await opening;
    opened.set(new Uint8Array(plaintext), clear);
    if (plaintext.byteLength > PAGE_BYTES) release(plaintext);
    return opened;
  } catch {
    // Whatever the reason: not a frame of these keys.
    return null;
  }
}

/**
 * A new buffer whose pages are all there: the first write to a page is what makes a large buffer slow (in Chromium 30 kB take
 * 15 µs to fill the first time and 0.4 µs after), and here the other thread is busy anyway.
 */
function touched(length: number): Bytes {
  const bytes = new Uint8Array(length);
  for (let i = PAGE_BYTES; i < length; i += PAGE_BYTES) bytes[i] = 0;
  return bytes;
}

/**
 * Nonce and AAD of the frame in hand. Small buffers cost more to make than to fill, and the cipher has copied them by the
 * time it returns, so each key has one set.
 */
class Scratch {
  readonly #salt: Bytes;
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  /** By length. */
  readonly #aads: Bytes[] = [];

  constructor(salt: Bytes) {
    this.#salt = salt;
  }

  /** RFC 9605 §4.4.3: the salt XOR the counter, both as 12-byte big-endian integers. */
  nonce(counter: Uint64): Bytes {
    for (let i = 0; i < NONCE_BYTES; i++) this.#nonce[i] = this.#salt[i]!;
    xorUint64(this.#nonce, counter);
    return this.#nonce;
  }

  aad(length: number): Bytes {
    return (this.#aads[length] ??= new Uint8Array(length));
  }
}

/** label ‖ key id(8) ‖ suite(2) */
function derivationLabel(label: string, kid: Uint64, suite: SuiteId): Bytes {
  const text = utf8(label);
  const info = new Uint8Array(text.length + 10);
  info.set(text);
  const view = new DataView(info.buffer);
  view.setBigUint64(text.length, BigInt(kid));
  view.setUint16(text.length + 8, suite);
  return info;
}
