/** Who stands where, and who has the floor, as people come, go and speak. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { NOBODY, step, type Heard, type Order } from '../../../client/meeting/order.ts';

const p = (...numbers: number[]): PeerId[] => numbers.map((number) => `p${number}` as PeerId);

/** Plays moments one after the other, each with what differs from the one before. */
function play(...moments: Partial<Heard>[]): Order {
  let order = NOBODY;
  let heard: Heard = { here: [], speaking: [], first: 4, onFirst: true, large: null, now: 0 };
  for (const moment of moments) {
    heard = { ...heard, ...moment };
    order = step(order, heard);
  }
  return order;
}

describe('places', () => {
  test('who comes stands last, and who stays keeps the order', () => {
    expect(play({ here: p(1, 2, 3) }, { here: p(4, 3, 1) }).order).toEqual(p(1, 3, 4));
  });

  test('who speaks on the first page stays where they are', () => {
    expect(play({ here: p(1, 2, 3, 4, 5) }, { speaking: p(2) }, { now: 5000 }).order).toEqual(p(1, 2, 3, 4, 5));
  });

  test('who speaks on another page changes places with whoever of the first has not spoken for longest', () => {
    const order = play(
      { here: p(1, 2, 3, 4, 5, 6), speaking: p(1), now: 1 },
      { speaking: p(3), now: 1000 },
      { speaking: p(4), now: 2000 },
      { speaking: p(2), now: 3000 },
      { speaking: p(6), now: 4000 },
      { now: 5000 },
    ).order;
    expect(order).toEqual(p(6, 2, 3, 4, 5, 1));
  });

  test('a cough moves nobody', () => {
    const order = play({ here: p(1, 2, 3, 4, 5), speaking: p(5) }, { now: 600, speaking: [] }, { now: 5000 }).order;
    expect(order).toEqual(p(1, 2, 3, 4, 5));
  });

  test('nobody is taken off a page that one looks at', () => {
    expect(play({ here: p(1, 2, 3, 4, 5), speaking: p(5), onFirst: false }, { now: 9000 }).order).toEqual(
      p(1, 2, 3, 4, 5),
    );
  });

  test('while all of the first page speak, nobody gives way', () => {
    expect(play({ here: p(1, 2, 3, 4, 5), speaking: p(1, 2, 3, 4, 5) }, { now: 9000 }).order).toEqual(p(1, 2, 3, 4, 5));
  });

  test('whatever happens, everybody is there once, and at most those move who speak and those who give way', () => {
    // A generator with a fixed seed (Park and Miller): the same walk each time.
    let seed = 7;
    const below = (limit: number): number => (seed = (seed * 48271) % 2147483647) % limit;
    let here = p(...Array.from({ length: 30 }, (_, index) => index));
    let order = NOBODY;
    for (let round = 0; round < 500; round += 1) {
      if (below(10) === 0) here = here.filter(() => below(30) !== 0);
      if (below(10) === 0) here = [...here, ...p(1000 + round)];
      const speaking = here.filter(() => below(12) === 0);
      const heard = { here, speaking, first: 9, onFirst: below(2) === 0, large: null, now: round * 700 };
      const next = step(order, heard);
      expect([...next.order].sort()).toEqual([...here].sort());
      const stayed = order.order.filter((peer) => here.includes(peer));
      const moved = stayed.filter((peer, index) => next.order[index] !== peer);
      expect(moved.length).toBeLessThanOrEqual(2 * speaking.length);
      order = next;
    }
  });

  test('nothing new is the same object', () => {
    const order = play({ here: p(1, 2) });
    const heard = { here: p(1, 2), speaking: [], first: 4, onFirst: true, large: null, now: 99 };
    expect(step(order, heard)).toBe(order);
  });
});

describe('the active speaker', () => {
  const speakers = (...moments: Parameters<typeof play>) =>
    play({ here: p(1, 2, 3, 4, 5), large: { pinned: null }, first: 9 }, ...moments).large;

  test('is the first in the order until somebody speaks, then whoever spoke last', () => {
    expect(speakers()).toBe('p1');
    expect(speakers({ speaking: p(3), now: 10 }, { speaking: [], now: 60_000 })).toBe('p3');
  });

  test('is held for two seconds, so that the large picture does not flicker', () => {
    expect(speakers({ speaking: p(3), now: 10 }, { speaking: p(4), now: 1900 })).toBe('p3');
    expect(speakers({ speaking: p(3), now: 10 }, { speaking: p(4), now: 2010 })).toBe('p4');
  });

  test('keeps the floor while they speak', () => {
    expect(speakers({ speaking: p(3), now: 10 }, { speaking: p(3, 4), now: 20_000 })).toBe('p3');
  });

  test('gives way to who is pinned', () => {
    expect(speakers({ speaking: p(3), large: { pinned: p(5)[0]! } }, { now: 9000 })).toBe('p5');
  });

  test('is somebody else at once when they go', () => {
    expect(speakers({ speaking: p(3), now: 10 }, { here: p(1, 2, 4, 5), speaking: p(4), now: 500 })).toBe('p4');
  });

  test('takes the large place, and who had it takes theirs: nobody else moves', () => {
    const given = { here: p(1, 2, 3, 4), large: { pinned: null }, first: 9 };
    expect(play(given, { speaking: p(3), now: 10 }).order).toEqual(p(3, 2, 1, 4));
  });
});
