/** The small window on top of other programs, in a real meeting: it shows the other, and goes when the meeting does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CAST, People, until } from '../support/person.ts';
import { type App, serveApp } from '../support/servedApp.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterAll(async () => {
  await here?.close();
  await app?.close();
});

test(
  'two meet, and one looks at the other in a small window until the meeting is left',
  { timeout: 90_000 },
  async () => {
    const { people } = await here.meet(['Anna', 'Ben']);
    const anna = people[0]!;
    await anna.see('Ben', 3);
    await anna.by('control-more').click();
    await anna.by('more-float').click();
    await until(
      () => anna.page.evaluate(() => document.pictureInPictureElement !== null),
      async () => `the window is there; instead: ${await anna.situation()}`,
    );
    await anna.page.evaluate(() => parleyReaders.watch('window', document.pictureInPictureElement as HTMLVideoElement));
    const seen = () => anna.page.evaluate(() => parleyReaders.watched('window').readings.map(({ person }) => person));
    await until(
      async () => (await seen()).length >= 5,
      () => 'pictures come in the window',
    );
    expect(new Set(await seen())).toEqual(new Set([CAST.Ben.number]));
    await anna.leave();
    expect(await anna.page.evaluate(() => document.pictureInPictureElement)).toBeNull();
    expect(anna.watched.cspViolations).toEqual([]);
    expect(anna.watched.outsideRequests).toEqual([]);
  },
);
