/**
 * Codecs and encoder settings of one transceiver: only what survives sealing, within a budget.
 */
import type { Budget } from './bitrate.ts';
import { scaleDown } from './bitrate.ts';
import { LEVEL_EXTENSIONS } from './sdp.ts';

interface HeaderExtensions {
  getHeaderExtensionsToNegotiate?(): { uri: string; direction: RTCRtpTransceiverDirection | 'stopped' }[];
  setHeaderExtensionsToNegotiate?(extensions: { uri: string; direction: string }[]): void;
}

/**
 * Leaves one codec to be negotiated. No RED or FEC: they repeat payloads, and the sealed frame is the unit. No RTX either: Chromium
 * probes for bandwidth with it by sending the newest frames again, and hands each copy to the receiver's transform (Chromium 156:
 * 53 copies beside 42 frames in two seconds), where it is a replay. Lost packets are sent again all the same, in the stream itself.
 * @param codec  'opus' or 'vp8'
 */
export function preferSealable(transceiver: RTCRtpTransceiver, codec: 'opus' | 'vp8'): void {
  const media = codec === 'opus' ? 'audio' : 'video';
  const wanted = `${media}/${codec}`;
  const codecs =
    RTCRtpReceiver.getCapabilities(media)?.codecs.filter((one) => one.mimeType.toLowerCase() === wanted) ?? [];
  transceiver.setCodecPreferences(codecs);
  const extensions = transceiver as HeaderExtensions;
  const offered = extensions.getHeaderExtensionsToNegotiate?.();
  if (!offered || !extensions.setHeaderExtensionsToNegotiate) return; // Firefox: sdp.ts alone does it
  const levels: readonly string[] = LEVEL_EXTENSIONS;
  extensions.setHeaderExtensionsToNegotiate(
    offered.map((one) => (levels.includes(one.uri) ? { ...one, direction: 'stopped' } : one)),
  );
}

/** Applies a budget to a sender. Before negotiation a browser may refuse; it is asked again when the first frame is sealed. */
export async function tuneSender(sender: RTCRtpSender, budget: Budget): Promise<void> {
  const parameters = sender.getParameters();
  const encoding = parameters.encodings[0];
  if (!encoding) return;
  encoding.maxBitrate = budget.maxBitrate;
  if (sender.track?.kind === 'video') {
    encoding.scaleResolutionDownBy = scaleDown(sender.track.getSettings().height, budget.maxHeight);
    if (budget.maxFramerate !== undefined) encoding.maxFramerate = budget.maxFramerate;
  }
  await sender.setParameters(parameters).catch(() => undefined);
}
