/**
 * Whoever has left or was removed opens nothing that is sent more than a second later, with all the keys they ever had and with the
 * help of the server; nor do they come back with what they know. The others notice a new link, and nothing else.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { HostileServer } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
import { admissionKeyOf, askForGhost, groupOf, makeGhost } from '../support/ghost.ts';
import { alarmsOf, droppedFrom, epochOf, membersOf, showsNotice } from '../support/inside.ts';
import { epochSlotOf } from '../support/frameHeader.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import type { TapReport, TappedFrame } from '../support/wiretap.ts';

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

const KINDS = ['camera', 'microphone'] as const;
/** A frame may wait this long for its key (client/e2ee/frameTransform.ts): only then is it dropped. */
const HOLD_MS = 2000;
/** Frames of each kind that are tried. */
const SOME = 20;

const firstOf = (frames: readonly TappedFrame[], kind: string): TappedFrame[] =>
  frames.filter((frame) => frame.kind === kind).slice(0, SOME);

/** Puts frames of Anna's that Carla received before Ben's transforms for Anna, one by one. */
const injectAt = (ben: Person, frames: readonly TappedFrame[]): Promise<void> =>
  ben.page.evaluate((frames) => {
    for (const frame of frames) parleyTap.inject(frame);
  }, frames);

/** How many were put there so far, and how many of them Ben's worker opened for the decoder. */
const injectedAt = (ben: Person): Promise<Pick<TapReport, 'injected' | 'injectedOn'>> =>
  ben.page.evaluate(() => parleyTap.report());

const countOf = (count: number): Record<string, number> => Object.fromEntries(KINDS.map((kind) => [kind, count]));

/** Three people: Ben keeps his connections open and every key he has; Anna's frames are tapped as Carla gets them. */
async function withAnEavesdropper() {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const [anna, ben, carla] = await Promise.all([
    here.invite('Anna'),
    here.invite('Ben', { tapped: true, probe: { keepConnections: true } }),
    here.invite('Carla', { tapped: true }),
  ]);
  const link = await anna.createMeeting(server.origin, { password: PASSWORD });
  await anna.join();
  await ben.come(link, PASSWORD);
  await carla.come(link, PASSWORD);
  await Promise.all([anna.waitForOthers('Ben', 'Carla'), ben.see('Anna'), carla.see('Anna', 40)]);
  const [annaPeer, benPeer] = [await peerOf(carla, anna), await peerOf(anna, ben)];
  const framesOfAnna = async (since: number): Promise<TappedFrame[]> => {
    const frames = await carla.page.evaluate((since) => parleyTap.frames(since), since);
    return frames.filter(({ peer }) => peer === annaPeer);
  };

  // While Ben is a member, what Anna sends to Carla is sealed under keys that he has: the method works. As many are kept for later.
  const early = await framesOfAnna(0);
  const [tried, kept] = [early.slice(0, early.length >> 1), early.slice(early.length >> 1)];
  await injectAt(
    ben,
    KINDS.flatMap((kind) => firstOf(tried, kind)),
  );
  await until(
    async () => (await injectedAt(ben)).injectedOn['camera'] === SOME,
    async () => `Ben opens what he has keys for: ${JSON.stringify(await injectedAt(ben))}`,
  );
  expect(await injectedAt(ben)).toMatchObject({ injected: countOf(SOME), injectedOn: countOf(SOME) });

  // From here on the server hides from Ben all that could tell him that he is out.
  let committedAt = 0;
  const epochOfBen = await epochOf(ben);
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
    const late = await framesOfAnna(committedAt + 1000);
    // All of them, by the key that they name, are of an epoch that Ben never was in.
    const ahead = late.map((frame) => {
      const slot = epochSlotOf(frame);
      return slot === null ? null : (slot - epochOfBen + 64) % 64;
    });
    expect(new Set(ahead)).toEqual(new Set([1]));

    const before = await Promise.all(KINDS.map((kind) => droppedFrom(ben, annaPeer, kind)));
    await injectAt(
      ben,
      KINDS.flatMap((kind) => firstOf(late, kind)),
    );
    await wait(HOLD_MS + 500);
    // Frames leave in the order in which they came: when older ones open behind them, nobody waits for a key any more.
    await injectAt(
      ben,
      KINDS.flatMap((kind) => firstOf(kept, kind)),
    );
    await until(
      async () => (await injectedAt(ben)).injected['microphone'] === 3 * SOME,
      async () => `Ben's transforms still work: ${JSON.stringify(await injectedAt(ben))}`,
    );
    await wait(1000);
    expect(await injectedAt(ben)).toMatchObject({ injected: countOf(3 * SOME), injectedOn: countOf(2 * SOME) });
    for (const [i, kind] of KINDS.entries()) {
      const dropped = await droppedFrom(ben, annaPeer, kind);
      expect((dropped['unknownKey'] ?? 0) - (before[i]!['unknownKey'] ?? 0), kind).toBeGreaterThanOrEqual(SOME);
    }
    const carlaSees = await carla.see('Anna', 10);
    expect(carlaSees.every(({ person }) => person === CAST.Anna.number)).toBe(true);
    expect((await carla.totals()).unopened).toBe(0);
  };
  return { anna, ben, carla, link, benPeer, nothingMoreOpens };
}

