/**
 * The hash chain over a chat's log: what a client checks the server's order by (signal/protocol/chat.ts).
 *
 *     h(0) = SHA-256("parley chat log 1" ‖ 0x00 ‖ meeting id)
 *     h(n) = SHA-256(h(n-1) ‖ n(8) ‖ SHA-256(body n))
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8 } from './bytes.ts';
import { Writer } from './codec.ts';
import { sha256Now } from './primitives.ts';

/** @returns 32 bytes: the chain before the first item */
export function logStart(meetingId: string): Bytes {
  return sha256Now(labelled('parley chat log 1', utf8(meetingId)));
}

/** @param bodyHash 32 bytes, from `logBodyHash` @param seq of the item, from 1 */
export function logNext(before: Bytes, seq: number, bodyHash: Bytes): Bytes {
  return sha256Now(concat(before, new Writer().u64(seq).done(), bodyHash));
}

/** @returns 32 bytes: what the chain covers of a body, and what stays when it is erased */
export function logBodyHash(body: Bytes): Bytes {
  return sha256Now(body);
}
