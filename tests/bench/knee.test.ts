/** How the knee of a worker is found, what counts as lost, and how it is told. */
import { expect, test } from 'vitest';
import type { Run } from './forwarder.ts';
import { curveTable, kneeBelow, stepOf, type Step } from './knee.ts';

const run = (changes: Partial<Run>): Run => ({
  sent: 1000,
  seconds: 2,
  arrived: 100_000,
  unread: 100_000,
  droppedAtRelay: 0,
  workerMs: 1000,
  controlMs: 0,
  ...changes,
});

/** A worker that loses packets above one rate, behind a sender that is no faster than another. */
const machine =
  ({ worker, sender = Infinity }: { worker: number; sender?: number }) =>
  async (rate: number): Promise<Step> => {
    const perSecond = Math.min(rate, sender);
    return { lost: perSecond > worker ? 0.01 : 0, perSecond, workerShare: perSecond / worker, us: 1 };
  };

test('all that arrived is nothing lost, also where reports arrived besides', () => {
  expect(stepOf(run({ arrived: 100_080 }), 100)).toEqual({ lost: 0, perSecond: 50_000, workerShare: 0.5, us: 10 });
});

test('what the worker could not read is lost for all, even where reports make up the number', () => {
  expect(stepOf(run({ droppedAtRelay: 2, arrived: 100_000 }), 100).lost).toBe(0.002);
});

test('what did not arrive is lost, wherever it was', () => {
  expect(stepOf(run({ arrived: 99_000 }), 100).lost).toBeCloseTo(0.01);
});

test('halving comes to the highest rate that is carried', async () => {
  const found = await kneeBelow(1000, 10, machine({ worker: 700 }));
  expect(found!.perSecond).toBeGreaterThan(698);
  expect(found!.perSecond).toBeLessThanOrEqual(700);
  expect(found!.end).toBe('worker');
});

test('a sender that comes to its end first is not taken for the worker’s knee', async () => {
  const found = await kneeBelow(1000, 10, machine({ worker: 700, sender: 400 }));
  expect(found!.perSecond).toBeCloseTo(400, -1);
  expect(found!.end).toBe('sender');
});

test('a worker that is behind when the sender ends does not carry it', async () => {
  const found = await kneeBelow(1000, 10, async (rate) => ({
    lost: 0,
    perSecond: rate,
    workerShare: rate / 500,
    us: 1,
  }));
  expect(found!.perSecond).toBeLessThanOrEqual(500);
  expect(found!.end).toBe('worker');
});

test('where no rate is carried, there is no knee', async () => {
  expect(await kneeBelow(1000, 10, machine({ worker: 0 }))).toBeNull();
});

test('the curve tells medians, and whose end each was', () => {
  const knee = (perSecond: number, end: 'worker' | 'sender') => ({ lost: 0, perSecond, workerShare: 0.9, us: 5, end });
  const points = new Map([[100, [knee(100_000, 'worker'), knee(120_000, 'sender'), knee(140_000, 'worker')]]]);
  expect(curveTable(points).rows).toEqual([['100', '1,200', '120,000', '90 %', '5.00', 'our sender, the worker']]);
});
