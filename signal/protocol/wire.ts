/**
 * What a WebSocket text message holds: a request, its response, or an event; JSON, at most `MAX_MESSAGE_BYTES`.
 *
 * Unknown fields are ignored, unknown requests are answered with `unsupported`. The same connection pairs requests with
 * responses by `id`, which the client counts up.
 *
 * What the chat pushes comes beside these, unnumbered, as `{ chat: ChatPush }`. Its schemas are in `chat.ts`, which is not imported here:
 * this is loaded before the lobby, and that when the chat is opened.
 */
import * as z from 'zod/mini';
import { errorCodes } from './errors.ts';
import { ServerEvent } from './events.ts';

/** Largest message either way: a Welcome for 100 members with an X-Wing tree in base64url, and room to spare. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;

export const WireRequest = z.object({
  id: z.int().check(z.nonnegative()),
  name: z.string().check(z.maxLength(64)),
  params: z.unknown(),
});
export type WireRequest = z.infer<typeof WireRequest>;

export const WireError = z.object({
  code: z.enum(errorCodes),
  detail: z.string().check(z.maxLength(512)),
  retryAfterMs: z.optional(z.int()),
  epoch: z.optional(z.int()),
});
export type WireError = z.infer<typeof WireError>;

/** From server to client. */
export const WireAnswer = z.union([
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), error: WireError }),
  z.object({ seq: z.int(), event: ServerEvent }),
]);
export type WireAnswer = z.infer<typeof WireAnswer>;
