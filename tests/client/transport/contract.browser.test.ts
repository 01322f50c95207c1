/**
 * What a MediaTransport promises, whichever way media take: in real Chromium, by a mesh and by a real relay, with real frame transforms
 * and real SFrame keys (that the test knows).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { hasWorker, type Relay } from '../../../relay/relay.ts';
import { Relaying } from '../../../signal/meeting/relaying.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { Room } from '../../../signal/meeting/roomTypes.ts';
import { startLocalRelay } from '../../relay/support.ts';
import { launchBrowser } from '../../support/browser.ts';
import { servePage } from '../../support/pageServer.ts';
import { bundle } from './bundle.ts';
import type * as MeshPage from './meshPage.ts';

declare global {
  var page: typeof MeshPage;
}

if (!hasWorker()) console.warn('the relay’s half is skipped: no relay worker (npm test fetches or builds it)');

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
let browser: Browser;
let site: Awaited<ReturnType<typeof servePage>>;
let relay: Relay | undefined;
let tab: Page;

beforeAll(async () => {
  site = await servePage({
    '/': '<!doctype html><html lang="en"><title>Ways</title><script type="module" src="/meshPage.js"></script>',
    '/meshPage.js': await bundle(new URL('meshPage.ts', import.meta.url)),
    '/unsafeSealWorker.js': await bundle(new URL('unsafeSealWorker.ts', import.meta.url)),
  });
  browser = await launchBrowser();
  if (hasWorker()) relay = await startLocalRelay(1);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await site?.close();
  await relay?.close();
});

beforeEach(async () => {
  await tab?.context().close();
  tab = await (await browser.newContext()).newPage();
  await tab.exposeFunction('relayAsk', serverFor(tab));
  await tab.goto(site.origin);
  await tab.waitForFunction('globalThis.page');
});

/** As the server leads a peer's requests to the relay, and what happens there back to the peers. */
function serverFor(to: Page): (peer: PeerId, name: string, params: never) => Promise<object> {
  const peers = new Map<PeerId, unknown>();
  const live = {
    room: { topology: { at: 'relay' }, peers } as unknown as Room,
    tell: (told: readonly PeerId[], event: Parameters<typeof page.relayed>[1]) =>
      void to.evaluate(([told, event]) => page.relayed(told, event), [told, event] as const).catch(() => undefined),
  };
  const relaying = new Relaying(relay ?? null, { find: () => live, apply: () => undefined }, () => undefined);
  const handlers = {
    'relay.open': (place: Place) => relaying.open(place),
    'relay.connect': (place: Place, params: never) => relaying.connect(place, params),
    'relay.restartIce': (place: Place, params: never) => relaying.restartIce(place, params),
    'relay.produce': (place: Place, params: never) => relaying.produce(place, params),
    'relay.consume': (place: Place, params: never) => relaying.consume(place, params),
    'relay.set': (place: Place, params: never) => relaying.set(place, params),
    'relay.forget': (place: Place, params: never) => relaying.forget(place, params),
    'relay.close': (place: Place) => relaying.close(place),
  };
  type Place = { meeting: MeetingId; peer: PeerId };
  return async (peer, name, params) => {
    peers.set(peer, {});
    try {
      const handle = (handlers as Record<string, (place: Place, params: never) => unknown>)[name];
      if (!handle) return { result: {} };
      return { result: (await handle({ meeting, peer }, params)) ?? {} };
    } catch (error) {
      return { error: error instanceof ProtocolError ? error.code : 'internal' };
    }
  };
}

const red = ([r, g, b]: readonly number[]) => r! > 150 && g! < 90 && b! < 90;
const green = ([r, g, b]: readonly number[]) => g! > 150 && r! < 90 && b! < 90;
const black = (colour: readonly number[]) => Math.max(...colour) < 40;

/** Tracks that carry something from the start, of two members and in both directions. */
const TRANSFORMS = { mesh: 16, relay: 8 };

