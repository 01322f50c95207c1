/** GET /healthz: which parts are up. 200 while people can meet. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import * as z from 'zod/mini';
import type { Bus } from '../bus/bus.ts';
import type { Health } from '../protocol/http.ts';
import type { RelayPort } from '../protocol/relayControl.ts';
import type { Store } from '../store/store.ts';

type Part = Health['parts']['relay'];

/** What the set-up writes while it obtains the relay's worker. */
const WorkerStatus = z.object({
  state: z.enum(['missing', 'fetching', 'building', 'ready', 'failed']),
  detail: z.optional(z.nullable(z.string())),
  progress: z.optional(z.unknown()),
});

export interface HealthTerms {
  readonly store: Store;
  readonly bus: Bus;
  readonly clientDir: string;
  /** Null: none is wanted. */
  readonly relay: Pick<RelayPort, 'isReady'> | null;
  /** Why the relay in this process did not start. */
  readonly relayFailure: () => string | null;
  readonly relayStatusFile: string | null;
}

export function serveHealth(app: FastifyInstance, terms: HealthTerms): void {
  app.get('/healthz', async (_request, reply) => {
    const health = await healthOf(terms);
    return reply
      .code(health.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(health);
  });
}

async function healthOf({ store, bus, clientDir, relay, relayFailure, relayStatusFile }: HealthTerms): Promise<Health> {
  const answers = await store.ping().then(
    () => true,
    () => false,
  );
  const parts: Health['parts'] = {
    store: answers ? { state: 'up' } : { state: 'down', detail: 'the database does not answer' },
    bus: bus.isUp() ? { state: 'up' } : { state: 'down' },
    client: existsSync(join(clientDir, 'index.html'))
      ? { state: 'up' }
      : { state: 'down', detail: 'the client has not been built' },
    relay: await relayPart(relay, relayFailure(), relayStatusFile),
  };
  // Small meetings are a mesh: they wait for no relay.
  const ok = [parts.store, parts.bus, parts.client].every(({ state }) => state === 'up');
  return { ok, parts };
}

async function relayPart(relay: HealthTerms['relay'], failure: string | null, file: string | null): Promise<Part> {
  if (relay === null) return { state: 'down', detail: 'off' };
  if (relay.isReady) return { state: 'up' };
  if (failure !== null) return { state: 'down', detail: failure };
  if (file === null) return { state: 'down', detail: 'not set up' };
  let status: z.infer<typeof WorkerStatus>;
  try {
    status = WorkerStatus.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return { state: 'down', detail: 'not set up' };
  }
  const detail = `worker ${status.state}${status.detail ? `: ${status.detail}` : ''}`;
  switch (status.state) {
    // There is a worker: the relay starts it any moment.
    case 'ready':
    case 'fetching':
    case 'building':
      return { state: 'starting', detail };
    case 'missing':
    case 'failed':
      return { state: 'down', detail };
  }
}
