/** SFrame against the vectors of RFC 9605, against its naive twin, and against frames that were tampered with. */
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, fromHex, hex } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { random } from '../../crypto/primitives.ts';
import { deriveKeys, importBaseKey, openFrame, sealFrame } from '../../crypto/sframe.ts';
import type { Direction, SuiteId } from '../../crypto/sframeCipher.ts';
import { SUITES, ctrHmacCipher } from '../../crypto/sframeCipher.ts';
import { headerLength, parseHeader, writeHeader } from '../../crypto/sframeHeader.ts';
import published from '../vectors/sframe.json' with { type: 'json' };
import shortTags from '../vectors/sframeShortTags.json' with { type: 'json' };
import { naiveHeader, naiveKeys, naiveSeal } from './naiveSFrame.ts';

const suites: SuiteId[] = [1, 2, 3, 4, 5];

async function keysOf(suite: SuiteId, baseKey: Bytes, kid: number | bigint, direction: Direction) {
  return deriveKeys(suite, await importBaseKey(baseKey), kid, direction);
}

function header(kid: number | bigint, counter: number | bigint): Bytes {
  const bytes = new Uint8Array(headerLength(kid, counter));
  expect(writeHeader(bytes, 0, kid, counter)).toBe(bytes.length);
  return bytes;
}

describe('vectors: header, RFC 9605 Appendix C.1', () => {
  test(`all ${published.header.length} headers are read and written as published`, () => {
    expect(published.header).toHaveLength(97);
    for (const vector of published.header) {
      const parsed = parseHeader(fromHex(vector.encoded), 0);
      expect(parsed, vector.encoded).not.toBeNull();
      expect(parsed!.length).toBe(vector.encoded.length / 2);
      // Integers of 2^53 and above are rounded in the file; Number() rounds ours alike.
      expect(Number(parsed!.kid)).toBe(vector.kid);
      expect(Number(parsed!.counter)).toBe(vector.ctr);
      expect(hex(header(parsed!.kid, parsed!.counter))).toBe(vector.encoded);
      expect(naiveHeader(BigInt(parsed!.kid), BigInt(parsed!.counter)).toString('hex')).toBe(vector.encoded);
    }
  });

  test('the largest values are exact', () => {
    const largest = 2n ** 64n - 1n;
    expect(parseHeader(fromHex('ffffffffffffffffffffffffffffffffff'), 0)).toEqual({
      kid: largest,
      counter: largest,
      length: 17,
    });
    expect(hex(header(2n ** 56n - 1n, 2n ** 53n))).toBe('eeffffffffffffff20000000000000');
  });

  test('what is no unsigned 64-bit integer is not written', () => {
    for (const value of [-1, 0.5, 2 ** 53, NaN, -1n, 2n ** 64n]) {
      expect(() => headerLength(value, 0)).toThrow(CryptoError);
      expect(() => headerLength(0, value)).toThrow(CryptoError);
    }
  });

  test('a header that ends too early, or says a small value at length, is refused', () => {
    for (const text of ['', '80', '08', '88ff', '99', '9901', '990123', '99012345']) {
      expect(parseHeader(fromHex(text), 0), text).toBeNull();
    }
    for (const text of ['8007', '0807', '90000f', '090010', '0f0000000000000001']) {
      expect(parseHeader(fromHex(text), 0), text).toBeNull();
    }
    expect(parseHeader(fromHex('00'), 1)).toBeNull();
  });
});

describe('vectors: AES-CTR with HMAC, RFC 9605 Appendix C.2', () => {
  for (const vector of [...published.aes_ctr_hmac, ...shortTags.aes_ctr_hmac]) {
    test(`suite ${vector.cipher_suite}`, async () => {
      const suite = vector.cipher_suite as 1 | 2 | 3;
      const [key, nonce, aad, plaintext, ciphertext] = [vector.key, vector.nonce, vector.aad, vector.pt, vector.ct].map(
        (text) => fromHex(text),
      ) as [Bytes, Bytes, Bytes, Bytes, Bytes];
      const sealing = await ctrHmacCipher(suite, key, 'seal');
      const opening = await ctrHmacCipher(suite, key, 'open');
      expect(hex(new Uint8Array(await sealing.seal(nonce, aad, plaintext)))).toBe(vector.ct);
      expect(hex(new Uint8Array(await opening.open(nonce, aad, ciphertext)))).toBe(vector.pt);
      await expect(opening.seal(nonce, aad, plaintext)).rejects.toThrow();
      await expect(sealing.open(nonce, aad, ciphertext)).rejects.toThrow();
      await expect(ctrHmacCipher(suite, key.subarray(1), 'seal')).rejects.toMatchObject({ code: 'usage' });
    });
  }
});

describe('vectors: SFrame, RFC 9605 Appendix C.3', () => {
  const vectors = [...published.sframe, ...shortTags.sframe];

  test('all five suites are there', () => {
    expect(vectors.map((vector) => vector.cipher_suite).sort()).toEqual(suites);
  });

  for (const vector of vectors) {
    test(SUITES[vector.cipher_suite as SuiteId].name, async () => {
      const suite = vector.cipher_suite as SuiteId;
      const baseKey = fromHex(vector.base_key);
      const metadata = fromHex(vector.metadata);
      const sealing = await keysOf(suite, baseKey, vector.kid, 'seal');
      const opening = await keysOf(suite, baseKey, vector.kid, 'open');
      expect(hex(sealing.salt)).toBe(vector.sframe_salt);
      expect(naiveKeys(suite, baseKey, BigInt(vector.kid)).key.toString('hex')).toBe(vector.sframe_key);

      // Our frames carry the metadata in front; the rest is the SFrame ciphertext.
      const sealed = await sealFrame(sealing, vector.ctr, concat(metadata, fromHex(vector.pt)), metadata.length);
      expect(hex(sealed)).toBe(vector.metadata + vector.ct);
      const parsed = parseHeader(sealed, metadata.length)!;
      expect(parsed).toMatchObject({ kid: vector.kid, counter: vector.ctr });
      expect(hex((await openFrame(opening, parsed, sealed, metadata.length))!)).toBe(vector.metadata + vector.pt);
    });
  }
});

