/**
 * Documents that a host signs and that both server and members check.
 *
 * A document travels as the very text that was signed, so there is no canonical form to get wrong:
 * `signature = Ed25519(hostKey, utf8(label) ‖ 0x00 ‖ utf8(body))`; `body` is JSON, parsed only after the signature held.
 */
import * as z from 'zod/mini';
import { Generation, MeetingId, Ms, PeerId, PublicKey, Signature, bytesText, fixedBytesText } from './ids.ts';

/** What a signature is for. A signature under one label never passes under another. */
export const labels = {
  record: 'parley meeting record 1',
  access: 'parley access key 1',
  hostState: 'parley host state 1',
  hostCommand: 'parley host command 1',
  proveLink: 'parley prove link 1',
  proveAccess: 'parley prove access 1',
  provePeer: 'parley prove peer 1',
} as const;

/** The text signed to answer a challenge, under `labels.prove…`; `peer` only with `provePeer`. */
export function proofText(meeting: MeetingId, challenge: string, peer?: PeerId): string {
  return peer === undefined ? `${meeting}\n${challenge}` : `${meeting}\n${challenge}\n${peer}`;
}

export const Signed = z.object({ body: z.string().check(z.minLength(2), z.maxLength(16_384)), signature: Signature });
export type Signed = z.infer<typeof Signed>;

/** MLS suite of a meeting. Fixed at creation, never lowered. */
export const Suite = z.literal('X-Wing/AES-256-GCM/SHA-512/Ed25519');

/**
 * The terms of a meeting's chat. `newcomers`: what somebody sees of what was written before they came; keys see to it, not the
 * server. `keepDays`: how long the server keeps it; 0: until everybody has left.
 */
export const ChatTerms = z.object({
  newcomers: z.discriminatedUnion('see', [
    z.object({ see: z.literal('all') }),
    z.object({ see: z.literal('nothing') }),
    z.object({ see: z.literal('hours'), hours: z.int().check(z.minimum(1), z.maximum(720)) }),
  ]),
  keepDays: z.int().check(z.minimum(0), z.maximum(365)),
});
export type ChatTerms = z.infer<typeof ChatTerms>;

/** Where a host has chosen nothing. */
export const DEFAULT_CHAT_TERMS: ChatTerms = { newcomers: { see: 'all' }, keepDays: 30 };

export const Settings = z.object({
  /** Up to this many peers meet in a mesh. */
  meshLimit: z.int().check(z.minimum(2), z.maximum(6)),
  /** Most peers at one time. */
  capacity: z.int().check(z.minimum(2), z.maximum(100)),
  /**
   * Media go this way alone, however many there are. `relay`: nobody learns another's address; there is no call without a relay.
   * `mesh`: no relay ever sees how much anybody sends; six at most.
   */
  only: z.optional(z.enum(['mesh', 'relay'])),
  /** Of the chat, until hosts decide otherwise (`HostState`). */
  chat: z.optional(ChatTerms),
});
export type Settings = z.infer<typeof Settings>;

/**
 * The public record of a meeting, one per generation. It certifies itself: the meeting id is the hash of `hostKey`.
 * `title` is sealed under the title key of this generation's link.
 */
export const MeetingRecord = z.object({
  version: z.literal(1),
  hostKey: PublicKey,
  suite: Suite,
  generation: Generation,
  createdAt: Ms,
  /** Argon2id salt of the password, absent where the meeting has none. */
  salt: z.optional(fixedBytesText(16)),
  linkKey: PublicKey,
  title: bytesText(1024),
  settings: Settings,
});
export type MeetingRecord = z.infer<typeof MeetingRecord>;

/**
 * The access key of a generation, for the server alone. It follows from link and password, so whoever had it beside the link could
 * try passwords without asking anybody: no client ever gets it from the server.
 */
export const AccessDocument = z.object({
  version: z.literal(1),
  meeting: MeetingId,
  generation: Generation,
  accessKey: PublicKey,
});
export type AccessDocument = z.infer<typeof AccessDocument>;

/** What a host hands in for a generation: the record for everybody with the link, the access key for the server. */
export const SignedTerms = z.object({ record: Signed, access: Signed });
export type SignedTerms = z.infer<typeof SignedTerms>;

/**
 * How far the log of a meeting's chat goes (chat.ts): the newest item's number, 0 before the first, and the hash of its chain there.
 * Here, since hosts sign one.
 */
export const ChatHead = z.object({ seq: z.int().check(z.nonnegative()), hash: fixedBytesText(32) });
export type ChatHead = z.infer<typeof ChatHead>;

/** What hosts have decided. Members refuse a lower version, or an equal one with another body. */
export const HostState = z.object({
  version: z.int().check(z.nonnegative()),
  meeting: MeetingId,
  generation: Generation,
  /** Nobody new comes in. */
  locked: z.boolean(),
  /** Identity keys that may not come back. */
  bans: z.array(PublicKey).check(z.maxLength(256)),
  /** In the place of those of the record. */
  chat: z.optional(ChatTerms),
  /** The chat's log up to here is deleted, for good: this log's, by its chain. What a host has seen of it, and nothing that came later. */
  cleared: z.optional(ChatHead),
  /** What was written in the chat before may be gone, since it was too old under terms that were there before: so longer terms bring nothing back. By the host's clock. */
  expired: z.optional(Ms),
  /** Newcomers have not always seen everything of the chat: some of its keys were never everybody's. Stays. */
  narrowed: z.optional(z.literal(true)),
});
export type HostState = z.infer<typeof HostState>;

/** An order to the server. What it orders in the group (a removal) is signed apart, in the commit itself. */
export const HostCommand = z.discriminatedUnion('action', [
  z.object({ action: z.literal('remove'), meeting: MeetingId, peer: PeerId, sequence: Ms }),
  z.object({ action: z.literal('end'), meeting: MeetingId, sequence: Ms }),
]);
export type HostCommand = z.infer<typeof HostCommand>;
