/** Commits that a group refuses, each really made by somebody who holds the epoch's keys and does as they like. */
import type { ClientState, Proposal } from 'ts-mls';
import {
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  encodeExternalSender,
  encodeMlsMessage,
  encodeRequiredCapabilities,
  joinGroupExternal,
} from 'ts-mls';
import { beforeAll, describe, expect, test } from 'vitest';
import { ADMISSION_BYTES, signAdmission } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, owned, utf8 } from '../../crypto/bytes.ts';
import type { Group } from '../../crypto/group.ts';
import { createIdentity, credentialFor } from '../../crypto/identity.ts';
import { leafCapabilities, suite } from '../../crypto/mlsSuite.ts';
import type { CommitRefusal } from '../../crypto/step.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import type { RemovalReason } from '../../crypto/removal.ts';
import { signHostRemoval, signLeave, signRenewal, signReplacement } from '../../crypto/removal.ts';
import type { RawLeaf, Rogue, World } from './groupWorld.ts';
import {
  MEETING,
  NOTHING,
  NOW,
  add,
  addRogue,
  commitData,
  encodeKeyPackage,
  expectAgreement,
  follow,
  handmadeCommit,
  lenient,
  psk,
  rawLeaf,
  remove,
  resignKeyPackage,
  rogueCommit,
  rogueOf,
  viewOf,
  withKem,
  world,
} from './groupWorld.ts';

let here: World;
let groups: Group[];
let rogue: Rogue;
let secret: Bytes;

/** Three honest members at leaves 0 to 2, a rogue at leaf 3. Refusals change nothing, so that all tests share them. */
beforeAll(async () => {
  here = await world();
  groups = await here.groupOf(3);
  rogue = await addRogue(here, groups);
  secret = (await here.keys()).psk.secret;
});

/** Every member refuses `commit` for the reason given, and is as before. */
async function expectRefused(commit: Bytes, why: CommitRefusal, members: readonly Group[] = groups) {
  for (const group of members) {
    const before = await viewOf(group);
    expect(await group.process(commit)).toEqual({ ok: false, why });
    expect(await viewOf(group)).toEqual(before);
  }
}

/** What an honest adding commit of the rogue would carry. */
async function adding(leaf: RawLeaf, change: { admission?: Bytes; generation?: number } = {}) {
  const { admission = await here.admit(leaf.keyPackage), generation = 0 } = change;
  return commitData({ generation, admissions: [admission] });
}

test("the rogue's honest commits pass, so that what follows fails for no other reason", async () => {
  const other = await world();
  const others = await other.groupOf(3);
  const member = await addRogue(other, others);
  const leaf = await rawLeaf();
  const data = commitData({ admissions: [await other.admit(leaf.keyPackage)], removals: [{ kind: 'lost' }] });
  const key = (await other.keys()).psk.secret;
  const { commit } = await rogueCommit(member, [add(leaf), remove(2), psk(other.groupId)], data, { secret: key });
  for (const group of others.slice(0, 2)) expect(await group.process(commit)).toMatchObject({ ok: true });
  await expectAgreement(others.slice(0, 2));
});

