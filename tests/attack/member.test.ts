/** Members with bad intentions, and a server that helps them or lies about the time: real sessions, fake time. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { signAdmission } from '../../crypto/admission.ts';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { Writer } from '../../crypto/codec.ts';
import { prepareJoin } from '../../crypto/group.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import { signHostRemoval, signReplacement } from '../../crypto/removal.ts';
import { Host } from '../../client/e2ee/host.ts';
import { HostStates } from '../../client/e2ee/session/hostStates.ts';
import { encodeJoinRequest } from '../../client/e2ee/joinRequest.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { accessTo, allOpen, allSee, Scene, type Person } from '../scenario/support/people.ts';

let scene: Scene;
afterEach(() => {
  vi.restoreAllMocks();
  scene?.end();
});

async function gather(...names: string[]): Promise<Person[]> {
  scene = await Scene.open();
  return scene.gather(...names);
}

/** Something that looks like a message of an epoch that does not exist. */
const hint = (epoch: number) => base64url(new Writer().u8(1).u64(epoch).u16(0).fixed(random(64)).done());

/** Says every 2 s to everybody that there is a newer epoch. */
async function hintFor(ms: number, from: Person, to: Person[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 2000) {
    for (const one of to)
      scene.server.raw(one.peer, { type: 'message', from: from.peer, body: hint(scene.server.epoch + 1) });
    await scene.world.advance(2000);
  }
}

describe('headers of messages that nobody can open', () => {
  test('make nobody leave the group, as long as everybody is heard', async () => {
    const [ann, ben, cem] = (await gather('Ann', 'Ben', 'Cem')) as [Person, Person, Person];
    await hintFor(40_000, cem, [ann, ben]);
    expect([ann.out, ben.out, cem.out]).toEqual([null, null, null]);
    expect([ann.alarms, ben.alarms]).toEqual([[], []]);
    expect(await allOpen([ann, ben, cem])).toBe(true);
  });

  test('make nobody leave the group when their author falls silent himself', async () => {
    const people = await gather('Ann', 'Ben', 'Cem', 'Mallory');
    const [ann, ben, cem, mallory] = people as [Person, Person, Person, Person];
    // No heartbeat of his any more, only the hints.
    scene.server.intercept = (from, name) => (from === mallory.peer && name === 'message.send' ? {} : undefined);
    await hintFor(26_000, mallory, [ann, ben, cem]);
    expect([ann.out, ben.out, cem.out]).toEqual([null, null, null]);
    expect(await allOpen([ann, ben, cem])).toBe(true);
    for (const person of [ann, ben, cem]) expectBlamed(person, mallory);
  });

  test('of our own epoch, by one who never says anything that opens, show that one and no split', async () => {
    const [ann, ben, mallory] = (await gather('Ann', 'Ben', 'Mallory')) as [Person, Person, Person];
    scene.server.intercept = (from, name) => (from === mallory.peer && name === 'message.send' ? {} : undefined);
    // A new epoch, in which nobody has heard anything of Mallory yet.
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => ann.members.length === 4 && cem.members.length === 4);
    const leaf = 2;
    const body = () => base64url(new Writer().u8(1).u64(scene.server.epoch).u16(leaf).fixed(random(272)).done());
    for (let beat = 0; beat < 5; beat++) {
      for (const one of [ann, ben]) scene.server.raw(one.peer, { type: 'message', from: mallory.peer, body: body() });
      await scene.world.advance(1000);
    }
    for (const person of [ann, ben]) expectBlamed(person, mallory);
  });
});

/** Was told who is unreadable, and nothing about a server that withholds or splits. */
function expectBlamed(person: Person, mallory: Person): void {
  const told = person.notices.filter((notice) => notice.type === 'alarm');
  expect(told.map(({ alarm }) => alarm)).not.toContain('split');
  expect(told.map(({ alarm }) => alarm)).not.toContain('withheld');
  const blamed = told.flatMap((notice) => (notice.alarm === 'unreadable' ? [notice.peer] : []));
  expect(blamed.length).toBeGreaterThan(0);
  expect(new Set(blamed)).toEqual(new Set([mallory.peer]));
}

describe('a committer that keeps no law of the host', () => {
  test('lets somebody in while it is locked, and the others are told who did', async () => {
    const people = (await gather('Ann', 'Ben', 'Mallory')) as [Person, Person, Person];
    const [ann, ben, mallory] = people;
    await ann.session.lock(true);
    await scene.world.advance(10_000);
    // Only Mallory is asked from here on, by whose program it is not locked.
    vi.spyOn(HostStates.prototype, 'locked', 'get').mockReturnValue(false);
    scene.server.deliver = (event, to) => (event.type === 'group.addRequested' && to !== mallory.peer ? [] : [event]);
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => allSee([...people, cem]));
    for (const person of [ann, ben]) {
      const told = person.notices.filter((notice) => notice.type === 'alarm');
      expect(told).toMatchObject([{ alarm: 'letIn', peer: mallory.peer }]);
    }
    expect(mallory.alarms).toEqual([]);
  });

  test('lets in whom a host removed, with the new link, and the others are told who did', async () => {
    const [ann, ben, mallory, cem] = (await gather('Ann', 'Ben', 'Mallory', 'Cem')) as [Person, Person, Person, Person];
    await ann.session.remove(cem.peer);
    await scene.world.until(() => allSee([ann, ben, mallory]));
    await scene.world.advance(1000);
    // Ann and Ben keep the law, and are not asked.
    const { isBanned } = HostStates.prototype;
    let asks = 0;
    vi.spyOn(HostStates.prototype, 'isBanned').mockImplementation(function (this: HostStates, identity: string) {
      // Who commits asks first, and all others only once it is ordered.
      return asks++ > 0 && isBanned.call(this, identity);
    });
    scene.server.deliver = (event, to) => (event.type === 'group.addRequested' && to !== mallory.peer ? [] : [event]);
    const again = await scene.arrive('Cem', { identity: cem.identity, access: mallory.access });
    await scene.world.until(() => allSee([ann, ben, mallory, again]), 10_000);
    for (const person of [ann, ben]) {
      const told = person.notices.filter((notice) => notice.type === 'alarm');
      expect(told).toMatchObject([{ alarm: 'letIn', peer: mallory.peer }]);
    }
  });
});

