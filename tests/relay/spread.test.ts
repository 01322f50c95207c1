/**
 * Meetings over several workers and several relays, with real workers and real sockets: who goes where, pipes, what is watched,
 * and relays that are lost.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Dial } from '../../relay/dial.ts';
import { hasWorker, type Relay } from '../../relay/relay.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { RelayEvent, RelayId, RelayPort } from '../../signal/protocol/relayControl.ts';
import { RelayDoor } from '../../signal/relay/door.ts';
import { RelayPool } from '../../signal/relay/pool.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { camera, microphone, startLocalRelay } from './support.ts';

// Without a binary there is nothing to test; on CI the set-up has seen to it that there is one.
const runs = test.skipIf(!hasWorker());

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const SECRET = 'a secret that only these two know, 32 characters';
const peerOf = (index: number) => `peer${String(index).padStart(18, '0')}` as PeerId;
const [anna, ben] = [peerOf(0), peerOf(1)];
const dtls = { role: 'client' as const, fingerprints: [{ algorithm: 'sha-256' as const, value: 'AA:BB' }] };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function localRelay(workers = 1, capacity?: number): Promise<Relay> {
  const relay = await startLocalRelay(workers, capacity);
  cleanups.push(() => relay.close());
  return relay;
}

async function openSignal(secret = SECRET) {
  const pool = new RelayPool('here', () => undefined);
  const events: RelayEvent[] = [];
  const words: string[] = [];
  pool.onEvent((event) => events.push(event));
  const door = new RelayDoor({ secret, pool, log: (line) => words.push(line) });
  const server = createServer().on('upgrade', (...upgrade) => door.upgrade(...upgrade));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    await pool.close();
    server.closeAllConnections();
    server.close();
  });
  return { pool, events, words, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/relay` };
}

async function dial(relay: Relay, url: string, name: string, secret = SECRET, region = 'here') {
  const lines: string[] = [];
  const dialled = new Dial(relay, { url, secret, relay: name as RelayId, region, log: (line) => lines.push(line) });
  cleanups.push(() => dialled.close());
  return { dialled, lines };
}

/** Ben gets what Anna sends, wherever the two are. */
async function annaToBen(port: RelayPort) {
  const { capabilities } = await port.request('peer.open', { meeting, peer: anna });
  await port.request('peer.open', { meeting, peer: ben });
  const rtpParameters = camera(capabilities);
  const { producer } = await port.request('produce', { meeting, peer: anna, kind: 'camera', rtpParameters });
  const consumed = await port.request('consume', { meeting, peer: ben, producer, capabilities });
  return { producer, capabilities, ...consumed };
}

const comings = [
  { how: 'one by one', alone: 25 },
  { how: 'all at once', alone: 0 },
  { how: 'the last five at once', alone: 20 },
];
runs.each(comings)(
  'twenty-five who come $how take a second worker, and all have every stream once',
  async ({ alone }) => {
    const relay = await localRelay(2);
    const open = (index: number) => relay.request('peer.open', { meeting, peer: peerOf(index) });
    const opened = [];
    for (let index = 0; index < alone; index++) opened.push(await open(index));
    opened.push(...(await Promise.all(Array.from({ length: 25 - alone }, (_, index) => open(alone + index)))));
    const ports = new Set(opened.map(({ send }) => send.iceCandidates[0]!.port));
    expect(ports.size).toBe(2);
    const { capabilities } = opened[0]!;
    const sent = { meeting, peer: peerOf(0), kind: 'camera' as const, rtpParameters: camera(capabilities) };
    const { producer } = await relay.request('produce', sent);
    const consumers = await Promise.all(
      opened
        .slice(1)
        .map((_, index) => relay.request('consume', { meeting, peer: peerOf(index + 1), producer, capabilities })),
    );
    expect(new Set(consumers.map(({ consumer }) => consumer)).size).toBe(24);
    // Gone at home, it is gone in the other hall, too.
    await relay.request('peer.close', { meeting, peer: peerOf(0) });
    const late = relay.request('consume', { meeting, peer: peerOf(24), producer, capabilities });
    await expect(late).rejects.toMatchObject({ code: 'streamUnknown' });
  },
);

runs('a worker that dies under one half of a meeting ends the room as a whole, once', async () => {
  const relay = await localRelay(2);
  const events: RelayEvent[] = [];
  relay.onEvent((event) => events.push(event));
  for (let index = 0; index < 25; index++) await relay.request('peer.open', { meeting, peer: peerOf(index) });
  process.kill(relay.status().workers[0]!, 'SIGKILL');
  await expect.poll(() => events).toContainEqual({ type: 'room.lost', meeting });
  expect(relay.status().rooms).toBe(0);
  await relay.request('peer.open', { meeting, peer: anna });
  expect(events.filter(({ type }) => type === 'room.lost')).toHaveLength(1);
});

