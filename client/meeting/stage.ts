/**
 * The media side of one meeting: the transport, what it publishes, and what came of it. Told what to do by effects.ts.
 *
 * The transport is loaded when it is first needed. What was asked for before is done then.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { Topology } from '../../signal/protocol/model.ts';
import type { RelayLine } from '../transport/relayLine.ts';
import type { SealPort } from '../transport/sealPort.ts';
import type { MediaTransport, PathState, PathStats, Shown } from '../transport/transport.ts';
import { Speaking } from './speaking.ts';
import type { MediaState } from './state.ts';

export interface StageOptions {
  port: SealPort;
  line: RelayLine;
  path(peer: PeerId, state: PathState): void;
  /** Tracks, levels or path statistics are others now. */
  changed(): void;
}

export class Stage {
  readonly #options: StageOptions;
  readonly tracks = new Map<PeerId, Partial<Record<TrackKind, MediaStreamTrack>>>();
  readonly stats = new Map<PeerId, PathStats>();
  readonly speaking = new Set<PeerId>();
  /** Whose camera is on the screen, and since when, by `Date.now()`: who was on another page has sent nothing, and is not frozen for that. */
  readonly shownSince = new Map<PeerId, number>();
  readonly #hearing = new Map<PeerId, Speaking>();
  readonly #published = new Map<TrackKind, MediaStreamTrack | null>(trackKinds.map((kind) => [kind, null]));
  #peers: readonly PeerId[] = [];
  #expected: readonly PeerId[] = [];
  /** One array for the life of the transport, which reads it for each new connection. */
  readonly #iceServers: RTCIceServer[] = [];
  #shown: readonly Shown[] | null = null;
  #held = false;
  #transport: MediaTransport | null = null;
  #earlyEvents: ServerEvent[] = [];
  /** Signals that came while the transport was being made. */
  #early: { from: PeerId; body: string }[] = [];
  #starting = 0;
  #closed = false;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /** Fetches the code ahead of need. */
  static preload(): void {
    import('../transport/createTransport.ts').then(({ preloadRelay }) => preloadRelay()).catch(() => undefined);
  }

  /** Starts as this peer. A former transport ends: its connections belong to a leaf that is gone. */
  async start(
    self: PeerId,
    iceServers: RTCIceServer[],
    topology: Topology,
    only: Topology['at'] | null = null,
  ): Promise<void> {
    const starting = ++this.#starting;
    this.#peers = [];
    this.setIceServers(iceServers);
    await this.#end();
    const { createTransport } = await import('../transport/createTransport.ts');
    if (this.#closed || starting !== this.#starting) return;
    const { port, line } = this.#options;
    const signal = (to: PeerId, body: string) =>
      void port.call('message.send', { to, kind: 'mesh.signal', body }).catch(() => undefined);
    const transport = createTransport({ self, iceServers: this.#iceServers, port, signal, line, topology, only });
    this.#transport = transport;
    this.#listen(transport);
    for (const [kind, track] of this.#published) void transport.publish(kind, track);
    if (this.#held) transport.hold(true);
    if (this.#shown) transport.show(this.#shown);
    transport.setPeers(this.#peers);
    transport.expect(this.#expected);
    this.#expected = [];
    for (const { from, body } of this.#early.splice(0)) transport.receive(from, body);
    for (const event of this.#earlyEvents.splice(0)) this.happened(event);
  }

  /** For connections that are made from now on: credentials expire. */
  setIceServers(iceServers: readonly RTCIceServer[]): void {
    this.#iceServers.splice(0, Infinity, ...iceServers);
  }

  setPeers(peers: readonly PeerId[]): void {
    this.#peers = peers;
    this.#transport?.setPeers(peers);
    const present = new Set(peers);
    for (const peer of [...this.tracks.keys(), ...this.stats.keys()]) {
      if (present.has(peer)) continue;
      this.tracks.delete(peer);
      this.stats.delete(peer);
      this.speaking.delete(peer);
      this.#hearing.delete(peer);
    }
  }

  /** These may be members soon: a hint of the server, which costs us a connection that is not used if it lies. */
  expect(peers: readonly PeerId[]): void {
    if (this.#transport) this.#transport.expect(peers);
    else this.#expected = [...this.#expected, ...peers].slice(0, 8);
  }

  publish(kind: TrackKind, track: MediaStreamTrack | null): void {
    if (this.#published.get(kind) === track) return;
    this.#published.set(kind, track);
    void this.#transport?.publish(kind, track);
  }

  /** What we say of our own tracks. */
  mediaState(): MediaState {
    return Object.fromEntries(trackKinds.map((kind) => [kind, this.#published.get(kind) !== null])) as MediaState;
  }

  receive(from: PeerId, body: string): void {
    if (this.#transport) this.#transport.receive(from, body);
    else if (this.#early.length < 256) this.#early.push({ from, body });
  }

  /** What the server says of the way that media take. */
  happened(event: ServerEvent): void {
    if (event.type !== 'topology' && !event.type.startsWith('relay.')) return;
    if (!this.#transport) this.#earlyEvents.push(event);
    else if (event.type === 'topology') this.#transport.follow(event.topology);
    else this.#transport.relayed(event);
  }

  /** The server had forgotten us, and with us what we had at the relay. */
  rejoined(topology: Topology): void {
    if (this.#transport) this.#transport.follow(topology, true);
    else this.#earlyEvents.push({ type: 'topology', topology });
  }

  /** What is on the screen by now: pictures that are not need not come. */
  show(pictures: readonly Shown[]): void {
    this.#shown = pictures;
    const cameras = new Set(pictures.filter(({ kind }) => kind === 'camera').map(({ peer }) => peer));
    for (const peer of this.shownSince.keys()) if (!cameras.has(peer)) this.shownSince.delete(peer);
    for (const peer of cameras) if (!this.shownSince.has(peer)) this.shownSince.set(peer, Date.now());
    this.#transport?.show(pictures);
  }

  broadcast(body: string): void {
    this.#transport?.broadcast(body);
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#transport?.hold(held);
  }

  refresh(): void {
    this.#transport?.refresh();
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#end();
  }

  async #end(): Promise<void> {
    const transport = this.#transport;
    this.#transport = null;
    this.tracks.clear();
    this.stats.clear();
    this.speaking.clear();
    await transport?.close();
  }

  #listen(transport: MediaTransport): void {
    const current = () => transport === this.#transport;
    transport.on('state', (peer, state) => {
      if (current()) this.#options.path(peer, state);
    });
    transport.on('track', (peer, kind, track) => {
      if (!current()) return;
      const { [kind]: _former, ...others } = this.tracks.get(peer) ?? {};
      this.tracks.set(peer, track ? { ...others, [kind]: track } : others);
      this.#options.changed();
    });
    transport.on('stats', (peer, stats) => {
      if (!current()) return;
      const hearing = this.#hearing.get(peer) ?? new Speaking();
      this.#hearing.set(peer, hearing);
      const spoke = this.speaking.has(peer);
      const speaks = hearing.heard(stats.level, performance.now());
      if (speaks) this.speaking.add(peer);
      else this.speaking.delete(peer);
      const before = this.stats.get(peer);
      this.stats.set(peer, stats);
      // Four times a second from every peer: only what shows is worth a new picture of the meeting.
      if (spoke !== speaks || before?.path !== stats.path || isStill(before) !== isStill(stats))
        this.#options.changed();
    });
  }
}

function isStill(stats: PathStats | undefined): boolean {
  return (stats?.cameraQuietMs ?? 0) >= 3000;
}
