/** The relay by its control catalogue, with real workers: rooms, streams, what it refuses, and a worker that dies. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Relay } from '../../relay/relay.ts';
import { hasWorker } from '../../relay/relay.ts';
import { camera, microphone, startLocalRelay } from './support.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { StreamId } from '../../signal/protocol/model.ts';
import type { RelayEvent } from '../../signal/protocol/relayControl.ts';
import { RelayEvent as RelayEventSchema, relayRequests } from '../../signal/protocol/relayControl.ts';
import type { RtpParameters } from '../../signal/protocol/rtp.ts';

// Without a binary there is nothing to test; on CI the set-up has seen to it that there is one.
const runs = test.skipIf(!hasWorker());
if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const other = 'eeee-ffff-gggg-hhhh' as MeetingId;
const [anna, ben] = ['annaAAAAAAAAAAAAAAAAAA', 'benAAAAAAAAAAAAAAAAAAA'] as [PeerId, PeerId];
const none = 'c1f6b2de-8a34-4f0e-9b7d-5e2a1c3d4f60' as StreamId;

let relay: Relay;
let events: RelayEvent[];

beforeEach(async () => {
  if (!hasWorker()) return;
  events = [];
  relay = await startLocalRelay(2);
  relay.onEvent((event) => events.push(RelayEventSchema.parse(event)));
});
afterEach(() => relay?.close());

const open = (peer: PeerId, at = meeting) => relay.request('peer.open', { meeting: at, peer });

runs('what it answers is what the catalogue says, on addresses that it was given', async () => {
  const opened = relayRequests['peer.open'].result.parse(await open(anna));
  const { send, receive, capabilities } = opened;
  expect(send.id).not.toBe(receive.id);
  for (const { iceCandidates } of [send, receive]) {
    expect(iceCandidates.map(({ protocol, ip }) => `${protocol} ${ip}`)).toEqual(['udp 127.0.0.1', 'tcp 127.0.0.1']);
  }
  expect(capabilities.codecs.map(({ mimeType }) => mimeType).filter((type) => !type.endsWith('/rtx'))).toEqual([
    'audio/opus',
    'video/VP8',
    'video/VP9',
  ]);
});

runs('offers nothing that tells who speaks, and takes no such stream either', async () => {
  const { capabilities } = await open(anna);
  expect(capabilities.headerExtensions.filter(({ uri }) => /audio-level|capture-time/.test(uri))).toEqual([]);
  const telling = microphone();
  telling.headerExtensions = [{ uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level' as never, id: 10 }];
  const asked = relay.request('produce', { meeting, peer: anna, kind: 'microphone', rtpParameters: telling });
  await expect(asked).rejects.toMatchObject({ code: 'badRequest' });
});

runs('hands a stream to another peer of the meeting, paused at first, and to nobody of another meeting', async () => {
  const [{ capabilities }] = await Promise.all([open(anna), open(ben), open(ben, other)]);
  const rtpParameters = camera(capabilities);
  const { producer } = await relay.request('produce', { meeting, peer: anna, kind: 'camera', rtpParameters });
  const place = { meeting, peer: ben };
  const consumed = await relay.request('consume', { ...place, producer, capabilities });
  expect(relayRequests.consume.result.parse(consumed).rtpParameters.encodings).toHaveLength(1);
  await relay.request('consumer.set', { ...place, consumer: consumed.consumer, paused: false, layer: 1 });
  const stolen = relay.request('consume', { meeting: other, peer: ben, producer, capabilities });
  await expect(stolen).rejects.toMatchObject({ code: 'streamUnknown' });
});

runs('refuses what does not fit: a second camera, a sound for a picture, a codec that breaks when sealed', async () => {
  const { capabilities } = await open(anna);
  const produce = (kind: 'camera' | 'screen', rtpParameters: RtpParameters) =>
    relay.request('produce', { meeting, peer: anna, kind, rtpParameters });
  await produce('camera', camera(capabilities));
  await expect(produce('camera', camera(capabilities))).rejects.toMatchObject({ code: 'outOfOrder' });
  await expect(produce('screen', microphone())).rejects.toMatchObject({ code: 'badRequest' });
  const h264 = camera(capabilities, ['q0']);
  h264.codecs[0]!.mimeType = 'video/H264';
  await expect(produce('screen', h264)).rejects.toMatchObject({ code: 'badRequest' });
  const missing = relay.request('consume', { meeting, peer: anna, producer: none, capabilities });
  await expect(missing).rejects.toMatchObject({ code: 'streamUnknown' });
});

runs('a peer that goes takes its streams along, and the last one the room', async () => {
  const [{ capabilities }] = await Promise.all([open(anna), open(ben)]);
  const rtpParameters = camera(capabilities);
  const { producer } = await relay.request('produce', { meeting, peer: anna, kind: 'camera', rtpParameters });
  await relay.request('peer.close', { meeting, peer: anna });
  expect(events).toEqual([{ type: 'producer.closed', meeting, peer: anna, producer }]);
  expect(relay.status().rooms).toBe(1);
  await relay.request('peer.close', { meeting, peer: ben });
  await relay.request('peer.close', { meeting, peer: ben });
  expect(relay.status().rooms).toBe(0);
});

runs('a setting for a stream that ends in the same moment is no failure', async () => {
  const [{ capabilities }] = await Promise.all([open(anna), open(ben)]);
  const sent = { meeting, peer: anna, kind: 'camera' as const, rtpParameters: camera(capabilities) };
  const { producer } = await relay.request('produce', sent);
  const { consumer } = await relay.request('consume', { meeting, peer: ben, producer, capabilities });
  await Promise.all([
    relay.request('peer.close', { meeting, peer: anna }),
    Promise.resolve().then(() =>
      relay.request('consumer.set', { meeting, peer: ben, consumer, paused: false, layer: 0 }),
    ),
  ]);
});

runs('opened twice, the later one stays', async () => {
  await Promise.all([open(anna), open(anna)]);
  const again = await open(anna);
  const dtlsParameters = { role: 'client' as const, fingerprints: again.send.dtlsParameters.fingerprints };
  await relay.request('transport.connect', { meeting, peer: anna, direction: 'send', dtlsParameters });
  await relay.request('peer.close', { meeting, peer: anna });
  expect(relay.status().rooms).toBe(0);
});

runs(
  'a worker that is killed costs its rooms alone, is replaced, and the meeting opens again within 1.5 s',
  async () => {
    await open(anna);
    await open(ben, other);
    const before = relay.status().workers;
    const killedAt = Date.now();
    process.kill(before[0]!, 'SIGKILL');
    await expect.poll(() => events).toHaveLength(1);
    const [lost] = events;
    expect(lost?.type).toBe('room.lost');
    const reopened = await open(anna, lost!.meeting);
    expect(reopened.send.iceCandidates.length).toBeGreaterThan(0);
    expect(Date.now() - killedAt).toBeLessThan(1500);
    await expect.poll(() => relay.status().workers.length).toBe(2);
    expect(relay.status().workers).not.toContain(before[0]);
  },
);
