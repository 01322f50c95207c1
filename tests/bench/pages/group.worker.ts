/**
 * Group operations in a dedicated worker, at a given size: our Group, and ts-mls called bare with the same suite and proposals.
 *
 * Bytes go in and out on both sides. Bare means: stock suite, default configuration, everything believed; that is the floor
 * for what checks, admissions and our own rules may cost on top.
 */
import type { ClientState, KeyPackage, PrivateKeyPackage, Proposal } from 'ts-mls';
import {
  createCommit,
  createGroup,
  decodeMlsMessage,
  defaultCapabilities,
  defaultLifetime,
  encodeMlsMessage,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  mlsExporter,
  processPrivateMessage,
} from 'ts-mls';
import { signAdmission } from '../../../crypto/admission.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import type { PendingJoin } from '../../../crypto/group.ts';
import { Group, prepareJoin } from '../../../crypto/group.ts';
import { createIdentity } from '../../../crypto/identity.ts';
import { random, signKeyPair } from '../../../crypto/primitives.ts';

export type Operation = 'add' | 'process add' | 'join' | 'remove' | 'process remove' | 'update' | 'add 20 at once';

export interface GroupResult {
  /** Milliseconds each, medians over the repetitions. */
  ms: Record<Operation, number>;
  /** Both members had the same exporter secret after every operation, and 20 were added at once. */
  agreed: boolean;
  members: number;
}

interface Commit {
  commit: Uint8Array;
  welcome: Uint8Array | null;
  /** Leaves of those it adds. */
  added: number[];
}

/** One side of the comparison: member 0 commits, member 1 follows. */
interface Side<Newcomer> {
  newcomer(): Promise<Newcomer>;
  commit(adds: readonly Newcomer[], removes: readonly number[]): Promise<Commit>;
  /** Member 1 joins; once, first of all. */
  second(newcomer: Newcomer, welcome: Uint8Array): Promise<void>;
  follow(commit: Uint8Array): Promise<void>;
  /** Somebody joins, and is forgotten. @returns what makes its exporter secret, later: that is no part of joining */
  join(newcomer: Newcomer, welcome: Uint8Array): Promise<() => Promise<Uint8Array>>;
  secrets(): Promise<[Uint8Array, Uint8Array]>;
  members(): number;
}

