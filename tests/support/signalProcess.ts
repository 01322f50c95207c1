/** Signal as an operator would run it: a process of its own with the built client, which may be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './namespace.ts';
import { until } from './person.ts';
import { clientFolder } from './servedApp.ts';

export interface SignalProcess {
  readonly origin: string;
  readonly port: number;
  /** With SIGKILL: it says goodbye to nobody. */
  kill(): Promise<void>;
  /** Again, on the same port, with the same data. Resolves when it serves. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startSignalProcess(more: Record<string, string> = {}): Promise<SignalProcess> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'parley-signal-'));
  const env = {
    PATH: process.env['PATH'],
    PARLEY_DATA: folder,
    PARLEY_PORT: String(port),
    PARLEY_CLIENT: clientFolder(),
    PARLEY_RELAY: 'off',
    ...more,
  };
  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    const started = spawn(process.execPath, [join(import.meta.dirname, '../../signal/main.ts')], { env });
    child = started;
    let text = '';
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (chunk: Buffer) => (text += String(chunk)));
    await until(
      async () => text.includes('Parley is ready'),
      () => `signal is ready; instead: ${text}`,
    );
  }

  async function kill(): Promise<void> {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    origin: `http://localhost:${port}`,
    port,
    kill,
    start,
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
