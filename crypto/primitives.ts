/**
 * The only file that touches libsodium, and the home of every primitive outside of media frames.
 *
 * Ed25519 (RFC 8032), X25519 (RFC 7748), BLAKE2b (RFC 7693), XChaCha20-Poly1305-IETF, ChaCha20-Poly1305 (RFC 8439) and Argon2id (RFC 9106)
 * by libsodium; HKDF (RFC 5869), HMAC and SHA-256 by WebCrypto. libsodium is loaded by the first call that needs it, its far larger `sumo` build only
 * where a password is stretched. Frames are sealed in sframe.ts by WebCrypto alone.
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import type { Bytes } from './bytes.ts';
import { concat, owned, utf8, wipe } from './bytes.ts';
import { CryptoError } from './errors.ts';

type Sodium = typeof import('libsodium-wrappers').default;

/** An Ed25519 key pair. `privateKey` is the 32-byte seed of RFC 8032 §5.1.5, from which the public key follows. */
export interface KeyPair {
  readonly publicKey: Bytes;
  readonly privateKey: Bytes;
}

/** Bytes of a key for `aeadSeal` and `aeadOpen`. */
export const AEAD_KEY_BYTES = 32;
/** Bytes that `aeadSeal` adds: nonce 24, tag 16. */
export const AEAD_OVERHEAD = 40;
export const AEAD_NONCE_BYTES = 24;
export const AEAD_TAG_BYTES = 16;
const SIGNATURE_BYTES = 64;

/** 64 MiB and 3 passes, one lane: what libsodium offers, and about what RFC 9106 §4 recommends second. */
const ARGON2_MEMORY_BYTES = 64 * 1024 * 1024;
const ARGON2_PASSES = 3;
const ARGON2_SALT_BYTES = 16;

let loading: Promise<Sodium> | undefined;
let loaded: Sodium | undefined;

/** Loads libsodium, once. What is called `…Now` needs it before; everything else does so by itself. */
export async function ready(): Promise<void> {
  await sodium();
}

function sodium(): Promise<Sodium> {
  loading ??= import('libsodium-wrappers').then(
    async ({ default: library }) => {
      await library.ready;
      return (loaded = library);
    },
    (error: unknown) => {
      // A chunk that could not be fetched may be there the next time.
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** For thousands of small ones, where as many awaits would cost more than the work. @throws CryptoError 'usage' before `ready` */
function sodiumNow(): Sodium {
  if (loaded === undefined) throw new CryptoError('usage', 'libsodium is not loaded yet');
  return loaded;
}

/** `length` bytes from the system's random generator. At most 65,536 at once (WebCrypto's limit). */
export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Unkeyed BLAKE2b. @param length 16 to 64 bytes of digest; a shorter one is no prefix of a longer one */
export async function blake2b(data: Bytes, length: number): Promise<Bytes> {
  await sodium();
  return blake2bNow(data, length);
}

/** The same at once. @throws CryptoError 'usage' before `ready`, as all of these */
export function blake2bNow(data: Bytes, length: number): Bytes {
  const library = sodiumNow();
  if (length < library.crypto_generichash_BYTES_MIN || length > library.crypto_generichash_BYTES_MAX) {
    throw new CryptoError('usage', 'BLAKE2b digests have 16 to 64 bytes');
  }
  return owned(library.crypto_generichash(length, data, null));
}

/**
 * BLAKE2b of 64 bytes, and `rounds` times more of what came out. In one go: as many awaits would cost as much as the hashes.
 * @param rounds  a few thousand take a millisecond or two
 */
export async function blake2bRounds(data: Bytes, rounds: number): Promise<Bytes> {
  const library = await sodium();
  let digest = library.crypto_generichash(64, data, null);
  for (let round = 0; round < rounds; round++) digest = library.crypto_generichash(64, digest, null);
  return owned(digest);
}

/** SHA-256, 32 bytes. */
export async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}

/** The same at once, for chains of many small ones, where as many awaits would cost more than the hashes. */
export function sha256Now(data: Bytes): Bytes {
  return owned(nobleSha256(data));
}

/** Extract and expand with SHA-512, RFC 5869 §2. @param options.length 1 to 255 · 64 bytes */
export async function hkdf(ikm: Bytes, options: HkdfOptions): Promise<Bytes> {
  if (options.length < 1 || options.length > 255 * 64)
    throw new CryptoError('usage', 'HKDF-SHA-512 gives 1 to 16,320 bytes');
  return expand('SHA-512', ikm, options);
}

interface HkdfOptions {
  salt: Bytes;
  info: Bytes;
  length: number;
}

/** The same with SHA-256: for age alone. */
export function hkdfSha256(ikm: Bytes, options: HkdfOptions): Promise<Bytes> {
  return expand('SHA-256', ikm, options);
}

async function expand(hash: string, ikm: Bytes, { salt, info, length }: HkdfOptions): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits']);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash, salt, info }, key, length * 8));
}

/** HMAC with SHA-256, RFC 2104. */
export async function hmacSha256(key: Bytes, data: Bytes): Promise<Bytes> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign(algorithm, imported, data));
}

/** RFC 7748 §5. @param point 32 bytes @throws CryptoError 'malformed' for a point of small order */
export async function x25519(scalar: Bytes, point: Bytes): Promise<Bytes> {
  checkLength(scalar, 32, 'X25519 scalar');
  checkLength(point, 32, 'X25519 point');
  const library = await sodium();
  try {
    return owned(library.crypto_scalarmult(scalar, point));
  } catch (cause) {
    throw new CryptoError('malformed', 'a point of small order', { cause });
  }
}

/**
 * ChaCha20-Poly1305 without additional data: for age alone, whose nonces are counters. At once.
 * @param nonce  12 bytes, never again with this key and another plaintext
 */
