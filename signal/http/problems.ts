/** Errors over HTTP: problem+json (RFC 9457) with our code, from the one table of errors. */
import type { FastifyError, FastifyReply } from 'fastify';
import { type ErrorCode, errors, ProtocolError } from '../protocol/errors.ts';
import type { Problem } from '../protocol/http.ts';

/** RFC 9457 §3.1.4: a summary for people. Here and not in the shared table, since no client shows it. */
const titles: Record<ErrorCode, string> = {
  badRequest: 'the message does not fit its schema',
  malformed: 'not a message of this protocol',
  unsupported: 'unknown request or protocol version',
  tooLarge: 'beyond the size limit',
  tooMany: 'rate or count limit; see retryAfterMs',
  flooding: 'kept sending beyond the limits',
  outOfOrder: 'this request is not for the present phase',
  meetingNotFound: 'no such meeting, or it has expired',
  meetingExists: 'this meeting id is taken',
  meetingEnded: 'the host has ended the meeting',
  meetingLocked: 'nobody new comes in',
  meetingFull: 'the capacity is reached',
  linkRefused: 'the link key is not the current one: wrong or old link',
  accessRefused: 'the link is right, the password is not',
  proofRefused: 'a signature does not hold',
  notAllowed: 'only a host may',
  peerUnknown: 'no such peer is connected',
  removed: 'a host removed this peer',
  replaced: 'the same peer connected again elsewhere',
  resumeRefused: 'too late, or unknown here: join again',
  staleEpoch: 'another commit was ordered first: rebase',
  groupUnknown: 'not the live group of this meeting',
  commitBarred: 'may not commit now: too soon, or lost the right',
  relayUnavailable: 'there is no relay, or none that works just now',
  relayFull: 'no relay has room for one more',
  streamUnknown: 'this stream has ended, or is none of this meeting',
  chatUnknown: 'no such item, snapshot, file or token in this chat',
  ticketRefused: 'no such pass, or the connection that asked for it has ended',
  chatFull: 'the chat, or this author’s part of it, has no more room',
  draining: 'this server is stopping: connect again',
  internal: 'our fault',
};

export function sendProblem(
  reply: FastifyReply,
  error: ProtocolError,
  status: number = errors[error.code].status,
): FastifyReply {
  const problem: Problem = {
    type: 'about:blank',
    title: error.message === error.code ? titles[error.code] : error.message,
    status,
    code: error.code,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
  // RFC 9110 §10.2.3: whole seconds.
  if (error.retryAfterMs !== undefined) void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
  void reply.header('cache-control', 'no-store');
  return reply.code(status).type('application/problem+json').send(JSON.stringify(problem));
}

/** What fastify itself refuses (a body that is none, or too large), in our words; null for what is our own fault. */
export function fromFastify(error: FastifyError): ProtocolError | null {
  const status = error.statusCode ?? 500;
  if (status >= 500) return null;
  const code: ErrorCode = status === 413 ? 'tooLarge' : 'badRequest';
  return new ProtocolError(code);
}