describe('messages', () => {
  test('an external commit, by somebody who got hold of a GroupInfo with external_pub', async () => {
    const impl = await suite();
    const info = await createGroupInfoWithExternalPubAndRatchetTree(rogue.state, [], impl);
    const outsider = await rawLeaf();
    const { publicPackage, privatePackage } = outsider;
    const made = await joinGroupExternal(info, publicPackage, privatePackage, false, impl, undefined, lenient());
    const { publicMessage } = made;
    await expectRefused(
      owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage })),
      'malformed',
    );
  });

  test("a member's commit in a public message", async () => {
    await expectRefused((await rogueCommit(rogue, [], commitData(), { public: true })).commit, 'malformed');
  });

  test('a proposal on its own, private or public, and a commit that refers to it', async () => {
    const impl = await suite();
    for (const isPublic of [false, true]) {
      const made = await createProposal(rogue.state, isPublic, remove(1), impl);
      await expectRefused(owned(encodeMlsMessage(made.message)), 'malformed');
      const data = commitData({ removals: [{ kind: 'lost' }] });
      await expectRefused((await rogueCommit(rogue, [], data, { state: made.newState })).commit, 'proposal');
    }
  });

  test('what is no commit at all: nothing, noise, a Welcome, a key package, bytes after the end', async () => {
    const { commit } = await rogueCommit(rogue, [], commitData());
    const pending = await here.prepare();
    for (const bytes of [
      NOTHING,
      random(100),
      pending.keyPackage,
      concat(commit, Uint8Array.of(0)),
      commit.slice(0, -1),
    ]) {
      await expectRefused(bytes, 'malformed');
    }
  });

  test('more than 512 KiB', async () => {
    await expectRefused((await rogueCommit(rogue, [], new Uint8Array(512 * 1024))).commit, 'malformed');
  });

  test('authenticated data that does not parse, or is of another version', async () => {
    for (const data of [
      NOTHING,
      utf8('hello'),
      concat(commitData(), Uint8Array.of(0)),
      concat(Uint8Array.of(2), commitData().slice(1)),
    ]) {
      await expectRefused((await rogueCommit(rogue, [], data)).commit, 'malformed');
    }
  });
});

describe('time and place', () => {
  test('a commit that was applied already, and one for an epoch that is past', async () => {
    const other = await world();
    const others = await other.groupOf(2);
    const late = await addRogue(other, others);
    const first = await follow(others, 0, { adds: [], removes: [] });
    await expectRefused(first.commit, 'staleEpoch', others);
    await expectRefused((await rogueCommit(late, [], commitData())).commit, 'staleEpoch', others);
  });

  test('a commit for an epoch that has not come', async () => {
    const { next } = await rogueCommit(rogue, [], commitData());
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state: next })).commit, 'unknownEpoch');
  });

  test("a commit that names another group, although it is sealed by this one's keys", async () => {
    const groupId = random(32);
    const state = { ...rogue.state, groupContext: { ...rogue.state.groupContext, groupId } };
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'otherGroup');
    // The same with the name put back on the outside only.
    const { commit } = await rogueCommit(rogue, [], commitData(), { state });
    const at = Buffer.from(commit).indexOf(Buffer.from(groupId));
    commit.set(here.groupId, at);
    await expectRefused(commit, 'invalid');
  });
});

describe('forgery', () => {
  test('a commit with any one byte changed', async () => {
    const leaf = await rawLeaf();
    const proposals = [add(leaf), psk(here.groupId)];
    const { commit } = await rogueCommit(rogue, proposals, await adding(leaf), { secret });
    const whole = commit.length;
    for (let at = 0; at < whole; at += 1 + Math.floor(whole / 97)) {
      const forged = commit.slice();
      forged[at]! ^= 0x20;
      expect(await groups[0]!.process(forged)).toMatchObject({ ok: false });
    }
    expect(groups[0]!.epoch).toBe(2);
  });

  test('a commit in the name of another member', async () => {
    const state = { ...rogue.state, privatePath: { ...rogue.state.privatePath, leafIndex: 1 } };
    const { commit } = await rogueCommit(rogue, [remove(2)], commitData({ removals: [{ kind: 'lost' }] }), { state });
    await expectRefused(commit, 'invalid', [groups[0]!, groups[2]!]);
    await expectRefused(commit, 'own', [groups[1]!]);
  });

  test('a commit from a leaf that is not there', async () => {
    const state = { ...rogue.state, privatePath: { ...rogue.state.privatePath, leafIndex: 9 } };
    await expect(rogueCommit(rogue, [], commitData(), { state })).rejects.toThrow();
    const { commit } = await handmadeCommit(rogue, [remove(2)], commitData(), { sender: 9 });
    await expectRefused(commit, 'invalid');
  });

  test('a commit by somebody who knows the group but not its keys', async () => {
    const { keySchedule } = rogue.state;
    const state = {
      ...rogue.state,
      keySchedule: { ...keySchedule, senderDataSecret: random(64), initSecret: random(64) },
    };
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'invalid');
  });

  test('a commit whose author lies about the epoch that it leads into', async () => {
    const { keySchedule } = rogue.state;
    const state = { ...rogue.state, keySchedule: { ...keySchedule, initSecret: random(64) } };
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'invalid');
  });
});

