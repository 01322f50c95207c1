/** What y-webrtc does on its own, held in: with a real socket, and without WebRTC, which Node does not have. Rejections that nobody handles fail these tests. */
import { createEncoder, toUint8Array, writeAny, writeVarString, writeVarUint8Array } from 'lib0/encoding';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws';
import * as Y from 'yjs';
import { WebrtcWay } from '../../../client/chat/providers/webrtc.ts';
import { openSignal } from '../../../client/chat/providers/webrtcSignal.ts';
import { random } from '../../../crypto/primitives.ts';

const ROOM = 'kTq2YtVPRW0iNnxDzQk7aA';
const PASSWORD = 'a password of 32 bytes, as it were';
let http: Server;
let sockets: ServerSocket[];
let urls: string[];
let heard: { type: string; data?: string }[];

beforeEach(async () => {
  [sockets, urls, heard] = [[], [], []];
  http = createServer();
  new WebSocketServer({ server: http }).on('connection', (socket, request) => {
    sockets.push(socket);
    urls.push(request.url!);
    socket.on('message', (data) => heard.push(JSON.parse(String(data)) as (typeof heard)[number]));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  vi.stubGlobal('location', { origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const socket of sockets) socket.terminate();
  http.close();
});

const open = (doc = new Y.Doc(), ticket = 'one') =>
  new WebrtcWay({ doc, room: ROOM, password: PASSWORD, ticket, iceServers: [] });
const announced = () => heard.filter(({ type }) => type === 'publish').length;
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of another holder of the password. */
async function roomKey(): Promise<CryptoKey> {
  const [salt, secret] = [ROOM, PASSWORD].map((text) => Uint8Array.from(Buffer.from(text)));
  const material = await crypto.subtle.importKey('raw', secret!, 'PBKDF2', false, ['deriveKey']);
  const derivation = { name: 'PBKDF2', salt: salt!, iterations: 100_000, hash: 'SHA-256' };
  const algorithm = { name: 'AES-GCM', length: 256 };
  return crypto.subtle.deriveKey(derivation, material, algorithm, true, ['encrypt', 'decrypt']);
}

async function sealed(key: CryptoKey, value: unknown): Promise<string> {
  const plain = createEncoder();
  writeAny(plain, value as never);
  const iv = random(12);
  const bytes = toUint8Array(plain) as Uint8Array<ArrayBuffer>;
  const encoder = createEncoder();
  writeVarString(encoder, 'AES-GCM');
  writeVarUint8Array(encoder, iv);
  writeVarUint8Array(encoder, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes)));
  return Buffer.from(toUint8Array(encoder)).toString('base64');
}

test('nothing that the server or a member says makes it throw, and it goes on', async () => {
  const way = open();
  await expect.poll(announced).toBe(1);
  const say = (message: unknown) => sockets[0]!.send(JSON.stringify(message));
  const publish = (data: unknown) => say({ type: 'publish', topic: ROOM, data });
  for (const message of [null, 1, [], {}, { type: 'publish' }, { type: 'publish', topic: 'elsewhere', data: 'AAAA' }])
    say(message);
  for (const data of ['', 'AAAA', '!', 7, null, { from: 'x', type: 'announce' }]) publish(data);
  const key = await roomKey();
  const own = await openSignal(key, heard.find(({ type }) => type === 'publish')!.data!);
  const to = own!.from;
  const signal = { type: 'signal', from: 'nobody', to };
  for (const value of [
    { type: 'announce', from: 'somebody' },
    { ...signal, signal: { type: 'answer', sdp: 'v=0' } },
    { ...signal, signal: { type: 'offer', sdp: 'v=0' } },
    { ...signal, signal: { type: 'candidate', candidate: { candidate: 'none' } } },
    { ...signal, signal: null },
    { type: 'announce', from: to },
  ]) {
    publish(await sealed(key, value));
  }
  say({ type: 'pong' });
  await wait(200);
  expect(sockets[0]!.readyState).toBe(1);
  expect(way.state).toBe('connecting');
  way.close();
});

test('closed, it leaves no socket and no room behind: another may have the same room', async () => {
  const doc = new Y.Doc();
  for (let i = 0; i < 3; i++) {
    const way = open(doc, String(i));
    // Once before it has its key, which takes a while to derive.
    if (i > 0) await expect.poll(announced).toBe(i);
    way.close();
    way.close();
    expect(way.state).toBe('offline');
    await way.ended;
  }
  await expect.poll(() => sockets.every(({ readyState }) => readyState === 3)).toBe(true);
  const { length } = sockets;
  // y-protocols' Awareness stays with the document, to be destroyed with it.
  const listeners = ['update', 'destroy'].map((name) => doc._observers.get(name as 'update')?.size ?? 0);
  expect(listeners).toEqual([0, 3]);
  await wait(1500);
  expect(sockets).toHaveLength(length);
});

test('it opens though the document takes another number meanwhile, and later', async () => {
  const doc = new Y.Doc();
  const way = open(doc);
  doc.clientID += 1;
  await expect.poll(announced).toBe(1);
  expect(way.state).toBe('connecting');
  doc.clientID += 1;
  way.close();
  await way.ended;
});

test('paused it asks no server; with another ticket it does, by that', async () => {
  const way = open();
  await expect.poll(announced).toBe(1);
  way.pause();
  await expect.poll(() => sockets[0]!.readyState).toBe(3);
  await wait(1500);
  expect(urls).toEqual(['/ws/chat?ticket=one']);
  way.resume('two');
  await expect.poll(announced).toBe(2);
  expect(urls).toEqual(['/ws/chat?ticket=one', '/ws/chat?ticket=two']);
  way.close();
});

test('a lost socket is not asked for again at once', async () => {
  const way = open();
  await expect.poll(announced).toBe(1);
  sockets[0]!.terminate();
  await wait(400);
  expect(sockets).toHaveLength(1);
  await expect.poll(announced, { timeout: 2000 }).toBe(2);
  way.close();
});
