/**
 * Mesh and relay as one transport, and the change from one to the other without a gap.
 *
 * Make before break: the new way is connected, sealed and delivering before the old one closes, pair by pair. A track changes its
 * source when the new way has opened its first frame; each track is shown once, so no sound plays twice.
 */
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { Topology } from '../../signal/protocol/model.ts';
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import { createPlaceholders } from '../media/placeholder.ts';
import { createMesh, type MeshOptions } from './mesh.ts';
import type { RelayPath } from './relay.ts';
import type { RelayLine } from './relayLine.ts';
import { readSignal } from './signals.ts';
import type { MediaTransport, MeshTransport, PathState, PathStats, TransportEvents } from './transport.ts';

/** A pair whose other end does not say that it has moved: the old way is closed all the same. */
const MOVE_MS = 20_000;
/** So long at most both ways are open on the way down; then the relay closes its own. */
const DOWN_MS = 9000;

type Way = 'mesh' | 'relay';
type Listeners = { [E in keyof TransportEvents]: Set<TransportEvents[E]> };
type ByKind<T> = Partial<Record<TrackKind, T>>;

interface Other {
  tracks: Record<Way, ByKind<MediaStreamTrack>>;
  states: Partial<Record<Way, PathState>>;
  shown: ByKind<MediaStreamTrack>;
  /** The topology in which we told it that the relay delivers, and in which it told us. */
  told: number;
  moved: number;
}

export interface HandoverOptions extends Omit<MeshOptions, 'stuck'> {
  line: RelayLine;
  topology: Topology;
}

export function createTransport(options: HandoverOptions): MediaTransport {
  return new Handover(options);
}

class Handover implements MediaTransport {
  readonly #options: HandoverOptions;
  readonly #mesh: MeshTransport;
  readonly #others = new Map<PeerId, Other>();
  readonly #wanted = new Map<TrackKind, MediaStreamTrack | null>(trackKinds.map((kind) => [kind, null]));
  readonly #listeners: Listeners = { track: new Set(), state: new Set(), stats: new Set() };
  readonly #placeholders = createPlaceholders();
  #topology: Topology;
  #since = performance.now();
  #relay: RelayPath | null = null;
  #opening = false;
  #early: ServerEvent[] = [];
  #held = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
    this.#topology = options.topology;
    const stuck = (peer: PeerId) => {
      if (this.#topology.at === 'mesh') void options.line.request('path.failed', { peer }).catch(() => undefined);
    };
    this.#mesh = createMesh({ ...options, stuck });
    this.#mesh.on('track', (peer, kind, track) => this.#track('mesh', peer, kind, track));
    this.#mesh.on('state', (peer, state) => this.#state('mesh', peer, state));
    this.#mesh.on('stats', (peer, stats) => this.#stats('mesh', peer, stats));
    this.#settle();
  }

