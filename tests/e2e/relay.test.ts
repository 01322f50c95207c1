/** Larger meetings: the fifth takes everybody to the relay while they talk, and the mesh takes them back. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { isTone } from '../support/media/readers.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');
const runs = test.skipIf(!hasWorker());

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp(WITH_RELAY);
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

async function allSeeEachOther(people: readonly Person[]): Promise<void> {
  for (const person of people) {
    for (const other of people) {
      if (other === person) continue;
      const readings = await person.see(other.name, 3);
      expect(new Set(readings.map((reading) => reading.person)), `${person.name} looks at ${other.name}`).toEqual(
        new Set([CAST[other.name].number]),
      );
    }
  }
}

/** Frames opened by now, by the way they took: those of the relay were sealed for everybody. */
const opened = (person: Person): Promise<{ connections: number; toRelay: number }> =>
  person.page.evaluate(() => ({
    connections: parleyProbe.connections.filter(({ connectionState }) => connectionState === 'connected').length,
    toRelay: parleyProbe.transforms
      .filter((options) => options.side === 'send' && options.peer === null)
      .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
  }));

runs(
  'the fifth comes while four talk: everybody goes to the relay, and back when two have left',
  { timeout: 300_000 },
  async () => {
    const { people, link } = await here.meet(['Anna', 'Ben', 'Carla', 'Dan']);
    await allSeeEachOther(people);
    for (const person of people) expect(await opened(person)).toEqual({ connections: 3, toRelay: 0 });

    const eve = await here.invite('Eve');
    for (const person of people) for (const other of people) if (other !== person) await person.watch(other.name);
    await eve.come(link);
    const all = [...people, eve];
    for (const person of all) {
      // One way to the relay and one from it, and no mesh any more.
      await until(
        async () => (await opened(person)).connections === 2 && (await opened(person)).toRelay > 0,
        async () => `${person.name} is at the relay; instead: ${await person.situation()}`,
        60_000,
      );
    }
    console.info('longest gap between pictures across the switch up, ms:', (await longestGaps(people)).join(' '));
    await allSeeEachOther(all);
    const tone = await eve.hear('Anna', 1500);
    expect(isTone(tone, CAST.Anna.tone), JSON.stringify(tone)).toBe(true);
    await noFrameWasLost(all);

    const [anna, ben, carla, dan] = people as [Person, Person, Person, Person];
    await Promise.all([dan.leave(), eve.leave()]);
    const staying = [anna, ben, carla];
    for (const person of staying) {
      await person.waitForOthers(...staying.filter((other) => other !== person).map(({ name }) => name));
      for (const other of staying) if (other !== person) await person.watch(other.name);
    }
    for (const person of staying) {
      await until(
        async () => (await toRelayNow(person)) === 0,
        async () => `${person.name} sends nothing to the relay any more; instead: ${await person.situation()}`,
        90_000,
      );
    }
    console.info('longest gap between pictures across the switch down, ms:', (await longestGaps(staying)).join(' '));
    await allSeeEachOther(staying);
    await noFrameWasLost(staying);
  },
);

/** Frames that this page has sealed for everybody within a second. */
async function toRelayNow(person: Person): Promise<number> {
  const before = (await opened(person)).toRelay;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return (await opened(person)).toRelay - before;
}

async function noFrameWasLost(people: readonly Person[]): Promise<void> {
  for (const person of people) {
    const { unopened, byReason } = await person.totals();
    expect(unopened, `${person.name}: ${JSON.stringify(byReason)}`).toBe(0);
  }
}

/** Of each picture that somebody watches, sorted. */
async function longestGaps(people: readonly Person[]): Promise<number[]> {
  const gaps: number[] = [];
  for (const person of people) {
    for (const other of people) {
      if (other === person) continue;
      const { readings } = await person.watchedOf(other.name);
      const steps = readings.slice(1).map(({ at }, i) => at - readings[i]!.at);
      gaps.push(Math.round(Math.max(...steps)));
    }
  }
  return gaps.sort((a, b) => a - b);
}
