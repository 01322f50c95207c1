/** What the transport needs of the worker's handle (`e2ee/port.ts` satisfies it), so that tests may stand a real worker of their own in. */
import type { CallName, Calls, Notice, TrackKind, TransformOptions } from '../e2ee/messages.ts';

export interface SealPort {
  call<N extends CallName>(name: N, params: Calls[N]['in']): Promise<Calls[N]['out']>;
  onNotice(listener: (notice: Notice) => void): () => void;
  /** Attaches a transform in this very task. */
  transform(options: TransformOptions, target: RTCRtpSender | RTCRtpReceiver): void;
  onDead(listener: () => void): () => void;
}

/** Kind of media of each track kind. */
export const mediaOf = {
  microphone: 'audio',
  camera: 'video',
  screen: 'video',
  screenAudio: 'audio',
} as const satisfies Record<TrackKind, 'audio' | 'video'>;

/** What survives being sealed: H264 and AV1 do not (docs/design.md, "Frames"). */
export type Codec = 'opus' | 'vp8' | 'vp9';

/** The one codec of each kind in a mesh, and of most at the relay (layers.ts). */
export const codecOf = {
  microphone: 'opus',
  camera: 'vp8',
  screen: 'vp8',
  screenAudio: 'opus',
} as const satisfies Record<TrackKind, Codec>;

let drawn = 0;

/** A name for one transform, good for the life of the page. */
export function drawTransformId(kind: TrackKind, side: 'send' | 'receive'): string {
  return `${++drawn}.${kind}.${side}`;
}
