/** Sockets are lost and servers restart; the media does not care. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startHostileServer } from '../support/hostileServer.ts';
import { isTone } from '../support/media/readers.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import { longestGap } from '../support/watching.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
});
afterAll(() => app?.close());

test('a socket that dies comes back without a frame lost: keys and media are kept', async () => {
  const server = await startHostileServer(app.origin);
  onTestFinished(async () => {
    await here.close();
    await server.close();
  });
  here = new People(server.origin);
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await Promise.all([anna.see('Ben'), ben.see('Anna')]);
  const transforms = (await anna.totals()).transforms;
  const lines = server.lines.length;
  await ben.watch('Anna');

  await server.cut(2000);
  await anna.by('banner-reconnecting').waitFor({ timeout: 10_000 });
  await until(
    async () => server.lines.length > lines && !(await anna.by('banner-reconnecting').isVisible()),
    () => 'Anna is online again',
  );
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(await longestGap(ben, anna)).toBeLessThan(500);
  await Promise.all([ben.see('Anna'), anna.see('Ben')]);
  expect(isTone(await ben.hear('Anna'), CAST.Anna.tone)).toBe(true);
  expect((await anna.totals()).transforms).toBe(transforms);
  expect((await ben.totals()).unopened).toBe(0);
  expect(await anna.others()).toEqual(['Ben']);
});

describe('in one call', () => {
  let anna: Person;
  let ben: Person;
  let link: string;

  beforeAll(async () => {
    here = new People(app.origin);
    const met = await here.meet(['Anna', 'Ben']);
    [anna, ben] = met.people as [Person, Person];
    ({ link } = met);
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
  });
  afterAll(() => here.close());

  test('who mutes, and then switches the camera off, is not taken for a path that is lost', async () => {
    // RFC 8445 §9: whoever restarts ICE draws another name.
    const names = (): Promise<string[]> =>
      anna.page.evaluate(() =>
        parleyProbe.connections
          .filter(({ connectionState }) => connectionState === 'connected')
          .map(({ localDescription }) => /a=ice-ufrag:(\S+)/.exec(localDescription?.sdp ?? '')?.[1] ?? ''),
      );
    const before = await names();
    expect(before).toHaveLength(1);
    for (const control of ['control-microphone', 'control-camera']) {
      await ben.by(control).click();
      await new Promise((resolve) => setTimeout(resolve, 4000));
      expect(await names(), control).toEqual(before);
    }
    for (const control of ['control-microphone', 'control-camera']) await ben.by(control).click();
    await anna.see('Ben');
  });

  test('a connection that fails gets a successor, which is seen and heard, though the browser gives the tracks of both the same ids', async () => {
    const before = await anna.page.evaluate(() => {
      const failed = parleyProbe.connections.findLast(({ connectionState }) => connectionState === 'connected')!;
      Object.defineProperty(failed, 'connectionState', { value: 'failed' });
      failed.dispatchEvent(new Event('connectionstatechange'));
      return parleyProbe.connections.length;
    });
    await until(
      () =>
        anna.page.evaluate(
          (before) => parleyProbe.connections.slice(before).some((one) => one.connectionState === 'connected'),
          before,
        ),
      async () => `there is another connection; instead: ${await anna.situation()}`,
    );
    // Both have changed over.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
    expect(isTone(await ben.hear('Anna'), CAST.Anna.tone)).toBe(true);
    expect(isTone(await anna.hear('Ben'), CAST.Ben.tone)).toBe(true);
    for (const person of [anna, ben]) expect(person.watched.consoleErrors, person.name).toEqual([]);
  });

  test(
    'the server restarts in mid-call: the call goes on, and somebody new can still join',
    { timeout: 240_000 },
    async () => {
      await ben.watch('Anna');
      await app.restart();
      await until(
        async () =>
          !(await anna.by('banner-reconnecting').isVisible()) && !(await ben.by('banner-reconnecting').isVisible()),
        () => 'both are online again',
        60_000,
      );
      expect(await longestGap(ben, anna)).toBeLessThan(500);
      await Promise.all([ben.see('Anna'), anna.see('Ben')]);
      const carla = await here.invite('Carla');
      await carla.come(link);
      await carla.waitForOthers('Anna', 'Ben');
      await Promise.all([carla.see('Anna', 10), carla.see('Ben', 10), anna.see('Carla', 10)]);
      for (const person of [anna, ben]) expect((await person.totals()).unopened).toBe(0);
    },
  );
});
