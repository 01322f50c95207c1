/**
 * Why a commit may take somebody out, and how the host ends a generation.
 *
 * A removal is valid by what the commit itself carries: the leaving member's signature, the host's, the word "lost" (members
 * accept it and show who said it), or the replacement of a leaf by a new one of the same identity, added in the same commit.
 * Whatever the host signs raises the *floor*: the lowest generation that still admits. So from the very commit that removes
 * somebody on, the link that they hold adds nobody, whichever member commits next. docs/design.md §4.
 *
 *   leave(1)     ‖ signature(64)     by the leaving leaf     over meeting ‖ group id ‖ leaf key
 *   host(2)      ‖ order             by the host             over meeting ‖ group id ‖ epoch ‖ leaf key ‖ sequence ‖ generation
 *   lost(3)
 *   replaced(4)  ‖ new leaf key(32) ‖ signature(64)  by the identity  over old leaf key ‖ new leaf key ‖ group id
 *
 *   order = sequence(8) ‖ generation(4) ‖ signature(64);   meeting = length(1) ‖ meeting id
 */
import type { Bytes } from './bytes.ts';
import { equal, utf8 } from './bytes.ts';
import type { Reader } from './codec.ts';
import { Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import type { KeyPair } from './primitives.ts';
import { signBytes, verifyBytes } from './signed.ts';

const LEAVE_LABEL = 'parley leave 1';
const REMOVE_LABEL = 'parley removal 1';
const REPLACE_LABEL = 'parley replacement 1';
const RENEW_LABEL = 'parley generation 1';

/** What the host signs, once: `sequence` rises with each order in a group. */
export interface HostOrder {
  readonly sequence: number;
  /** The lowest generation that admits from this commit on. Its secret travels sealed in the new epoch. */
  readonly generation: number;
  readonly signature: Bytes;
}

export type RemovalReason =
  | { readonly kind: 'leave'; readonly signature: Bytes }
  | ({ readonly kind: 'host' } & HostOrder)
  | { readonly kind: 'lost' }
  | { readonly kind: 'replaced'; readonly newLeafKey: Bytes; readonly signature: Bytes };

/** The group and moment that a signature is for. */
export interface Place {
  readonly meetingId: string;
  readonly groupId: Bytes;
  readonly epoch: number;
}

/** The member that a removal is about, and the leaves that the same commit adds. */
export interface RemovalTarget {
  readonly leafKey: Bytes;
  readonly identity: Bytes;
}

/** A member's own leave. `signer` signs with the leaf's key: Group.sign. */
export async function signLeave(
  place: Omit<Place, 'epoch'>,
  leafKey: Bytes,
  signer: (label: string, body: Bytes) => Promise<Bytes>,
): Promise<RemovalReason> {
  return { kind: 'leave', signature: await signer(LEAVE_LABEL, leaveBody(place, leafKey)) };
}

/** The host's removal of `leafKey`, good for this epoch alone. @param order.generation the generation that starts with it */
export async function signHostRemoval(
  place: Place,
  leafKey: Bytes,
  order: { sequence: number; generation: number },
  hostPrivateKey: Bytes,
): Promise<RemovalReason> {
  const signature = await signBytes(REMOVE_LABEL, orderBody(place, order, leafKey), hostPrivateKey);
  return { kind: 'host', sequence: order.sequence, generation: order.generation, signature };
}

/** The host's word that from the commit of this epoch on only `order.generation` admits: a new link without a removal. */
export async function signRenewal(
  place: Place,
  order: { sequence: number; generation: number },
  hostPrivateKey: Bytes,
): Promise<HostOrder> {
  const signature = await signBytes(RENEW_LABEL, orderBody(place, order), hostPrivateKey);
  return { sequence: order.sequence, generation: order.generation, signature };
}

/** "My old leaf is gone, this is my new one": after a reload or to repair. */
export async function signReplacement(
  leaves: { oldLeafKey: Bytes; newLeafKey: Bytes; groupId: Bytes },
  identity: KeyPair,
): Promise<RemovalReason> {
  const signature = await signBytes(REPLACE_LABEL, replaceBody(leaves), identity.privateKey);
  return { kind: 'replaced', newLeafKey: leaves.newLeafKey, signature };
}

/** Checks all but the order of sequences and generations, which ledger.ts keeps. */
export async function checkRemoval(
  reason: RemovalReason,
  target: RemovalTarget,
  context: { place: Place; hostPublicKey: Bytes; added: readonly RemovalTarget[] },
): Promise<boolean> {
  const { place, hostPublicKey, added } = context;
  switch (reason.kind) {
    case 'lost':
      return true;
    case 'leave':
      return verifyBytes(LEAVE_LABEL, leaveBody(place, target.leafKey), reason.signature, target.leafKey);
    case 'host':
      return verifyBytes(REMOVE_LABEL, orderBody(place, reason, target.leafKey), reason.signature, hostPublicKey);
    case 'replaced': {
      const { newLeafKey } = reason;
      const comes = added.some(
        ({ leafKey, identity }) => equal(leafKey, newLeafKey) && equal(identity, target.identity),
      );
      const body = replaceBody({ oldLeafKey: target.leafKey, newLeafKey, groupId: place.groupId });
      return comes && verifyBytes(REPLACE_LABEL, body, reason.signature, target.identity);
    }
  }
}

/** True if the host has signed this order for this very epoch. Whether it counts up is for ledger.ts to say. */
export async function checkRenewal(order: HostOrder, place: Place, hostPublicKey: Bytes): Promise<boolean> {
  return verifyBytes(RENEW_LABEL, orderBody(place, order), order.signature, hostPublicKey);
}

/** Appends 65, 77, 1 or 97 bytes: leave, host, lost, replaced, as drawn above. */
export function writeReason(writer: Writer, reason: RemovalReason): void {
  switch (reason.kind) {
    case 'leave':
      writer.u8(1).fixed(reason.signature);
      return;
    case 'host':
      writeOrder(writer.u8(2), reason);
      return;
    case 'lost':
      writer.u8(3);
      return;
    case 'replaced':
      writer.u8(4).fixed(reason.newLeafKey).fixed(reason.signature);
  }
}

/** @throws CryptoError 'malformed' */
export function readReason(reader: Reader): RemovalReason {
  switch (reader.u8()) {
    case 1:
      return { kind: 'leave', signature: reader.fixed(64) };
    case 2:
      return { kind: 'host', ...readOrder(reader) };
    case 3:
      return { kind: 'lost' };
    case 4:
      return { kind: 'replaced', newLeafKey: reader.fixed(32), signature: reader.fixed(64) };
    default:
      throw new CryptoError('malformed', 'a reason that is none');
  }
}

/** Appends 76 bytes. @param order.sequence below 2^53; order.generation below 2^32; order.signature 64 bytes */
export function writeOrder(writer: Writer, order: HostOrder): void {
  writer.u64(order.sequence).u32(order.generation).fixed(order.signature);
}

/** @throws CryptoError 'malformed' */
export function readOrder(reader: Reader): HostOrder {
  return { sequence: reader.u64(), generation: reader.u32(), signature: reader.fixed(64) };
}

function leaveBody(place: Omit<Place, 'epoch'>, leafKey: Bytes): Bytes {
  return new Writer().opaque8(utf8(place.meetingId)).fixed(place.groupId).fixed(leafKey).done();
}

function orderBody(place: Place, order: { sequence: number; generation: number }, leafKey?: Bytes): Bytes {
  const writer = new Writer().opaque8(utf8(place.meetingId)).fixed(place.groupId).u64(place.epoch);
  if (leafKey !== undefined) writer.fixed(leafKey);
  return writer.u64(order.sequence).u32(order.generation).done();
}

function replaceBody(leaves: { oldLeafKey: Bytes; newLeafKey: Bytes; groupId: Bytes }): Bytes {
  return new Writer().fixed(leaves.oldLeafKey).fixed(leaves.newLeafKey).fixed(leaves.groupId).done();
}
