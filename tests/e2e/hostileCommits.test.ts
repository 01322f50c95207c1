/**
 * Commits that a hostile server invents, changes, reorders, withholds, or gives to one half alone: clients refuse, show it, or heal.
 *
 * What a person is told is read from the page that is shown, not from the worker.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { random } from '../../crypto/primitives.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { Epoch, GroupId, PeerId } from '../../signal/protocol/ids.ts';
import { groupOf } from '../support/ghost.ts';
import type { HostileServer, Line } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
import {
  alarmsOf,
  authenticatorOf,
  epochOf,
  noticesOf,
  openedFrom,
  recordNotices,
  showsNotice,
} from '../support/inside.ts';
import type { Person } from '../support/person.ts';
import { People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp();
});
afterAll(() => app?.close());

async function endCall(): Promise<void> {
  await here?.close();
  await server?.close();
}

async function twoMeet(): Promise<{ anna: Person; ben: Person; link: string }> {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const { people, link } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await Promise.all([anna.see('Ben', 10), ben.see('Anna', 10)]);
  return { anna, ben, link };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const peerOf = async (viewer: Person, who: Person): Promise<string> =>
  (await viewer.tile(who.name).getAttribute('data-peer'))!;

describe('commits', () => {
  /** These leave the call as it was, so that one does for all. */
  describe('in one call', () => {
    let anna: Person;
    let ben: Person;
    let link: string;

    beforeAll(async () => {
      ({ anna, ben, link } = await twoMeet());
    });
    afterEach(() => {
      server.onAnswer = (answer) => answer;
      server.onRequest = (request) => request;
    });
    afterAll(endCall);

    test('made up, or with one byte changed: refused, and shown; the true one from the log is taken, and the pictures go on', async () => {
      const [benPeer, by] = [await peerOf(anna, ben), (await peerOf(ben, anna)) as PeerId];
      const [groupId, epoch] = [groupOf(server.lines), await epochOf(ben)];
      // Said once for each commit that does not apply; alarms are not repeated within seconds.
      const refusals = (): number =>
        server.lineOf(benPeer).requests.filter(({ name }) => name === 'group.commitInvalid').length;
      const commit = base64url(random(500));
      server.lineOf(benPeer).event({ type: 'group.committed', groupId, epoch: epoch as Epoch, by, commit });
      await until(
        async () => refusals() === 1 && (await showsNotice(ben, 'commitRefused')),
        () => 'Ben is shown that a commit was refused',
      );
      expect(await alarmsOf(ben)).toContain('commitRefused');
      expect(await epochOf(ben)).toBe(epoch);
      await Promise.all([ben.see('Anna', 10), anna.see('Ben', 10)]);

      let changed = 0;
      server.onAnswer = (answer, line) => {
        if (line.peer !== benPeer || !('event' in answer) || answer.event.type !== 'group.committed') return answer;
        if (changed++ > 0) return answer;
        const bytes = fromBase64url(answer.event.commit);
        bytes[bytes.length >> 1]! ^= 1;
        return { ...answer, event: { ...answer.event, commit: base64url(bytes) } };
      };
      const carla = await here.invite('Carla');
      await carla.come(link);
      await until(
        async () => (await authenticatorOf(ben)) === (await authenticatorOf(anna)) && (await epochOf(ben)) > epoch,
        async () => `Ben takes the true commit; instead: ${await ben.situation()}`,
      );
      expect(changed).toBeGreaterThan(0);
      expect(refusals()).toBe(2);
      await ben.waitForOthers('Anna', 'Carla');
      await Promise.all([ben.see('Carla', 10), carla.see('Ben', 10), ben.see('Anna', 10)]);
      await carla.leave();
      for (const [person, other] of [
        [anna, ben],
        [ben, anna],
      ] as const)
        await person.waitForOthers(other.name);
    });

    test('delivered in the wrong order: applied in the right one, and the pictures go on', async () => {
      const benPeer = await peerOf(anna, ben);
      const [epoch, held] = [await epochOf(ben), [] as ServerEvent[]];
      const unopened = () => Promise.all([anna, ben].map(async (person) => (await person.totals()).unopened));
      const before = await unopened();
      server.onAnswer = (answer, line) => {
        if (line.peer !== benPeer || !('event' in answer) || answer.event.type !== 'group.committed') return answer;
        if (held.push(answer.event) === 2) for (const event of held.toReversed()) line.event(event);
        return null;
      };
      // The log, which would put them right, says nothing meanwhile.
      server.onRequest = (request, line) => {
        if (line.peer !== benPeer || request.name !== 'group.log' || held.length > 1) return request;
        line.answer(request.id, { commits: [], epoch });
        return null;
      };
      const carla = await here.invite('Carla');
      await carla.come(link);
      await anna.waitForOthers('Ben', 'Carla');
      expect(await epochOf(ben)).toBe(epoch);
      await carla.leave();
      await until(
        async () => held.length > 1,
        () => 'two commits were held back',
      );
      server.onAnswer = (answer) => answer;
      await until(
        async () => (await authenticatorOf(ben)) === (await authenticatorOf(anna)) && (await epochOf(ben)) >= epoch + 2,
        async () => `Ben has applied both; instead: ${await ben.situation()}`,
      );
      await ben.waitForOthers('Anna');
      await Promise.all([ben.see('Anna', 10), anna.see('Ben', 10)]);
      expect(await unopened()).toEqual(before);
      expect(await alarmsOf(ben)).not.toContain('split');
    });

    test('of a second group, made up for those who are in one: nobody moves, and it is shown as a split', async () => {
      const line = server.lineOf(await peerOf(ben, anna));
      const other = base64url(random(32)) as GroupId;
      const epoch = await epochOf(anna);
      expect(await showsNotice(anna, 'split')).toBe(false);
      line.event({
        type: 'group.created',
        group: { id: other, epoch: 0 as never },
        by: (await peerOf(anna, ben)) as PeerId,
      });
      await until(
        () => showsNotice(anna, 'split'),
        () => 'Anna is shown the split',
      );
      expect(await epochOf(anna)).toBe(epoch);
      await anna.see('Ben', 10);
      await ben.see('Anna', 10);
    });
  });

  describe('in a call of its own', () => {
    afterEach(endCall);

    test(
      'withheld from one member: that member heals by the log, or says what happens; nobody else is disturbed',
      { timeout: 240_000 },
      async () => {
        const { anna, ben, link } = await twoMeet();
        const benPeer = await peerOf(anna, ben);
        let withheld = 0;
        server.onAnswer = (answer, line) => {
          if (line.peer !== benPeer) return answer;
          if ('event' in answer && answer.event.type === 'group.committed') {
            withheld++;
            return null;
          }
          return answer;
        };
        // Not the log either.
        server.onRequest = (request, line) => {
          if (line.peer !== benPeer || request.name !== 'group.log') return request;
          line.answer(request.id, { commits: [], epoch: (request.params as { epoch: number }).epoch });
          return null;
        };
        const carla = await here.invite('Carla');
        await carla.come(link);
        await anna.waitForOthers('Ben', 'Carla');
        await until(
          () => showsNotice(ben, 'withheld', 'split'),
          () => 'Ben is shown that something is kept from him',
          60_000,
        );
        expect(withheld).toBeGreaterThan(0);
        await carla.see('Anna', 10);
        // Told the truth again, Ben catches up without a reload.
        server.onAnswer = (answer) => answer;
        server.onRequest = (request) => request;
        await until(
          async () => (await ben.others()).join() === 'Anna,Carla',
          () => 'Ben catches up',
          60_000,
        );
        await ben.see('Carla', 10);
      },
    );

    test(
      'two for one epoch, one for each half: neither half believes the other, no picture crosses, and both are told',
      { timeout: 240_000 },
      async () => {
        const { anna, ben, link } = await twoMeet();
        for (const person of [anna, ben]) await recordNotices(person);
        const benPeer = await peerOf(anna, ben);
        // Carla's wish to be added reaches both at once; each one's commit is told to be the first, and shown to nobody else.
        const commits: { line: Line; id: number }[] = [];
        server.onRequest = (request, line) => {
          if (request.name !== 'group.commit' || commits.length > 1) return request;
          if (commits.length === 0) {
            commits.push({ line, id: request.id });
            return request;
          }
          commits.push({ line, id: request.id });
          line.answer(request.id, { epoch: (request.params as { epoch: number }).epoch + 1 });
          return null;
        };
        server.onAnswer = (answer, line) => {
          const isFirst = line === commits[0]?.line;
          if ('event' in answer && answer.event.type === 'group.committed' && !isFirst && line.peer !== null)
            return null;
          return answer;
        };
        const carla = await here.invite('Carla');
        await carla.come(link).catch(() => undefined);
        await until(
          async () => commits.length === 2 && (await authenticatorOf(anna)) !== (await authenticatorOf(ben)),
          () => `two halves, ${commits.length} commits`,
          60_000,
        );
        // Within a second each half sends with its own keys; as long as they are two, nothing of one opens in the other.
        await wait(2000);
        const [annaPeer, halves] = [await peerOf(ben, anna), await authenticatorOf(ben)];
        const crossed = async (): Promise<number[]> => [
          await openedFrom(anna, benPeer),
          await openedFrom(ben, annaPeer),
        ];
        const before = await crossed();
        await wait(3000);
        const after = await crossed();
        expect(await authenticatorOf(ben), 'still two halves').toBe(halves);
        expect(await authenticatorOf(anna)).not.toBe(halves);
        expect(before.every((opened) => opened > 0)).toBe(true);
        expect(after).toEqual(before);
        // Alone in one's half, all are unreadable: that is a split. With somebody else in it, the other one is named.
        for (const person of [anna, ben])
          await until(
            async () =>
              (await noticesOf(person)).some((key) => ['withheld', 'split', 'unreadable'].includes(key)) ||
              (await person.by('banner-paused').isVisible()),
            async () => `${person.name} is shown that they are kept apart; instead: ${await person.situation()}`,
            60_000,
          );
      },
    );
  });
});