runs('who asks while the only worker is being replaced waits for the next one', async () => {
  const relay = await localRelay();
  await relay.request('peer.open', { meeting, peer: anna });
  const lost = new Promise<void>((resolve) => relay.onEvent(({ type }) => type === 'room.lost' && resolve()));
  process.kill(relay.status().workers[0]!, 'SIGKILL');
  await lost;
  expect(relay.isReady).toBe(false);
  const { send } = await relay.request('peer.open', { meeting, peer: anna });
  expect(send.iceCandidates).not.toEqual([]);
});

runs('senders are told what is watched: more at once, less when it lasts, nothing where nobody looks', async () => {
  const relay = await localRelay();
  const told: unknown[] = [];
  relay.onEvent((event) => event.type === 'producer.wanted' && told.push(event.layer));
  const { consumer, capabilities, producer } = await annaToBen(relay);
  const set = (change: { paused: boolean; layer?: 0 | 1 | 2 }) =>
    relay.request('consumer.set', { meeting, peer: ben, consumer, ...change });
  await set({ paused: false, layer: 1 });
  await expect.poll(() => told, { timeout: 4000 }).toEqual([1]);
  await set({ paused: false, layer: 2 });
  expect(told).toEqual([1, 2]);
  // There and back within the time: nobody is bothered.
  await set({ paused: true });
  await set({ paused: false });
  const carla = peerOf(2);
  await relay.request('peer.open', { meeting, peer: carla });
  const second = await relay.request('consume', { meeting, peer: carla, producer, capabilities });
  await relay.request('consumer.set', { meeting, peer: carla, consumer: second.consumer, paused: false, layer: 0 });
  await relay.request('consumer.close', { meeting, peer: ben, consumer });
  await expect.poll(() => told, { timeout: 4000 }).toEqual([1, 2, 0]);
  await relay.request('peer.close', { meeting, peer: carla });
  await expect.poll(() => told, { timeout: 4000 }).toEqual([1, 2, 0, null]);
});

runs('two relays by their sockets: one meeting over both, piped once, and ended at both', async () => {
  const signal = await openSignal();
  const [north, south] = [await localRelay(1, 1), await localRelay(1, 1)];
  await dial(north, signal.url, 'north');
  await dial(south, signal.url, 'south');
  await expect.poll(() => signal.pool.members.filter(({ port }) => port.isReady).length).toBe(2);
  const { pool } = signal;
  const { capabilities } = await pool.request('peer.open', { meeting, peer: anna });
  // The first one is full with one peer, and says so within a second.
  await expect.poll(() => pool.members.map(({ port }) => port.load).sort()).toEqual([0, 1]);
  await pool.request('peer.open', { meeting, peer: ben });
  expect([north.status().rooms, south.status().rooms]).toEqual([1, 1]);
  const sent = { meeting, peer: anna, kind: 'camera' as const, rtpParameters: camera(capabilities) };
  const { producer } = await pool.request('produce', sent);
  const asked = { meeting, peer: ben, producer, capabilities };
  const [one, two] = await Promise.all([pool.request('consume', asked), pool.request('consume', asked)]);
  expect(one.rtpParameters.encodings).toHaveLength(1);
  expect(one.consumer).not.toBe(two.consumer);
  const voice = { meeting, peer: ben, kind: 'microphone' as const, rtpParameters: microphone() };
  const { producer: sound } = await pool.request('produce', voice);
  await pool.request('consume', { meeting, peer: anna, producer: sound, capabilities });
  const set = (layer: 1 | 2) =>
    pool.request('consumer.set', { meeting, peer: ben, consumer: one.consumer, paused: false, layer });
  const wanted = () => signal.events.filter((event) => event.type === 'producer.wanted' && event.producer === producer);
  // Nobody watches it where it is at home, and that is no reason to stop.
  await set(2);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(wanted()).toEqual([]);
  await set(1);
  await pool.request('transport.connect', { meeting, peer: ben, direction: 'receive', dtlsParameters: dtls });

  // What is watched at the far relay counts at home.
  await expect.poll(wanted, { timeout: 5000 }).toContainEqual(expect.objectContaining({ peer: anna, layer: 1 }));

  await pool.request('peer.close', { meeting, peer: anna });
  const gone = pool.request('consume', asked);
  await expect(gone).rejects.toMatchObject({ code: 'streamUnknown' });
  await pool.request('peer.close', { meeting, peer: ben });
  expect([north.status().rooms, south.status().rooms]).toEqual([0, 0]);
  await expect.poll(() => [north.load, south.load]).toEqual([0, 0]);
});

