/** All others between two ways: what comes of each by which, what of it is shown, and how the way to them is. */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import { Emitter } from './emitter.ts';
import { newOther, pick, setBack, stateOf, type Other, type Source, type WayName } from './handoverPeer.ts';
import type { PathState, PathStats } from './transport.ts';

export interface OthersTerms {
  /** The way that media take by the present topology. */
  wanted(): WayName;
  isWorkerLost(): boolean;
  isClosed(): boolean;
}

export class Others {
  readonly #terms: OthersTerms;
  readonly #others = new Map<PeerId, Other>();
  readonly #events = new Emitter();
  readonly on = this.#events.on.bind(this.#events);

  constructor(terms: OthersTerms) {
    this.#terms = terms;
  }

  get peers(): PeerId[] {
    return [...this.#others.keys()];
  }

  get(peer: PeerId): Other | undefined {
    return this.#others.get(peer);
  }

  [Symbol.iterator](): IterableIterator<[PeerId, Other]> {
    return this.#others.entries();
  }

  set(peers: readonly PeerId[]): void {
    for (const [peer, other] of this.#others) {
      if (peers.includes(peer)) continue;
      this.#others.delete(peer);
      for (const kind of trackKinds) if (other.shown[kind]) this.#events.emit('track', peer, kind, null);
    }
    for (const peer of peers) if (!this.#others.has(peer)) this.#others.set(peer, newOther());
  }

  track(from: Source, peer: PeerId, kind: TrackKind, track: MediaStreamTrack | null): void {
    const other = this.#others.get(peer);
    if (!other) return;
    other.real[from].delete(kind);
    if (track) other.tracks[from][kind] = track;
    else delete other.tracks[from][kind];
    this.#show(peer, other, kind);
  }

  /** Real pictures or real sound of these kinds come from there. */
  delivers(from: WayName, peer: PeerId, kinds: Iterable<TrackKind>): void {
    const other = this.#others.get(peer);
    if (!other) return;
    for (const kind of kinds) {
      if (other.tracks[from][kind]) other.real[from].add(kind);
      this.#show(peer, other, kind);
    }
  }

  state(from: Source, peer: PeerId, state: PathState): void {
    const other = this.#others.get(peer);
    if (!other) return;
    if (state.at === 'closed') delete other.states[from];
    else other.states[from] = state;
    this.#tell(peer, other);
  }

  stats(from: Source, peer: PeerId, stats: PathStats): void {
    const other = this.#others.get(peer);
    if (!other) return;
    const shown = other.shown.microphone ?? other.shown.camera;
    if (shown === undefined || shown.way === from) this.#events.emit('stats', peer, stats);
  }

  tellStates(): void {
    for (const [peer, other] of this.#others) this.#tell(peer, other);
  }

  /** Nothing comes from there any more. */
  forget(source: Source): void {
    for (const [peer, other] of this.#others) {
      delete other.states[source];
      for (const kind of trackKinds) this.track(source, peer, kind, null);
      this.#tell(peer, other);
    }
  }

  /** What comes by the relay is from before, from now on. */
  setBack(): void {
    for (const other of this.#others.values()) setBack(other);
  }

  #show(peer: PeerId, other: Other, kind: TrackKind): void {
    const way = pick(other, this.#terms.wanted(), kind);
    const track = way ? (other.tracks[way][kind] ?? null) : null;
    if (track === (other.shown[kind]?.track ?? null)) return;
    if (way && track) other.shown[kind] = { way, track };
    else delete other.shown[kind];
    this.#events.emit('track', peer, kind, track);
  }

  #tell(peer: PeerId, other: Other): void {
    if (this.#terms.isClosed()) return;
    const state = stateOf(other, this.#terms.wanted(), Date.now());
    this.#events.emit('state', peer, this.#terms.isWorkerLost() ? { at: 'unsafe', detail: 'workerLost' } : state);
  }
}
