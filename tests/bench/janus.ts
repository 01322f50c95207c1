/**
 * Debian's Janus with its video room, told over WebSocket, in a process of its own: what others build calls through a server with.
 *
 * It has a folder of its own with nothing but what is needed, and ends with the bench. Janus leaves the loopback interface out, so
 * media use another address of this machine, which are as local as that.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/namespace.ts';

const PROGRAM = '/usr/bin/janus';
const LIBRARIES = '/usr/lib/x86_64-linux-gnu/janus';
const PATIENCE_MS = 10_000;

export interface Janus {
  readonly pid: number;
  /** Of its WebSocket. */
  readonly url: string;
  close(): Promise<void>;
}

/** @returns why Janus cannot be run here, or null */
export function janusMissing(): string | null {
  if (!existsSync(PROGRAM) || !existsSync(LIBRARIES)) return 'Janus is not installed (apt-get install janus)';
  return localAddress() === null ? 'Janus needs an IPv4 address besides loopback' : null;
}

function localAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;
}

/** @throws Error where it does not serve within ten seconds; call `janusMissing` first */
export async function startJanus(): Promise<Janus> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-janus-'));
  const port = await freePort();
  for (const [kind, library] of [
    ['plugins', 'libjanus_videoroom.so'],
    ['transports', 'libjanus_websockets.so'],
  ] as const) {
    mkdirSync(join(folder, kind));
    symlinkSync(join(LIBRARIES, kind, library), join(folder, kind, library));
  }
  for (const [name, text] of Object.entries(configuration(folder, port))) writeFileSync(join(folder, name), text);
  const server = spawn(PROGRAM, ['--configs-folder', folder], { stdio: 'ignore' });
  const ended = once(server, 'close');
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  const url = `ws://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isServing(url))) {
    if (performance.now() < deadline && server.exitCode === null) continue;
    await close();
    throw new Error('Janus does not serve');
  }
  return { pid: server.pid!, url, close };
}

async function isServing(url: string): Promise<boolean> {
  const socket = new WebSocket(url, 'janus-protocol');
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  socket.close();
  if (!isOpen) await new Promise((resolve) => setTimeout(resolve, 100));
  return isOpen;
}

/** libconfig's format, by file. */
function configuration(folder: string, port: number): Record<string, string> {
  return {
    'janus.jcfg': `
      general: {
        configs_folder = "${folder}"
        plugins_folder = "${folder}/plugins"
        transports_folder = "${folder}/transports"
        events_folder = "${folder}/none"
        loggers_folder = "${folder}/none"
        log_to_stdout = false
        debug_level = 2
      }
      nat: { ice_enforce_list = "${localAddress()}" }
    `,
    'janus.transport.websockets.jcfg': `
      general: { json = "compact" ws = true ws_ip = "127.0.0.1" ws_port = ${port} wss = false }
      admin: { admin_ws = false admin_wss = false }
    `,
    'janus.plugin.videoroom.jcfg': 'general: { }\n',
  };
}
