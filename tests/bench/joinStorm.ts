/** Twenty who ask to be added at the same moment, in sessions that are real in all but time and wire. */
import { allOpen, allSee, Scene } from '../scenario/support/people.ts';

const JOINERS = 20;

/**
 * @param members    who are there before, the host among them
 * @param spreadMs   what comes over a newcomer's wire takes 1 to this many milliseconds
 * @param seed       of that time
 * @returns commits until everybody sees and opens everybody @throws Error where that never comes
 */
export async function commitsForStorm({
  members,
  spreadMs,
  seed,
}: {
  members: number;
  spreadMs: number;
  seed: number;
}): Promise<number> {
  const scene = await Scene.open(seed);
  try {
    const { world, server } = scene;
    const there = await scene.gather(...Array.from({ length: members }, (_, i) => `there ${i}`));
    // The last one's epoch has begun long ago: what is counted is the storm alone.
    await world.advance(5000);
    const before = server.log.length;
    const latencyMs = (): number => 1 + world.random() * (spreadMs - 1);
    const coming = await Promise.all(
      Array.from({ length: JOINERS }, (_, i) => scene.arrive(`new ${i}`, { latencyMs })),
    );
    await world.until(() => allSee([...there, ...coming]));
    const commits = server.log.length - before;
    // Everybody has said by then that the new keys are there.
    await world.advance(2000);
    if (!(await allOpen([...there, ...coming]))) throw new Error('somebody cannot open somebody after 20 joins');
    const errors = scene.people.flatMap((person) => person.errors);
    if (errors.length > 0) throw new Error(`20 joins: ${String(errors[0])}`);
    return commits;
  } finally {
    scene.end();
  }
}
