/** A relay of real workers on this machine, and streams as Chromium would describe them. */
import { type Relay, startRelay } from '../../relay/relay.ts';
import type { RtpCapabilities, RtpParameters } from '../../signal/protocol/rtp.ts';

export function startLocalRelay(workers: number, capacity = 1000): Promise<Relay> {
  return startRelay({
    count: workers,
    capacity,
    listen: { addresses: [{ ip: '127.0.0.1', announced: null }], port: 0 },
    pipes: { protocol: 'udp', ip: '127.0.0.1' },
    onError: () => undefined,
  });
}

/** In three sizes, in the relay's own terms. */
export function camera(
  { codecs, headerExtensions }: RtpCapabilities,
  rids: string[] = ['r0', 'r1', 'r2'],
): RtpParameters {
  const vp8 = codecs.find(({ mimeType }) => mimeType === 'video/VP8')!;
  return {
    mid: '0',
    codecs: [{ mimeType: vp8.mimeType, payloadType: 96, clockRate: 90_000, rtcpFeedback: vp8.rtcpFeedback ?? [] }],
    headerExtensions: headerExtensions
      .filter(({ kind, uri }) => kind === 'video' && /sdes:(mid|rtp-stream-id)/.test(uri))
      .map(({ uri, preferredId }) => ({ uri, id: preferredId })),
    encodings: rids.map((rid) => ({ rid })),
    rtcp: { cname: 'x' },
  };
}

export function microphone(): RtpParameters {
  return {
    mid: '1',
    codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }],
    headerExtensions: [],
    encodings: [{ ssrc: 4711 }],
    rtcp: { cname: 'x' },
  };
}
