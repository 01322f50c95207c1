/**
 * What group tests share: a meeting with its keys by generation, members that join it as real ones do, and a hand-made
 * member, on bare ts-mls, that can do everything a real one refuses to.
 */
import type { CiphersuiteImpl, ClientState, Extension, KeyPackage, PreSharedKeyID, Proposal } from 'ts-mls';
import {
  acceptAll,
  createCommit,
  decodeMlsMessage,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  joinGroup,
  processPrivateMessage,
} from 'ts-mls';
import { createContentCommitSignature } from 'ts-mls/framedContent.js';
import { signKeyPackage } from 'ts-mls/keyPackage.js';
import { signLeafNodeKeyPackage } from 'ts-mls/leafNode.js';
import { protect } from 'ts-mls/messageProtection.js';
import { decryptSenderData } from 'ts-mls/privateMessage.js';
import { expect } from 'vitest';
import { signAdmission } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { hex, owned } from '../../crypto/bytes.ts';
import type { CommitData } from '../../crypto/commitData.ts';
import { encodeCommitData } from '../../crypto/commitData.ts';
import type { PendingJoin } from '../../crypto/group.ts';
import type { Staged } from '../../crypto/step.ts';
import { Group, prepareJoin } from '../../crypto/group.ts';
import { createIdentity, credentialFor } from '../../crypto/identity.ts';
import { encodeLedger } from '../../crypto/ledger.ts';
import { LEAF_LIFETIME, clientConfig, leafCapabilities, pskIdOf, suite } from '../../crypto/mlsSuite.ts';
import { LEDGER_EXTENSION } from '../../crypto/newMember.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import type { Place, RemovalReason } from '../../crypto/removal.ts';
import { signHostRemoval } from '../../crypto/removal.ts';

export const MEETING = 'h3kd-92mz-qx07-v5tn';
export const NOW = 1_800_000_000_000;

export interface Generation {
  readonly generation: number;
  readonly secret: Bytes;
  readonly admission: KeyPair;
}

export interface World {
  readonly host: KeyPair;
  readonly groupId: Bytes;
  /** Made when first asked for. */
  generation(number: number): Promise<Generation>;
  keys(
    number?: number,
  ): Promise<{ psk: { generation: number; secret: Bytes }; hostPublicKey: Bytes; admissionPublicKey: Bytes }>;
  create(identity?: KeyPair): Promise<Group>;
  prepare(identity?: KeyPair): Promise<PendingJoin>;
  admit(keyPackage: Bytes, number?: number): Promise<Bytes>;
  addition(pending: { keyPackage: Bytes }, number?: number): Promise<{ keyPackage: Bytes; admission: Bytes }>;
  join(pending: PendingJoin, staged: Staged, number?: number): Promise<Group>;
  /** A group of `count`, its members in the order of their leaves. */
  groupOf(count: number): Promise<Group[]>;
  placeOf(group: Group): Place;
  hostRemoval(
    group: Group,
    leaf: number,
    change?: Partial<{ sequence: number; generation: number; epoch: number }>,
  ): Promise<RemovalReason>;
}

