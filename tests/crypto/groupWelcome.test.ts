/** Welcomes that a newcomer refuses, each really made by a member, and that leave it able to take the right one. */
import type { ClientState, KeyPackage, Proposal } from 'ts-mls';
import { createGroup, decodeMlsMessage, encodeMlsMessage } from 'ts-mls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, owned, utf8 } from '../../crypto/bytes.ts';
import type { CryptoErrorCode } from '../../crypto/errors.ts';
import type { Group, PendingJoin } from '../../crypto/group.ts';
import { suite } from '../../crypto/mlsSuite.ts';
import { random } from '../../crypto/primitives.ts';
import type { Rogue, World } from './groupWorld.ts';
import {
  NOTHING,
  NOW,
  add,
  addRogue,
  commitData,
  expectAgreement,
  ledgerExtension,
  lenient,
  psk,
  rawLeaf,
  resignKeyPackage,
  rogueCommit,
  world,
} from './groupWorld.ts';

let here: World;
let groups: Group[];
let rogue: Rogue;
let secret: Bytes;
let pending: PendingJoin;
let newcomer: { publicPackage: KeyPackage };

/** Two honest members, a rogue, and a newcomer whom the rogue would like to have elsewhere. */
beforeAll(async () => {
  here = await world();
  groups = await here.groupOf(2);
  rogue = await addRogue(here, groups);
  secret = (await here.keys()).psk.secret;
  pending = await here.prepare();
  const message = decodeMlsMessage(pending.keyPackage, 0)![0];
  if (message.wireformat !== 'mls_key_package') throw new Error('not a key package');
  newcomer = { publicPackage: message.keyPackage };
});

async function welcomeWith(proposals: Proposal[], change: Parameters<typeof rogueCommit>[3] = {}, by: Rogue = rogue) {
  const made = await rogueCommit(by, [add(newcomer), ...proposals], commitData(), { secret, ...change });
  return made.welcome!;
}

async function expectRefused(welcome: Bytes, code: CryptoErrorCode, generation = 0) {
  const joining = pending.join({ welcome, groupId: here.groupId, ...(await here.keys(generation)) });
  await expect(joining).rejects.toMatchObject({ name: 'CryptoError', code });
}

/** A group of the rogue's own making, with any id and extensions. */
async function ownGroup(groupId: Bytes, extensions: ClientState['groupContext']['extensions'] = []): Promise<Rogue> {
  const leaf = await rawLeaf();
  const state = await createGroup(
    groupId,
    leaf.publicPackage,
    leaf.privatePackage,
    extensions,
    await suite(),
    lenient(),
  );
  return { ...rogue, leaf, state };
}

