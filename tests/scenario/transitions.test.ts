import { afterEach, expect, test } from 'vitest';
import { allSee, opens, Scene, type Person } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

interface Tally {
  opened: number;
  unopened: string[];
}

/**
 * Everybody sends a frame to everybody they are connected with, 25 times a second, over paths of 5 to 60 ms. Connected are
 * two whose pages list each other, from that very moment on: no real connection is as fast.
 */
function stream(people: Person[], gone: ReadonlySet<Person>, tally: Tally): () => void {
  let running = true;
  const inFlight = new Set<Promise<void>>();
  scene.world.watch(() => inFlight.size === 0);
  const track = (work: Promise<void>) => {
    inFlight.add(work);
    void work.finally(() => inFlight.delete(work));
  };
  const lists = (one: Person, other: Person) =>
    one.members.some(({ peer }) => peer === other.peer) && one.out === null && !gone.has(one);
  const arrive = async (from: Person, to: Person, frame: Uint8Array<ArrayBuffer>, sealedIn: number) => {
    if (!lists(to, from)) return;
    const leaf = to.session.leafOf(from.peer);
    const result =
      leaf === null
        ? { ok: false as const, why: 'unknownKey' }
        : await to.keyring.open({ kind: 1, leaf }, 'vp8', frame);
    if (result.ok && to.session.isLeafOf(from.peer, leaf!, result.epoch)) tally.opened++;
    else
      tally.unopened.push(
        `${from.name} to ${to.name}, sealed in ${sealedIn}, ${result.ok ? 'wrong leaf' : result.why}`,
      );
  };
  const send = async (from: Person) => {
    for (const to of people) {
      if (to === from || !lists(from, to) || !lists(to, from)) continue;
      const sealed = await from.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3, 4]), from.session.epochFor(to.peer));
      if (!sealed.ok) continue;
      const sealedIn = from.epoch;
      scene.world.after(5 + scene.world.random() * 55, () => track(arrive(from, to, sealed.frame, sealedIn)));
    }
  };
  const tick = () => {
    if (!running) return;
    for (const person of people) if (person.out === null && person.view !== undefined) track(send(person));
    scene.world.after(40, tick);
  };
  tick();
  return () => {
    running = false;
  };
}

test.each([1, 2, 3])(
  'no frame is lost to a change of keys while people come, reload and leave (seed %i)',
  async (seed) => {
    scene = await Scene.open(seed);
    const { world } = scene;
    const people: Person[] = [];
    const tally: Tally = { opened: 0, unopened: [] };
    // Slow and uneven ways to the server, slower than the media's.
    const latencyMs = () => 5 + world.random() * 145;
    const gone = new Set<Person>();
    const stop = stream(people, gone, tally);
    const come = async (name: string, replaces?: Person) => {
      const person = await scene.arrive(name, {
        latencyMs,
        ...(replaces ? { replaces } : { host: people.length === 0 }),
      });
      people.push(person);
      return person;
    };
    const here = () => people.filter((person) => person.out === null && !gone.has(person));

    const ann = await come('Ann');
    await world.until(() => ann.sees());
    const ben = await come('Ben');
    const cem = await come('Cem');
    await world.until(() => allSee(here()));
    await world.advance(500);

    const dua = await come('Dua');
    await world.advance(150);
    gone.add(ben);
    await scene.leave(ben);
    await world.until(() => allSee(here()));
    await world.advance(500);

    gone.add(dua);
    dua.session.stop();
    scene.server.cut(dua.peer);
    await come('Dua', dua);
    await world.until(() => allSee(here()));
    await come('Eve');
    await come('Fay');
    await world.until(() => allSee(here()));
    gone.add(ann);
    await scene.leave(ann);
    await world.until(() => allSee(here()));
    await world.advance(1500);
    stop();

    expect(tally.opened).toBeGreaterThan(500);
    expect(tally.unopened).toEqual([]);
    expect(cem.alarms).toEqual([]);
  },
);

test('each is sent what it opens, and all are sent the old key until all have the new one', async () => {
  scene = await Scene.open();
  const [ann, ben] = await scene.gather('Ann', 'Ben');
  // Ben hears of the new epoch 400 ms later than the others.
  scene.server.setLatency(ben!.peer, () => 400);
  const cem = await scene.arrive('Cem', { latencyMs: () => 50 });
  await scene.world.until(() => ann!.members.length === 3);
  // Cem has said nothing yet, so there is nothing that is known to open for it.
  expect(ann!.epoch).toBe(2);
  expect(ann!.session.epochFor(cem.peer)).toBe(-1);
  await scene.world.until(() => ann!.session.epochFor(cem.peer) === 2);
  expect(ann!.session.epochFor(null)).toBe(1);
  expect(await opens(ann!, cem)).toBe(true);
  expect(ben!.epoch).toBe(1);
  expect(await opens(ann!, ben!)).toBe(true);
  await scene.world.until(() => ann!.session.epochFor(null) === 2);
  const sealed = await ann!.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3]));
  expect(sealed.ok && (await ben!.keyring.open({ kind: 1, leaf: 0 }, 'vp8', sealed.frame))).toMatchObject({
    ok: true,
    epoch: 2,
  });
});

test('nothing is sealed for somebody who has left, not even with the keys that they had', async () => {
  scene = await Scene.open();
  const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
  const left = ben!.peer;
  await scene.leave(ben!);
  await scene.world.until(() => ann!.members.length === 2);
  expect(ann!.session.epochFor(left)).toBe(-1);
  expect(await opens(ann!, cem!)).toBe(true);
});

test('nobody waits longer than a second for one who does not answer', async () => {
  scene = await Scene.open();
  const [ann, ben] = await scene.gather('Ann', 'Ben');
  scene.server.cut(ben!.peer);
  const sends = () => ann!.switches.filter(({ side }) => side === 'send').length;
  const before = sends();
  const cem = await scene.arrive('Cem');
  await scene.world.until(() => scene.server.epoch === 2);
  const took = await scene.world.until(() => sends() > before);
  expect(took).toBeGreaterThanOrEqual(800);
  // The rest of the second is for timers that come late.
  expect(took).toBeLessThanOrEqual(910);
  await scene.world.until(() => ann!.members.some(({ peer }) => peer === cem.peer), 100);
});

test('after a removal by a host nobody waits at all', async () => {
  scene = await Scene.open();
  const [ann, ben, cem] = await scene.gather('Ann', 'Ben', 'Cem');
  scene.server.cut(ben!.peer);
  const sends = () => ann!.switches.filter(({ side }) => side === 'send').length;
  const before = sends();
  await ann!.session.remove(cem!.peer);
  expect(await scene.world.until(() => sends() > before)).toBeLessThanOrEqual(10);
});
