/** What a group overwrites: the very arrays that its states held, seen from inside. */
import type { ClientState } from 'ts-mls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { prune, secretsOf } from '../../crypto/mlsState.ts';
import type * as StepModule from '../../crypto/step.ts';
import type { Standing } from '../../crypto/step.ts';
import { NOTHING, NOW, follow, world } from './groupWorld.ts';

/** Each state that a commit was made from or applied to, and the one that came of it. */
const steps: { standing: Standing; next: ClientState }[] = [];
vi.mock('../../crypto/step.ts', async (original) => {
  const real = await original<typeof StepModule>();
  return {
    ...real,
    stageCommit: async (...given: Parameters<typeof real.stageCommit>) => {
      const made = await real.stageCommit(...given);
      steps.push({ standing: given[0], next: made.step.state });
      return made;
    },
    receiveCommit: async (...given: Parameters<typeof real.receiveCommit>) => {
      const step = await real.receiveCommit(...given);
      if (typeof step !== 'string') steps.push({ standing: given[0], next: step.state });
      return step;
    },
  } satisfies typeof StepModule;
});
afterEach(() => void (steps.length = 0));

const isWiped = (secret: Uint8Array): boolean => secret.every((byte) => byte === 0);
/** Lengths of those that are still there. */
const left = (secrets: Uint8Array[]): number[] =>
  secrets.filter((secret) => !isWiped(secret)).map(({ length }) => length);
const NO_CHANGE = { adds: [], removes: [] };

/** Secrets of a state that another does not hold as well. */
function onlyOf(state: ClientState, other: ClientState): Uint8Array[] {
  const shared = new Set(secretsOf(other).map(({ buffer }) => buffer));
  return secretsOf(state).filter((secret) => secret.length > 0 && !shared.has(secret.buffer));
}

describe('a group overwrites', () => {
  test('all that it no longer needs of an epoch as it enters the next, by its own commit or another', async () => {
    const groups = await (await world()).groupOf(3);
    steps.length = 0;
    const staged = await groups[0]!.stage(NO_CHANGE, NOW);
    for (const group of groups.slice(1)) expect(await group.process(staged.commit)).toMatchObject({ ok: true });
    // Ordered first, entered later: until then the epoch before is whole.
    expect(isWiped(steps[0]!.standing.state.keySchedule.exporterSecret)).toBe(false);
    await groups[0]!.confirm();
    expect(steps).toHaveLength(3);
    for (const { standing, next } of steps) {
      const { exporterSecret, initSecret, senderDataSecret, membershipKey } = standing.state.keySchedule;
      expect([exporterSecret, initSecret, senderDataSecret, membershipKey].every(isWiped)).toBe(true);
      // ts-mls would keep the old epoch in the new state; we do not.
      const past = onlyOf(standing.state, prune(next));
      expect(past.length).toBeGreaterThan(10);
      expect(left(past)).toEqual([]);
      expect(isWiped(next.keySchedule.exporterSecret)).toBe(false);
    }
  });

  test('the epoch of a commit that it drops, and nothing of its own', async () => {
    const groups = await (await world()).groupOf(2);
    steps.length = 0;
    const before = await groups[0]!.exporter('parley test', NOTHING, 32);
    await groups[0]!.stage(NO_CHANGE, NOW);
    const { standing, next } = steps[0]!;
    const dropped = onlyOf(next, standing.state);
    expect(dropped.length).toBeGreaterThan(10);
    expect(dropped.filter(isWiped)).toEqual([]);
    await groups[0]!.discard();
    expect(left(dropped)).toEqual([]);
    expect(await groups[0]!.exporter('parley test', NOTHING, 32)).toEqual(before);
    await follow(groups, 0, NO_CHANGE);
  });

  test('everything when it is wiped, with what it had staged and the PSKs of its generations', async () => {
    const groups = await (await world()).groupOf(2);
    steps.length = 0;
    await groups[0]!.stage(NO_CHANGE, NOW);
    const { standing, next } = steps[0]!;
    const psks = [...standing.generations.values()].map(({ secret }) => secret);
    expect(psks).toHaveLength(1);
    // The key that sealed the staged commit has been overwritten already.
    expect(isWiped(standing.state.keySchedule.exporterSecret) || psks.some(isWiped)).toBe(false);
    groups[0]!.wipe();
    const all = [...secretsOf(standing.state), ...secretsOf(next), ...psks];
    expect(left(all)).toEqual([]);
  });

  test('everything when a commit takes it out', async () => {
    const groups = await (await world()).groupOf(3);
    steps.length = 0;
    const removes = [{ leaf: 2, reason: { kind: 'lost' } as const }];
    await follow(groups, 0, { adds: [], removes });
    const own = steps.find(({ standing }) => standing.state.privatePath.leafIndex === 2)!;
    const all = [...secretsOf(own.standing.state), ...secretsOf(own.next)];
    expect(left(all)).toEqual([]);
  });
});

test('what travels with a staged commit is sealed by the epoch that it leads to, and by none if it is dropped', async () => {
  const groups = await (await world()).groupOf(2);
  const ahead = () => groups[0]!.stagedExporter('parley test', NOTHING, 32);
  await expect(ahead()).rejects.toMatchObject({ code: 'usage' });
  await groups[0]!.stage(NO_CHANGE, NOW);
  await groups[0]!.discard();
  await expect(ahead()).rejects.toMatchObject({ code: 'usage' });
  const { commit } = await groups[0]!.stage(NO_CHANGE, NOW);
  const secret = await ahead();
  expect(secret).not.toEqual(await groups[0]!.exporter('parley test', NOTHING, 32));
  await groups[0]!.confirm();
  await groups[1]!.process(commit);
  for (const group of groups) expect(await group.exporter('parley test', NOTHING, 32)).toEqual(secret);
});
