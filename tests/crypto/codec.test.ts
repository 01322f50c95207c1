/** Binary structures: one encoding per value, and no reading past the end. */
import { describe, expect, test } from 'vitest';
import { concat, equal, hex, utf8 } from '../../crypto/bytes.ts';
import { Reader, Writer } from '../../crypto/codec.ts';
import { random } from '../../crypto/primitives.ts';
import { numbers } from './seeded.ts';

const malformed = expect.objectContaining({ code: 'malformed' }) as Error;
const usage = expect.objectContaining({ code: 'usage' }) as Error;

test('the layout is big-endian with lengths in front', () => {
  const written = new Writer()
    .u8(1)
    .u16(0x0203)
    .u32(0x04050607)
    .u64(2 ** 53 - 1)
    .fixed(utf8('f'))
    .opaque8(utf8('ab'))
    .opaque16(utf8('c'))
    .opaque32(utf8(''))
    .text8('é')
    .done();
  expect(hex(written)).toBe(
    '01' + '0203' + '04050607' + '001fffffffffffff' + '66' + '026162' + '000163' + '00000000' + '02c3a9',
  );
});

test('what was written is read back, also when it outgrows the first buffer', () => {
  const [small, large] = [random(255), random(60_000)];
  const written = new Writer().opaque8(small).opaque16(large).opaque32(large).u64(5).text8('kind').fixed(small).done();
  const reader = new Reader(written);
  expect(equal(reader.opaque8(), small)).toBe(true);
  expect(reader.offset).toBe(256);
  expect(equal(reader.opaque16(), large)).toBe(true);
  expect(equal(reader.opaque32(), large)).toBe(true);
  expect(reader.u64()).toBe(5);
  expect(reader.text8()).toBe('kind');
  expect(reader.remaining).toBe(255);
  expect(equal(reader.rest(), small)).toBe(true);
  reader.end();
});

test('what is read is a copy', () => {
  const bytes = new Writer().opaque8(utf8('secret')).done();
  const read = new Reader(bytes).opaque8();
  bytes.fill(0);
  expect(hex(read)).toBe(hex(utf8('secret')));
});

describe('must reject', () => {
  test('numbers and lengths that do not fit', () => {
    for (const value of [-1, 256, 0.5, NaN, Infinity]) expect(() => new Writer().u8(value)).toThrow(usage);
    expect(() => new Writer().u16(65_536)).toThrow(usage);
    expect(() => new Writer().u32(2 ** 32)).toThrow(usage);
    expect(() => new Writer().u64(2 ** 53)).toThrow(usage);
    expect(() => new Writer().opaque8(new Uint8Array(256))).toThrow(usage);
    expect(() => new Writer().opaque16(new Uint8Array(65_536))).toThrow(usage);
    expect(() => new Writer().text8('é'.repeat(128))).toThrow(usage);
  });

  test('integers of 2^53 and above', () => {
    for (const text of ['0020000000000000', '0020000000000001', 'ffffffffffffffff']) {
      expect(() => new Reader(new Uint8Array(Buffer.from(text, 'hex'))).u64()).toThrow(malformed);
    }
  });

  test('every truncation, and anything after the end', () => {
    const whole = new Writer()
      .u8(1)
      .u16(2)
      .u32(3)
      .u64(4)
      .opaque8(random(3))
      .opaque16(random(3))
      .opaque32(random(3))
      .done();
    const read = (bytes: Uint8Array): void => {
      const reader = new Reader(bytes);
      reader.u8();
      reader.u16();
      reader.u32();
      reader.u64();
      reader.opaque8();
      reader.opaque16();
      reader.opaque32();
      reader.end();
    };
    read(whole);
    for (let length = 0; length < whole.length; length++) expect(() => read(whole.slice(0, length))).toThrow(malformed);
    expect(() => read(concat(whole, Uint8Array.of(0)))).toThrow(malformed);
  });

  test('random bytes never make the reader fail in another way', () => {
    const seed = 77;
    const next = numbers(seed);
    for (let round = 0; round < 3000; round++) {
      const reader = new Reader(random(Math.floor(next() * 40)));
      try {
        for (let step = 0; step < 6; step++) {
          const choice = Math.floor(next() * 6);
          if (choice === 0) reader.u8();
          else if (choice === 1) reader.u64();
          else if (choice === 2) reader.opaque8();
          else if (choice === 3) reader.opaque32();
          else if (choice === 4) reader.text8();
          else reader.end();
        }
      } catch (error) {
        expect(error, `seed ${seed}, round ${round}`).toMatchObject({ code: 'malformed' });
      }
    }
  });
});
