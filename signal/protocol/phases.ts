/** How far a connection has come, and what each request says of itself. */
import type * as z from 'zod/mini';

/**
 * `new`: nothing yet · `linked`: holds the link · `admitted`: holds link and password · `joined`: a peer of the meeting.
 */
export type Phase = 'new' | 'linked' | 'admitted' | 'joined';

export interface RequestSpec {
  phase: Phase;
  params: z.ZodMiniType;
  result: z.ZodMiniType;
}
