/** The hash chain of a chat's log, as protocol/chat.ts defines it, and the other hashes that the chat checks. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { CHAT_LOG_LABEL, type ChatHead } from '../protocol/chat.ts';
import type { MeetingId } from '../protocol/ids.ts';

/** Where every log begins: `SHA-256(label ‖ 0x00 ‖ meeting id)`, at 0. */
export function firstHead(meeting: MeetingId): ChatHead {
  return { seq: 0, hash: createHash('sha256').update(`${CHAT_LOG_LABEL}\0${meeting}`).digest('base64url') };
}

/** The head with one more item. @param bodyHash SHA-256 of its body, base64url */
export function nextHead(head: ChatHead, bodyHash: string): ChatHead {
  const seq = head.seq + 1;
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  const chain = createHash('sha256').update(bytesOf(head.hash)).update(number).update(bytesOf(bodyHash));
  return { seq, hash: chain.digest('base64url') };
}

/** Whether this token is the one whose SHA-256 was given with an item; in a time that tells nothing. */
export function fits(token: string, hash: string): boolean {
  const digest = createHash('sha256').update(bytesOf(token)).digest();
  const given = bytesOf(hash);
  return digest.length === given.length && timingSafeEqual(digest, given);
}

/** Whether text is the base64url of bytes as everybody writes it: what stands for the same bytes in two ways would pass here and not at a stricter reader. */
export function isCanonical(text: string): boolean {
  return bytesOf(text).toString('base64url') === text;
}

/** How many bytes base64url text stands for. */
export function sizeOf(text: string): number {
  return Math.floor((text.length * 3) / 4);
}

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}
