/** The replay window against a set that remembers everything. */
import { describe, expect, test } from 'vitest';
import { ReplayWindow, WINDOW } from '../../crypto/replayWindow.ts';
import { numbers } from './seeded.ts';

describe('replay window', () => {
  test('each counter is accepted once, in whatever order', () => {
    const window = new ReplayWindow();
    for (const counter of [0, 5, 3, 4, 1, 2, 31, 32, 33, 2047]) {
      expect(window.isFresh(counter)).toBe(true);
      expect(window.accept(counter)).toBe(true);
      expect(window.isFresh(counter)).toBe(false);
      expect(window.accept(counter)).toBe(false);
    }
  });

  test('asking changes nothing', () => {
    const window = new ReplayWindow();
    expect(window.isFresh(1_000_000)).toBe(true);
    expect(window.accept(0)).toBe(true);
  });

  test('the oldest counter inside of the window is accepted, the next older one is not', () => {
    const window = new ReplayWindow();
    window.accept(10_000);
    expect(window.accept(10_000 - WINDOW + 1)).toBe(true);
    expect(window.accept(10_000 - WINDOW)).toBe(false);
    expect(window.accept(0)).toBe(false);
  });

  test('a long jump forgets nothing that could be accepted again', () => {
    const window = new ReplayWindow();
    for (let counter = 0; counter < 5000; counter++) window.accept(counter);
    for (const jump of [2 ** 20, 2 ** 24 - 1]) {
      expect(window.accept(jump)).toBe(true);
      expect(window.accept(jump)).toBe(false);
      expect(window.accept(jump - 1)).toBe(true);
      expect(window.accept(4999)).toBe(false);
    }
  });

  test('agrees with a set that remembers everything, over 200,000 random arrivals', () => {
    const seed = 20_261;
    const next = numbers(seed);
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let newest = -1;
    for (let step = 0; step < 200_000; step++) {
      const spread = next() < 0.01 ? 20_000 : 3000;
      const counter = Math.max(0, newest + 4 - Math.floor(next() * spread) + (next() < 0.005 ? 9000 : 0));
      const expected = counter > newest - WINDOW && !seen.has(counter);
      const [fresh, accepted] = [window.isFresh(counter), window.accept(counter)];
      if (fresh !== expected || accepted !== expected)
        expect([fresh, accepted], `seed ${seed}, step ${step}`).toEqual([expected, expected]);
      seen.add(counter);
      newest = Math.max(newest, counter);
    }
  });
});
