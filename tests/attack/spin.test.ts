/** A server that refuses every commit must not keep a member's worker busy. */
import { afterEach, expect, test } from 'vitest';
import { Refusal } from '../scenario/support/orderingServer.ts';
import { Scene, type Person } from '../scenario/support/people.ts';

let scene: Scene;
afterEach(() => scene?.end());

test('a removal that can no longer be staged in this epoch is not tried without a pause', async () => {
  scene = await Scene.open();
  const [ann, , cem] = (await scene.gather('Ann', 'Ben', 'Cem')) as [Person, Person, Person];
  let offered = 0;
  scene.server.intercept = (from, name) => {
    if (name !== 'group.commit' || from !== ann.peer) return undefined;
    offered++;
    throw new Refusal('internal');
  };
  // Counts what the session asks of the clock: a spin is thousands at one moment.
  const { world } = scene;
  const after = world.after.bind(world);
  let timers = 0;
  world.after = (ms, run) => {
    if (++timers > 200_000) throw new Error('spins');
    return after(ms, run);
  };
  await ann.session.remove(cem.peer);
  for (let minute = 0; minute < 40; minute++) {
    timers = 0;
    await world.advance(60_000);
    expect(timers).toBeLessThan(5000);
    if (ann.out !== null) break;
  }
  expect(offered).toBeGreaterThan(0);
}, 120_000);
