/** The server as a process: what it prints, how it fails, how it stops. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { create, join as joinMeeting } from './client.ts';
import { newGroupId, TestMeeting } from './keys.ts';

const MAIN = join(import.meta.dirname, '../../signal/main.ts');
let folder: string;
const running: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-process-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rm(folder, { recursive: true }));

interface Run {
  child: ChildProcess;
  output: () => string;
  /** Exit code. */
  ended: Promise<number | null>;
}

function start(env: Record<string, string>, args: string[] = [], as: { uid?: number; gid?: number } = {}): Run {
  const child = spawn(process.execPath, [MAIN, ...args], {
    ...as,
    env: { PATH: process.env['PATH'], PARLEY_DATA: join(folder, 'data'), PARLEY_PORT: '0', ...env },
  });
  running.push(child);
  let output = '';
  child.stdout.on('data', (text) => (output += String(text)));
  child.stderr.on('data', (text) => (output += String(text)));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, output: () => output, ended };
}

async function ready(run: Run): Promise<string> {
  return expect
    .poll(() => /Parley is ready: (http:\/\/localhost:\d+)\n/.exec(run.output())?.[1], { timeout: 15_000 })
    .toBeDefined()
    .then(() => /ready: (\S+)/.exec(run.output())![1]!);
}

describe('the process', () => {
  test('says where it is ready, serves, and after SIGTERM tells everybody and is gone within five seconds', async () => {
    const run = start({});
    const url = await ready(run);
    expect((await fetch(`${url}/healthz`)).headers.get('content-type')).toMatch(/json/);
    const meeting = new TestMeeting();
    await create(url, meeting);
    const { client } = await joinMeeting(url, meeting);
    // Somebody who does not even answer the farewell.
    const deaf = await joinMeeting(url, meeting);
    deaf.client.socket.pause();
    const started = Date.now();
    run.child.kill('SIGTERM');
    await client.next('server.draining');
    expect((await client.closed).code).toBe(1012);
    expect(await run.ended).toBe(0);
    expect(Date.now() - started).toBeLessThan(5000);
    deaf.client.cut();
    expect(run.output()).not.toMatch(/warn|deprecat|error/i);

    const again = start({});
    await joinMeeting(await ready(again), meeting);
    again.child.kill('SIGINT');
    expect(await again.ended).toBe(0);
  });

  test('lists its options, and says what is wrong with them with exit code 2', async () => {
    const help = start({}, ['--help']);
    expect(await help.ended).toBe(0);
    expect(help.output()).toMatch(/PARLEY_PORT .*\[3000\]/);
    const wrong = start({ PARLEY_HOST: 'a b', PARLEY_PORT: 'x', PARLEY_RELAY_ADDRESS: '/', PARLEY_LOG_LEVEL: 'y' });
    expect(await wrong.ended).toBe(2);
    expect(wrong.output()).toMatch(
      /PARLEY_HOST is "a b"[^]*PARLEY_PORT is "x"[^]*PARLEY_RELAY_ADDRESS is "[^]*PARLEY_LOG_LEVEL is "y"[^]*--help/,
    );
    const argument = start({}, ['--port=80']);
    expect(await argument.ended).toBe(2);
    expect(argument.output()).toMatch(/"--port=80" is no argument/);
  });

  test('says that a port is in use, an address is none of this machine, a data folder is a file', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    await writeFile(join(folder, 'file'), '');
    const runs = [
      start({ PARLEY_PORT: String(port), PARLEY_DATA: join(folder, 'one') }),
      start({ PARLEY_HOST: '203.0.113.77', PARLEY_DATA: join(folder, 'two') }),
      start({ PARLEY_DATA: join(folder, 'file') }),
    ];
    expect(await Promise.all(runs.map(({ ended }) => ended))).toEqual([1, 1, 1]);
    const [port1, address, data] = runs.map(({ output }) => output()) as [string, string, string];
    expect(port1).toMatch(new RegExp(`^Port ${port} is in use on 127.0.0.1.*PARLEY_PORT`));
    expect(address).toMatch(/^PARLEY_HOST is "203.0.113.77", which is no address of this machine/);
    expect(data).toMatch(/cannot be a data folder.*PARLEY_DATA/);
    for (const output of [port1, address, data]) expect(output.trim().split('\n')).toHaveLength(1);
    taken.close();
  });

  test('takes up a renewed certificate at SIGHUP', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const issue = () =>
      execFileSync(
        'openssl',
        [...'req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=localhost -keyout'.split(' '), key, '-out', cert],
        { stdio: 'pipe' },
      );
    issue();
    const run = start({ PARLEY_TLS_CERT: cert, PARLEY_TLS_KEY: key, PARLEY_LOG_LEVEL: 'info' });
    await expect.poll(() => run.output(), { timeout: 15_000 }).toMatch(/Parley is ready: https:/);
    issue();
    run.child.kill('SIGHUP');
    await expect.poll(() => run.output(), { timeout: 5000 }).toMatch(/a new certificate is in use/);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
  });

  test('says that a data folder cannot be written to', async () => {
    const locked = await mkdtemp(join(folder, 'locked-'));
    await chmod(locked, 0o500);
    // Root may write to any folder but the kernel's own.
    const data = process.getuid?.() === 0 ? '/sys' : locked;
    const run = start({ PARLEY_DATA: data });
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(/cannot be written to.*PARLEY_DATA/);
  });

  test('says so too where a database lies in that folder already', async () => {
    const data = await mkdtemp(join(folder, 'filled-'));
    const first = start({ PARLEY_DATA: data });
    await ready(first);
    first.child.kill('SIGTERM');
    await first.ended;
    for (const name of await readdir(data)) await chmod(join(data, name), 0o444);
    await chmod(data, 0o555);
    await chmod(folder, 0o755);
    // Root may write anywhere: somebody else then.
    const run = start({ PARLEY_DATA: data }, [], process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {});
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(/^The data folder .* cannot be written to.*PARLEY_DATA/);
    await chmod(data, 0o755);
  });

  test('says that its Node is too old, with exit code 1, before it loads what such a Node cannot', async () => {
    const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.1' } })";
    const run = start({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(old)}` });
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(/^Parley's server needs Node 22 or newer, this is 20\.11\.1\./);
    expect(run.output().trim().split('\n')).toHaveLength(1);
  });

  test('logs neither tokens nor proofs nor bodies, at any level', async () => {
    const run = start({ PARLEY_LOG_LEVEL: 'debug' });
    const url = await ready(run);
    const meeting = new TestMeeting();
    await create(url, meeting);
    const { client, joined, leaf } = await joinMeeting(url, meeting);
    await client.request('group.create', { groupId: newGroupId() });
    await client.request('message.send', { to: null, body: 'c2VjcmV0LWJvZHk' });
    await fetch(`${url}/m/${meeting.id}?secret=query-words`);
    run.child.kill('SIGTERM');
    await run.ended;
    const output = run.output();
    expect(output).toContain('"path":"/api/meetings"');
    for (const secret of [joined.token, leaf.publicKey, 'c2VjcmV0LWJvZHk', 'query-words', meeting.access.publicKey]) {
      expect(output).not.toContain(secret);
    }
  });
});
