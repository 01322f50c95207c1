/**
 * Starts the real server in this process: a free port, a data folder of its own, the built client if there is one.
 *
 * Options are those of `npm start -- --help`. Limits per address are lifted, because in tests everybody has the same one.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, createApp, type Given } from '../../signal/app.ts';
import { type Environment, readConfig } from '../../signal/config.ts';

export interface StartedApp {
  /** Origin, `http://localhost:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly app: App;
  readonly dataDir: string;
  /** Stops it and forgets its data. Idempotent. */
  close(): Promise<void>;
  /** Stops it as SIGTERM would, and starts it again on the same port with the same data, or what `meanwhile` makes of them. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
}

/** Real workers, for meetings of more than a mesh carries with media. Signal alone is content with a FakeRelay. */
export const WITH_RELAY: Environment = { PARLEY_RELAY: 'embedded', PARLEY_RELAY_WORKERS: '1' };

const ROOT = join(import.meta.dirname, '../..');

/** Half a minute, for whoever waits for it (tests/signal/topology.test.ts has the real one). */
export const SOON_CALM = { calmMs: 3000 };

/** @param given  a clock of the test's own; FakeRelay where meetings are larger than a mesh, and no media flows; a shorter calm */
export async function startApp(options: Environment = {}, given: Given = {}): Promise<StartedApp> {
  const dataDir = options['PARLEY_DATA'] ?? (await mkdtemp(join(tmpdir(), 'parley-')));
  const start = async (port: number): Promise<{ app: App; port: number }> => {
    const env: Environment = {
      PARLEY_LOG_LEVEL: 'error',
      // Workers of mediasoup for those tests alone that want them.
      PARLEY_RELAY: 'off',
      PARLEY_CONNECTIONS_PER_ADDRESS: '20000',
      PARLEY_MEETINGS_PER_HOUR: '1000000',
      ...options,
      PARLEY_DATA: dataDir,
      PARLEY_PORT: String(port),
    };
    const app = await createApp(
      readConfig(env, ROOT, (path) => readFileSync(path, 'utf8')),
      given,
    );
    return { app, port: await app.listen() };
  };
  let running = await start(Number(options['PARLEY_PORT'] ?? 0));
  const scheme = options['PARLEY_TLS_CERT'] === undefined ? 'http' : 'https';
  return {
    url: `${scheme}://localhost:${running.port}`,
    port: running.port,
    dataDir,
    get app() {
      return running.app;
    },
    async close() {
      await running.app.close();
      if (options['PARLEY_DATA'] === undefined) await rm(dataDir, { recursive: true, force: true });
    },
    async restart(meanwhile) {
      await running.app.close();
      await meanwhile?.();
      running = await start(running.port);
    },
  };
}
