/**
 * Meetings that nobody planned: people come, leave, crash, reload, lose sockets, events and messages, and are thrown out, at
 * random times over uneven wires. Whatever happened, in the end everybody who is there sees and opens everybody who is there,
 * and whoever is not holds no key that still seals.
 */
import { afterEach, expect, test } from 'vitest';
import { allOpen, allSee, opensWithHoard, Scene, type Person } from './support/people.ts';

const SEEDS = process.env['PARLEY_SOAK'] ? Array.from({ length: 40 }, (_, n) => 100 + n) : [11, 12, 13, 14];
const STEPS = 25;
const MOST = 6;

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

test.each(SEEDS)(
  'in the end all who are there see and open one another, and nobody else does (seed %i)',
  async (seed) => {
    scene = await Scene.open(seed);
    const { world, server } = scene;
    const pick = <T>(some: readonly T[]): T => some[Math.floor(world.random() * some.length)]!;
    const latencyMs = () => 1 + world.random() * 120;
    const here: Person[] = [];
    const away = new Set<Person>();
    let drops = 0;
    let named = 0;
    server.deliver = (event) => {
      const droppable =
        event.type === 'message' || event.type === 'group.committed' || event.type === 'group.addRequested';
      return droppable && world.random() < drops ? [] : [event];
    };

    const come = async (options: { replaces?: Person; host?: boolean } = {}) => {
      // The link of the newest generation: the server refuses any other.
      const access = scene.people.map((one) => one.access).sort((a, b) => b.generation - a.generation)[0];
      const name = options.replaces?.name ?? `P${named++}`;
      here.push(await scene.arrive(name, { latencyMs, ...(access ? { access } : {}), ...options }));
    };
    const drop = (person: Person) => {
      here.splice(here.indexOf(person), 1);
      away.delete(person);
    };
    /** What the page does when a session is over. */
    const tend = async () => {
      for (const person of [...here]) {
        // The server has closed the connection of whom a host removed, and says so to who comes back.
        if (person.out === null && server.connections.has(person.peer)) continue;
        drop(person);
        person.session.stop();
        server.disconnect(person.peer);
        if (person.out === 'repair') await come({ replaces: person, host: person.name === 'P0' });
      }
    };
    const resume = async (person: Person) => {
      away.delete(person);
      if (!server.connections.has(person.peer)) return;
      server.resume(person.peer);
      await person.session.resumed(server.ref);
    };

    await come({ host: true });
    await world.until(() => here[0]!.members.length === 1);
    for (let step = 0; step < STEPS; step++) {
      drops = world.random() < 0.5 ? 0.1 : 0;
      const guests = here.filter(({ name }) => name !== 'P0');
      const roll = world.random();
      if (roll < 0.4 || guests.length < 2) {
        if (here.length < MOST) await come();
      } else if (roll < 0.5) {
        const person = pick(guests);
        drop(person);
        await scene.leave(person);
      } else if (roll < 0.6) {
        const person = pick(guests);
        drop(person);
        scene.crash(person);
      } else if (roll < 0.72) {
        const person = pick(here);
        drop(person);
        person.session.stop();
        server.cut(person.peer);
        await come({ replaces: person, host: person.name === 'P0' });
        server.disconnect(person.peer, 'lost');
      } else if (roll < 0.85) {
        const person = pick(here);
        if (!away.has(person)) {
          away.add(person);
          server.cut(person.peer);
          world.after(500 + world.random() * 4000, () => void (away.has(person) && resume(person)));
          if (world.random() < 0.3) server.connections.get(person.peer)!.missed.length = 0;
        }
      } else {
        const host = here.find(({ name }) => name === 'P0')!;
        const target = pick(guests);
        if (host.members.some(({ peer }) => peer === target.peer)) {
          await host.session.remove(target.peer);
        }
      }
      await world.advance(world.random() * 1500);
      await tend();
    }

    drops = 0;
    for (const person of [...away]) await resume(person);
    for (let minute = 0; minute < 6 && !allSee(here.filter(({ out }) => out === null)); minute++) {
      for (let second = 0; second < 30; second++) {
        await world.advance(1000);
        await tend();
      }
    }
    const told = here.map((one) => `${one.name}: ${one.names.join(' ')}${one.paused ? ' (paused)' : ''}`);
    expect(allSee(here), told.join('; ')).toBe(true);
    expect(await allOpen(here)).toBe(true);
    for (const from of here) {
      const leaf = here.find((one) => one !== from)?.session.leafOf(from.peer) ?? null;
      if (leaf === null) continue;
      const thieves = scene.people.filter((one) => !here.includes(one));
      expect(await opensWithHoard(from, leaf, ...thieves)).toBe(false);
      expect(await opensWithHoard(from, leaf, from)).toBe(true);
    }
  },
  120_000,
);
