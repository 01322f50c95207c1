import { describe, expect, test } from 'vitest';
import { addressOf, siteOf } from '../../signal/address.ts';
import { Budget, Outbox } from '../../signal/meeting/outbox.ts';
import { Attempts } from '../../signal/ws/attempts.ts';
import { Bucket } from '../../signal/ws/limits.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';

describe('an outbox', () => {
  const numbers = (texts: string[] | null) => texts?.map((text) => (JSON.parse(text) as { seq: number }).seq) ?? null;

  test('numbers events from 1 on and gives again what came after a number', () => {
    const outbox = new Outbox(new Budget());
    expect(outbox.push('{"a":1}', 0)).toBe('{"seq":1,"event":{"a":1}}');
    outbox.push('{}', 0);
    outbox.push('{}', 0);
    expect(numbers(outbox.since(0))).toEqual([1, 2, 3]);
    expect(numbers(outbox.since(2))).toEqual([3]);
    expect(numbers(outbox.since(3))).toEqual([]);
  });

  test('knows that it cannot give what it never had, or has no more', () => {
    const outbox = new Outbox(new Budget());
    expect(outbox.since(1)).toBeNull();
    for (let i = 0; i < 5000; i++) outbox.push('{}', i);
    expect(outbox.since(0)).toBeNull();
    const kept = numbers(outbox.since(4500))!;
    expect(kept).toHaveLength(500);
    expect(kept.at(-1)).toBe(5000);
    expect(outbox.since(5001)).toBeNull();
  });

  test('is bounded by what its events hold, and by their age', () => {
    const outbox = new Outbox(new Budget());
    const large = JSON.stringify('x'.repeat(1_000_000));
    for (let i = 0; i < 10; i++) outbox.push(large, 0);
    expect(outbox.since(0)).toBeNull();
    expect(numbers(outbox.since(6))).toEqual([7, 8, 9, 10]);
    expect(outbox.since(5)).toBeNull();
    outbox.push('{}', 80_000);
    outbox.forgetOld(80_000);
    expect(outbox.since(9)).toBeNull();
    expect(numbers(outbox.since(10))).toEqual([11]);
  });
});

describe('outboxes of one process', () => {
  const text = JSON.stringify('x'.repeat(10_000));

  test('keep less each while all together hold too much, and as before when there is room again', () => {
    const budget = new Budget(1_000_000);
    const outboxes = Array.from({ length: 10 }, () => new Outbox(budget));
    for (let i = 0; i < 50; i++) for (const outbox of outboxes) outbox.push(text, 0);
    expect(budget.used).toBeLessThan(1_400_000);
    expect(outboxes[0]!.since(49)).not.toBeNull();
    expect(outboxes[0]!.since(0)).toBeNull();
    for (const outbox of outboxes) outbox.close();
    expect(budget.used).toBe(0);
    const next = new Outbox(budget);
    for (let i = 0; i < 50; i++) next.push(text, 0);
    expect(next.since(0)).toHaveLength(50);
  });

  test('count a text that they share once', () => {
    const budget = new Budget();
    const outboxes = Array.from({ length: 4 }, () => new Outbox(budget));
    for (const outbox of outboxes) outbox.push(text, 0, 4);
    expect(budget.used).toBe(text.length);
  });
});

describe('a bucket', () => {
  test('lets a burst through and then a rate, and says how long to wait', () => {
    const bucket = new Bucket({ burst: 3, perSecond: 2 }, 0);
    expect([1, 2, 3, 4].map(() => bucket.take(1, 0))).toEqual([0, 0, 0, 500]);
    expect(bucket.take(1, 250)).toBe(250);
    expect(bucket.take(1, 500)).toBe(0);
    expect(bucket.isFull(1999)).toBe(false);
    expect(bucket.isFull(2000)).toBe(true);
  });
});