describe('twin', () => {
  test('sealing agrees with the naive twin in every suite, at many sizes, prefixes, key ids and counters', async () => {
    let compared = 0;
    for (const suite of suites) {
      const baseKey = random(32);
      for (const kid of [0, 7, 8, 255, 256, 0xffff]) {
        const keys = await keysOf(suite, baseKey, kid, 'seal');
        for (const counter of [0, 7, 8, 0xff, 0x100, 0xffff, 0x10000, 0xffffff, 2 ** 32, 2 ** 53 - 1]) {
          for (const [size, clear] of [
            [0, 0],
            [1, 0],
            [1, 1],
            [15, 1],
            [160, 0],
            [1200, 10],
          ] as const) {
            const frame = random(size);
            const sealed = await sealFrame(keys, counter, frame, clear);
            const naive = naiveSeal({
              suite,
              baseKey,
              kid,
              counter,
              clear: frame.subarray(0, clear),
              plaintext: frame.subarray(clear),
            });
            expect(naive.equals(sealed)).toBe(true);
            compared++;
          }
        }
      }
    }
    expect(compared).toBe(5 * 6 * 10 * 6);
  });
});

describe('round trip', () => {
  test('a frame comes back byte for byte, on a buffer of its own, and the input is left alone', async () => {
    for (const suite of suites) {
      const baseKey = random(32);
      const sealing = await keysOf(suite, baseKey, 0x1234, 'seal');
      const opening = await keysOf(suite, baseKey, 0x1234, 'open');
      for (const [size, clear] of [
        [1, 0],
        [1, 1],
        [160, 0],
        [5000, 1],
        [30_000, 1],
      ] as const) {
        // A view into a larger buffer, as encoders may hand it over.
        const frame = random(size + 10).subarray(5, 5 + size);
        const before = hex(frame);
        const sealed = await sealFrame(sealing, size, frame, clear);
        expect(sealed.buffer.byteLength).toBe(sealed.length);
        expect(sealed.length).toBe(size + headerLength(0x1234, size) + SUITES[suite].tagBytes);
        const opened = await openFrame(opening, parseHeader(sealed, clear)!, sealed, clear);
        expect(opened!.buffer.byteLength).toBe(size);
        expect(hex(opened!)).toBe(before);
        expect(hex(frame)).toBe(before);
      }
    }
  });
});

describe('must reject', () => {
  for (const suite of suites) {
    test(`suite ${suite}: any flipped bit, any lost or added byte`, async () => {
      const baseKey = random(32);
      const kid = 0x1234;
      const clear = 1;
      const sealing = await keysOf(suite, baseKey, kid, 'seal');
      const opening = await keysOf(suite, baseKey, kid, 'open');
      const sealed = await sealFrame(sealing, 0x4567, random(40), clear);
      const open = async (frame: Bytes) => {
        const parsed = parseHeader(frame, clear);
        return parsed === null ? null : openFrame(opening, parsed, frame, clear);
      };
      expect(await open(sealed)).not.toBeNull();
      for (let bit = 0; bit < 8 * sealed.length; bit++) {
        const flipped = sealed.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(await open(flipped), `bit ${bit}`).toBeNull();
      }
      for (let length = 0; length < sealed.length; length++) {
        expect(await open(sealed.slice(0, length)), `${length} bytes`).toBeNull();
        expect(await open(sealed.slice(sealed.length - length)), `last ${length} bytes`).toBeNull();
      }
      expect(await open(concat(sealed, Uint8Array.of(0)))).toBeNull();
      expect(await open(concat(Uint8Array.of(0), sealed))).toBeNull();
    });

    test(`suite ${suite}: another base key, key id or prefix length`, async () => {
      const baseKey = random(32);
      const sealing = await keysOf(suite, baseKey, 9, 'seal');
      const sealed = await sealFrame(sealing, 1, random(40), 0);
      const parsed = parseHeader(sealed, 0)!;
      expect(await openFrame(await keysOf(suite, baseKey, 9, 'open'), parsed, sealed, 0)).not.toBeNull();
      expect(await openFrame(await keysOf(suite, baseKey, 10, 'open'), parsed, sealed, 0)).toBeNull();
      expect(await openFrame(await keysOf(suite, random(32), 9, 'open'), parsed, sealed, 0)).toBeNull();
      expect(await openFrame(await keysOf(suite, baseKey, 9, 'open'), parsed, sealed, 1)).toBeNull();
    });
  }

  test('keys work in one direction only (RFC 9605 §4.4.1)', async () => {
    const baseKey = random(32);
    for (const suite of suites) {
      const sealing = await keysOf(suite, baseKey, 9, 'seal');
      const opening = await keysOf(suite, baseKey, 9, 'open');
      const sealed = await sealFrame(sealing, 1, random(40), 0);
      expect(await openFrame(sealing, parseHeader(sealed, 0)!, sealed, 0)).toBeNull();
      await expect(sealFrame(opening, 1, random(40), 0)).rejects.toThrow();
    }
  });
});
