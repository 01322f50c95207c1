/** Two people meet by link and password: the main job. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { idleTransforms } from '../support/inside.ts';
import { CAST, People, until } from '../support/person.ts';
import { isTone, orderOf } from '../support/media/readers.ts';
import { FILM } from '../support/media/films.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

test("two people meet by link and password: each sees the other's pictures in order and hears the other's tone", async () => {
  const { people } = await here.meet(['Anna', 'Ben'], { password: 'correct horse battery' });
  const [anna, ben] = people as [(typeof people)[0], (typeof people)[0]];
  await Promise.all([anna.waitForOthers('Ben'), ben.waitForOthers('Anna')]);
  await Promise.all([anna.waitForState('Ben', 'connected'), ben.waitForState('Anna', 'connected')]);

  const [fromBen, fromAnna] = await Promise.all([anna.see('Ben', 60), ben.see('Anna', 60)]);
  for (const [readings, number] of [
    [fromBen, CAST.Ben.number],
    [fromAnna, CAST.Anna.number],
  ] as const) {
    expect(readings.every(({ person }) => person === number)).toBe(true);
    const { backward, largestStep } = orderOf(readings, FILM.frames);
    expect(backward).toBe(0);
    // 15 pictures a second: half a second without one would be a visible stop.
    expect(largestStep).toBeLessThan(8);
  }
  const heard = await Promise.all([anna.hear('Ben', 1500), ben.hear('Anna', 1500)]);
  expect(isTone(heard[0], CAST.Ben.tone), JSON.stringify(heard[0])).toBe(true);
  expect(isTone(heard[1], CAST.Anna.tone), JSON.stringify(heard[1])).toBe(true);

  for (const person of people) {
    const totals = await person.totals();
    expect(totals.passed).toBeGreaterThan(100);
    expect(await idleTransforms(person)).toEqual([]);
    expect(totals.unopened).toBe(0);
    expect(person.watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
  }
});

test('muting is heard, switching the camera off is seen, and both come back', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [(typeof people)[0], (typeof people)[0]];
  await ben.see('Anna');
  expect(isTone(await ben.hear('Anna'), CAST.Anna.tone)).toBe(true);

  await anna.by('control-microphone').click();
  await anna.by('control-camera').click();
  await ben.tile('Anna').locator('video').waitFor({ state: 'detached', timeout: 5000 });
  await until(
    async () => !isTone(await ben.hear('Anna', 500), CAST.Anna.tone),
    () => 'Ben no longer hears Anna',
    5000,
  );

  await anna.by('control-microphone').click();
  await anna.by('control-camera').click();
  await ben.see('Anna');
  expect(isTone(await ben.hear('Anna', 1500), CAST.Anna.tone)).toBe(true);
  expect((await ben.totals()).unopened).toBe(0);
});
