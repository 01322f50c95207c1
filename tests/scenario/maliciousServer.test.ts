import { afterEach, describe, expect, test } from 'vitest';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import { encodeJoinRequest } from '../../client/e2ee/joinRequest.ts';
import type { Epoch } from '../../signal/protocol/ids.ts';
import { labels } from '../../signal/protocol/documents.ts';
import { signText } from '../../crypto/signed.ts';
import { Refusal } from './support/orderingServer.ts';
import { MaliciousServer } from './support/maliciousServer.ts';
import { accessTo, allOpen, allSee, opensWithHoard, Scene, type Person } from './support/people.ts';

let scene: Scene;
let server: MaliciousServer;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

async function gather(...names: string[]): Promise<Person[]> {
  scene = await Scene.open(1, (world) => new MaliciousServer(world));
  server = scene.server as MaliciousServer;
  return scene.gather(...names);
}

const [ANN, BEN] = ['Ann', 'Ben'];

describe('the word that all are in an epoch', () => {
  const settled = (epoch: number, groupId = server.group!.id) =>
    ({ type: 'group.settled', groupId, epoch: epoch as Epoch }) as const;

  test('that never comes holds a new key back for less than a second', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    server.deliver = (event) => (event.type === 'group.settled' ? [] : [event]);
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => server.epoch === 2);
    expect(await scene.world.until(() => ann!.session.epochFor(null) === 2)).toBeLessThanOrEqual(910);
    await scene.world.until(() => allSee([ann!, ben!, cem]));
    expect(await allOpen([ann!, ben!, cem])).toBe(true);
  });

  test('that comes too early is good for nobody: who is not there yet opens it a moment later, and who has left never', async () => {
    const [ann, ben, dua] = await gather(ANN!, BEN!, 'Dua');
    await scene.leave(dua!);
    await scene.world.until(() => allSee([ann!, ben!]));
    const { epoch } = server;
    server.setLatency(ben!.peer, () => 400);
    await scene.arrive('Cem');
    await scene.world.until(() => ann!.epoch === epoch + 1);
    server.push(ann!.peer, settled(epoch + 1));
    await scene.world.settle();
    expect([ann!.session.epochFor(null), ben!.epoch]).toEqual([epoch + 1, epoch]);
    const sealed = await ann!.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3]));
    const opened = () => sealed.ok && ben!.keyring.open({ kind: 1, leaf: 0 }, 'vp8', sealed.frame);
    expect(await opened()).toEqual({ ok: false, why: 'ahead' });
    expect(await opensWithHoard(ann!, 0, dua!)).toBe(false);
    await scene.world.until(() => ben!.epoch === epoch + 1);
    expect(await opened()).toMatchObject({ ok: true, epoch: epoch + 1 });
  });

  test('of an epoch or a group that we are not in changes nothing', async () => {
    const [ann] = await gather(ANN!, BEN!);
    const epoch = ann!.session.epochFor(null);
    for (const event of [settled(epoch + 1), settled(0), settled(epoch, base64url(random(32)) as never)])
      server.push(ann!.peer, event);
    await scene.world.advance(2000);
    expect(ann!.session.epochFor(null)).toBe(epoch);
    expect([ann!.out, ann!.alarms]).toEqual([null, []]);
  });
});

