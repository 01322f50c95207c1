/**
 * What group tests share: a meeting with its keys by generation, members that join it as real ones do, and a hand-made
 * member, on bare ts-mls, that can do everything a real one refuses to.
 */
import type { ClientState, KeyPackage, PreSharedKeyID, Proposal } from 'ts-mls';
import { createCommit, decodeMlsMessage, encodeMlsMessage, generateKeyPackageWithKey, joinGroup } from 'ts-mls';
import { signAdmission } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { CommitData } from '../../crypto/commitData.ts';
import { encodeCommitData } from '../../crypto/commitData.ts';
import type { PendingJoin, Staged } from '../../crypto/group.ts';
import { Group, prepareJoin } from '../../crypto/group.ts';
import { createIdentity, credentialFor } from '../../crypto/identity.ts';
import { encodeLedger } from '../../crypto/ledger.ts';
import { LEAF_LIFETIME, SUITE, clientConfig, leafCapabilities, owned, pskIdOf, suite } from '../../crypto/mlsSuite.ts';
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
  leaf: RawLeaf;
}

/** Adds a rogue to the group by the word of its first member; the others follow. */
export async function addRogue(here: World, groups: readonly Group[], leaf?: RawLeaf): Promise<Rogue> {
  const raw = leaf ?? (await rawLeaf());
  const staged = await groups[0]!.stage({ adds: [await here.addition(raw)], removes: [] }, NOW);
  await groups[0]!.confirm();
  for (const group of groups.slice(1)) await group.process(staged.commit);
  return { state: await rawJoin(here, raw, staged.welcome!), leaf: raw };
}

export async function rawJoin(here: World, raw: RawLeaf, welcome: Bytes): Promise<ClientState> {
  const message = decodeMlsMessage(welcome, 0)![0];
  if (message.wireformat !== 'mls_welcome') throw new Error('not a Welcome');
  const { psk } = await here.keys();
  return joinGroup(
    message.welcome,
    raw.publicPackage,
    raw.privatePackage,
    { findPsk: () => psk.secret },
    await suite(),
    undefined,
    undefined,
    lenient(),
  );
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

/** A commit of the rogue's, as it wants it. */
export async function rogueCommit(
  rogue: Rogue,
  proposals: Proposal[],
  authenticatedData: Bytes,
  change: {
    secret?: Bytes;
    public?: boolean;
    state?: ClientState;
    extensions?: { extensionType: number; extensionData: Bytes }[];
  } = {},
): Promise<{ commit: Bytes; welcome: Bytes | null; next: ClientState }> {
  const ledger = encodeLedger({ floor: 0, hostSequence: 0, admitted: [] });
  const made = await createCommit(
    { state: change.state ?? rogue.state, cipherSuite: await suite(), pskIndex: { findPsk: () => change.secret } },
    {
      extraProposals: proposals,
      authenticatedData,
      ratchetTreeExtension: true,
      wireAsPublicMessage: change.public ?? false,
      groupInfoExtensions: change.extensions ?? [{ extensionType: LEDGER_EXTENSION, extensionData: ledger }],
    },
  );
  const { welcome, commit, newState } = made;
  return {
    commit: owned(encodeMlsMessage(commit)),
    welcome: welcome ? owned(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome })) : null,
    next: newState,
  };
}

export { SUITE };
