/** Errors over HTTP: problem+json (RFC 9457) with our code, from the one table of errors. */
import type { FastifyError, FastifyReply } from 'fastify';
import { type ErrorCode, errors, ProtocolError } from '../protocol/errors.ts';
import type { Problem } from '../protocol/http.ts';

export function sendProblem(
  reply: FastifyReply,
  error: ProtocolError,
  status: number = errors[error.code].status,
): FastifyReply {
  const problem: Problem = {
    type: 'about:blank',
    title: error.message,
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
