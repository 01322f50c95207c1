/** The synthetic members' side of SDP towards Janus, and what they need of Janus's: no more than one video and its way. Pure. */
import type { TransportOffer } from '../../signal/protocol/rtp.ts';

export const PAYLOAD_TYPE = 96;

/** Of every member: each has an agent of its own at Janus. They tell no candidate, and are seen when they come. */
export const OUR_ICE = { usernameFragment: 'parl', password: 'parleyparleyparleyparley' };

function session(fingerprint: string, mid: string, media: string[]): string {
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    ...media,
    `a=mid:${mid}`,
    `a=ice-ufrag:${OUR_ICE.usernameFragment}`,
    `a=ice-pwd:${OUR_ICE.password}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    'a=rtcp-mux',
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

const video = (payloadType: number): string[] => [
  `m=video 9 UDP/TLS/RTP/SAVPF ${payloadType}`,
  'c=IN IP4 0.0.0.0',
  `a=rtpmap:${payloadType} VP8/90000`,
];

export function senderSdp({ fingerprint, ssrc }: { fingerprint: string; ssrc: number }): string {
  return session(fingerprint, '0', [
    ...video(PAYLOAD_TYPE),
    'a=sendonly',
    'a=setup:active',
    `a=ssrc:${ssrc} cname:bench`,
  ]);
}

/** @param offer Janus's, of one video */
export function receiverSdp({ fingerprint, offer }: { fingerprint: string; offer: string }): string {
  const payloadType = Number(valueOf(offer, /^a=rtpmap:(\d+) VP8\/90000/m));
  return session(fingerprint, valueOf(offer, /^a=mid:(\S+)/m), [...video(payloadType), 'a=recvonly', 'a=setup:active']);
}

/** @param sdp Janus's offer or answer @throws Error where it leaves out what a member needs */
export function offerOf(sdp: string): TransportOffer {
  const [, ip, port] = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im.exec(sdp) ?? [];
  if (ip === undefined) throw new Error('Janus offers no address');
  const iceCandidate = { foundation: '1', priority: 1, ip, address: ip, protocol: 'udp', port: Number(port) } as const;
  return {
    id: 'janus',
    iceParameters: {
      usernameFragment: valueOf(sdp, /^a=ice-ufrag:(\S+)/m),
      password: valueOf(sdp, /^a=ice-pwd:(\S+)/m),
      iceLite: false,
    },
    iceCandidates: [{ ...iceCandidate, type: 'host' }],
    dtlsParameters: {
      role: 'auto',
      fingerprints: [{ algorithm: 'sha-256', value: valueOf(sdp, /^a=fingerprint:sha-256 (\S+)/im) }],
    },
  };
}

function valueOf(sdp: string, pattern: RegExp): string {
  const value = pattern.exec(sdp)?.[1];
  if (value === undefined) throw new Error(`Janus’s description has no ${pattern.source}`);
  return value;
}