describe('a newcomer refuses a Welcome', () => {
  test('that did not ask for our PSK', async () => {
    await expectRefused(await welcomeWith([]), 'unknownKey');
    // Even from a group with our very group id: somebody without link and password built it.
    await expectRefused(await welcomeWith([], {}, await ownGroup(here.groupId)), 'unknownKey');
  });

  test('that asked for another PSK, for two, or for ours with a nonce that is too short', async () => {
    await expectRefused(await welcomeWith([psk(random(32))]), 'unknownKey');
    await expectRefused(await welcomeWith([psk(here.groupId, 1)]), 'unknownKey');
    await expectRefused(await welcomeWith([psk(here.groupId), psk(here.groupId)]), 'unknownKey');
    await expectRefused(await welcomeWith([psk(here.groupId), psk(here.groupId, 1)]), 'unknownKey');
    await expectRefused(await welcomeWith([psk(here.groupId, 0, { pskNonce: random(8) })]), 'unknownKey');
  });

  test('made by somebody who asks for our PSK without having it', async () => {
    await expectRefused(await welcomeWith([psk(here.groupId)], { secret: random(32) }), 'forged');
  });

  test('into another group, although it asks for our PSK', async () => {
    await expectRefused(await welcomeWith([psk(here.groupId)], {}, await ownGroup(random(32))), 'forged');
  });

  test('into a group with extensions: external senders could propose, required capabilities lock out', async () => {
    const extension = { extensionType: 'required_capabilities' as const, extensionData: Uint8Array.of(0, 0, 0) };
    await expectRefused(
      await welcomeWith([psk(here.groupId)], {}, await ownGroup(here.groupId, [extension])),
      'forged',
    );
  });

  test('with a GroupInfo that lets anybody in, or without the ledger, or with two', async () => {
    const external = { extensionType: 'external_pub' as const, extensionData: random(1216) };
    for (const extensions of [[ledgerExtension(), external], [], [ledgerExtension(), ledgerExtension()]]) {
      await expectRefused(await welcomeWith([psk(here.groupId)], { extensions }), 'forged');
    }
  });

  test('whose ledger does not parse, or says that our generation admits no longer', async () => {
    const broken = { ...ledgerExtension(), extensionData: utf8('hello') };
    await expectRefused(await welcomeWith([psk(here.groupId)], { extensions: [broken] }), 'malformed');
    await expectRefused(await welcomeWith([psk(here.groupId)], { extensions: [ledgerExtension(1)] }), 'forged');
  });

  test('into a tree with a leaf whose identity did not sign it', async () => {
    const other = await ownGroup(here.groupId);
    const forged = await rawLeaf({ credential: concat(random(32), random(64)) });
    const begun = await rogueCommit(other, [add(forged)], NOTHING);
    await expectRefused(await welcomeWith([psk(here.groupId)], { state: begun.next }, other), 'forged');
  });

  test('into a tree with one key in two places, or one that nobody can encapsulate to', async () => {
    const other = await ownGroup(here.groupId);
    const { hpkePublicKey } = other.leaf.publicPackage.leafNode;
    const twin = await resignKeyPackage(await rawLeaf(), { hpkePublicKey });
    const broken = await resignKeyPackage(await rawLeaf(), { hpkePublicKey: hpkePublicKey.slice().fill(0xff, 0, 3) });
    for (const leaf of [twin, broken]) {
      await expectRefused(await welcomeWith([add(leaf), psk(here.groupId)], {}, other), 'forged');
    }
  });

  test('for somebody else', async () => {
    const someone = await rawLeaf();
    const made = await rogueCommit(rogue, [add(someone), psk(here.groupId)], commitData(), { secret });
    await expectRefused(made.welcome!, 'forged');
  });

  test('of another suite, cut short, too long, or no Welcome at all', async () => {
    const welcome = await welcomeWith([psk(here.groupId)]);
    const message = decodeMlsMessage(welcome, 0)![0];
    if (message.wireformat !== 'mls_welcome') throw new Error('not a Welcome');
    const lower = { ...message.welcome, cipherSuite: 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519' as const };
    const bytes = owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: lower }));
    const huge = { ...message.welcome, encryptedGroupInfo: new Uint8Array(1024 * 1024) };
    for (const bad of [
      bytes,
      welcome.slice(0, -1),
      concat(welcome, Uint8Array.of(0)),
      owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: huge })),
      pending.keyPackage,
      NOTHING,
    ]) {
      await expectRefused(bad, 'malformed');
    }
  });

  test('with any one byte changed', async () => {
    const welcome = await welcomeWith([psk(here.groupId)]);
    const keys = await here.keys();
    for (let at = 0; at < welcome.length; at += 1 + Math.floor(welcome.length / 53)) {
      const forged = welcome.slice();
      forged[at]! ^= 0x10;
      await expect(pending.join({ welcome: forged, groupId: here.groupId, ...keys })).rejects.toThrow();
    }
  });

  test('and then takes the right one, with the same leaf', async () => {
    const addition = await here.addition(pending);
    const staged = await groups[0]!.stage({ adds: [addition], removes: [] }, NOW);
    await groups[0]!.confirm();
    await groups[1]!.process(staged.commit);
    const joined = await here.join(pending, staged);
    await expectAgreement([...groups, joined]);
  });
});
