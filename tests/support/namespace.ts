/**
 * A network namespace with a veth pair and a default route: a network of the test's own, for programs that will not use loopback.
 *
 * Needs root on Linux. Unix sockets reach across network namespaces, so ports are carried in and out by small forwarders;
 * a page inside is still at http://localhost, a secure origin.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why there can be no namespace here, or null. */
export function whyNoNamespace(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' });
    execFileSync('unshare', ['-n', 'true'], { stdio: 'ignore' });
  } catch {
    return 'this system gives no network namespaces';
  }
  return null;
}

export interface Namespace {
  readonly name: string;
  /** Address inside, at present; 10.x.y.1 is outside. */
  readonly address: string;
  readonly gateway: string;
  /** The outer end of its link. */
  readonly link: string;
  /** A script that runs a program inside, with all that is inherited (pipes too): for `executablePath`. */
  wrap(program: string): string;
  run(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess;
  /** Its address is another from now on, as after a change of network; what was bound to the old one has none. */
  move(): void;
  /** A server of the outside's 127.0.0.1:`port` appears inside, at the same port. */
  bringIn(port: number): Promise<void>;
  /** A server of the inside's 127.0.0.1:`port` appears outside, at the same port. */
  bringOut(port: number): Promise<void>;
  close(): Promise<void>;
}

/** A port that is free outside at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

let count = 0;

/** @param behind  name of a namespace that has the outer end, in place of this machine: a router (internet.ts) */
export async function createNamespace(behind: string | null = null): Promise<Namespace> {
  const id = (process.pid + count++ * 7919) % 60_000;
  const name = `parley${id}`;
  const [outside, inside] = [`pv${id}o`, `pv${id}i`];
  const subnet = `10.${100 + ((id >> 8) % 100)}.${id & 0xff}`;
  const folder = mkdtempSync(join(tmpdir(), 'parley-net-'));
  const children: ChildProcess[] = [];
  const servers: Server[] = [];
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const outer = behind === null ? [] : ['-n', behind];
  ip('netns', 'add', name);
  try {
    ip(...outer, 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
    ip(...outer, 'addr', 'add', `${subnet}.1/24`, 'dev', outside);
    ip(...outer, 'link', 'set', outside, 'up');
    ip('-n', name, 'addr', 'add', `${subnet}.2/24`, 'dev', inside);
    ip('-n', name, 'link', 'set', inside, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    // Firefox gathers no candidates without a default route.
    ip('-n', name, 'route', 'add', 'default', 'via', `${subnet}.1`);
  } catch (error) {
    ip('netns', 'delete', name);
    throw error;
  }

  let last = 2;
  const address = (): string => `${subnet}.${last}`;

  function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  }

  /** Carries connections from one end to the other, inside. An end is a port on 127.0.0.1 or the path of a Unix socket. */
  async function forwardInside(from: number | string, to: number | string): Promise<void> {
    const script = `
      const net = require('node:net');
      const end = (text) => (/^\\d+$/.test(text) ? { port: Number(text), host: '127.0.0.1' } : { path: text });
      const [from, to] = process.argv.slice(1);
      net.createServer((near) => {
        const far = net.connect(end(to));
        near.pipe(far).pipe(near);
        near.on('error', () => far.destroy());
        far.on('error', () => near.destroy());
      }).listen(end(from), () => console.log('ready'));`;
    const child = run(process.execPath, ['-e', script, String(from), String(to)]);
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once('data', () => resolve());
      child.once('exit', () => reject(new Error(`cannot forward ${from} to ${to}`)));
    });
  }

  async function listenOutside(
    from: { path: string } | { port: number; host: string },
    to: { path: string } | { port: number; host: string },
  ): Promise<void> {
    const server = createServer((near) => {
      const far = connect(to);
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(from, resolve));
  }

  const clean = (): void => {
    for (const child of children) child.kill('SIGKILL');
    ip('netns', 'delete', name);
    rmSync(folder, { recursive: true, force: true });
  };
  // Also where a test run is cut short: a namespace outlives its processes.
  process.on('exit', clean);

  return {
    name,
    get address() {
      return address();
    },
    gateway: `${subnet}.1`,
    link: outside,
    wrap(program) {
      const path = join(folder, `run-${children.length}-${Math.random().toString(36).slice(2)}`);
      writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${name} ${program} "$@"\n`);
      chmodSync(path, 0o755);
      return path;
    },
    run,
    move() {
      ip('-n', name, 'addr', 'del', `${address()}/24`, 'dev', inside);
      last++;
      ip('-n', name, 'addr', 'add', `${address()}/24`, 'dev', inside);
      // It went with the address.
      ip('-n', name, 'route', 'replace', 'default', 'via', `${subnet}.1`);
    },
    async bringIn(port) {
      const path = join(folder, `in-${port}`);
      if (existsSync(path)) return;
      await listenOutside({ path }, { port, host: '127.0.0.1' });
      await forwardInside(port, path);
    },
    async bringOut(port) {
      const path = join(folder, `out-${port}`);
      await forwardInside(path, port);
      await listenOutside({ port, host: '127.0.0.1' }, { path });
    },
    async close() {
      process.off('exit', clean);
      for (const server of servers) server.close();
      clean();
    },
  };
}
