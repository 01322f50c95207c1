/**
 * age v1 files (c2sp.org/age), to and for X25519 keys: what is sealed here any age tool opens, and the other way round.
 *
 *     file    = header ‖ nonce(16) ‖ chunk…                                     chunks of 65,536 bytes, the last 1 to that many
 *     header  = "age-encryption.org/v1\n" ‖ ("-> X25519 " share "\n" wrapped file key "\n")… ‖ "--- " mac "\n"
 *     chunk i = ChaCha20-Poly1305( payload key, nonce i(11) ‖ is last(1) )      payload key: HKDF-SHA-256 of file key(16) and nonce
 *
 * A chunk opens alone, so a file seeks. Its place and whether it is the last are in its nonce: what was cut short, put in another order or
 * taken from elsewhere does not open. A nonce seals one content, ever: a sealer makes the same bytes again, for an upload that goes
 * on, and refuses others. Recipients' keys are not in the header: where they are told to readers alone, also a quantum
 * computer that gets the file learns nothing from its X25519 shares.
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, equal, fromBase64url, utf8, wipe } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { chachaOpenNow, chachaSealNow, hkdfSha256, hmacSha256, random, ready, x25519 } from './primitives.ts';

export const AGE_CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const SEALED_CHUNK_BYTES = AGE_CHUNK_BYTES + TAG_BYTES;
const KEY_BYTES = 32;
const FILE_KEY_BYTES = 16;
const NONCE_BYTES = 16;
const VERSION = 'age-encryption.org/v1\n';
const STANZA_LABEL = utf8('age-encryption.org/v1/X25519');
const NOTHING = new Uint8Array(0);
const ZERO_NONCE = new Uint8Array(12);
/** Headers are some hundred bytes. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Of what `AgeSealer` writes before the chunks, for one recipient. */
export const AGE_START_BYTES =
  VERSION.length + '-> X25519 '.length + 43 + 1 + 43 + 1 + '--- '.length + 43 + 1 + NONCE_BYTES;

/** @returns 32 bytes: who has these opens what is sealed to `ageRecipient` of them */
export function newAgeIdentity(): Bytes {
  return random(KEY_BYTES);
}

/** @param identity 32 bytes @returns 32 bytes */
export function ageRecipient(identity: Bytes): Promise<Bytes> {
  return x25519(identity, BASE_POINT);
}
const BASE_POINT = Uint8Array.from({ length: KEY_BYTES }, (_, i) => (i === 0 ? 9 : 0));

/** How long a file gets. @param size of the content, in bytes */
export function ageSize(size: number): number {
  return AGE_START_BYTES + size + TAG_BYTES * Math.max(1, Math.ceil(size / AGE_CHUNK_BYTES));
}

export class AgeSealer {
  /** What the file begins with: header and nonce. */
  readonly start: Bytes;
  readonly #key: Bytes;
  /** Of each chunk that was sealed: the same again is no other content. */
  readonly #tags = new Map<number, Bytes>();
  #last: number | null = null;
  #isWiped = false;

  private constructor(start: Bytes, key: Bytes) {
    this.start = start;
    this.#key = key;
  }

  /** @param recipient 32 bytes, from `ageRecipient` */
  static async create(recipient: Bytes): Promise<AgeSealer> {
    await ready();
    const [fileKey, ephemeral, nonce] = [random(FILE_KEY_BYTES), random(KEY_BYTES), random(NONCE_BYTES)];
    const share = await ageRecipient(ephemeral);
    const wrapKey = await stanzaKey(await x25519(ephemeral, recipient), share, recipient);
    const wrapped = chachaSealNow(wrapKey, ZERO_NONCE, fileKey);
    const head = utf8(`${VERSION}-> X25519 ${base64(share)}\n${base64(wrapped)}\n---`);
    const mac = await headerMac(fileKey, head);
    const key = await payloadKey(fileKey, nonce);
    wipe(fileKey, ephemeral, wrapKey);
    return new AgeSealer(concat(head, utf8(` ${base64(mac)}\n`), nonce), key);
  }

