/** Socket and RPC against a real WebSocket server on loopback, which answers as the test tells it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { Rpc } from '../../../client/net/rpc.ts';
import { OfflineError } from '../../../client/net/offline.ts';
import { backoffMs } from '../../../client/net/backoff.ts';
import { createMeeting } from '../../../client/net/api.ts';
import { servePage } from '../../support/pageServer.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';

const challenge = 'A'.repeat(43);
const meeting = '0abc-def1-ghjk-mnpq' as never;

let server: WebSocketServer;
let rpc: Rpc;
let sockets: ServerSocket[];
let asked: { id: number; name: string; params: unknown }[];
let heard: (ServerEvent | { up: true } | { down: number } | { garbage: string })[];
/** What the server does with a request; by default it answers nothing. */
let answer: (request: { id: number; name: string }, socket: ServerSocket) => void;

const events = () => heard.filter((one): one is ServerEvent => 'type' in one);
const draining = (seq: number, retryMs = seq) => JSON.stringify({ seq, event: { type: 'server.draining', retryMs } });

beforeEach(async () => {
  sockets = [];
  asked = [];
  heard = [];
  answer = () => undefined;
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data) => {
      const request = JSON.parse(String(data));
      asked.push(request);
      answer(request, socket);
    });
  });
  await once(server, 'listening');
  rpc = new Rpc({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    random: () => 0,
    listener: {
      up: () => heard.push({ up: true }),
      down: (down) => heard.push({ down }),
      event: (event) => heard.push(event),
      garbage: (garbage) => heard.push({ garbage }),
    },
  });
});

