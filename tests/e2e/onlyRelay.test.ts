/** A meeting that hides addresses: the two in it talk by the relay, and never so much as try to reach each other. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { isTone } from '../support/media/readers.ts';
import { CAST, People, type Person, until } from '../support/person.ts';
import { type App, serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp(WITH_RELAY);
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

/** Connections that have described themselves and whose other end is neither the relay nor this page (which tries sealing on itself). */
const directTries = ({ page }: Person): Promise<number> =>
  page.evaluate(() => {
    const nameOf = (end: RTCSessionDescription | null): string => /a=ice-ufrag:(\S+)/.exec(end?.sdp ?? '')?.[1] ?? '';
    const own = new Set(parleyProbe.connections.map(({ localDescription }) => nameOf(localDescription)));
    return parleyProbe.connections.filter(({ localDescription, remoteDescription }) => {
      // RFC 8445 §2.5: only what is reachable by itself may be lite. A browser never is.
      const isRelay = /^a=ice-lite\r?$/m.test(remoteDescription?.sdp ?? '');
      return localDescription !== null && !isRelay && !own.has(nameOf(remoteDescription));
    }).length;
  });

test.skipIf(!hasWorker())(
  'two in a meeting that is fixed to the relay see and hear each other, and no connection ever has the other at its end',
  { timeout: 120_000 },
  async () => {
    const [anna, ben] = await Promise.all([here.invite('Anna'), here.invite('Ben')]);
    await anna.page.goto(app.origin);
    await anna.by('home-options').click();
    await anna.by('way-relay').check();
    await anna.by('home-create').click();
    await anna.shows('lobby-join');
    const link = anna.page.url();
    for (const person of [anna, ben]) {
      if (person === ben) await ben.open(link);
      await person.shows('way');
      await person.join();
    }
    for (const [person, other] of [
      [anna, ben],
      [ben, anna],
    ] as const) {
      await person.see(other.name, 10);
      await until(
        async () => isTone(await person.hear(other.name, 1000), CAST[other.name].tone),
        () => `${person.name} hears ${other.name}`,
      );
      expect(await directTries(person), person.name).toBe(0);
    }
  },
);

test('in any other meeting of two there is such a connection: the way to tell is a good one', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  for (const person of people)
    await until(
      async () => (await directTries(person)) > 0,
      () => `${person.name} has a connection to the other`,
    );
});