/** The link as this person would pass it on: from the address bar, and by the button that copies it. */
async function linksOf(person: Person): Promise<string[]> {
  await person.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  await person.by('control-more').click();
  await person.by('more-copy-link').click();
  await person.page.locator('[data-testid=notice][data-key=copied]').waitFor();
  return [person.page.url(), await person.page.evaluate(() => navigator.clipboard.readText())];
}

test(
  'a removed person, who keeps every key and is told nothing by the server, opens nothing of what follows',
  { timeout: 240_000 },
  async () => {
    const { anna, carla, link, benPeer, nothingMoreOpens } = await withAnEavesdropper();
    server.onRequest = (request, line) => (line.peer === benPeer ? null : request);
    await anna.remove('Ben');
    await nothingMoreOpens();

    // A server that helps him back: with a new identity, and every word that link and password gave him the key for.
    const privateKey = await admissionKeyOf(server, link, PASSWORD);
    const lines = [server.lineOf(await peerOf(carla, anna)), server.lineOf(await peerOf(anna, carla))];
    const [epoch, groupId] = [await epochOf(anna), groupOf(server.lines)];
    for (const generation of [0, 1])
      await askForGhost(await makeGhost(link), lines, { groupId, generation, by: 'link', privateKey });
    await wait(4000);
    for (const [person, other] of [
      [anna, 'Carla'],
      [carla, 'Anna'],
    ] as const) {
      expect(await person.others()).toEqual([other]);
      expect(await epochOf(person)).toBe(epoch);
      // An admission of a generation that is over is only late; what claims the present one is not signed by its key.
      expect(await alarmsOf(person)).toContain('forged');
      expect(await showsNotice(person, 'forged')).toBe(true);
    }

    // And by an honest server: old link and old password, in a fresh browser.
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
    for (const person of [anna, carla]) expect(await linksOf(person)).toEqual([newLink, newLink]);
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

test('control: before any removal the same words of the server do bring somebody in; who is removed by an honest one is told so, and sees nothing more', async () => {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const { people, link } = await here.meet(['Anna', 'Carla'], { password: PASSWORD });
  const [anna, carla] = people as [Person, Person];
  await Promise.all([anna.waitForOthers('Carla'), carla.waitForOthers('Anna')]);
  const privateKey = await admissionKeyOf(server, link, PASSWORD);
  const lines = [server.lineOf(await peerOf(carla, anna)), server.lineOf(await peerOf(anna, carla))];
  await askForGhost(await makeGhost(link), lines, {
    groupId: groupOf(server.lines),
    generation: 0,
    by: 'link',
    privateKey,
  });
  for (const person of [anna, carla])
    await until(
      async () => (await membersOf(person)) === 3 && (await person.others()).length === 2,
      async () => `${person.name} has a third member; instead: ${await person.situation()}`,
    );

  await carla.see('Anna');
  await anna.remove('Carla');
  expect(await carla.closedReason()).toBe('removed');
  expect(await carla.page.locator('[data-testid=tile], video').count()).toBe(0);
  await until(
    async () => !(await anna.others()).includes('Carla'),
    async () => `Anna sees no Carla any more; instead: ${await anna.situation()}`,
  );
});
