/**
 * A crowd: two real browsers among synthetic members, who have keys, seal and open like anybody and send little.
 *
 * PARLEY_CROWD sets how many, preset is 30. A hundred take three minutes on two cores, which have all their threads to carry:
 * `PARLEY_CROWD=100 npm test -- tests/e2e/crowd.test.ts`.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { cpuMs, residentBytes } from '../bench/procfs.ts';
import { epochOf, membersOf, openedFrom } from '../support/inside.ts';
import { heapOf } from '../support/heap.ts';
import type { Person } from '../support/person.ts';
import { People, until } from '../support/person.ts';
import type { AppOrders, Held } from '../support/synthetic/appProcess.ts';
import { Crowd, meetingOf } from '../support/synthetic/crowd.ts';
import type { MemberReport } from '../support/synthetic/member.ts';
import { Servant } from '../support/synthetic/orders.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');
const runs = test.skipIf(!hasWorker());

const SIZES = (process.env['PARLEY_CROWD'] ?? '30').split(',').map(Number);
/** A crowd on a busy machine: it is the result that counts here, not the time. */
const PATIENCE_MS = 240_000;
/**
 * So many come at once. Each says something to each at every join, and all of that is read in one or two threads here: more, and the
 * first are called lost before they were heard.
 */
const TOGETHER = 28;
/** Streams of so many others go to each member, of the browsers to every seventh. */
const FOLLOWED = 3;
const EVERY_SEVENTH = 7;
/** What may be more than before, of what is still held after everybody left. */
const GROWTH = 1.15;
/** A browser goes on knowing whom it has met: identities and their codes, whose messages it has had. Some 7 KiB each were measured. */
const REMEMBERED_BYTES = 16 * 1024;

let server: Servant<AppOrders>;
let url: string;
let here: People;
let crowd: Crowd;

beforeAll(async () => {
  if (!hasWorker()) return;
  server = new Servant(new URL('../support/synthetic/appProcess.ts', import.meta.url), ['--expose-gc']);
  // Two workers: the meeting is in two halls, and every stream goes through a pipe to the other half.
  url = await server.order('start', { workers: 2 });
  here = new People(url);
  crowd = new Crowd(url);
});
afterEach(async () => {
  await crowd?.close();
  await here?.close();
});
afterAll(async () => {
  await server?.order('stop', {});
  await server?.end();
});

runs.each(SIZES)(
  '%i members: all open what they follow, joins share commits, and nothing is left of who went',
  { timeout: 900_000 },
  async (size) => {
    const { people, link } = await here.meet(['Anna', 'Ben']);
    const meeting = meetingOf(link);
    const peersOfBrowsers = await Promise.all(people.map(ownPeer));

    // The way by the relay was gone once, so that what is loaded for it is no growth.
    await crowd.enter(meeting, 5);
    await everybodyIsIn(people, 7);
    await browsersOpenAll(people, [...crowd.peers, ...peersOfBrowsers]);
    await crowd.leave();
    await everybodyIsIn(people, 2);
    const before = await allHeld(people);
    const epochBefore = await epochOf(people[0]!);

    const began = performance.now();
    for (let there = 2; there < size;) {
      const coming = Math.min(TOGETHER, size - there);
      await crowd.enter(meeting, coming);
      there += coming;
      await everybodyIsIn(people, there);
      await crowdKnowsAll(there);
    }
    const allIn = performance.now() - began;
    const commits = (await epochOf(people[0]!)) - epochBefore;
    // Each alone would be as many as there are members.
    expect(commits).toBeLessThanOrEqual((size - 2) / 3);

    const { peers } = crowd;
    for (const [i, peer] of peers.entries()) {
      const others = Array.from({ length: FOLLOWED }, (_, step) => peers[(i + step + 1) % peers.length]!);
      await crowd.follow(peer, i % EVERY_SEVENTH === 0 ? [...others, ...peersOfBrowsers] : others);
    }
    const streams = 2 * (FOLLOWED * peers.length + 2 * Math.ceil(peers.length / EVERY_SEVENTH));
    let reports: MemberReport[] = [];
    await until(
      async () => {
        reports = await crowd.report();
        const followed = reports.flatMap((report) => report.followed);
        return (
          reports.every(({ members, sealed }) => members === size && sealed > 0) &&
          followed.length === streams &&
          followed.every(({ opened }) => opened > 2)
        );
      },
      () => `every member opens every stream that it follows; instead: ${summaryOf(reports)}`,
      PATIENCE_MS,
    );
    await browsersOpenAll(people, [...peers, ...peersOfBrowsers]);
    const allOpen = performance.now() - began;
    await nothingFailsToOpenNow(people);
    for (const person of people) {
      await person.openPeople();
      expect(await person.by('people-row').count()).toBe(size);
      await person.page.keyboard.press('Escape');
    }
    expect((await crowd.report()).flatMap(({ troubles }) => troubles)).toEqual([]);
    const cpu = { server: cpuMs([server.pid]), crowd: cpuMs(crowd.pids) };
    const during = await server.order('held', {});
    expect(during).toMatchObject({ rooms: 1, peers: size, connections: size });

    const unopened = await Promise.all(people.map(async (person) => (await person.totals()).byReason));

    const leaving = performance.now();
    await crowd.leave();
    await everybodyIsIn(people, 2);
    const allOut = performance.now() - leaving;
    // Two are a mesh again after a while, and the relay has nothing more to do.
    await until(
      async () => (await server.order('held', {})).rooms === 0,
      () => 'the relay has closed the room',
      PATIENCE_MS,
    );
    const after = await allHeld(people);
    const change = (what: (held: AllHeld) => number[]): string =>
      `${what(before).map(mib).join(' and ')}, then ${what(after).map(mib).join(' and ')}`;
    console.info(
      [
        `${size} members: all in after ${seconds(allIn)} by ${commits} commits, all open after ${seconds(allOpen)}`,
        `all out after ${seconds(allOut)}`,
        `CPU of server ${seconds(cpu.server)}, of crowd ${seconds(cpu.crowd)}`,
        `server with all ${mib(during.heapBytes)}; ${change((held) => [held.server.heapBytes])}`,
        `relay ${change(({ relays }) => relays)}`,
        `pages ${change(({ pages }) => pages)}`,
        `workers ${change(({ keepers }) => keepers)}`,
        `the browsers' frames that were too early or late: ${JSON.stringify(unopened)}`,
      ].join('\n  '),
    );
    expect(after.server).toMatchObject({ rooms: 0, peers: 0, connections: 2 });
    expect(after.server.heapBytes).toBeLessThan(GROWTH * before.server.heapBytes);
    for (const heaps of ['pages', 'keepers'] as const) {
      for (const [i, bytes] of after[heaps].entries())
        expect(bytes, heaps).toBeLessThan(GROWTH * before[heaps][i]! + (size - 2) * REMEMBERED_BYTES);
    }
    await browsersOpenAll(people, peersOfBrowsers);
  },
);

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const ownPeer = (person: Person): Promise<PeerId> =>
  person.page.evaluate(
    () => parleyProbe.notices.findLast((notice) => notice.type === 'members')!.members.find(({ self }) => self)!.peer,
  );

