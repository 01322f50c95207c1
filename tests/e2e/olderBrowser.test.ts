/** A browser that hands out encoded frames by streams alone (createEncodedStreams), with one that has RTCRtpScriptTransform. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isTone } from '../support/media/readers.ts';
import type { Person } from '../support/person.ts';
import { CAST, People } from '../support/person.ts';
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

test('both see and hear each other, and every frame is sealed and opened', async () => {
  const { people, link } = await here.meet(['Anna']);
  const anna = people[0] as Person;
  const ben = await here.invite('Ben');
  await ben.context.addInitScript(() => Reflect.deleteProperty(globalThis, 'RTCRtpScriptTransform'));
  await ben.come(link);
  expect(await ben.page.evaluate(() => 'RTCRtpScriptTransform' in globalThis)).toBe(false);
  await Promise.all([anna.waitForState('Ben', 'connected'), ben.waitForState('Anna', 'connected')]);
  const [fromBen, fromAnna] = await Promise.all([anna.see('Ben'), ben.see('Anna')]);
  expect(new Set(fromBen.map(({ person }) => person))).toEqual(new Set([CAST.Ben.number]));
  expect(new Set(fromAnna.map(({ person }) => person))).toEqual(new Set([CAST.Anna.number]));
  expect(isTone(await anna.hear('Ben', 1500), CAST.Ben.tone)).toBe(true);
  // The probe knows whose a track is by its transform; here there is none, and only one other person.
  const heard = await ben.page.evaluate(() => {
    const players = [...document.querySelectorAll<HTMLMediaElement>('audio, video')].filter(({ muted }) => !muted);
    const tracks = players.flatMap(({ srcObject }) =>
      srcObject instanceof MediaStream ? srcObject.getAudioTracks() : [],
    );
    return parleyReaders.tone(tracks, 1500);
  });
  expect(isTone(heard, CAST.Anna.tone), JSON.stringify(heard)).toBe(true);

  const { passed, unopened } = await anna.totals();
  expect(passed).toBeGreaterThan(100);
  expect(unopened).toBe(0);
  const counts = await ben.page.evaluate(() => Object.values(parleyProbe.counts));
  expect(counts.reduce((sum, one) => sum + one.passed, 0)).toBeGreaterThan(100);
  for (const { dropped } of counts) {
    // The self-test before the meeting seals nothing, and opens nothing, on purpose.
    expect(dropped).toMatchObject({ forged: 0, replayed: 0, wrongSender: 0, shed: 0 });
  }
});