export function chachaSealNow(key: Bytes, nonce: Bytes, plaintext: Bytes): Bytes {
  checkLength(key, AEAD_KEY_BYTES, 'AEAD key');
  return owned(sodiumNow().crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, null, null, nonce, key));
}

/** @throws CryptoError 'forged' */
export function chachaOpenNow(key: Bytes, nonce: Bytes, sealed: Bytes): Bytes {
  checkLength(key, AEAD_KEY_BYTES, 'AEAD key');
  const library = sodiumNow();
  try {
    return owned(library.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, null, nonce, key));
  } catch (cause) {
    throw new CryptoError('forged', 'does not open', { cause });
  }
}

/**
 * Seals under a key that may be used as often as one likes: 24-byte nonces are drawn at random.
 * @param key  32 bytes
 * @param aad  authenticated with the plaintext, not contained in the result
 * @returns    nonce(24) ‖ ciphertext ‖ tag(16)
 */
export async function aeadSeal(key: Bytes, plaintext: Bytes, aad: Bytes): Promise<Bytes> {
  checkLength(key, AEAD_KEY_BYTES, 'AEAD key');
  const library = await sodium();
  const nonce = random(AEAD_NONCE_BYTES);
  return concat(nonce, library.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key));
}

/** @throws CryptoError 'malformed' if too short to be sealed, 'forged' if key, aad or any byte is another */
export async function aeadOpen(key: Bytes, sealed: Bytes, aad: Bytes): Promise<Bytes> {
  await sodium();
  return aeadOpenNow(key, sealed, aad);
}

/** The same at once. */
export function aeadOpenNow(key: Bytes, sealed: Bytes, aad: Bytes): Bytes {
  if (sealed.length < AEAD_OVERHEAD) throw new CryptoError('malformed', 'too short to be sealed');
  return openWithNonceNow(key, sealed.slice(0, AEAD_NONCE_BYTES), sealed.subarray(AEAD_NONCE_BYTES), aad);
}

/**
 * Seals under a nonce that is the caller's to choose: never the same one for two plaintexts under one key.
 * @param nonce  24 bytes
 * @returns      ciphertext ‖ tag(16)
 */
export function sealWithNonceNow(key: Bytes, nonce: Bytes, plaintext: Bytes, aad: Bytes): Bytes {
  checkLength(key, AEAD_KEY_BYTES, 'AEAD key');
  checkLength(nonce, AEAD_NONCE_BYTES, 'AEAD nonce');
  return owned(sodiumNow().crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, null, nonce, key));
}

/** @throws CryptoError 'malformed' if too short to be sealed, 'forged' if key, nonce, aad or any byte is another */
export function openWithNonceNow(key: Bytes, nonce: Bytes, sealed: Bytes, aad: Bytes): Bytes {
  checkLength(key, AEAD_KEY_BYTES, 'AEAD key');
  checkLength(nonce, AEAD_NONCE_BYTES, 'AEAD nonce');
  if (sealed.length < AEAD_TAG_BYTES) throw new CryptoError('malformed', 'too short to be sealed');
  const library = sodiumNow();
  try {
    return owned(library.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, aad, nonce, key));
  } catch (cause) {
    throw new CryptoError('forged', 'does not open', { cause });
  }
}

/** A fresh Ed25519 key pair, or the one that belongs to `seed` (32 bytes). */
export async function signKeyPair(seed: Bytes = random(32)): Promise<KeyPair> {
  checkLength(seed, 32, 'Ed25519 seed');
  const library = await sodium();
  const pair = library.crypto_sign_seed_keypair(seed);
  wipe(pair.privateKey);
  return { publicKey: owned(pair.publicKey), privateKey: seed.slice() };
}

/** Plain Ed25519, 64 bytes. Use signed.ts: its labels keep one purpose's signature from serving another. */
export async function sign(privateKey: Bytes, message: Bytes): Promise<Bytes> {
  checkLength(privateKey, 32, 'Ed25519 seed');
  const library = await sodium();
  const pair = library.crypto_sign_seed_keypair(privateKey);
  const signature = library.crypto_sign_detached(message, pair.privateKey);
  wipe(pair.privateKey);
  return owned(signature);
}

/** False, never an error, for a signature or public key of a wrong length, of small order, or in a second encoding. */
export async function verify(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  await sodium();
  return verifyNow(publicKey, message, signature);
}

/** The same at once. */
export function verifyNow(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  if (publicKey.length !== 32 || signature.length !== SIGNATURE_BYTES) return false;
  const library = sodiumNow();
  return library.crypto_sign_verify_detached(signature, message, publicKey);
}

/**
 * Stretches a password: Argon2id, 64 MiB, 3 passes, 32 bytes. Takes a good part of a second and blocks: call it in a worker.
 * @param password  normalised to NFKC first, so that the same word typed on another keyboard is the same password
 * @param salt      16 bytes
 */
export async function stretch(password: string, salt: Bytes): Promise<Bytes> {
  checkLength(salt, ARGON2_SALT_BYTES, 'Argon2id salt');
  const { default: library } = await import('libsodium-wrappers-sumo');
  await library.ready;
  const secret = utf8(password.normalize('NFKC'));
  const stretched = library.crypto_pwhash(
    32,
    secret,
    salt,
    ARGON2_PASSES,
    ARGON2_MEMORY_BYTES,
    library.crypto_pwhash_ALG_ARGON2ID13,
  );
  wipe(secret);
  return owned(stretched);
}

function checkLength(bytes: Bytes, length: number, what: string): void {
  if (bytes.length !== length) throw new CryptoError('usage', `${what} has ${bytes.length} bytes, not ${length}`);
}
