/**
 * Byte strings: joining, comparing, wiping, and their text forms.
 *
 * Decoders are strict (one text form per value, except where people type: Crockford base32) and throw
 * CryptoError 'malformed'. Sources: base64url RFC 4648 §5 without padding; Crockford base32 as its author describes it.
 */
import { CryptoError } from './errors.ts';

/** Bytes on a buffer of their own kind: never shared memory, so WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The same bytes under that type, which libraries' types do not say; copied only from shared memory. */
export function owned(bytes: Uint8Array): Bytes {
  return isOwned(bytes) ? bytes : new Uint8Array(bytes);
}

function isOwned(bytes: Uint8Array): bytes is Bytes {
  return bytes.buffer instanceof ArrayBuffer;
}

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF, so that decoding and encoding again gives the same bytes.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Joins `parts` into one new buffer. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * label ‖ 0x00 ‖ parts: the one way in which this package says what bytes are for. The label holds purpose and version.
 * @throws CryptoError 'usage' for an empty label or one with a zero, since two inputs could then be the same bytes
 */
export function labelled(label: string, ...parts: readonly Uint8Array[]): Bytes {
  if (label.length === 0 || label.includes('\0'))
    throw new CryptoError('usage', 'a label is not empty and has no zero');
  return concat(utf8(label), Uint8Array.of(0), ...parts);
}

/** Compares without stopping at the first difference. Lengths are not secret: unequal lengths return at once. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Overwrites secrets that are no longer needed. Best effort: the engine may have made copies that we cannot reach. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

/**
 * Gives a buffer's memory back at once rather than at the next collection: a camera makes megabytes a second of buffers that live
 * 1 ms. Where a browser cannot (Firefox before 122, Safari before 17.4), the collection has to do.
 * @param buffer not to be used afterwards
 */
export function release(buffer: ArrayBuffer): void {
  if ('transfer' in buffer) buffer.transfer(0);
}

/** UTF-8 of `text`. Lone surrogates become U+FFFD, as TextEncoder defines. */
export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** @throws CryptoError 'malformed' on anything that is not UTF-8 */
export function fromUtf8(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CryptoError('malformed', 'not UTF-8', { cause });
  }
}

interface Alphabet {
  readonly digits: string;
  /** Digit value by character code, 0xff where there is none. */
  readonly values: Uint8Array;
}

/** Every two digits of base64url, for 12 bits at a time. */
let pairs: string[] | undefined;

const BASE64URL = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
const HEX = alphabet('0123456789abcdef', 'ABCDEF', 'abcdef');
/** Lower case; i, l, o and u are left out, the first three are read as 1, 1 and 0. */
const CROCKFORD = alphabet(
  '0123456789abcdefghjkmnpqrstvwxyz',
  'ABCDEFGHJKMNPQRSTVWXYZoOiIlL',
  'abcdefghjkmnpqrstvwxyz001111',
);

/** Where the engine has it (ECMA-262 2026): ten times as fast. */
interface Encodes {
  toBase64?(options: { alphabet: 'base64url'; omitPadding: true }): string;
}

/** Base64url without padding. */
export function base64url(bytes: Uint8Array & Encodes): string {
  if (bytes.toBase64 !== undefined) return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
  pairs ??= Array.from({ length: 4096 }, (_, i) => BASE64URL.digits.charAt(i >> 6) + BASE64URL.digits.charAt(i & 63));
  const whole = bytes.length - (bytes.length % 3);
  let text = '';
  for (let at = 0; at < whole; at += 3) {
    const bits = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    text += pairs[bits >> 12]! + pairs[bits & 0xfff]!;
  }
  return whole === bytes.length ? text : text + encodeBits(bytes.subarray(whole), 6, BASE64URL);
}

/** Strict: no padding, no white space, unused bits zero. @throws CryptoError 'malformed' */
export function fromBase64url(text: string): Bytes {
  const { values } = BASE64URL;
  const whole = text.length - (text.length % 4);
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  const digit = (at: number) => values[text.charCodeAt(at)] ?? 0xff;
  let to = 0;
  for (let at = 0; at < whole; at += 4) {
    const [a, b, c, d] = [digit(at), digit(at + 1), digit(at + 2), digit(at + 3)];
    if ((a | b | c | d) > 63) throw new CryptoError('malformed', 'a character outside of the alphabet');
    bytes[to++] = (a << 2) | (b >> 4);
    bytes[to++] = (b << 4) | (c >> 2);
    bytes[to++] = (c << 6) | d;
  }
  // A few digits, with bits that are left over.
  if (whole < text.length) bytes.set(decodeBits(text.slice(whole), 6, BASE64URL), to);
  return bytes;
}

/** Crockford base32, lower case, without separators. Every 5 bytes make 8 characters. */
export function crockford(bytes: Uint8Array): string {
  return encodeBits(bytes, 5, CROCKFORD);
}

/** Reads either case, o as 0, i and l as 1; nothing else. Unused bits must be zero. @throws CryptoError 'malformed' */
export function fromCrockford(text: string): Bytes {
  return decodeBits(text, 5, CROCKFORD);
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return encodeBits(bytes, 4, HEX);
}

/** Either case. @throws CryptoError 'malformed' */
export function fromHex(text: string): Bytes {
  return decodeBits(text, 4, HEX);
}

/** @param also characters that are read, never written, as the ones in `as` */
function alphabet(digits: string, also = '', as = ''): Alphabet {
  const values = new Uint8Array(128).fill(0xff);
  for (let value = 0; value < digits.length; value++) values[digits.charCodeAt(value)] = value;
  for (let i = 0; i < also.length; i++) values[also.charCodeAt(i)] = digits.indexOf(as.charAt(i));
  return { digits, values };
}

/** Most significant bits first, as in RFC 4648 §4; the last digit is filled with zero bits. */
function encodeBits(bytes: Uint8Array, bits: number, { digits }: Alphabet): string {
  let text = '';
  let held = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    held += 8;
    while (held >= bits) {
      held -= bits;
      text += digits[(value >> held) & ((1 << bits) - 1)];
    }
  }
  if (held > 0) text += digits[(value << (bits - held)) & ((1 << bits) - 1)];
  return text;
}

function decodeBits(text: string, bits: number, { values }: Alphabet): Bytes {
  const bytes = new Uint8Array(Math.floor((text.length * bits) / 8));
  let at = 0;
  let held = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = values[text.charCodeAt(i)] ?? 0xff;
    if (digit === 0xff) throw new CryptoError('malformed', 'a character outside of the alphabet');
    value = ((value << bits) | digit) & 0xffff;
    held += bits;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (value >> held) & 0xff;
    }
  }
  // Fewer left-over bits than one digit holds, and all of them zero: else two texts would mean the same bytes.
  if (held >= bits || (value & ((1 << held) - 1)) !== 0)
    throw new CryptoError('malformed', 'not a whole number of bytes');
  return bytes;
}
