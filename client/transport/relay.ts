/**
 * The way through the relay: one transport to it and one from it, by mediasoup-client.
 *
 * The relay forwards and cannot open. Every sender and receiver gets its transform in the task that makes it (`onRtpSender`,
 * `onRtpReceiver`), senders start on placeholders (sealedSender.ts), and the watchdog looks at both ends. Whose a stream is, its
 * frames' keys say: the worker opens only what that very member has sealed.
 */
import { Device } from 'mediasoup-client';
import type { types } from 'mediasoup-client';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { mediaRequests } from '../../signal/protocol/mediaRequests.ts';
import type { RelayStream, StreamId } from '../../signal/protocol/model.ts';
import type { Direction } from '../../signal/protocol/relayControl.ts';
import type { Params, Result } from '../../signal/protocol/requests.ts';
import type { RelayLine } from './relayLine.ts';
import { trackKinds, type TrackKind, type TransformCounts } from '../e2ee/messages.ts';
import type { Placeholders } from '../media/placeholder.ts';
import { backoffMs } from '../net/backoff.ts';
import type { ResultSchema } from '../net/rpc.ts';
import { encodingsOf } from './bitrate.ts';
import { noCounts } from './counts.ts';
import type { RelayFlow } from './relayMonitor.ts';
import { RelayMonitor } from './relayMonitor.ts';
import { codecOf, drawTransformId, mediaOf, type SealPort } from './sealPort.ts';
import { SealedSender } from './sealedSender.ts';
import type { PathState, PathStats } from './transport.ts';

export interface RelayOptions {
  port: SealPort;
  line: RelayLine;
  placeholders: Placeholders;
  /** What is to be sent of each kind once it is safe. */
  wanted: ReadonlyMap<TrackKind, MediaStreamTrack | null>;
  held: boolean;
  on: {
    state(peer: PeerId, state: PathState): void;
    track(peer: PeerId, kind: TrackKind, track: MediaStreamTrack | null): void;
    stats(peer: PeerId, stats: PathStats): void;
  };
}

/** Sent from the start; the others when there is something to send. */
const ALWAYS: readonly TrackKind[] = ['microphone', 'camera'];
/** A transport may come back by itself within this; then ICE is restarted. */
const DISCONNECTED_MS = 2000;
/** The largest picture of a sender's three. */
const LARGEST = 2;

interface Transports {
  device: Device;
  send: types.Transport;
  receive: types.Transport;
}

