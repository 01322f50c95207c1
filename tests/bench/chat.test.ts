/** What is made of the chat's measurements, with y-webrtc having a history and not. */
import { expect, test } from 'vitest';
import { withoutSkew } from './chat.ts';
import { bytesFigure, plainBytes } from './entryBytes.ts';
import { figuresOf } from './history.ts';
import { authorOf, AUTHORS, plainDocument, sumOfTexts, TEXT_LENGTH, textOf } from './plainChat.ts';

test('two clocks that differ by a constant change no time of a message', () => {
  const skewed = withoutSkew({ there: [12, 13, 20], back: [-8, -7, 0] });
  expect(skewed).toEqual([2, 3, 10, 2, 3, 10]);
});

test('a history is compared with y-webrtc and with Yjs alone, round by round', () => {
  const [webrtc, alone, log] = figuresOf(10_000, {
    ...{ snapshot: [200, 400], log: [500, 1000], stock: [100, 400], alone: [50, 100] },
  });
  expect(webrtc).toMatchObject({ ours: 300, other: 250, ratio: 1.5, target: '≤ 300 ms', met: true });
  expect(alone).toMatchObject({ other: 75, ratio: 4, target: '', met: null });
  expect(log).toMatchObject({ ours: 750, other: 75, ratio: 10, target: '', met: null });
});

test('where y-webrtc never has it all there is no ratio', () => {
  const [webrtc] = figuresOf(50_000, { snapshot: [1600], log: [9000], stock: [Infinity], alone: [100] });
  expect(webrtc).toMatchObject({ other: null, ratio: null, against: 'y-webrtc: not within 20 s', met: false });
});

test('texts have forty characters and carry their number, and people take turns', () => {
  const texts = Array.from({ length: 50_000 }, (_, index) => textOf(index));
  expect(texts.every((text) => text.length === TEXT_LENGTH)).toBe(true);
  expect(texts.reduce((sum, text) => sum + Number(text.split(' ')[1]), 0)).toBe(sumOfTexts(50_000));
  expect(new Set(texts.map((_, index) => authorOf(index))).size).toBe(AUTHORS);
});

test('the plain document holds what was written in its order', () => {
  const list = plainDocument(100, textOf).getArray<string>('entries').toArray();
  expect(list).toEqual(Array.from({ length: 100 }, (_, index) => textOf(index)));
});

test('an entry of plain Yjs takes up what our plan took it for, and a ratio is of that', () => {
  const { document } = plainBytes(1000);
  expect(document).toBeGreaterThan(70);
  expect(document).toBeLessThan(85);
  expect(bytesFigure('it', 150, 75, { against: 'plain', limit: 1.6 })).toMatchObject({ ratio: 2, met: false });
});
