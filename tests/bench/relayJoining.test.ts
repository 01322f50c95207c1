/** What is told of joins through the relay, with Janus beside them and without. */
import { expect, test } from 'vitest';
import { figuresOf } from './relayJoining.ts';

const joins = (...times: number[]) => new Map([[2, times]]);
const relay = [joins(100, 110, 90), joins(200)];
const bare = [joins(50), joins(100)];

test('each round’s median is compared with that of the same round', () => {
  const [janus, other, p95] = figuresOf(2, { relay, bare, janus: [joins(400), joins(500)] });
  expect(janus).toMatchObject({ ours: 150, other: 450, ratio: 0.325, met: true });
  expect(other).toMatchObject({ other: 75, ratio: 2, met: null });
  expect(p95!.ours).toBeCloseTo(187, -1);
});

test('without Janus the target is not spoken of', () => {
  const figures = figuresOf(2, { relay, bare });
  expect(figures.map(({ against }) => against)).toEqual(['bare call, no server', '']);
  expect(figures.every(({ met }) => met === null)).toBe(true);
});
