/**
 * What comes from the relay: a consumer for each stream of each member. Each gets its transform in the task that makes it.
 *
 * Whose a stream is, its frames' keys say: the worker opens only what that very member has sealed. A member whose frames do not open
 * costs us that one stream, and nobody else's: it is asked for again a few times, and then no more.
 */
import type { types } from 'mediasoup-client';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { Layer, RelayStream, StreamId } from '../../signal/protocol/model.ts';
import type { Params } from '../../signal/protocol/requests.ts';
import type { RtpParameters } from '../../signal/protocol/rtp.ts';
import type { TrackKind, TransformCounts } from '../e2ee/messages.ts';
import { backoffMs } from '../net/backoff.ts';
import { Arrival, type Arriving } from './arrival.ts';
import { layerFor, layerOfHeight } from './bitrate.ts';
import { noCounts } from './counts.ts';
import type { AskRelay } from './relayLine.ts';
import type { ReceivedFlow } from './relayMonitor.ts';
import { isRefusal, type Leg } from './relaySending.ts';
import { codecOf, drawTransformId, mediaOf, type Codec, type SealPort } from './sealPort.ts';
import { EXPECTED_MS, MOST_EXPECTED, type Shown } from './transport.ts';

/** Answers that come within this are worked on together: the browser then negotiates once for all of them. */
const TOGETHER_MS = 40;
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
  /** The wish that the relay knows. */
  told: string;
}

/** What is wanted of a stream. */
interface Wish {
  paused: boolean;
  layer?: Layer;
  /** Where the way is narrow, the larger goes first, and a screen before any face. */
  priority?: number;
}

/** As the relay makes them. */
const PAUSED: Wish = { paused: true };
const TOLD_PAUSED = JSON.stringify(PAUSED);

export class RelayReceiving {
  readonly #options: RelayReceivingOptions;
  readonly #peers = new Set<PeerId>();
  /** Who may be a member soon: all is ready for what they send, which the relay holds back until they are. */
  readonly #expected = new Set<PeerId>();
  /** What others send, as the server says. */
  readonly #streams = new Map<StreamId, RelayStream>();
  readonly #receiving = new Map<StreamId, Receiving>();
  readonly #asked = new Set<StreamId>();
  /** How many answers are still to come, and who waits for them. */
  #unanswered = 0;
  #together: PromiseWithResolvers<void> | null = null;
  /** What did not open: how often, and whether it has since. */
  readonly #unsafe = new Map<PeerId, Map<TrackKind, { times: number; opened: boolean }>>();
  readonly #pauses = new Map<StreamId, ReturnType<typeof setTimeout>>();
  /** Heights of the pictures that are shown, by peer and kind; null: all are wanted. */
  #shown: ReadonlyMap<string, number> | null = null;
  /** How many cameras fit through our way, in the smallest layer; null: whatever is wanted. */
  #fit: number | null = null;
  #leg: Leg | null = null;

  constructor(options: RelayReceivingOptions) {
    this.#options = options;
  }

