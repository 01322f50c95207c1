/**
 * The way through the relay: one transport to it and one from it, by mediasoup-client. Opened, kept, and made anew when it breaks.
 *
 * The relay forwards and cannot open. What is sent is in relaySending.ts, what comes in relayReceiving.ts; the watchdog looks at both.
 */
import { Device } from 'mediasoup-client';
import type { types } from 'mediasoup-client';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { mediaRequests } from '../../signal/protocol/mediaRequests.ts';
import type { Layer, RelayStream, StreamId } from '../../signal/protocol/model.ts';
import type { Direction } from '../../signal/protocol/relayControl.ts';
import type { Params } from '../../signal/protocol/requests.ts';
import type { TrackKind } from '../e2ee/messages.ts';
import { createPlaceholders } from '../media/placeholder.ts';
import { backoffMs } from '../net/backoff.ts';
import type { ResultSchema } from '../net/rpc.ts';
import { flowingOf } from './arrival.ts';
import { Emitter } from './emitter.ts';
import type { AskRelay, RelayLine } from './relayLine.ts';
import { RelayMonitor } from './relayMonitor.ts';
import { RelayReceiving } from './relayReceiving.ts';
import { RelaySending } from './relaySending.ts';
import type { SealPort } from './sealPort.ts';
import type { PathState, RelayTransport, Shown } from './transport.ts';

export interface RelayOptions {
  port: SealPort;
  line: RelayLine;
  iceServers: RTCIceServer[];
  /** What is to be sent of each kind once it is safe. */
  wanted: ReadonlyMap<TrackKind, MediaStreamTrack | null>;
  held: boolean;
  /** The worker does not count at present: nothing is judged by its totals. */
  isWorkerLost(): boolean;
}

/** A transport may come back by itself within this; then ICE is restarted, again and again at this pace. */
const DISCONNECTED_MS = 2000;
/** What was sent unsealed is tried again this often, then no more. */
const UNSAFE_REBUILDS = 3;
/** At least so long between two attempts at opening. */
const REOPEN_MS = 250;

interface Transports {
  send: types.Transport;
  receive: types.Transport;
}

export function createRelay(options: RelayOptions): RelayTransport {
  return new RelayPath(options);
}

