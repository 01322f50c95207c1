/**
 * A server that wishes its users ill obtains no plaintext, and nobody is added by its word; clients refuse, show it, or heal.
 *
 * The server in the middle (hostileServer.ts) is the double; the people are real browsers.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { signAdmission } from '../../crypto/admission.ts';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { prepareJoin } from '../../crypto/group.ts';
import { createIdentity } from '../../crypto/identity.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { GroupId, PeerId } from '../../signal/protocol/ids.ts';
import type { HostileServer, Line } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
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

/** Newest epoch that the page was told. */
const epochOf = (person: Person): Promise<number> =>
  person.page.evaluate(() => {
    for (const notice of parleyProbe.notices.toReversed()) if (notice.type === 'members') return notice.epoch;
    return -1;
  });
/** Changes with every epoch, and differs between two halves of a group that call theirs by the same number. */
const authenticatorOf = (person: Person): Promise<string> =>
  person.page.evaluate(
    () => parleyProbe.notices.findLast((notice) => notice.type === 'members')?.authenticator.join(' ') ?? '',
  );
/** Frames of a peer that this page's worker has opened. */
const openedFrom = (viewer: Person, peer: string): Promise<number> =>
  viewer.page.evaluate(
    (peer) =>
      parleyProbe.transforms
        .filter((options) => options.side === 'receive' && options.peer === peer)
        .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
    peer,
  );
const alarmsOf = (person: Person): Promise<string[]> =>
  person.page.evaluate(() => parleyProbe.notices.flatMap((notice) => (notice.type === 'alarm' ? [notice.alarm] : [])));
const sawNotice = async (person: Person, ...keys: string[]): Promise<boolean> =>
  (await alarmsOf(person)).some((alarm) => keys.includes(alarm));

describe('a ghost', () => {
  test('whom only the server admits is never added, and no tile shows it', async () => {
    const { anna, ben, link } = await twoMeet();
    const meetingId = new URL(link).pathname.split('/').pop()!;
    const groupId = groupOf(server.lines)!;
    const ghost = await prepareJoin({ meetingId, identity: await createIdentity() });
    const forged = await signKeyPair();
    const epoch = await epochOf(anna);
    for (const [i, by] of (['link', 'host'] as const).entries()) {
      const admission = await signAdmission({
        keyPackage: ghost.keyPackage,
        groupId: fromBase64url(groupId),
        generation: 0,
        now: Date.now(),
        by,
        privateKey: forged.privateKey,
      });
      const peer = ghost.peer as PeerId;
      for (const person of [anna, ben]) {
        const line = await lineOf(person === anna ? ben : anna, person);
        if (i === 0)
          line.event({
            type: 'peer.joined',
            peer: { peer, name: base64url(random(64)) as never, presence: 'here', inGroup: true },
          });
        line.event({
          type: 'group.addRequested',
          peer,
          groupId,
          keyPackage: base64url(ghost.keyPackage),
          admission: base64url(admission),
        });
      }
    }
    await wait(4000);
    expect(await anna.others()).toEqual(['Ben']);
    expect(await ben.others()).toEqual(['Anna']);
    expect(await epochOf(anna)).toBe(epoch);
    await ben.see('Anna', 10);
  });
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
    'replayed and reordered, commits too: the call goes on, and nobody is there twice',
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

describe('commits', () => {
  test(
    'withheld from one member: that member heals by the log, or says what happens; nobody else is disturbed',
    { timeout: 240_000 },
    async () => {
      const { anna, ben, link } = await twoMeet();
      const benPeer = (await anna.tile('Ben').getAttribute('data-peer'))!;
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
        () => sawNotice(ben, 'withheld', 'split'),
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

  test('of a second group, made up for those who are in one: nobody moves, and it is shown as a split', async () => {
    const { anna, ben } = await twoMeet();
    const line = await lineOf(ben, anna);
    const other = base64url(random(32)) as GroupId;
    const epoch = await epochOf(anna);
    line.event({
      type: 'group.created',
      group: { id: other, epoch: 0 as never },
      by: (await anna.tile('Ben').getAttribute('data-peer')) as PeerId,
    });
    await until(
      () => sawNotice(anna, 'split'),
      () => 'Anna is shown the split',
    );
    expect(await epochOf(anna)).toBe(epoch);
    await anna.see('Ben', 10);
    await ben.see('Anna', 10);
  });

  test(
    'two for one epoch, one for each half: neither half believes the other, no picture crosses, and both are told',
    { timeout: 240_000 },
    async () => {
      const { anna, ben, link } = await twoMeet();
      const benPeer = (await anna.tile('Ben').getAttribute('data-peer'))!;
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
        if ('event' in answer && answer.event.type === 'group.committed' && !isFirst && line.peer !== null) return null;
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
      const [annaPeer, halves] = [(await ben.tile('Anna').getAttribute('data-peer'))!, await authenticatorOf(ben)];
      const crossed = async (): Promise<number[]> => [await openedFrom(anna, benPeer), await openedFrom(ben, annaPeer)];
      const before = await crossed();
      await wait(3000);
      const after = await crossed();
      expect(await authenticatorOf(ben), 'still two halves').toBe(halves);
      expect(await authenticatorOf(anna)).not.toBe(halves);
      expect(before.every((opened) => opened > 0)).toBe(true);
      expect(after).toEqual(before);
      await until(
        async () =>
          (await sawNotice(ben, 'withheld', 'split')) ||
          (await sawNotice(anna, 'withheld', 'split')) ||
          (await anna.by('banner-paused').isVisible()),
        () => 'somebody is shown that the group is split',
        60_000,
      );
    },
  );
});

/** The group that members speak of, as the server has seen it. */
function groupOf(lines: readonly Line[]): GroupId | null {
  for (const line of lines) {
    for (const request of line.requests) {
      const groupId = (request.params as { groupId?: GroupId }).groupId;
      if (groupId !== undefined) return groupId;
    }
  }
  return null;
}