describe('proposals', () => {
  const kinds: [string, () => Promise<Proposal>][] = [
    [
      'ReInit',
      async () => ({
        proposalType: 'reinit',
        reinit: {
          groupId: random(32),
          version: 'mls10',
          cipherSuite: rogue.state.groupContext.cipherSuite,
          extensions: [],
        },
      }),
    ],
    ['GroupContextExtensions, empty', async () => extensions([])],
    [
      'GroupContextExtensions with external senders',
      async () => {
        const { leaf, identity } = await rawLeaf();
        const credential = {
          credentialType: 'basic' as const,
          identity: await credentialFor(identity, leaf.publicKey, MEETING),
        };
        const extensionData = encodeExternalSender({ credential, signaturePublicKey: leaf.publicKey });
        return extensions([{ extensionType: 'external_senders', extensionData }]);
      },
    ],
    [
      'GroupContextExtensions with required capabilities',
      async () => {
        const extensionData = encodeRequiredCapabilities({
          extensionTypes: [],
          proposalTypes: [],
          credentialTypes: ['basic'],
        });
        return extensions([{ extensionType: 'required_capabilities', extensionData }]);
      },
    ],
    ['a custom proposal', async () => ({ proposalType: 0xf000, proposalData: utf8('hello') })],
  ];
  const extensions = (
    list: { extensionType: 'external_senders' | 'required_capabilities'; extensionData: Uint8Array }[],
  ): Proposal => ({
    proposalType: 'group_context_extensions',
    groupContextExtensions: { extensions: list },
  });
  for (const [name, make] of kinds) {
    test(`of any other kind: ${name}`, async () => {
      await expectRefused((await rogueCommit(rogue, [await make()], commitData())).commit, 'proposal');
    });
  }

  test('those that ts-mls itself would not make: Update, ExternalInit, removal of the committer, of one twice, of nobody', async () => {
    const { leafNode } = rogue.leaf.publicPackage;
    const updated = { ...leafNode, leafNodeSource: 'update' as const };
    const impl = await suite();
    const pair = await impl.hpke.deriveKeyPair(rogue.state.keySchedule.externalSecret);
    const { enc } = await impl.hpke.exportSecret(pair.publicKey, utf8('MLS 1.0 external init secret'), 64, NOTHING);
    const lists: [CommitRefusal, Proposal[]][] = [
      ['proposal', [{ proposalType: 'update', update: { leafNode: updated } }]],
      ['proposal', [{ proposalType: 'external_init', externalInit: { kemOutput: enc } }]],
      ['invalid', [remove(3)]],
      ['invalid', [remove(1), remove(1)]],
      ['invalid', [remove(40)]],
    ];
    for (const [why, proposals] of lists) {
      const removals = proposals
        .filter((one) => one.proposalType === 'remove')
        .map((): RemovalReason => ({ kind: 'lost' }));
      await expectRefused((await handmadeCommit(rogue, proposals, commitData({ removals }))).commit, why);
    }
  });

  test('in numbers that would keep members busy for minutes', async () => {
    for (const proposals of [
      Array.from({ length: 1500 }, () => psk(here.groupId)),
      Array.from({ length: 5000 }, (_, index) => remove(index)),
      Array.from({ length: 101 }, (_, index) => remove(index)),
    ]) {
      const { commit } = await handmadeCommit(rogue, proposals, commitData());
      const begun = performance.now();
      await expectRefused(commit, 'proposal');
      expect(performance.now() - begun).toBeLessThan(2000);
    }
  });
});