describe('a ghost', () => {
  const ghostly = async (): Promise<[Person, Person]> => {
    const [ann, ben] = await gather(ANN!, BEN!);
    await server.summonGhost(scene.meeting.id);
    return [ann!, ben!];
  };

  const staysOut = async (...people: Person[]) => {
    await scene.world.advance(3000);
    expect(allSee(people)).toBe(true);
    expect(server.ghost!.heard.filter(({ type }) => type === 'group.welcome')).toEqual([]);
    expect(await allOpen(people)).toBe(true);
  };

  test('without an admission is not added, and it is said', async () => {
    const [ann, ben] = await ghostly();
    server.askForGhost(random(142));
    await staysOut(ann, ben);
    expect(ann.alarms).toContain('forged');
  });

  test.each(['link', 'host'] as const)(
    'with an admission that the server signed as %s is not added, and it is said',
    async (by) => {
      const [ann, ben] = await ghostly();
      server.askForGhost(await server.forgedAdmission(0, by));
      await staysOut(ann, ben);
      expect(ann.alarms).toContain('forged');
    },
  );

  test('with the admission of somebody else is not added', async () => {
    const [ann, ben] = await ghostly();
    server.askForGhost(encodeJoinRequest({ admission: server.lastRequest().admissionOnly, replaces: null }));
    await staysOut(ann, ben);
  });

  test('with everything that somebody who has left once sent is not added', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    const request = server.lastRequest();
    expect(request.from).toBe(cem!.peer);
    await scene.leave(cem!);
    await scene.world.until(() => allSee([ann!, ben!]));
    server.askFor(cem!.peer, request.keyPackage, request.admission);
    await scene.world.advance(3000);
    expect(allSee([ann!, ben!])).toBe(true);
  });

  test('is not added for asking as the peer of somebody who is in', async () => {
    const [ann, ben] = await ghostly();
    server.askFor(
      ben.peer,
      base64url(server.ghost!.pending.keyPackage),
      base64url(await server.forgedAdmission(0, 'link')),
    );
    await staysOut(ann, ben);
  });

  test('whoever it is to be, presence at the server makes nobody a member', async () => {
    const [ann, ben] = await ghostly();
    const ghost = { peer: server.ghost!.pending.peer as never, name: 'AAAA', presence: 'here', inGroup: true } as const;
    for (const one of [ann, ben]) server.raw(one.peer, { type: 'peer.joined', peer: ghost });
    await staysOut(ann, ben);
  });
});

describe('commits', () => {
  test('made up, or of another epoch, are refused; the real ones go on', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    const { id, epoch } = server.ref!;
    const old = server.log[0]!;
    for (const commit of [base64url(random(500)), old.commit]) {
      server.raw(ben!.peer, { type: 'group.committed', groupId: id, epoch, by: ann!.peer, commit });
    }
    await scene.world.advance(100);
    expect(ben!.alarms).toContain('commitRefused');
    expect(ben!.epoch).toBe(1);
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => allSee([ann!, ben!, cem]));
    expect(await allOpen([ann!, ben!, cem])).toBe(true);
  });

  test('with one byte changed are refused, and the true one from the log is taken', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    let changed = 0;
    server.deliver = (event, to) => {
      if (event.type !== 'group.committed' || to !== ben!.peer || changed++ > 0) return [event];
      const bytes = fromBase64url(event.commit);
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      return [{ ...event, commit: base64url(bytes) }];
    };
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => allSee([ann!, ben!, cem]), 8000);
    expect(ben!.alarms).toContain('commitRefused');
  });

  test('shown again change nothing, and raise no alarm', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    for (const ordered of server.log) server.raw(ben!.peer, { type: 'group.committed', ...ordered });
    await scene.world.advance(1000);
    expect(ben!.alarms).toEqual([]);
    expect(await allOpen([ann!, ben!, cem!])).toBe(true);
  });

  test('told to be stale although they were given to the others: heals', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    let lied = false;
    server.intercept = (from, name, params) => {
      if (name !== 'group.commit' || from !== ann!.peer || lied) return undefined;
      lied = true;
      const { groupId, epoch, commit, welcome, added } = params as never as {
        groupId: never;
        epoch: Epoch;
        commit: string;
        welcome: string;
        added: never[];
      };
      server.log.push({ groupId, epoch, by: from, commit });
      for (const peer of server.connections.keys()) {
        if (peer !== from) server.raw(peer, { type: 'group.committed', groupId, epoch, by: from, commit });
      }
      for (const peer of added)
        server.raw(peer, { type: 'group.welcome', groupId, epoch: (epoch + 1) as Epoch, by: from, welcome });
      throw new Refusal('staleEpoch');
    };
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => allSee([ann!, ben!, cem]));
    expect(lied).toBe(true);
    expect(await allOpen([ann!, ben!, cem])).toBe(true);
  });

  test('said to be withdrawn do not lead back', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    const { id } = server.ref!;
    server.raw(ben!.peer, { type: 'group.reopened', groupId: id, epoch: 1 as Epoch, author: ann!.peer });
    await scene.world.advance(3000);
    expect(ben!.out).toBeNull();
    expect(ben!.alarms).toContain('commitRefused');
    expect(allSee([ann!, ben!, cem!])).toBe(true);
    expect(await allOpen([ann!, ben!, cem!])).toBe(true);
  });
});

