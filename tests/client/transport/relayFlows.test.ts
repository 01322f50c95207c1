/** What comes from the relay and what goes there, when something fails. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Arrival, flowingOf, isPicture } from '../../../client/transport/arrival.ts';
import { layerFor } from '../../../client/transport/bitrate.ts';
import { RelayReceiving } from '../../../client/transport/relayReceiving.ts';
import { RelaySending } from '../../../client/transport/relaySending.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import { FakeRelay, peer, stream } from './fakeRelay.ts';

let relay: FakeRelay;
let failures: string[];

beforeEach(() => {
  vi.useFakeTimers();
  relay = new FakeRelay();
  failures = [];
});
afterEach(() => void vi.useRealTimers());
const wait = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('receiving', () => {
  let shown: string[];
  const receive = () =>
    new RelayReceiving({
      port: relay.port,
      ask: relay.request,
      track: (of, kind, track) => shown.push(`${of.replace(/A+$/, '')} ${kind} ${track ? 'on' : 'off'}`),
      changed: () => undefined,
      failed: (what) => failures.push(what),
    });
  const consumed = () => relay.asked.filter((one) => one.startsWith('relay.consume'));
  beforeEach(() => void (shown = []));

  async function withTwo(): Promise<RelayReceiving> {
    const receiving = receive();
    receiving.setPeers([peer('ben'), peer('carla')]);
    receiving.begin([stream('ben', 'camera'), stream('carla', 'camera')]);
    receiving.open(relay.device, relay.transport().as);
    await wait();
    for (const id of relay.transforms) receiving.counted(relay.counts(id, 1), 0);
    return receiving;
  }

  test('streams of members alone are asked for, each once', async () => {
    const receiving = await withTwo();
    receiving.produced(stream('stranger', 'camera'));
    receiving.retry();
    await wait();
    expect(consumed()).toEqual(['relay.consume ben-camera', 'relay.consume carla-camera']);
    expect(shown).toEqual(['ben camera on', 'carla camera on']);
  });

  test('no picture waits for a sound: the two come in streams apart, which the browser does not put in step', async () => {
    const receiving = receive();
    const transport = relay.transport();
    receiving.setPeers([peer('ben')]);
    receiving.begin([stream('ben', 'camera'), stream('ben', 'microphone')]);
    receiving.open(relay.device, transport.as);
    await wait();
    expect(new Set(transport.streamIds).size).toBe(2);
  });

  test('who may be a member soon is made ready, and nothing comes until then', async () => {
    const receiving = receive();
    receiving.expect([peer('ben')]);
    receiving.begin([stream('ben', 'camera'), stream('carla', 'camera')]);
    receiving.open(relay.device, relay.transport().as);
    await wait();
    expect(relay.asked).toEqual(['relay.consume ben-camera']);
    expect(receiving.flows).toEqual([]);
    receiving.setPeers([peer('ben')]);
    await wait();
    expect(relay.asked.slice(1)).toEqual(['relay.set of ben-camera']);
    expect(receiving.flows.map(({ paused }) => paused())).toEqual([false]);
  });

  test('who does not become one within twenty seconds is let go; of many, four are believed', async () => {
    const receiving = receive();
    const many = ['ben', 'carla', 'd', 'e', 'f'];
    receiving.expect(many.map(peer));
    receiving.begin(many.map((name) => stream(name, 'camera')));
    receiving.open(relay.device, relay.transport().as);
    await wait();
    expect(consumed()).toHaveLength(4);
    receiving.setPeers([peer('ben')]);
    await wait(20_000);
    expect(relay.closedConsumers).toEqual(['of carla-camera', 'of d-camera', 'of e-camera']);
  });

  test('answers that come together are worked on in one task; one that is late or refused holds none up for long', async () => {
    const receiving = receive();
    const delays = [0, 20, 1000];
    relay.answers.set('relay.consume', async () => {
      const ms = delays.shift();
      if (ms === undefined) throw new ProtocolError('streamUnknown');
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { consumer: `after ${ms}`, rtpParameters: { codecs: [] } };
    });
    const transport = relay.transport();
    receiving.setPeers(['a', 'b', 'c', 'd'].map(peer));
    receiving.begin(['a', 'b', 'c', 'd'].map((name) => stream(name, 'camera')));
    receiving.open(relay.device, transport.as);
    await wait(39);
    expect(transport.streamIds).toEqual([]);
    await wait(1);
    expect(transport.streamIds).toEqual(['a-camera', 'b-camera']);
    await wait(1000);
    expect(transport.streamIds).toEqual(['a-camera', 'b-camera', 'c-camera']);
  });

  test('a stream that ends before the device is loaded is no ghost', async () => {
    const receiving = receive();
    receiving.setPeers([peer('ben')]);
    receiving.begin([stream('ben', 'camera')]);
    receiving.ended(stream('ben', 'camera').producer);
    receiving.open(relay.device, relay.transport().as);
    await wait();
    expect(consumed()).toEqual([]);
  });

  test('what does not open costs that one stream; it is tried three times more, and never again', async () => {
    const receiving = await withTwo();
    for (let round = 0; round < 6; round++) {
      const id = relay.transform('camera');
      if (round > 0 && relay.ended.includes(id)) break;
      const bad = round === 0 ? relay.transforms[0]! : id;
      receiving.distrust(bad);
      expect(receiving.isUnsafe(peer('ben'))).toBe(true);
      expect(receiving.isUnsafe(peer('carla'))).toBe(false);
      await wait(10_000);
    }
    expect(consumed().filter((one) => one.includes('ben'))).toHaveLength(4);
    expect(relay.asked.filter((one) => one.startsWith('relay.forget'))).toHaveLength(4);
    expect(shown.filter((one) => one.includes('carla'))).toEqual(['carla camera on']);
    expect(receiving.opens(peer('carla'))).toBe(true);
  });

  test('is safe again when a frame of that kind opens', async () => {
    const receiving = await withTwo();
    receiving.distrust(relay.transforms[0]!);
    await wait(10_000);
    receiving.counted(relay.counts(relay.transform('camera'), 1), 0);
    expect(receiving.isUnsafe(peer('ben'))).toBe(false);
    expect(shown.at(-1)).toBe('ben camera on');
  });

  test('a consumer that could not be set is closed with its transform, and made again when the socket is back', async () => {
    relay.answers.set('relay.set', () => Promise.reject(new Error('offline')));
    const receiving = receive();
    receiving.setPeers([peer('ben')]);
    receiving.begin([stream('ben', 'camera')]);
    receiving.open(relay.device, relay.transport().as);
    await wait();
    expect(failures).toEqual(['consumer']);
    expect(relay.ended).toEqual(relay.transforms);
    expect(relay.closedConsumers).toHaveLength(1);
    relay.answers.clear();
    receiving.retry();
    await wait();
    expect(receiving.flows).toHaveLength(1);
    expect(relay.transforms).toHaveLength(2);
  });

  test('a browser that takes no consumer on a new transport needs another transport', async () => {
    const transport = relay.transport('new');
    transport.fails = new Error('connect failed');
    const receiving = receive();
    receiving.setPeers([peer('ben')]);
    receiving.begin([stream('ben', 'camera')]);
    receiving.open(relay.device, transport.as);
    await wait();
    expect(failures).toEqual(['transport']);
    expect(relay.ended).toEqual(relay.transforms);
  });

  test('a stream that the relay does not know any more is not asked for again', async () => {
    relay.answers.set('relay.consume', () => Promise.reject(new ProtocolError('streamUnknown')));
    const receiving = receive();
    receiving.setPeers([peer('ben')]);
    receiving.begin([stream('ben', 'camera')]);
    receiving.open(relay.device, relay.transport().as);
    await wait();
    receiving.retry();
    await wait();
    expect(consumed()).toHaveLength(1);
    expect(failures).toEqual([]);
  });

  test('more tiles want smaller pictures', async () => {
    expect([1, 4, 5, 12, 13].map(layerFor)).toEqual([2, 2, 1, 1, 0]);
    const receiving = await withTwo();
    relay.asked.length = 0;
    receiving.setPeers(['ben', 'carla', 'd', 'e', 'f'].map(peer));
    expect(relay.asked).toEqual(['relay.set of ben-camera', 'relay.set of carla-camera']);
  });

  test('a narrow way wants smaller ones whatever is shown, says so once, and takes it back', async () => {
    const receiving = await withTwo();
    const show = (): void =>
      receiving.show([
        { peer: peer('ben'), kind: 'camera', height: 500 },
        { peer: peer('carla'), kind: 'camera', height: 100 },
      ]);
    show();
    relay.asked.length = 0;
    receiving.limit(2);
    receiving.limit(2);
    show();
    // Carla's is the smallest already.
    expect(relay.asked).toEqual(['relay.set of ben-camera']);
    // The larger stays.
    receiving.limit(1);
    expect(relay.asked.slice(1)).toEqual(['relay.set of carla-camera']);
    receiving.limit(null);
    expect(relay.asked.slice(2)).toEqual(['relay.set of ben-camera', 'relay.set of carla-camera']);
  });
});

describe('sending', () => {
  const track = { kind: 'video' } as MediaStreamTrack;
  let leases: number;
  const send = (wanted: ['microphone' | 'camera' | 'screen' | 'screenAudio', MediaStreamTrack | null][] = []) =>
    new RelaySending({
      port: relay.port,
      placeholders: {
        video: () => track,
        audio: () => track,
        lease: () => (leases++, () => void leases--),
        close: () => undefined,
      },
      wanted: new Map(wanted),
      held: false,
      failed: (what) => failures.push(what),
    });
  beforeEach(() => void (leases = 0));

  test('camera and microphone have senders from the start, a screen when there is one', async () => {
    const sending = send();
    sending.open(relay.device, relay.transport().as);
    await sending.publish('screen', null);
    expect(sending.flows.map(({ kind }) => kind)).toEqual(['microphone', 'camera']);
    await Promise.all([sending.publish('screen', track), sending.publish('screen', track)]);
    expect(sending.flows.map(({ kind }) => kind)).toEqual(['microphone', 'camera', 'screen']);
  });

  test('a screen that was begun while the socket was away is sent when it is back', async () => {
    const transport = relay.transport();
    const sending = send([['screen', track]]);
    transport.fails = new Error('offline');
    sending.open(relay.device, transport.as);
    await wait();
    expect(failures).toEqual(['sender', 'sender', 'sender']);
    expect(sending.flows).toEqual([]);
    expect(relay.ended.toSorted()).toEqual(relay.transforms.toSorted());
    expect(leases).toBe(0);
    transport.fails = null;
    sending.retry();
    await wait();
    expect(new Set(sending.flows.map(({ kind }) => kind))).toEqual(new Set(['microphone', 'camera', 'screen']));
  });

  test('a new transport that failed, or a relay that has the kind already, needs another transport', async () => {
    const fresh = relay.transport('new');
    fresh.fails = new Error('connect failed');
    send().open(relay.device, fresh.as);
    await wait();
    const known = relay.transport();
    known.fails = new ProtocolError('outOfOrder');
    send().open(relay.device, known.as);
    await wait();
    expect(failures).toEqual(['transport', 'transport', 'transport', 'transport']);
  });
});

describe('what arrives', () => {
  const size = (frameWidth: number, frameHeight: number) => [{ type: 'inbound-rtp', frameWidth, frameHeight }];

  test('is a picture when it is larger than the black one', () => {
    expect(isPicture([])).toBe(false);
    expect(isPicture(size(64, 36))).toBe(false);
    expect(isPicture(size(16, 9))).toBe(false);
    expect(isPicture(size(160, 90))).toBe(true);
    expect(isPicture(size(40, 80))).toBe(true);
  });

  test('flows as long as frames open: pictures by their size, sound when it has lasted', async () => {
    const arrival = new Arrival();
    const at = (kind: 'camera' | 'microphone', now: number, width = 640) =>
      flowingOf([{ kind, arrival, receiver: { getStats: async () => size(width, 360) as never } }], now);
    expect((await at('camera', 0)).size).toBe(0);
    arrival.counted(1, 0);
    expect([...(await at('camera', 10))]).toEqual(['camera']);
    expect((await at('microphone', 10)).size).toBe(0);
    arrival.counted(20, 500);
    arrival.counted(40, 1000);
    expect([...(await at('microphone', 1100))]).toEqual(['microphone']);
    arrival.counted(40, 3000);
    expect((await at('microphone', 4000)).size).toBe(0);
  });
});