  setPeers(peers: readonly PeerId[]): void {
    const wanted = peers.filter((peer) => peer !== this.#options.self);
    for (const peer of this.#others.keys()) if (!wanted.includes(peer)) this.#others.delete(peer);
    for (const peer of wanted) if (!this.#others.has(peer)) this.#others.set(peer, newOther());
    this.#settle();
  }

  expect(peers: readonly PeerId[]): void {
    if (this.#topology.at === 'mesh') this.#mesh.expect(peers);
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    this.#wanted.set(kind, track);
    await Promise.all([this.#mesh.publish(kind, track), this.#relay?.publish(kind, track)]);
  }

  receive(from: PeerId, body: string): void {
    const signal = readSignal(body);
    const other = this.#others.get(from);
    if (signal?.data.type !== 'moved') return this.#mesh.receive(from, body);
    if (!other) return;
    other.moved = Math.max(other.moved, signal.connection);
    this.#settle();
  }

  broadcast(body: string): void {
    this.#mesh.broadcast(body);
  }

  follow(topology: Topology): void {
    if (topology.number <= this.#topology.number || this.#closed) return;
    const again = topology.at === 'relay' && this.#topology.at === 'relay';
    this.#topology = topology;
    this.#since = performance.now();
    // The relay lost the room: what we had there is worth nothing.
    if (again) this.#closeRelay();
    this.#settle();
  }

  relayed(event: ServerEvent): void {
    if (this.#opening) this.#early.push(event);
    if (event.type === 'relay.produced') this.#relay?.streamed(event.stream);
    if (event.type === 'relay.ended') this.#relay?.ended(event.producer);
  }

  on<E extends keyof TransportEvents>(event: E, listener: TransportEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#mesh.hold(held);
    this.#relay?.hold(held);
  }

  refresh(): void {
    this.#mesh.refresh();
    this.#relay?.refresh();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#closeRelay();
    this.#placeholders.close();
    await this.#mesh.close();
  }

  /** Opens what the topology wants and closes what is not needed any more. */
  #settle(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const at = this.#topology.at;
    const peers = [...this.#others.keys()];
    if (at === 'relay') {
      void this.#openRelay();
      this.#relay?.setPeers(peers);
      for (const [peer, other] of this.#others) this.#tellMoved(peer, other);
      const late = this.#lateAfter(MOVE_MS);
      // Newcomers at the relay never see a mesh.
      const staying = peers.filter((peer) => this.#meshes(peer) && !this.#hasMoved(peer, late));
      this.#mesh.setPeers(staying);
    } else {
      this.#mesh.setPeers(peers);
      if (!this.#relay) return;
      this.#relay.setPeers(peers);
      const done = [...this.#others.values()].every((other) => delivers(other, 'mesh', 'relay'));
      if (done || this.#lateAfter(DOWN_MS)) this.#closeRelay();
    }
  }

  /** Whether so long has passed since the topology changed; if not, it is looked at again then. */
  #lateAfter(ms: number): boolean {
    const left = this.#since + ms - performance.now();
    if (left <= 0) return true;
    this.#timer = setTimeout(() => this.#settle(), left + 10);
    return false;
  }

  #meshes(peer: PeerId): boolean {
    const state = this.#others.get(peer)?.states.mesh;
    return state !== undefined && state.at !== 'closed';
  }

  #tellMoved(peer: PeerId, other: Other): void {
    const { number } = this.#topology;
    if (other.told === number || !this.#meshes(peer) || !delivers(other, 'relay', 'mesh')) return;
    other.told = number;
    this.#options.signal(peer, JSON.stringify({ connection: number, data: { type: 'moved' } }));
  }

  #hasMoved(peer: PeerId, late: boolean): boolean {
    const other = this.#others.get(peer)!;
    const { number } = this.#topology;
    return late || (other.told === number && other.moved >= number);
  }

  async #openRelay(): Promise<void> {
    if (this.#relay || this.#opening) return;
    this.#opening = true;
    this.#early = [];
    const { RelayPath } = await import('./relay.ts');
    this.#opening = false;
    if (this.#closed || this.#topology.at !== 'relay' || this.#relay) return;
    const { port, line } = this.#options;
    this.#relay = new RelayPath({
      port,
      line,
      placeholders: this.#placeholders,
      wanted: this.#wanted,
      held: this.#held,
      on: {
        track: (peer, kind, track) => this.#track('relay', peer, kind, track),
        state: (peer, state) => this.#state('relay', peer, state),
        stats: (peer, stats) => this.#stats('relay', peer, stats),
      },
    });
    this.#relay.setPeers([...this.#others.keys()]);
  }

  #closeRelay(): void {
    const relay = this.#relay;
    this.#relay = null;
    relay?.close();
    for (const [peer, other] of this.#others) {
      delete other.states.relay;
      for (const kind of trackKinds) this.#track('relay', peer, kind, null);
    }
  }

  #track(way: Way, peer: PeerId, kind: TrackKind, track: MediaStreamTrack | null): void {
    const other = this.#others.get(peer);
    if (!other) return;
    if (track) other.tracks[way][kind] = track;
    else delete other.tracks[way][kind];
    const [first, second]: [Way, Way] = this.#topology.at === 'relay' ? ['relay', 'mesh'] : ['mesh', 'relay'];
    const shown = other.tracks[first][kind] ?? other.tracks[second][kind];
    if (shown !== other.shown[kind]) {
      if (shown) other.shown[kind] = shown;
      else delete other.shown[kind];
      this.#emit('track', peer, kind, shown ?? null);
    }
    if (track) this.#settle();
  }

  #state(way: Way, peer: PeerId, state: PathState): void {
    const other = this.#others.get(peer);
    if (!other) return;
    if (state.at === 'closed') delete other.states[way];
    else other.states[way] = state;
    const wanted = other.states[this.#topology.at];
    const former = other.states[this.#topology.at === 'relay' ? 'mesh' : 'relay'];
    // As long as the former way delivers, the new one is nobody's concern.
    const isGood = wanted?.at === 'connected' || wanted?.at === 'unsafe' || former?.at !== 'connected';
    this.#emit('state', peer, (isGood ? wanted : former) ?? former ?? { at: 'connecting' });
  }

  #stats(way: Way, peer: PeerId, stats: PathStats): void {
    const other = this.#others.get(peer);
    if (!other) return;
    const shown = other.shown.microphone ?? other.shown.camera;
    const isShown = shown === undefined || Object.values(other.tracks[way]).includes(shown);
    if (isShown) this.#emit('stats', peer, stats);
  }

  #emit<E extends keyof TransportEvents>(event: E, ...values: Parameters<TransportEvents[E]>): void {
    for (const listener of this.#listeners[event]) (listener as (...all: typeof values) => void)(...values);
  }
}

function newOther(): Other {
  return { tracks: { mesh: {}, relay: {} }, states: {}, shown: {}, told: -1, moved: -1 };
}

/**
 * Whether all that comes by one way comes by the other too, and something does. In a mesh every pair has a track for a screen, shared
 * or not: that one is not waited for.
 */
function delivers(other: Other, way: Way, instead: Way): boolean {
  const kinds = (['microphone', 'camera'] as const).filter((kind) => other.tracks[instead][kind] !== undefined);
  return kinds.length > 0 && kinds.every((kind) => other.tracks[way][kind] !== undefined);
}