describe('the PSK', () => {
  async function refusedWith(
    proposals: Proposal[],
    why: CommitRefusal,
    change: { secret?: Bytes; generation?: number } = {},
  ) {
    const leaf = await rawLeaf();
    const { generation = 0 } = change;
    const data = await adding(leaf, { generation, admission: await here.admit(leaf.keyPackage, generation) });
    const made = await rogueCommit(rogue, [add(leaf), ...proposals], data, { secret: change.secret ?? secret });
    await expectRefused(made.commit, why);
  }

  test('an Add without any', () => refusedWith([], 'psk'));
  test('the right id and another secret', () => refusedWith([psk(here.groupId)], 'invalid', { secret: random(32) }));
  test('that of another group', () => refusedWith([psk(random(32))], 'psk'));
  test('two of them', () => refusedWith([psk(here.groupId), psk(here.groupId, 0, { pskNonce: random(64) })], 'psk'));
  test('with a nonce that is too short', () => refusedWith([psk(here.groupId, 0, { pskNonce: random(16) })], 'psk'));
  test("the group's own past in its place", () => {
    const past = { usage: 'application', pskGroupId: here.groupId, pskEpoch: 2n, pskNonce: random(64) } as const;
    return refusedWith([{ proposalType: 'psk', psk: { preSharedKeyId: { psktype: 'resumption', ...past } } }], 'psk');
  });
  test('of a generation that is not known yet', () =>
    refusedWith([psk(here.groupId, 7)], 'unknownGeneration', { generation: 7 }));

  test('where nobody is added', async () => {
    await expectRefused((await rogueCommit(rogue, [psk(here.groupId)], commitData(), { secret })).commit, 'psk');
  });

  test('of an older generation, said openly or under the name of the new one', async () => {
    const other = await world();
    const others = await other.groupOf(3);
    const member = await addRogue(other, others);
    const old = (await other.keys(0)).psk.secret;
    await others[0]!
      .stage({ adds: [], removes: [{ leaf: 2, reason: await other.hostRemoval(others[0]!, 2) }] }, NOW)
      .then(async ({ commit }) => {
        await others[0]!.confirm();
        await others[1]!.process(commit);
        await member.follow(commit);
      });
    others.pop();
    const keys = await other.keys(1);
    for (const group of others) group.setGeneration({ ...keys.psk, admissionPublicKey: keys.admissionPublicKey });
    const leaf = await rawLeaf();
    const cases = [
      { generation: 0, admission: await other.admit(leaf.keyPackage, 0), id: 0, why: 'oldGeneration' },
      { generation: 1, admission: await other.admit(leaf.keyPackage, 1), id: 0, why: 'psk' },
      { generation: 1, admission: await other.admit(leaf.keyPackage, 1), id: 1, why: 'invalid' },
    ] as const;
    for (const { generation, admission, id, why } of cases) {
      const data = commitData({ generation, admissions: [admission] });
      const made = await rogueCommit(member, [add(leaf), psk(other.groupId, id)], data, { secret: old });
      await expectRefused(made.commit, why, others);
    }
  });
});

