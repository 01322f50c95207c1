/** The look at whether a layer was chosen, against a consumer that does what the test says; mediasoup itself is in outages.test.ts. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hurryFirstLayer } from '../../relay/firstLayer.ts';

let consumer: { closed: boolean; paused: boolean; currentLayers: object | undefined };
let target: number;
let asked: number[];

beforeEach(() => {
  vi.useFakeTimers();
  [target, asked] = [-1, []];
  consumer = Object.assign(
    { closed: false, paused: false, currentLayers: undefined },
    {
      dump: async () => ({ targetSpatialLayer: target }),
      setPreferredLayers: async ({ spatialLayer }: { spatialLayer: number }) => void asked.push(spatialLayer),
    },
  );
});
afterEach(() => vi.useRealTimers());

const hurry = (layer: 0 | 1 | 2) => hurryFirstLayer(consumer as never, () => layer);

test('until a layer is chosen it asks for another and back, and then no more', async () => {
  const done = hurry(2);
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toEqual([1, 2, 1, 2]);
  target = 2;
  await vi.advanceTimersByTimeAsync(1000);
  await done;
  expect(asked).toHaveLength(4);
});

test('the smallest is asked for by way of the next', async () => {
  void hurry(0);
  await vi.advanceTimersByTimeAsync(100);
  expect(asked).toEqual([1, 0]);
});

test.each(['closed', 'paused', 'currentLayers'] as const)('nothing is asked where it is %s', async (what) => {
  Object.assign(consumer, { [what]: what === 'currentLayers' ? { spatialLayer: 1 } : true });
  await Promise.all([hurry(2), vi.advanceTimersByTimeAsync(200)]);
  expect(asked).toEqual([]);
});

test('it gives up when mediasoup has looked by itself', async () => {
  await Promise.all([hurry(1), vi.advanceTimersByTimeAsync(10_000)]);
  expect(asked.length).toBeLessThan(40);
});
