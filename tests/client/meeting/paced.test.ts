/** What changes often is told at a pace. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Paced } from '../../../client/meeting/paced.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('somebody who stutters is told of at most twice a second, and of the last word surely', () => {
  const told: boolean[] = [];
  const paced = new Paced(false, 500, (on) => told.push(on));
  for (let moment = 0; moment < 41; moment += 1) {
    paced.say(moment % 2 === 0);
    vi.advanceTimersByTime(50);
  }
  vi.advanceTimersByTime(1000);
  expect(told.length).toBeLessThanOrEqual(6);
  expect(told.at(-1)).toBe(true);
});

test('what the hearers take for granted is not told', () => {
  const tell = vi.fn();
  const paced = new Paced<boolean>(false, 500, tell);
  paced.say(false);
  expect(tell).not.toHaveBeenCalled();
  paced.say(true);
  expect([tell.mock.calls, paced.isInitial]).toEqual([[[true]], false]);
});

test('after its end it begins anew', () => {
  const tell = vi.fn();
  const paced = new Paced<boolean>(false, 500, tell);
  paced.say(true);
  paced.say(false);
  paced.close();
  vi.advanceTimersByTime(1000);
  paced.say(true);
  expect(tell.mock.calls).toEqual([[true], [true]]);
});