describe('admissions', () => {
  async function refusedWith(why: CommitRefusal, admissions: (leaf: RawLeaf) => Promise<Bytes[]>, leaf?: RawLeaf) {
    const added = leaf ?? (await rawLeaf());
    const data = commitData({ admissions: await admissions(added) });
    const made = await rogueCommit(rogue, [add(added), psk(here.groupId)], data, { secret });
    await expectRefused(made.commit, why);
  }

  test('none at all', () => refusedWith('admission', async () => []));
  test('one too many', () =>
    refusedWith('admission', async ({ keyPackage }) => [await here.admit(keyPackage), await here.admit(keyPackage)]));
  test('for another key package', () =>
    refusedWith('admission', async () => [await here.admit((await rawLeaf()).keyPackage)]));
  test('for another group', async () => {
    const { admission } = await here.generation(0);
    await refusedWith('admission', async ({ keyPackage }) => [
      await signAdmission({
        keyPackage,
        groupId: random(32),
        generation: 0,
        now: NOW,
        by: 'link',
        privateKey: admission.privateKey,
      }),
    ]);
  });
  test('for another generation', () =>
    refusedWith('admission', async ({ keyPackage }) => [await here.admit(keyPackage, 1)]));
  test('signed by a key of another generation, by a stranger, or by the link in the name of the host', async () => {
    const signers = [(await here.generation(1)).admission, await signKeyPair()];
    const { groupId } = here;
    for (const { privateKey } of signers) {
      for (const by of ['link', 'host'] as const) {
        await refusedWith('admission', async ({ keyPackage }) => [
          await signAdmission({ keyPackage, groupId, generation: 0, now: NOW, by, privateKey }),
        ]);
      }
    }
    const { privateKey } = (await here.generation(0)).admission;
    await refusedWith('admission', async ({ keyPackage }) => [
      await signAdmission({ keyPackage, groupId, generation: 0, now: NOW, by: 'host', privateKey }),
    ]);
  });
  test('with any byte changed', async () => {
    const leaf = await rawLeaf();
    const admission = await here.admit(leaf.keyPackage);
    for (let at = 0; at < ADMISSION_BYTES; at += 7) {
      const forged = admission.slice();
      forged[at]! ^= 0x04;
      const data = commitData({ admissions: [forged] });
      const made = await rogueCommit(rogue, [add(leaf), psk(here.groupId)], data, { secret });
      expect(await groups[0]!.process(made.commit)).toEqual({ ok: false, why: 'admission' });
    }
  });
  test('that of one newcomer for two, or in the wrong order', async () => {
    const [one, two] = [await rawLeaf(), await rawLeaf()];
    const first = await here.admit(one.keyPackage);
    const second = await here.admit(two.keyPackage);
    for (const admissions of [[first, first], [second, first], [first]]) {
      const proposals = [add(one), add(two), psk(here.groupId)];
      await expectRefused(
        (await rogueCommit(rogue, proposals, commitData({ admissions }), { secret })).commit,
        'admission',
      );
    }
  });

  test('a second time, also for members who joined after the first', async () => {
    const other = await world();
    const others = await other.groupOf(2);
    const key = (await other.keys()).psk.secret;
    const member = await addRogue(other, others);
    const guest = await rawLeaf();
    const addition = await other.addition(guest);
    await member.follow((await follow(others, 0, { adds: [addition], removes: [] })).commit);
    await member.follow(
      (await follow(others, 0, { adds: [], removes: [{ leaf: 3, reason: { kind: 'lost' } }] })).commit,
    );
    const late = await other.prepare();
    const staged = await follow(others, 0, { adds: [await other.addition(late)], removes: [] });
    await member.follow(staged.commit);
    others.push(await other.join(late, staged));
    const data = commitData({ admissions: [addition.admission] });
    const made = await rogueCommit(member, [add(guest), psk(other.groupId)], data, { secret: key });
    await expectRefused(made.commit, 'replayed', others);
    await expect(others[2]!.stage({ adds: [addition], removes: [] }, NOW)).rejects.toMatchObject({ code: 'replayed' });
  });
});

