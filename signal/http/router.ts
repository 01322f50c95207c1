/** What all routes share: headers, problems instead of bare errors, and a log that says path and status and nothing more. */
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { securityHeaders } from './headers.ts';
import { fromFastify, sendProblem } from './problems.ts';

export function frame(app: FastifyInstance, config: Pick<Config, 'tls' | 'publicUrl'>): void {
  const isSecure = config.tls !== null || config.publicUrl?.startsWith('https:') === true;
  const publicHosts = config.publicUrl === null ? [] : [new URL(config.publicUrl).host];

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders(isSecure, [...publicHosts, request.headers.host ?? '']));
  });
  app.addHook('onResponse', async (request, reply) => {
    const path = request.url.split('?')[0];
    const ms = Math.round(reply.elapsedTime);
    request.log.debug({ method: request.method, path, status: reply.statusCode, ms }, 'answered');
  });
  app.setNotFoundHandler(async (_request, reply) =>
    sendProblem(reply, new ProtocolError('unsupported', 'there is nothing at this address'), 404),
  );
  app.setErrorHandler(async (error, request, reply) => {
    const known = error instanceof ProtocolError ? error : fromFastify(error as Parameters<typeof fromFastify>[0]);
    if (known === null) request.log.error({ err: error }, 'internal error');
    return sendProblem(reply, known ?? new ProtocolError('internal'));
  });
}