  /**
   * Chunks in any order, each as often as one likes.
   * @param chunk 65,536 bytes; the last has 1 to that many, or 0 where it is the only one
   * @throws CryptoError 'usage' for another length, or another content than before, or after `wipe`
   */
  seal(index: number, isLast: boolean, chunk: Bytes): Bytes {
    // Else under zeros, which anybody opens.
    if (this.#isWiped) throw new CryptoError('usage', 'its key is gone');
    const least = !isLast ? AGE_CHUNK_BYTES : index === 0 ? 0 : 1;
    if (chunk.length < least || chunk.length > AGE_CHUNK_BYTES)
      throw new CryptoError('usage', 'no chunk of this place');
    if (isLast) this.#last ??= index;
    if (this.#last !== null && isLast !== (index === this.#last))
      throw new CryptoError('usage', 'the file ends elsewhere');
    const sealed = chachaSealNow(this.#key, chunkNonce(index, isLast), chunk);
    const tag = sealed.slice(-TAG_BYTES);
    const before = this.#tags.get(index);
    // Not handed out: two contents under one nonce would tell both.
    if (before !== undefined && !equal(before, tag)) throw new CryptoError('usage', 'another content than before');
    this.#tags.set(index, tag);
    return sealed;
  }

  wipe(): void {
    this.#isWiped = true;
    wipe(this.#key);
  }
}

export class AgeOpener {
  /** Where chunks begin. */
  readonly chunksAt: number;
  readonly #key: Bytes;

  private constructor(chunksAt: number, key: Bytes) {
    this.chunksAt = chunksAt;
    this.#key = key;
  }

  /**
   * @param start of the file: its header and nonce, and whatever follows
   * @throws CryptoError 'malformed', 'unknownKey' where it is not for this identity, 'forged'
   */
  static async open(start: Bytes, identity: Bytes): Promise<AgeOpener> {
    await ready();
    const { stanzas, head, mac, length } = parseHeader(start);
    if (start.length < length + NONCE_BYTES) throw new CryptoError('malformed', 'ends before its chunks');
    const recipient = await ageRecipient(identity);
    let fileKey: Bytes | null = null;
    for (const { args, body } of stanzas) {
      if (args[0] === 'scrypt' && stanzas.length > 1) throw new CryptoError('malformed', 'a password beside keys');
      if (args[0] !== 'X25519') continue;
      const share = args.length === 2 ? fromBase64(args[1]!) : NOTHING;
      if (share.length !== KEY_BYTES || body.length !== FILE_KEY_BYTES + TAG_BYTES)
        throw new CryptoError('malformed', 'no X25519 stanza');
      // Points of small order give the same to everybody: libsodium refuses them.
      const shared = await x25519(identity, share);
      const wrapKey = await stanzaKey(shared, share, recipient);
      fileKey ??= tryOpen(wrapKey, body);
    }
    if (fileKey === null) throw new CryptoError('unknownKey', 'for somebody else');
    if (!equal(await headerMac(fileKey, head), mac)) throw new CryptoError('forged', 'does not open');
    const key = await payloadKey(fileKey, start.slice(length, length + NONCE_BYTES));
    wipe(fileKey);
    return new AgeOpener(length + NONCE_BYTES, key);
  }

  /** @throws CryptoError 'malformed', 'forged' */
  open(index: number, isLast: boolean, sealed: Bytes): Bytes {
    const least = TAG_BYTES + (!isLast ? AGE_CHUNK_BYTES : index === 0 ? 0 : 1);
    if (sealed.length < least || sealed.length > SEALED_CHUNK_BYTES) throw new CryptoError('malformed', 'no chunk');
    return chachaOpenNow(this.#key, chunkNonce(index, isLast), sealed);
  }

  wipe(): void {
    wipe(this.#key);
  }
}

/** Chunks of sealed bytes that begin with one. */
export function* cutSealed(sealed: Bytes): Generator<Bytes> {
  for (let at = 0; at < sealed.length; at += SEALED_CHUNK_BYTES) yield sealed.slice(at, at + SEALED_CHUNK_BYTES);
}

interface Stanza {
  readonly args: readonly string[];
  readonly body: Bytes;
}

function parseHeader(start: Bytes): { stanzas: Stanza[]; head: Bytes; mac: Bytes; length: number } {
  // Bytes as characters: positions are the same, and what is no ASCII fits no pattern.
  const text = String.fromCharCode(...start.subarray(0, MAX_HEADER_BYTES));
  if (!text.startsWith(VERSION)) throw new CryptoError('malformed', 'no age file');
  const stanzas: Stanza[] = [];
  let at = VERSION.length;
  for (;;) {
    const end = /^--- ([A-Za-z0-9+/]{43})\n/.exec(text.slice(at, at + 64));
    if (end) {
      if (stanzas.length === 0) throw new CryptoError('malformed', 'for nobody');
      const head = start.slice(0, at + 3);
      return { stanzas, head, mac: fromBase64(end[1]!), length: at + end[0].length };
    }
    const opening = /^-> ([!-~]+(?: [!-~]+)*)\n/.exec(text.slice(at));
    if (!opening) throw new CryptoError('malformed', 'no header');
    at += opening[0].length;
    // Lines of 64, and a shorter one, which may be empty.
    const body = /^(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{0,63}\n/.exec(text.slice(at));
    if (!body) throw new CryptoError('malformed', 'no header');
    at += body[0].length;
    stanzas.push({ args: opening[1]!.split(' '), body: fromBase64(body[0].replaceAll('\n', '')) });
  }
}

function tryOpen(key: Bytes, sealed: Bytes): Bytes | null {
  try {
    return chachaOpenNow(key, ZERO_NONCE, sealed);
  } catch {
    return null;
  }
}

function stanzaKey(shared: Bytes, share: Bytes, recipient: Bytes): Promise<Bytes> {
  return hkdfSha256(shared, { salt: concat(share, recipient), info: STANZA_LABEL, length: KEY_BYTES });
}

function payloadKey(fileKey: Bytes, nonce: Bytes): Promise<Bytes> {
  return hkdfSha256(fileKey, { salt: nonce, info: utf8('payload'), length: KEY_BYTES });
}

async function headerMac(fileKey: Bytes, head: Bytes): Promise<Bytes> {
  return hmacSha256(await hkdfSha256(fileKey, { salt: NOTHING, info: utf8('header'), length: KEY_BYTES }), head);
}

function chunkNonce(index: number, isLast: boolean): Bytes {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(3, BigInt(index));
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** RFC 4648 §4 without padding. */
function base64(bytes: Bytes): string {
  return base64url(bytes).replaceAll('-', '+').replaceAll('_', '/');
}

/** @throws CryptoError 'malformed', also for what stands for bytes in a second way */
function fromBase64(text: string): Bytes {
  if (/[-_]/.test(text)) throw new CryptoError('malformed', 'no base64');
  const bytes = fromBase64url(text.replaceAll('+', '-').replaceAll('/', '_'));
  if (base64(bytes) !== text) throw new CryptoError('malformed', 'no base64');
  return bytes;
}
