/**
 * The HTTP interface as the client uses it. Errors arrive as the same ProtocolError as over the socket.
 */
import { ProtocolError } from '../../signal/protocol/errors.ts';
import { CreatedMeeting, Problem } from '../../signal/protocol/http.ts';
import type { SignedTerms } from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { OfflineError } from './offline.ts';

/** Longer than any server takes; a captive portal would keep us waiting for ever. */
const TIMEOUT_MS = 15_000;

/**
 * POST /api/meetings.
 * @param terms  signed by the host key whose hash is the meeting's id
 * @throws ProtocolError as the server answered · OfflineError if it cannot be reached
 */
export async function createMeeting(
  { record, access }: SignedTerms,
  origin = '',
): Promise<{ meeting: MeetingId; expiresAt: number }> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${origin}/api/meetings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ record, access }),
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = await response.json();
  } catch {
    throw new OfflineError();
  }
  if (response.ok) {
    const created = CreatedMeeting.safeParse(body);
    if (created.success) return created.data;
    throw new ProtocolError('malformed', 'answer does not fit its schema');
  }
  const problem = Problem.safeParse(body);
  if (!problem.success) throw new ProtocolError('internal', `status ${response.status}`);
  const { code, title, retryAfterMs } = problem.data;
  throw new ProtocolError(code, title, retryAfterMs === undefined ? {} : { retryAfterMs });
}
