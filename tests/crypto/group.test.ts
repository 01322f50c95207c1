/** What a group does when everybody is honest. */
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from '../../crypto/bytes.ts';
import { createIdentity, peerIdOf } from '../../crypto/identity.ts';
import { verifyBytes } from '../../crypto/signed.ts';
import type { Group } from '../../crypto/group.ts';
import { signLeave, signRenewal, signReplacement } from '../../crypto/removal.ts';
import { NOW, world } from './groupWorld.ts';

const NOTHING = new Uint8Array();

async function viewOf(group: Group) {
  return {
    epoch: group.epoch,
    exporter: hex(await group.exporter('SFrame 1.0 Base Key', NOTHING, 32)),
    authenticator: hex(group.authenticator()),
    members: group.members().map(({ leaf, peer, identity }) => [leaf, peer, hex(identity)]),
  };
}

async function expectAgreement(groups: readonly Group[]) {
  const [first, ...rest] = await Promise.all(groups.map(viewOf));
  for (const view of rest) expect(view).toEqual(first);
}

describe('a group', () => {
  test('begins with its creator alone, at leaf 0 and epoch 0', async () => {
    const here = await world();
    const identity = await createIdentity();
    const group = await here.create(identity);
    expect(group.epoch).toBe(0);
    expect(group.ownLeaf).toBe(0);
    const [self] = group.members();
    expect(self!.identity).toEqual(identity.publicKey);
    expect(self!.leafKey).toEqual(group.ownLeafKey);
    expect(self!.peer).toBe(await peerIdOf(group.ownLeafKey));
  });

  test('takes several newcomers in one commit, and all agree on everything', async () => {
    const here = await world();
    const groups = await here.groupOf(5);
    expect(groups[0]!.members().map(({ leaf }) => leaf)).toEqual([0, 1, 2, 3, 4]);
    await expectAgreement(groups);
  });
});
