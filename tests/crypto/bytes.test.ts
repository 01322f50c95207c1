/** Byte strings and their text forms, against node's Buffer, and with everything that must not parse. */
import { describe, expect, test } from 'vitest';
import {
  concat,
  crockford,
  equal,
  fromBase64url,
  fromCrockford,
  fromHex,
  fromUtf8,
  base64url,
  hex,
  labelled,
  utf8,
  wipe,
} from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { random } from '../../crypto/primitives.ts';

const malformed = expect.objectContaining({ code: 'malformed' }) as Error;

describe('round trip', () => {
  test('every length from 0 to 300 goes through base64url, hex and Crockford as Buffer writes them', () => {
    for (let length = 0; length <= 300; length++) {
      const bytes = random(length);
      expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      expect(hex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(equal(fromBase64url(base64url(bytes)), bytes)).toBe(true);
      expect(equal(fromHex(hex(bytes).toUpperCase()), bytes)).toBe(true);
      expect(equal(fromCrockford(crockford(bytes)), bytes)).toBe(true);
    }
  });

  test('a large commit takes milliseconds, not seconds', () => {
    const bytes = concat(...Array.from({ length: 8 }, () => random(65_536)));
    expect(equal(fromBase64url(base64url(bytes)), bytes)).toBe(true);
  });

  test('UTF-8, a leading byte order mark included', () => {
    for (const text of ['', 'Zoë 👩‍🚀 日本', '\ufeffmark', '\0']) expect(fromUtf8(utf8(text))).toBe(text);
  });

  test('Crockford: the digits of 10 bytes, and what people type instead of them', () => {
    const bytes = fromCrockford('0123456789abcdef');
    expect(bytes).toHaveLength(10);
    expect(crockford(bytes)).toBe('0123456789abcdef');
    expect(equal(fromCrockford('oO1iIlL1'), fromCrockford('00111111'))).toBe(true);
    expect(equal(fromCrockford('GHJKMNPQ'), fromCrockford('ghjkmnpq'))).toBe(true);
  });
});

describe('must reject', () => {
  test('base64url: padding, white space, the other alphabet, left-over bits, a lone digit', () => {
    for (const text of ['QQ==', 'QQ=', ' QQ', 'QQ\n', 'Q+/v', 'QR', 'QUJ', 'Q', 'QUJDR', 'Qé', 'QQ\u{1F600}']) {
      expect(() => fromBase64url(text), text).toThrow(malformed);
    }
  });

  test('hex and Crockford: foreign digits, odd lengths, letters that only look alike', () => {
    for (const text of ['0', '0g', 'abc', '٠٠']) expect(() => fromHex(text), text).toThrow(malformed);
    // U+212A, the Kelvin sign, becomes k in lower case; it is still not a k.
    for (const text of ['u0', '00-00', 'z', '0z', '\u212a0', '000']) {
      expect(() => fromCrockford(text), text).toThrow(malformed);
    }
  });

  test('what is not UTF-8', () => {
    for (const text of ['ff', 'c080', 'eda080', '80', 'f5808080']) {
      expect(() => fromUtf8(fromHex(text)), text).toThrow(malformed);
    }
  });

  test('a label that is empty or hides a zero', () => {
    expect(hex(labelled('a', utf8('b'), utf8('c')))).toBe('61006263');
    for (const label of ['', 'a\0b']) expect(() => labelled(label)).toThrow(CryptoError);
  });
});

test('equal compares all bytes and the length', () => {
  const bytes = random(32);
  expect(equal(bytes, bytes.slice())).toBe(true);
  for (let i = 0; i < 32; i++) {
    const other = bytes.slice();
    other[i]! ^= 0x80;
    expect(equal(bytes, other)).toBe(false);
  }
  expect(equal(bytes, bytes.subarray(1))).toBe(false);
  expect(equal(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});

test('wipe overwrites all that it is given', () => {
  const [a, b] = [random(32), random(64)];
  wipe(a, b);
  expect([...a, ...b].every((byte) => byte === 0)).toBe(true);
});
