/** Row 16: sockets and meetings of one signal process: memory of an idle socket, CPU of a delivery, p99, against a plain ws relay. */
import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Health } from '../../signal/protocol/http.ts';
import { freePort } from '../support/namespace.ts';
import type { Bench } from './measure.ts';
import { figure, quantile } from './measure.ts';
import type { Order, Talked } from './processes/socketClients.ts';
import { cpuMs, residentBytes } from './procfs.ts';

type SideName = 'parley' | 'plain';

interface Side {
  readonly server: number;
  order<R>(order: Order): Promise<R>;
  url: string;
  close(): Promise<void>;
}

/** Connected before memory is measured for the first time. */
const WARM_ROOMS = 2;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Both servers alike. */
const COLLECTS = ['--expose-gc', '--import', new URL('processes/gcOnSignal.ts', import.meta.url).href];

async function startPlain(): Promise<{ server: ChildProcess; url: string }> {
  const server = fork(new URL('processes/plainRelay.ts', import.meta.url), { execArgv: COLLECTS });
  const { port } = await new Promise<{ port: number }>((resolve) =>
    server.once('message', (message) => resolve(message as { port: number })),
  );
  return { server, url: `http://127.0.0.1:${port}` };
}

async function startParley(data: string): Promise<{ server: ChildProcess; url: string }> {
  const port = await freePort();
  const env = {
    ...process.env,
    PARLEY_PORT: String(port),
    PARLEY_DATA: data,
    PARLEY_LOG_LEVEL: 'error',
    PARLEY_CONNECTIONS_PER_ADDRESS: '20000',
    PARLEY_CONNECTIONS: '20000',
    PARLEY_MEETINGS_PER_HOUR: '1000000',
    PARLEY_RELAY: 'embedded',
    PARLEY_RELAY_WORKERS: '1',
  };
  const server = spawn(process.execPath, [...COLLECTS, 'signal/main.ts'], {
    cwd: new URL('../..', import.meta.url),
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    server.stdout.on('data', (data: Buffer) => data.toString().includes('ready') && resolve());
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  const { parts } = Health.parse(await (await fetch(`${url}/healthz`)).json());
  if (parts.relay.state === 'up') return { server, url };
  server.kill();
  throw new Error('meetings of ten need the relay’s worker: npm run bench fetches or builds it');
}

async function startSide(side: SideName): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  const { server, url } = await (side === 'plain' ? startPlain() : startParley(folder)).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const clients = fork(new URL('processes/socketClients.ts', import.meta.url));
  return {
    server: server.pid!,
    url,
    order: <R>(order: Order) =>
      new Promise<R>((resolve, reject) => {
        clients.once('message', (message: { result?: R; error?: string }) => {
          if (message.error === undefined) resolve(message.result!);
          else reject(new Error(message.error));
        });
        clients.send(order);
      }),
    async close() {
      clients.kill();
      const ended = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : null;
      server.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resident bytes of what is really in use. */
async function settledBytes(side: Side, quick: boolean): Promise<number> {
  await wait(quick ? 1000 : 5000);
  for (let i = 0; i < 3; i++) {
    process.kill(side.server, 'SIGUSR2');
    await wait(1000);
  }
  return residentBytes(side.server);
}

/** A side with all its sockets open, and KiB of each. */
async function filled(name: SideName, rooms: number, quick: boolean): Promise<{ side: Side; kib: number }> {
  const side = await startSide(name);
  try {
    // What a server needs for its first clients at all is not the price of a socket.
    await side.order({ do: 'connect', side: name, url: side.url, rooms: WARM_ROOMS });
    const before = await settledBytes(side, quick);
    const order = { do: 'connect', side: name, url: side.url, rooms: rooms - WARM_ROOMS } as const;
    const { connected } = await side.order<{ connected: number }>(order);
    const after = await settledBytes(side, quick);
    const open = await side.order<{ connected: number }>({ ...order, rooms: 0 });
    for (const count of [connected, open.connected])
      if (count !== rooms * 10) throw new Error(`${name}: ${count} of ${rooms * 10} sockets are open`);
    return { side, kib: (after - before) / ((rooms - WARM_ROOMS) * 10) / 1024 };
  } catch (error) {
    await side.close();
    throw error;
  }
}

export const sockets: Bench = {
  row: 16,
  name: 'sockets',
  title: 'Sockets of one signal process, meetings of ten',
  async run({ rounds, quick, say }) {
    const rooms = quick ? 50 : 1000;
    const perSecond = quick ? 50 : 150;
    const seconds = quick ? 2 : 6;
    const names = ['parley', 'plain'] as const;
    const memory: Record<SideName, number[]> = { parley: [], plain: [] };
    const sides: Side[] = [];
    try {
      // New processes in each round: what a server has once taken it hardly ever gives back. The last ones stay, for the talk.
      for (let round = 0; round < rounds; round++) {
        for (const side of sides.splice(0)) await side.close();
        for (const name of names) {
          const from = performance.now();
          const { side, kib } = await filled(name, rooms, quick);
          sides.push(side);
          memory[name].push(kib);
          const took = (performance.now() - from) / 1000;
          say(`${name}: ${rooms * 10} sockets in ${took.toFixed(0)} s, ${kib.toFixed(1)} KiB each`);
        }
      }
      const found = names.map(() => ({ cpu: [] as number[], p50: [] as number[], p99: [] as number[] }));
      for (let round = -1; round < rounds; round++) {
        for (const [i, side] of sides.entries()) {
          const before = cpuMs([side.server]);
          const talked = await side.order<Talked>({ do: 'talk', perSecond, seconds });
          if (talked.delivered !== talked.sent * 9)
            throw new Error(`${names[i]}: ${talked.delivered} of ${talked.sent * 9} deliveries`);
          if (round < 0) continue;
          found[i]!.cpu.push(((cpuMs([side.server]) - before) * 1000) / talked.delivered);
          found[i]!.p50.push(quantile(talked.latencies, 0.5));
          found[i]!.p99.push(quantile(talked.latencies, 0.99));
        }
      }
      const [ours, plain] = [found[0]!, found[1]!];
      const against = { against: 'plain ws relay', limit: 1.3 };
      return {
        figures: [
          figure(
            'memory of an idle socket, its peer and its tenth of a meeting',
            'KiB',
            memory.parley,
            memory.plain,
            against,
          ),
          figure('CPU of a delivery', 'µs', ours.cpu, plain.cpu, against),
          figure(`delivery, p50 at ${rooms * 10} sockets`, 'ms', ours.p50, plain.p50, { against: 'plain ws relay' }),
          figure(`delivery, p99 at ${rooms * 10} sockets`, 'ms', ours.p99, plain.p99, against),
        ],
        checked: [
          'every message was delivered to all nine others, in every round',
          'all sockets were open before and after their memory was measured, in new processes in each round, after a collection of garbage',
        ],
      };
    } finally {
      for (const side of sides) await side.close();
    }
  },
};
