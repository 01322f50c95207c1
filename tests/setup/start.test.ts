/** `npm start` itself, in this checkout: what npm runs, from the first line to the last. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { areInstalled } from '../../scripts/setup/dependencies.mjs';

const root = join(import.meta.dirname, '../..');

// Run by hand in a checkout that is not set up, this would install under the running tests.
const isSetUp = areInstalled() && existsSync(join(root, 'node_modules/.parley/client.stamp'));

let data: string;
let running: ChildProcess | undefined;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'parley-start-'));
});
afterEach(() => running?.kill('SIGKILL'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

interface Started {
  child: ChildProcess;
  output: () => string;
  exit: Promise<number | null>;
}

function start(args: string[], env: Record<string, string>): Started {
  const child = spawn(process.execPath, [join(root, 'scripts/start.mjs'), ...args], {
    cwd: root,
    // Nothing is fetched or built by a test: a worker that is named, even wrongly, is the only one that is tried.
    env: { ...process.env, PARLEY_DATA: data, MEDIASOUP_WORKER_BIN: '/nonexistent/mediasoup-worker', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exit = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { child, output: () => text, exit };
}

describe.skipIf(!isSetUp)('npm start, in a checkout that is set up', () => {
  test('serves without doing anything again, says which parts are up, and ends in peace', async () => {
    const port = await freePort();
    const { child, output, exit } = start([], { PARLEY_PORT: String(port) });
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
    // Two seconds on a machine that has time; other tests run beside this one.
    await vi.waitFor(async () => expect((await get('/')).status).toBe(200), { timeout: 30_000, interval: 50 });
    expect(output()).not.toMatch(/Installing|Building/);
    expect(output()).toContain(`http://localhost:${port}`);

    const health = (await (await get('/healthz')).json()) as { ok: boolean; parts: { relay: { state: string } } };
    expect(health.ok).toBe(true);
    expect(health.parts.relay.state).toBe('down');

    child.kill('SIGTERM');
    expect(await exit, output()).toBe(0);
  }, 60_000);

  test('lists with --help the very options of the README', async () => {
    const { output, exit } = start(['--help'], {});
    expect(await exit).toBe(0);
    // In the README the first column of its table; in the help the first word of a line.
    const readme = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm);
    const help = output().matchAll(/^ {2}([A-Z_]+) /gm);
    const names = (found: Iterable<RegExpMatchArray>): string[] => [...found].map((match) => match[1]!).sort();
    expect(names(help)).toEqual(names(readme));
  });

  test('names all mistakes in the options at once, and exits with 2', async () => {
    const { output, exit } = start([], { PARLEY_PORT: 'eighty', PARLEY_PUBLIC_URL: 'meet example org' });
    expect(await exit).toBe(2);
    expect(output()).toContain('PARLEY_PORT');
    expect(output()).toContain('PARLEY_PUBLIC_URL');
  });
});