  /** Of members. */
  get flows(): ReceivedFlow[] {
    return [...this.#receiving.values()].map(({ flow }) => flow).filter(({ peer }) => this.#peers.has(peer));
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
    for (const peer of peers) {
      this.#peers.add(peer);
      this.#expected.delete(peer);
    }
    if (isMore) this.retry();
    else this.#tellWishes();
  }

  expect(peers: readonly PeerId[]): void {
    const isNew = (peer: PeerId): boolean => !this.#peers.has(peer) && !this.#expected.has(peer);
    const expected = peers.filter(isNew).slice(0, MOST_EXPECTED - this.#expected.size);
    if (expected.length === 0) return;
    for (const peer of expected) this.#expected.add(peer);
    setTimeout(() => {
      for (const peer of expected) {
        if (!this.#expected.delete(peer)) continue;
        for (const { stream } of this.of(peer)) this.#stop(stream.producer);
      }
    }, EXPECTED_MS);
    this.retry();
  }

  /** What is on the screen. What never was is not asked for, and what is no more is paused. */
  show(pictures: readonly Shown[] | null): void {
    this.#shown = pictures && new Map(pictures.map(({ peer, kind, height }) => [`${peer} ${kind}`, height]));
    this.retry();
  }

  /** Asks for so many cameras alone, the largest on the screen, in the smallest layer; null: for all that is wanted. */
  limit(cameras: number | null): void {
    if (cameras === this.#fit) return;
    this.#fit = cameras;
    this.#tellWishes();
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
      if (!this.#peers.has(peer) && !this.#expected.has(peer)) continue;
      if (this.#asked.has(producer) || this.#pauses.has(producer)) continue;
      if (!this.#isShown(stream)) continue;
      if ((this.#unsafe.get(peer)?.get(kind)?.times ?? 0) > UNSAFE_RETRIES) continue;
      this.#asked.add(producer);
      void this.#consume(leg, stream);
    }
    this.#tellWishes();
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

  /** Streams that are told from now on are of another opening; what comes by the transport goes on until `drop`. */
  expectAnother(): void {
    this.#leg = null;
    this.#streams.clear();
  }

  /** The transport is gone, and all that came by it. */
  drop(): void {
    this.#leg = null;
    for (const producer of [...this.#receiving.keys()]) this.#stop(producer);
    for (const pause of this.#pauses.values()) clearTimeout(pause);
    this.#pauses.clear();
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
    this.#unanswered++;
    const answer = ask('relay.consume', { producer, capabilities });
    const { consumer: id, rtpParameters } = await answer.finally(() => {
      if (--this.#unanswered === 0) this.#together?.resolve();
    });
    await this.#others();
    if (!isCurrent()) return this.#forget(id);
    const transformId = drawTransformId(kind, 'receive');
    const endTransform = () => void port.call('transform.end', { id: transformId }).catch(() => undefined);
    const consumer = await transport
      .consume({
        id,
        producerId: producer,
        kind: mediaOf[kind],
        rtpParameters,
        // Apart, as in the mesh: in one stream the browser holds the picture back for the sound.
        streamId: producer,
        onRtpReceiver: (receiver) =>
          port.transform(
            { id: transformId, side: 'receive', kind, codec: codecIn(rtpParameters, kind), peer },
            receiver,
          ),
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
    const paused = () => receiving.told === TOLD_PAUSED;
    const flow = { id: transformId, kind, peer, mid, paused, counts: noCounts(transformId) };
    const receiving = { stream, kind, consumer, receiver, flow, arrival: new Arrival(), told: TOLD_PAUSED };
    this.#receiving.set(producer, receiving);
    await this.#tellWish(receiving);
  }

  /** Waits a moment for answers that are still to come. All that waited goes on in one task. */
  #others(): Promise<void> {
    const together = (this.#together ??= this.#wait());
    if (this.#unanswered === 0) together.resolve();
    return together.promise;
  }

  #wait(): PromiseWithResolvers<void> {
    const together = Promise.withResolvers<void>();
    const timer = setTimeout(together.resolve, TOGETHER_MS);
    void together.promise.then(() => {
      clearTimeout(timer);
      this.#together = null;
    });
    return together;
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

  #isShown({ peer, kind }: RelayStream): boolean {
    return mediaOf[kind] === 'audio' || !this.#shown || this.#shown.has(`${peer} ${kind}`);
  }

  #wishFor(stream: RelayStream): Wish {
    const { peer, kind } = stream;
    if (!this.#peers.has(peer) || !this.#isShown(stream)) return PAUSED;
    if (mediaOf[kind] === 'audio') return { paused: false };
    const height = this.#shown?.get(`${peer} ${kind}`);
    if (kind === 'screen') return { paused: false, priority: 10 };
    if (this.#fit !== null) {
      return this.#rank(stream) < this.#fit ? { paused: false, layer: 0, priority: 1 } : PAUSED;
    }
    const layer = height === undefined ? layerFor(this.#peers.size + this.#expected.size) : layerOfHeight(height);
    return { paused: false, layer, priority: 1 + layer };
  }

  /** Place of a camera among those that are wanted, the largest on the screen first. */
  #rank(stream: RelayStream): number {
    const heightOf = ({ peer, kind }: RelayStream): number => this.#shown?.get(`${peer} ${kind}`) ?? 0;
    return [...this.#streams.values()]
      .filter((one) => one.kind === 'camera' && this.#peers.has(one.peer) && this.#isShown(one))
      .sort((one, other) => heightOf(other) - heightOf(one))
      .indexOf(stream);
  }

  #tellWishes(): void {
    for (const receiving of this.#receiving.values())
      this.#tellWish(receiving).catch(() => this.#options.failed('consumer'));
  }

  async #tellWish(receiving: Receiving): Promise<void> {
    const wish = this.#wishFor(receiving.stream);
    const told = JSON.stringify(wish);
    if (told === receiving.told) return;
    receiving.told = told;
    try {
      await this.#options.ask('relay.set', { consumer: receiving.consumer.id as StreamId, ...wish });
    } catch (error) {
      // Said again when we try again.
      if (receiving.told === told) receiving.told = '';
      throw error;
    }
  }
}

/** The relay's word for it, which cannot lead astray: what a codec leaves clear is authenticated. */
function codecIn({ codecs }: Pick<RtpParameters, 'codecs'>, kind: TrackKind): Codec {
  return codecs[0]?.mimeType.toLowerCase() === 'video/vp9' && mediaOf[kind] === 'video' ? 'vp9' : codecOf[kind];
}

/** The browser would not take what the relay offered. */
class Unusable extends Error {}
