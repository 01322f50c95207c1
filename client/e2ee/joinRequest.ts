/**
 * What travels as `admission` in `group.requestAdd`: the admission, and perhaps the word that an older leaf of the same
 * identity is gone (after a reload or a repair), so that one commit adds the new leaf and removes the old.
 *
 *   0(1) ‖ admission       or       1(1) ‖ admission(ADMISSION_BYTES) ‖ old leaf key(32) ‖ new leaf key(32) ‖ signature(64)
 */
import { ADMISSION_BYTES } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { Reader, Writer } from '../../crypto/codec.ts';
import { CryptoError } from '../../crypto/errors.ts';
import type { RemovalReason } from '../../crypto/removal.ts';

export type Replacement = Extract<RemovalReason, { kind: 'replaced' }>;

export interface JoinRequest {
  readonly admission: Bytes;
  /** Checked by nobody yet: crypto/removal.ts does. */
  readonly replaces: { readonly oldLeafKey: Bytes; readonly reason: Replacement } | null;
}

export function encodeJoinRequest({ admission, replaces }: JoinRequest): Bytes {
  const writer = new Writer().u8(replaces === null ? 0 : 1).fixed(admission);
  if (replaces !== null) {
    writer.fixed(replaces.oldLeafKey).fixed(replaces.reason.newLeafKey).fixed(replaces.reason.signature);
  }
  return writer.done();
}

/** @throws CryptoError 'malformed' */
export function decodeJoinRequest(bytes: Bytes): JoinRequest {
  const reader = new Reader(bytes);
  const replacing = reader.u8();
  if (replacing > 1) throw new CryptoError('malformed', 'neither a replacement nor none');
  const admission = reader.fixed(ADMISSION_BYTES);
  if (replacing === 0) {
    reader.end();
    return { admission, replaces: null };
  }
  const oldLeafKey = reader.fixed(32);
  const newLeafKey = reader.fixed(32);
  const signature = reader.fixed(64);
  reader.end();
  return { admission, replaces: { oldLeafKey, reason: { kind: 'replaced', newLeafKey, signature } } };
}
