/** The HTTP side: meetings made, files served, health told. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { connect as tlsConnect } from 'node:tls';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import Fastify from 'fastify';
import { Certificate } from '../../signal/certificate.ts';
import { ConfigError } from '../../signal/config.ts';
import { LocalBus } from '../../signal/bus/local.ts';
import { serveHealth } from '../../signal/http/health.ts';
import { openStore } from '../../signal/store/open.ts';
import { CreatedMeeting, Health, Problem } from '../../signal/protocol/http.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { Client, join as joinMeeting, create } from './client.ts';
import { newKey, TestMeeting } from './keys.ts';

const SCRIPT = `export const answer = ${'42 + '.repeat(600)}0;\n`;
let folder: string;
let dist: string;
let status: string;
let server: StartedApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-http-'));
  dist = join(folder, 'dist');
  status = join(folder, 'status.json');
  await mkdir(join(dist, 'assets'), { recursive: true });
  await writeFile(join(dist, 'index.html'), '<!doctype html><title>Parley</title>');
  await writeFile(join(dist, 'manifest.webmanifest'), '{}');
  await writeFile(join(dist, '.secret'), 'hidden');
  await writeFile(join(folder, 'outside.txt'), 'outside');
  const script = join(dist, 'assets', 'main-abc123.js');
  await writeFile(script, SCRIPT);
  await writeFile(`${script}.br`, brotliCompressSync(SCRIPT));
  await writeFile(`${script}.gz`, gzipSync(SCRIPT));
  server = await startApp({ PARLEY_CLIENT: dist });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const post = (body: unknown, url = server.url, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/meetings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = Problem.parse(await response.json());
  expect(problem.status).toBe(response.status);
  return `${problem.status} ${problem.code}`;
};

describe('POST /api/meetings', () => {
  test('makes a meeting whose id is the hash of the host key that signed its record', async () => {
    const meeting = new TestMeeting();
    const terms = meeting.terms();
    const response = await post(terms);
    expect(response.status).toBe(201);
    const created = CreatedMeeting.parse(await response.json());
    expect(created.meeting).toBe(meeting.id);
    expect(created.expiresAt - Date.now()).toBeGreaterThan(89 * 86_400_000);
    await joinMeeting(server.url, meeting);
    expect((await post(terms)).status).toBe(201);
    expect(await problemOf(await post(meeting.terms()))).toBe('409 meetingExists');
  });

  test('refuses a record that another key has signed, one that was changed, and one of a later generation', async () => {
    const meeting = new TestMeeting();
    const { record, access } = meeting.terms();
    const changed = { ...record, body: record.body.replace('"meshLimit":4', '"meshLimit":5') };
    expect(changed.body).not.toBe(record.body);
    expect(await problemOf(await post({ record: changed, access }))).toBe('403 proofRefused');
    expect(await problemOf(await post(meeting.terms({}, newKey())))).toBe('403 proofRefused');
    expect(await problemOf(await post(meeting.terms({ generation: 1 })))).toBe('400 badRequest');
    const foreign = new TestMeeting().terms().access;
    expect(await problemOf(await post({ record, access: foreign }))).toBe('403 proofRefused');
  });

  test('refuses what does not fit: schema, suite, size, JSON, type', async () => {
    const meeting = new TestMeeting();
    const lower = meeting.terms({ suite: 'X25519' as never });
    expect(await problemOf(await post(lower))).toBe('400 badRequest');
    for (const body of [{}, { record: {} }, 'no json', '[]', 'null', ''])
      expect(await problemOf(await post(body))).toBe('400 badRequest');
    expect(await problemOf(await post({ record: 'x'.repeat(60_000) }))).toBe('413 tooLarge');
    const text = await fetch(`${server.url}/api/meetings`, { method: 'POST', body: 'text' });
    expect(await problemOf(text)).toMatch(/^400/);
  });

  test('is limited per address, and says when to come back', async () => {
    const limited = await startApp({ PARLEY_MEETINGS_PER_HOUR: '6', PARLEY_PROXIES: '1', PARLEY_MAX_CAPACITY: '5' });
    const from = (address: string) => post(smaller.terms(), limited.url, { 'x-forwarded-for': address });
    const smaller = new TestMeeting();
    smaller.settings = { meshLimit: 4, capacity: 5 };
    for (let i = 0; i < 3; i++) expect((await from('203.0.113.1')).status).not.toBe(429);
    const refused = await from('203.0.113.1');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(500);
    expect(await problemOf(refused)).toBe('429 tooMany');
    expect((await from('203.0.113.2')).status).not.toBe(429);
    const sites = await Promise.all(Array.from({ length: 49 }, (_, index) => from(`[2001:db8:1:${index}::1]:80`)));
    expect(sites.filter(({ status }) => status === 429)).toHaveLength(1);
    expect((await from('2001:db8:2::1')).status).not.toBe(429);
    const greater = await post(new TestMeeting().terms(), limited.url, {
      'x-forwarded-for': '203.0.113.3',
    });
    // Made all the same: the server lets in no more than it has room for.
    expect(greater.status).toBe(201);
    await limited.close();
  });
});

/** fetch unpacks by itself: this does not. */
function raw(path: string, headers: Record<string, string> = {}): Promise<{ response: IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(`http://127.0.0.1:${server.port}${path}`, { headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ response, body: Buffer.concat(parts) }));
    }).on('error', reject);
  });
}

