/** What is on the screen, told to those who bring it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { Shown } from '../../../client/meeting/shown.ts';
import type { ShownPicture } from '../../../client/meeting/view.ts';

const picture = (peer: string, height = 100, kind: ShownPicture['kind'] = 'camera'): ShownPicture => ({
  peer: peer as PeerId,
  kind,
  height,
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('the first is told at once, what follows a quarter of a second later, and of it only the newest', () => {
  const tell = vi.fn<(pictures: readonly ShownPicture[]) => void>();
  const shown = new Shown(tell);
  for (const height of [100, 110, 120, 130]) shown.show([picture('a', height)], 0);
  expect(tell.mock.calls).toEqual([[[picture('a', 100)]]]);
  vi.advanceTimersByTime(250);
  expect(tell.mock.calls.slice(1)).toEqual([[[picture('a', 130)]]]);
});

test('the same is not told again', () => {
  const tell = vi.fn();
  const shown = new Shown(tell);
  shown.show([picture('a')], 0);
  vi.advanceTimersByTime(1000);
  shown.show([picture('a')], 1000);
  vi.advanceTimersByTime(1000);
  expect(tell).toHaveBeenCalledTimes(1);
});

test('after its end nothing is told', () => {
  const tell = vi.fn();
  const shown = new Shown(tell);
  shown.show([picture('a')], 0);
  shown.show([picture('b')], 0);
  shown.close();
  vi.advanceTimersByTime(1000);
  expect(tell).toHaveBeenCalledTimes(1);
});

test('remembers since when a camera is shown, as long as it is', () => {
  const shown = new Shown(() => undefined);
  shown.show([picture('a'), picture('s', 100, 'screen')], 5);
  shown.show([picture('a', 200), picture('b')], 9);
  expect([...shown.since]).toEqual([
    ['a', 5],
    ['b', 9],
  ]);
  shown.show([picture('b')], 11);
  shown.show([picture('a'), picture('b')], 12);
  expect(shown.since.get('a' as PeerId)).toBe(12);
});