describe('a request to come in whose replacement is for another leaf', () => {
  test('does not keep others out', async () => {
    const [ann, mallory] = (await gather('Ann', 'Mallory')) as [Person, Person];
    const { meeting, server, world } = scene;
    const access = await accessTo(meeting);
    const groupId = fromBase64url(server.group!.id);
    const spoil = async () => {
      const leaf = await prepareJoin({ meetingId: meeting.id, identity: mallory.identity });
      const admission = await signAdmission({
        keyPackage: leaf.keyPackage,
        groupId,
        generation: 0,
        now: world.now,
        by: 'link',
        privateKey: access.admissionKey.privateKey,
      });
      const oldLeafKey = mallory.pending.leafKey;
      const reason = await signReplacement({ oldLeafKey, newLeafKey: random(32), groupId }, mallory.identity);
      if (reason.kind !== 'replaced') throw new Error('never');
      server.raw(ann.peer, {
        type: 'group.addRequested',
        peer: leaf.peer as PeerId,
        groupId: server.group!.id,
        keyPackage: base64url(leaf.keyPackage),
        admission: base64url(encodeJoinRequest({ admission, replaces: { oldLeafKey, reason } })),
      });
    };
    // With every request of anybody, one of Mallory's.
    server.deliver = (event, to) => {
      if (event.type === 'group.addRequested' && to === ann.peer) void spoil();
      return to === mallory.peer && event.type === 'group.addRequested' ? [] : [event];
    };
    const cem = await scene.arrive('Cem');
    await world.advance(15_000);
    expect(cem.members.map(({ name }) => name)).toContain('Ann');
  });
});

describe('a server that lies about the time', () => {
  test('does not use up the orders of a host', async () => {
    const key = await signKeyPair();
    let kept = 0;
    const host = new Host(key, 'aaaa-bbbb-cccc-dddd' as MeetingId, {
      lastSequence: 0,
      keep: async (sequence) => void (kept = sequence),
    });
    await host.nextSequence(Number.MAX_SAFE_INTEGER - 60_000);
    const place = { meetingId: host.meeting, groupId: random(32), epoch: 1 };
    for (let order = 0; order < 3; order++) {
      const sequence = await host.nextSequence(Number.MAX_SAFE_INTEGER);
      expect(Number.isSafeInteger(sequence)).toBe(true);
      await signHostRemoval(place, random(32), { sequence, generation: 1 }, key.privateKey);
    }
    expect(kept).toBeLessThan(2 ** 52);
  });

  test('does not keep a host from removing somebody, twice', async () => {
    scene = await Scene.open();
    const { world } = scene;
    const lie = Number.MAX_SAFE_INTEGER - 200_000 - world.now;
    const arrive = async (name: string): Promise<Person> => {
      const person = await scene.prepare(name, { host: name === 'Ann' });
      scene.server.connect({ peer: person.peer, event: (event) => void person.session.event(event) });
      await person.session.begin({ group: scene.server.ref, hostState: null, now: world.now + lie });
      await world.advance(1000);
      return person;
    };
    const ann = await arrive('Ann');
    const others = [await arrive('Ben'), await arrive('Cem'), await arrive('Dua')];
    await world.advance(3000);
    const [ben, cem, dua] = others as [Person, Person, Person];
    expect(allSee([ann, ben, cem, dua])).toBe(true);
    await ann.session.remove(ben.peer);
    await world.until(() => allSee([ann, cem, dua]), 10_000);
    await world.advance(200_000);
    await ann.session.remove(cem.peer);
    await world.advance(5000);
    expect(ann.errors).toEqual([]);
    expect(allSee([ann, dua])).toBe(true);
  });
});

describe('somebody who comes back by a new leaf after sending was paused', () => {
  test('is told that it no longer is', async () => {
    const [ann, ben] = (await gather('Ann', 'Ben')) as [Person, Person];
    scene.server.deliver = (event, to) => (to === ben.peer && event.type === 'message' ? [] : [event]);
    await scene.world.until(() => ben.paused, 20_000);
    scene.server.deliver = (event) => [event];
    scene.crash(ben);
    const again = await scene.arrive('Ben', { replaces: ben });
    await scene.world.until(() => allSee([ann, again]), 10_000);
    // The page keeps its tracks off until the worker says otherwise, whichever session it is.
    expect(again.notices.some((notice) => notice.type === 'paused' && !notice.paused)).toBe(true);
  });
});
