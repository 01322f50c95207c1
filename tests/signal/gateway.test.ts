/** The socket side: who is let go of, by which code, and when. On a clock of its own, and visits that come often. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Blobs } from '../../signal/blobs/blobs.ts';
import { LocalBus } from '../../signal/bus/local.ts';
import { createMeeting } from '../../signal/meeting/hosting.ts';
import { MeetingService } from '../../signal/meeting/service.ts';
import type { RequestName } from '../../signal/protocol/requests.ts';
import { MAX_MESSAGE_BYTES } from '../../signal/protocol/wire.ts';
import { openDatabase } from '../../signal/store/open.ts';
import type { Store } from '../../signal/store/store.ts';
import { Attempts } from '../../signal/ws/attempts.ts';
import { backlog, SLOW_BYTES } from '../../signal/ws/backlog.ts';
import { Gateway } from '../../signal/ws/gateway.ts';
import { chat } from '../../signal/ws/handlers/chat.ts';
import { entry } from '../../signal/ws/handlers/entry.ts';
import { group } from '../../signal/ws/handlers/group.ts';
import { host } from '../../signal/ws/handlers/host.ts';
import { messages } from '../../signal/ws/handlers/messages.ts';
import { relay } from '../../signal/ws/handlers/relay.ts';
import { classes, Limits } from '../../signal/ws/limits.ts';
import { admit, Client, join, proveLink } from './client.ts';
import { protocolPage } from './golden.ts';
import { TestMeeting } from './keys.ts';

const VISIT_MS = 200;
const DAY_MS = 86_400_000;
let store: Store;
let service: MeetingService;
let gateway: Gateway;
let server: Server;
let url: string;
let meeting: TestMeeting;
const noBlobs = { stale: async () => [], list: async () => [] } as unknown as Blobs;
let clock = 0;

beforeEach(async () => {
  clock = 0;
  store = await openDatabase(':memory:');
  const onError = (error: unknown) => {
    throw error;
  };
  const now = () => Date.now() + clock;
  const limits = { meetingTtlMs: 2 * DAY_MS, maxCapacity: 100, chatQuota: 1024 * 1024, filesQuota: 0 };
  const terms = { store, blobs: noBlobs, bus: new LocalBus(onError), relay: null, ...limits };
  service = new MeetingService({ ...terms, now, onError });
  const handlers = { ...entry, ...group, ...messages, ...relay, ...host, ...chat };
  const ping = () => ({ now: now() });
  handlers.ping = () => stuck?.then(ping) ?? ping();
  const ice = { stunUrls: [], turn: null };
  gateway = new Gateway({
    context: { service, attempts: new Attempts(), handlers, ice, now, onError },
    proxies: 0,
    connections: 100,
    connectionsPerAddress: 100,
    origins: [],
    visitMs: VISIT_MS,
  });
  server = createServer().on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  meeting = new TestMeeting();
  await createMeeting(service, meeting.terms());
});
/** Until it resolves, no ping is answered, and what comes after one waits. */
let stuck: Promise<void> | null = null;
afterEach(async () => {
  stuck = null;
  await gateway.close();
  server.close();
  await store.close();
});

const visits = (count: number) => new Promise((resolve) => setTimeout(resolve, count * VISIT_MS));
const codeOf = async ({ closed }: Client) => (await closed).code;

