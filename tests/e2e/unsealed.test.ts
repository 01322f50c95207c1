/**
 * Nothing of the real camera or microphone leaves unsealed, whatever the browser does to transforms and workers.
 *
 * Ben's wire is tapped before the product's transform (wiretap.ts), and what arrives is given to plain decoders. That they
 * would show it if it were there, wiretap.test.ts has proven; where the black picture is let out unsealed they do decode it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import type { TapReport, Tampering } from '../support/wiretap.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

const reportOf = (person: Person): Promise<TapReport> => person.page.evaluate(() => parleyTap.report());
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Neither a picture of Anna's camera nor her tone can be read without a key. */
function expectNothingInTheClear(report: TapReport): void {
  expect(report.numbers).toEqual([]);
  expect(report.tones[String(CAST.Anna.tone)] ?? 0).toBeLessThan(0.05);
}

/** Anna is in the meeting, alone; Ben, tapped, is still outside. */
async function annaAlone(): Promise<{ anna: Person; ben: Person; link: string }> {
  const anna = await here.invite('Anna');
  const ben = await here.invite('Ben', { tapped: true });
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  return { anna, ben, link };
}

describe('in a healthy call', () => {
  test('frames pass through every transform at both ends, and the wire shows nothing of them', async () => {
    const { anna, ben, link } = await annaAlone();
    await ben.come(link);
    await Promise.all([anna.see('Ben', 30), ben.see('Anna', 30)]);
    await ben.hear('Anna');
    for (const person of [anna, ben]) {
      const totals = await person.totals();
      expect(totals.idle.filter((idle) => !idle.includes('screen'))).toEqual([]);
      expect(totals.unopened).toBe(0);
    }
    const report = await reportOf(ben);
    expect(report.arrived['camera']).toBeGreaterThan(30);
    expect(report.arrived['microphone']).toBeGreaterThan(30);
    expectNothingInTheClear(report);
  });
});

describe('when a browser ignores transforms', () => {
  test.for(['late', 'ignore'] as const)('from the start (%s): it may not join, and is told why', async (senders) => {
    const anna = await here.invite('Anna', { probe: { senders } });
    await anna.createMeeting(app.origin);
    await anna.by('lobby-name').fill('Anna');
    await anna.by('lobby-join').click();
    expect(await anna.closedReason()).toBe('noSealedFrames');
  });

  test.for(['late', 'ignore'] as const)(
    'from the next connection on (%s): no picture and no sound leaves, and the tile says why',
    async (senders) => {
      const { anna, ben, link } = await annaAlone();
      await anna.page.evaluate((senders) => void (parleyProbe.senders = senders), senders);
      await ben.come(link);
      await anna.waitForState('Ben', 'unsafe');
      await wait(3000);
      const report = await reportOf(ben);
      expectNothingInTheClear(report);
      expect(report.handedOn['camera'] ?? 0).toBe(0);
      expect(report.handedOn['microphone'] ?? 0).toBe(0);
    },
  );
});

describe('when it happens in mid-call', () => {
  test('transforms taken away: nothing in the clear, and the tile no longer says "connected"', async () => {
    const { anna, ben, link } = await annaAlone();
    await ben.come(link);
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
    await ben.page.evaluate(() => parleyTap.reset());
    await anna.page.evaluate(() => {
      for (const connection of parleyProbe.connections)
        for (const sender of connection.getSenders()) sender.transform = null;
    });
    await anna.waitForState('Ben', 'unsafe', 'securing', 'reconnecting', 'connecting');
    await wait(3000);
    expectNothingInTheClear(await reportOf(ben));
  });

  test('worker killed: the real tracks come off, nothing in the clear, and the tile says so', async () => {
    const { anna, ben, link } = await annaAlone();
    await ben.come(link);
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
    await ben.page.evaluate(() => parleyTap.reset());
    await anna.page.evaluate(() => {
      for (const worker of parleyProbe.workers) worker.terminate();
    });
    await until(
      async () => (await anna.stateOf('Ben')) === 'unsafe' || (await anna.by('closed').isVisible()),
      () => 'Anna is told that the worker is gone',
    );
    await wait(2000);
    expectNothingInTheClear(await reportOf(ben));
  });
});

describe('frames that were tampered with on the way', () => {
  test.for<[Tampering, string[]]>([
    ['flip', ['forged']],
    ['another', ['forged', 'malformed']],
    ['otherKind', ['wrongSender', 'malformed']],
  ])('%s: dropped, and nothing reaches the decoder', async ([tampering, reasons]) => {
    const { ben, link } = await annaAlone();
    await ben.come(link);
    await ben.see('Anna');
    await ben.page.evaluate((tampering) => parleyTap.tamper(tampering), tampering);
    // What was under way may still pass.
    await wait(500);
    await ben.page.evaluate(() => parleyTap.reset());
    const before = (await ben.totals()).byReason;
    await wait(2000);
    const report = await reportOf(ben);
    const after = (await ben.totals()).byReason;
    expect(report.arrived['camera']).toBeGreaterThan(5);
    expect(report.handedOn).toEqual({});
    const dropped = reasons.reduce(
      (sum, reason) => sum + (after[`receive ${reason}`] ?? 0) - (before[`receive ${reason}`] ?? 0),
      0,
    );
    expect(dropped, JSON.stringify(after)).toBeGreaterThan(20);
  });

  test('replayed: each frame reaches the decoder once', async () => {
    const { ben, link } = await annaAlone();
    await ben.come(link);
    await ben.see('Anna');
    await ben.page.evaluate(() => {
      parleyTap.tamper('again');
      parleyTap.reset();
    });
    await ben.see('Anna', 40);
    const report = await reportOf(ben);
    expect(report.handedOn['camera']).toBeLessThanOrEqual(report.arrived['camera']!);
    await until(
      async () => ((await ben.totals()).byReason['receive replayed'] ?? 0) > 40,
      () => 'replayed frames are counted',
    );
  });
});
