/** The tools of the tapped call (tests/e2e/relayTap.test.ts): they must see what is there, or their "nothing" means nothing. */
import { describe, expect, test } from 'vitest';
import { random } from '../../crypto/primitives.ts';
import { findCanaries, formsOf } from '../support/canaries.ts';
import { chiSquare, looksRandom } from '../support/randomness.ts';
import { framesOf, parseRtpHeader } from '../support/rtp.ts';
import { repeatedNonces } from '../support/sealedFrames.ts';

const SSRC = 7;
/** One packet: version, padding and marker bits, payload type 96. */
function packet(sequence: number, payload: number[], { marker = false, padding = 0, timestamp = 90 } = {}): Uint8Array {
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  head.set([0x80 | (padding > 0 ? 0x20 : 0), 96 | (marker ? 0x80 : 0)]);
  view.setUint16(2, sequence);
  view.setUint32(4, timestamp);
  view.setUint32(8, SSRC);
  const filler = Array.from({ length: padding }, () => padding);
  return Uint8Array.from([...head, ...payload, ...filler]);
}
const videoOf = (packets: Uint8Array[]) => framesOf(packets, (ssrc) => (ssrc === SSRC ? 'video' : undefined));

/** RFC 7741 §4.2: X and S; I, L and T; a picture id of 15 bits; TL0PICIDX; TID. */
const FIRST = [0x90, 0xe0, 0x81, 0x23, 5, 0x40];
const NEXT = [0x80, 0xe0, 0x81, 0x23, 5, 0x40];

describe('frames from packets', () => {
  test('VP8 in pieces, in any order, some twice, over the end of the sequence numbers', () => {
    const pieces = [
      packet(0, [...NEXT, 5, 6], { marker: true }),
      packet(65_534, [...FIRST, 1, 2]),
      packet(65_535, [...NEXT, 3, 4], { padding: 3 }),
      packet(65_534, [...FIRST, 1, 2]),
    ];
    expect(videoOf(pieces)).toEqual({
      frames: [{ ssrc: SSRC, timestamp: 90, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) }],
      incomplete: 0,
      padding: 0,
      unknown: 0,
    });
  });

  test('a missing piece makes a frame incomplete, be it the first, a middle or the last one', () => {
    const [a, b, c] = [packet(1, [...FIRST, 1]), packet(2, [...NEXT, 2]), packet(3, [...NEXT, 3], { marker: true })];
    for (const pieces of [
      [b, c],
      [a, c],
      [a, b],
    ]) {
      expect(videoOf(pieces)).toMatchObject({ frames: [], incomplete: 1 });
    }
  });

  test('the shortest descriptor, a packet that only pads, a stream that nobody knows, and reports', () => {
    const short = packet(1, [0x10, 9], { marker: true });
    const padding = packet(2, [], { padding: 255 });
    const report = Uint8Array.from([0x80, 200, ...new Uint8Array(26)]);
    expect(videoOf([short, padding, report])).toMatchObject({ frames: [{ bytes: Uint8Array.of(9) }], padding: 1 });
    expect(framesOf([short], () => undefined)).toMatchObject({ frames: [], unknown: 1 });
  });
});

test('header extensions are read in both forms of RFC 8285, an audio level among them', () => {
  const head = [0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
  const oneByte = Uint8Array.of(...head, 0xbe, 0xde, 0, 2, 0xa0, 0x85, 0, 0x42, 1, 2, 3, 0, 77);
  expect(parseRtpHeader(oneByte)).toMatchObject({
    length: 24,
    extensions: [
      { id: 10, bytes: Uint8Array.of(0x85) },
      { id: 4, bytes: Uint8Array.of(1, 2, 3) },
    ],
  });
  const twoBytes = Uint8Array.of(...head, 0x10, 0, 0, 1, 20, 1, 0x85, 0, 77);
  expect(parseRtpHeader(twoBytes)).toMatchObject({ extensions: [{ id: 20, bytes: Uint8Array.of(0x85) }] });
});

test('a canary is found in each of its forms, wherever it begins, and nowhere else', () => {
  const canaries = [
    { name: 'word', is: 'Canary of the höhle' },
    { name: 'key', is: random(32) },
  ];
  const noise = random(10_000);
  expect(findCanaries(Buffer.from(noise), canaries)).toEqual([]);
  for (const canary of canaries) {
    for (const { encoding, bytes } of formsOf(canary)) {
      expect(findCanaries(Buffer.concat([noise, bytes, noise]), canaries)).toContain(`${canary.name} as ${encoding}`);
    }
    for (const before of ['', 'a', 'ab']) {
      const text = Buffer.concat([Buffer.from(before), Buffer.from(canary.is), Buffer.from('tail')]).toString('base64');
      expect(findCanaries(Buffer.from(text), [canary]).length, before).toBeGreaterThan(0);
    }
  }
  expect(() => formsOf({ name: 'short', is: 'Anna' })).toThrow(RangeError);
});

test('noise looks random; words, a few biased bytes, and what is too even do not', () => {
  const noise = Array.from({ length: 20 }, () => random(10_000));
  expect(looksRandom(chiSquare(noise).chiSquare)).toBe(true);
  const biased = noise.map((part) => part.map((byte, i) => (i % 200 === 0 ? 0 : byte)));
  expect(looksRandom(chiSquare(biased).chiSquare)).toBe(false);
  expect(looksRandom(chiSquare([Buffer.from('a text like any other. '.repeat(1000))]).chiSquare)).toBe(false);
  expect(looksRandom(chiSquare([Uint8Array.from({ length: 25_600 }, (_, i) => i)]).chiSquare)).toBe(false);
});

test('a nonce that comes twice is named', () => {
  const frames = [
    { kid: 1, counter: 0 },
    { kid: 2, counter: 0 },
    { kid: 1, counter: 1 },
    { kid: 2, counter: 0 },
  ];
  expect(repeatedNonces(frames)).toEqual(['key 2, counter 0']);
});
