/**
 * The slow twin of crypto/sframe.ts: RFC 9605 §4.3 to §4.5 line by line, with bigints, copies and node:crypto.
 *
 * Shares no code with the real one, so where the two agree neither is likely to be wrong in the same way.
 */
import { createCipheriv, createHmac, hkdfSync } from 'node:crypto';

const CONSTANTS = {
  1: { hash: 'sha256', nk: 48, nt: 10 },
  2: { hash: 'sha256', nk: 48, nt: 8 },
  3: { hash: 'sha256', nk: 48, nt: 4 },
  4: { hash: 'sha256', nk: 16, nt: 16 },
  5: { hash: 'sha512', nk: 32, nt: 16 },
} as const;

function bigEndian(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');
}

/** §4.3 */
export function naiveHeader(kid: bigint, counter: bigint): Buffer {
  const shortest = (value: bigint): Buffer => {
    const digits = value.toString(16);
    return value < 8n ? Buffer.alloc(0) : Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  };
  const half = (value: bigint): number => (value < 8n ? Number(value) : 8 + shortest(value).length - 1);
  return Buffer.concat([Buffer.from([half(kid) * 16 + half(counter)]), shortest(kid), shortest(counter)]);
}

/** §4.4.2 */
export function naiveKeys(
  suite: keyof typeof CONSTANTS,
  baseKey: Uint8Array,
  kid: bigint,
): { key: Buffer; salt: Buffer } {
  const { hash, nk } = CONSTANTS[suite];
  const expand = (label: string, length: number): Buffer => {
    const info = Buffer.concat([Buffer.from(label), bigEndian(kid, 8), bigEndian(BigInt(suite), 2)]);
    return Buffer.from(hkdfSync(hash, baseKey, Buffer.alloc(0), info, length));
  };
  return { key: expand('SFrame 1.0 Secret key ', nk), salt: expand('SFrame 1.0 Secret salt ', 12) };
}

/** §4.4.3, with the metadata in front of the SFrame ciphertext, as our frames have it. */
export function naiveSeal(options: {
  suite: keyof typeof CONSTANTS;
  baseKey: Uint8Array;
  kid: number;
  counter: number;
  clear: Uint8Array;
  plaintext: Uint8Array;
}): Buffer {
  const { suite, baseKey, clear, plaintext } = options;
  const { nt } = CONSTANTS[suite];
  const { key, salt } = naiveKeys(suite, baseKey, BigInt(options.kid));
  const nonce = bigEndian(BigInt(`0x${salt.toString('hex')}`) ^ BigInt(options.counter), 12);
  const header = naiveHeader(BigInt(options.kid), BigInt(options.counter));
  const aad = Buffer.concat([header, clear]);
  if (suite === 4 || suite === 5) {
    const cipher = createCipheriv(suite === 4 ? 'aes-128-gcm' : 'aes-256-gcm', key, nonce).setAAD(aad);
    return Buffer.concat([clear, header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }
  // §4.5.1
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), Buffer.concat([nonce, Buffer.alloc(4)]));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const lengths = [aad.length, ciphertext.length, nt].map((length) => bigEndian(BigInt(length), 8));
  const authenticated = Buffer.concat([...lengths, nonce, aad, ciphertext]);
  const tag = createHmac('sha256', key.subarray(16)).update(authenticated).digest().subarray(0, nt);
  return Buffer.concat([clear, header, ciphertext, tag]);
}
