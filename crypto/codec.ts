/**
 * Binary structures: big-endian integers and length-prefixed byte strings, in the presentation style of RFC 8446 §3.
 *
 * Writing what does not fit is our own mistake (CryptoError 'usage'); reading what does not parse is the sender's
 * ('malformed'). Invariant: every value has exactly one encoding, and `end()` refuses bytes that nobody asked for.
 */
import type { Bytes } from './bytes.ts';
import { fromUtf8, utf8 } from './bytes.ts';
import { CryptoError } from './errors.ts';

/** Builds one structure. Methods return the writer, `done()` the bytes. */
export class Writer {
  #buffer: Bytes = new Uint8Array(128);
  #length = 0;

  u8(value: number): this {
    return this.#integer(value, 1);
  }

  u16(value: number): this {
    return this.#integer(value, 2);
  }

  u32(value: number): this {
    return this.#integer(value, 4);
  }

  /** 8 bytes on the wire; 0 ≤ value < 2^53, so that a number holds it exactly. */
  u64(value: number): this {
    return this.#integer(value, 8);
  }

  /** Seven bits a byte, least significant first, the highest bit says that more follow (LEB128); 0 ≤ value < 2^53. */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new CryptoError('usage', 'does not fit into 53 bits');
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.u8(128 + (rest % 128));
    return this.u8(rest);
  }

  /** As many bytes as both sides know from elsewhere. */
  fixed(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** length(1) ‖ bytes */
  opaque8(bytes: Uint8Array): this {
    return this.u8(bytes.length).fixed(bytes);
  }

  /** length(2) ‖ bytes */
  opaque16(bytes: Uint8Array): this {
    return this.u16(bytes.length).fixed(bytes);
  }

  /** length(4) ‖ bytes */
  opaque32(bytes: Uint8Array): this {
    return this.u32(bytes.length).fixed(bytes);
  }

  /** length(1) ‖ UTF-8, at most 255 bytes */
  text8(text: string): this {
    return this.opaque8(utf8(text));
  }

  /** A copy of what was written so far. */
  done(): Bytes {
    return this.#buffer.slice(0, this.#length);
  }

  #integer(value: number, size: number): this {
    const limit = size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * size) - 1;
    if (!Number.isInteger(value) || value < 0 || value > limit) {
      throw new CryptoError('usage', `does not fit into ${size} bytes`);
    }
    this.#room(size);
    let rest = value;
    for (let i = size - 1; i >= 0; i--) {
      this.#buffer[this.#length + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length += size;
    return this;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + more));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Reads one structure in order. Byte strings are copies: the input may be wiped or transferred afterwards. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes have been read. */
  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#integer(1);
  }

  u16(): number {
    return this.#integer(2);
  }

  u32(): number {
    return this.#integer(4);
  }

  /** @throws CryptoError 'malformed' at 2^53 and above */
  u64(): number {
    return this.#integer(8);
  }

  /** As `varint` writes it, in no longer way. @throws CryptoError 'malformed' at 2^53 and above */
  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.u8();
      value += (byte % 128) * unit;
      if (value > Number.MAX_SAFE_INTEGER) throw new CryptoError('malformed', 'integer too large');
      if (byte >= 128) continue;
      if (byte === 0 && unit > 1) throw new CryptoError('malformed', 'longer than it has to be');
      return value;
    }
  }

  fixed(length: number): Bytes {
    if (length > this.remaining) throw new CryptoError('malformed', 'ends too early');
    const bytes = new Uint8Array(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return bytes;
  }

  opaque8(): Bytes {
    return this.fixed(this.u8());
  }

  opaque16(): Bytes {
    return this.fixed(this.u16());
  }

  opaque32(): Bytes {
    return this.fixed(this.u32());
  }

  text8(): string {
    return fromUtf8(this.opaque8());
  }

  /** Everything that is left, possibly nothing. */
  rest(): Bytes {
    return this.fixed(this.remaining);
  }

  /** @throws CryptoError 'malformed' if anything is left */
  end(): void {
    if (this.remaining > 0) throw new CryptoError('malformed', 'goes on after its end');
  }

  #integer(size: number): number {
    if (size > this.remaining) throw new CryptoError('malformed', 'ends too early');
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#bytes[this.#at++]!;
    // Above 2^53 the sum may have been rounded, but never to below the limit.
    if (value > Number.MAX_SAFE_INTEGER) throw new CryptoError('malformed', 'integer too large');
    return value;
  }
}