describe('attempts', () => {
  const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;

  test('are forgotten after an hour, and at once when the password was right', () => {
    const attempts = new Attempts();
    attempts.accessFailed('a', meeting, 0);
    expect(attempts.accessFailed('a', meeting, 2000)).toBe(2000);
    attempts.accessProven('a', meeting);
    expect(attempts.accessFailed('a', meeting, 4000)).toBe(1000);
    attempts.forgetOld(4000 + 3_600_000);
    expect(attempts.accessWait('a', meeting, 4000)).toBe(0);
  });

  test('of very many addresses take a bounded memory', () => {
    const attempts = new Attempts();
    for (let i = 0; i < 60_000; i++) attempts.accessFailed(String(i), meeting, 0);
    expect(attempts.accessWait('0', meeting, 1)).toBe(0);
    expect(attempts.accessWait('59999', meeting, 1)).toBeGreaterThan(0);
  });
});

describe('attempts from many networks of one IPv6 site', () => {
  const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
  const network = (index: number, site = '2001:db8:1') => `${site}:${index.toString(16)}::/64`;

  test('at a password have a limit together, and another site is not held up', () => {
    const attempts = new Attempts();
    for (let i = 0; i < 128; i++) {
      expect(attempts.accessWait(network(i), meeting, 0)).toBe(0);
      attempts.accessFailed(network(i), meeting, 0);
    }
    expect(attempts.accessWait(network(999), meeting, 0)).toBeGreaterThan(1000);
    expect(attempts.accessWait(network(0, '2001:db8:2'), meeting, 0)).toBe(0);
    expect(attempts.accessWait('192.0.2.1', meeting, 0)).toBe(0);
    attempts.forgetOld(3_600_000);
    expect(attempts.accessWait(network(999), meeting, 0)).toBe(0);
  });

  test('at a link are slowed down together', () => {
    const attempts = new Attempts();
    const waits = Array.from({ length: 321 }, (_, index) => attempts.linkFailed(network(index), 0));
    expect(waits.slice(0, 320).every((wait) => wait === 0)).toBe(true);
    expect(waits[320]).toBeGreaterThan(0);
    expect(attempts.linkFailed(network(0, '2001:db8:2'), 0)).toBe(0);
  });
});

describe('the address that limits count for', () => {
  const of = (remoteAddress: string, forwarded?: string, proxies = 0) =>
    addressOf(
      { socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } } as never,
      proxies,
    );

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['2001:0db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1:2:3:4', 'fe80:0:0:0::/64'],
  ])('%s is %s', (address, expected) => {
    expect(of(address)).toBe(expected);
  });

  test.each([
    ['192.0.2.1:5678', '192.0.2.1'],
    ['[2001:db8::1]:99', '2001:db8:0:0::/64'],
    ['[2001:db8::1]', '2001:db8:0:0::/64'],
    ['[::ffff:192.0.2.1]:99', '192.0.2.1'],
    ['2001:db8::1:5678', '2001:db8:0:0::/64'],
  ])('does not change with the port that a proxy names: %s', (forwarded, expected) => {
    expect(of('127.0.0.1', `9.9.9.9:1, ${forwarded}`, 1)).toBe(expected);
  });

  test.each([
    ['2001:db8:0:1::/64', '2001:db8:0::/48'],
    ['192.0.2.1', null],
    ['unknown', null],
  ])('%s is of the site %s', (address, site) => {
    expect(siteOf(address)).toBe(site);
  });

  test('is what our own outermost proxy saw, never what a client wrote', () => {
    expect(of('127.0.0.1', '1.1.1.1, 2.2.2.2')).toBe('127.0.0.1');
    expect(of('127.0.0.1', '1.1.1.1, 2.2.2.2', 1)).toBe('2.2.2.2');
    expect(of('127.0.0.1', '1.1.1.1, 2.2.2.2', 2)).toBe('1.1.1.1');
    expect(of('127.0.0.1', '1.1.1.1', 2)).toBe('127.0.0.1');
    expect(of('127.0.0.1', undefined, 1)).toBe('127.0.0.1');
    expect(of('127.0.0.1', 'x'.repeat(5000), 1).length).toBeLessThanOrEqual(64);
  });
});
