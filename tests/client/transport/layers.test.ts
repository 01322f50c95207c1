/** What is asked of the relay, and what is sent to it: only what somebody watches. */
import type { types } from 'mediasoup-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TrackKind } from '../../../client/e2ee/messages.ts';
import { cameraCodec, limitLayers } from '../../../client/transport/layers.ts';
import { RelayReceiving } from '../../../client/transport/relayReceiving.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { StreamId } from '../../../signal/protocol/model.ts';

const [anna, ben] = ['anna', 'ben'].map((name) => name.padEnd(22, 'A') as PeerId) as [PeerId, PeerId];

describe('layers that are sent', () => {
  const senderOf = (count: number) => {
    let parameters = { encodings: Array.from({ length: count }, () => ({ active: true })) };
    const set: boolean[][] = [];
    const sender = {
      getParameters: () => structuredClone(parameters),
      setParameters: async (given: typeof parameters) => {
        parameters = given;
        set.push(given.encodings.map(({ active }) => active));
      },
    };
    return { sender: sender as unknown as RTCRtpSender, set };
  };

  test('are those up to the largest that is watched, or none; nothing is set twice', async () => {
    const { sender, set } = senderOf(3);
    for (const layer of [2, 1, 1, 0, null, 2] as const) await limitLayers(sender, layer);
    expect(set).toEqual([
      [true, true, false],
      [true, false, false],
      [false, false, false],
      [true, true, true],
    ]);
  });

  test('of a stream without sizes are all or nothing', async () => {
    const { sender, set } = senderOf(1);
    for (const layer of [0, null, 1] as const) await limitLayers(sender, layer);
    expect(set).toEqual([[false], [true]]);
  });
});

describe('the codec of a camera', () => {
  const device = (...names: string[]) =>
    ({ sendRtpCapabilities: { codecs: names.map((name) => ({ mimeType: `video/${name}` })) } }) as never;
  beforeEach(() => vi.resetModules());
  afterEach(() => vi.unstubAllGlobals());

  async function choose(easy: readonly string[], offered = ['VP8', 'VP9']): Promise<string> {
    const asked: string[] = [];
    vi.stubGlobal('navigator', {
      mediaCapabilities: {
        encodingInfo: async ({ video }: { video: { contentType: string } }) => {
          asked.push(video.contentType);
          return { supported: true, smooth: true, powerEfficient: easy.includes(video.contentType) };
        },
      },
    });
    const fresh = await import('../../../client/transport/layers.ts');
    return fresh.cameraCodec(device(...offered));
  }

  test('is VP9 where this device encodes it with ease and VP8 not, else VP8', async () => {
    expect(await choose(['video/VP9'])).toBe('vp9');
    vi.resetModules();
    expect(await choose([])).toBe('vp8');
    vi.resetModules();
    expect(await choose(['video/VP8', 'video/VP9'])).toBe('vp8');
    vi.resetModules();
    expect(await choose(['video/VP9'], ['VP8'])).toBe('vp8');
  });

  test('is VP8 where a browser cannot say', async () => {
    vi.stubGlobal('navigator', {});
    expect(await cameraCodec(device('VP8', 'VP9'))).toBe('vp8');
  });
});

describe('what is asked for', () => {
  let sets: Record<string, unknown>[];
  let consumed: string[];
  let codecs: string[];
  let refuse: boolean;
  let failures: string[];
  let receiving: RelayReceiving;

  beforeEach(() => {
    [sets, consumed, codecs, failures, refuse] = [[], [], [], [], false];
    receiving = new RelayReceiving({
      port: {
        call: async () => ({}) as never,
        onNotice: () => () => undefined,
        onDead: () => () => undefined,
        transform: ({ codec }) => void codecs.push(codec),
      },
      ask: (async (name: string, params: Record<string, unknown>) => {
        if (name === 'relay.consume') {
          consumed.push(String(params['producer']));
          const mimeType = params['producer'] === 'svc' ? 'video/VP9' : 'video/VP8';
          return { consumer: `c-${String(params['producer'])}`, rtpParameters: { codecs: [{ mimeType }] } };
        }
        if (name === 'relay.set') {
          if (refuse) throw new Error('offline');
          sets.push(params);
        }
        return {};
      }) as never,
      track: () => undefined,
      changed: () => undefined,
      failed: (what) => failures.push(what),
    });
    receiving.setPeers([anna, ben]);
    receiving.open(
      { recvRtpCapabilities: {} } as never,
      {
        connectionState: 'connected',
        consume: async ({ id, rtpParameters, onRtpReceiver }: types.ConsumerOptions) => {
          const rtpReceiver = {};
          onRtpReceiver?.(rtpReceiver as RTCRtpReceiver);
          return { id, rtpParameters, rtpReceiver, close: () => undefined };
        },
      } as never,
    );
  });
  const send = (peer: PeerId, kind: TrackKind, producer: string) =>
    receiving.produced({ peer, kind, producer: producer as StreamId });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

  test('is everything as long as nothing was said of the screen, with a layer for so many', async () => {
    send(anna, 'camera', 'a');
    send(anna, 'microphone', 'm');
    await settle();
    expect(sets).toEqual([
      { consumer: 'c-a', paused: false, layer: 2, priority: 3 },
      { consumer: 'c-m', paused: false },
    ]);
  });

  test('is what is shown, as large as it is shown; sound always, and what was never shown not at all', async () => {
    receiving.show([{ peer: anna, kind: 'camera', height: 150 }]);
    send(anna, 'camera', 'a');
    send(ben, 'camera', 'b');
    send(ben, 'microphone', 'm');
    send(ben, 'screen', 's');
    await settle();
    expect(consumed.sort()).toEqual(['a', 'm']);
    receiving.show([
      { peer: ben, kind: 'screen', height: 800 },
      { peer: ben, kind: 'camera', height: 300 },
    ]);
    await settle();
    expect(consumed.sort()).toEqual(['a', 'b', 'm', 's']);
    expect(sets.filter(({ consumer }) => consumer === 'c-a')).toEqual([
      { consumer: 'c-a', paused: false, layer: 0, priority: 1 },
      { consumer: 'c-a', paused: true },
    ]);
    expect(sets).toContainEqual({ consumer: 'c-s', paused: false, priority: 10 });
    expect(sets).toContainEqual({ consumer: 'c-b', paused: false, layer: 1, priority: 2 });
  });

  test('is said again where it could not be said', async () => {
    send(anna, 'camera', 'a');
    await settle();
    refuse = true;
    receiving.show([]);
    await settle();
    expect(failures).toEqual(['consumer']);
    refuse = false;
    receiving.retry();
    await settle();
    expect(sets.at(-1)).toEqual({ consumer: 'c-a', paused: true });
  });

  test('is opened as the codec that it is, and a voice is never taken for a picture', async () => {
    send(anna, 'camera', 'svc');
    send(anna, 'microphone', 'm');
    await settle();
    expect(codecs).toEqual(['vp9', 'opus']);
  });
});