runs('a relay process that is killed loses its meetings, and the next one takes them within 1.5 s', async () => {
  const signal = await openSignal();
  const env = {
    ...process.env,
    PARLEY_RELAY_SIGNAL: signal.url,
    PARLEY_RELAY_SECRET: SECRET,
    PARLEY_RELAY_NAME: 'far',
    PARLEY_RELAY_ADDRESS: '127.0.0.1',
    PARLEY_RELAY_WORKERS: '1',
    PARLEY_REGION: 'here',
  };
  const child = spawn(process.execPath, ['relay/main.ts'], { cwd: join(import.meta.dirname, '../..'), env });
  cleanups.push(() => child.kill('SIGKILL'));
  await expect.poll(() => signal.pool.isReady, { timeout: 10_000 }).toBe(true);
  await signal.pool.request('peer.open', { meeting, peer: anna });
  await dial(await localRelay(), signal.url, 'near');
  await expect.poll(() => signal.pool.members.filter(({ port }) => port.isReady).length).toBe(2);

  const killedAt = performance.now();
  child.kill('SIGKILL');
  await expect.poll(() => signal.events, { interval: 10 }).toEqual([{ type: 'room.lost', meeting }]);
  const again = await signal.pool.request('peer.open', { meeting, peer: anna });
  expect(performance.now() - killedAt).toBeLessThan(1500);
  expect(again.send.iceCandidates).not.toEqual([]);
});

runs('SIGTERM ends a relay process, and mistakes in its options are told all at once', async () => {
  const root = join(import.meta.dirname, '../..');
  const env = { PATH: process.env['PATH'], PARLEY_RELAY_SECRET: 'short', PARLEY_RELAY_WORKERS: 'many' };
  const wrong = spawn(process.execPath, ['relay/main.ts'], { cwd: root, env });
  let output = '';
  wrong.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(wrong, 'close')) as [number];
  expect(code).toBe(2);
  for (const name of ['PARLEY_RELAY_SIGNAL is missing', 'at least 32', 'PARLEY_RELAY_WORKERS is "many"'])
    expect(output).toContain(name);
  expect(output).not.toContain('short');

  const signal = await openSignal();
  const right = { ...env, PARLEY_RELAY_SECRET: SECRET, PARLEY_RELAY_WORKERS: '1', PARLEY_RELAY_SIGNAL: signal.url };
  const child = spawn(process.execPath, ['relay/main.ts'], { cwd: root, env: right });
  cleanups.push(() => child.kill('SIGKILL'));
  await expect.poll(() => signal.pool.isReady, { timeout: 10_000 }).toBe(true);
  child.kill('SIGTERM');
  const [ended] = (await once(child, 'close')) as [number];
  expect(ended).toBe(0);
});

runs('neither a relay without the secret gets in, nor does a relay work for a server without it', async () => {
  const signal = await openSignal();
  const relay = await localRelay();
  await dial(relay, signal.url, 'stranger', 'another secret of at least 32 characters');
  await expect.poll(() => signal.words).toContainEqual(expect.stringContaining('was refused'));
  expect(signal.pool.members).toEqual([]);

  // A server that lets everybody in and cannot prove anything: it is asked nothing, and its requests are not heard.
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  cleanups.push(() => server.close());
  await once(server, 'listening');
  const heard: string[] = [];
  server.on('connection', (socket) => {
    const nonce = 'A'.repeat(43);
    socket.send(JSON.stringify({ type: 'challenge', protocol: 1, nonce }));
    socket.on('message', (data: Buffer) => {
      heard.push(data.toString());
      socket.send(JSON.stringify({ type: 'welcome', proof: nonce }));
      socket.send(JSON.stringify({ id: 1, name: 'peer.open', params: { meeting, peer: anna } }));
    });
  });
  const port = (server.address() as AddressInfo).port;
  const { dialled, lines } = await dial(relay, `ws://127.0.0.1:${port}/relay`, 'honest');
  await expect.poll(() => lines).toContainEqual(expect.stringContaining('did not prove'));
  expect(dialled.isWelcome).toBe(false);
  expect(relay.status().rooms).toBe(0);
  expect(heard.every((text) => text.includes('"hello"') && !text.includes(SECRET))).toBe(true);
});

runs('a signal server that restarts gets its relay back, and the rooms wait for it', async () => {
  const relay = await localRelay();
  const first = await openSignal();
  const port = Number(new URL(first.url).port);
  await dial(relay, first.url, 'patient');
  await expect.poll(() => first.pool.isReady).toBe(true);
  await first.pool.request('peer.open', { meeting, peer: anna });
  await first.pool.request('peer.open', { meeting, peer: ben });
  await cleanups[1]!(); // the first server goes
  const pool = new RelayPool('here', () => undefined);
  const door = new RelayDoor({ secret: SECRET, pool, log: () => undefined });
  const server = createServer().on('upgrade', (...upgrade) => door.upgrade(...upgrade));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanups.push(async () => {
    await pool.close();
    server.closeAllConnections();
    server.close();
  });
  expect(relay.status().rooms).toBe(1);
  await expect.poll(() => pool.isReady, { timeout: 5000 }).toBe(true);
  await pool.request('peer.open', { meeting, peer: anna });
  expect(relay.status().rooms).toBe(1);
  // Ben has not come back, and nobody finds him in the room of now.
  await pool.request('peer.close', { meeting, peer: anna });
  expect(relay.status().rooms).toBe(0);
});
