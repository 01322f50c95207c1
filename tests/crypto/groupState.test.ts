/** What is kept of a state, what is overwritten, and that our patch of ts-mls reads trees as RFC 9420 does. */
import type { ClientState, RatchetTree } from 'ts-mls';
import { validateRatchetTree } from 'ts-mls/clientState.js';
import { removeLeaves } from 'ts-mls/ratchetTree.js';
import { encodeTreeHashInput, treeHash, treeHashRoot } from 'ts-mls/treeHash.js';
import { nodeToLeafIndex, toLeafIndex, toNodeIndex } from 'ts-mls/treemath.js';
import { describe, expect, test } from 'vitest';
import { hex } from '../../crypto/bytes.ts';
import { prune, secretsOf, wipeState } from '../../crypto/mlsState.ts';
import { suite } from '../../crypto/mlsSuite.ts';
import { addRogue, commitData, follow, lenient, remove, rogueCommit, world } from './groupWorld.ts';

const isWiped = (secret: Uint8Array): boolean => secret.every((byte) => byte === 0);

/** A rogue among five, after commits that have filled and blanked nodes on its path. */
async function seasoned() {
  const here = await world();
  const groups = await here.groupOf(5);
  const rogue = await addRogue(here, groups);
  for (const by of [0, 4, 3]) await rogue.follow((await follow(groups, by, { adds: [], removes: [] })).commit);
  return { here, groups, rogue };
}

describe('wiping', () => {
  test('every secret of a state is overwritten', async () => {
    const { state } = (await seasoned()).rogue;
    const secrets = secretsOf(state);
    // 8 of the key schedule, 2 for each of 8 leaves of the secret tree, the signature key, and the path of depth 3.
    expect(secrets.length).toBeGreaterThanOrEqual(8 + 16 + 1 + 4);
    expect(secrets.filter((secret) => secret.length > 0).some(isWiped)).toBe(false);
    wipeState(state);
    expect(secrets.every(isWiped)).toBe(true);
    for (const secret of Object.values(state.keySchedule) as Uint8Array[]) expect(isWiped(secret)).toBe(true);
    for (const secret of Object.values(state.privatePath.privateKeys)) expect(isWiped(secret)).toBe(true);
    expect(isWiped(state.signaturePrivateKey)).toBe(true);
    for (const { handshake, application } of state.secretTree) {
      expect(isWiped(handshake.secret) && isWiped(application.secret)).toBe(true);
    }
  });

  test('of a state that is past, everything but what the next one still needs', async () => {
    const { rogue } = await seasoned();
    const before = rogue.state;
    const next = prune((await rogueCommit(rogue, [], commitData())).next);
    const kept = secretsOf(next);
    const copies = kept.map((secret) => hex(secret));
    wipeState(before, kept);
    expect(kept.map((secret) => hex(secret))).toEqual(copies);
    expect(isWiped(before.keySchedule.exporterSecret)).toBe(true);
    expect(isWiped(before.keySchedule.initSecret)).toBe(true);
    expect(before.secretTree.every(({ handshake }) => isWiped(handshake.secret))).toBe(true);
    // The path is new down to our own leaf; the signature key is the same.
    expect(Object.values(before.privatePath.privateKeys).every(isWiped)).toBe(true);
    expect(isWiped(before.signaturePrivateKey)).toBe(false);
  });

  test('nothing of earlier epochs is kept, nor private keys of nodes that are blank', async () => {
    const { rogue, here } = await seasoned();
    expect(rogue.state.historicalReceiverData.size).toBeGreaterThan(0);
    const data = commitData({ removals: [{ kind: 'lost' }] });
    const { next } = await rogueCommit(rogue, [remove(4)], data);
    const stale: ClientState = {
      ...next,
      privatePath: { ...next.privatePath, privateKeys: { ...next.privatePath.privateKeys, 13: new Uint8Array(32) } },
    };
    const pruned = prune(stale);
    expect(pruned.historicalReceiverData.size).toBe(0);
    for (const index of Object.keys(pruned.privatePath.privateKeys))
      expect(pruned.ratchetTree[Number(index)]).toBeDefined();
    expect(Object.keys(pruned.privatePath.privateKeys)).not.toContain('13');
    expect(here.groupId).toHaveLength(32);
  });
});

