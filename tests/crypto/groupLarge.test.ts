/** A group of 256, which is all that a frame's key id can tell apart. */
import { expect, test } from 'vitest';
import { MAX_BATCH } from '../../crypto/commitData.ts';
import type { Group } from '../../crypto/group.ts';
import { MAX_LEAVES } from '../../crypto/mlsSuite.ts';
import {
  NOW,
  add,
  commitData,
  expectAgreement,
  follow,
  psk,
  rawLeaf,
  rogueCommit,
  rogueOf,
  world,
} from './groupWorld.ts';

test(
  'a group of 256 works, and the 257th leaf is added by nobody and accepted by nobody',
  { timeout: 240_000 },
  async () => {
    const here = await world();
    const first = await here.create();
    const groups: Group[] = [first];
    const spy = await rawLeaf();
    const welcomeOf = await follow(groups, 0, { adds: [await here.addition(spy)], removes: [] });
    const rogue = await rogueOf(here, spy, welcomeOf.welcome!);

    const leaves = [];
    for (let i = 0; i < MAX_LEAVES - 3; i++) leaves.push(await rawLeaf());
    for (let at = 0; at < leaves.length; at += MAX_BATCH) {
      const adds = [];
      for (const leaf of leaves.slice(at, at + MAX_BATCH)) adds.push(await here.addition(leaf));
      const staged = await follow(groups, 0, { adds, removes: [] });
      expect(staged.welcome!.length).toBeLessThan(1024 * 1024);
      expect(staged.commit.length).toBeLessThan(512 * 1024);
      await rogue.follow(staged.commit);
    }
    const last = await here.prepare();
    const staged = await follow(groups, 0, { adds: [await here.addition(last)], removes: [] });
    await rogue.follow(staged.commit);
    groups.push(await here.join(last, staged));
    expect(groups[1]!.ownLeaf).toBe(255);
    expect(groups[1]!.members()).toHaveLength(MAX_LEAVES);
    await expectAgreement(groups);

    // A path through 256 leaves still fits into what the server takes.
    const update = await follow(groups, 1, { adds: [], removes: [] });
    expect(update.commit.length).toBeLessThan(512 * 1024);
    await rogue.follow(update.commit);
    await expectAgreement(groups);

    const tooMany = await rawLeaf();
    const addition = await here.addition(tooMany);
    await expect(groups[1]!.stage({ adds: [addition], removes: [] }, NOW)).rejects.toMatchObject({ code: 'exhausted' });
    const { secret } = (await here.keys()).psk;
    const data = commitData({ admissions: [addition.admission] });
    const { commit } = await rogueCommit(rogue, [add(tooMany), psk(here.groupId)], data, { secret });
    for (const group of groups) expect(await group.process(commit)).toEqual({ ok: false, why: 'tree' });

    // In the place of somebody who goes, there is room.
    const lost = { leaf: 7, reason: { kind: 'lost' } } as const;
    const swapped = await follow(groups, 1, { adds: [addition], removes: [lost] });
    expect(swapped.added.map(({ leaf }) => leaf)).toEqual([7]);
    await expectAgreement(groups);
  },
);
