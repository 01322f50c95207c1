/**
 * Identifiers on the wire, each branded, so that one kind cannot be handed over as another.
 *
 * Bytes travel as base64url without padding (RFC 4648 §5).
 */
import * as z from 'zod/mini';

/** Text of base64url characters that stands for 1 … `maxBytes` bytes. */
export function bytesText(maxBytes: number) {
  return z.string().check(z.minLength(2), z.maxLength(Math.ceil((maxBytes * 4) / 3)), z.regex(/^[A-Za-z0-9_-]+$/));
}

/** Text of base64url characters that stands for exactly `count` bytes. */
export function fixedBytesText(count: number) {
  return z.string().check(z.length(Math.ceil((count * 4) / 3)), z.regex(/^[A-Za-z0-9_-]+$/));
}

/** First 10 bytes of BLAKE2b-512 over the host's public key: lower-case Crockford base32 in four groups of four. */
export const MeetingId = z
  .string()
  .check(z.regex(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/))
  .brand<'MeetingId'>();
export type MeetingId = z.infer<typeof MeetingId>;

/** First 16 bytes of SHA-256 over a device's MLS signature key; anybody who sees the key can check it. */
export const PeerId = z
  .string()
  .check(z.length(22), z.regex(/^[A-Za-z0-9_-]+$/))
  .brand<'PeerId'>();
export type PeerId = z.infer<typeof PeerId>;

/** 32 random bytes drawn by the group's creator. */
export const GroupId = fixedBytesText(32).brand<'GroupId'>();
export type GroupId = z.infer<typeof GroupId>;

/** An MLS epoch. They start at 0 and rise by one with each commit (RFC 9420 §8), so a double holds them with ease. */
export const Epoch = z.int().check(z.nonnegative()).brand<'Epoch'>();
export type Epoch = z.infer<typeof Epoch>;

/** Counts invite secrets: 0 for the first, one more with each new link, password, or removal. */
export const Generation = z.int().check(z.nonnegative(), z.maximum(0xffff_ffff));

/** Ed25519 public key. */
export const PublicKey = fixedBytesText(32);

/** Ed25519 signature. */
export const Signature = fixedBytesText(64);

/** 32 random bytes that a client signs to prove a key. Good for one connection. */
export const Challenge = fixedBytesText(32);

/** Milliseconds since 1970, UTC. */
export const Ms = z.int().check(z.nonnegative());
