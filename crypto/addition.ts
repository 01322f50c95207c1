/**
 * Who may be added by a commit of ours: the committer's look at key packages and their admissions.
 *
 * It checks what members check, and time and reuse besides. Each is judged alone, so that one bad request cannot keep the
 * others of a batch out.
 */
import type { KeyPackage, RatchetTree } from 'ts-mls';
import { verifyKeyPackage } from 'ts-mls/keyPackage.js';
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js';
import type { Bytes } from './bytes.ts';
import { hex } from './bytes.ts';
import { checkAdmission, hashOfKeyPackage } from './admission.ts';
import { isOurKeyPackage } from './commitRules.ts';
import type { Ledger } from './ledger.ts';
import { isAdmitted } from './ledger.ts';
import { parseMessage } from './mlsState.ts';
import { suite } from './mlsSuite.ts';
import { authServiceOf } from './newMember.ts';

const MAX_KEY_PACKAGE_BYTES = 8 * 1024;

export interface Addition {
  /** As it was sent: an MLSMessage with a KeyPackage. */
  readonly keyPackage: Bytes;
  readonly admission: Bytes;
}

/** Why somebody who asks to be added cannot be. `full`: no leaf is left, or no place in this commit. */
export type AddRefusal = 'malformed' | 'keyPackage' | 'admission' | 'expired' | 'replayed' | 'oldGeneration' | 'full';

export interface AddTerms {
  readonly meetingId: string;
  readonly groupId: Bytes;
  readonly ledger: Ledger;
  readonly tree: RatchetTree;
  readonly hostPublicKey: Bytes;
  /** The newest generation; null if the host has ended it and the next has not come. */
  readonly generation: { number: number; admissionPublicKey: Bytes } | null;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly places: number;
}

export interface Sifted {
  readonly accepted: readonly { addition: Addition; keyPackage: KeyPackage; hash: Bytes }[];
  readonly refused: readonly { index: number; why: AddRefusal }[];
}

/** Parts those who may be added from those who may not. */
export async function sift(additions: readonly Addition[], terms: AddTerms): Promise<Sifted> {
  const accepted: { addition: Addition; keyPackage: KeyPackage; hash: Bytes }[] = [];
  const refused: { index: number; why: AddRefusal }[] = [];
  const keys = keysOf(terms.tree);
  for (const [index, addition] of additions.entries()) {
    const found = accepted.length < terms.places ? await look(addition, terms) : 'full';
    if (typeof found === 'string') {
      refused.push({ index, why: found });
      continue;
    }
    const own = namesOf(found.leafNode.hpkePublicKey, found.leafNode.signaturePublicKey);
    if (own.some((key) => keys.has(key))) {
      refused.push({ index, why: 'replayed' });
      continue;
    }
    for (const key of own) keys.add(key);
    accepted.push({ addition, keyPackage: found, hash: await hashOfKeyPackage(addition.keyPackage) });
  }
  return { accepted, refused };
}

async function look({ keyPackage: bytes, admission }: Addition, terms: AddTerms): Promise<KeyPackage | AddRefusal> {
  const message = bytes.length <= MAX_KEY_PACKAGE_BYTES ? parseMessage(bytes) : null;
  if (message?.wireformat !== 'mls_key_package') return 'malformed';
  const { keyPackage } = message;
  if (!isOurKeyPackage(keyPackage) || !(await isSigned(keyPackage, terms.meetingId))) return 'keyPackage';
  const { generation, ledger, groupId, hostPublicKey, now } = terms;
  if (generation === null) return 'oldGeneration';
  const { number, admissionPublicKey } = generation;
  const fault = await checkAdmission(admission, {
    keyPackage: bytes,
    groupId,
    generation: number,
    admissionPublicKey,
    hostPublicKey,
    now,
  });
  if (fault !== null) return fault === 'expired' ? 'expired' : 'admission';
  return isAdmitted(ledger.admitted, await hashOfKeyPackage(bytes)) ? 'replayed' : keyPackage;
}

/** Both signatures of a key package (RFC 9420 §10.1) and its credential. */
async function isSigned(keyPackage: KeyPackage, meetingId: string): Promise<boolean> {
  const { leafNode } = keyPackage;
  const { signature } = await suite();
  return (
    (await verifyKeyPackage(keyPackage, signature)) &&
    (await verifyLeafNodeSignatureKeyPackage(leafNode, signature)) &&
    (await authServiceOf(meetingId).validateCredential(leafNode.credential, leafNode.signaturePublicKey)) &&
    hex(keyPackage.initKey) !== hex(leafNode.hpkePublicKey)
  );
}

function keysOf(tree: RatchetTree): Set<string> {
  const keys = new Set<string>();
  for (const node of tree) {
    if (node === undefined) continue;
    const { hpkePublicKey } = node.nodeType === 'leaf' ? node.leaf : node.parent;
    for (const name of namesOf(hpkePublicKey)) keys.add(name);
    if (node.nodeType === 'leaf') keys.add(namesOf(node.leaf.signaturePublicKey)[0]!);
  }
  return keys;
}

/** 16 bytes name a key; isSoundTree counts the same way. */
function namesOf(...keys: readonly Uint8Array[]): string[] {
  return keys.map((key) => hex(key.subarray(0, 16)));
}