describe('two halves are shown two commits', () => {
  test('both see it as a split, most are lost to each other, sending pauses, and nobody adopts the other half', async () => {
    const [ann, ben, cem, dua] = await gather(ANN!, BEN!, 'Cem', 'Dua');
    const left = [ann!, ben!];
    const right = [cem!, dua!];
    server.splitBetween(left.map(({ peer }) => peer));
    // Each half gets its own request to come in, so each half makes its own commit for the same epoch.
    for (const [half, name] of [
      [left, 'Eve'],
      [right, 'Fay'],
    ] as const) {
      const newcomer = await scene.prepare(name);
      const heard = new Set(half.map(({ peer }) => peer));
      const deliver = server.deliver;
      server.deliver = (event, to) =>
        event.type === 'group.addRequested' && event.peer === newcomer.peer && !heard.has(to) ? [] : deliver(event, to);
      server.connect({ peer: newcomer.peer, event: (event) => void newcomer.session.event(event) });
      await newcomer.session.begin({ group: server.ref, hostState: null, now: scene.world.now });
    }
    await scene.world.advance(9000);
    for (const person of [...left, ...right]) {
      expect(person.alarms).toContain('split');
      expect(person.out).toBeNull();
    }
    for (const person of left) {
      const lost = person.members.filter((member) => member.lost).map(({ name }) => name);
      expect(lost).toEqual(expect.arrayContaining(['Cem', 'Dua']));
    }
    expect(await opensWithHoard(ann!, 0, ...right)).toBe(false);
  });
});

describe('a second group', () => {
  test('shown to members is a split; they stay where they are', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    const id = base64url(random(32)) as never;
    server.raw(ben!.peer, { type: 'group.created', group: { id, epoch: 0 as Epoch }, by: ann!.peer });
    await scene.world.settle();
    expect(ben!.alarms).toContain('split');
    await ben!.session.resumed({ id, epoch: 7 as Epoch });
    await scene.world.advance(3000);
    expect(ben!.out).toBeNull();
    expect(allSee([ann!, ben!])).toBe(true);
    expect(await allOpen([ann!, ben!])).toBe(true);
  });

  test('made by the server catches no newcomer, although it holds their admission', async () => {
    const [ann, ben] = await gather(ANN!, BEN!);
    const access = await accessTo(scene.meeting);
    const { group, id } = await server.trap(scene.meeting.id, scene.meeting.hostKey.publicKey, access.admissionKey);
    const cem = await scene.prepare('Cem');
    server.connect({ peer: cem.peer, event: (event) => void cem.session.event(event) });
    server.intercept = (from, name) => (from === cem.peer && name === 'group.requestAdd' ? {} : undefined);
    await cem.session.begin({ group: { id, epoch: 0 as Epoch }, hostState: null, now: scene.world.now });
    await scene.world.settle();
    const { keyPackage, admissionOnly } = server.lastRequest();
    const staged = await group.stage(
      { adds: [{ keyPackage: fromBase64url(keyPackage), admission: admissionOnly }], removes: [] },
      scene.world.now,
    );
    server.raw(cem.peer, {
      type: 'group.welcome',
      groupId: id,
      epoch: 1 as Epoch,
      by: ann!.peer,
      welcome: base64url(staged.welcome!),
    });
    await scene.world.advance(100);
    expect(cem.members).toEqual([]);
    expect(cem.alarms).toContain('forged');
    expect(allSee([ann!, ben!])).toBe(true);
  });

  test('a Welcome into a group that was not asked is not followed', async () => {
    const [ann] = await gather(ANN!);
    let welcome = '';
    server.deliver = (event) => {
      if (event.type === 'group.welcome') welcome = event.welcome;
      return event.type === 'group.welcome' ? [] : [event];
    };
    const ben = await scene.arrive('Ben');
    await scene.world.advance(100);
    const groupId = base64url(random(32)) as never;
    server.raw(ben.peer, { type: 'group.welcome', groupId, epoch: 1 as Epoch, by: ann!.peer, welcome });
    await scene.world.settle();
    expect(ben.members).toEqual([]);
    expect(ben.alarms).toContain('forged');
  });
});

