/** A relay as an operator would run it: a process of its own, at a host of the test's internet. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './namespace.ts';

export const RELAY_SECRET = 'what relay and signal know in tests alone';

/** Where a relay runs: a host of the test's internet, or this machine. */
export type RelayHost = Pick<Namespace, 'name' | 'address' | 'run' | 'bringIn'>;

/** On loopback, beside the test. @param name unlike any other relay's */
export function thisMachine(name: string): RelayHost {
  return {
    name,
    address: '127.0.0.1',
    run: (program, args, env) => spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    bringIn: async () => undefined,
  };
}

export interface RelayProcess {
  readonly child: ChildProcess;
  /** Process ids of its mediasoup workers. */
  workers(): number[];
  /** What it has printed. */
  log(): string;
}

/** @param signalPort of the server outside, which is carried in */
export async function startRelayProcess(
  at: RelayHost,
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
  return { child, workers: () => childrenOf(child.pid!), log: () => text };
}

function childrenOf(parent: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => {
    try {
      // proc(5): the name is in parentheses and may hold anything; state and parent follow it.
      const [, ppid] = /.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(ppid) === parent;
    } catch {
      return false; // it has ended meanwhile
    }
  });
}
