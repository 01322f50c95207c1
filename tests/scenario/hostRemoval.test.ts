import { afterEach, describe, expect, test } from 'vitest';
import { base64url } from '../../crypto/bytes.ts';
import { createIdentity } from '../../crypto/identity.ts';
import type { HostState, MeetingRecord } from '../../signal/protocol/documents.ts';
import { accessTo, allOpen, allSee, opens, opensWithHoard, Scene, type Person } from './support/people.ts';
import { Refusal } from './support/orderingServer.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

/** Ann is host, and throws Cem out. */
async function removal(): Promise<{ ann: Person; ben: Person; cem: Person }> {
  scene = await Scene.open();
  const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
  await ann!.session.remove(cem!.peer);
  return { ann: ann!, ben: ben!, cem: cem! };
}

describe('a host removes somebody', () => {
  test('they are told, and gone from every list in a moment', async () => {
    const { ann, ben, cem } = await removal();
    expect(await scene.world.until(() => allSee([ann, ben]))).toBeLessThan(100);
    expect(cem.out).toBe('removed');
    expect(ben.gone).toMatchObject([{ peer: cem.peer, name: 'Cem', reason: 'host', by: ann.peer }]);
    expect(await allOpen([ann, ben])).toBe(true);
  });

  test('what is sealed afterwards is sealed with a key they never had, at once', async () => {
    const { ann, ben, cem } = await removal();
    expect(await opensWithHoard(ann, 0, cem)).toBe(true);
    await scene.world.until(() => ann.sees(ben));
    expect(await opensWithHoard(ann, 0, cem)).toBe(false);
    expect(await opensWithHoard(ben, 1, cem)).toBe(false);
  });

  test('what they seal is opened for one second more, and not longer', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    const early = await cem!.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3]));
    const late = await cem!.keyring.seal(1, 'vp8', new Uint8Array([4, 5, 6]));
    const leaf = ann!.session.leafOf(cem!.peer)!;
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => ann!.sees(ben!));
    if (!early.ok || !late.ok) throw new Error('not sealed');
    expect(await ben!.keyring.open({ kind: 1, leaf }, 'vp8', early.frame)).toMatchObject({ ok: true });
    await scene.world.advance(1001);
    expect(await ben!.keyring.open({ kind: 1, leaf }, 'vp8', late.frame)).toMatchObject({
      ok: false,
      why: 'unknownKey',
    });
  });

  test('the link changes for those who stay, without their doing anything', async () => {
    const { ann, ben, cem } = await removal();
    const changed = (person: Person) => person.notices.find((notice) => notice.type === 'invite');
    await scene.world.until(() => changed(ann) !== undefined && changed(ben) !== undefined);
    expect(changed(ann)).toEqual(changed(ben));
    expect(changed(ann)).toMatchObject({ generation: 1 });
    expect(changed(cem)).toBeUndefined();
    expect(base64url(ben.access.secret)).not.toBe(base64url(scene.meeting.secret));
  });

  test('server and members hear of it: command, record of the next generation, ban', async () => {
    const { ann, ben, cem } = await removal();
    await scene.world.advance(500);
    const names = scene.server.seen.filter(({ name }) => name.startsWith('host.')).map(({ name }) => name);
    expect(names.sort()).toEqual(['host.command', 'host.rotate', 'host.state']);
    expect(scene.server.connections.has(cem.peer)).toBe(false);
    const { record } = scene.server.seen.find(({ name }) => name === 'host.rotate')!.params as {
      record: { body: string };
    };
    const { generation, salt } = JSON.parse(record.body) as MeetingRecord;
    expect([generation, salt]).toEqual([1, 'AAAAAAAAAAAAAAAAAAAAAA']);
    const { bans } = JSON.parse(ben.hostState!.body) as HostState;
    expect(bans).toEqual([base64url(cem.identity.publicKey)]);
    expect(ann.rotation).toBeNull();
  });

  test('a host who is gone the moment that the removal is ordered leaves the new link to those who stay', async () => {
    const { ann, ben, cem } = await removal();
    scene.server.deliver = (event) => {
      if (event.type === 'group.committed' && scene.server.connections.has(ann.peer)) scene.crash(ann);
      return [event];
    };
    await scene.world.until(() => ben.access.generation === 1, 5000);
    expect(cem.access.generation).toBe(0);
    // Its browser has kept what opens its meeting, as something that only the server can say to have begun.
    expect(ann.rotation).toMatchObject({ offered: true });
    expect(base64url(ann.rotation!.secret)).toBe(base64url(ben.access.secret));
    const dua = await scene.arrive('Dua', { access: ben.access });
    await scene.world.until(() => ben.sees(ann, dua) || allSee([ben, dua]), 5000);
    expect(await opens(ben, dua)).toBe(true);
  });

  test('what went along with a removal that lost its race begins nothing', async () => {
    const { ann, ben, cem } = await removal();
    let refused = 0;
    scene.server.intercept = (from, name) => {
      if (from !== ann.peer || name !== 'group.commit' || refused++ > 0) return undefined;
      throw new Refusal('internal');
    };
    await scene.world.until(() => allSee([ann, ben]), 10_000);
    await scene.world.until(() => ben.access.generation === 1);
    const offers = scene.server.seen.filter(({ name }) => name === 'group.commit').slice(-2) as {
      params: { rotation: { record: unknown } };
    }[];
    const [lost, won] = offers.map(({ params }) => params.rotation.record);
    expect(lost).not.toEqual(won);
    expect(ann.access.signed).toEqual(won);
    expect(ben.access.signed).toEqual(won);
    expect([ann.rotation, cem.access.generation]).toEqual([null, 0]);
  });

  test('a newcomer with the new link is let in by anybody', async () => {
    const { ann, ben } = await removal();
    await scene.world.until(() => ben.access.generation === 1);
    const dua = await scene.arrive('Dua', { access: ben.access });
    await scene.world.until(() => allSee([ann, ben, dua]));
    expect(await allOpen([ann, ben, dua])).toBe(true);
  });

  test('the old link lets nobody in: not the removed, not under a new identity, not with the help of the server', async () => {
    const { ann, ben, cem } = await removal();
    await scene.world.until(() => allSee([ann, ben]));
    const back = await scene.arrive('Cem', { identity: cem.identity, access: await accessTo(scene.meeting) });
    const disguised = await scene.arrive('Dan', {
      identity: await createIdentity(),
      access: await accessTo(scene.meeting),
    });
    await scene.world.advance(20_000);
    for (const one of [back, disguised]) expect(one.members).toEqual([]);
    expect(allSee([ann, ben])).toBe(true);
  });

  test('the removed is not let in again even with the new link', async () => {
    const { ann, ben, cem } = await removal();
    await scene.world.until(() => ben.access.generation === 1 && ben.hostState !== null);
    const back = await scene.arrive('Cem', { identity: cem.identity, access: ben.access });
    await scene.world.advance(10_000);
    expect(back.members).toEqual([]);
    expect(allSee([ann, ben])).toBe(true);
  });

  test('who asked to come in with the old link in the same moment is not let in by it', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    const dua = await scene.arrive('Dua');
    await ann!.session.remove(cem!.peer);
    await scene.world.advance(5000);
    expect(ann!.members.some(({ peer }) => peer === dua.peer)).toBe(dua.members.length > 0);
    expect(ann!.members.some(({ peer }) => peer === cem!.peer)).toBe(false);
    expect(await opens(ann!, ben!)).toBe(true);
  });

  test('a removal that loses its race is signed anew and made in the next epoch', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    // Only Ben hears of Dua, and his commit is on its way when Ann removes Cem.
    scene.server.deliver = (event, to) => (event.type === 'group.addRequested' && to !== ben!.peer ? [] : [event]);
    const dua = await scene.arrive('Dua');
    scene.server.setLatency(ann!.peer, () => 50);
    await scene.world.advance(280);
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => allSee([ann!, ben!, dua]));
    expect(scene.server.log.slice(-2).map(({ by }) => by)).toEqual([ben!.peer, ann!.peer]);
    await scene.world.advance(300);
    expect([ann!, ben!, dua].map(({ access }) => access.generation)).toEqual([1, 1, 1]);
    expect(await allOpen([ann!, ben!, dua])).toBe(true);
  });

  test('a member who missed the new generation is told it by whoever hears that it is behind', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    const lost = new Set<string>();
    scene.server.deliver = (event, to) => {
      // The first three messages of Ann to Ben after the removal: among them the generation.
      if (
        event.type === 'message' &&
        event.from === ann!.peer &&
        to === ben!.peer &&
        lost.size < 3 &&
        scene.server.epoch > 2
      ) {
        lost.add(event.body);
        return [];
      }
      return [event];
    };
    await ann!.session.remove(cem!.peer);
    await scene.world.advance(100);
    expect(ben!.access.generation).toBe(0);
    await scene.world.until(() => ben!.access.generation === 1, 6000);
  });

  test('two are removed one right after the other', async () => {
    scene = await Scene.open();
    const [ann, ben, cem, dua] = await scene.gather('Ann', 'Ben', 'Cem', 'Dua');
    await ann!.session.remove(cem!.peer);
    await ann!.session.remove(dua!.peer);
    await scene.world.until(() => allSee([ann!, ben!]));
    await scene.world.advance(500);
    expect(ben!.access.generation).toBe(ann!.access.generation);
    expect(await allOpen([ann!, ben!])).toBe(true);
  });

  test('only who holds the host key removes anybody', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    await ben!.session.remove(cem!.peer);
    await scene.world.advance(5000);
    expect(allSee([ann!, ben!, cem!])).toBe(true);
  });
});

