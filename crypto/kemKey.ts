/**
 * Which X-Wing public keys may enter a group's tree.
 *
 * Whoever adds a key that nobody can encapsulate to would stop every later path update of others. So each new key is
 * looked at when it comes: length, ML-KEM's modulus check (FIPS 203 §7.2), and X25519 points of low order, for which the
 * shared secret is zero (RFC 7748 §6.1). Layout of the key: ML-KEM-768 key(1184) ‖ X25519 key(32), X-Wing draft §5.2.
 */
import { equal, fromHex } from './bytes.ts';
import { XWing } from './xWing.ts';

export const KEM_KEY_BYTES = 1216;
const ML_KEM_BYTES = 1184;
/** 768 coefficients of 12 bits stand first, 32 bytes of seed follow. */
const COEFFICIENT_BYTES = 1152;
/** Modulus of ML-KEM. */
const Q = 3329;

/** u-coordinates of low order, and their second encodings at and above the prime; the top bit is ignored (RFC 7748 §5). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(fromHex);

/** True if somebody can encapsulate to this X-Wing public key. */
export function isKemKey(key: Uint8Array): boolean {
  if (key.length !== KEM_KEY_BYTES) return false;
  for (let i = 0; i < COEFFICIENT_BYTES; i += 3) {
    const middle = key[i + 1]!;
    if ((key[i]! | ((middle & 0x0f) << 8)) >= Q || ((middle >> 4) | (key[i + 2]! << 4)) >= Q) return false;
  }
  const point = key.slice(ML_KEM_BYTES);
  point[31]! &= 0x7f;
  return !LOW_ORDER.some((low) => equal(low, point));
}

const kem = new XWing();

/** @param seed 32-byte X-Wing private key @returns its public key, 1216 bytes */
export async function kemPublicKeyOf(seed: Uint8Array): Promise<Uint8Array> {
  // A copy: the library keeps what it is given.
  const pair = await kem.generateKeyPairDerand(seed.slice());
  return new Uint8Array(await kem.serializePublicKey(pair.publicKey));
}
