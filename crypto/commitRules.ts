/**
 * Which commits a member accepts: docs/design.md §4, "The group", "Admission", "Identity".
 *
 * ts-mls has already checked that a commit is a member's, signed and well formed by RFC 9420. What it leaves open is decided
 * here, and only by what the commit and the states before and after it carry: no clock, nothing that two members could see
 * differently. The committer runs the same rules over its own commit before sending it.
 */
import type { KeyPackage, PreSharedKeyID, ProposalOrRef, RatchetTree } from 'ts-mls';
import type { Bytes } from './bytes.ts';
import { equal } from './bytes.ts';
import { checkAdmission, hashOfKeyPackage } from './admission.ts';
import type { CommitData } from './commitData.ts';
import { MAX_BATCH } from './commitData.ts';
import { isKemKey } from './kemKey.ts';
import type { Ledger } from './ledger.ts';
import { advance } from './ledger.ts';
import type { Member } from './mlsState.ts';
import { encodeMessage, identityOf, isSoundTree, leafAt } from './mlsState.ts';
import { HASH_BYTES, SUITE, isOurShape, pskIdOf } from './mlsSuite.ts';
import type { Place, RemovalReason, RemovalTarget } from './removal.ts';
import { checkRemoval, checkRenewal } from './removal.ts';

/**
 * - `proposal`      anything but inline Add, Remove and PSK, or too many of them
 * - `psk`           adds without exactly the PSK of the commit's generation, or a PSK where nobody is added
 * - `keyPackage`    of another suite or shape, or with a key that nobody can encapsulate to
 * - `admission`     none, or not for this key package, group and generation, or not signed by whom it must
 * - `replayed`      a key package that was admitted before
 * - `oldGeneration` adds by a link that the host has ended
 * - `reason`        a removal without one that holds, or a host's order out of sequence
 * - `identity`      the committer changed its key, credential or capabilities
 * - `tree`          more than 256 leaves, one key twice, or a key that does not fit
 */
export type RuleBroken =
  'proposal' | 'psk' | 'keyPackage' | 'admission' | 'replayed' | 'oldGeneration' | 'reason' | 'identity' | 'tree';

/** A commit as its author or a recipient sees it, once ts-mls could apply it. */
export interface AppliedCommit {
  readonly place: Place;
  readonly before: RatchetTree;
  readonly after: RatchetTree;
  readonly committer: number;
  readonly proposals: Sorted;
  readonly data: CommitData;
}

export interface Judgement {
  readonly ledger: Ledger;
  readonly removed: readonly { member: Member; reason: RemovalReason }[];
}

/** A commit's proposals, apart. */
export interface Sorted {
  readonly adds: readonly KeyPackage[];
  readonly removes: readonly number[];
  readonly psks: readonly PreSharedKeyID[];
}

/** @param group.members of the tree before @param group.admissionPublicKey of the commit's generation; null where we lack it */
export async function judge(
  commit: AppliedCommit,
  group: { ledger: Ledger; members: readonly Member[]; hostPublicKey: Bytes; admissionPublicKey: Bytes | null },
): Promise<Judgement | RuleBroken> {
  const { data, place } = commit;
  const { adds, removes } = commit.proposals;
  if (!hasRightPsk(commit.proposals, data.generation, place.groupId)) return 'psk';
  if (adds.length !== data.admissions.length) return 'admission';
  if (removes.length !== data.removals.length) return 'reason';

  const sent = adds.map(encodeKeyPackage);
  const hashes = await Promise.all(sent.map(hashOfKeyPackage));
  const ledger = advance(group.ledger, data, hashes);
  if (ledger === 'order') return 'reason';
  if (ledger === 'oldGeneration' || ledger === 'replayed') return ledger;
  if (!adds.every(isOurKeyPackage)) return 'keyPackage';

  for (const [index, keyPackage] of sent.entries()) {
    if (group.admissionPublicKey === null) return 'admission';
    const { hostPublicKey, admissionPublicKey } = group;
    const terms = {
      keyPackage,
      groupId: place.groupId,
      generation: data.generation,
      admissionPublicKey,
      hostPublicKey,
    };
    if ((await checkAdmission(data.admissions[index]!, terms)) !== null) return 'admission';
  }

  const added: RemovalTarget[] = adds.map(({ leafNode }) => ({
    leafKey: new Uint8Array(leafNode.signaturePublicKey),
    identity: identityOf(leafNode),
  }));
  const removed: { member: Member; reason: RemovalReason }[] = [];
  for (const [index, leaf] of removes.entries()) {
    const member = group.members.find((one) => one.leaf === leaf);
    const reason = data.removals[index]!;
    const context = { place, hostPublicKey: group.hostPublicKey, added };
    if (member === undefined || !(await checkRemoval(reason, member, context))) return 'reason';
    removed.push({ member, reason });
  }
  if (data.renewal !== null && !(await checkRenewal(data.renewal, place, group.hostPublicKey))) return 'reason';

  if (!keepsIdentity(commit)) return 'identity';
  if (!isSoundTree(commit.after, commit.before)) return 'tree';
  return { ledger, removed };
}