describe('a socket', () => {
  test('that answers no ping is gone by the second visit; one that answers stays', async () => {
    const honest = await Client.connect(url);
    const deaf = new WebSocket(`${url.replace('http', 'ws')}/ws`, { autoPong: false });
    const closed = new Promise<number>((resolve) => deaf.on('close', resolve));
    await new Promise((resolve) => deaf.once('open', resolve));
    expect(gateway.connections).toBe(2);
    // No closing handshake: whoever hears nothing would not answer it.
    expect(await closed).toBe(1006);
    await visits(2);
    await honest.flushed();
    await expect.poll(() => gateway.connections).toBe(1);
  });

  test('whose peer answers no ping leaves the peer its place: it is away', async () => {
    const anna = await join(url, meeting);
    const ben = await join(url, meeting);
    ben.client.socket.pong = () => undefined;
    ben.client.socket.pause();
    const { peer, presence } = await anna.client.next('peer.presence');
    expect([peer, presence]).toEqual([ben.peer, 'away']);
    ben.client.cut();
  });

  test('that has proven nothing is let go of after a minute, one that has proven the link after a quarter of an hour', async () => {
    const silent = await Client.connect(url);
    const greeted = await Client.connect(url);
    await greeted.request('hello', { protocol: 1, meeting: meeting.id });
    const linked = await Client.connect(url);
    await proveLink(linked, meeting);
    const { client: admitted } = await admit(url, meeting);
    clock += 59_000;
    await visits(2);
    expect(gateway.connections).toBe(4);
    clock += 2000;
    expect(await Promise.all([silent, greeted].map(codeOf))).toEqual([1013, 1013]);
    await expect.poll(() => gateway.connections).toBe(2);
    clock += 15 * 60_000;
    expect(await codeOf(linked)).toBe(1013);
    await visits(2);
    await admitted.flushed();
  });

  test.each([
    ['more than a message may be', 'x'.repeat(MAX_MESSAGE_BYTES + 1), 1009],
    ['bytes instead of text', Buffer.from('{"id":1,"name":"ping","params":{}}'), 4400],
    ['what is no JSON', '{', 4400],
    ['JSON that is no request', '{"id":-1}', 4400],
  ])('that sends %s is closed by its code', async (_, data, code) => {
    const client = await Client.connect(url);
    client.socket.send(data);
    expect(await codeOf(client)).toBe(code);
  });

  test('that asks for more at once than may wait is closed with 4429', async () => {
    let release: () => void = () => undefined;
    stuck = new Promise((resolve) => (release = resolve));
    const [client, other] = [await Client.connect(url), await Client.connect(url)];
    // Unknown ones, which no rate limits.
    const ask = (to: Client, id: number) =>
      to.socket.send(JSON.stringify({ id, name: id === 0 ? 'ping' : 'unknown', params: {} }));
    for (const { socket } of [client, other]) socket.removeAllListeners('message');
    for (let id = 0; id <= 256; id++) ask(other, id);
    for (let id = 0; id <= 257; id++) ask(client, id);
    await visits(1);
    release();
    // After the answer to the request at hand.
    expect(await codeOf(client)).toBe(4429);
    expect(other.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe('all connections that read slowly', () => {
  const slow = (bufferedAmount: number) => ({ bufferedAmount, readyState: WebSocket.OPEN }) as unknown as WebSocket;

  test('together have a budget: beyond it each may lag behind far less', async () => {
    const sockets = Array.from({ length: 40 }, () => slow(7 * 1024 * 1024));
    const allowances: number[] = [];
    for (const socket of sockets) {
      allowances.push(backlog.allowance(socket, socket.bufferedAmount));
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(allowances[0]).toBe(8 * 1024 * 1024);
    expect(backlog.allowance(sockets[0]!, sockets[0]!.bufferedAmount)).toBe(SLOW_BYTES);
    // Who is not slow is not asked to be faster.
    expect(backlog.allowance(slow(SLOW_BYTES), SLOW_BYTES)).toBe(8 * 1024 * 1024);
    for (const socket of sockets) Object.assign(socket, { readyState: WebSocket.CLOSED });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(backlog.allowance(sockets[0]!, SLOW_BYTES + 1)).toBe(8 * 1024 * 1024);
  });
});

describe('requests', () => {
  test.each([
    ['meeting.join', 'entering', 16, 1],
    ['message.send', 'messages', 240, 60],
    ['group.commit', 'keys', 40, 8],
    ['relay.set', 'media', 1000, 50],
    ['host.command', 'hosts', 20, 2],
    ['ping', 'pings', 20, 2],
  ] as const)('such as %s pass in a burst and then at a rate, as PROTOCOL.md says', (name, words, burst, perSecond) => {
    const limits = new Limits();
    const passed = (now: number) => Array.from({ length: 2000 }).filter(() => limits.request(name, now) === 0).length;
    expect(passed(0)).toBe(burst);
    expect(passed(1000)).toBe(perSecond);
    expect(passed(10_000_000)).toBe(burst);
    expect(protocolPage).toMatch(new RegExp(`${words} ${perSecond}/s \\(${burst.toLocaleString('en')}\\b`));
    // Another class is not held up.
    const other = (Object.keys(classes) as RequestName[]).find((one) => classes[one] !== classes[name])!;
    expect(limits.request(other, 10_000_000)).toBe(0);
  });
});

test('a meeting with somebody in it is not forgotten, however long they stay', async () => {
  const unused = new TestMeeting();
  await createMeeting(service, unused.terms());
  const { client } = await join(url, meeting);
  for (let day = 0; day < 3; day++) {
    clock += DAY_MS;
    await service.sweep();
  }
  await expect(service.find(unused.id)).rejects.toThrow('meetingNotFound');
  expect((await service.find(meeting.id)).meeting).toBe(meeting.id);
  client.close();
});