export async function world(): Promise<World> {
  const host = await signKeyPair();
  const groupId = random(32);
  const generations = new Map<number, Promise<Generation>>();
  const self: World = {
    host,
    groupId,
    generation(number) {
      const made =
        generations.get(number) ??
        signKeyPair().then((admission) => ({ generation: number, secret: random(32), admission }));
      generations.set(number, made);
      return made;
    },
    async keys(number = 0) {
      const { generation, secret, admission } = await self.generation(number);
      return { psk: { generation, secret }, hostPublicKey: host.publicKey, admissionPublicKey: admission.publicKey };
    },
    async create(identity) {
      return Group.create({
        meetingId: MEETING,
        identity: identity ?? (await createIdentity()),
        groupId,
        ...(await self.keys()),
      });
    },
    async prepare(identity) {
      return prepareJoin({ meetingId: MEETING, identity: identity ?? (await createIdentity()) });
    },
    async admit(keyPackage, number = 0) {
      const { generation, admission } = await self.generation(number);
      return signAdmission({ keyPackage, groupId, generation, now: NOW, by: 'link', privateKey: admission.privateKey });
    },
    async addition({ keyPackage }, number = 0) {
      return { keyPackage, admission: await self.admit(keyPackage, number) };
    },
    async join(pending, staged, number = 0) {
      return pending.join({ welcome: staged.welcome!, groupId, ...(await self.keys(number)) });
    },
    async groupOf(count) {
      const first = await self.create();
      const pending = await Promise.all(Array.from({ length: count - 1 }, () => self.prepare()));
      if (count === 1) return [first];
      const adds = await Promise.all(pending.map((one) => self.addition(one)));
      const staged = await first.stage({ adds, removes: [] }, NOW);
      await first.confirm();
      const rest: Group[] = [];
      for (const one of pending) rest.push(await self.join(one, staged));
      return [first, ...rest];
    },
    placeOf(group) {
      return { meetingId: MEETING, groupId, epoch: group.epoch };
    },
    async hostRemoval(group, leaf, change = {}) {
      const target = group.members().find((member) => member.leaf === leaf)!;
      const { sequence = group.hostSequence + 1, generation = group.floor + 1, epoch = group.epoch } = change;
      const place = { ...self.placeOf(group), epoch };
      return signHostRemoval(place, target.leafKey, { sequence, generation }, host.privateKey);
    },
  };
  return self;
}

/** A leaf made on bare ts-mls; what is given replaces what an honest one has. */
export async function rawLeaf(
  change: {
    identity?: KeyPair;
    leaf?: KeyPair;
    credential?: Bytes;
    meetingId?: string;
    edit?: (raw: RawParts) => void;
  } = {},
): Promise<RawLeaf> {
  const identity = change.identity ?? (await createIdentity());
  const leaf = change.leaf ?? (await signKeyPair());
  const credential = change.credential ?? (await credentialFor(identity, leaf.publicKey, change.meetingId ?? MEETING));
  const parts: RawParts = {
    capabilities: leafCapabilities(),
    lifetime: LEAF_LIFETIME,
    extensions: [],
    leafExtensions: [],
  };
  change.edit?.(parts);
  const made = await generateKeyPackageWithKey(
    { credentialType: 'basic', identity: credential },
    parts.capabilities,
    parts.lifetime,
    parts.extensions,
    { publicKey: leaf.publicKey, signKey: leaf.privateKey },
    await suite(),
    parts.leafExtensions,
  );
  return { identity, leaf, ...made, keyPackage: encodeKeyPackage(made.publicPackage) };
}

interface RawParts {
  capabilities: ReturnType<typeof leafCapabilities>;
  lifetime: typeof LEAF_LIFETIME;
  extensions: KeyPackage['extensions'];
  leafExtensions: KeyPackage['extensions'];
}

export interface RawLeaf {
  identity: KeyPair;
  leaf: KeyPair;
  publicPackage: KeyPackage;
  privatePackage: Awaited<ReturnType<typeof generateKeyPackageWithKey>>['privatePackage'];
  keyPackage: Bytes;
}

export function encodeKeyPackage(keyPackage: KeyPackage): Bytes {
  return owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage }));
}

/** A member that joined honestly and then does what it likes. */
export interface Rogue {
  state: ClientState;
  readonly leaf: RawLeaf;
  /** Applies a commit of the others, as `generation` of the link lets it. */
  follow(commit: Bytes, generation?: number): Promise<void>;
}

/** Adds a rogue to the group by the word of its first member; the others follow. */
export async function addRogue(here: World, groups: readonly Group[]): Promise<Rogue> {
  const leaf = await rawLeaf();
  const staged = await follow(groups, 0, { adds: [await here.addition(leaf)], removes: [] });
  return rogueOf(here, leaf, staged.welcome!);
}