/** RFC 9420 §12.4.3.1, on unmerged leaves. */
describe('a tree is read', () => {
  async function errorOf(tree: RatchetTree, state: ClientState): Promise<string | undefined> {
    const impl = await suite();
    const treeHash = await treeHashRoot(tree, impl.hash);
    const { lifetimeConfig, authService } = lenient();
    const error = await validateRatchetTree(tree, state.groupContext, lifetimeConfig, authService, treeHash, impl);
    return error?.message;
  }

  /** Eight leaves, 5 and 6 removed, node 11 (above 4 to 7) and the root filled by 4, then leaf 5 taken again: unmerged at both. */
  async function grown() {
    const here = await world();
    const groups = await here.groupOf(8);
    const lost = { kind: 'lost' } as const;
    const removes = [5, 6].map((leaf) => ({ leaf, reason: lost }));
    await follow(groups, 0, { adds: [], removes });
    groups.splice(5, 2);
    await follow(groups, 4, { adds: [], removes: [] });
    return (await addRogue(here, groups)).state;
  }

  function withUnmerged(tree: RatchetTree, index: number, change: (leaves: number[]) => number[]): RatchetTree {
    const copy = tree.slice();
    const node = copy[index];
    if (node?.nodeType !== 'parent') throw new Error('no parent there');
    copy[index] = {
      nodeType: 'parent',
      parent: { ...node.parent, unmergedLeaves: change(node.parent.unmergedLeaves) },
    };
    return copy;
  }

  test('as valid with unmerged leaves at several heights', async () => {
    const state = await grown();
    const { ratchetTree } = state;
    const unmerged = ratchetTree.map((node) => (node?.nodeType === 'parent' ? node.parent.unmergedLeaves : []));
    expect(unmerged.filter((leaves) => leaves.includes(5)).length).toBe(2);
    expect(await errorOf(ratchetTree, state)).toBeUndefined();
  });

  test('as broken if an intermediate node does not list the leaf', async () => {
    const state = await grown();
    expect(
      await errorOf(
        withUnmerged(state.ratchetTree, 11, () => []),
        state,
      ),
    ).toContain('non-blank intermediate node');
  });

  test('as broken if a node lists a leaf that is blank, or not below it', async () => {
    const state = await grown();
    const message = 'Unmerged leaf did not represent a non-blank descendant leaf node';
    const blank = withUnmerged(state.ratchetTree, 7, (leaves) => [...leaves, 6]);
    expect(await errorOf(blank, state)).toBe(message);
    const elsewhere = withUnmerged(state.ratchetTree, 11, (leaves) => [0, ...leaves]);
    expect(await errorOf(elsewhere, state)).toBe(message);
  });
});

/** The patch keeps hashes with their nodes; this is what they have to be (RFC 9420 §7.8). */
async function naiveTreeHash(tree: RatchetTree, index: number): Promise<Uint8Array> {
  const { hash } = await suite();
  const node = tree[index];
  if (index % 2 === 0) {
    const leafIndex = nodeToLeafIndex(toNodeIndex(index));
    const leafNode = node?.nodeType === 'leaf' ? node.leaf : undefined;
    return hash.digest(encodeTreeHashInput({ nodeType: 'leaf', leafIndex, leafNode }));
  }
  let level = 0;
  while ((index >> level) & 1) level++;
  const half = 1 << (level - 1);
  const parentNode = node?.nodeType === 'parent' ? node.parent : undefined;
  const [leftHash, rightHash] = [await naiveTreeHash(tree, index - half), await naiveTreeHash(tree, index + half)];
  return hash.digest(encodeTreeHashInput({ nodeType: 'parent', parentNode, leftHash, rightHash }));
}

test('tree hashes that were kept are those that would be computed afresh, in every tree made from another', async () => {
  const { rogue, groups } = await seasoned();
  const impl = await suite();
  const expectRight = async (tree: RatchetTree) => {
    for (let index = 0; index < tree.length; index++) {
      expect(hex(await treeHash(tree, toNodeIndex(index), impl.hash))).toBe(hex(await naiveTreeHash(tree, index)));
    }
  };
  for (let by = 0; by < 4; by++) {
    await expectRight(rogue.state.ratchetTree);
    await expectRight(removeLeaves(rogue.state.ratchetTree, [toLeafIndex(by), toLeafIndex(5)]));
    const swapped = rogue.state.ratchetTree.slice();
    [swapped[0], swapped[4]] = [swapped[4], swapped[0]];
    await expectRight(swapped);
    await rogue.follow((await follow(groups, by, { adds: [], removes: [] })).commit);
  }
});
