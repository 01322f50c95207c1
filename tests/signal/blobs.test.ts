/** Sealed files over HTTP, at the real server: what may be put and fetched, by whom, how much, and for how long. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Problem } from '../../signal/protocol/http.ts';
import { openStore } from '../../signal/store/open.ts';
import { type StartedApp, startApp } from '../support/startApp.ts';
import { clear, write } from './chatting.ts';
import { admit, Client, create, join as joinMeeting, proveLink } from './client.ts';
import { hashOfBytes, randomText, TestMeeting } from './keys.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const BYTES = 'application/offset+octet-stream';

let app: StartedApp;
let meeting: TestMeeting;
let clock = 0;

beforeAll(async () => {
  app = await startApp({ PARLEY_FILES_MB: '8', PARLEY_PROXIES: '1' }, { now: () => Date.now() + clock });
});
afterAll(() => app.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(app.url, meeting);
});
afterEach(() => {
  clock = 0;
});

interface Holder {
  readonly client: Client;
  readonly pass: string;
}

/** Somebody who has the chat open, with a pass. */
async function holder(of = meeting): Promise<Holder> {
  const { client } = await admit(app.url, of);
  return withPass(client);
}
async function withPass(client: Client): Promise<Holder> {
  await client.request('chat.open', { after: 0 });
  return { client, pass: (await client.request('chat.pass', {})).pass };
}