async function everybodyIsIn(people: readonly Person[], count: number): Promise<void> {
  for (const person of people) {
    await until(
      async () => (await membersOf(person)) === count,
      async () => `${person.name} is one of ${count}, not of ${await membersOf(person)}`,
      PATIENCE_MS,
    );
  }
}

async function crowdKnowsAll(count: number): Promise<void> {
  let reports: MemberReport[] = [];
  await until(
    async () => (reports = await crowd.report()).every(({ members }) => members === count),
    () => `all know all ${count}; instead: ${summaryOf(reports)}`,
    PATIENCE_MS,
  );
}

/** From now on each browser opens at least one more frame of each peer. */
async function browsersOpenAll(people: readonly Person[], peers: readonly string[]): Promise<void> {
  for (const person of people) {
    const own = await ownPeer(person);
    const missing = new Map<string, number>();
    for (const peer of peers) if (peer !== own) missing.set(peer, await openedFrom(person, peer));
    await until(
      async () => {
        for (const [peer, known] of missing) if ((await openedFrom(person, peer)) > known) missing.delete(peer);
        return missing.size === 0;
      },
      async () => `${person.name} opens frames of all; not of ${missing.size}: ${await person.situation()}`,
      PATIENCE_MS,
    );
  }
}

/** Keys came and went, and a frame may have been too fast for a busy machine; with nobody coming or going every one opens. */
async function nothingFailsToOpenNow(people: readonly Person[]): Promise<void> {
  const failed = async (): Promise<unknown> => ({
    browsers: await Promise.all(people.map(async (person) => (await person.totals()).unopened)),
    crowd: (await crowd.report()).map(({ followed }) => followed.map(({ unopened }) => unopened)),
  });
  const before = await failed();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(await failed()).toEqual(before);
}

interface AllHeld {
  server: Held;
  /** Of the relay, resident. */
  relays: number[];
  pages: number[];
  /** The pages' workers, who hold the keys. */
  keepers: number[];
}

async function allHeld(people: readonly Person[]): Promise<AllHeld> {
  const held = await server.order('held', {});
  const heaps = [];
  for (const person of people) heaps.push(await heapWithoutProbe(person));
  const [pages, keepers] = [heaps.map(({ page }) => page), heaps.map(({ workers }) => workers)];
  return { server: held, relays: held.workers.map(residentBytes), pages, keepers };
}

/** Without what the test itself keeps. */
async function heapWithoutProbe({ page }: Person): Promise<{ page: number; workers: number }> {
  await page.evaluate(() => {
    const { notices, connections } = parleyProbe;
    const members = notices.findLast(({ type }) => type === 'members');
    notices.splice(0, notices.length, ...(members ? [members] : []));
    connections.splice(0, connections.length, ...connections.filter((one) => one.connectionState !== 'closed'));
  });
  return heapOf(page);
}

function summaryOf(reports: readonly MemberReport[]): string {
  const followed = reports.flatMap((report) => report.followed);
  return JSON.stringify({
    members: reports.map(({ members }) => members),
    sealed: reports.map(({ sealed }) => sealed),
    streams: followed.length,
    opened: followed.filter(({ opened }) => opened > 2).length,
    unopened: followed.filter(({ unopened }) => Object.keys(unopened).length > 0).slice(0, 3),
    troubles: reports.flatMap(({ troubles }) => troubles).slice(0, 5),
  });
}
