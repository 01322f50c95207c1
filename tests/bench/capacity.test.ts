/** How benches get from a packet's cost to meetings, and what they read of the kernel. */
import { expect, test } from 'vitest';
import { capacityTable, costOf, meetingsPerCore, picturePackets, trafficOf } from './capacity.ts';
import { dropsIn } from './udp.ts';

test('of points on a line, the cost in and the cost of a copy come back', () => {
  const measured = [8, 20, 50, 100].map((subscribers) => ({ subscribers, us: 6 + 30 / subscribers }));
  const { perIn, perOut } = costOf(measured);
  expect(perIn).toBeCloseTo(30);
  expect(perOut).toBeCloseTo(6);
});

test('nothing is taken to cost less than nothing', () => {
  const { perIn, perOut } = costOf([
    { subscribers: 10, us: 5 },
    { subscribers: 100, us: 7 },
  ]);
  expect(perIn).toBe(0);
  expect(perOut).toBeGreaterThan(5);
});

test('what a core carries is said by its time, rarely more exactly than it is known', () => {
  const { title, rows } = capacityTable({ perIn: 0, perOut: 5 });
  expect(title).toContain('70 % of it: a packet in costs 0.0 µs, each copy 5.0 µs');
  // 4,000 packets out of five who all talk, of 140,000 that a core sends.
  expect(rows[0]).toEqual(['5', '4,000', '25', '35', '3,430', '41']);
});

test('a picture is in as few packets as it fits', () => {
  expect(picturePackets(120_000)).toBe(30);
  expect(picturePackets(400_000)).toBe(60);
  expect(picturePackets(1_200_000)).toBe(150);
});

test('what a meeting is sent: each the sound and the picture of all others', () => {
  // 5 people see each other at 150 packets a second; three layers come in.
  expect(trafficOf(5, 5)).toEqual({
    in: 5 * (50 + 30 + 60 + 150),
    out: 5 * 4 * (50 + 150),
    megabitsOut: (20 * 1_240_000) / 1e6,
  });
});

test('of a hundred people a page shows 49, and two who talk leave most sound away', () => {
  expect(trafficOf(100, 100).out).toBe(100 * 99 * 50 + 100 * 49 * 30);
  expect(trafficOf(100, 2).out).toBe((2 * 50 + 98 * 2.5) * 99 + 100 * 49 * 30);
});

test('meetings of a core are its time by what one takes', () => {
  expect(meetingsPerCore({ perIn: 10, perOut: 5 }, { in: 1000, out: 5000, megabitsOut: 1 })).toBeCloseTo(20);
});

test('drops are told by local port', () => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    '  355: 0100007F:9C41 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 25 2 0000000000000000 17',
    '  356: 0100007F:9C42 0100007F:9C41 01 00000000:00000300 00:00000000 00000000     0        0 26 2 0000000000000000 0',
    '',
  ].join('\n');
  expect([...dropsIn(table)]).toEqual([
    [40_001, 17],
    [40_002, 0],
  ]);
});
