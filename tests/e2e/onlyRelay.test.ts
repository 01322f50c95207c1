/** A meeting that hides addresses: the two in it talk by the relay, and never so much as try to reach each other. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { isTone } from '../support/media/readers.ts';
import { CAST, People, type Person, until } from '../support/person.ts';
import { freePort } from '../support/namespace.ts';
import { RELAY_SECRET, startRelayProcess, thisMachine } from '../support/relayProcess.ts';
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

/** Two in a meeting that is fixed to the relay. */
async function meetAtRelay(origin: string): Promise<[Person, Person]> {
  const [anna, ben] = await Promise.all([here.invite('Anna'), here.invite('Ben')]);
  await anna.page.goto(origin);
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
  return [anna, ben];
}

test.skipIf(!hasWorker())(
  'two in a meeting that is fixed to the relay see and hear each other, and no connection ever has the other at its end',
  { timeout: 120_000 },
  async () => {
    const [anna, ben] = await meetAtRelay(app.origin);
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

test.skipIf(!hasWorker())(
  'when its relay goes, such a meeting waits for it and says so; it stays off the direct way, and is there again with the relay',
  { timeout: 120_000 },
  async () => {
    const outside = await serveApp({ PARLEY_RELAY: 'off', PARLEY_RELAY_SECRET: RELAY_SECRET });
    const relayPort = String(await freePort());
    const start = () =>
      startRelayProcess(thisMachine('only'), Number(new URL(outside.origin).port), { PARLEY_RELAY_PORT: relayPort });
    let relay = await start();
    try {
      await until(
        async () => relay.log().includes('relay: at'),
        () => `a relay; instead: ${relay.log()}`,
      );
      const people = await meetAtRelay(outside.origin);
      const [anna, ben] = people;
      await Promise.all([anna.see('Ben', 5), ben.see('Anna', 5)]);
      relay.child.kill('SIGKILL');
      for (const person of people) await person.shows('banner-no-relay');
      relay = await start();
      await Promise.all([anna.see('Ben', 5), ben.see('Anna', 5)]);
      for (const person of people) {
        await person.by('banner-no-relay').waitFor({ state: 'detached' });
        expect(await directTries(person), person.name).toBe(0);
        expect((await person.totals()).unopened, person.name).toBe(0);
      }
    } finally {
      relay.child.kill('SIGKILL');
      await here.close();
      await outside.close();
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
