/**
 * A server that wishes its users ill obtains no plaintext, and nobody is added by its word; clients refuse, show it, or heal.
 *
 * The server in the middle (hostileServer.ts) is the double; the people are real browsers. Commits: hostileCommits.test.ts.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { signKeyPair } from '../../crypto/primitives.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import { admissionKeyOf, askForGhost, groupOf, makeGhost } from '../support/ghost.ts';
import type { HostileServer, Line } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
import { alarmsOf, epochOf, membersOf, showsNotice } from '../support/inside.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp();
});
afterEach(async () => {
  await here?.close();
  await server?.close();
});
afterAll(() => app?.close());

async function twoMeet(): Promise<{ anna: Person; ben: Person; link: string }> {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const { people, link } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await Promise.all([anna.see('Ben', 10), ben.see('Anna', 10)]);
  return { anna, ben, link };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const lineOf = async (viewer: Person, who: Person): Promise<Line> =>
  server.lineOf((await viewer.tile(who.name).getAttribute('data-peer'))!);

describe('a ghost', () => {
  test.for(['link', 'host'] as const)(
    'whom only the server admits (as %s) is never added, and it is said; with the key that follows from the link it would be',
    async (by) => {
      const { anna, ben, link } = await twoMeet();
      const lines = [await lineOf(ben, anna), await lineOf(anna, ben)];
      const [groupId, epoch] = [groupOf(server.lines), await epochOf(anna)];
      const ghost = await makeGhost(link);
      const { privateKey } = await signKeyPair();
      await askForGhost(ghost, lines, { groupId, generation: 0, by, privateKey });
      for (const person of [anna, ben])
        await until(
          async () => (await alarmsOf(person)).includes('forged') && (await showsNotice(person, 'forged')),
          () => `${person.name} refuses the admission as forged, and is shown it`,
        );
      await wait(4000);
      expect(await anna.others()).toEqual(['Ben']);
      expect(await ben.others()).toEqual(['Anna']);
      expect(await epochOf(anna)).toBe(epoch);
      await ben.see('Anna', 10);

      // Control: the same leaf in the same words, signed by the true key.
      const trueKey = await admissionKeyOf(server, link, null);
      await askForGhost(ghost, lines, { groupId, generation: 0, by: 'link', privateKey: trueKey });
      for (const person of [anna, ben])
        await until(
          async () => (await membersOf(person)) === 3 && (await person.others()).length === 2,
          async () => `${person.name} has a third member; instead: ${await person.situation()}`,
        );
      expect(await epochOf(anna)).toBe(epoch + 1);
    },
  );
});

describe('messages between members', () => {
  test('changed on the way: no connection comes about, nothing is shown as connected; once they pass, people meet', async () => {
    server = await startHostileServer(app.origin);
    here = new People(server.origin);
    const anna = await here.invite('Anna');
    const ben = await here.invite('Ben', { tapped: true });
    const link = await anna.createMeeting(server.origin);
    await anna.join();
    // Another fingerprint in the sealed offer is, to the server, some other bytes.
    let changed = 0;
    server.onRequest = (request) => {
      if (request.name !== 'message.send') return request;
      const params = request.params as { body: string };
      const at = params.body.length >> 1;
      const body = params.body.slice(0, at) + (params.body[at] === 'A' ? 'B' : 'A') + params.body.slice(at + 1);
      changed++;
      return { ...request, params: { ...params, body } };
    };
    await ben.come(link);
    await wait(5000);
    expect(changed).toBeGreaterThan(2);
    expect(await anna.stateOf('Ben')).not.toBe('connected');
    expect((await ben.page.evaluate(() => parleyTap.report())).numbers).toEqual([]);

    server.onRequest = (request) => request;
    await anna.waitForState('Ben', 'connected', 'poor');
    await ben.see('Anna', 10);
  });

  test(
    'replayed and reordered, commits repeated too: the call goes on, and nobody is there twice',
    { timeout: 300_000 },
    async () => {
      server = await startHostileServer(app.origin);
      here = new People(server.origin);
      const kept: ServerEvent[] = [];
      const held = new Map<Line, ServerEvent>();
      server.onAnswer = (answer, line) => {
        if (!('event' in answer)) return answer;
        const { event } = answer;
        if (event.type !== 'message' && event.type !== 'group.committed') return answer;
        kept.push(event);
        // Every second message comes after the next one; every event comes twice, and old ones again.
        const before = held.get(line);
        if (event.type === 'message' && before === undefined && kept.length % 2 === 0) {
          held.set(line, event);
          setTimeout(() => {
            if (held.get(line) === event) line.event(event);
            held.delete(line);
          }, 300);
          return null;
        }
        line.event(event);
        line.event(event);
        if (before !== undefined) {
          line.event(before);
          held.delete(line);
        }
        line.event(kept[Math.floor(kept.length / 3)]!);
        return null;
      };
      const { people, link } = await here.meet(['Anna', 'Ben']);
      const [anna, ben] = people as [Person, Person];
      const carla = await here.invite('Carla');
      await carla.come(link);
      await anna.waitForOthers('Ben', 'Carla');
      await ben.waitForOthers('Anna', 'Carla');
      for (const [person, other] of [
        [anna, 'Ben'],
        [ben, 'Carla'],
        [carla, 'Anna'],
      ] as const) {
        // A word that comes after a newer one of its kind is refused; a connection that misses one is begun anew after 15 s.
        const look = () => person.see(other, 10);
        const readings = await look().catch(look).catch(look);
        expect(readings.every((reading) => reading.person === CAST[other].number)).toBe(true);
      }
      expect(kept.length).toBeGreaterThan(10);
      for (const person of [anna, ben, carla]) expect((await person.totals()).unopened).toBe(0);
    },
  );
});
