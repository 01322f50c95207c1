/**
 * The SFrame header: one config byte, then key id and counter where they do not fit into it.
 *
 *     config(1) = X(1 bit) K(3) Y(1) C(3)  ‖  key id(0–8)  ‖  counter(0–8)
 *
 * Source: RFC 9605 §4.3. Only the shortest form of a value is accepted, so every header has one encoding.
 */
import type { Bytes } from './bytes.ts';
import { CryptoError } from './errors.ts';

/** 0 ≤ value < 2^64: a number as long as that is exact (below 2^53), else a bigint. Ours are always numbers. */
export type Uint64 = number | bigint;

export interface SFrameHeader {
  readonly kid: Uint64;
  readonly counter: Uint64;
  /** Bytes of the header, 1 to 17. */
  readonly length: number;
}

/** Bytes that `writeHeader` will write. */
export function headerLength(kid: Uint64, counter: Uint64): number {
  return 1 + extraBytes(kid) + extraBytes(counter);
}

/** Writes the header at `at` into `target`, which has to have room. @returns the offset after it */
export function writeHeader(target: Bytes, at: number, kid: Uint64, counter: Uint64): number {
  const kidBytes = extraBytes(kid);
  const counterBytes = extraBytes(counter);
  const kidBits = kidBytes === 0 ? Number(kid) : 0x8 | (kidBytes - 1);
  const counterBits = counterBytes === 0 ? Number(counter) : 0x8 | (counterBytes - 1);
  target[at] = (kidBits << 4) | counterBits;
  writeUint64(target, at + 1, kidBytes, kid);
  writeUint64(target, at + 1 + kidBytes, counterBytes, counter);
  return at + 1 + kidBytes + counterBytes;
}

/** Reads the header at `at`; what follows it is ignored. Null if it ends too early or is not in its shortest form. */
export function parseHeader(bytes: Bytes, at: number): SFrameHeader | null {
  const config = bytes[at];
  if (config === undefined) return null;
  const kidBytes = config & 0x80 ? ((config >> 4) & 0x7) + 1 : 0;
  const counterBytes = config & 0x08 ? (config & 0x7) + 1 : 0;
  const length = 1 + kidBytes + counterBytes;
  if (at + length > bytes.length) return null;
  const kid = kidBytes === 0 ? (config >> 4) & 0x7 : readUint64(bytes, at + 1, kidBytes);
  const counter = counterBytes === 0 ? config & 0x7 : readUint64(bytes, at + 1 + kidBytes, counterBytes);
  if (extraBytes(kid) !== kidBytes || extraBytes(counter) !== counterBytes) return null;
  return { kid, counter, length };
}

/** XORs `value`, big-endian, onto the end of `target`: how RFC 9605 §4.4.3 makes a nonce of the salt. */
export function xorUint64(target: Bytes, value: Uint64): void {
  let at = target.length - 1;
  if (typeof value === 'number') {
    for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) target[at--]! ^= rest % 256;
  } else {
    for (let rest = value; rest > 0n; rest >>= 8n) target[at--]! ^= Number(rest & 0xffn);
  }
}

/** Bytes after the config byte: none for 0 to 7, else as few as hold the value. */
function extraBytes(value: Uint64): number {
  if (typeof value === 'bigint') {
    if (value < 0n || value >= 1n << 64n) throw new CryptoError('usage', 'not an unsigned 64-bit integer');
    return value < 8n ? 0 : Math.ceil(value.toString(16).length / 2);
  }
  if (value < 8) {
    if (value >= 0 && Number.isInteger(value)) return 0;
  } else if (Number.isSafeInteger(value)) {
    let count = 1;
    for (let limit = 256; value >= limit; limit *= 256) count++;
    return count;
  }
  throw new CryptoError('usage', 'not an unsigned 64-bit integer');
}

function writeUint64(target: Bytes, at: number, count: number, value: Uint64): void {
  if (typeof value === 'bigint') {
    for (let i = 0; i < count; i++) target[at + i] = Number((value >> BigInt(8 * (count - 1 - i))) & 0xffn);
    return;
  }
  let rest = value;
  for (let i = count - 1; i >= 0; i--) {
    target[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function readUint64(bytes: Bytes, at: number, count: number): Uint64 {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 256 + bytes[at + i]!;
  if (Number.isSafeInteger(value)) return value;
  let exact = 0n;
  for (let i = 0; i < count; i++) exact = (exact << 8n) | BigInt(bytes[at + i]!);
  return exact;
}
