/**
 * One peer at the relay: a transport each way, what it sends, and what it is sent.
 *
 * Frames pass as they are. The relay reads RTP headers and the payload descriptors that stand before a frame, to choose layers; it
 * has no key and never asks for one.
 */
import type { types } from 'mediasoup';
import { ProtocolError } from '../signal/protocol/errors.ts';
import type { PeerId } from '../signal/protocol/ids.ts';
import type { Layer, StreamId, TrackKind } from '../signal/protocol/model.ts';
import type { Direction, RelayParams, RelayResult } from '../signal/protocol/relayControl.ts';
import { IceParameters, RtpParameters, TransportOffer } from '../signal/protocol/rtp.ts';
import { isOffered, mediaOf, plain } from './codecs.ts';
import { hurryFirstLayer } from './firstLayer.ts';
import { refusing } from './refusing.ts';

/**
 * Requests for a key frame are bunched: many newcomers at once are served by one. Chromium ignores a request within 300 ms of the one
 * before, and mediasoup asks again only after a second: so the two lie further apart than that, though the first may arrive late.
 */
const KEY_FRAME_DELAY_MS = 400;
/** Four tracks of a hundred members. */
const MAX_CONSUMERS = 400;
const LARGEST: Layer = 2;

export class Peer {
  readonly id: PeerId;
  readonly #transports: Record<Direction, types.WebRtcTransport>;
  readonly #producers = new Map<TrackKind, types.Producer>();
  readonly #consumers = new Map<string, { consumer: types.Consumer; layer: Layer }>();
  readonly #producerClosed: (producer: StreamId) => void;

  constructor(
    id: PeerId,
    transports: Record<Direction, types.WebRtcTransport>,
    producerClosed: (producer: StreamId) => void,
  ) {
    this.id = id;
    this.#transports = transports;
    this.#producerClosed = producerClosed;
  }

  offer(direction: Direction): TransportOffer {
    const { id, iceParameters, iceCandidates, dtlsParameters } = this.#transports[direction];
    return TransportOffer.parse(plain({ id, iceParameters, iceCandidates, dtlsParameters }));
  }

  async connect({ direction, dtlsParameters }: RelayParams<'transport.connect'>): Promise<void> {
    await refusing(() => this.#transports[direction].connect({ dtlsParameters }));
  }

  async restartIce(direction: Direction): Promise<RelayResult<'transport.restartIce'>> {
    return { iceParameters: IceParameters.parse(plain(await this.#transports[direction].restartIce())) };
  }

  /** @throws ProtocolError badRequest where the stream does not fit its kind */
  async produce({ kind, rtpParameters }: RelayParams<'produce'>): Promise<types.Producer> {
    if (this.#producers.has(kind)) throw new ProtocolError('outOfOrder', `${kind} is sent already`);
    // Levels would tell who speaks, and to everybody.
    if (rtpParameters.headerExtensions.some(({ uri }) => !isOffered(uri))) {
      throw new ProtocolError('badRequest', 'a header extension that is not offered');
    }
    // mediasoup takes a sound for a picture if it is told to.
    if (rtpParameters.codecs.some(({ mimeType }) => !mimeType.toLowerCase().startsWith(`${mediaOf[kind]}/`))) {
      throw new ProtocolError('badRequest', `no codec for ${kind}`);
    }
    const producer = await refusing(() =>
      this.#transports.send.produce({
        kind: mediaOf[kind],
        rtpParameters,
        keyFrameRequestDelay: KEY_FRAME_DELAY_MS,
      }),
    );
    this.#producers.set(kind, producer);
    producer.observer.once('close', () => {
      this.#producers.delete(kind);
      this.#producerClosed(producer.id as StreamId);
    });
    return producer;
  }

  async consume(producerId: string, rtpCapabilities: types.RtpCapabilities): Promise<RelayResult<'consume'>> {
    if (this.#consumers.size >= MAX_CONSUMERS) throw new ProtocolError('tooMany');
    const consumer = await refusing(() =>
      this.#transports.receive.consume({ producerId, rtpCapabilities, paused: true }),
    );
    this.#consumers.set(consumer.id, { consumer, layer: LARGEST });
    consumer.observer.once('close', () => this.#consumers.delete(consumer.id));
    return { consumer: consumer.id as StreamId, rtpParameters: RtpParameters.parse(plain(consumer.rtpParameters)) };
  }

  async set({ consumer: id, paused, layer, priority }: RelayParams<'consumer.set'>): Promise<void> {
    const known = this.#consumers.get(id);
    // Its producer may have ended a moment ago: nothing to set.
    if (known === undefined) return;
    const { consumer } = known;
    try {
      if (layer !== undefined) {
        known.layer = layer;
        if (consumer.type !== 'simple') await consumer.setPreferredLayers({ spatialLayer: layer });
      }
      if (priority !== undefined && consumer.kind === 'video') await consumer.setPriority(priority);
      if (paused === consumer.paused) return;
      await (paused ? consumer.pause() : consumer.resume());
      if (paused || consumer.type === 'simple') return;
      // It may end meanwhile.
      hurryFirstLayer(consumer, () => known.layer).catch(() => undefined);
    } catch (error) {
      // Or it is ending: the worker has closed it already, and its word comes right behind.
      if (!(error instanceof Error && (error.name === 'NotFoundError' || consumer.closed))) throw error;
    }
  }

  /** The layer that a consumer asks for; null while it is paused, undefined once it has ended. */
  wants(consumer: string): Layer | null | undefined {
    const known = this.#consumers.get(consumer);
    return known && (known.consumer.paused ? null : known.layer);
  }

  /** Ends what is sent of one stream. */
  endConsumer(id: string): void {
    this.#consumers.get(id)?.consumer.close();
  }

  /** Idempotent. */
  close(): void {
    this.#transports.send.close();
    this.#transports.receive.close();
  }
}