describe('key packages', () => {
  async function refusedWith(leaf: RawLeaf, why: CommitRefusal) {
    const made = await rogueCommit(rogue, [add(leaf), psk(here.groupId)], await adding(leaf), {
      secret,
      state: { ...rogue.state, clientConfig: lenient() },
    });
    await expectRefused(made.commit, why);
    // The committer leaves it out before anybody else has to refuse it.
    const staging = groups[0]!.stage({ adds: [await here.addition(leaf)], removes: [] }, NOW);
    await expect(staging).rejects.toMatchObject({ code: why === 'tree' ? 'replayed' : 'malformed' });
  }

  test('with a credential that its identity did not sign', async () => {
    const [stranger, leaf] = [await createIdentity(), await signKeyPair()];
    const forged = concat(stranger.publicKey, random(64));
    await refusedWith(await rawLeaf({ leaf, credential: forged }), 'invalid');
    const borrowed = await credentialFor(stranger, (await signKeyPair()).publicKey, MEETING);
    await refusedWith(await rawLeaf({ leaf, credential: borrowed }), 'invalid');
  });
  test('with a credential for another meeting', async () => {
    await refusedWith(await rawLeaf({ meetingId: '0000-0000-0000-0000' }), 'invalid');
  });
  test('with a credential of another length', async () => {
    await refusedWith(await rawLeaf({ credential: random(32) }), 'invalid');
  });
  test('whose signatures do not hold', async () => {
    const leaf = await rawLeaf();
    const { publicPackage } = leaf;
    const { leafNode } = publicPackage;
    for (const unsigned of [
      { ...publicPackage, signature: random(64) },
      { ...publicPackage, leafNode: { ...leafNode, signature: random(64) } },
    ]) {
      const broken = { ...leaf, publicPackage: unsigned, keyPackage: encodeKeyPackage(unsigned) };
      const { commit } = await handmadeCommit(rogue, [add(broken), psk(here.groupId)], await adding(broken));
      await expectRefused(commit, 'invalid');
      const staging = groups[0]!.stage({ adds: [await here.addition(broken)], removes: [] }, NOW);
      await expect(staging).rejects.toMatchObject({ code: 'malformed' });
    }
  });
  test('with other capabilities, a lifetime, or extensions', async () => {
    await refusedWith(
      await rawLeaf({ edit: (raw) => void (raw.capabilities = { ...leafCapabilities(), proposals: [0xf000] }) }),
      'keyPackage',
    );
    await refusedWith(
      await rawLeaf({ edit: (raw) => void (raw.lifetime = { notBefore: 0n, notAfter: 4_000_000_000n }) }),
      'keyPackage',
    );
    const extension = { extensionType: 'application_id' as const, extensionData: utf8('hello') };
    await refusedWith(await rawLeaf({ edit: (raw) => void (raw.extensions = [extension]) }), 'keyPackage');
    await refusedWith(await rawLeaf({ edit: (raw) => void (raw.leafExtensions = [extension]) }), 'keyPackage');
  });
  test('with a key that nobody could encapsulate to', async () => {
    const leaf = await rawLeaf();
    const broken = leaf.publicPackage.leafNode.hpkePublicKey.slice().fill(0xff, 0, 3);
    await refusedWith(await resignKeyPackage(leaf, { hpkePublicKey: broken }), 'keyPackage');
    const low = leaf.publicPackage.leafNode.hpkePublicKey.slice().fill(0, 1184);
    await refusedWith(await resignKeyPackage(leaf, { hpkePublicKey: low }), 'keyPackage');
  });
  test("with another member's signature key", async () => {
    const copy = await rawLeaf({ leaf: rogue.leaf.leaf, identity: rogue.leaf.identity });
    const state = { ...rogue.state, clientConfig: { ...lenient(), keyPackageEqualityConfig: blind } };
    const made = await rogueCommit(rogue, [add(copy), psk(here.groupId)], await adding(copy), { secret, state });
    await expectRefused(made.commit, 'invalid');
  });
  test("with another member's KEM key", async () => {
    const { hpkePublicKey } = rogue.leaf.publicPackage.leafNode;
    await refusedWith(await resignKeyPackage(await rawLeaf(), { hpkePublicKey }), 'tree');
  });
});

/** Sees no two key packages as the same client's. */
const blind = { compareKeyPackages: () => false, compareKeyPackageToLeafNode: () => false };

