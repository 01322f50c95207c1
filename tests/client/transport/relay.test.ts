/** The relay's way as a whole: what tiles say of it, and what becomes of an attempt that is overtaken. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRelay } from '../../../client/transport/relay.ts';
import type { RelayTransport } from '../../../client/transport/transport.ts';
import { FakeRelay, peer, stream, type FakeTransport } from './fakeRelay.ts';

const given = vi.hoisted(() => ({
  made: [] as unknown[],
  make: (() => undefined) as () => unknown,
  loads: [] as (() => void)[],
}));
vi.mock('mediasoup-client', () => ({
  Device: {
    factory: async () => ({
      recvRtpCapabilities: {},
      sendRtpCapabilities: { codecs: [] },
      load: () => new Promise<void>((resolve) => void given.loads.push(resolve)),
      createSendTransport: (options: unknown) => (given.made.push(options), given.make()),
      createRecvTransport: (options: unknown) => (given.made.push(options), given.make()),
    }),
  },
}));
vi.mock('../../../client/media/placeholder.ts', () => ({
  PLACEHOLDER_SIZE: { width: 64, height: 36 },
  createPlaceholders: () => ({
    video: () => null,
    audio: () => null,
    lease: () => () => undefined,
    close: () => undefined,
  }),
}));

const iceServers = [{ urls: 'turn:turn.example.org' }];
let relay: FakeRelay;
let transports: FakeTransport[];
let path: RelayTransport;
let states: string[];

const wait = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const load = () => given.loads.shift()?.();

beforeEach(async () => {
  vi.useFakeTimers();
  relay = new FakeRelay();
  transports = [];
  states = [];
  given.made = [];
  given.loads = [];
  given.make = () => {
    const made = relay.transport('new');
    transports.push(made);
    return made;
  };
  relay.answers.set('relay.open', () => ({
    capabilities: {},
    send: {},
    receive: {},
    streams: [stream('ben', 'camera'), stream('carla', 'camera')],
  }));
  const { port, request } = relay;
  const [wanted, isWorkerLost] = [new Map(), () => false];
  path = createRelay({ port, line: { request }, iceServers, wanted, held: false, isWorkerLost });
  path.on('state', (of, state) => {
    const detail = state.at === 'unsafe' ? ` ${state.detail}` : '';
    states.push(`${of.replace(/A+$/, '')} ${state.at}${detail}`);
  });
  path.setPeers([peer('ben'), peer('carla')]);
  await wait();
});
afterEach(async () => {
  await path.close();
  vi.useRealTimers();
});

async function connected(): Promise<void> {
  load();
  await wait();
  for (const transport of transports) transport.become('connected');
  for (const id of relay.transforms.filter((one) => one.includes('receive'))) relay.count(id, 1);
}

test('goes by TURN like the mesh', async () => {
  load();
  await wait();
  expect(given.made).toEqual([expect.objectContaining({ iceServers }), expect.objectContaining({ iceServers })]);
});

test('says how far it is with each', async () => {
  await connected();
  const way = ['connecting', 'securing', 'connected'];
  expect(states.filter((one) => one.startsWith('ben'))).toEqual(way.map((at) => `ben ${at}`));
});

test('says when somebody’s last stream ends, and when the way is lost', async () => {
  await connected();
  states = [];
  path.ended(stream('ben', 'camera').producer);
  expect(states).toEqual(['ben securing']);
  transports[1]!.become('disconnected');
  expect(states).toEqual(['ben securing', 'ben connecting', 'carla reconnecting']);
});

test('a way that stays lost gets one ICE restart after another, until it is back', async () => {
  await connected();
  const receive = transports[1]!;
  const restarts = () => receive.restarts;
  receive.become('disconnected');
  await wait(1999);
  expect(restarts()).toBe(0);
  await wait(1);
  expect(restarts()).toBe(1);
  receive.become('connecting');
  await wait(2000);
  expect(restarts()).toBe(2);
  receive.become('failed');
  await wait();
  expect(restarts()).toBe(3);
  receive.become('connecting');
  await wait(4000);
  expect(restarts()).toBe(5);
  receive.become('connected');
  await wait(10_000);
  expect(restarts()).toBe(5);
});

test('what was overtaken while the device was loading makes nothing', async () => {
  relay.answers.set('relay.restartIce', () => Promise.reject(new Error('unknown')));
  const [first] = given.loads;
  await path.close();
  first?.();
  await wait(10_000);
  expect(transports).toEqual([]);
});

test('opened anew, what there is goes on until the relay has answered, however often it is asked', async () => {
  await connected();
  const answer = relay.answers.get('relay.open')!;
  relay.answers.set('relay.open', () => Promise.reject(new Error('no worker')));
  states = [];
  path.renew();
  await wait(10_000);
  expect(relay.asked.filter((one) => one === 'relay.open').length).toBeGreaterThan(3);
  expect(states).toEqual([]);
  relay.answers.set('relay.open', answer);
  await wait(10_000);
  expect(states).toEqual(['ben connecting', 'carla connecting']);
  await connected();
  expect(states.slice(2)).toContain('ben connected');
  expect(transports).toHaveLength(4);
});

test('opened anew, a stream that is told of before the answer is not lost', async () => {
  await connected();
  const opened = relay.answers.get('relay.open')!();
  let answer: () => void = () => undefined;
  relay.answers.set('relay.open', () => new Promise((resolve) => (answer = () => resolve(opened))));
  path.renew();
  await wait();
  path.produced(stream('carla', 'microphone'));
  await wait();
  relay.asked.length = 0;
  answer();
  await wait();
  await connected();
  expect(relay.asked).toContain('relay.consume carla-microphone');
});

test('that frames leave unsealed is said until one is sealed again, whatever is made anew meanwhile', async () => {
  await connected();
  states = [];
  const unsealed = transports[0]!;
  const camera = relay.transform('camera.send');
  let encoded = 0;
  unsealed.getStats = async () =>
    new Map([
      ['o', { id: 'o', type: 'outbound-rtp', kind: 'video', mid: '1', framesEncoded: (encoded += 20) }],
    ]) as never;
  // The sender's section is only known by its mid.
  expect(camera).toBeDefined();
  await wait(5000);
  expect(states).toEqual(['ben unsafe clearFrames', 'carla unsafe clearFrames']);
  expect(unsealed.closed).toBe(true);
  load();
  await wait();
  expect(states).toHaveLength(2);
  relay.count(relay.transform('camera.send'), 1);
  expect(states.at(-1)).toBe('carla connecting');
});

test('where another is in its place it delivers and asks for nothing, and when it breaks or sends unsealed frames it only ends', async () => {
  await connected();
  relay.asked.length = 0;
  path.retire();
  path.show([{ peer: peer('ben'), kind: 'camera', height: 100 }]);
  path.produced(stream('ben', 'microphone'));
  path.refresh();
  await wait(100);
  expect(states.at(-1)).toBe('carla connected');
  transports[1]!.become('failed');
  await wait(60_000);
  expect(states.slice(-2)).toEqual(['ben connecting', 'carla connecting']);
  await path.close();
  expect(relay.asked).toEqual([]);
  expect(transports).toHaveLength(2);
});

test('where another is in its place, it ends at once when frames leave unsealed, and is not made anew', async () => {
  await connected();
  relay.asked.length = 0;
  path.retire();
  let encoded = 0;
  const [send] = transports;
  send!.getStats = async () =>
    new Map([
      ['o', { id: 'o', type: 'outbound-rtp', kind: 'video', mid: '1', framesEncoded: (encoded += 20) }],
    ]) as never;
  await wait(10_000);
  expect(send!.closed).toBe(true);
  expect(states).toContain('ben unsafe clearFrames');
  expect(relay.asked).toEqual([]);
});