class RelayPath implements RelayTransport {
  readonly #options: RelayOptions;
  readonly #placeholders = createPlaceholders();
  readonly #sending: RelaySending;
  readonly #receiving: RelayReceiving;
  readonly #monitor: RelayMonitor;
  readonly #events = new Emitter();
  readonly on = this.#events.on.bind(this.#events);
  readonly #off: () => void;
  readonly #states = new Map<PeerId, PathState>();
  readonly #restarts = new Map<Direction, ReturnType<typeof setTimeout>>();
  #transports: Transports | null = null;
  /** Which attempt this is: what belongs to an older one is dropped. */
  #attempt = 0;
  #failures = 0;
  /** How often the watchdog saw unsealed frames leave; and whether none has been sealed since. */
  #unsealedTimes = 0;
  #isUnsealed = false;
  #isPoor = false;
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retries = 0;
  #retired = false;
  #closed = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { port, wanted, held } = options;
    this.#off = port.onNotice((notice) => {
      if (notice.type !== 'counts') return;
      for (const counts of notice.counts) {
        this.#sending.counted(counts);
        this.#receiving.counted(counts, performance.now());
      }
      if (this.#isUnsealed && this.#sending.isSealing) {
        this.#isUnsealed = false;
        this.#tellStates();
      }
    });
    const failed = (what: 'sender' | 'consumer' | 'transport') =>
      what === 'transport' ? this.#reopen() : this.#retryLater();
    this.#sending = new RelaySending({ port, placeholders: this.#placeholders, wanted, held, failed });
    this.#receiving = new RelayReceiving({
      port,
      ask: this.#ask,
      track: (peer, kind, track) => this.#events.emit('track', peer, kind, track),
      changed: (peer) => this.#tellState(peer),
      failed,
    });
    this.#monitor = new RelayMonitor({
      transports: () => this.#transports,
      sending: () => this.#sending.flows,
      receiving: () => this.#receiving.flows,
      ping: () => port.call('ping', {}),
      paused: () => options.isWorkerLost(),
      unsealed: () => this.#unsealed(),
      unopened: (id) => this.#receiving.distrust(id),
      fellSilent: () => this.refresh(),
      poor: (poor) => {
        this.#isPoor = poor;
        this.#tellStates();
      },
      fits: (cameras) => this.#receiving.limit(cameras),
      stats: (peer, stats) => this.#events.emit('stats', peer, stats),
    });
    void this.#open();
  }

  setPeers(peers: readonly PeerId[]): void {
    for (const peer of this.#states.keys()) if (!peers.includes(peer)) this.#states.delete(peer);
    this.#receiving.setPeers(peers);
    for (const peer of peers) this.#tellState(peer, true);
  }

  expect(peers: readonly PeerId[]): void {
    this.#receiving.expect(peers);
  }

  produced(stream: RelayStream): void {
    this.#receiving.produced(stream);
  }

  ended(producer: StreamId): void {
    this.#receiving.ended(producer);
  }

  watched(producer: StreamId, layer: Layer | null): void {
    this.#sending.watched(producer, layer);
  }

  show(pictures: readonly Shown[] | null): void {
    this.#receiving.show(pictures);
  }

  publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    return this.#sending.publish(kind, track);
  }

  hold(held: boolean): void {
    this.#sending.hold(held);
  }

  flowing(peer: PeerId): Promise<ReadonlySet<TrackKind>> {
    return flowingOf(this.#receiving.of(peer), performance.now());
  }

  refresh(): void {
    for (const direction of ['send', 'receive'] as const) void this.#restart(direction);
  }

  retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#sending.retry();
    this.#receiving.retry();
  }

  renew(): void {
    if (this.#closed) return;
    clearTimeout(this.#reopenTimer);
    this.#failures = 0;
    void this.#open();
  }

  retire(): void {
    this.#retired = true;
    clearTimeout(this.#reopenTimer);
    clearTimeout(this.#retryTimer);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#off();
    this.#monitor.stop();
    this.#drop();
    this.#placeholders.close();
    await this.#ask('relay.close', {}).catch(() => undefined);
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const former = this.#transports;
    const isCurrent = () => attempt === this.#attempt && !this.#closed;
    try {
      const device = await Device.factory();
      if (!isCurrent()) return;
      // From here on: who is quick may be told of before the answer is here.
      this.#receiving.expectAnother();
      const opened = await this.#ask('relay.open', {});
      if (!isCurrent()) return;
      this.#clear();
      this.#receiving.begin(opened.streams);
      await device.load({ routerRtpCapabilities: opened.capabilities });
      if (!isCurrent()) return;
      const more = { iceServers: [...this.#options.iceServers], additionalSettings: settings() };
      const transports = {
        send: device.createSendTransport({ ...opened.send, ...more }),
        receive: device.createRecvTransport({ ...opened.receive, ...more }),
      };
      this.#transports = transports;
      this.#listen('send', transports.send);
      this.#listen('receive', transports.receive);
      this.#receiving.open(device, transports.receive);
      this.#sending.open(device, transports.send);
    } catch {
      if (!isCurrent()) return;
      // What was there before may still deliver: it goes when there is an answer.
      if (former !== null && this.#transports === former) this.#openLater();
      else this.#reopen();
    }
  }

  readonly #ask: AskRelay = (name, params) => {
    if (this.#retired) return Promise.reject(new Error('another is in its place'));
    const schema = mediaRequests[name].result as unknown as ResultSchema<typeof name>;
    return this.#options.line.request(name, params, schema);
  };

  /** Everything anew, after a while. */
  #reopen(): void {
    if (this.#closed) return;
    this.#drop();
    if (this.#unsealedTimes <= UNSAFE_REBUILDS) this.#openLater();
  }

  #openLater(): void {
    if (this.#retired) return;
    this.#reopenTimer = setTimeout(() => void this.#open(), Math.max(REOPEN_MS, backoffMs(this.#failures++, 0)));
  }

  /** What could not be asked for is asked for again; at once when the socket is back. */
  #retryLater(): void {
    if (this.#retired) return;
    this.#retryTimer ??= setTimeout(() => this.retry(), Math.max(REOPEN_MS, backoffMs(this.#retries++, 0)));
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
      if (state === 'connected') this.#failures = this.#retries = 0;
      if (state === 'failed') void this.#restart(direction);
      // A restart begins with `connecting`, and may have come too soon.
      if (state !== 'connecting') clearTimeout(this.#restarts.get(direction));
      if (state === 'failed' || state === 'disconnected') this.#restartLater(direction);
      this.#tellStates();
    });
  }

  #restartLater(direction: Direction): void {
    const again = () => {
      void this.#restart(direction);
      this.#restartLater(direction);
    };
    this.#restarts.set(direction, setTimeout(again, DISCONNECTED_MS));
  }

  async #restart(direction: Direction): Promise<void> {
    const transports = this.#transports;
    if (!transports) return;
    try {
      const { iceParameters } = await this.#ask('relay.restartIce', { direction });
      if (this.#transports === transports) await transports[direction].restartIce({ iceParameters });
    } catch {
      // The relay does not know us any more, or the socket is away: then it is asked again later.
      if (this.#transports === transports && transports[direction].connectionState !== 'connected') this.#reopen();
    }
  }

  #drop(): void {
    this.#attempt++;
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#reopenTimer);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    for (const restart of this.#restarts.values()) clearTimeout(restart);
    this.#sending.drop();
    this.#receiving.drop();
    this.#transports?.send.close();
    this.#transports?.receive.close();
    this.#transports = null;
    this.#tellStates();
  }

  /** What leaves is not sealed: nothing more of it, at once. */
  #unsealed(): void {
    this.#isUnsealed = true;
    this.#unsealedTimes++;
    this.#reopen();
  }

  #tellStates(): void {
    for (const peer of [...this.#states.keys()]) this.#tellState(peer);
  }

  /** @param begin  also of a peer that was not here before */
  #tellState(peer: PeerId, begin = false): void {
    const before = this.#states.get(peer);
    if (this.#closed || (before === undefined && !begin)) return;
    const state = this.#stateOf(peer);
    if (before && isSame(before, state)) return;
    this.#states.set(peer, state);
    this.#events.emit('state', peer, state);
  }

  #stateOf(peer: PeerId): PathState {
    const receive = this.#transports?.receive.connectionState;
    if (this.#isUnsealed) return { at: 'unsafe', detail: 'clearFrames' };
    if (this.#receiving.isUnsafe(peer)) return { at: 'unsafe', detail: 'nothingOpened' };
    if (!this.#receiving.opens(peer)) return { at: receive === 'connected' ? 'securing' : 'connecting' };
    if (receive === 'disconnected' || receive === 'failed') return { at: 'reconnecting', since: Date.now() };
    return { at: 'connected', poor: this.#isPoor };
  }
}

/** A state that only began at another time is the same. */
function isSame(one: PathState, other: PathState): boolean {
  if (one.at === 'connected' && other.at === 'connected') return one.poor === other.poor;
  if (one.at === 'unsafe' && other.at === 'unsafe') return one.detail === other.detail;
  return one.at === other.at;
}

function settings(): RTCConfiguration & { encodedInsertableStreams?: boolean } {
  return 'RTCRtpScriptTransform' in globalThis ? {} : { encodedInsertableStreams: true };
}
