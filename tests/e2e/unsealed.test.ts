/**
 * Nothing of the real camera or microphone leaves unsealed, whatever the browser does to transforms and workers.
 *
 * Ben's wire is tapped before the product's transform (wiretap.ts), and what arrives is given to plain decoders. That they
 * would show it if it were there, wiretap.test.ts has proven; where the black picture is let out unsealed they do decode it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clearPrefix } from '../../crypto/clearPrefix.ts';
import { random } from '../../crypto/primitives.ts';
import { deriveKeys, importBaseKey, openFrame, sealFrame } from '../../crypto/sframe.ts';
import { parseHeader } from '../../crypto/sframeHeader.ts';
import { droppedFrom, idleTransforms, recordStates, statesOf } from '../support/inside.ts';
import { headerOf } from '../support/frameHeader.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import type { TapReport, TappedFrame, Tampering } from '../support/wiretap.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterAll(() => app?.close());

const reportOf = (person: Person): Promise<TapReport> => person.page.evaluate(() => parleyTap.report());
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Neither a picture of Anna's camera nor her tone can be read without a key. */
function expectNothingInTheClear(report: TapReport): void {
  expect(report.numbers).toEqual([]);
  // Share of all that is heard. A voice in the clear is most of it; what a decoder makes of sealed frames has a little of every tone.
  expect(report.tones[String(CAST.Anna.tone)] ?? 0).toBeLessThan(0.2);
}

/** Frames that arrived and were not handed on to the decoder, by kind. */
const unopenedOf = ({ arrived, handedOn }: TapReport): Record<string, number> =>
  Object.fromEntries(Object.entries(arrived).map(([kind, count]) => [kind, count - (handedOn[kind] ?? 0)]));

/**
 * Each frame that has arrived since the call began was sealed by a member: opened, and handed on. A frame in the clear is neither, also
 * one that a plain decoder can make nothing of, as it lacks the key frame before it.
 */
async function expectAllOpened(person: Person): Promise<void> {
  let unopened: Record<string, number> = {};
  await until(
    async () => Object.values((unopened = unopenedOf(await reportOf(person)))).every((count) => count === 0),
    () => `all that arrives opens, not ${JSON.stringify(unopened)}`,
    3000,
  );
  const { unopened: dropped, byReason } = await person.totals();
  expect(dropped, JSON.stringify(byReason)).toBe(0);
}

/** Anna is in the meeting, alone; Ben, tapped, is still outside. */
async function annaAlone(): Promise<{ anna: Person; ben: Person; link: string }> {
  const [anna, ben] = await Promise.all([here.invite('Anna'), here.invite('Ben', { tapped: true })]);
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  return { anna, ben, link };
}

