/**
 * The client's files. Those named by their hash are kept for ever by caches, everything else is asked for again each time;
 * compressed variants that lie beside a file are sent to whoever takes them.
 */
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import { ProtocolError } from '../protocol/errors.ts';
import { sendProblem } from './problems.ts';

const FOR_EVER = 'public, max-age=31536000, immutable';
const ASK_AGAIN = 'no-cache';

export async function serveClient(app: FastifyInstance, clientDir: string): Promise<void> {
  const hashed = join(clientDir, 'assets') + sep;
  await app.register(fastifyStatic, {
    root: clientDir,
    index: false,
    preCompressed: true,
    dotfiles: 'ignore',
    cacheControl: false,
    setHeaders: (reply, path) => {
      void reply.header('cache-control', path.startsWith(hashed) ? FOR_EVER : ASK_AGAIN);
    },
  });
  // One page; what it shows follows from its address.
  for (const path of ['/', '/m/*']) {
    app.get(path, (_request, reply) => {
      if (existsSync(join(clientDir, 'index.html'))) return reply.sendFile('index.html');
      return sendProblem(reply, new ProtocolError('internal', 'the client has not been built: run npm start'));
    });
  }
}
