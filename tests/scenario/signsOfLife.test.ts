import { afterEach, describe, expect, test } from 'vitest';
import { allOpen, allSee, Scene, type Person } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

const lostFor = (who: Person) => who.members.filter(({ lost }) => lost).map(({ name }) => name);

describe('somebody falls silent', () => {
  test('shown as lost after three intervals, committed away after 30 s, with who said it', async () => {
    scene = await Scene.open();
    const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
    scene.crash(cem!);
    expect(await scene.world.until(() => lostFor(ann!).length > 0, 10_000)).toBeGreaterThanOrEqual(4000);
    expect(lostFor(ann!)).toEqual(['Cem']);
    expect(ann!.paused).toBe(false);
    const gone = await scene.world.until(() => allSee([ann!, ben!]), 40_000);
    expect(gone).toBeGreaterThan(18_000);
    expect(ben!.gone).toMatchObject([{ peer: cem!.peer, reason: 'lost', by: ann!.peer }]);
    expect(await allOpen([ann!, ben!])).toBe(true);
  });

  test('who is heard again is not lost any more', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben', 'Cem');
    let silent = true;
    scene.server.deliver = (event) => (silent && event.type === 'message' && event.from === ben!.peer ? [] : [event]);
    await scene.world.until(() => lostFor(ann!).includes('Ben'));
    silent = false;
    await scene.world.until(() => lostFor(ann!).length === 0, 3000);
    await scene.world.advance(40_000);
    expect(ann!.sees(...scene.people.slice(1))).toBe(true);
  });

  test('frames that open are signs of life as well', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    scene.server.deliver = (event) => (event.type === 'message' ? [] : [event]);
    for (let second = 0; second < 40; second++) {
      ann!.session.heard(ben!.peer);
      await scene.world.advance(1000);
    }
    expect(lostFor(ann!)).toEqual([]);
  });

  test('and so are heartbeats that come by a data channel, past the server', async () => {
    scene = await Scene.open();
    const [ann, ben] = await scene.gather('Ann', 'Ben');
    ann!.channels.add(ben!);
    ben!.channels.add(ann!);
    scene.server.deliver = (event) => (event.type === 'message' ? [] : [event]);
    await scene.world.advance(40_000);
    expect([lostFor(ann!), lostFor(ben!)]).toEqual([[], []]);
    expect(ann!.alarms).toEqual([]);
  });
});

describe('most are lost', () => {
  const alone = async (): Promise<{ ann: Person; others: Person[] }> => {
    scene = await Scene.open();
    const [ann, ...others] = await scene.gather('Ann', 'Ben', 'Cem', 'Dua');
    return { ann: ann!, others };
  };

  test('sending pauses when more than half of the others are lost, and resumes when they are committed away', async () => {
    const { ann, others } = await alone();
    scene.crash(others[1]!);
    await scene.world.advance(8000);
    expect(ann.paused).toBe(false);
    scene.crash(others[2]!);
    await scene.world.until(() => ann.paused, 10_000);
    await scene.world.until(() => ann.sees(others[0]!), 40_000);
    expect(ann.paused).toBe(false);
  });

  test('"go on" resumes sending; another loss pauses it again', async () => {
    const { ann, others } = await alone();
    scene.server.deliver = (event, to) =>
      event.type === 'message' && to === ann.peer && event.from !== others[2]!.peer ? [] : [event];
    await scene.world.until(() => ann.paused, 10_000);
    await ann.session.goOn();
    await scene.world.settle();
    expect(ann.paused).toBe(false);
    await scene.world.advance(3000);
    expect(ann.paused).toBe(false);
    scene.server.deliver = (event, to) => (event.type === 'message' && to === ann.peer ? [] : [event]);
    await scene.world.until(() => ann.paused, 10_000);
  });

  test('a device that slept does not take its own silence for that of the others', async () => {
    const { ann, others } = await alone();
    // Ann's clock jumps by two minutes, in which she ran nothing and heard nothing.
    scene.server.cut(ann.peer);
    scene.server.intercept = (from, name) => {
      if (from === ann.peer) expect(name).not.toBe('group.commit');
      return undefined;
    };
    scene.world.now += 120_000;
    scene.server.resume(ann.peer);
    await ann.session.resumed(scene.server.ref);
    await scene.world.advance(4000);
    expect(ann.paused).toBe(false);
    expect(allSee([ann, ...others])).toBe(true);
  });
});

test('whoever was committed away and is still there is told to make a new leaf', async () => {
  scene = await Scene.open();
  const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
  scene.server.deliver = (event) => (event.type === 'message' && event.from === cem!.peer ? [] : [event]);
  await scene.world.until(() => cem!.out !== null, 45_000);
  expect(cem!.out).toBe('repair');
  scene.server.deliver = (event) => [event];
  const again = await scene.arrive('Cem', { replaces: cem! });
  await scene.world.until(() => allSee([ann!, ben!, again]));
});

test('a server that breaks the socket again and again cannot keep somebody who is gone on the list', async () => {
  scene = await Scene.open();
  const [ann, ben] = await scene.gather('Ann', 'Ben');
  scene.crash(ben!);
  for (let round = 0; round < 6 && !ann!.sees(); round++) {
    await scene.world.advance(20_000);
    scene.server.cut(ann!.peer);
    scene.server.resume(ann!.peer);
    await ann!.session.resumed(scene.server.ref);
  }
  await scene.world.advance(2000);
  expect(ann!.sees()).toBe(true);
});