export async function rogueOf(here: World, leaf: RawLeaf, welcome: Bytes, generation = 0): Promise<Rogue> {
  const secretOf = async (number: number) => (await here.keys(number)).psk.secret;
  const rogue: Rogue = {
    state: await rawJoin(leaf, welcome, await secretOf(generation)),
    leaf,
    async follow(commit, number = 0) {
      const message = decodeMlsMessage(commit, 0)![0];
      if (message.wireformat !== 'mls_private_message') throw new Error('not a private message');
      const secret = await secretOf(number);
      const pskIndex = { findPsk: () => secret };
      const impl = await suite();
      const result = await processPrivateMessage(rogue.state, message.privateMessage, pskIndex, impl, acceptAll);
      rogue.state = result.newState;
    },
  };
  return rogue;
}

/** Joins without looking at anything. */
export async function rawJoin(raw: RawLeaf, welcome: Bytes, secret: Bytes): Promise<ClientState> {
  const message = decodeMlsMessage(welcome, 0)![0];
  if (message.wireformat !== 'mls_welcome') throw new Error('not a Welcome');
  const { publicPackage, privatePackage } = raw;
  const pskIndex = { findPsk: () => secret };
  const config = lenient();
  const impl = await suite();
  return joinGroup(message.welcome, publicPackage, privatePackage, pskIndex, impl, undefined, undefined, config);
}

/** A configuration that believes everybody. */
export function lenient() {
  return clientConfig({ validateCredential: async () => true });
}

export function add(leaf: { publicPackage: KeyPackage }): Proposal {
  return { proposalType: 'add', add: { keyPackage: leaf.publicPackage } };
}

export function remove(removed: number): Proposal {
  return { proposalType: 'remove', remove: { removed } };
}

export function psk(groupId: Bytes, generation = 0, change: Partial<PreSharedKeyID> = {}): Proposal {
  const preSharedKeyId = { psktype: 'external', pskId: pskIdOf(generation, groupId), pskNonce: random(64), ...change };
  return { proposalType: 'psk', psk: { preSharedKeyId: preSharedKeyId as PreSharedKeyID } };
}

export function commitData(change: Partial<CommitData> = {}): Bytes {
  return encodeCommitData({ generation: 0, admissions: [], removals: [], renewal: null, ...change });
}

interface RogueCommit {
  secret?: Bytes;
  public?: boolean;
  state?: ClientState;
  impl?: CiphersuiteImpl;
  extensions?: Extension[];
}

/** A commit of the rogue's, as it wants it, made by ts-mls. */
export async function rogueCommit(
  rogue: Rogue,
  proposals: Proposal[],
  authenticatedData: Bytes,
  change: RogueCommit = {},
): Promise<{ commit: Bytes; welcome: Bytes | null; next: ClientState }> {
  const cipherSuite = change.impl ?? (await suite());
  const made = await createCommit(
    { state: change.state ?? rogue.state, cipherSuite, pskIndex: { findPsk: () => change.secret } },
    {
      extraProposals: proposals,
      authenticatedData,
      ratchetTreeExtension: true,
      wireAsPublicMessage: change.public ?? false,
      groupInfoExtensions: change.extensions ?? [ledgerExtension()],
    },
  );
  const { welcome, commit, newState } = made;
  return {
    commit: owned(encodeMlsMessage(commit)),
    welcome: welcome ? owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome })) : null,
    next: newState,
  };
}

export function ledgerExtension(floor = 0): Extension {
  return { extensionType: LEDGER_EXTENSION, extensionData: encodeLedger({ floor, hostSequence: 0, admitted: [] }) };
}