afterEach(async () => {
  rpc.close();
  for (const socket of server.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

const ready = () => vi.waitFor(() => expect(rpc.isUp).toBe(true));

describe('requests', () => {
  test('are answered each by its own answer, in whatever order those come', async () => {
    await ready();
    const waiting: (() => void)[] = [];
    answer = ({ id, name }, socket) => {
      const result = name === 'hello' ? { challenge, now: 5, extra: 'ignored' } : { now: 7 };
      waiting.unshift(() => socket.send(JSON.stringify({ id, result })));
      if (waiting.length === 2) for (const send of waiting) send();
    };
    const both = await Promise.all([rpc.request('hello', { protocol: 1, meeting }), rpc.request('ping', {})]);
    expect(both).toEqual([{ challenge, now: 5 }, { now: 7 }]);
  });

  test('are refused with the code, the pause and the epoch that the server names', async () => {
    await ready();
    answer = ({ id }, socket) =>
      socket.send(JSON.stringify({ id, error: { code: 'staleEpoch', detail: 'late', retryAfterMs: 40, epoch: 3 } }));
    await expect(rpc.request('ping', {})).rejects.toMatchObject({
      name: 'ProtocolError',
      code: 'staleEpoch',
      retryAfterMs: 40,
      epoch: 3,
    });
  });

  for (const [what, body] of [
    ['a result that does not fit the schema', { result: { challenge: 'short', now: 1 } }],
    ['no result at all', {}],
    ['an error code that nobody knows', { error: { code: 'whatever', detail: '' } }],
  ] as const)
    test(`${what} is refused as malformed`, async () => {
      await ready();
      answer = ({ id }, socket) => socket.send(JSON.stringify({ id, ...body }));
      await expect(rpc.request('hello', { protocol: 1, meeting })).rejects.toMatchObject({ code: 'malformed' });
    });

  test('fail at once without a connection, and when it breaks before the answer', async () => {
    await expect(rpc.request('ping', {})).rejects.toBeInstanceOf(OfflineError);
    await ready();
    const lost = rpc.request('ping', {});
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    sockets[0]!.terminate();
    await expect(lost).rejects.toBeInstanceOf(OfflineError);
  });
});

describe('events', () => {
  test('are handed on in order, once each, also over a new connection', async () => {
    await ready();
    for (const seq of [1, 2, 2, 3]) sockets[0]!.send(draining(seq));
    await vi.waitFor(() => expect(events()).toHaveLength(3));
    expect(rpc.received).toBe(3);
    sockets[0]!.terminate();
    await vi.waitFor(() => expect(sockets).toHaveLength(2), 3000);
    await ready();
    for (const seq of [2, 3, 4]) sockets[1]!.send(draining(seq));
    await vi.waitFor(() => expect(events()).toHaveLength(4));
    expect(events().map((event) => event.type === 'server.draining' && event.retryMs)).toEqual([1, 2, 3, 4]);
    rpc.forgetEvents();
    sockets[1]!.send(draining(1, 99));
    await vi.waitFor(() => expect(events()).toHaveLength(5));
  });

  test('garbage is told and harms nothing', async () => {
    await ready();
    const garbage = [
      '{',
      '[]x',
      'null',
      '{}',
      '{"seq":"1","event":{}}',
      '{"seq":1,"event":{"type":"nope"}}',
      '{"id":77,"result":{}}',
    ];
    for (const text of garbage) sockets[0]!.send(text);
    await vi.waitFor(() => expect(heard.filter((one) => 'garbage' in one)).toHaveLength(garbage.length));
    sockets[0]!.send(draining(2));
    await vi.waitFor(() => expect(events()).toHaveLength(1));
  });
});

describe('a lost connection', () => {
  test('comes back by itself, with the close code told', async () => {
    await ready();
    sockets[0]!.close(4409);
    await vi.waitFor(() => expect(sockets).toHaveLength(2), 3000);
    expect(heard).toEqual([{ up: true }, { down: 4409 }, { up: true }]);
  });

  test('that says nothing any more is given up', async () => {
    await ready();
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'Date'] });
    try {
      // A connection of its own, whose timers are the fake ones.
      const quiet = new Rpc({
        url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
        listener: { up: () => heard.push({ up: true }), down: (down) => heard.push({ down }), event: () => undefined },
      });
      while (!quiet.isUp) await new Promise((resolve) => setImmediate(resolve));
      vi.advanceTimersByTime(5000);
      vi.advanceTimersByTime(5001);
      expect(quiet.isUp).toBe(false);
      expect(heard.at(-1)).toEqual({ down: 1006 });
      quiet.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test('that was closed on purpose does not come back', async () => {
    await ready();
    rpc.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sockets).toHaveLength(1);
    expect(heard).toEqual([{ up: true }]);
  });

  test('is opened anew when asked to', async () => {
    await ready();
    rpc.reconnect(50);
    expect(heard.at(-1)).toEqual({ down: 1006 });
    await vi.waitFor(() => expect(sockets).toHaveLength(2), 3000);
    await ready();
  });
});

test('retries come soon, then slower, never all in the same instant', () => {
  const steps = [0, 1, 2, 3, 4, 5, 6, 50].map((attempt) => backoffMs(attempt, 0));
  expect(steps).toEqual([50, 300, 1000, 2000, 4000, 5000, 5000, 5000]);
  expect(backoffMs(3, 0.999)).toBeGreaterThanOrEqual(1000);
  expect(backoffMs(3, 0.5)).not.toBe(backoffMs(3, 0.6));
});

describe('POST /api/meetings', () => {
  const signed = { body: '{}', signature: 'A'.repeat(86) };
  const terms = { record: signed, access: signed };

  test('brings the meeting', async () => {
    const site = await servePage({ '/api/meetings': JSON.stringify({ meeting, expiresAt: 9 }) });
    await expect(createMeeting(terms, site.origin)).resolves.toEqual({ meeting, expiresAt: 9 });
    await site.close();
  });

  test('fails with what does not fit, and without a server', async () => {
    const site = await servePage({ '/api/meetings': '{"meeting":"x"}' });
    await expect(createMeeting(terms, site.origin)).rejects.toMatchObject({ code: 'malformed' });
    await site.close();
    await expect(createMeeting(terms, site.origin)).rejects.toBeInstanceOf(OfflineError);
  });
});
