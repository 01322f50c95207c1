/**
 * What we send to the relay: one sender for each kind, made when there is something to send. Each gets its transform in the task that
 * makes it, and starts on a placeholder (sealedSender.ts).
 */
import type { types } from 'mediasoup-client';
import { type ErrorCode, ProtocolError } from '../../signal/protocol/errors.ts';
import type { Layer, StreamId } from '../../signal/protocol/model.ts';
import { trackKinds, type TrackKind, type TransformCounts } from '../e2ee/messages.ts';
import type { Placeholders } from '../media/placeholder.ts';
import { encodingsOf } from './bitrate.ts';
import { cameraCodec, limitLayers } from './layers.ts';
import { noCounts } from './counts.ts';
import type { RelayFlow } from './relayMonitor.ts';
import { codecOf, drawTransformId, mediaOf, type Codec, type SealPort } from './sealPort.ts';
import { SealedSender } from './sealedSender.ts';

/** Sent from the start; the others when there is something to send. */
const ALWAYS: readonly TrackKind[] = ['microphone', 'camera'];

export interface RelaySendingOptions {
  port: SealPort;
  placeholders: Placeholders;
  wanted: ReadonlyMap<TrackKind, MediaStreamTrack | null>;
  held: boolean;
  /** A sender could not be made for now. `transport`: nor will another on this transport. */
  failed(what: 'sender' | 'transport'): void;
}

/** One of the two transports, and what the browser can do. */
export interface Leg {
  device: types.Device;
  transport: types.Transport;
}

interface Sending {
  sealed: SealedSender;
  flow: RelayFlow;
  /** What the relay calls it, once it has said. */
  producer: string | null;
}

export class RelaySending {
  readonly #options: RelaySendingOptions;
  readonly #sending = new Map<TrackKind, Sending>();
  readonly #making = new Set<TrackKind>();
  /** The largest layer that anybody watches, by stream; where nothing was said, all are sent. */
  readonly #watched = new Map<string, Layer | null>();
  #limiting: Promise<void> = Promise.resolve();
  #leg: Leg | null = null;
  #held: boolean;

  constructor(options: RelaySendingOptions) {
    this.#options = options;
    this.#held = options.held;
  }

  get flows(): RelayFlow[] {
    return [...this.#sending.values()].map(({ flow }) => flow);
  }

  /** A sender has proven that it seals. */
  get isSealing(): boolean {
    return [...this.#sending.values()].some(({ sealed }) => sealed.sealing);
  }

  open(device: types.Device, transport: types.Transport): void {
    this.#leg = { device, transport };
    this.retry();
  }

  /** Makes what is missing. */
  retry(): void {
    for (const kind of trackKinds) if (ALWAYS.includes(kind) || this.#options.wanted.get(kind)) void this.#make(kind);
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    const sending = this.#sending.get(kind);
    if (sending) await sending.sealed.set(track);
    else if (track) await this.#make(kind);
  }

  /** What nobody watches is not sent. */
  watched(producer: StreamId, layer: Layer | null): void {
    this.#watched.set(producer, layer);
    this.#limit();
  }

  hold(held: boolean): void {
    this.#held = held;
    for (const { sealed } of this.#sending.values()) sealed.hold(held);
  }

  counted(counts: TransformCounts): void {
    for (const { sealed, flow } of this.#sending.values()) {
      if (flow.id !== counts.id) continue;
      flow.counts = counts;
      sealed.counted(counts);
    }
  }

  /** Nothing more goes out from this task on. */
  drop(): void {
    this.#leg = null;
    for (const kind of [...this.#sending.keys()]) this.#end(kind);
    this.#making.clear();
    this.#watched.clear();
  }

  async #make(kind: TrackKind): Promise<void> {
    const leg = this.#leg;
    if (!leg || this.#making.has(kind) || this.#sending.has(kind)) return;
    this.#making.add(kind);
    try {
      const producer = await this.#produce(leg, kind);
      const sending = this.#sending.get(kind);
      if (this.#leg !== leg || !sending) return;
      sending.flow.mid = () => producer.rtpParameters.mid ?? null;
      sending.producer = producer.id;
      if (this.#watched.has(producer.id)) this.#limit();
    } catch (error) {
      if (this.#leg !== leg) return;
      this.#end(kind);
      // A transport that was never connected is left half made by a failure (mediasoup-client 3.18, Chrome111.send). And where the
      // answer was lost with the socket, the relay says that it has this kind already.
      const isBroken = leg.transport.connectionState === 'new' || isRefusal(error, 'outOfOrder');
      this.#options.failed(isBroken ? 'transport' : 'sender');
    } finally {
      if (this.#leg === leg) this.#making.delete(kind);
    }
  }

  /** Switches layers of all senders on and off, one change after the other: parameters that were read go stale. */
  #limit(): void {
    this.#limiting = this.#limiting.then(async () => {
      for (const { sealed, producer } of this.#sending.values()) {
        const layer = producer === null ? undefined : this.#watched.get(producer);
        if (layer !== undefined) await limitLayers(sealed.sender, layer).catch(() => undefined);
      }
    });
  }

  async #produce({ device, transport }: Leg, kind: TrackKind): Promise<types.Producer> {
    const { port, placeholders, wanted } = this.#options;
    const codec = kind === 'camera' ? await cameraCodec(device) : codecOf[kind];
    if (this.#leg?.transport !== transport) throw new Error('the transport is gone');
    const id = drawTransformId(kind, 'send');
    const isVideo = mediaOf[kind] === 'video';
    const leg = this.#leg;
    return transport.produce({
      track: isVideo ? placeholders.video() : placeholders.audio(),
      stopTracks: false,
      disableTrackOnPause: false,
      encodings: encodingsOf(kind, codec),
      ...(isVideo ? {} : { codecOptions: { opusDtx: true, opusFec: true } }),
      ...preferred(device, codec),
      appData: { kind },
      onRtpSender: (sender) => {
        // In the task that made the sender, always.
        port.transform({ id, side: 'send', kind, codec, peer: null }, sender);
        if (this.#leg !== leg) return;
        const sealed = new SealedSender({ id, kind, sender, placeholders });
        if (this.#held) sealed.hold(true);
        this.#sending.set(kind, { sealed, flow: { id, kind, mid: () => null, counts: noCounts(id) }, producer: null });
        void sealed.set(wanted.get(kind) ?? null);
      },
    });
  }

  #end(kind: TrackKind): void {
    const sending = this.#sending.get(kind);
    if (!sending) return;
    this.#sending.delete(kind);
    sending.sealed.close();
    this.#options.port.call('transform.end', { id: sending.sealed.id }).catch(() => undefined);
  }
}

export function isRefusal(error: unknown, code: ErrorCode): boolean {
  return error instanceof ProtocolError && error.code === code;
}

function preferred(device: types.Device, codec: Codec): { codec?: types.RtpCodecCapability } {
  const found = device.sendRtpCapabilities.codecs?.find(({ mimeType }) => mimeType.toLowerCase().endsWith(`/${codec}`));
  return found ? { codec: found } : {};
}