describe('other decisions of a host', () => {
  test('while it is locked nobody comes in; unlocked, who waits does', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    await ann!.session.lock(true);
    await scene.world.advance(100);
    expect(ben!.notices.findLast((notice) => notice.type === 'hostState')).toEqual({
      type: 'hostState',
      locked: true,
      chat: null,
    });
    const cem = await scene.arrive('Cem');
    await scene.world.advance(8000);
    expect(allSee([ann!, ben!])).toBe(true);
    await ann!.session.lock(false);
    await scene.world.until(() => allSee([ann!, ben!, cem]));
  });

  test('an ended meeting is over for all', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    await ann!.session.end();
    await scene.world.until(() => ann!.out === 'ended' && ben!.out === 'ended');
  });

  test('a rotation that a reload interrupted is carried through before the host comes in again', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    scene.server.intercept = (_from, name) => {
      if (name === 'host.rotate') throw new Refusal('offline');
      return undefined;
    };
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => ben!.access.generation === 1);
    expect(ann!.rotation).not.toBeNull();
    ann!.session.stop();
    scene.server.cut(ann!.peer);
    scene.server.intercept = () => undefined;
    const access = await accessTo(scene.meeting);
    const again = await scene.arrive('Ann', { host: true, replaces: ann!, access, rotation: ann!.rotation });
    await scene.world.until(() => allSee([ben!, again]));
    expect(again.access.generation).toBe(1);
    expect(scene.server.seen.filter(({ name }) => name === 'host.rotate')).toHaveLength(2);
  });

  test('a host who removes somebody and leaves at once leaves a meeting behind that others can come into', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    scene.server.setLatency(ann!.peer, () => 30);
    await ann!.session.remove(cem!.peer);
    await scene.world.until(() => ann!.sees(ben!));
    const leaving = scene.leave(ann!);
    await scene.world.advance(1500);
    await leaving;
    await scene.world.until(() => allSee([ben!]));
    const sent = scene.server.seen.filter(({ name }) => name.startsWith('host.')).map(({ name }) => name);
    expect(sent.sort()).toEqual(['host.command', 'host.rotate', 'host.state']);
    const dua = await scene.arrive('Dua', { access: ben!.access });
    await scene.world.until(() => allSee([ben!, dua]));
  });

  test('a host state older than one that was seen is refused, and said so', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    await ann!.session.lock(true);
    await scene.world.advance(100);
    const locked = ben!.hostState!;
    await ann!.session.lock(false);
    await scene.world.advance(100);
    scene.server.push(ben!.peer, { type: 'host.state', state: locked });
    await scene.world.advance(100);
    expect(ben!.alarms).toContain('forged');
    expect(ben!.notices.findLast((notice) => notice.type === 'hostState')).toMatchObject({ locked: false });
  });

  test('not even a reload lets a server roll a host state back', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    await ann!.session.lock(true);
    await scene.world.advance(100);
    const locked = ben!.hostState!;
    await ann!.session.lock(false);
    await scene.world.advance(100);
    const again = await scene.prepare('Ben', { replaces: ben!, hostState: ben!.hostState! });
    scene.server.connect({ peer: again.peer, event: (event) => void again.session.event(event) });
    await again.session.begin({ group: scene.server.ref, hostState: locked, now: scene.world.now });
    await scene.world.advance(1000);
    expect(again.alarms).toContain('forged');
  });
});