/** Sorts inline Adds, Removes and PSKs; null if there is anything else, or more than a commit may hold. */
export function sortProposals(proposals: readonly ProposalOrRef[]): Sorted | null {
  if (proposals.length > 2 * MAX_BATCH + 1) return null;
  const sorted = { adds: [] as KeyPackage[], removes: [] as number[], psks: [] as PreSharedKeyID[] };
  for (const one of proposals) {
    if (one.proposalOrRefType !== 'proposal') return null;
    const { proposal } = one;
    if (proposal.proposalType === 'add') sorted.adds.push(proposal.add.keyPackage);
    else if (proposal.proposalType === 'remove') sorted.removes.push(proposal.remove.removed);
    else if (proposal.proposalType === 'psk') sorted.psks.push(proposal.psk.preSharedKeyId);
    else return null;
  }
  return sorted.adds.length > MAX_BATCH || sorted.removes.length > MAX_BATCH ? null : sorted;
}

/** Exactly one PSK, of this generation, in commits that add; none in others. */
function hasRightPsk({ adds, psks }: Sorted, generation: number, groupId: Bytes): boolean {
  if (adds.length === 0) return psks.length === 0;
  const [psk] = psks;
  return psks.length === 1 && psk !== undefined && isPsk(psk, pskIdOf(generation, groupId));
}

/** True for the external PSK of that id with a nonce as long as RFC 9420 §8.4 wants it. */
export function isPsk(id: PreSharedKeyID, expected: Bytes): boolean {
  return id.psktype === 'external' && equal(id.pskId, expected) && id.pskNonce.length === HASH_BYTES;
}

/** @returns the key package as an MLSMessage (RFC 9420 §6), as it travels and as admissions hash it, in a buffer of its own */
export function encodeKeyPackage(keyPackage: KeyPackage): Bytes {
  return encodeMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage });
}

/** True for a key package made as ours are; its signatures are checked by ts-mls, its credential by the authService. */
export function isOurKeyPackage({ cipherSuite, version, extensions, initKey, leafNode }: KeyPackage): boolean {
  return (
    cipherSuite === SUITE &&
    version === 'mls10' &&
    extensions.length === 0 &&
    isOurShape(leafNode) &&
    isKemKey(initKey) &&
    isKemKey(leafNode.hpkePublicKey)
  );
}

/** A commit gives its author new KEM keys, and changes nothing else about it. */
function keepsIdentity({ before, after, committer }: AppliedCommit): boolean {
  const old = leafAt(before, committer);
  const now = leafAt(after, committer);
  return (
    old?.credential.credentialType === 'basic' &&
    now?.credential.credentialType === 'basic' &&
    equal(old.signaturePublicKey, now.signaturePublicKey) &&
    equal(old.credential.identity, now.credential.identity) &&
    isOurShape(now)
  );
}
