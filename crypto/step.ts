/**
 * From one epoch to the next: what a commit of ours or of somebody else makes of a member's standing.
 *
 * Functions of a standing, without memory of their own: group.ts keeps the standing and decides when a step is taken. A step
 * that is not taken must be wiped by who asked for it.
 */
import type { ClientState } from 'ts-mls';
import type { AddRefusal, Addition } from './addition.ts';
import { sift } from './addition.ts';
import type { Bytes } from './bytes.ts';
import { equal } from './bytes.ts';
import type { CommitData } from './commitData.ts';
import { MAX_BATCH, decodeCommitData, encodeCommitData } from './commitData.ts';
import type { Judgement, RuleBroken } from './commitRules.ts';
import { judge } from './commitRules.ts';
import type { CryptoErrorCode } from './errors.ts';
import { CryptoError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { advance } from './ledger.ts';
import type { Applied } from './mlsCommit.ts';
import { applyCommit, makeCommit, sealedCommit } from './mlsCommit.ts';
import type { Member } from './mlsState.ts';
import { isSoundPath, membersOf, parseMessage, secretsOf, wipeState } from './mlsState.ts';
import { MAX_LEAVES } from './mlsSuite.ts';
import type { HostOrder, RemovalReason } from './removal.ts';

/** What the server takes too; a path update in 256 leaves has at most 320 kB. */
const MAX_COMMIT_BYTES = 512 * 1024;

export interface Generation {
  readonly number: number;
  readonly secret: Bytes;
  readonly admissionPublicKey: Bytes;
}

/** All that a member holds of a group in one epoch. */
export interface Standing {
  readonly meetingId: string;
  readonly groupId: Bytes;
  readonly hostPublicKey: Bytes;
  readonly state: ClientState;
  readonly ledger: Ledger;
  readonly members: readonly Member[];
  /** By number; those below the ledger's floor are gone. */
  readonly generations: Map<number, Generation>;
}

/** What a standing becomes. */
export interface Step {
  readonly state: ClientState;
  readonly ledger: Ledger;
  readonly members: readonly Member[];
  readonly transition: Transition;
}

export interface Removal {
  readonly leaf: number;
  readonly reason: RemovalReason;
}

/** What a commit changed. */
export interface Transition {
  /** The epoch that it leads into. */
  readonly epoch: number;
  readonly added: readonly Member[];
  readonly removed: readonly { member: Member; reason: RemovalReason }[];
  readonly by: Member;
}

/** A commit of ours that nobody has ordered yet. */
export interface Staged {
  readonly commit: Bytes;
  /** For all that it adds; null if it adds nobody. */
  readonly welcome: Bytes | null;
  /** The epoch that it ends. */
  readonly epoch: number;
  readonly nextEpoch: number;
  readonly added: readonly Member[];
  readonly removed: readonly Member[];
  /** Those of the given adds that are not in it, by their index. */
  readonly refused: readonly { index: number; why: AddRefusal }[];
}

/**
 * Why a commit was not applied; everything is as before.
 * - `malformed`          not a commit in a private message, or with unreadable data, or too large
 * - `otherGroup`, `staleEpoch`, `unknownEpoch`   for another group; for an epoch that is past; for one that we have not reached
 * - `unknownGeneration`  it adds by a generation whose secret we do not have yet: try again when it came
 * - `own`                ours, but no longer staged: only a new leaf helps
 * - `invalid`            does not decrypt, verify or apply, or a credential or PSK in it does not hold
 */
export type CommitRefusal =
  RuleBroken | 'malformed' | 'otherGroup' | 'staleEpoch' | 'unknownEpoch' | 'unknownGeneration' | 'own' | 'invalid';

/** The generation that we add by: the newest, unless the host has ended it. */
export function currentGeneration({ generations, ledger }: Standing): Generation | null {
  const newest = generations.get(Math.max(-1, ...generations.keys()));
  return newest !== undefined && newest.number >= ledger.floor ? newest : null;
}

/** See Group.stage. The committer's ratchet has moved on in `secretTree`, also if the step is never taken. */
export async function stageCommit(
  standing: Standing,
  change: { adds: readonly Addition[]; removes: readonly Removal[]; renewal?: HostOrder },
  now: number,
): Promise<{ told: Staged; step: Step; secretTree: ClientState['secretTree'] }> {
  const { state, ledger, members } = standing;
  const { adds, removes, renewal = null } = change;
  const current = currentGeneration(standing);
  const places = Math.min(MAX_BATCH, MAX_LEAVES - members.length + removes.length);
  const terms = { ...standing, tree: state.ratchetTree, generation: current, now, places };
  const { accepted, refused } = await sift(adds, terms);
  const [first] = refused;
  if (first !== undefined && accepted.length === 0 && removes.length === 0 && renewal === null) {
    throw new CryptoError(CODES[first.why], `nobody can be added: ${first.why}`);
  }
  const data: CommitData = {
    generation: current?.number ?? 0,
    admissions: accepted.map(({ addition }) => addition.admission),
    removals: removes.map(({ reason }) => reason),
    renewal,
  };
  const hashes = accepted.map(({ hash }) => hash);
  const after = advance(ledger, data, hashes);
  if (typeof after === 'string') throw new CryptoError('usage', `a commit against the rules: ${after}`);
  const made = await makeCommit(state, {
    adds: accepted.map(({ keyPackage }) => keyPackage),
    removes: removes.map(({ leaf }) => leaf),
    psk: accepted.length > 0 && current !== null ? { generation: current.number, secret: current.secret } : null,
    authenticatedData: encodeCommitData(data),
    ledger: after,
  });
  const applied = { next: made.next, committer: state.privatePath.leafIndex, proposals: made.proposals };
  const step = await stepOf(standing, data, applied);
  if (typeof step === 'string') {
    wipeState(made.next, secretsOf(state));
    throw new CryptoError('usage', `a commit against the rules: ${step}`);
  }
  const { added, removed } = step.transition;
  const epoch = Number(state.groupContext.epoch);
  const told: Staged = {
    commit: made.commit,
    welcome: made.welcome,
    epoch,
    nextEpoch: epoch + 1,
    added,
    removed: removed.map(({ member }) => member),
    refused,
  };
  return { told, step, secretTree: made.secretTree };
}

/** See Group.process. A step that takes us out is told like any other, although its state leads nowhere. */
export async function receiveCommit(standing: Standing, commit: Bytes): Promise<Step | CommitRefusal> {
  const { state, ledger, generations } = standing;
  const sealed = sealedCommit(commit.length <= MAX_COMMIT_BYTES ? parseMessage(commit) : null, state);
  if (typeof sealed === 'string') return sealed;
  let data: CommitData;
  try {
    data = decodeCommitData(sealed.authenticatedData);
  } catch {
    return 'malformed';
  }
  const generation = generations.get(data.generation);
  if (data.admissions.length > 0 && generation === undefined) {
    return data.generation < ledger.floor ? 'oldGeneration' : 'unknownGeneration';
  }
  const psk = generation ? { generation: generation.number, secret: generation.secret } : null;
  const applied = await applyCommit(state, sealed, psk);
  if (typeof applied === 'string') return applied;
  const step = await stepOf(standing, data, applied);
  if (typeof step !== 'string' && (await isSoundPath(applied.next, state))) return step;
  wipeState(applied.next, secretsOf(state));
  return typeof step === 'string' ? step : 'tree';
}

/** The step that an applied commit is, if it keeps the rules. */
async function stepOf(standing: Standing, data: CommitData, applied: Applied): Promise<Step | RuleBroken> {
  const { meetingId, groupId, hostPublicKey, state, ledger, members, generations } = standing;
  const epoch = Number(state.groupContext.epoch);
  const judgement: Judgement | RuleBroken = await judge(
    {
      place: { meetingId, groupId, epoch },
      before: state.ratchetTree,
      after: applied.next.ratchetTree,
      committer: applied.committer,
      proposals: applied.proposals,
      data,
    },
    {
      ledger,
      members,
      hostPublicKey,
      admissionPublicKey: generations.get(data.generation)?.admissionPublicKey ?? null,
    },
  );
  if (typeof judgement === 'string') return judgement;
  const remaining = await membersOf(applied.next.ratchetTree, members);
  const by = members.find(({ leaf }) => leaf === applied.committer);
  if (by === undefined) return 'identity';
  const isNew = (member: Member): boolean => !members.some(({ leafKey }) => equal(leafKey, member.leafKey));
  return {
    state: applied.next,
    ledger: judgement.ledger,
    members: remaining,
    transition: { epoch: epoch + 1, added: remaining.filter(isNew), removed: judgement.removed, by },
  };
}

const CODES: Record<AddRefusal, CryptoErrorCode> = {
  malformed: 'malformed',
  keyPackage: 'malformed',
  admission: 'forged',
  expired: 'replayed',
  replayed: 'replayed',
  oldGeneration: 'unknownKey',
  full: 'exhausted',
};