describe.each(hasWorker() ? (['mesh', 'relay'] as const) : (['mesh'] as const))('by the %s', (way) => {
  test('two see and hear each other, and every transform that was set has passed frames', async () => {
    const result = await tab.evaluate(async (way) => {
      await page.addMembers(2, {}, way);
      const [a, b] = [page.member(0), page.member(1)];
      void a.mesh.publish('camera', page.picture('#f00'));
      void b.mesh.publish('camera', page.picture('#0f0'));
      for (const one of [a, b]) void one.mesh.publish('microphone', page.tone(440));
      page.meet();
      const has = (one: typeof a, of: typeof b) => page.lastTrack(one, of.peer, 'camera');
      await page.until(() => !!has(a, b) && !!has(b, a), 8000);
      await page.until(() => [a, b].every((one, n) => !!page.lastTrack(one, [b, a][n]!.peer, 'microphone')), 8000);
      const seen = [await page.colourOf(has(b, a), 5000), await page.colourOf(has(a, b), 5000)];
      // Chromium decodes, and measures, only what is played.
      const audio = Object.assign(new Audio(), {
        srcObject: new MediaStream([page.lastTrack(b, a.peer, 'microphone')!]),
      });
      void audio.play();
      await page.until(() => (b.stats[a.peer]?.level ?? 0) > 0.01, 3000);
      await page.sleep(600);
      return {
        seen,
        passed: [a, b].flatMap((one) => one.transforms.map(({ id }) => one.counts[id]?.passed ?? 0)),
        dropped: [a, b].flatMap((one) => Object.values(one.counts).flatMap(({ dropped }) => Object.values(dropped))),
        level: b.stats[a.peer]?.level,
        path: b.stats[a.peer]?.path,
        states: a.states.map(({ state }) => state.at),
      };
    }, way);
    expect([red(result.seen[0]!), green(result.seen[1]!)], JSON.stringify(result.seen)).toEqual([true, true]);
    expect(result.passed).toHaveLength(TRANSFORMS[way]);
    expect(result.passed.filter((count) => count === 0)).toEqual([]);
    expect(result.dropped.filter((count) => count !== 0)).toEqual([]);
    expect(result.level).toBeGreaterThan(0.01);
    expect(result.path).toBe(way === 'mesh' ? 'direct' : 'relay');
    expect(result.states.at(-1)).toBe('connected');
  });

  test('a screen comes and goes, without another connection, and what is not published sends nothing', async () => {
    const result = await tab.evaluate(async (way) => {
      await page.addMembers(2, {}, way);
      const [a, b] = [page.member(0), page.member(1)];
      page.meet();
      await page.until(() => !!page.lastTrack(b, a.peer, 'camera'), 8000);
      await page.sleep(900);
      const sent = () =>
        a.transforms
          .filter(({ side }) => side === 'send')
          .reduce((sum, { id }) => sum + (a.counts[id]?.passed ?? 0), 0);
      const connections = page.connections.length;
      const before = sent();
      await page.sleep(1000);
      const quiet = sent();
      await a.mesh.publish('screen', page.picture('#0f0'));
      await page.until(() => !!page.lastTrack(b, a.peer, 'screen'), 5000);
      const shared = await page.colourOf(page.lastTrack(b, a.peer, 'screen'), 5000);
      await a.mesh.publish('screen', null);
      await page.sleep(900);
      const stopped = sent();
      await page.sleep(700);
      return { before, quiet, shared, stopped, after: sent(), more: page.connections.length - connections };
    }, way);
    expect(result.quiet).toBe(result.before);
    expect(green(result.shared)).toBe(true);
    expect(result.after).toBe(result.stopped);
    expect(result.more).toBe(0);
  });

  test('on hold every real track is off at once, and back when it ends', async () => {
    const result = await tab.evaluate(async (way) => {
      await page.addMembers(2, {}, way);
      const [a, b] = [page.member(0), page.member(1)];
      const mine = page.picture('#f00');
      void a.mesh.publish('camera', mine);
      page.meet();
      await page.until(() => !!page.lastTrack(b, a.peer, 'camera'), 8000);
      const before = await page.colourOf(page.lastTrack(b, a.peer, 'camera'), 5000);
      const senders = () => page.connections.flatMap((one) => one.getSenders()).map(({ track }) => track);
      const was = senders().includes(mine);
      a.mesh.hold(true);
      // The browser has it at once, and says so a task later.
      await page.sleep(50);
      const held = senders().includes(mine);
      await page.sleep(500);
      a.mesh.hold(false);
      await page.until(() => senders().includes(mine), 4000);
      return { before, was, held, after: senders().includes(mine) };
    }, way);
    expect(red(result.before)).toBe(true);
    expect([result.was, result.held, result.after]).toEqual([true, false, true]);
  });

  test('who goes is gone, and who closes sends nothing from that task on', async () => {
    const result = await tab.evaluate(async (way) => {
      await page.addMembers(3, {}, way);
      const [a, b, c] = [page.member(0), page.member(1), page.member(2)];
      for (const one of [a, b, c]) void one.mesh.publish('camera', page.picture('#f00'));
      page.meet();
      const sees = (one: typeof a) =>
        [a, b, c].filter((other) => other !== one && page.lastTrack(one, other.peer, 'camera')).length;
      await page.until(() => [a, b, c].every((one) => sees(one) === 2), 10_000);
      const all = [a, b, c].map(sees);
      void c.mesh.close();
      const open = () => page.connections.filter(({ connectionState }) => connectionState !== 'closed').length;
      const sent = () => c.transforms.reduce((sum, { id }) => sum + (c.counts[id]?.passed ?? 0), 0);
      await page.sleep(50);
      const closing = { open: open(), sent: sent() };
      for (const one of [a, b]) one.mesh.setPeers([a.peer, b.peer]);
      await c.mesh.close();
      await page.sleep(1200);
      return { all, left: [a, b].map(sees), closing, after: sent(), states: a.states.map(({ state }) => state.at) };
    }, way);
    expect(result.all).toEqual([2, 2, 2]);
    expect(result.left).toEqual([1, 1]);
    // The worker tells what it has counted twice a second.
    expect(result.after - result.closing.sent).toBeLessThan(60);
  });

  describe('in a browser that fails open', () => {
    for (const senders of ['late', 'never'] as const)
      test(`transforms of the senders are set ${senders}: an eavesdropper sees black, and the tile says why`, async () => {
        const result = await tab.evaluate(
          async ([way, senders]) => {
            await page.addMembers(2, { 0: { senders }, 1: { spy: true } }, way);
            const [a] = [page.member(0)];
            void a.mesh.publish('camera', page.picture('#f00'));
            page.meet();
            // What really came over the wire, decoded as it came.
            const seen: number[][] = [];
            const end = performance.now() + 4000;
            while (performance.now() < end) {
              const tracks = page.connections.flatMap((one) => one.getReceivers().map(({ track }) => track));
              const videos = tracks.filter((track) => track.kind === 'video' && track.readyState === 'live');
              seen.push(...(await Promise.all(videos.map((track) => page.colourOf(track, 300)))));
              await page.sleep(20);
            }
            await page.until(() => a.states.some(({ state }) => state.at === 'unsafe'), 6000);
            return { seen, states: a.states.map(({ state }) => state) };
          },
          [way, senders] as const,
        );
        expect(result.seen.length).toBeGreaterThan(5);
        expect(result.seen.filter((colour) => !black(colour))).toEqual([]);
        expect(result.states).toContainEqual({ at: 'unsafe', detail: 'clearFrames' });
      });

    test('transforms of the receivers are never set: nothing of it is shown, and the tile says why', async () => {
      const result = await tab.evaluate(async (way) => {
        await page.addMembers(2, { 1: { receivers: 'never' } }, way);
        const [a, b] = [page.member(0), page.member(1)];
        void a.mesh.publish('microphone', page.tone(440));
        page.meet();
        await page.until(() => b.states.some(({ state }) => state.at === 'unsafe'), 10_000);
        return { states: b.states.map(({ state }) => state), tracks: b.tracks.filter(({ track }) => track).length };
      }, way);
      expect(result.states).toContainEqual({ at: 'unsafe', detail: 'nothingOpened' });
      expect(result.tracks).toBe(0);
    });

    test('a worker that does not answer for a second costs us our tracks, and gives them back when it does', async () => {
      const result = await tab.evaluate(async (way) => {
        await page.addMembers(2, {}, way);
        const [a, b] = [page.member(0), page.member(1)];
        const mine = page.picture('#f00');
        void a.mesh.publish('camera', mine);
        // Of who sends nothing nothing is heard, and its path stays in securing.
        void b.mesh.publish('camera', page.picture('#0f0'));
        page.meet();
        await page.until(() => !!page.lastTrack(b, a.peer, 'camera') && !!page.lastTrack(a, b.peer, 'camera'), 8000);
        await page.colourOf(page.lastTrack(b, a.peer, 'camera'), 5000);
        const on = () => page.connections.some((one) => one.getSenders().some(({ track }) => track === mine));
        const was = on();
        a.worker.postMessage({ type: 'mute', mute: true });
        const began = performance.now();
        await page.until(() => !on(), 4000);
        const tookMs = performance.now() - began;
        const stuck = a.states.at(-1)?.state;
        a.worker.postMessage({ type: 'mute', mute: false });
        await page.until(() => a.states.at(-1)?.state.at === 'connected' && on(), 8000);
        return { was, stuck, tookMs, after: on(), state: a.states.at(-1)?.state };
      }, way);
      expect(result.was).toBe(true);
      expect(result.stuck).toEqual({ at: 'unsafe', detail: 'workerLost' });
      expect(result.tookMs).toBeLessThan(2200);
      expect(result.after).toBe(true);
      expect(result.state).toEqual({ at: 'connected', poor: false });
    });
  });
});