describe('the client’s files', () => {
  test('that are named by hash stay in caches for ever; the page is asked for again each time', async () => {
    const script = await raw('/assets/main-abc123.js');
    expect(script.response.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(script.response.headers['content-type']).toMatch(/javascript/);
    for (const path of ['/', '/m/abcd-abcd-abcd-abcd', '/index.html']) {
      const { response, body } = await raw(path);
      expect(response.headers['cache-control']).toBe('no-cache');
      expect(response.headers['content-type']).toMatch(/^text\/html/);
      expect(String(body)).toContain('<title>Parley');
    }
  });

  test('go out compressed as they lie there, to whoever takes that', async () => {
    for (const [accepted, encoding] of [
      ['br, gzip', 'br'],
      ['gzip', 'gzip'],
      ['identity', undefined],
    ] as const) {
      const { response, body } = await raw('/assets/main-abc123.js', { 'accept-encoding': accepted });
      expect(response.headers['content-encoding']).toBe(encoding);
      expect(response.headers.vary).toMatch(/accept-encoding/i);
      expect(response.headers['content-type']).toMatch(/javascript/);
      expect(body.length < SCRIPT.length).toBe(encoding !== undefined);
    }
  });

  test('are asked for again by etag at no cost', async () => {
    const { response } = await raw('/');
    const again = await raw('/', { 'if-none-match': response.headers.etag! });
    expect(again.response.statusCode).toBe(304);
  });

  test('are all that is served: nothing hidden, nothing outside, nothing that is not there', async () => {
    for (const path of [
      '/.secret',
      '/../outside.txt',
      '/%2e%2e/outside.txt',
      '/..%2foutside.txt',
      '/assets/../../outside.txt',
      '/assets/none.js',
      '/assets',
      '/api/none',
      '/m',
    ]) {
      const { response, body } = await raw(path);
      expect([400, 403, 404]).toContain(response.statusCode);
      expect(String(body)).not.toMatch(/hidden|outside\b.*text/);
      expect(response.headers['content-security-policy']).toBeDefined();
    }
  });
});

test('every response forbids what the app does not need', async () => {
  for (const path of ['/', '/assets/main-abc123.js', '/healthz', '/nothing']) {
    const { headers } = (await raw(path)).response;
    const policy = Object.fromEntries(
      String(headers['content-security-policy'])
        .split('; ')
        .map((part) => [part.split(' ')[0], part]),
    );
    expect(policy['default-src']).toBe("default-src 'none'");
    expect(policy['script-src']).toBe("script-src 'self' 'wasm-unsafe-eval'");
    expect(policy['require-trusted-types-for']).toBe("require-trusted-types-for 'script'");
    expect(policy['connect-src']).toBe(`connect-src 'self' ws://127.0.0.1:${server.port}`);
    expect(headers).toMatchObject({
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['permissions-policy']).toMatch(/camera=\(self\), microphone=\(self\), display-capture=\(self\)/);
    expect(headers['strict-transport-security']).toBeUndefined();
  }
  const forged = await raw('/', { host: "evil'; script-src *" });
  expect(String(forged.response.headers['content-security-policy'] ?? '')).not.toContain('evil');
});

describe('GET /healthz', () => {
  const health = async (url = server.url) => {
    const response = await fetch(`${url}/healthz`);
    return { status: response.status, ...Health.parse(await response.json()) };
  };

  test('says that people can meet, whatever the relay’s worker is up to', async () => {
    const states: string[] = [];
    const dir = await mkdtemp(join(folder, 'health-'));
    const store = await openStore(dir);
    const waiting = Fastify();
    const terms = {
      store,
      bus: new LocalBus(() => undefined),
      clientDir: dist,
      relayFailure: () => failure,
      relayStatusFile: status,
    };
    let failure: string | null = null;
    serveHealth(waiting, { ...terms, relay: { isReady: false } });
    const url = await waiting.listen({ host: '127.0.0.1', port: 0 });
    for (const text of [
      '{"state":"missing"}',
      '{"state":"fetching"}',
      '{"state":"building","detail":"12 of 90","progress":0.1}',
      '{"state":"failed","detail":"no compiler"}',
      '{"state":"ready"}',
      'torn {',
    ]) {
      await writeFile(status, text);
      const { ok, parts, status: code } = await health(url);
      expect([ok, code]).toEqual([true, 200]);
      states.push(`${parts.relay.state}: ${parts.relay.detail}`);
    }
    expect(states).toEqual([
      'down: worker missing',
      'starting: worker fetching',
      'starting: worker building: 12 of 90',
      'down: worker failed: no compiler',
      'starting: worker ready',
      'down: not set up',
    ]);
    await writeFile(status, '{"state":"ready"}');
    failure = 'port 40000 is in use';
    expect((await health(url)).parts.relay).toEqual({ state: 'down', detail: failure });
    await waiting.close();
    await store.close();
    expect((await health()).parts.relay).toEqual({ state: 'down', detail: 'off' });
  });

  test('says that they cannot without a client', async () => {
    const bare = await startApp({ PARLEY_CLIENT: join(folder, 'none') });
    expect(await health(bare.url)).toMatchObject({
      status: 503,
      ok: false,
      parts: { client: { state: 'down' }, store: { state: 'up' } },
    });
    expect((await fetch(bare.url)).status).toBe(500);
    await bare.close();
  });
});

test('with a certificate all of it is HTTPS, and stays so', async () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [...'req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=localhost -keyout'.split(' '), key, '-out', cert],
    { stdio: 'pipe' },
  );
  const secure = await startApp({ PARLEY_TLS_CERT: cert, PARLEY_TLS_KEY: key, PARLEY_CLIENT: dist });
  expect(secure.url).toMatch(/^https:/);
  const ca = await readFile(cert);
  const ask = (method: string, path: string, body?: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      httpsRequest(`${secure.url}${path}`, { ca, method, headers }, (response) => resolve(response.resume()))
        .on('error', reject)
        .end(body);
    });
  const { headers } = await ask('GET', '/');
  expect(headers['strict-transport-security']).toMatch(/max-age=\d{8}/);
  expect(headers['content-security-policy']).toContain(`connect-src 'self' wss://localhost:${secure.port}`);
  const meeting = new TestMeeting();
  expect((await ask('POST', '/api/meetings', JSON.stringify(meeting.terms()))).statusCode).toBe(201);
  await joinMeeting(secure.url, meeting);
  await secure.close();
});

