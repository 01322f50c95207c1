/**
 * What comes from the relay: a consumer for each stream of each member. Each gets its transform in the task that makes it.
 *
 * Whose a stream is, its frames' keys say: the worker opens only what that very member has sealed. A member whose frames do not open
 * costs us that one stream, and nobody else's: it is asked for again a few times, and then no more.
 */
import type { types } from 'mediasoup-client';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { RelayStream, StreamId } from '../../signal/protocol/model.ts';
import type { Params } from '../../signal/protocol/requests.ts';
import type { TrackKind, TransformCounts } from '../e2ee/messages.ts';
import { backoffMs } from '../net/backoff.ts';
import { Arrival, type Arriving } from './arrival.ts';
import { layerFor } from './bitrate.ts';
import { noCounts } from './counts.ts';
import type { AskRelay } from './relayLine.ts';
import type { ReceivedFlow } from './relayMonitor.ts';
import { isRefusal, type Leg } from './relaySending.ts';
import { codecOf, drawTransformId, mediaOf, type SealPort } from './sealPort.ts';

/** What does not open is asked for again this often, of each kind of each member. */
const UNSAFE_RETRIES = 3;

export interface RelayReceivingOptions {
  port: SealPort;
  ask: AskRelay;
  /** A frame was opened, or the track has ended. */
  track(peer: PeerId, kind: TrackKind, track: MediaStreamTrack | null): void;
  /** Something is another with what comes from this peer. */
  changed(peer: PeerId): void;
  /** A consumer could not be made for now. `transport`: nor will another on this transport. */
  failed(what: 'consumer' | 'transport'): void;
}

interface Receiving extends Arriving {
  stream: RelayStream;
  consumer: types.Consumer;
  flow: ReceivedFlow;
}

export class RelayReceiving {
  readonly #options: RelayReceivingOptions;
  readonly #peers = new Set<PeerId>();
  /** What others send, as the server says. */
  readonly #streams = new Map<StreamId, RelayStream>();
  readonly #receiving = new Map<StreamId, Receiving>();
  readonly #asked = new Set<StreamId>();
  /** What did not open: how often, and whether it has since. */
  readonly #unsafe = new Map<PeerId, Map<TrackKind, { times: number; opened: boolean }>>();
  readonly #pauses = new Map<StreamId, ReturnType<typeof setTimeout>>();
  #leg: Leg | null = null;
  #layer = layerFor(0);

  constructor(options: RelayReceivingOptions) {
    this.#options = options;
  }