/** A commit that ts-mls would not make: signed and sealed as it should be, with any proposals, without a path or a true tag. */
export async function handmadeCommit(
  rogue: Rogue,
  proposals: Proposal[],
  authenticatedData: Bytes,
  change: { sender?: number } = {},
): Promise<{ commit: Bytes }> {
  const impl = await suite();
  const { groupContext, signaturePrivateKey, keySchedule, secretTree, privatePath, clientConfig } = rogue.state;
  const leafIndex = change.sender ?? privatePath.leafIndex;
  const content = {
    proposals: proposals.map((proposal) => ({ proposalOrRefType: 'proposal' as const, proposal })),
    path: undefined,
  };
  const signed = await createContentCommitSignature(
    groupContext,
    'mls_private_message',
    content,
    { senderType: 'member', leafIndex },
    authenticatedData,
    signaturePrivateKey,
    impl.signature,
  );
  const auth = { contentType: 'commit' as const, signature: signed.signature, confirmationTag: random(64) };
  const tree = secretTree.concat(Array.from({ length: 2 * leafIndex }, () => secretTree[0]!));
  const { privateMessage } = await protect(
    keySchedule.senderDataSecret,
    authenticatedData,
    groupContext,
    tree,
    { contentType: 'commit', commit: content, auth },
    leafIndex,
    clientConfig.paddingConfig,
    impl,
  );
  return {
    commit: owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })),
  };
}

/** The same key package with some of its leaf changed, both signatures made anew. */
export async function resignKeyPackage(raw: RawLeaf, change: Partial<KeyPackage['leafNode']>): Promise<RawLeaf> {
  const { signature } = await suite();
  const changed = { ...raw.publicPackage.leafNode, ...change } as KeyPackage['leafNode'];
  if (changed.leafNodeSource !== 'key_package') throw new Error('not from a key package');
  const leafNode = await signLeafNodeKeyPackage(changed, raw.leaf.privateKey, signature);
  const publicPackage = await signKeyPackage({ ...raw.publicPackage, leafNode }, raw.leaf.privateKey, signature);
  return { ...raw, publicPackage, keyPackage: encodeKeyPackage(publicPackage) };
}

/** The suite, with the n-th public key that it gives out replaced: 1 is the parent of the committer's leaf. */
export async function withKem(nth: number, replace: (key: Uint8Array) => Uint8Array): Promise<CiphersuiteImpl> {
  const impl = await suite();
  let calls = 0;
  const exportPublicKey: CiphersuiteImpl['hpke']['exportPublicKey'] = async (key) => {
    const exported = await impl.hpke.exportPublicKey(key);
    return ++calls === nth ? replace(exported) : exported;
  };
  return { ...impl, hpke: { ...impl.hpke, exportPublicKey } };
}

export const NOTHING = new Uint8Array();

/** All that members have to agree on. */
export async function viewOf(group: Group) {
  return {
    epoch: group.epoch,
    exporter: hex(await group.exporter('SFrame 1.0 Base Key', NOTHING, 32)),
    authenticator: hex(group.authenticator()),
    members: group.members().map(({ leaf, peer, identity }) => [leaf, peer, hex(identity)]),
    ledger: [group.floor, group.hostSequence],
  };
}

export async function expectAgreement(groups: readonly Group[]): Promise<void> {
  const [first, ...rest] = await Promise.all(groups.map(viewOf));
  for (const view of rest) expect(view).toEqual(first);
}

/** `by` commits, and all others follow. Those it removes hear of it too. */
export async function follow(
  groups: readonly Group[],
  by: number,
  change: Parameters<Group['stage']>[0],
): Promise<Staged> {
  const committer = groups[by]!;
  const staged = await committer.stage(change, NOW);
  await committer.confirm();
  for (const group of groups) {
    if (group === committer) continue;
    const isOut = staged.removed.some(({ leaf }) => leaf === group.ownLeaf);
    const processed = await group.process(staged.commit);
    expect(processed).toMatchObject(isOut ? { ok: false, why: 'removed' } : { ok: true });
  }
  return staged;
}

/** The generation of the sender's ratchet that sealed a commit: members can read it. */
export async function ratchetGeneration(reader: Rogue, commit: Bytes): Promise<number> {
  const message = decodeMlsMessage(commit, 0)![0];
  if (message.wireformat !== 'mls_private_message') throw new Error('not a private message');
  const data = await decryptSenderData(
    message.privateMessage,
    reader.state.keySchedule.senderDataSecret,
    await suite(),
  );
  return data!.generation;
}
