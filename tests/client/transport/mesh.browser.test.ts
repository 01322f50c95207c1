/**
 * The mesh in real Chromium: real peer connections over loopback, real frame transforms, real SFrame keys (that the test knows).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../support/browser.ts';
import { servePage } from '../../support/pageServer.ts';
import { bundle } from './bundle.ts';
import type * as MeshPage from './meshPage.ts';

declare global {
  var page: typeof MeshPage;
}

let browser: Browser;
let site: Awaited<ReturnType<typeof servePage>>;
let tab: Page;

beforeAll(async () => {
  site = await servePage({
    '/': '<!doctype html><html lang="en"><title>Mesh</title><script type="module" src="/meshPage.js"></script>',
    '/meshPage.js': await bundle(new URL('meshPage.ts', import.meta.url)),
    '/unsafeSealWorker.js': await bundle(new URL('unsafeSealWorker.ts', import.meta.url)),
  });
  browser = await launchBrowser();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

beforeEach(async () => {
  await tab?.context().close();
  tab = await (await browser.newContext()).newPage();
  await tab.goto(site.origin);
  await tab.waitForFunction('globalThis.page');
});

const red = ([r, g, b]: readonly number[]) => r! > 150 && g! < 90 && b! < 90;
const green = ([r, g, b]: readonly number[]) => g! > 150 && r! < 90 && b! < 90;

describe('two members', () => {
  test('see each other, and every one of their sixteen transforms has passed frames', async () => {
    const result = await tab.evaluate(async () => {
      await page.addMembers(2);
      const [a, b] = [page.member(0), page.member(1)];
      void a.mesh.publish('camera', page.picture('#f00'));
      void b.mesh.publish('camera', page.picture('#0f0'));
      void a.mesh.publish('microphone', page.tone(440));
      page.meet();
      await page.until(() => a.tracks.length >= 4 && b.tracks.length >= 4, 5000);
      const seen = await Promise.all([
        page.colourOf(page.lastTrack(b, a.peer, 'camera'), 4000),
        page.colourOf(page.lastTrack(a, b.peer, 'camera'), 4000),
      ]);
      // Chromium decodes, and measures, only what is played.
      const audio = Object.assign(new Audio(), {
        srcObject: new MediaStream([page.lastTrack(b, a.peer, 'microphone')!]),
      });
      void audio.play();
      await page.until(() => (b.stats[a.peer]?.level ?? 0) > 0.01, 2000);
      a.mesh.broadcast('sealed words');
      await page.until(() => b.data.length > 0, 2000);
      await page.sleep(600);
      return {
        seen,
        passed: [a, b].flatMap((one) => one.transforms.map(({ id }) => one.counts[id]?.passed ?? 0)),
        dropped: [a, b].flatMap((one) => Object.values(one.counts).flatMap(({ dropped }) => Object.values(dropped))),
        level: b.stats[a.peer]?.level,
        path: b.stats[a.peer]?.path,
        data: b.data,
        states: a.states.map(({ state }) => state.at),
        sdp: page.connections.flatMap((one) => [one.localDescription!.sdp, one.remoteDescription!.sdp]).join(''),
      };
    });
    expect(red(result.seen[0]!)).toBe(true);
    expect(green(result.seen[1]!)).toBe(true);
    expect(result.passed).toHaveLength(16);
    expect(result.passed.filter((count) => count === 0)).toEqual([]);
    expect(result.dropped.filter((count) => count !== 0)).toEqual([]);
    expect(result.level).toBeGreaterThan(0.01);
    expect(result.path).toBe('direct');
    expect(result.data).toEqual(['sealed words']);
    expect(result.states.at(-1)).toBe('connected');
    expect(result.sdp).not.toMatch(/audio-level|red\/|ulpfec|rtx\/|H264|AV1|VP9/);
  });

  test('that were expected send nothing before they are members, and are quicker then', async () => {
    const result = await tab.evaluate(async () => {
      await page.addMembers(2);
      const [a, b] = [page.member(0), page.member(1)];
      void a.mesh.publish('camera', page.picture('#f00'));
      a.mesh.expect([b.peer]);
      b.mesh.expect([a.peer, a.peer]);
      await page.sleep(600);
      const before = { signals: a.signals + b.signals, states: a.states.length, connections: page.connections.length };
      page.meet();
      await page.until(() => b.tracks.length >= 4 && a.tracks.length >= 4, 5000);
      const signals = a.signals + b.signals;
      const seen = await page.colourOf(page.lastTrack(b, a.peer, 'camera'), 3000);
      return { before, signals, seen, connections: page.connections.length };
    });
    expect(result.before).toEqual({ signals: 0, states: 0, connections: 2 });
    expect(red(result.seen)).toBe(true);
    expect(result.connections).toBe(2);
    // One offer and one answer, with their candidates in them.
    expect(result.signals).toBe(2);
  });

  test('make no more than one connection a second, whatever offers come, and the newest offer counts', async () => {
    const result = await tab.evaluate(async () => {
      await page.addMembers(2);
      const [a, b] = [page.member(0), page.member(1)];
      page.meet();
      await page.until(() => b.tracks.length >= 4, 5000);
      const { sdp } = page.connections[0]!.localDescription!;
      const before = page.connections.length;
      // The offering side is the one with the smaller id; its partner is flooded.
      for (let connection = 10; connection < 210; connection++)
        b.mesh.receive(a.peer, JSON.stringify({ connection, data: { type: 'offer', sdp } }));
      await page.sleep(300);
      const atOnce = page.connections.length - before;
      for (let n = 0; n < 200; n++)
        a.mesh.receive(b.peer, JSON.stringify({ connection: 1, data: { type: 'rebuild' } }));
      await page.sleep(300);
      return { atOnce, made: page.connections.length - before };
    });
    // One for the offer, one since the other end lost the connection that it had.
    expect(result.atOnce).toBeLessThanOrEqual(2);
    expect(result.made).toBeLessThanOrEqual(4);
  });

  test('find each other again when a connection dies, and after the network changed', async () => {
    const result = await tab.evaluate(async () => {
      await page.addMembers(2);
      const [a, b] = [page.member(0), page.member(1)];
      void a.mesh.publish('camera', page.picture('#f00'));
      page.meet();
      await page.until(() => b.tracks.length >= 4, 5000);
      a.mesh.refresh();
      await page.sleep(1000);
      const refreshed = { connections: page.connections.length, state: a.states.at(-1)?.state.at };
      // The answering end dies without a word.
      page.connections[1]!.close();
      b.tracks.length = 0;
      const began = performance.now();
      b.mesh.refresh();
      await page.until(() => b.tracks.some(({ kind, track }) => kind === 'camera' && track), 8000);
      const tookMs = performance.now() - began;
      const seen = await page.colourOf(page.lastTrack(b, a.peer, 'camera'), 4000);
      return { refreshed, tookMs, seen, states: b.states.map(({ state }) => state.at) };
    });
    expect(result.refreshed).toEqual({ connections: 2, state: 'connected' });
    expect(red(result.seen)).toBe(true);
    expect(result.states.at(-1)).toBe('connected');
    expect(result.tookMs).toBeLessThan(5000);
  });
});

test('four members see the three others; who goes is gone; who comes late is seen', async () => {
  const result = await tab.evaluate(async () => {
    await page.addMembers(4);
    const peers = [...page.members.keys()].sort();
    for (const one of page.members.values()) void one.mesh.publish('camera', page.picture('#f00'));
    page.meet(peers.slice(0, 3));
    const cameras = (n: number) => peers.filter((peer) => page.lastTrack(page.member(n), peer, 'camera')).length;
    await page.until(() => [0, 1, 2].every((n) => cameras(n) === 2), 8000);
    const three = [0, 1, 2].map(cameras);
    page.meet(peers);
    await page.until(() => [0, 1, 2, 3].every((n) => cameras(n) === 3), 8000);
    const four = [0, 1, 2, 3].map(cameras);
    for (const n of [1, 2, 3]) page.member(n).mesh.setPeers(peers.slice(1));
    await page.member(0).mesh.close();
    await page.sleep(500);
    const dropped = peers
      .slice(1)
      .flatMap((_, n) => Object.values(page.member(n + 1).counts).flatMap((one) => Object.values(one.dropped)));
    return { three, four, left: [1, 2, 3].map(cameras), dropped: dropped.reduce((sum, one) => sum + one, 0) };
  });
  expect(result).toEqual({ three: [2, 2, 2], four: [3, 3, 3, 3], left: [2, 2, 2], dropped: 0 });
});

describe('the self-test of the lobby', () => {
  test('passes where transforms run', async () => {
    const { result, tookMs, transforms } = await tab.evaluate(() => page.tryOut({}));
    expect({ result, transforms }).toEqual({ result: 'sealed', transforms: 2 });
    expect(tookMs).toBeLessThan(4000);
  });

  for (const trap of [
    { senders: 'late' },
    { senders: 'never' },
    { receivers: 'late' },
    { receivers: 'never' },
  ] as const)
    test(`fails where transforms of the ${Object.keys(trap)[0]} are set ${Object.values(trap)[0]}`, async () => {
      expect((await tab.evaluate((trap) => page.tryOut(trap), trap)).result).toBe('clear');
    });
});