test('a certificate that is renewed is taken up while people are connected, and a wrong one is not', async () => {
  const [cert, key] = [join(folder, 'live.pem'), join(folder, 'live.key')];
  const issue = (name: string) =>
    execFileSync(
      'openssl',
      [...`req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=${name} -keyout`.split(' '), key, '-out', cert],
      { stdio: 'pipe' },
    );
  issue('first');
  const secure = await startApp({ PARLEY_TLS_CERT: cert, PARLEY_TLS_KEY: key, PARLEY_LOG_LEVEL: 'silent' });
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const socket = tlsConnect({ port: secure.port, host: 'localhost', rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      }).on('error', reject);
    });
  const socket = await Client.connect(secure.url);
  expect(await shown()).toBe('first');
  issue('second');
  secure.app.renewCertificate();
  expect(await shown()).toBe('second');
  const good = await readFile(key);
  await writeFile(key, 'no key');
  secure.app.renewCertificate();
  expect(await shown()).toBe('second');
  await writeFile(key, good);
  await rm(cert);
  secure.app.renewCertificate();
  expect(await shown()).toBe('second');
  await socket.flushed();
  await secure.close();
});

test('a certificate that cannot be used is told once, not every minute', () => {
  const first = { cert: 'one', key: 'two' };
  const said: string[] = [];
  let found: () => typeof first = () => first;
  const used: (typeof first)[] = [];
  const certificate = new Certificate(first, {
    read: () => found(),
    use: (files) => void used.push(files),
    log: { info: (words) => said.push(words), warn: (words) => said.push(words) },
  });
  certificate.look();
  expect([said, used]).toEqual([[], []]);
  found = () => {
    throw new ConfigError(['PARLEY_TLS_KEY is not the key of the certificate in PARLEY_TLS_CERT.']);
  };
  certificate.look();
  certificate.look();
  expect(said).toEqual([expect.stringMatching(/^The old certificate stays in use: PARLEY_TLS_KEY is not the key/)]);
  found = () => ({ cert: 'three', key: 'four' });
  certificate.look();
  certificate.look();
  expect(used).toEqual([{ cert: 'three', key: 'four' }]);
});

test('meetings that nobody uses are forgotten; those in use are not', async () => {
  let clock = 0;
  const day = 86_400_000;
  const short = await startApp({ PARLEY_MEETING_TTL: '2' }, { now: () => Date.now() + clock });
  const [unused, used] = [new TestMeeting(), new TestMeeting()];
  await create(short.url, unused);
  await create(short.url, used);
  clock += 1.5 * day;
  await (await joinMeeting(short.url, used)).client.flushed();
  clock += day;
  await short.restart();
  await expect(joinMeeting(short.url, unused)).rejects.toThrow('meetingNotFound');
  await joinMeeting(short.url, used);
  await short.close();
});
