/** Debian's coturn for tests: UDP on loopback, credentials by a shared secret that expire (TURN REST). */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './namespace.ts';

/** coturn's path, or null. */
export function turnServerPath(): string | null {
  const candidates = [process.env['PARLEY_TURNSERVER'], '/usr/bin/turnserver'];
  return candidates.find((path) => path !== undefined && path !== '' && existsSync(path)) ?? null;
}

export interface TurnServer {
  /** For PARLEY_TURN_URLS. */
  readonly url: string;
  readonly secret: string;
  /** How many allocations were made so far. */
  allocations(): number;
  close(): Promise<void>;
}

export async function startTurnServer(): Promise<TurnServer> {
  const program = turnServerPath();
  if (program === null) throw new Error('no coturn found: set PARLEY_TURNSERVER to its turnserver (Debian: coturn)');
  const folder = mkdtempSync(join(tmpdir(), 'parley-turn-'));
  const port = await freePort();
  const secret = 'only for this test';
  const settings = {
    'listening-port': String(port),
    'listening-ip': '127.0.0.1',
    'relay-ip': '127.0.0.1',
    'static-auth-secret': secret,
    realm: 'parley.test',
    userdb: join(folder, 'turn.db'),
    pidfile: join(folder, 'turn.pid'),
    'log-file': 'stdout',
  };
  const flags = [
    'use-auth-secret',
    'allow-loopback-peers',
    'no-tls',
    'no-dtls',
    'no-cli',
    'fingerprint',
    'simple-log',
    'verbose',
  ];
  const args = [
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
    ...flags.map((name) => `--${name}`),
  ];
  // -n: no configuration file of the machine.
  const child = spawn(program, ['-n', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    const read = (data: Buffer): void => {
      log += data.toString();
      if (log.includes('IPv4. UDP listener opened') || log.includes('Total auth threads')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`coturn ended:\n${log}`)));
    setTimeout(() => reject(new Error(`coturn does not start:\n${log}`)), 15_000).unref();
  });
  return {
    url: `turn:127.0.0.1:${port}?transport=udp`,
    secret,
    allocations: () => log.match(/ALLOCATE processed, success/g)?.length ?? 0,
    close: () =>
      new Promise((resolve) => {
        child.once('exit', () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGTERM');
      }),
  };
}
