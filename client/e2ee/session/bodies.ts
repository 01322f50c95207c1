/**
 * What members say to each other inside of sealed messages, worker to worker. Kinds of the page (messages.ts) are not looked
 * into here. A member may be anybody who holds the link: everything is parsed, and nothing is believed beyond its sender.
 */
import * as z from 'zod/mini';
import { Signed } from '../../../signal/protocol/documents.ts';
import { bytesText, Epoch, Generation, fixedBytesText, Signature } from '../../../signal/protocol/ids.ts';

export const bodies = {
  /** My name; `host`: the host's signature over my leaf (hostMark.ts), if I am one. Sent on joining, and to newcomers. */
  profile: z.object({ name: z.string().check(z.maxLength(128)), host: z.nullable(Signature) }),
  /** Tell me your profile: it got lost. */
  ask: z.object({}),
  /** I am here; and this is how much I know. `chat`: where I see its log end, if I have it open. */
  heartbeat: z.object({
    epoch: Epoch,
    hostState: z.int(),
    generation: Generation,
    chat: z.optional(z.object({ seq: z.int().check(z.nonnegative()), hash: fixedBytesText(32) })),
  }),
  /** I go: the signature of crypto/removal.ts, good for a commit. */
  leave: z.object({ signature: Signature }),
  /** The generation that `record` starts, and the secret of its link. */
  generation: z.object({ record: Signed, secret: fixedBytesText(32) }),
  /** The newest host state that I know. */
  hostState: z.object({ state: Signed }),
  /** Closed keys of the chat, as `writeSecret` of crypto/chatKey.ts writes them: begun now, or given to whoever asked. */
  chatKeys: z.object({ isNew: z.boolean(), keys: bytesText(42 * 128) }),
  /** I have come: give me the chat's keys that newcomers may have. */
  chatAsk: z.object({}),
} as const;

export type InternalKind = keyof typeof bodies;
export type Body<K extends InternalKind> = z.infer<(typeof bodies)[K]>;

export function isInternalKind(kind: string): kind is InternalKind {
  return Object.hasOwn(bodies, kind);
}