describe('removals', () => {
  async function refusedWith(removals: RemovalReason[], leaves: number[] = [1], members: readonly Group[] = groups) {
    const made = await rogueCommit(rogue, leaves.map(remove), commitData({ removals }));
    await expectRefused(made.commit, 'reason', members);
  }
  const victim = () => groups[0]!.members()[1]!;
  const place = () => here.placeOf(groups[0]!);

  test('without a reason, or with one too many', async () => {
    await refusedWith([]);
    await refusedWith([{ kind: 'lost' }, { kind: 'lost' }]);
    await refusedWith([{ kind: 'lost' }], [1, 2]);
  });

  test("somebody else's leave, or a leave from another group or meeting", async () => {
    const sign = (label: string, body: Bytes) => groups[1]!.sign(label, body);
    await refusedWith([await signLeave(place(), victim().leafKey, (label, body) => groups[2]!.sign(label, body))]);
    await refusedWith([await signLeave(place(), groups[2]!.ownLeafKey, sign)]);
    await refusedWith([await signLeave({ ...place(), groupId: random(32) }, victim().leafKey, sign)]);
    await refusedWith([await signLeave({ ...place(), meetingId: '0000-0000-0000-0000' }, victim().leafKey, sign)]);
  });

  test("a host's removal of another epoch, leaf, group or meeting, or by somebody who is not the host", async () => {
    const order = { sequence: 1, generation: 1 };
    const { leafKey } = victim();
    const host = here.host.privateKey;
    await refusedWith([await signHostRemoval({ ...place(), epoch: place().epoch - 1 }, leafKey, order, host)]);
    await refusedWith([await signHostRemoval({ ...place(), epoch: place().epoch + 1 }, leafKey, order, host)]);
    await refusedWith([await signHostRemoval(place(), groups[2]!.ownLeafKey, order, host)]);
    await refusedWith([await signHostRemoval({ ...place(), groupId: random(32) }, leafKey, order, host)]);
    await refusedWith([await signHostRemoval({ ...place(), meetingId: '0000-0000-0000-0000' }, leafKey, order, host)]);
    await refusedWith([await signHostRemoval(place(), leafKey, order, (await signKeyPair()).privateKey)]);
    const honest = await signHostRemoval(place(), leafKey, order, host);
    await refusedWith([{ ...honest, sequence: 2 } as RemovalReason]);
    await refusedWith([{ ...honest, generation: 2 } as RemovalReason]);
  });

  test('a host order that does not count up, or ends no generation', async () => {
    await refusedWith([await here.hostRemoval(groups[0]!, 1, { sequence: 0 })]);
    await refusedWith([await here.hostRemoval(groups[0]!, 1, { generation: 0 })]);
    const twice = [
      await here.hostRemoval(groups[0]!, 1, { sequence: 4 }),
      await here.hostRemoval(groups[0]!, 2, { sequence: 4 }),
    ];
    await refusedWith(twice, [1, 2]);
  });

  test('a sequence that the host has used in an earlier epoch, also for members who joined since', async () => {
    const other = await world();
    const others = await other.groupOf(4);
    const reason = await other.hostRemoval(others[0]!, 3, { sequence: 9 });
    await follow(others, 0, { adds: [], removes: [{ leaf: 3, reason }] });
    others.pop();
    const keys = await other.keys(1);
    for (const group of others) group.setGeneration({ ...keys.psk, admissionPublicKey: keys.admissionPublicKey });
    const guest = await rawLeaf();
    const staged = await follow(others, 0, { adds: [await other.addition(guest, 1)], removes: [] });
    const member = await rogueOf(other, guest, staged.welcome!, 1);
    const late = await other.prepare();
    const second = await follow(others, 0, { adds: [await other.addition(late, 1)], removes: [] });
    await member.follow(second.commit, 1);
    others.push(await other.join(late, second, 1));
    const replayed = await other.hostRemoval(others[0]!, 2, { sequence: 9, generation: 2 });
    const made = await rogueCommit(member, [remove(2)], commitData({ removals: [replayed] }));
    await expectRefused(made.commit, 'reason', others);
  });

  test('adds in the very commit in which the host ends their generation', async () => {
    const leaf = await rawLeaf();
    const removals = [await here.hostRemoval(groups[0]!, 1)];
    const data = commitData({ admissions: [await here.admit(leaf.keyPackage)], removals });
    const made = await rogueCommit(rogue, [remove(1), add(leaf), psk(here.groupId)], data, { secret });
    await expectRefused(made.commit, 'oldGeneration');
  });

  test('a renewal by somebody who is not the host, or for another epoch', async () => {
    const order = { sequence: 1, generation: 1 };
    const strange = await signRenewal(place(), order, (await signKeyPair()).privateKey);
    const late = await signRenewal({ ...place(), epoch: 1 }, order, here.host.privateKey);
    for (const renewal of [strange, late]) {
      await expectRefused((await rogueCommit(rogue, [], commitData({ renewal }))).commit, 'reason');
    }
  });

  test('a replacement without its successor, by another identity, or for another leaf', async () => {
    const other = await world();
    const others = await other.groupOf(1);
    const identity = await createIdentity();
    const pending = await other.prepare(identity);
    const staged = await follow(others, 0, { adds: [await other.addition(pending)], removes: [] });
    others.push(await other.join(pending, staged));
    const member = await addRogue(other, others);
    const key = (await other.keys()).psk.secret;
    const oldLeafKey = pending.leafKey;
    const { groupId } = other;
    const successor = await rawLeaf({ identity });
    const stranger = await rawLeaf();
    const leavesOf = (leaf: RawLeaf) => ({ oldLeafKey, newLeafKey: leaf.leaf.publicKey, groupId });
    const cases: [RemovalReason, RawLeaf | null][] = [
      [await signReplacement(leavesOf(successor), identity), null],
      [await signReplacement(leavesOf(successor), identity), stranger],
      [await signReplacement(leavesOf(stranger), identity), stranger],
      [await signReplacement(leavesOf(stranger), stranger.identity), stranger],
      [await signReplacement(leavesOf(successor), stranger.identity), successor],
      [await signReplacement({ ...leavesOf(successor), oldLeafKey: others[0]!.ownLeafKey }, identity), successor],
      [await signReplacement({ ...leavesOf(successor), groupId: random(32) }, identity), successor],
    ];
    for (const [reason, leaf] of cases) {
      const admissions = leaf ? [await other.admit(leaf.keyPackage)] : [];
      const proposals = leaf ? [remove(1), add(leaf), psk(groupId)] : [remove(1)];
      const made = await rogueCommit(member, proposals, commitData({ admissions, removals: [reason] }), {
        secret: key,
      });
      await expectRefused(made.commit, 'reason', others);
    }
  });
});

