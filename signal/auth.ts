/**
 * What signal checks of others' cryptography, by node:crypto: signatures over labelled texts, ids that certify themselves,
 * tokens of its own. It never holds a key of a meeting.
 *
 * Signed is `label ‖ 0x00 ‖ body`, Ed25519 (RFC 8032 §5.1), as protocol/documents.ts says.
 */
import { createHash, createPublicKey, randomBytes, timingSafeEqual, verify } from 'node:crypto';
import type * as z from 'zod/mini';
import type { Signed } from './protocol/documents.ts';
import { proofText } from './protocol/documents.ts';
import { MeetingId, PeerId } from './protocol/ids.ts';

/** Labels of what leaves say to the server; those of documents are in protocol/documents.ts. */
const INVALID_LABEL = 'parley commit invalid 1';

/** Crockford's base32 in lower case: without i, l, o and u. */
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

/** @param key, signature base64url. False for whatever does not fit, also for bytes that are no key. */
export function verifyText(label: string, body: string, signature: string, key: string): boolean {
  return verifyBytes(label, Buffer.from(body), signature, key);
}

function verifyBytes(label: string, body: Uint8Array, signature: string, key: string): boolean {
  try {
    // RFC 8037 §2: the JWK of an Ed25519 key is its 32 bytes as they are.
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key }, format: 'jwk' });
    const signed = Buffer.concat([Buffer.from(label), Buffer.of(0), body]);
    return verify(null, signed, publicKey, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

/** Checks a document before it is parsed. @returns null if signature or schema do not hold */
export function openSigned<T>(label: string, signed: Signed, key: string, schema: z.ZodMiniType<T>): T | null {
  return verifyText(label, signed.body, signed.signature, key) ? parseBody(signed, schema) : null;
}

/** Reads a document without checking who signed it: only where that is checked next, or was before it was stored. */
export function parseBody<T>(signed: Signed, schema: z.ZodMiniType<T>): T | null {
  try {
    return schema.parse(JSON.parse(signed.body));
  } catch {
    return null;
  }
}

/** Checks the answer to a challenge, under one of `labels.prove…`. */
export function checkProof(
  label: string,
  proof: { meeting: MeetingId; challenge: string; peer?: PeerId },
  signature: string,
  key: string,
): boolean {
  return verifyText(label, proofText(proof.meeting, proof.challenge, proof.peer), signature, key);
}

/** "I cannot apply this commit": `groupId(32) ‖ epoch(8, big-endian) ‖ SHA-256 of the commit(32)`, signed by a leaf. */
export function checkInvalid(
  said: { groupId: string; epoch: number; commitHash: string; signature: string },
  leafKey: string,
): boolean {
  const epoch = Buffer.alloc(8);
  epoch.writeBigUInt64BE(BigInt(said.epoch));
  const body = Buffer.concat([bytes(said.groupId), epoch, bytes(said.commitHash)]);
  return verifyBytes(INVALID_LABEL, body, said.signature, leafKey);
}

/** SHA-256 of what base64url text stands for, base64url. */
export function hashOf(text: string): string {
  return createHash('sha256').update(bytes(text)).digest('base64url');
}

/** First 10 bytes of BLAKE2b-512 over the host's public key, in four groups of four characters. */
export function meetingIdOf(hostKey: string): MeetingId {
  const digest = createHash('blake2b512').update(bytes(hostKey)).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  const letters = Array.from({ length: 16 }, (_, index) => CROCKFORD[Number((bits >> BigInt(5 * (15 - index))) & 31n)]);
  return MeetingId.parse(letters.join('').replace(/(.{4})(?=.)/g, '$1-'));
}

/** First 16 bytes of SHA-256 over a leaf's signature key. */
export function peerIdOf(leafKey: string): PeerId {
  return PeerId.parse(createHash('sha256').update(bytes(leafKey)).digest().subarray(0, 16).toString('base64url'));
}

/** 32 random bytes, base64url: a challenge, or the token that a lost connection is taken up with. */
export function randomText(): string {
  return randomBytes(32).toString('base64url');
}

/** Compares two tokens in a time that tells nothing. */
export function sameToken(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}
