/**
 * The five cipher suites of SFrame and their AEADs, on WebCrypto.
 *
 * Suites 4 and 5 are AES-GCM with a full tag; 5 is the one that meetings use. Suites 1 to 3 put AES-CTR and a truncated
 * HMAC together and are here so that the format is implemented whole. Sources: RFC 9605 §4.5, Table 1 and §4.5.1.
 */
import type { Bytes } from './bytes.ts';
import { concat, equal } from './bytes.ts';
import { Writer } from './codec.ts';
import { CryptoError } from './errors.ts';

/** As registered in RFC 9605 §8.1. */
export type SuiteId = 1 | 2 | 3 | 4 | 5;

interface Suite {
  readonly name: string;
  readonly hash: 'SHA-256' | 'SHA-512';
  /** Nk, bytes of `sframe_key`. */
  readonly keyBytes: number;
  /** Nt */
  readonly tagBytes: number;
}

export const SUITES: Readonly<Record<SuiteId, Suite>> = {
  1: { name: 'AES_128_CTR_HMAC_SHA256_80', hash: 'SHA-256', keyBytes: 48, tagBytes: 10 },
  2: { name: 'AES_128_CTR_HMAC_SHA256_64', hash: 'SHA-256', keyBytes: 48, tagBytes: 8 },
  3: { name: 'AES_128_CTR_HMAC_SHA256_32', hash: 'SHA-256', keyBytes: 48, tagBytes: 4 },
  4: { name: 'AES_128_GCM_SHA256_128', hash: 'SHA-256', keyBytes: 16, tagBytes: 16 },
  5: { name: 'AES_256_GCM_SHA512_128', hash: 'SHA-512', keyBytes: 32, tagBytes: 16 },
};

/** Nn, the same in all suites. */
export const NONCE_BYTES = 12;
/** Nka: bytes of the AES key inside of a `sframe_key` of suites 1 to 3; the rest is the HMAC key. */
const CTR_KEY_BYTES = 16;

/** A key is for one direction only: RFC 9605 §4.4.1. */
export type Direction = 'seal' | 'open';

/**
 * An AEAD bound to its key. `seal` gives ciphertext ‖ tag; `open` rejects whatever is not authentic. Both have copied nonce
 * and aad by the time they return, so the caller may use the same arrays for the next frame at once.
 */
export interface FrameCipher {
  seal(nonce: Bytes, aad: Bytes, plaintext: Bytes): Promise<ArrayBuffer>;
  open(nonce: Bytes, aad: Bytes, ciphertext: Bytes): Promise<ArrayBuffer>;
}

/** @param key AES-GCM CryptoKey whose usages fit the direction */
export function gcmCipher(key: CryptoKey): FrameCipher {
  // WebCrypto copies parameters and data before a call returns ("normalize an algorithm"), and its tags have 128 bits
  // unless it is told otherwise, which costs.
  return {
    seal: (iv, additionalData, plaintext) =>
      crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, plaintext),
    open: (iv, additionalData, ciphertext) =>
      crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, ciphertext),
  };
}

/** @param key `sframe_key` of suites 1 to 3: AES key(16) ‖ HMAC key(32) */
export async function ctrHmacCipher(suite: 1 | 2 | 3, key: Bytes, direction: Direction): Promise<FrameCipher> {
  const { keyBytes, tagBytes, hash } = SUITES[suite];
  if (key.length !== keyBytes) throw new CryptoError('usage', `the key of suite ${suite} has ${keyBytes} bytes`);
  const aesUsage: KeyUsage = direction === 'seal' ? 'encrypt' : 'decrypt';
  const aes = await crypto.subtle.importKey('raw', key.subarray(0, CTR_KEY_BYTES), 'AES-CTR', false, [aesUsage]);
  const hmacKey = key.subarray(CTR_KEY_BYTES);
  const hmac = await crypto.subtle.importKey('raw', hmacKey, { name: 'HMAC', hash }, false, ['sign']);

  // The nonce and 32 zero bits, which count the blocks.
  const counterMode = (nonce: Bytes): AesCtrParams => ({
    name: 'AES-CTR',
    counter: concat(nonce, new Uint8Array(4)),
    length: 32,
  });

  /** What the tag covers in front of the ciphertext. */
  const before = (nonce: Bytes, aad: Bytes, ciphertextBytes: number): Bytes =>
    concat(new Writer().u64(aad.length).u64(ciphertextBytes).u64(tagBytes).done(), nonce, aad);

  const tagOf = async (prefix: Bytes, ciphertext: Bytes): Promise<Bytes> =>
    new Uint8Array(await crypto.subtle.sign('HMAC', hmac, concat(prefix, ciphertext)), 0, tagBytes);

  return {
    async seal(nonce, aad, plaintext) {
      const prefix = before(nonce, aad, plaintext.length);
      const ciphertext = new Uint8Array(await crypto.subtle.encrypt(counterMode(nonce), aes, plaintext));
      return concat(ciphertext, await tagOf(prefix, ciphertext)).buffer;
    },
    async open(nonce, aad, sealed) {
      if (sealed.length < tagBytes) throw new CryptoError('malformed', 'shorter than its tag');
      const ciphertext = sealed.subarray(0, sealed.length - tagBytes);
      const tag = sealed.subarray(sealed.length - tagBytes);
      const parameters = counterMode(nonce);
      const expected = await tagOf(before(nonce, aad, ciphertext.length), ciphertext);
      if (!equal(tag, expected)) throw new CryptoError('forged', 'does not open');
      return crypto.subtle.decrypt(parameters, aes, ciphertext);
    },
  };
}