describe("the committer's own leaf", () => {
  /** The rogue's state with its own leaf changed in its own tree, from which ts-mls makes the path. */
  function disguised(change: Partial<RawLeaf['publicPackage']['leafNode']>): ClientState {
    const ratchetTree = rogue.state.ratchetTree.slice();
    const node = ratchetTree[6];
    if (node?.nodeType !== 'leaf') throw new Error('no leaf');
    ratchetTree[6] = { nodeType: 'leaf', leaf: { ...node.leaf, ...change } as typeof node.leaf };
    return { ...rogue.state, ratchetTree };
  }

  test('another identity behind the same leaf key', async () => {
    const identity = await credentialFor(await createIdentity(), rogue.leaf.leaf.publicKey, MEETING);
    const state = disguised({ credential: { credentialType: 'basic', identity } });
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'identity');
  });

  test('a credential that nobody signed', async () => {
    const identity = concat((await createIdentity()).publicKey, random(64));
    const state = disguised({ credential: { credentialType: 'basic', identity } });
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'invalid');
  });

  test('another signature key, with a credential that fits', async () => {
    const leaf = await signKeyPair();
    const identity = await credentialFor(rogue.leaf.identity, leaf.publicKey, MEETING);
    const state = disguised({ credential: { credentialType: 'basic', identity }, signaturePublicKey: leaf.publicKey });
    // The path's leaf is signed first, by the new key; then the commit, by the one that members know.
    const keys = [leaf.privateKey, rogue.leaf.leaf.privateKey, rogue.leaf.leaf.privateKey];
    Object.defineProperty(state, 'signaturePrivateKey', { get: () => (keys.length > 1 ? keys.shift() : keys[0]) });
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'identity');
  });

  test('other capabilities', async () => {
    const state = disguised({ capabilities: { ...leafCapabilities(), extensions: [0xf000] } });
    await expectRefused((await rogueCommit(rogue, [], commitData(), { state })).commit, 'identity');
  });

  test('a path whose keys do not belong to the secrets that it hands out', async () => {
    const stranger = (await rawLeaf()).publicPackage.leafNode.hpkePublicKey;
    for (const nth of [1, 2]) {
      const made = await rogueCommit(rogue, [], commitData(), { impl: await withKem(nth, () => stranger) });
      // Members below the node can tell: all of them for the root, its neighbour for the node above the two.
      await expectRefused(made.commit, 'tree', nth === 2 ? groups : [groups[2]!]);
    }
  });

  test('a path with a key that nobody could encapsulate to', async () => {
    const impl = await withKem(2, (key) => key.slice().fill(0xff, 0, 3));
    await expectRefused((await rogueCommit(rogue, [], commitData(), { impl })).commit, 'tree');
  });
});
