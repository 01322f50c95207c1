import { afterEach, describe, expect, test } from 'vitest';
import type { Params } from '../../signal/protocol/requests.ts';
import { Refusal } from './support/orderingServer.ts';
import { allOpen, allSee, opens, opensWithHoard, Scene, type Person } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

const commits = () => scene.server.seen.filter(({ name }) => name === 'group.commit');

/** Codes follow the list of people, when there is nothing more urgent. */
const codesAreShown = (people: readonly Person[]): Promise<number> =>
  scene.world.until(() =>
    people.every(({ view }) => {
      const pairs = view!.members.filter(({ self }) => !self).map(({ pairCode }) => pairCode);
      return [view!.code, view!.authenticator, ...pairs].every((code) => code.length === 6);
    }),
  );

describe('coming together', () => {
  test('somebody alone founds a group and is in it', async () => {
    scene = await Scene.open();
    const ann = await scene.arrive('Ann', { host: true });
    await scene.world.until(() => ann.sees());
    expect(ann.epoch).toBe(0);
    expect(ann.members).toMatchObject([{ name: 'Ann', self: true, host: true }]);
  });

  test('two people meet: the same names and codes, and frames open both ways', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    expect(ann!.names).toEqual(['Ann', 'Ben']);
    expect(ben!.names).toEqual(['Ann', 'Ben']);
    await codesAreShown([ann!, ben!]);
    expect(ann!.view!.code).toEqual(ben!.view!.code);
    expect(ann!.view!.authenticator).toEqual(ben!.view!.authenticator);
    expect(ann!.members.find(({ self }) => !self)!.pairCode).toEqual(ben!.members.find(({ self }) => !self)!.pairCode);
    expect(ben!.members.find(({ name }) => name === 'Ann')).toMatchObject({ host: true, unknown: true, lost: false });
    expect(await allOpen([ann!, ben!])).toBe(true);
  });

  test('two who found at the same moment end up in one group', async () => {
    scene = await Scene.open();
    const people = [await scene.arrive('Ann'), await scene.arrive('Ben')];
    await scene.world.until(() => allSee(people));
    expect(await allOpen(people)).toBe(true);
  });

  test('whom the server tells to wait asks again, and joins the group that is there by then', async () => {
    scene = await Scene.open();
    let asked = 0;
    scene.server.intercept = (_from, name) =>
      name === 'group.create' && ++asked === 1 ? { created: false, group: null, waitMs: 700 } : undefined;
    const ann = await scene.arrive('Ann');
    expect(await scene.world.until(() => ann.sees())).toBeGreaterThanOrEqual(700);
  });

  test('three who ask at the same moment come in by one commit', async () => {
    scene = await Scene.open();
    const [ann] = await scene.gather('Ann');
    const others = [await scene.arrive('Ben'), await scene.arrive('Cem'), await scene.arrive('Dua')];
    await scene.world.until(() => allSee([ann!, ...others]));
    expect(commits()).toHaveLength(1);
    expect(await allOpen([ann!, ...others])).toBe(true);
  });

  test('a newcomer is in within a few hundred milliseconds', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    const cem = await scene.arrive('Cem', { latencyMs: () => 20 });
    expect(await scene.world.until(() => allSee([ann!, ben!, cem]))).toBeLessThanOrEqual(300);
  });

  test('who comes late opens nothing that was sealed before', async () => {
    scene = await Scene.open();
    const [ann] = await scene.gather('Ann', 'Ben');
    const early = await ann!.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3]));
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => cem.names.length === 3);
    expect(early.ok).toBe(true);
    if (early.ok) expect(await cem.keyring.open({ kind: 1, leaf: 0 }, 'vp8', early.frame)).toMatchObject({ ok: false });
  });

  test('a lost request to come in is asked again after three seconds', async () => {
    scene = await Scene.open();
    const [ann] = await scene.gather('Ann');
    let lost = 0;
    scene.server.deliver = (event) => (event.type === 'group.addRequested' && ++lost === 1 ? [] : [event]);
    const ben = await scene.arrive('Ben');
    expect(await scene.world.until(() => allSee([ann!, ben]))).toBeGreaterThanOrEqual(3000);
  });
});

