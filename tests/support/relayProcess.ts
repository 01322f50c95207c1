/** A relay as an operator would run it: a process of its own, at a host of the test's internet. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Namespace } from './namespace.ts';

export const RELAY_SECRET = 'what relay and signal know in tests alone';

export interface RelayProcess {
  readonly child: ChildProcess;
  /** What it has printed. */
  log(): string;
}

/** @param signalPort of the server outside, which is carried in */
export async function startRelayProcess(
  at: Namespace,
  signalPort: number,
  more: Record<string, string> = {},
): Promise<RelayProcess> {
  await at.bringIn(signalPort);
  const env = {
    ...process.env,
    PARLEY_RELAY_SIGNAL: `http://127.0.0.1:${signalPort}`,
    PARLEY_RELAY_SECRET: RELAY_SECRET,
    PARLEY_RELAY_NAME: at.name,
    PARLEY_RELAY_ADDRESS: at.address,
    PARLEY_RELAY_WORKERS: '1',
    ...more,
  };
  const child = at.run(process.execPath, [join(import.meta.dirname, '../../relay/main.ts')], env);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, log: () => text };
}
