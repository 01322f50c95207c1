/** Four people: one leaves, one reloads, one comes late. Everybody sees everybody who is there, and nobody else. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { idleTransforms } from '../support/inside.ts';
import type { Name, Person } from '../support/person.ts';
import { CAST, People } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import { heldBack, longestGaps, watchEachOther } from '../support/watching.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

/** Everybody sees everybody else, alive, and nobody else. */
async function allSeeEachOther(people: readonly Person[]): Promise<void> {
  await Promise.all(
    people.map((person) => person.waitForOthers(...people.filter((other) => other !== person).map(({ name }) => name))),
  );
  for (const person of people) {
    for (const other of people) {
      if (other === person) continue;
      await person.waitForState(other.name, 'connected', 'poor');
      const readings = await person.see(other.name, 5);
      expect(new Set(readings.map((reading) => reading.person)), `${person.name} looks at ${other.name}`).toEqual(
        new Set([CAST[other.name].number]),
      );
    }
  }
}

/** Nothing that came could not be opened, and frames went through every transform. Waits for the worker's next report, twice a second. */
async function noFrameWasLost(people: readonly Person[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 700));
  for (const person of people) {
    const { unopened, byReason } = await person.totals();
    expect(unopened, `${person.name}: ${JSON.stringify(byReason)}`).toBe(0);
    expect(await idleTransforms(person), person.name).toEqual([]);
  }
}

/**
 * Nobody's worker holds a frame back for want of a key from those who stay. How long a picture stood still is said and not judged: a busy machine
 * stops pictures, too; that they move, whoever sees each other afterwards shows.
 */
async function whileWatching(staying: readonly Person[], what: () => Promise<void>): Promise<void> {
  await watchEachOther(staying);
  const before = await Promise.all(staying.map((person) => heldBack(person, staying)));
  await what();
  const gaps = await longestGaps(staying);
  console.info(
    'longest gaps, ms (stalls of the machine):',
    gaps.map(({ ms, stalls }) => `${ms} (${stalls})`).join(', '),
  );
  // The worker's next report: twice a second.
  await new Promise((resolve) => setTimeout(resolve, 700));
  for (const [i, person] of staying.entries()) {
    const then = before[i]!;
    // Of each other person at least the voice and the picture: what is not counted proves nothing.
    expect(Object.keys(then).length, person.name).toBeGreaterThanOrEqual(2 * (staying.length - 1));
    const now = await heldBack(person, staying);
    for (const [way, frames] of Object.entries(then)) expect(now[way], `${person.name} to ${way}`).toBe(frames);
  }
}

test(
  'one comes late, one leaves, one reloads: everybody who is there sees the others, and no frame is lost to a key',
  { timeout: 300_000 },
  async () => {
    const { people, link } = await here.meet(['Anna', 'Ben', 'Carla']);
    const [anna, ben, carla] = people as [Person, Person, Person];
    await allSeeEachOther(people);

    const dan = await here.invite('Dan');
    await whileWatching([anna, ben, carla], async () => {
      await dan.come(link);
      for (const person of people) await person.waitForState('Dan', 'connected', 'poor');
    });
    await allSeeEachOther([anna, ben, carla, dan]);
    await noFrameWasLost([anna, ben, carla, dan]);

    await whileWatching([anna, carla, dan], async () => {
      await ben.leave();
      expect(await ben.closedReason()).toBe('left');
      for (const person of [anna, carla, dan])
        await person.waitForOthers(...[anna, carla, dan].filter((other) => other !== person).map(({ name }) => name));
    });
    await allSeeEachOther([anna, carla, dan]);
    // Carla's counts end with her page.
    await noFrameWasLost([anna, carla, dan]);

    // A reload is a new leaf; the name is remembered, so one click is enough.
    await whileWatching([anna, dan], async () => {
      await carla.page.reload();
      await carla.by('lobby-join').click({ timeout: 30_000 });
      for (const person of [anna, dan]) {
        const other = person === anna ? 'Dan' : 'Anna';
        await person.waitForOthers(other, 'Carla');
        await person.waitForState('Carla', 'connected', 'poor');
      }
    });
    await allSeeEachOther([anna, carla, dan]);
    await noFrameWasLost([anna, carla, dan]);
    const codes = await Promise.all([anna, carla, dan].map((person) => person.verificationCode()));
    expect(new Set(codes).size, codes.join()).toBe(1);
    expect(codes[0]).toMatch(/^\d{30}$/);
  },
);

test('two tabs of one browser are two people; whose tab is closed is gone for the others long before it would count as lost', async () => {
  const { people, link } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  const second = await ben.context.newPage();
  const first = ben.page;
  ben.page = second;
  await ben.open(link);
  await ben.by('lobby-join').waitFor({ timeout: 30_000 });
  await ben.by('lobby-name').fill('Carla' satisfies Name);
  await ben.by('lobby-join').click();
  await anna.waitForOthers('Ben', 'Carla');
  await anna.waitForState('Carla', 'connected', 'poor');
  ben.page = first;
  await ben.waitForOthers('Anna', 'Carla');
  await ben.waitForState('Anna', 'connected', 'poor');

  // The word that is sent on closing is sealed ahead, a moment after the first pictures: nobody closes the tab within that moment.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const closedAt = Date.now();
  await second.close();
  await Promise.all([anna.waitForOthers('Ben'), ben.waitForOthers('Anna')]);
  expect(Date.now() - closedAt).toBeLessThan(10_000);
  await anna.page.locator('[data-testid="notice"][data-key="left"]').waitFor();
});

test('a reload in a meeting with a password comes back by one click, and after leaving the password is asked for', async () => {
  const { people, link } = await here.meet(['Anna', 'Ben'], { password: 'correct horse battery' });
  const [anna, ben] = people as [Person, Person];
  await anna.waitForState('Ben', 'connected', 'poor');
  await ben.page.reload();
  await ben.by('lobby-join').click({ timeout: 30_000 });
  await anna.waitForOthers('Ben');
  await anna.waitForState('Ben', 'connected', 'poor');
  await ben.waitForState('Anna', 'connected', 'poor');
  await ben.leave();
  await ben.open(link);
  await ben.by('lobby-password').waitFor({ timeout: 30_000 });
});