export class RelayPath {
  readonly #options: RelayOptions;
  readonly #peers = new Set<PeerId>();
  /** What others send, as the server says. */
  readonly #streams = new Map<StreamId, RelayStream>();
  readonly #sending = new Map<TrackKind, { sealed: SealedSender; flow: RelayFlow }>();
  readonly #receiving = new Map<
    StreamId,
    { stream: RelayStream; consumer: types.Consumer; flow: RelayFlow & { peer: PeerId } }
  >();
  readonly #asked = new Set<StreamId>();
  readonly #states = new Map<PeerId, PathState>();
  readonly #restarts = new Map<Direction, ReturnType<typeof setTimeout>>();
  readonly #monitor: RelayMonitor;
  readonly #off: () => void;
  #transports: Transports | null = null;
  #held: boolean;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#held = options.held;
    this.#off = options.port.onNotice((notice) => {
      if (notice.type === 'counts') for (const counts of notice.counts) this.#counted(counts);
    });
    this.#monitor = new RelayMonitor({
      transports: () => this.#transports,
      sending: () => [...this.#sending.values()].map(({ flow }) => flow),
      receiving: () => [...this.#receiving.values()].map(({ flow }) => flow),
      ping: () => options.port.call('ping', {}),
      distrust: (detail) => this.#distrust(detail),
      stats: (peer, stats) => options.on.stats(peer, stats),
    });
    void this.#open();
  }

  setPeers(peers: readonly PeerId[]): void {
    for (const peer of this.#peers) {
      if (peers.includes(peer)) continue;
      this.#peers.delete(peer);
      this.#states.delete(peer);
      for (const [producer, { stream }] of this.#receiving) if (stream.peer === peer) this.#stop(producer);
    }
    for (const peer of peers) this.#peers.add(peer);
    this.#consumeAll();
    for (const peer of peers) this.#tellState(peer);
  }

  /** Somebody sends a track. Asked for once its sender is a member. */
  streamed(stream: RelayStream): void {
    this.#streams.set(stream.producer, stream);
    this.#consumeAll();
  }

  ended(producer: StreamId): void {
    this.#streams.delete(producer);
    this.#stop(producer);
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    const sending = this.#sending.get(kind);
    if (sending) return sending.sealed.set(track);
    if (track && this.#transports) await this.#produce(this.#transports, kind);
  }

  hold(held: boolean): void {
    this.#held = held;
    for (const { sealed } of this.#sending.values()) sealed.hold(held);
  }

  /** The network changed: new candidates over the same transports. */
  refresh(): void {
    for (const direction of ['send', 'receive'] as const) void this.#restart(direction);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#off();
    this.#monitor.stop();
    this.#drop();
    this.#ask('relay.close', {}).catch(() => undefined);
  }

  async #open(): Promise<void> {
    try {
      const device = await Device.factory();
      const opened = await this.#ask('relay.open', {});
      if (this.#closed) return;
      await device.load({ routerRtpCapabilities: opened.capabilities });
      const transports = {
        device,
        send: device.createSendTransport({ ...opened.send, additionalSettings: settings() }),
        receive: device.createRecvTransport({ ...opened.receive, additionalSettings: settings() }),
      };
      if (this.#closed) return closeAll(transports);
      this.#transports = transports;
      this.#listen('send', transports.send);
      this.#listen('receive', transports.receive);
      for (const stream of opened.streams) this.#streams.set(stream.producer, stream);
      this.#consumeAll();
      for (const kind of trackKinds) {
        if (ALWAYS.includes(kind) || this.#options.wanted.get(kind)) await this.#produce(transports, kind);
      }
      this.#failures = 0;
    } catch {
      this.#again();
    }
  }

  #ask<N extends keyof typeof mediaRequests>(name: N, params: Params<N>): Promise<Result<N>> {
    const schema = mediaRequests[name].result as unknown as ResultSchema<N>;
    return this.#options.line.request(name, params, schema);
  }

  /** Everything anew, after a while. */
  #again(): void {
    if (this.#closed) return;
    this.#drop();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), Math.max(250, backoffMs(this.#failures++, 0)));
  }

  #listen(direction: Direction, transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, done, fail) => {
      this.#ask('relay.connect', { direction, dtlsParameters }).then(done, fail);
    });
    transport.on('produce', ({ rtpParameters, appData }, done, fail) => {
      const kind = appData['kind'] as TrackKind;
      const params = { kind, rtpParameters } as Params<'relay.produce'>;
      this.#ask('relay.produce', params).then(({ producer }) => done({ id: producer }), fail);
    });
    transport.on('connectionstatechange', (state) => {
      clearTimeout(this.#restarts.get(direction));
      for (const peer of this.#peers) this.#tellState(peer);
      if (state === 'failed') void this.#restart(direction);
      if (state === 'disconnected')
        this.#restarts.set(
          direction,
          setTimeout(() => void this.#restart(direction), DISCONNECTED_MS),
        );
    });
  }

  async #restart(direction: Direction): Promise<void> {
    const transports = this.#transports;
    if (!transports) return;
    try {
      const { iceParameters } = await this.#ask('relay.restartIce', { direction });
      if (this.#transports === transports) await transports[direction].restartIce({ iceParameters });
    } catch {
      // The relay does not know us any more, or the socket is away: then it is asked again later.
      if (this.#transports === transports && transports[direction].connectionState !== 'connected') this.#again();
    }
  }

  async #produce(transports: Transports, kind: TrackKind): Promise<void> {
    const { port, placeholders, wanted } = this.#options;
    if (this.#sending.has(kind)) return;
    const codec = codecOf[kind];
    const id = drawTransformId(kind, 'send');
    const isVideo = mediaOf[kind] === 'video';
    const producer = await transports.send.produce({
      track: isVideo ? placeholders.video() : placeholders.audio(),
      stopTracks: false,
      disableTrackOnPause: false,
      encodings: encodingsOf(kind),
      ...(isVideo ? {} : { codecOptions: { opusDtx: true, opusFec: true } }),
      ...preferred(transports.device, codec),
      appData: { kind },
      onRtpSender: (sender) => {
        // In the task that made the sender, always.
        port.transform({ id, side: 'send', kind, codec, peer: null }, sender);
        const sealed = new SealedSender({ id, kind, sender, placeholders });
        if (this.#held) sealed.hold(true);
        this.#sending.set(kind, { sealed, flow: { id, mid: () => null, counts: noCounts(id) } });
        void sealed.set(wanted.get(kind) ?? null);
      },
    });
    const sending = this.#sending.get(kind);
    if (sending) sending.flow.mid = () => producer.rtpParameters.mid ?? null;
  }

  #consumeAll(): void {
    const transports = this.#transports;
    if (!transports) return;
    for (const stream of this.#streams.values()) {
      if (!this.#peers.has(stream.peer) || this.#asked.has(stream.producer)) continue;
      this.#asked.add(stream.producer);
      this.#consume(transports, stream).catch(() => this.#asked.delete(stream.producer));
    }
  }

  async #consume({ device, receive }: Transports, stream: RelayStream): Promise<void> {
    const { port } = this.#options;
    const { peer, kind, producer } = stream;
    const capabilities = device.recvRtpCapabilities as Params<'relay.consume'>['capabilities'];
    const { consumer: id, rtpParameters } = await this.#ask('relay.consume', { producer, capabilities });
    if (this.#transports?.receive !== receive || !this.#streams.has(producer)) return;
    const transformId = drawTransformId(kind, 'receive');
    const consumer = await receive.consume({
      id,
      producerId: producer,
      kind: mediaOf[kind],
      rtpParameters,
      streamId: peer,
      onRtpReceiver: (receiver) =>
        port.transform({ id: transformId, side: 'receive', kind, codec: codecOf[kind], peer }, receiver),
    });
    if (this.#transports?.receive !== receive || !this.#streams.has(producer)) return consumer.close();
    const flow = {
      peer,
      id: transformId,
      mid: () => consumer.rtpParameters.mid ?? null,
      counts: noCounts(transformId),
    };
    this.#receiving.set(producer, { stream, consumer, flow });
    await this.#ask('relay.set', { consumer: id, paused: false, layer: LARGEST });
  }

  #counted(counts: TransformCounts): void {
    for (const { sealed, flow } of this.#sending.values()) {
      if (flow.id !== counts.id) continue;
      flow.counts = counts;
      sealed.counted(counts);
    }
    for (const { stream, consumer, flow } of this.#receiving.values()) {
      if (flow.id !== counts.id) continue;
      const before = flow.counts.passed;
      flow.counts = counts;
      if (before > 0 || counts.passed === 0) continue;
      this.#options.on.track(stream.peer, stream.kind, consumer.track);
      this.#tellState(stream.peer);
    }
  }

  #stop(producer: StreamId): void {
    this.#asked.delete(producer);
    const receiving = this.#receiving.get(producer);
    if (!receiving) return;
    this.#receiving.delete(producer);
    receiving.consumer.close();
    this.#options.port.call('transform.end', { id: receiving.flow.id }).catch(() => undefined);
    this.#options.on.track(receiving.stream.peer, receiving.stream.kind, null);
  }

  #drop(): void {
    for (const restart of this.#restarts.values()) clearTimeout(restart);
    for (const producer of [...this.#receiving.keys()]) this.#stop(producer);
    this.#streams.clear();
    this.#asked.clear();
    for (const { sealed } of this.#sending.values()) {
      sealed.close();
      this.#options.port.call('transform.end', { id: sealed.id }).catch(() => undefined);
    }
    this.#sending.clear();
    if (this.#transports) closeAll(this.#transports);
    this.#transports = null;
    for (const peer of this.#peers) this.#tellState(peer);
  }

  /** What flows is not sealed, or does not open: nothing more of it, at once. */
  #distrust(detail: 'clearFrames' | 'nothingOpened'): void {
    for (const peer of this.#peers) this.#become(peer, { at: 'unsafe', detail });
    this.#again();
  }

  #tellState(peer: PeerId): void {
    const receive = this.#transports?.receive.connectionState;
    const opened = [...this.#receiving.values()].some(
      ({ stream, flow }) => stream.peer === peer && flow.counts.passed > 0,
    );
    if (opened && (receive === 'disconnected' || receive === 'failed'))
      return this.#become(peer, { at: 'reconnecting', since: Date.now() });
    if (opened) return this.#become(peer, { at: 'connected', poor: false });
    this.#become(peer, receive === 'connected' ? { at: 'securing' } : { at: 'connecting' });
  }

  #become(peer: PeerId, state: PathState): void {
    if (this.#states.get(peer)?.at === state.at || this.#closed) return;
    this.#states.set(peer, state);
    this.#options.on.state(peer, state);
  }
}

function settings(): RTCConfiguration & { encodedInsertableStreams?: boolean } {
  return 'RTCRtpScriptTransform' in globalThis ? {} : { encodedInsertableStreams: true };
}

function preferred(device: Device, codec: 'opus' | 'vp8'): { codec?: types.RtpCodecCapability } {
  const found = device.sendRtpCapabilities.codecs?.find(({ mimeType }) => mimeType.toLowerCase().endsWith(`/${codec}`));
  return found ? { codec: found } : {};
}

function closeAll({ send, receive }: Transports): void {
  send.close();
  receive.close();
}
