/**
 * Whoever has left or was removed opens nothing that is sent more than a second later, with all the keys they ever had and with the
 * help of the server; nor do they come back with what they know. The others notice a new link, and nothing else.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { HostileServer } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import type { TappedFrame } from '../support/wiretap.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp();
});
afterEach(async () => {
  await here.close();
  await server.close();
});
afterAll(() => app?.close());

const PASSWORD = 'correct horse battery';
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const peerOf = async (viewer: Person, who: Person): Promise<string> =>
  (await viewer.tile(who.name).getAttribute('data-peer'))!;

/**
 * Frames of Anna's that Carla received, put before Ben's transform for Anna, one by one.
 * @returns how many were put there, and how many of them Ben's worker opened for the decoder
 */
async function openAt(ben: Person, frames: readonly TappedFrame[]): Promise<{ injected: number; opened: number }> {
  const counts = async (): Promise<{ injected: number; opened: number }> => {
    const { injected, handedOn } = await ben.page.evaluate(() => parleyTap.report());
    return { injected, opened: Object.values(handedOn).reduce((sum, count) => sum + count, 0) };
  };
  const before = await counts();
  await ben.page.evaluate((frames) => {
    for (const frame of frames) parleyTap.inject(frame);
  }, frames);
  await wait(1000);
  const after = await counts();
  return { injected: after.injected - before.injected, opened: after.opened - before.opened };
}

/** Three people: Ben keeps his connections open and every key he has; Anna's frames are tapped as Carla gets them. */
async function withAnEavesdropper() {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const anna = await here.invite('Anna');
  const ben = await here.invite('Ben', { tapped: true, probe: { keepConnections: true } });
  const carla = await here.invite('Carla', { tapped: true });
  const link = await anna.createMeeting(server.origin, { password: PASSWORD });
  await anna.join();
  await ben.come(link, PASSWORD);
  await carla.come(link, PASSWORD);
  await Promise.all([anna.waitForOthers('Ben', 'Carla'), ben.see('Anna'), carla.see('Anna')]);
  const [annaPeer, benPeer] = [await peerOf(carla, anna), await peerOf(anna, ben)];
  const framesOfAnna = async (since: number): Promise<TappedFrame[]> => {
    const frames = await carla.page.evaluate(() => parleyTap.frames());
    return frames.filter(({ peer, at, kind }) => peer === annaPeer && kind === 'camera' && at >= since);
  };

  // While Ben is a member, what Anna sends to Carla is sealed under keys that he has: the method works.
  const early = await openAt(ben, (await framesOfAnna(0)).slice(-20));
  expect(early.injected).toBe(20);
  expect(early.opened).toBeGreaterThanOrEqual(20);

  // From here on the server hides from Ben all that could tell him that he is out.
  let committedAt = 0;
  server.onAnswer = (answer, line) => {
    const isForBen = line.peer === benPeer;
    if ('event' in answer && answer.event.type === 'group.committed' && !isForBen) committedAt ||= Date.now();
    return isForBen && 'event' in answer ? null : answer;
  };
  server.keepsOpen = (line) => line.peer === benPeer;
  const nothingMoreOpens = async (): Promise<void> => {
    await until(
      async () => committedAt > 0,
      () => 'his going is committed',
    );
    await Promise.all([anna.waitForOthers('Carla'), carla.waitForOthers('Anna')]);
    await wait(committedAt + 1000 - Date.now() + 2500);
    const late = await openAt(ben, (await framesOfAnna(committedAt + 1000)).slice(-20));
    expect(late.injected).toBe(20);
    expect(late.opened).toBe(0);
    const carlaSees = await carla.see('Anna', 10);
    expect(carlaSees.every(({ person }) => person === CAST.Anna.number)).toBe(true);
    expect((await carla.totals()).unopened).toBe(0);
  };
  return { anna, ben, carla, link, benPeer, nothingMoreOpens };
}

test(
  'a removed person, who keeps every key and is told nothing by the server, opens nothing of what follows',
  { timeout: 240_000 },
  async () => {
    const { anna, carla, link, benPeer, nothingMoreOpens } = await withAnEavesdropper();
    server.onRequest = (request, line) => (line.peer === benPeer ? null : request);
    await anna.remove('Ben');
    await nothingMoreOpens();

    // Old link and old password, with a new identity: a fresh browser.
    server.onAnswer = (answer) => answer;
    server.onRequest = (request) => request;
    const again = await here.invite('Ben');
    await again.open(link);
    expect(await again.closedReason()).toBe('oldLink');
    expect(await anna.others()).toEqual(['Carla']);

    // The others have a new link without having done anything, and it works with the same password.
    await until(
      async () => (await carla.newSecret()) !== null,
      () => 'Carla has the new link',
    );
    const newLink = `${link.split('#')[0]}#${await carla.newSecret()}`;
    expect(newLink).not.toBe(link);
    const dan = await here.invite('Dan');
    await dan.come(newLink, PASSWORD);
    await dan.waitForOthers('Anna', 'Carla');
    await dan.see('Carla', 5);
  },
);

test(
  'who has said good-bye, and keeps every key for all that, opens nothing of what follows, nor comes back without the password',
  { timeout: 240_000 },
  async () => {
    const { anna, ben, link, benPeer, nothingMoreOpens } = await withAnEavesdropper();
    // His page says what a closing page says, and stays; nothing that it says afterwards matters.
    await ben.page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')));
    await until(
      async () => server.lineOf(benPeer).requests.some(({ name }) => name === 'meeting.leave'),
      () => 'Ben has said good-bye',
    );
    server.onRequest = (request, line) => (line.peer === benPeer ? null : request);
    await nothingMoreOpens();

    const again = await here.invite('Ben');
    await again.open(link);
    await again.enterPassword('not the password');
    await again.page.locator('[data-testid=lobby-password][aria-invalid=true]').waitFor({ timeout: 30_000 });
    expect(await anna.others()).toEqual(['Carla']);
  },
);

test('a removed person is told so, and sees nothing more', async () => {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await ben.see('Anna');
  await anna.remove('Ben');
  expect(await ben.closedReason()).toBe('removed');
  await anna.waitForOthers();
});
