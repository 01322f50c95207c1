/** Bodies of the HTTP interface. Errors are problem+json (RFC 9457) with our `code` beside the standard members. */
import * as z from 'zod/mini';
import { SignedTerms } from './documents.ts';
import { errorCodes } from './errors.ts';
import { MeetingId, Ms } from './ids.ts';

/** POST /api/meetings. The record is signed by the host key that the id is the hash of. */
export const CreateMeeting = SignedTerms;
export const CreatedMeeting = z.object({
  meeting: MeetingId,
  /** When it goes if nobody uses it. */
  expiresAt: Ms,
});

/** RFC 9457 §3.1. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(errorCodes),
  retryAfterMs: z.optional(z.int()),
});
export type Problem = z.infer<typeof Problem>;

const Part = z.object({ state: z.enum(['up', 'starting', 'down']), detail: z.optional(z.string()) });

/** GET /healthz: which parts are up. Status 200 while people can meet, 503 otherwise. */
export const Health = z.object({
  ok: z.boolean(),
  parts: z.object({ store: Part, bus: Part, client: Part, relay: Part }),
});
export type Health = z.infer<typeof Health>;
