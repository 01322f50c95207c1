import { expect, test } from 'vitest';
import { Pace } from '../../../client/net/pace.ts';

test('a pace lets a burst through, then as many as time gives back, and never saves up more than the burst', () => {
  const pace = new Pace(3, 2);
  const taken = (now: number, tries: number) =>
    Array.from({ length: tries }, () => pace.take(now)).filter(Boolean).length;
  expect(taken(0, 10)).toBe(3);
  expect(taken(499, 10)).toBe(0);
  expect(taken(1000, 10)).toBe(2);
  expect(taken(900, 10), 'a clock that goes back gives nothing').toBe(0);
  expect(taken(1_000_000, 10)).toBe(3);
});