describe('whose turn it is', () => {
  test('the designated committer is silent: another commits after 300 ms', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    // Ann hears of nobody who wants to come in.
    scene.server.deliver = (event, to) => (event.type === 'group.addRequested' && to === ann!.peer ? [] : [event]);
    const dua = await scene.arrive('Dua');
    const took = await scene.world.until(() => allSee([ann!, ben!, cem!, dua]));
    expect(took).toBeGreaterThanOrEqual(300);
    expect(took).toBeLessThan(500);
    expect(commits().at(-1)!.from).toBe(ben!.peer);
  });

  test('a committer whose socket is away is not waited for', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.cut(ann!.peer);
    const cem = await scene.arrive('Cem');
    expect(await scene.world.until(() => ben!.members.length === 3 && cem.members.length > 0, 1500)).toBeLessThan(1200);
    expect(commits().at(-1)!.from).toBe(ben!.peer);
  });

  test('of two commits for one epoch the second is refused, and its work is done in the next', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    // Ann knows only of Dua, Ben only of Eve; and Ann's commit takes so long that Ben makes one too.
    const names = new Map<string, string>();
    scene.server.deliver = (event, to) => {
      if (event.type !== 'group.addRequested') return [event];
      const wants = names.get(event.peer);
      return (wants === 'Dua') === (to === ann!.peer) ? [event] : [];
    };
    const dua = await scene.prepare('Dua');
    names.set(dua.peer, 'Dua');
    for (const one of [ann!, ben!]) scene.server.setLatency(one.peer, () => 150);
    scene.server.connect({ peer: dua.peer, event: (event) => void dua.session.event(event) });
    await dua.session.begin({ group: scene.server.ref, hostState: null, now: scene.world.now });
    const eve = await scene.arrive('Eve');
    await scene.world.until(() => allSee([ann!, ben!, cem!, dua, eve]));
    const epochs = commits().map(({ params }) => (params as Params<'group.commit'>).epoch);
    expect(new Set(epochs).size).toBeLessThanOrEqual(epochs.length);
    expect(await allOpen([ann!, ben!, cem!, dua, eve])).toBe(true);
  });

  test('a removal is never dropped by a lost race', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    // Only Ann hears that Cem leaves, and only Ben that Dua comes; Ben's commit is faster.
    scene.server.deliver = (event, to) => {
      if (event.type === 'message' && event.from === cem!.peer && to === ben!.peer) return [];
      return event.type === 'group.addRequested' && to !== ben!.peer ? [] : [event];
    };
    const dua = await scene.arrive('Dua');
    await scene.world.advance(200);
    scene.server.setLatency(ann!.peer, () => 60);
    await cem!.session.leave();
    await scene.world.until(() => allSee([ann!, ben!, dua]));
    const authors = commits().map(({ from }) => from);
    expect(authors.slice(-3)).toEqual([ben!.peer, ann!.peer, ann!.peer]);
    expect(ann!.gone).toMatchObject([{ peer: cem!.peer, reason: 'leave' }]);
  });

  test('who may not commit now tries later, and the others do not wait for it', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.intercept = (from, name) => {
      if (name === 'group.commit' && from === ann!.peer) throw new Refusal('commitBarred');
      return undefined;
    };
    const cem = await scene.arrive('Cem');
    await scene.world.until(() => allSee([ann!, ben!, cem]), 1500);
    expect(scene.server.log.at(-1)!.by).toBe(ben!.peer);
  });

  test('epochs start at least 250 ms apart', async () => {
    scene = await Scene.open();
    const [ann] = await scene.gather('Ann');
    const began: number[] = [];
    scene.server.intercept = (_from, name) => {
      if (name === 'group.commit') began.push(scene.world.now);
      return undefined;
    };
    const people = [ann!];
    for (const name of ['Ben', 'Cem', 'Dua', 'Eve']) {
      people.push(await scene.arrive(name));
      await scene.world.advance(60);
    }
    await scene.world.until(() => allSee(people));
    for (const [index, at] of began.entries())
      if (index > 0) expect(at - began[index - 1]!).toBeGreaterThanOrEqual(250);
  });
});