/** One call for all of these: what is done to frames is over when it ends, and the next test begins with pictures. */
describe('in one call', () => {
  let anna: Person;
  let ben: Person;

  beforeAll(async () => {
    let link: string;
    ({ anna, ben, link } = await annaAlone());
    await ben.come(link);
  });
  afterAll(() => here.close());

  describe('in a healthy call', () => {
    test('frames pass through every transform at both ends, and the wire shows nothing of them', async () => {
      await Promise.all([anna.see('Ben', 30), ben.see('Anna', 30)]);
      await ben.hear('Anna');
      for (const person of [anna, ben]) {
        expect(await idleTransforms(person)).toEqual([]);
        expect((await person.totals()).unopened).toBe(0);
      }
      const report = await reportOf(ben);
      expect(report.arrived['camera']).toBeGreaterThan(30);
      expect(report.arrived['microphone']).toBeGreaterThan(30);
      expectNothingInTheClear(report);
    });
  });

  describe('frames that were tampered with on the way', () => {
    beforeEach(async () => {
      await ben.page.evaluate(() => parleyTap.tamper('none'));
      await ben.see('Anna');
      await ben.page.evaluate(() => parleyTap.reset());
    });

    test.for<[Tampering, string[]]>([
      ['flip', ['forged']],
      ['another', ['forged', 'malformed']],
      ['otherKind', ['wrongSender', 'malformed']],
    ])('%s: dropped, and nothing reaches the decoder', async ([tampering, reasons]) => {
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

    test('sealed under another key, with the right names in their headers: dropped as forged', async () => {
      const peer = (await ben.tile('Anna').getAttribute('data-peer'))!;
      const baseKey = await importBaseKey(random(32));
      for (const [kind, codec] of [
        ['camera', 'vp8'],
        ['microphone', 'opus'],
      ] as const) {
        const clear = clearPrefix(codec);
        const tapped = await ben.page.evaluate(() => parleyTap.frames());
        const { kid, counter } = headerOf(tapped.findLast((frame) => frame.kind === kind && frame.peer === peer)!)!;
        const [keys, back] = [await deriveKeys(5, baseKey, kid, 'seal'), await deriveKeys(5, baseKey, kid, 'open')];
        const before = await droppedFrom(ben, peer, kind);
        const frames: TappedFrame[] = [];
        for (let i = 0; i < 20; i++) {
          const sealed = await sealFrame(keys, counter + 500 + i, random(200), clear);
          // Sound, for whoever has that key.
          expect(await openFrame(back, parseHeader(sealed, clear)!, sealed, clear)).not.toBeNull();
          const frame = { kind, peer, at: 0, data: String.fromCharCode(...sealed) };
          expect(headerOf(frame)).toEqual({ kid, counter: counter + 500 + i });
          frames.push(frame);
        }
        // In one go: on a busy machine those that are really sent would be ahead of them in the end.
        await ben.page.evaluate((frames) => {
          for (const frame of frames) parleyTap.inject(frame);
        }, frames);
        await until(
          async () => ((await droppedFrom(ben, peer, kind))['forged'] ?? 0) === (before['forged'] ?? 0) + 20,
          async () => `20 are refused as forged: ${JSON.stringify(await droppedFrom(ben, peer, kind))}`,
        );
      }
      const { injected, injectedOn } = await reportOf(ben);
      expect(injected).toEqual({ camera: 20, microphone: 20 });
      expect(injectedOn).toEqual({});
      await ben.see('Anna');
    });

    test('replayed: each frame reaches the decoder once', async () => {
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
});

describe('when a browser ignores transforms', () => {
  afterEach(() => here.close());

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
      expect(await anna.tile('Ben').getAttribute('data-reason')).toBe('clearFrames');
      await wait(3000);
      const report = await reportOf(ben);
      expectNothingInTheClear(report);
      expect(report.handedOn['camera'] ?? 0).toBe(0);
      expect(report.handedOn['microphone'] ?? 0).toBe(0);
      // What does leave is the black picture, and both ways of looking show it: a plain decoder, and the count of what nobody opened.
      expect(report.decoded).toBeGreaterThan(0);
      expect(unopenedOf(report)['camera']).toBeGreaterThan(0);
    },
  );
});

describe('when it happens in mid-call', () => {
  afterEach(() => here.close());

  /** Anna and Ben see and hear each other; then `what` happens in Anna's page. */
  async function inMidCall(what: () => void): Promise<{ anna: Person; ben: Person }> {
    const { anna, ben, link } = await annaAlone();
    await ben.come(link);
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
    await ben.hear('Anna');
    await expectAllOpened(ben);
    await recordStates(anna, 'Ben');
    await anna.page.evaluate(what);
    return { anna, ben };
  }

  test('transforms taken away: every frame that arrives is sealed, and the tile says that it was not safe', async () => {
    const { anna, ben } = await inMidCall(() => {
      for (const connection of parleyProbe.connections)
        for (const sender of connection.getSenders()) sender.transform = null;
    });
    await until(
      async () => (await statesOf(anna, 'Ben')).includes('unsafe clearFrames'),
      async () => `Anna is told; she saw ${(await statesOf(anna, 'Ben')).join(', ')}`,
    );
    await wait(3000);
    expectNothingInTheClear(await reportOf(ben));
    await expectAllOpened(ben);
  });

  test.for<[string, () => void]>([
    ['killed', () => parleyProbe.workers.forEach((worker) => worker.terminate())],
    ['failing', () => parleyProbe.workers.forEach((worker) => worker.dispatchEvent(new ErrorEvent('error')))],
  ])(
    'worker %s: the real tracks come off, every frame that arrives is sealed, and the tile says so',
    async ([, what]) => {
      const { anna, ben } = await inMidCall(what);
      await anna.waitForState('Ben', 'unsafe');
      expect(await anna.tile('Ben').getAttribute('data-reason')).toBe('workerLost');
      const sent = await anna.page.evaluate(() =>
        parleyProbe.connections
          .filter(({ connectionState }) => connectionState !== 'closed')
          .flatMap((connection) => connection.getSenders().map(({ track }) => track && `${track.kind} ${track.label}`))
          .filter((track) => track !== null),
      );
      expect(sent).toEqual([]);
      // What was under way has arrived by then.
      await wait(500);
      const { arrived } = await reportOf(ben);
      await wait(2000);
      const report = await reportOf(ben);
      expect(report.arrived).toEqual(arrived);
      expectNothingInTheClear(report);
      await expectAllOpened(ben);
      expect(await anna.stateOf('Ben')).toBe('unsafe');
    },
  );
});
