/**
 * Making and applying commits with ts-mls: private messages, inline proposals, our PSK and nothing else.
 *
 * The traps of ts-mls are stepped around here: `processMessage` forgets external PSKs (so `processPrivateMessage`), the
 * default callback accepts everything (so ours, always), neither compares the group id, and `createCommit` leaves the
 * committer's handshake ratchet where it was, so that two commits of one epoch would share an AEAD key.
 */
import type { ClientState, IncomingMessageCallback, KeyPackage, MLSMessage, PreSharedKeyID, Proposal } from 'ts-mls';
import { createCommit, processPrivateMessage } from 'ts-mls';
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js';
import { decryptSenderData } from 'ts-mls/privateMessage.js';
import { consumeRatchet } from 'ts-mls/secretTree.js';
import type { Bytes } from './bytes.ts';
import { equal, owned, wipe } from './bytes.ts';
import type { Sorted } from './commitRules.ts';
import { isPsk, sortProposals } from './commitRules.ts';
import { CryptoError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { encodeLedger } from './ledger.ts';
import { encodeMessage } from './mlsState.ts';
import { HASH_BYTES, MAX_STAGED_PER_EPOCH, pskIdOf, suite } from './mlsSuite.ts';
import type { Psk } from './newMember.ts';
import { LEDGER_EXTENSION } from './newMember.ts';
import { random } from './primitives.ts';

type PrivateMessage = Extract<MLSMessage, { wireformat: 'mls_private_message' }>['privateMessage'];

/** A commit in a private message, not decrypted yet. */
export interface SealedCommit {
  readonly message: PrivateMessage;
  readonly authenticatedData: Bytes;
}

/** The commit in `message` if it is one for this group and epoch. */
export function sealedCommit(
  message: MLSMessage | null,
  state: ClientState,
): SealedCommit | 'malformed' | 'otherGroup' | 'staleEpoch' | 'unknownEpoch' {
  if (message?.wireformat !== 'mls_private_message' || message.privateMessage.contentType !== 'commit')
    return 'malformed';
  const { groupId, epoch, authenticatedData } = message.privateMessage;
  if (!equal(groupId, state.groupContext.groupId)) return 'otherGroup';
  if (epoch < state.groupContext.epoch) return 'staleEpoch';
  if (epoch > state.groupContext.epoch) return 'unknownEpoch';
  return { message: message.privateMessage, authenticatedData: owned(authenticatedData) };
}

export interface Applied {
  readonly next: ClientState;
  readonly committer: number;
  readonly proposals: Sorted;
}

/**
 * Applies a commit to `state`, which stays as it is.
 * @param psk the PSK that the commit may use; null where we have none of its generation
 */
export async function applyCommit(
  state: ClientState,
  sealed: SealedCommit,
  psk: Psk | null,
): Promise<Applied | 'own' | 'proposal' | 'psk' | 'invalid'> {
  const impl = await suite();
  const { message } = sealed;
  let strangePsk = false;
  const expected = psk && pskIdOf(psk.generation, state.groupContext.groupId);
  const pskIndex = {
    findPsk: (id: PreSharedKeyID): Uint8Array | undefined => {
      if (psk !== null && expected !== null && isPsk(id, expected)) return psk.secret;
      strangePsk = true;
      return undefined;
    },
  };
  try {
    const { keySchedule, secretTree, ratchetTree, groupContext, clientConfig } = state;
    // Our ratchet has moved past our own commits, so that they would look like any that does not decrypt.
    const sender = await decryptSenderData(message, keySchedule.senderDataSecret, impl);
    if (sender?.leafIndex === state.privatePath.leafIndex) return 'own';
    // Looked into before it is applied: ts-mls compares every proposal with every other, which takes minutes for as many
    // as fit into a commit, and would apply kinds that we do not know.
    const config = clientConfig.keyRetentionConfig;
    const { senderDataSecret } = keySchedule;
    const opened = await unprotectPrivateMessage(
      senderDataSecret,
      message,
      secretTree,
      ratchetTree,
      groupContext,
      config,
      impl,
    );
    const { content } = opened.content;
    if (content.contentType !== 'commit' || content.sender.senderType !== 'member') return 'invalid';
    const proposals = sortProposals(content.commit.proposals);
    if (proposals === null) return 'proposal';
    const accept: IncomingMessageCallback = ({ kind }) => (kind === 'commit' ? 'accept' : 'reject');
    const result = await processPrivateMessage(state, message, pskIndex, impl, accept);
    if (result.kind !== 'newState' || result.actionTaken !== 'accept') return 'invalid';
    return { next: result.newState, committer: content.sender.leafIndex, proposals };
  } catch {
    // Nothing is said of what it was: whoever forges learns nothing, and members decide the same whatever the reason.
    return strangePsk ? 'psk' : 'invalid';
  }
}

export interface Made {
  readonly commit: Bytes;
  readonly welcome: Bytes | null;
  readonly next: ClientState;
  readonly proposals: Sorted;
  /** The present epoch's, with the key used up that sealed this commit. */
  readonly secretTree: ClientState['secretTree'];
}

/**
 * Makes a commit; `state` stays as it is.
 * @param change.ledger the ledger after this commit, for those it adds
 * @throws CryptoError 'exhausted' after MAX_STAGED_PER_EPOCH commits in one epoch, 'usage' if ts-mls cannot make it
 */
export async function makeCommit(
  state: ClientState,
  change: {
    adds: readonly KeyPackage[];
    removes: readonly number[];
    psk: Psk | null;
    authenticatedData: Bytes;
    ledger: Ledger;
  },
): Promise<Made> {
  const impl = await suite();
  const ownNode = 2 * state.privatePath.leafIndex;
  // A generation further than this no recipient would reach for.
  if (state.secretTree[ownNode]!.handshake.generation >= MAX_STAGED_PER_EPOCH) {
    throw new CryptoError('exhausted', 'too many commits prepared in one epoch');
  }
  const { psk } = change;
  const proposals: Proposal[] = [
    ...change.removes.map((removed): Proposal => ({ proposalType: 'remove', remove: { removed } })),
    ...change.adds.map((keyPackage): Proposal => ({ proposalType: 'add', add: { keyPackage } })),
  ];
  if (psk !== null) {
    const preSharedKeyId: PreSharedKeyID = {
      psktype: 'external',
      pskId: pskIdOf(psk.generation, state.groupContext.groupId),
      pskNonce: random(HASH_BYTES),
    };
    proposals.push({ proposalType: 'psk', psk: { preSharedKeyId } });
  }
  let made;
  try {
    made = await createCommit(
      { state, cipherSuite: impl, pskIndex: { findPsk: () => psk?.secret } },
      {
        extraProposals: proposals,
        authenticatedData: change.authenticatedData,
        ratchetTreeExtension: true,
        groupInfoExtensions: [{ extensionType: LEDGER_EXTENSION, extensionData: encodeLedger(change.ledger) }],
      },
    );
  } catch (cause) {
    throw new CryptoError('usage', 'a commit that cannot be made', { cause });
  }
  const used = await consumeRatchet(state.secretTree, ownNode, 'commit', impl);
  wipe(...used.consumed);
  const { newState, commit, welcome } = made;
  return {
    commit: encodeMessage(commit),
    welcome: welcome ? encodeMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome }) : null,
    next: newState,
    proposals: {
      adds: change.adds,
      removes: change.removes,
      psks: proposals.flatMap((one) => (one.proposalType === 'psk' ? [one.psk.preSharedKeyId] : [])),
    },
    secretTree: used.newTree,
  };
}
