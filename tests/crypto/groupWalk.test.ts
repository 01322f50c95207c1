/** The group under a random life. PARLEY_SEED chooses the life; PARLEY_SOAK=1 lives many, and longer. */
import { expect, test } from 'vitest';
import { Walk } from './groupWalk.ts';

const isSoak = Boolean(process.env['PARLEY_SOAK']);
/** From two members to a room of thirty and to a handful; the next begins with two. */
const ROUND = 250;
const STEPS = isSoak ? 2 * ROUND : ROUND + 20;
const SEED = Number(process.env['PARLEY_SEED'] ?? 20);
const SEEDS = isSoak ? Array.from({ length: 40 }, (_, index) => SEED + index) : [SEED];

/** How many members there should be: mostly a handful, now and then a room of thirty. */
function sizeAt(step: number): number {
  const at = step % ROUND;
  if (at < 20) return 2 + Math.floor(at / 4);
  if (at < 110) return 6;
  if (at < 119) return 30;
  if (at < 145) return 10;
  return 4 + (Math.floor(at / 10) % 5);
}

for (const seed of SEEDS) {
  test(
    `members agree after each of ${STEPS} steps, and those taken out have nothing (seed ${seed})`,
    { timeout: 600_000 },
    async () => {
      console.log(`group walk, seed ${seed}`);
      const walk = await Walk.begin(seed);
      for (let step = 0; step < STEPS; step++) await walk.step(sizeAt(step));
      await walk.settle();
      console.log(`group walk, seed ${seed}: ${JSON.stringify(walk.counts)}`);
      const { commits, races, joins, removals, caughtUp, spied, shutOut, largest, smallestSince } = walk.counts;
      expect(commits).toBeGreaterThanOrEqual(0.9 * STEPS);
      for (const count of [races, joins, removals, caughtUp, spied]) expect(count).toBeGreaterThan(10);
      expect(shutOut).toBeGreaterThan(5);
      expect(largest).toBe(30);
      expect(smallestSince).toBe(2);
    },
  );
}