describe('going', () => {
  test('who leaves is gone from every list at once, with the reason', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    await scene.leave(cem!);
    expect(await scene.world.until(() => allSee([ann!, ben!]))).toBeLessThan(400);
    expect(ann!.gone).toMatchObject([{ peer: cem!.peer, name: 'Cem', reason: 'leave' }]);
    expect(await opens(ann!, ben!)).toBe(true);
  });

  test('the designated committer itself may leave', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    await scene.leave(ann!);
    await scene.world.until(() => allSee([ben!, cem!]));
    expect(await allOpen([ben!, cem!])).toBe(true);
  });

  test('who left knows no key that seals afterwards, and says nothing more', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    await scene.leave(cem!);
    await scene.world.until(() => allSee([ann!, ben!]));
    const told = cem!.notices.length;
    await scene.world.advance(40_000);
    expect(cem!.notices.length).toBe(told);
    expect(await opensWithHoard(ann!, 0, cem!)).toBe(false);
    expect(await opensWithHoard(ben!, 1, cem!)).toBe(false);
  });

  test('who lags behind by more than anybody may be silent calls nobody lost', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    ann!.lagMs = 20_000;
    await scene.world.advance(60_000);
    const lostTo = (person: Person): string[] =>
      person.notices.flatMap((notice) =>
        notice.type === 'members' ? notice.members.filter(({ lost }) => lost).map(({ name }) => name!) : [],
      );
    expect(lostTo(ann!)).toEqual([]);
    expect([...new Set([...lostTo(ben!), ...lostTo(cem!)])]).toEqual(['Ann']);
    expect([ann, ben, cem].map((person) => person!.epoch)).toEqual([2, 2, 2]);
  });

  test('a reload is a new leaf: the commit that adds it removes the old one', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    ben!.session.stop();
    scene.server.cut(ben!.peer);
    const again = await scene.arrive('Ben', { replaces: ben! });
    const took = await scene.world.until(() => allSee([ann!, again]));
    expect(took).toBeLessThan(400);
    expect(ann!.gone).toMatchObject([{ peer: ben!.peer, name: 'Ben', reason: 'replaced' }]);
    expect(scene.server.epoch).toBe(2);
    await codesAreShown([ann!, again]);
    expect(ann!.view!.code).toEqual(again.view!.code);
    expect(await allOpen([ann!, again])).toBe(true);
  });

  test('the code changes when people change, not when one of them reloads', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    await codesAreShown([ann!]);
    const before = ann!.view!.code;
    ben!.session.stop();
    scene.server.cut(ben!.peer);
    const again = await scene.arrive('Ben', { replaces: ben! });
    await scene.world.until(() => allSee([ann!, again]));
    await codesAreShown([ann!]);
    expect(ann!.view!.code).toEqual(before);
    await scene.arrive('Cem');
    await scene.world.until(() => ann!.members.length === 3);
    // Until it is computed there is none: the code of others is never shown for these.
    expect(ann!.view!.code).toEqual([]);
    await codesAreShown([ann!]);
    expect(ann!.view!.code).not.toEqual(before);
  });

  test('a tab that was doubled: the new one takes the place of the old, which is told', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    const twin = await scene.arrive('Ben', { replaces: ben! });
    await scene.world.until(() => allSee([ann!, twin]));
    expect(ben!.out).toBe('elsewhere');
  });

  test('nobody can replace the leaf of somebody else', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    const cem = await scene.prepare('Cem');
    const thief = await scene.arrive('Eve', { replaces: ben!, identity: cem.identity });
    await scene.world.until(() => allSee([ann!, ben!, thief]));
    expect(ben!.out).toBeNull();
  });
});

describe('the socket breaks', () => {
  test('missed events follow: nobody notices', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.cut(ben!.peer);
    await scene.world.advance(2000);
    const cem = await scene.arrive('Cem');
    await scene.world.advance(2000);
    scene.server.resume(ben!.peer);
    await ben!.session.resumed(scene.server.ref);
    await scene.world.until(() => allSee([ann!, ben!, cem]));
    expect(await allOpen([ann!, ben!, cem])).toBe(true);
    expect(ben!.alarms).toEqual([]);
  });

  test('missed events are lost, too: the commits come from the log', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.cut(ben!.peer);
    const cem = await scene.arrive('Cem');
    await scene.world.advance(2000);
    const dua = await scene.arrive('Dua');
    await scene.world.advance(2000);
    scene.server.connections.get(ben!.peer)!.missed.length = 0;
    scene.server.resume(ben!.peer);
    await ben!.session.resumed(scene.server.ref);
    await scene.world.until(() => allSee([ann!, ben!, cem, dua]));
    await scene.world.advance(1000);
    expect(await allOpen([ann!, ben!, cem, dua])).toBe(true);
  });

  test.each([
    ['before the server has ordered it', false],
    ['after', true],
  ])('a commit whose answer is lost %s is neither lost nor made twice', async (_when, ordered) => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    let lost = false;
    scene.server.intercept = (from, name, params) => {
      if (name !== 'group.commit' || from !== ann!.peer || lost) return undefined;
      lost = true;
      if (ordered) {
        const { groupId, epoch, commit } = params as Params<'group.commit'>;
        scene.server.log.push({ groupId, epoch, by: from, commit });
        scene.server.group!.members.delete(ben!.peer);
      }
      scene.server.cut(ann!.peer);
      throw new Refusal('offline');
    };
    await scene.leave(ben!);
    await scene.world.advance(1000);
    scene.server.resume(ann!.peer);
    await ann!.session.resumed(scene.server.ref);
    await scene.world.until(() => ann!.sees());
    expect(scene.server.epoch).toBe(2);
  });

  test('while nobody can be reached nobody is committed away; those who come back are still members', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    for (const one of [ann!, ben!]) scene.server.cut(one.peer);
    await scene.world.advance(60_000);
    expect(ann!.paused).toBe(true);
    scene.server.intercept = (_from, name) => {
      expect(name).not.toBe('group.commit');
      return undefined;
    };
    for (const one of [ann!, ben!]) {
      scene.server.resume(one.peer);
      await one.session.resumed(scene.server.ref);
    }
    await scene.world.until(() => !ann!.paused && !ben!.paused);
    await scene.world.advance(5000);
    expect(allSee([ann!, ben!])).toBe(true);
  });
});
