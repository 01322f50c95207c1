import { afterEach, describe, expect, test } from 'vitest';
import { Refusal } from './support/orderingServer.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import { allOpen, allSee, Scene } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

const asks = () => scene.server.seen.filter(({ name }) => name === 'group.log').length;

describe('commits that did not come', () => {
  test('a lost one is fetched from the log as soon as a message shows that there is a newer epoch', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    let lost = 0;
    scene.server.deliver = (event, to) =>
      event.type === 'group.committed' && to === ben!.peer && lost++ === 0 ? [] : [event];
    const cem = await scene.arrive('Cem');
    expect(await scene.world.until(() => allSee([ann!, ben!, cem]))).toBeLessThan(2500);
    expect(lost).toBe(1);
    expect(asks()).toBe(1);
    expect(await allOpen([ann!, ben!, cem])).toBe(true);
    expect(ben!.alarms).toEqual([]);
  });

  test('several lost ones are applied in order', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    let holding = true;
    scene.server.deliver = (event, to) => (holding && to === ben!.peer ? [] : [event]);
    const cem = await scene.arrive('Cem');
    await scene.world.advance(1500);
    const dua = await scene.arrive('Dua');
    await scene.world.advance(1500);
    holding = false;
    await scene.world.until(() => allSee([ann!, ben!, cem, dua]));
    expect(await allOpen([ann!, ben!, cem, dua])).toBe(true);
  });

  test('commits that come in the wrong order are applied in the right one', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    const held: ServerEvent[] = [];
    let holding = true;
    scene.server.deliver = (event, to) => {
      if (!holding || to !== ben!.peer || event.type !== 'group.committed') return [event];
      held.push(event);
      return [];
    };
    scene.server.intercept = (_from, name) => (name === 'group.log' ? { commits: [], epoch: 0 } : undefined);
    const cem = await scene.arrive('Cem');
    await scene.world.advance(280);
    const dua = await scene.arrive('Dua');
    await scene.world.advance(280);
    holding = false;
    expect(held).toHaveLength(2);
    for (const event of held.reverse()) scene.server.raw(ben!.peer, event);
    await scene.world.until(() => allSee([ann!, ben!, cem, dua]));
  });

  test('the log does not help: it is said that something is withheld, and a new leaf leads back', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.deliver = (event, to) => (event.type === 'group.committed' && to === ben!.peer ? [] : [event]);
    scene.server.intercept = (from, name) =>
      name === 'group.log' && from === ben!.peer ? { commits: [], epoch: 1 } : undefined;
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => ben!.out === 'repair', 30_000);
    expect(ben!.alarms).toContain('withheld');
    expect(asks()).toBeLessThanOrEqual(3);
    const again = await scene.arrive('Ben', { replaces: ben! });
    await scene.world.until(() => allSee([ann!, cem, again]));
    expect(ann!.gone).toMatchObject([{ peer: ben!.peer, reason: 'replaced' }]);
  });

  test('lies about newer epochs cost a look into the log now and then, and make nobody leave', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    const lie = (epoch: number) => {
      const bytes = Buffer.alloc(300, 7);
      bytes[0] = 1;
      bytes.writeBigUInt64BE(BigInt(epoch), 1);
      bytes.writeUInt16BE(1, 9);
      return bytes.toString('base64url');
    };
    for (let second = 0; second < 60; second++) {
      for (const epoch of [2, 5, 10_000 + second]) {
        scene.server.raw(ann!.peer, { type: 'message', from: ben!.peer, body: lie(epoch) });
      }
      await scene.world.advance(1000);
    }
    expect(asks()).toBeLessThanOrEqual(6);
    expect(ann!.out).toBeNull();
    expect(ann!.alarms).toEqual([]);
  });
});

describe('a commit that cannot be applied', () => {
  /** Cem's program is broken: what he commits is nonsense to everybody. */
  async function broken() {
    scene = await Scene.open();
    const people = await scene.gather('Ann', 'Ben', 'Cem', 'Dua');
    const [ann, ben, cem, dua] = people as [never, never, never, never] as typeof people;
    const { groupId } = { groupId: scene.server.group!.id };
    const epoch = scene.server.ref!.epoch;
    scene.server.log.push({ groupId, epoch, by: cem!.peer, commit: Buffer.alloc(400, 9).toString('base64url') });
    const event: ServerEvent = { type: 'group.committed', ...scene.server.log.at(-1)! };
    for (const { peer } of people) scene.server.push(peer, event);
    return { ann: ann!, ben: ben!, cem: cem!, dua: dua! };
  }

  test('is refused in the open, and when most say so the slot is free again', async () => {
    const { ann, ben, cem, dua } = await broken();
    const eve = await scene.arrive('Eve');
    await scene.world.until(() => allSee([ann, ben, cem, dua, eve]), 10_000);
    for (const one of [ann, ben, dua]) expect(one.alarms).toContain('commitRefused');
    expect(await allOpen([ann, ben, cem, dua, eve])).toBe(true);
  });

  test('nobody follows it', async () => {
    const { ann, ben, cem, dua } = await broken();
    await scene.world.advance(3000);
    expect([ann, ben, cem, dua].map(({ out }) => out)).toEqual([null, null, null, null]);
    expect(allSee([ann, ben, cem, dua])).toBe(true);
  });
});

test('keys that have sealed nearly all they may are renewed by a commit that changes nothing else', async () => {
  scene = await Scene.open();
  const [ann, ben] = await scene.gather('Ann', 'Ben');
  ben!.keyring.left = 1000;
  await scene.world.until(() => ann!.epoch === 2);
  ben!.keyring.left = null;
  expect(ann!.gone).toEqual([]);
  expect(await allOpen([ann!, ben!])).toBe(true);
});

test('a member whose commits the server does not take as a member makes a new leaf', async () => {
  scene = await Scene.open();
  const [ann, ben] = await scene.gather('Ann', 'Ben', 'Cem');
  scene.server.intercept = (from, name) => {
    if (name === 'group.commit' && from === ann!.peer) throw new Refusal('groupUnknown');
    return undefined;
  };
  await ann!.session.remove(ben!.peer);
  await scene.world.until(() => ann!.out === 'repair', 5000);
  expect(ben!.out).toBeNull();
});
