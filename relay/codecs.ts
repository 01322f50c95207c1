/**
 * What this relay forwards: codecs whose sealed frames survive it, and the header extensions that peers may use.
 *
 * Opus, VP8 and VP9 keep what a relay needs outside of the sealed part; H264 and AV1 do not (docs/design.md, "Frames").
 */
import type { types } from 'mediasoup';
import { extensionUris, RtpCapabilities } from '../signal/protocol/rtp.ts';

export const routerCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, parameters: { usedtx: 1, useinbandfec: 1 } },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, parameters: { 'profile-id': 0 } },
];

/** What each kind of track is on the wire. */
export const mediaOf = { microphone: 'audio', camera: 'video', screen: 'video', screenAudio: 'audio' } as const;

export function isOffered(uri: string): boolean {
  return (extensionUris as readonly string[]).includes(uri);
}

/** mediasoup's values as they go over a wire: it sets fields to undefined that are not there. */
export function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** What peers may send and receive. */
export function capabilitiesOf(router: types.Router): RtpCapabilities {
  const { codecs = [], headerExtensions = [] } = router.rtpCapabilities;
  return RtpCapabilities.parse(
    plain({
      // No RTX: Chromium probes for bandwidth with it by sending the newest frames again, and hands the copies to the receiver's
      // transform, where they are replays. Lost packets are sent again in the stream itself.
      codecs: codecs.filter(({ mimeType }) => !mimeType.toLowerCase().endsWith('/rtx')),
      headerExtensions: headerExtensions.filter(({ uri }) => isOffered(uri)),
    }),
  );
}