interface Asked {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
  readonly from?: string;
}
function ask(method: string, pass: string | null, { path = '', headers, body, from = '192.0.2.1' }: Asked = {}) {
  return fetch(`${app.url}/api/blobs${path}`, {
    method,
    headers: {
      'tus-resumable': '1.0.0',
      'x-forwarded-for': from,
      ...(pass === null ? {} : { authorization: `Bearer ${pass}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

const metadata = (token: string) => `erase ${Buffer.from(hashOfBytes(token)).toString('base64')}`;

async function begin(pass: string, bytes: number, token = randomText(32), from?: string): Promise<string> {
  const headers = { 'upload-length': String(bytes), 'upload-metadata': metadata(token) };
  const answer = await ask('POST', pass, { headers, ...(from ? { from } : {}) });
  if (answer.status !== 201) throw Object.assign(new Error(`${answer.status}`), { body: await answer.json() });
  return answer.headers.get('location')!.replace('/api/blobs', '');
}
const patch = (pass: string, path: string, offset: number, body: Uint8Array<ArrayBuffer>) =>
  ask('PATCH', pass, { path, headers: { 'upload-offset': String(offset), 'content-type': BYTES }, body });
const offsetOf = async (pass: string, path: string) =>
  Number((await ask('HEAD', pass, { path })).headers.get('upload-offset'));

async function put(pass: string, body: Uint8Array<ArrayBuffer>, token?: string): Promise<string> {
  const path = await begin(pass, body.length, token);
  expect((await patch(pass, path, 0, body)).status).toBe(204);
  return path;
}
const range = (pass: string | null, path: string, bytes: string) =>
  ask('GET', pass, { path, headers: { range: `bytes=${bytes}` } });
const codeOf = async (answer: Response) => Problem.parse(await answer.json()).code;
const bytes = (count: number) => new Uint8Array(randomBytes(count));
const files = () => readdir(join(app.dataDir, 'blobs'));

describe('a file', () => {
  test('goes up in pieces, resumes where it was, and comes back by ranges, inert', async () => {
    const { pass } = await holder();
    const body = bytes(300_000);
    const path = await begin(pass, body.length);
    expect((await patch(pass, path, 0, body.slice(0, 100_000))).headers.get('upload-offset')).toBe('100000');
    // From another connection, as after a lost one.
    const again = await holder();
    expect(await offsetOf(again.pass, path)).toBe(100_000);
    expect((await range(pass, path, '0-9')).status).toBe(404);
    expect((await patch(again.pass, path, 99_999, body.slice(99_999))).status).toBe(409);
    expect((await patch(again.pass, path, 100_000, body.slice(100_000))).status).toBe(204);
    const part = await range(pass, path, '65536-131071');
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(Buffer.from(body.slice(65_536, 131_072)))).toBe(true);
    expect(part.headers.get('content-range')).toBe('bytes 65536-131071/300000');
    // Whoever opens its address by hand gets a file to keep, of no type that a browser shows.
    expect(part.headers.get('content-disposition')).toBe('attachment');
    expect(part.headers.get('content-type')).toBe('application/octet-stream');
    expect(part.headers.get('x-content-type-options')).toBe('nosniff');
    expect(part.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(part.headers.get('cache-control')).toBe('no-store');
    expect(part.headers.get('access-control-allow-origin')).toBeNull();
    expect((await range(pass, path, '299990-400000')).headers.get('content-length')).toBe('10');
    for (const wrong of ['300000-300001', '5-2', '-5', '0-', '0-1,3-4'])
      expect((await range(pass, path, wrong)).status).toBe(400);
    // It never changes again.
    expect((await patch(pass, path, 300_000, bytes(1))).status).toBeGreaterThanOrEqual(400);
    expect((await patch(pass, path, 0, bytes(1))).status).toBe(409);
  });

  test('keeps what had come when the line broke and the server was stopped', async () => {
    const { pass } = await holder();
    const body = bytes(2 * MIB);
    const path = await begin(pass, body.length);
    const socket = connect(app.port, 'localhost');
    socket.write(
      [
        `PATCH /api/blobs${path} HTTP/1.1`,
        'Host: localhost',
        `Authorization: Bearer ${pass}`,
        'Tus-Resumable: 1.0.0',
        'Upload-Offset: 0',
        `Content-Type: ${BYTES}`,
        `Content-Length: ${body.length}`,
        '\r\n',
      ].join('\r\n'),
    );
    socket.write(body.slice(0, MIB));
    await sleep(300);
    socket.destroy();
    await app.restart();
    const next = await holder();
    const offset = await offsetOf(next.pass, path);
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThanOrEqual(MIB);
    expect((await patch(next.pass, path, offset, body.slice(offset))).status).toBe(204);
    const back = Buffer.from(await (await ask('GET', next.pass, { path })).arrayBuffer());
    expect(back.equals(Buffer.from(body))).toBe(true);
  });

  test('is deleted by whoever has its token, and by nobody else', async () => {
    const { pass } = await holder();
    const [kept, token] = [randomText(32), randomText(32)];
    const path = await put(pass, bytes(1000), token);
    const erase = (given: string, who = pass) => ask('DELETE', who, { path, headers: { 'parley-erase': given } });
    expect((await erase(kept)).status).toBe(404);
    expect((await erase('')).status).toBe(400);
    expect((await range(pass, path, '0-9')).status).toBe(206);
    expect((await erase(token)).status).toBe(204);
    expect((await range(pass, path, '0-9')).status).toBe(404);
    expect(await files()).not.toContain(path.slice(1));
    expect((await erase(token)).status).toBe(404);
    // One that is not whole yet, too: its author has thought better of it.
    const begun = await begin(pass, 1000, token);
    expect((await ask('DELETE', pass, { path: begun, headers: { 'parley-erase': token } })).status).toBe(204);
    expect((await patch(pass, begun, 0, bytes(1000))).status).toBe(404);
  });
});

describe('nobody gets at a file', () => {
  test('without a pass, with one that is over, or with a word that is none', async () => {
    const { client, pass } = await holder();
    const path = await put(pass, bytes(1000));
    const all = (given: string | null) => [
      range(given, path, '0-9'),
      ask('POST', given, { headers: { 'upload-length': '5', 'upload-metadata': metadata(randomText(32)) } }),
      ask('HEAD', given, { path }),
      patch(given ?? '', path, 0, bytes(1)),
      ask('DELETE', given, { path, headers: { 'parley-erase': randomText(32) } }),
    ];
    for (const given of [null, randomText(32), 'x', '']) {
      for (const answer of await Promise.all(all(given))) expect(answer.status).toBe(401);
    }
    // The one before ends with its successor, and that with the open chat.
    const { pass: next } = await client.request('chat.pass', {});
    expect((await range(pass, path, '0-9')).status).toBe(401);
    expect((await range(next, path, '0-9')).status).toBe(206);
    await client.request('chat.close', {});
    const refused = await range(next, path, '0-9');
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'ticketRefused']);
    expect(await client.codeOf(client.request('chat.pass', {}))).toBe('outOfOrder');
  });

  test('who has proven the link alone', async () => {
    const client = await Client.connect(app.url);
    await proveLink(client, meeting);
    expect(await client.codeOf(client.request('chat.pass', {}))).toBe('outOfOrder');
  });

  test('of another meeting, though they know its id', async () => {
    const { pass } = await holder();
    const path = await put(pass, bytes(1000));
    const begun = await begin(pass, 1000);
    const other = new TestMeeting();
    await create(app.url, other);
    const stranger = await holder(other);
    expect((await range(stranger.pass, path, '0-9')).status).toBe(404);
    expect((await ask('HEAD', stranger.pass, { path: begun })).status).toBe(404);
    expect((await patch(stranger.pass, begun, 0, bytes(1000))).status).toBe(404);
    expect(await offsetOf(pass, begun)).toBe(0);
    // As one that was never there; and nothing but an id is taken for one.
    for (const guess of [`/${randomText(16)}`, '/..%2f..%2fparley.sqlite', '/..', '/a.part', `${begun}.part`, '/'])
      expect((await range(pass, guess, '0-9')).status, guess).toBe(404);
  });

  test('once a removal has replaced the link, also in the middle of it', async () => {
    const { pass } = await holder();
    const path = await put(pass, bytes(4 * MIB));
    const removed = await holder();
    const slow = await ask('GET', removed.pass, { path });
    const reader = slow.body!.getReader();
    await reader.read();
    const host = await joinMeeting(app.url, meeting);
    await host.client.request('host.rotate', meeting.rotated());
    expect((await range(removed.pass, path, '0-9')).status).toBe(401);
    let read = 0;
    const rest = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        read += value.length;
      }
    };
    await expect(rest()).rejects.toThrow();
    expect(read).toBeLessThan(4 * MIB);
    // Who is in the meeting goes on.
    const inside = await withPass(host.client);
    expect((await range(inside.pass, path, '0-9')).status).toBe(206);
  });
});

describe('there is an end to', () => {
  const refusal = (asked: Promise<unknown>) =>
    asked.then(
      () => null,
      (error: Error & { body?: object }) => ({ status: Number(error.message), ...error.body }),
    );

  test('the size of one, and what is declared is what comes', async () => {
    const { pass } = await holder();
    expect(await refusal(begin(pass, 101 * MIB + 1))).toMatchObject({ status: 413 });
    const path = await begin(pass, 10);
    expect((await patch(pass, path, 0, bytes(11))).status).toBeGreaterThanOrEqual(400);
    expect(await offsetOf(pass, path)).toBeLessThanOrEqual(10);
    const headers = { 'upload-defer-length': '1', 'upload-metadata': metadata(randomText(32)) };
    expect((await ask('POST', pass, { headers })).status).toBeGreaterThanOrEqual(400);
    for (const wrong of ['', 'erase', 'erase !!!', `erase ${Buffer.from('x').toString('base64')}`]) {
      const answer = await ask('POST', pass, { headers: { 'upload-length': '10', 'upload-metadata': wrong } });
      expect(answer.status, wrong).toBe(400);
    }
  });

  test('a meeting’s room, told from an author’s part of it', async () => {
    const { pass } = await holder();
    const path = await begin(pass, 7 * MIB);
    expect(await refusal(begin(pass, 2 * MIB))).toEqual({ status: 507, code: 'chatFull' });
    const token = randomText(32);
    const small = await begin(pass, MIB / 2, token);
    await ask('DELETE', pass, { path: small, headers: { 'parley-erase': token } });
    await begin(pass, MIB);
    expect(await offsetOf(pass, path)).toBe(0);
    // Of others there is room for the first, whatever this one has.
    const other = new TestMeeting();
    await create(app.url, other);
    await begin((await holder(other)).pass, 2 * MIB);
    // Many small ones: each counts as much as a larger one.
    const third = new TestMeeting();
    await create(app.url, third);
    const many = await holder(third);
    let refused: unknown = null;
    for (let count = 0; count < 20 && refused === null; count++)
      refused = await refusal(
        begin(many.pass, 6 * MIB, token).then((one) =>
          ask('DELETE', many.pass, { path: one, headers: { 'parley-erase': token } }),
        ),
      );
    expect(refused).toMatchObject({ status: 507, code: 'chatFull' });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
    // Somebody else’s part is their own.
    await begin(many.pass, 6 * MIB, token, '192.0.2.77');
  });

  test('how fast it is asked', async () => {
    const { pass } = await holder();
    const statuses = await Promise.all(
      Array.from({ length: 400 }, async () => (await ask('HEAD', pass, { path: `/${randomText(16)}` })).status),
    );
    expect(statuses).toContain(429);
  });
});

describe('a file goes', () => {
  const sweep = async (): Promise<void> => app.restart();
  /** Starting anew sweeps. */
  const isGone = async (path: string): Promise<void> => {
    for (let tries = 0; (await files()).some((name) => name.startsWith(path.slice(1))); tries++) {
      if (tries > 100) throw new Error('it is still there');
      await sleep(50);
    }
  };

  test('with the backlog, when its days are over; an upload that nobody went on with after one', async () => {
    const { pass } = await holder();
    const whole = await put(pass, bytes(1000));
    const begun = await begin(pass, 1000);
    clock = 20 * DAY_MS;
    await sweep();
    await isGone(begun);
    expect(await files()).toContain(whole.slice(1));
    clock = 31 * DAY_MS;
    await sweep();
    await isGone(whole);
  });

  test('when the host clears the chat', async () => {
    const { pass } = await holder();
    const path = await put(pass, bytes(1000));
    const host = await joinMeeting(app.url, meeting);
    await host.client.request('chat.open', { after: 0 });
    await write(host.client, 1);
    await clear(host.client, meeting);
    expect(await files()).not.toContain(path.slice(1));
    expect((await range(pass, path, '0-9')).status).toBe(404);
  });

  test('when the host has cleared the chat, and the process ended before it did so', async () => {
    const { client, pass } = await holder();
    const path = await put(pass, bytes(1000));
    await write(client, 1);
    const state = meeting.cleared((await client.request('chat.read', { after: 0 })).head);
    await app.restart(async () => {
      const store = await openStore(app.dataDir);
      await store.meetings.saveHostState(meeting.id, JSON.parse(state.body).version, state);
      await store.close();
    });
    expect(await files()).toContain(path.slice(1));
    await holder();
    await isGone(path);
  });

  test('when the meeting ends, and when nobody uses it any more', async () => {
    const { pass } = await holder();
    const path = await put(pass, bytes(1000));
    const other = new TestMeeting();
    await create(app.url, other);
    const forgotten = await put((await holder(other)).pass, bytes(1000));
    const host = await joinMeeting(app.url, meeting);
    await host.client.request('host.command', { command: meeting.command({ action: 'end' }) });
    await isGone(path);
    expect(await files()).toContain(forgotten.slice(1));
    clock = 91 * DAY_MS;
    await sweep();
    await isGone(forgotten);
  });

  test('that is nobody’s, as after a crash between the two', async () => {
    const { writeFile } = await import('node:fs/promises');
    const stray = join(app.dataDir, 'blobs', randomText(16));
    await writeFile(stray, 'left over');
    await sweep();
    await isGone(`/${stray.split('/').at(-1)!}`);
    expect(existsSync(stray)).toBe(false);
  });
});