describe('a removal', () => {
  test('that is withheld from somebody can be delayed, not hidden', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    const hidden = new Set<string>();
    server.deliver = (event, to) => {
      if (to !== ben!.peer || hidden.size === 0) return [event];
      return event.type === 'group.committed' || event.type.startsWith('host.') ? [] : [event];
    };
    server.intercept = (from, name) => {
      if (from === ann!.peer && name === 'group.commit') hidden.add('on');
      return from === ben!.peer && name === 'group.log' ? { commits: [], epoch: 2 } : undefined;
    };
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => ben!.alarms.includes('withheld'), 15_000);
    expect(ben!.out).toBe('repair');
  });

  test('that is withheld together with all that the others say shows them as lost', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    server.deliver = (event, to) =>
      to === ben!.peer && (event.type === 'group.committed' || (event.type === 'message' && event.from === ann!.peer))
        ? []
        : [event];
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => ben!.members.some(({ name, lost }) => name === 'Ann' && lost), 9000);
  });

  test('cannot be ordered by the server', async () => {
    const [ann, ben, cem] = await gather(ANN!, BEN!, 'Cem');
    const { privateKey } = await signKeyPair();
    const sign = async (label: string, body: string) => ({
      body,
      signature: base64url(await signText(label, body, privateKey)),
    });
    const end = await sign(
      labels.hostCommand,
      JSON.stringify({ action: 'end', meeting: scene.meeting.id, sequence: 9 }),
    );
    const state = { version: 9, meeting: scene.meeting.id, generation: 0, locked: true, bans: [] };
    server.raw(ben!.peer, { type: 'meeting.ended', command: end });
    server.raw(ben!.peer, { type: 'host.state', state: await sign(labels.hostState, JSON.stringify(state)) });
    server.raw(ben!.peer, { type: 'meeting.record', record: { ...scene.meeting.record, signature: end.signature } });
    server.raw(ben!.peer, { type: 'peer.left', peer: cem!.peer, reason: 'removed' });
    await scene.world.advance(2000);
    expect(ben!.out).toBeNull();
    expect(ben!.alarms).toContain('forged');
    expect(ben!.notices.some((notice) => notice.type === 'hostState' && notice.locked)).toBe(false);
    expect(allSee([ann!, ben!, cem!])).toBe(true);
  });
});

test('garbage of every kind disturbs nobody', async () => {
  const [ann, ben] = await gather(ANN!, BEN!);
  const { id } = server.ref!;
  for (let round = 0; round < 100; round++) {
    const junk = base64url(random(1 + Math.floor(scene.world.random() * 600)));
    const epoch = Math.floor(scene.world.random() * 4) as Epoch;
    server.raw(ben!.peer, { type: 'message', from: ann!.peer, body: junk });
    server.raw(ben!.peer, { type: 'group.committed', groupId: id, epoch, by: ann!.peer, commit: junk });
    server.raw(ben!.peer, { type: 'group.welcome', groupId: id, epoch, by: ann!.peer, welcome: junk });
    server.raw(ben!.peer, {
      type: 'group.addRequested',
      peer: 'x'.repeat(22) as never,
      groupId: id,
      keyPackage: junk,
      admission: junk,
    });
    await ben!.session.data(junk);
  }
  await scene.world.advance(3000);
  expect(ben!.out).toBeNull();
  await ann!.say(ben!, '"still here"');
  await scene.world.settle();
  expect(ben!.messages).toEqual(['"still here"']);
});

test('of all that it ever carried nothing is plaintext, a secret or a key', async () => {
  const names = ['Annabella', 'Benedikta', 'Clementine'];
  const [ann, ben, cem] = await gather(...names);
  await ann!.say(null, '"the eagle has landed"');
  await ann!.session.remove(cem!.peer);
  await scene.world.advance(3000);
  expect(ben!.access.generation).toBe(1);
  const carried = Buffer.concat(
    server.seen.flatMap(({ params }) => [
      Buffer.from(JSON.stringify(params)),
      ...Object.values(params as object).map((value) => Buffer.from(String(value), 'base64url')),
    ]),
  );
  const secrets = [
    scene.meeting.secret,
    scene.meeting.stretched,
    scene.meeting.hostKey.privateKey,
    ben!.access.secret,
    ben!.access.admissionKey.privateKey,
    ben!.access.metadataKey,
    ann!.identity.privateKey,
  ];
  for (const secret of secrets) {
    expect(carried.includes(Buffer.from(secret))).toBe(false);
    expect(carried.includes(base64url(secret))).toBe(false);
  }
  for (const word of ['the eagle', ...names]) expect(carried.includes(word)).toBe(false);
});
