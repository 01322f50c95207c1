/** Row 16: sockets and meetings of one signal process: memory of an idle socket, CPU of a delivery, p99, against a plain ws relay. */
import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/namespace.ts';
import type { Bench } from './measure.ts';
import { figure, quantile } from './measure.ts';
import type { Order, Talked } from './processes/socketClients.ts';
import { cpuMs, residentBytes } from './procfs.ts';

interface Side {
  readonly server: number;
  order<R>(order: Order): Promise<R>;
  url: string;
  close(): void;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function startSide(side: 'parley' | 'plain'): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  let server: ChildProcess;
  let url: string;
  if (side === 'plain') {
    server = fork(new URL('processes/plainRelay.ts', import.meta.url), { execArgv: ['--expose-gc'] });
    const { port } = await new Promise<{ port: number }>((resolve) =>
      server.once('message', (message) => resolve(message as { port: number })),
    );
    url = `http://127.0.0.1:${port}`;
  } else {
    const port = await freePort();
    const env = {
      ...process.env,
      PARLEY_PORT: String(port),
      PARLEY_DATA: folder,
      PARLEY_LOG_LEVEL: 'error',
      PARLEY_CONNECTIONS_PER_ADDRESS: '20000',
      PARLEY_CONNECTIONS: '20000',
      PARLEY_MEETINGS_PER_HOUR: '1000000',
    };
    server = spawn(process.execPath, ['signal/main.ts'], {
      cwd: new URL('../..', import.meta.url),
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      server.stdout!.on('data', (data: Buffer) => data.toString().includes('ready') && resolve());
      server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
    url = `http://127.0.0.1:${port}`;
  }
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
    close() {
      clients.kill();
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
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
    const sides = await Promise.all(names.map(startSide));
    try {
      const memory: number[] = [];
      for (const [i, side] of sides.entries()) {
        // What a server needs for its first clients at all is not the price of a socket.
        await side.order({ do: 'connect', side: names[i]!, url: side.url, rooms: 2 });
        await wait(2000);
        const before = residentBytes(side.server);
        const from = performance.now();
        const { connected } = await side.order<{ connected: number }>({
          do: 'connect',
          side: names[i]!,
          url: side.url,
          rooms: rooms - 2,
        });
        if (connected !== rooms * 10) throw new Error(`${names[i]}: ${connected} of ${rooms * 10} sockets are open`);
        await wait(quick ? 2000 : 15_000);
        memory.push((residentBytes(side.server) - before) / (connected - 20) / 1000);
        say(
          `${names[i]}: ${connected} sockets in ${((performance.now() - from) / 1000).toFixed(0)} s, ${memory[i]!.toFixed(1)} kB each`,
        );
      }
      const found = sides.map(() => ({ cpu: [] as number[], p50: [] as number[], p99: [] as number[] }));
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
            'kB',
            [memory[0]!],
            [memory[1]!],
            against,
          ),
          figure('CPU of a delivery', 'µs', ours.cpu, plain.cpu, against),
          figure(`delivery, p50 at ${rooms * 10} sockets`, 'ms', ours.p50, plain.p50, { against: 'plain ws relay' }),
          figure(`delivery, p99 at ${rooms * 10} sockets`, 'ms', ours.p99, plain.p99, against),
        ],
        checked: [
          'every message was delivered to all nine others, in every round',
          'all sockets were open when their memory was measured',
        ],
      };
    } finally {
      for (const side of sides) side.close();
    }
  },
};
