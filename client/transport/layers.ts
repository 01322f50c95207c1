/** Layers of a camera at the relay: which codec has them, and which of them are sent. */
import type { types } from 'mediasoup-client';
import type { Layer } from '../../signal/protocol/model.ts';
import type { Codec } from './sealPort.ts';

/** What a camera is: the codec is chosen for it once. */
const CAMERA = { width: 1280, height: 720, bitrate: 1_200_000, framerate: 30 };

let chosen: Promise<Codec> | null = null;

/**
 * VP9 in layers where this device encodes it with ease and VP8 not: it is a third smaller, and one encoder does for all sizes. In
 * software it costs more than three sizes of VP8.
 */
export function cameraCodec(device: types.Device): Promise<Codec> {
  const hasVp9 = device.sendRtpCapabilities.codecs?.some(({ mimeType }) => mimeType.toLowerCase() === 'video/vp9');
  if (hasVp9 !== true) return Promise.resolve('vp8');
  chosen ??= choose().catch(() => 'vp8');
  return chosen;
}

async function choose(): Promise<Codec> {
  const ask = (video: object) =>
    navigator.mediaCapabilities.encodingInfo({ type: 'webrtc', video: { ...CAMERA, ...video } } as never);
  const [vp9, vp8] = await Promise.all([
    ask({ contentType: 'video/VP9', scalabilityMode: 'L3T3_KEY' }),
    ask({ contentType: 'video/VP8' }),
  ]);
  return vp9.supported && vp9.smooth && vp9.powerEfficient && !vp8.powerEfficient ? 'vp9' : 'vp8';
}

/** Sends the layers up to this one, of one stream that has no sizes all or nothing; null: nothing. */
export async function limitLayers(sender: RTCRtpSender, layer: Layer | null): Promise<void> {
  const parameters = sender.getParameters();
  const { encodings } = parameters;
  const active = encodings.map((_, index) => layer !== null && (encodings.length === 1 || index <= layer));
  if (encodings.every((encoding, index) => (encoding.active ?? true) === active[index])) return;
  encodings.forEach((encoding, index) => (encoding.active = active[index]!));
  await sender.setParameters(parameters);
}
