/**
 * Reading, checking and wiping what ts-mls hands out: messages, trees, and whole states.
 *
 * A state is plain data with its secrets lying open, and every operation gives a new one that shares arrays with the old:
 * `wipeState` overwrites what only the old one holds. Nothing here decides who may be in a group (commitRules.ts does).
 */
import type { ClientState, LeafNode, MLSMessage, RatchetTree } from 'ts-mls';
import { decodeMlsMessage, encodeMlsMessage } from 'ts-mls';
import type { Bytes } from './bytes.ts';
import { base64url, equal, owned, wipe } from './bytes.ts';
import { peerIdOf } from './identity.ts';
import { isKemKey, kemPublicKeyOf } from './kemKey.ts';
import { MAX_LEAVES, isOurShape } from './mlsSuite.ts';

/** A member of a group, as its tree proves it. */
export interface Member {
  /** Index among the leaves, 0 to 255: the leaf in a frame's key id. */
  readonly leaf: number;
  /** Ed25519 signature key of the leaf, fresh for each join. */
  readonly leafKey: Bytes;
  /** Identity key that vouches for the leaf key, checked. */
  readonly identity: Bytes;
  /** Peer id: hash of the leaf key. */
  readonly peer: string;
}

/** Parses an MLSMessage (RFC 9420 §6) that is exactly `bytes` long and encoded in the one proper way; else null. */
export function parseMessage(bytes: Bytes): MLSMessage | null {
  try {
    // What was parsed points into its input, which is the caller's.
    const parsed = decodeMlsMessage(bytes.slice(), 0);
    if (parsed === undefined || parsed[1] !== bytes.length) return null;
    return equal(encodeMlsMessage(parsed[0]), bytes) ? parsed[0] : null;
  } catch {
    return null;
  }
}

/** @returns an MLSMessage (RFC 9420 §6) in a buffer of its own */
export function encodeMessage(message: MLSMessage): Bytes {
  return owned(encodeMlsMessage(message));
}

/** @param leaf index among the leaves; node 2 · leaf of the tree (RFC 9420 Appendix C). Undefined where it is blank or outside */
export function leafAt(tree: RatchetTree, leaf: number): LeafNode | undefined {
  const node = tree[2 * leaf];
  return node?.nodeType === 'leaf' ? node.leaf : undefined;
}

/** The members of a tree whose credentials have been checked. @param known members of the tree before, to save hashing */
export async function membersOf(tree: RatchetTree, known: readonly Member[]): Promise<Member[]> {
  const members: Member[] = [];
  for (let leaf = 0; 2 * leaf < tree.length; leaf++) {
    const node = leafAt(tree, leaf);
    if (node === undefined) continue;
    const same = known.find((member) => member.leaf === leaf && equal(member.leafKey, node.signaturePublicKey));
    members.push(same ?? (await memberOf(leaf, node)));
  }
  return members;
}

/** @throws CryptoError if the credential is too short, which a checked one never is */
async function memberOf(leaf: number, node: LeafNode): Promise<Member> {
  const leafKey = new Uint8Array(node.signaturePublicKey);
  return { leaf, leafKey, identity: identityOf(node), peer: await peerIdOf(leafKey) };
}

/** First part of a credential that has been checked: see identity.ts. */
export function identityOf(node: LeafNode): Bytes {
  return node.credential.credentialType === 'basic'
    ? new Uint8Array(node.credential.identity.slice(0, 32))
    : new Uint8Array();
}

/**
 * True if a tree keeps the rules that ts-mls leaves open: at most 256 leaves, each of our shape, no key twice, and only keys
 * to which one can encapsulate.
 * @param before a tree that has passed; nodes shared with it are not looked into again
 */
export function isSoundTree(tree: RatchetTree, before: RatchetTree = []): boolean {
  if (tree.length > 2 * MAX_LEAVES - 1) return false;
  const known = new Set(before);
  const keys = new Set<string>();
  let expected = 0;
  for (const node of tree) {
    if (node === undefined) continue;
    const kemKey = node.nodeType === 'leaf' ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey;
    if (!known.has(node) && !isKemKey(kemKey)) return false;
    if (!known.has(node) && node.nodeType === 'leaf' && !isOurShape(node.leaf)) return false;
    // 16 of its bytes name a key well enough: two that share those are refused too, and no honest two ever do.
    keys.add(base64url(kemKey.subarray(0, 16)));
    expected++;
    if (node.nodeType === 'leaf') {
      keys.add(base64url(node.leaf.signaturePublicKey));
      expected++;
    }
  }
  return keys.size === expected;
}

/**
 * True if every private key on our path that `before` did not have fits its public key in the tree (RFC 9420 §7.5). ts-mls
 * does not look; a committer who lies here would make others' later commits unreadable for us.
 */
export async function isSoundPath(state: ClientState, before?: ClientState): Promise<boolean> {
  for (const [index, seed] of Object.entries(state.privatePath.privateKeys)) {
    const node = state.ratchetTree[Number(index)];
    if (node === undefined || before?.privatePath.privateKeys[Number(index)] === seed) continue;
    const kemKey = node.nodeType === 'leaf' ? node.leaf.hpkePublicKey : node.parent.hpkePublicKey;
    if (!equal(kemKey, await kemPublicKeyOf(seed))) return false;
  }
  return true;
}

/** The state without what it no longer needs: older epochs, and private keys of nodes that are blank by now. */
export function prune(state: ClientState): ClientState {
  const kept = Object.entries(state.privatePath.privateKeys).filter(([index]) => state.ratchetTree[Number(index)]);
  return {
    ...state,
    historicalReceiverData: new Map(),
    privatePath: { ...state.privatePath, privateKeys: Object.fromEntries(kept) },
  };
}

/** Overwrites every secret of `state`, but for those that share memory with `kept`. */
export function wipeState(state: ClientState, kept: readonly Uint8Array[] = []): void {
  const shared = new Set(kept.map((secret) => secret.buffer));
  wipe(...secretsOf(state).filter((secret) => !shared.has(secret.buffer)));
}

/** Every secret that a state holds: signature key, key schedule, secret tree, private path, and what is kept of old epochs. */
export function secretsOf(state: ClientState): Uint8Array[] {
  const { signaturePrivateKey, keySchedule, secretTree, privatePath, historicalReceiverData } = state;
  const old = [...historicalReceiverData.values()];
  return [
    signaturePrivateKey,
    ...Object.values(keySchedule),
    ...Object.values(privatePath.privateKeys),
    ...old.flatMap((epoch) => [epoch.resumptionPsk, epoch.senderDataSecret]),
    ...[secretTree, ...old.map((epoch) => epoch.secretTree)]
      .flat()
      .flatMap(({ handshake, application }) => [
        handshake.secret,
        application.secret,
        ...Object.values(handshake.unusedGenerations),
        ...Object.values(application.unusedGenerations),
      ]),
  ].filter((secret): secret is Uint8Array => secret instanceof Uint8Array);
}