  get flows(): ReceivedFlow[] {
    return [...this.#receiving.values()].map(({ flow }) => flow);
  }

  of(peer: PeerId): Receiving[] {
    return [...this.#receiving.values()].filter(({ stream }) => stream.peer === peer);
  }

  /** Something of this peer has been opened. */
  opens(peer: PeerId): boolean {
    return this.of(peer).some(({ flow }) => flow.counts.passed > 0);
  }

  /** What comes from this peer does not open, and has not since. */
  isUnsafe(peer: PeerId): boolean {
    return [...(this.#unsafe.get(peer)?.values() ?? [])].some(({ opened }) => !opened);
  }

  setPeers(peers: readonly PeerId[]): void {
    for (const peer of this.#peers) {
      if (peers.includes(peer)) continue;
      this.#peers.delete(peer);
      this.#unsafe.delete(peer);
      for (const { stream } of this.of(peer)) this.#stop(stream.producer);
    }
    const isMore = peers.some((peer) => !this.#peers.has(peer));
    for (const peer of peers) this.#peers.add(peer);
    this.#setLayer(layerFor(peers.length));
    if (isMore) this.retry();
  }

  /** Streams that the relay has as it opens; before anything is loaded, so that what ends meanwhile is known to have ended. */
  begin(streams: readonly RelayStream[]): void {
    for (const stream of streams) this.#streams.set(stream.producer, stream);
  }

  open(device: types.Device, transport: types.Transport): void {
    this.#leg = { device, transport };
    this.retry();
  }

  produced(stream: RelayStream): void {
    this.#streams.set(stream.producer, stream);
    this.retry();
  }

  ended(producer: StreamId): void {
    const stream = this.#streams.get(producer);
    this.#streams.delete(producer);
    this.#stop(producer);
    if (stream) this.#options.changed(stream.peer);
  }

  /** Asks for what is missing. */
  retry(): void {
    const leg = this.#leg;
    if (!leg) return;
    for (const stream of this.#streams.values()) {
      const { producer, peer, kind } = stream;
      if (!this.#peers.has(peer) || this.#asked.has(producer) || this.#pauses.has(producer)) continue;
      if ((this.#unsafe.get(peer)?.get(kind)?.times ?? 0) > UNSAFE_RETRIES) continue;
      this.#asked.add(producer);
      void this.#consume(leg, stream);
    }
  }

  counted(counts: TransformCounts, now: number): void {
    for (const receiving of this.#receiving.values()) {
      const { flow, stream, consumer } = receiving;
      if (flow.id !== counts.id) continue;
      const before = flow.counts.passed;
      flow.counts = counts;
      receiving.arrival.counted(counts.passed, now);
      if (before > 0 || counts.passed === 0) continue;
      const unsafe = this.#unsafe.get(stream.peer)?.get(stream.kind);
      if (unsafe) unsafe.opened = true;
      this.#options.track(stream.peer, stream.kind, consumer.track);
      this.#options.changed(stream.peer);
    }
  }

  /** The watchdog's verdict: what comes here does not open, or passes the worker by. */
  distrust(id: string): void {
    const receiving = [...this.#receiving.values()].find(({ flow }) => flow.id === id);
    if (!receiving) return;
    const { producer, peer, kind } = receiving.stream;
    const ofPeer = this.#unsafe.get(peer) ?? new Map<TrackKind, { times: number; opened: boolean }>();
    this.#unsafe.set(peer, ofPeer);
    const times = (ofPeer.get(kind)?.times ?? 0) + 1;
    ofPeer.set(kind, { times, opened: false });
    this.#stop(producer);
    this.#pauses.set(
      producer,
      setTimeout(
        () => {
          this.#pauses.delete(producer);
          this.retry();
        },
        backoffMs(times + 1, 0),
      ),
    );
    this.#options.changed(peer);
  }

  /** The transport is gone, and all that came by it. */
  drop(): void {
    this.#leg = null;
    for (const producer of [...this.#receiving.keys()]) this.#stop(producer);
    for (const pause of this.#pauses.values()) clearTimeout(pause);
    this.#pauses.clear();
    this.#streams.clear();
    this.#asked.clear();
  }

  async #consume(leg: Leg, stream: RelayStream): Promise<void> {
    const { producer } = stream;
    try {
      await this.#make(leg, stream);
    } catch (error) {
      if (this.#leg !== leg) return;
      this.#asked.delete(producer);
      this.#stop(producer);
      // It ended while we asked.
      if (isRefusal(error, 'streamUnknown')) this.#streams.delete(producer);
      else
        this.#options.failed(
          error instanceof Unusable && leg.transport.connectionState === 'new' ? 'transport' : 'consumer',
        );
    }
  }

  async #make(leg: Leg, stream: RelayStream): Promise<void> {
    const { port, ask } = this.#options;
    const { device, transport } = leg;
    const { peer, kind, producer } = stream;
    const isCurrent = () => this.#leg === leg && this.#asked.has(producer);
    const capabilities = device.recvRtpCapabilities as Params<'relay.consume'>['capabilities'];
    const { consumer: id, rtpParameters } = await ask('relay.consume', { producer, capabilities });
    if (!isCurrent()) return this.#forget(id);
    const transformId = drawTransformId(kind, 'receive');
    const endTransform = () => void port.call('transform.end', { id: transformId }).catch(() => undefined);
    const consumer = await transport
      .consume({
        id,
        producerId: producer,
        kind: mediaOf[kind],
        rtpParameters,
        streamId: peer,
        onRtpReceiver: (receiver) =>
          port.transform({ id: transformId, side: 'receive', kind, codec: codecOf[kind], peer }, receiver),
      })
      .catch((error: unknown) => {
        endTransform();
        throw new Unusable('no consumer', { cause: error });
      });
    const receiver = consumer.rtpReceiver;
    if (!isCurrent() || !receiver) {
      endTransform();
      consumer.close();
      return this.#forget(id);
    }
    const mid = () => consumer.rtpParameters.mid ?? null;
    const flow = { id: transformId, kind, peer, mid, counts: noCounts(transformId) };
    this.#receiving.set(producer, { stream, kind, consumer, receiver, flow, arrival: new Arrival() });
    await ask('relay.set', { consumer: id, paused: false, layer: this.#layer });
  }

  #stop(producer: StreamId): void {
    this.#asked.delete(producer);
    clearTimeout(this.#pauses.get(producer));
    this.#pauses.delete(producer);
    const receiving = this.#receiving.get(producer);
    if (!receiving) return;
    this.#receiving.delete(producer);
    const { stream, consumer, flow } = receiving;
    consumer.close();
    // The relay knows by itself that a producer has ended, or that we are gone.
    if (this.#leg && this.#streams.has(producer)) this.#forget(consumer.id as StreamId);
    this.#options.port.call('transform.end', { id: flow.id }).catch(() => undefined);
    this.#options.track(stream.peer, stream.kind, null);
  }

  #forget(consumer: StreamId): void {
    this.#options.ask('relay.forget', { consumer }).catch(() => undefined);
  }

  /** The more tiles, the smaller each. */
  #setLayer(layer: 0 | 1 | 2): void {
    if (layer === this.#layer) return;
    this.#layer = layer;
    for (const { consumer, stream } of this.#receiving.values()) {
      if (stream.kind !== 'camera') continue;
      const params = { consumer: consumer.id as StreamId, paused: false, layer };
      this.#options.ask('relay.set', params).catch(() => undefined);
    }
  }
}

/** The browser would not take what the relay offered. */
class Unusable extends Error {}