self.onmessage = ({ data }: MessageEvent<{ side: 'parley' | 'bare'; size: number; repetitions: number }>): void => {
  const { side, size, repetitions } = data;
  const run =
    side === 'parley'
      ? parleySide().then((it) => measure(it, size, repetitions))
      : bareSide().then((it) => measure(it, size, repetitions));
  run.then(
    (result) => postMessage({ result }),
    (error: unknown) => postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
};

async function measure<N>(side: Side<N>, size: number, repetitions: number): Promise<GroupResult> {
  const times = new Map<Operation, number[]>();
  const timed = async <T>(operation: Operation, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await work();
    times.set(operation, [...(times.get(operation) ?? []), performance.now() - from]);
    return result;
  };
  let agreed = true;
  const compare = async (): Promise<void> => {
    const [a, b] = await side.secrets();
    agreed &&= same(a, b);
  };

  // The group at its size: everybody in one commit, of whom only the second really joins.
  const first = await Promise.all(Array.from({ length: size - 1 }, () => side.newcomer()));
  const founding = await side.commit(first, []);
  await side.second(first[0]!, founding.welcome!);
  await compare();

  for (let i = 0; i < repetitions; i++) {
    const newcomer = await side.newcomer();
    const added = await timed('add', () => side.commit([newcomer], []));
    await timed('process add', () => side.follow(added.commit));
    await compare();
    const joined = await timed('join', () => side.join(newcomer, added.welcome!));
    agreed &&= same(await joined(), (await side.secrets())[0]);
    const removed = await timed('remove', () => side.commit([], added.added));
    await timed('process remove', () => side.follow(removed.commit));
    await compare();
    const updated = await timed('update', () => side.commit([], []));
    await side.follow(updated.commit);
    await compare();
  }
  const many = await Promise.all(Array.from({ length: 20 }, () => side.newcomer()));
  const batch = await timed('add 20 at once', () => side.commit(many, []));
  await side.follow(batch.commit);
  await compare();
  agreed &&= batch.added.length === 20;
  const middle = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  const ms = Object.fromEntries([...times].map(([operation, values]) => [operation, middle(values)])) as Record<
    Operation,
    number
  >;
  return { ms, agreed, members: side.members() };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === 32 && b.length === 32 && a.every((byte, i) => byte === b[i]);
}

const MEETING = '0000-0000-0000-0000';

interface Newcomer {
  pending: PendingJoin;
  admission: Bytes;
}

async function parleySide(): Promise<Side<Newcomer>> {
  const [host, admission, identity] = [await signKeyPair(), await signKeyPair(), await createIdentity()];
  const groupId = random(32);
  const psk = { generation: 0, secret: random(32) };
  const keys = { psk, hostPublicKey: host.publicKey, admissionPublicKey: admission.publicKey };
  const now = Date.now();
  const committer = await Group.create({ meetingId: MEETING, identity, groupId, ...keys });
  let follower: Group | undefined;
  const secretOf = (group: Group): Promise<Bytes> => group.exporter('bench', new Uint8Array(), 32);
  return {
    async newcomer() {
      const pending = await prepareJoin({ meetingId: MEETING, identity: await createIdentity() });
      const { keyPackage } = pending;
      const { privateKey } = admission;
      return {
        pending,
        admission: await signAdmission({ keyPackage, groupId, generation: 0, now, by: 'link', privateKey }),
      };
    },
    async commit(adds, removes) {
      const additions = adds.map(({ pending, admission }) => ({ keyPackage: pending.keyPackage, admission }));
      const staged = await committer.stage(
        { adds: additions, removes: removes.map((leaf) => ({ leaf, reason: { kind: 'lost' } })) },
        now,
      );
      await committer.confirm();
      return { commit: staged.commit, welcome: staged.welcome, added: staged.added.map(({ leaf }) => leaf) };
    },
    async second(newcomer, welcome) {
      follower = await newcomer.pending.join({ welcome: new Uint8Array(welcome), groupId, ...keys });
    },
    async follow(commit) {
      const result = await follower!.process(new Uint8Array(commit));
      if (!result.ok) throw new Error(result.why);
    },
    async join(newcomer, welcome) {
      const group = await newcomer.pending.join({ welcome: new Uint8Array(welcome), groupId, ...keys });
      return () => secretOf(group);
    },
    secrets: () => Promise.all([secretOf(committer), secretOf(follower!)]),
    members: () => committer.members().length,
  };
}

type BareNewcomer = { publicPackage: KeyPackage; privatePackage: PrivateKeyPackage };

async function bareSide(): Promise<Side<BareNewcomer>> {
  const suite = await getCiphersuiteImpl(getCiphersuiteFromName('MLS_256_XWING_AES256GCM_SHA512_Ed25519'));
  const secret = random(32);
  const pskIndex = { findPsk: () => secret };
  const groupId = random(32);
  let people = 0;
  const newcomer = (): Promise<BareNewcomer> => {
    const identity = new TextEncoder().encode(`person ${people++}`);
    return generateKeyPackage({ credentialType: 'basic', identity }, defaultCapabilities(), defaultLifetime, [], suite);
  };
  const founder = await newcomer();
  let committer = await createGroup(groupId, founder.publicPackage, founder.privatePackage, [], suite);
  let follower: ClientState | undefined;
  const enter = (newcomer: BareNewcomer, welcome: Uint8Array): Promise<ClientState> => {
    const message = decodeMlsMessage(welcome, 0)![0];
    if (message.wireformat !== 'mls_welcome') throw new Error('not a Welcome');
    return joinGroup(message.welcome, newcomer.publicPackage, newcomer.privatePackage, pskIndex, suite);
  };
  const secretOf = (state: ClientState): Promise<Uint8Array> =>
    mlsExporter(state.keySchedule.exporterSecret, 'bench', new Uint8Array(), 32, suite);
  const leavesOf = (state: ClientState): number[] =>
    state.ratchetTree.flatMap((node, i) => (i % 2 === 0 && node?.nodeType === 'leaf' ? [i / 2] : []));
  return {
    newcomer,
    async commit(adds, removes) {
      const before = new Set(leavesOf(committer));
      const extraProposals: Proposal[] = removes.map((removed) => ({ proposalType: 'remove', remove: { removed } }));
      for (const { publicPackage } of adds) {
        // As it comes over the wire.
        const bytes = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: publicPackage });
        const message = decodeMlsMessage(bytes, 0)![0];
        if (message.wireformat !== 'mls_key_package') throw new Error('not a key package');
        extraProposals.push({ proposalType: 'add', add: { keyPackage: message.keyPackage } });
      }
      const preSharedKeyId = {
        psktype: 'external' as const,
        pskId: new TextEncoder().encode('bench'),
        pskNonce: random(64),
      };
      if (adds.length > 0) extraProposals.push({ proposalType: 'psk', psk: { preSharedKeyId } });
      const made = await createCommit(
        { state: committer, cipherSuite: suite, pskIndex },
        { extraProposals, ratchetTreeExtension: true },
      );
      committer = made.newState;
      const welcome = made.welcome;
      return {
        commit: encodeMlsMessage(made.commit),
        welcome: welcome ? encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome }) : null,
        added: leavesOf(committer).filter((leaf) => !before.has(leaf)),
      };
    },
    async second(newcomer, welcome) {
      follower = await enter(newcomer, welcome);
    },
    async follow(commit) {
      const message = decodeMlsMessage(commit, 0)![0];
      if (message.wireformat !== 'mls_private_message') throw new Error('not a private message');
      const result = await processPrivateMessage(follower!, message.privateMessage, pskIndex, suite, () => 'accept');
      follower = result.newState;
    },
    async join(newcomer, welcome) {
      const state = await enter(newcomer, welcome);
      return () => secretOf(state);
    },
    secrets: () => Promise.all([secretOf(committer), secretOf(follower!)]),
    members: () => leavesOf(committer).length,
  };
}
