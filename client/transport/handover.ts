/**
 * Mesh and relay as one transport, and the change from one to the other without a gap.
 *
 * Make before break: the new way is connected, sealed and delivering before the old one closes, pair by pair, and both ends have said
 * so. A track changes its source when real pictures or sound come by the new way, and is shown once, so no sound plays twice.
 * A worker that is silent for a second takes every real track off both ways.
 */
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { Topology } from '../../signal/protocol/model.ts';
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import { Others } from './handoverOthers.ts';
import { otherWay, takes, type Source, type WayName } from './handoverPeer.ts';
import type { MeshOptions } from './mesh.ts';
import type { RelayOptions } from './relay.ts';
import type { RelayLine } from './relayLine.ts';
import { readSignal } from './signals.ts';
import {
  type MediaTransport,
  type MeshTransport,
  MOST_EXPECTED,
  type RelayTransport,
  type Shown,
} from './transport.ts';
import { watchPulse } from './workerPulse.ts';

/** So often we look whether the new way delivers. */
const LOOK_MS = 250;
/** What comes by the new way needs so long until it is on the screen: the last picture of a track that has ended is black. */
const SHOWING_MS = 1000;
/** We have told the other that it may close the old way and heard nothing for so long: we close ours. */
const MOVE_MS = 20_000;
/** On the way down the relay is closed after this in any case: the server closes the room a little later (topology.ts). */
const DOWN_MS = 28_000;
/** What comes through a room that the server has forgotten is let go of after this in any case; the relay ends it at thirty seconds. */
const BEFORE_MS = 10_000;
/** The relay's code is fetched so long after the first peer: after what is urgent, and before ICE is called stuck (meshPeer.ts). */
const PRELOAD_MS = 1200;
/** Code that could not be fetched is tried again after this. */
const RELOAD_MS = 3000;

export interface HandoverOptions extends Omit<MeshOptions, 'stuck' | 'burdened' | 'isWorkerLost'> {
  line: RelayLine;
  topology: Topology;
  /** The one way that the host has fixed, by the signed record: no server leads off it. */
  only: WayName | null;
  ways: {
    mesh(options: MeshOptions): MeshTransport;
    relay(): Promise<(options: RelayOptions) => RelayTransport>;
  };
}

export function createHandover(options: HandoverOptions): MediaTransport {
  return new Handover(options);
}

class Handover implements MediaTransport {
  readonly #options: HandoverOptions;
  readonly #mesh: MeshTransport;
  readonly #others = new Others({
    wanted: () => this.#topology.at,
    isWorkerLost: () => this.#workerLost,
    isClosed: () => this.#closed,
  });
  readonly on = this.#others.on;
  readonly #wanted = new Map<TrackKind, MediaStreamTrack | null>(trackKinds.map((kind) => [kind, null]));
  readonly #stop: (() => void)[];
  /** Whom we have reported as out of reach. */
  readonly #reported = new Set<PeerId>();
  #topology: Topology;
  #since = performance.now();
  #relay: RelayTransport | null = null;
  /** What we have at the relay is from before we had to join again: it delivers for a while, and nothing more can be asked of it. */
  #isStale = false;
  /** Such a one while another takes its place. */
  #before: { relay: RelayTransport; since: number } | null = null;
  #opening = false;
  /** Who was expected before the relay's code was there. */
  #expected: PeerId[] = [];
  #shown: readonly Shown[] | null = null;
  #held = false;
  #workerLost = false;
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  #loadTimer: ReturnType<typeof setTimeout> | undefined;
  #looking = false;
  #closed = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
    this.#topology = this.#fixed(options.topology);
    const { port } = options;
    const isWorkerLost = () => this.#workerLost;
    this.#mesh = options.ways.mesh({
      ...options,
      stuck: (peer) => this.#stuck(peer),
      burdened: () => this.#burdened(),
      isWorkerLost,
    });
    this.#listen(this.#mesh);
    this.#stop = [
      port.onDead(() => this.#setWorkerLost(true)),
      watchPulse({
        ping: () => port.call('ping', {}),
        lost: () => this.#setWorkerLost(true),
        back: () => this.#setWorkerLost(false),
      }),
    ];
    this.#settle();
  }

  setPeers(peers: readonly PeerId[]): void {
    const wanted = peers.filter((peer) => peer !== this.#options.self);
    this.#others.set(wanted);
    for (const peer of this.#reported) if (!wanted.includes(peer)) this.#reported.delete(peer);
    if (wanted.length > 0)
      this.#loadTimer ??= setTimeout(() => void this.#options.ways.relay().catch(() => undefined), PRELOAD_MS);
    this.#settle();
  }

  expect(peers: readonly PeerId[]): void {
    if (this.#topology.at === 'mesh') return this.#mesh.expect(peers);
    if (this.#relay) this.#relay.expect(peers);
    else this.#expected = [...this.#expected, ...peers].slice(0, MOST_EXPECTED);
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    this.#wanted.set(kind, track);
    await Promise.all(this.#ways.map((way) => way.publish(kind, track)));
  }

  receive(from: PeerId, body: string): void {
    const signal = readSignal(body);
    if (signal?.data.type !== 'moved') return this.#mesh.receive(from, body);
    const other = this.#others.get(from);
    if (!other) return;
    other.moved = Math.max(other.moved, signal.connection);
    this.#settle();
  }

  broadcast(body: string): void {
    this.#mesh.broadcast(body);
  }

  follow(topology: Topology, isAnew = false): void {
    if (this.#closed) return;
    if (isAnew) this.#isStale = this.#relay !== null;
    if (topology.number === this.#topology.number && !this.#isStale) return this.#relay?.retry();
    if (topology.number < this.#topology.number) return;
    const before = this.#topology.at;
    this.#topology = this.#fixed(topology);
    this.#since = performance.now();
    if (this.#topology.at === 'relay') {
      if (this.#isStale) this.#supersede();
      // The relay has lost the room.
      else if (before === 'relay') this.#relay?.renew();
    }
    this.#settle();
    this.#others.tellStates();
  }

  relayed(event: ServerEvent): void {
    // What happens before there is a way to the relay is in the answer that opens one.
    if (event.type === 'relay.produced') this.#relay?.produced(event.stream);
    if (event.type === 'relay.ended') this.#relay?.ended(event.producer);
    if (event.type === 'relay.wanted') this.#relay?.watched(event.producer, event.layer);
  }

  show(pictures: readonly Shown[]): void {
    this.#shown = pictures;
    this.#applyShown();
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#applyHold();
  }

  refresh(): void {
    this.#mesh.refresh();
    this.#relay?.refresh();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#lookTimer);
    clearTimeout(this.#loadTimer);
    for (const stop of this.#stop) stop();
    this.#closeBefore();
    this.#closeRelay();
    await this.#mesh.close();
  }

  /** Opens what the topology wants and closes what is not needed any more. */
  #settle(): void {
    if (this.#closed) return;
    const { peers } = this.#others;
    if (this.#topology.at === 'relay') {
      void this.#openRelay();
      this.#relay?.setPeers(peers);
      // Newcomers at the relay never see a mesh.
      this.#mesh.setPeers(this.#between().filter((peer) => !this.#hasMoved(peer)));
    } else {
      this.#mesh.setPeers(peers);
      if (this.#relay) {
        // Newcomers in the mesh never see a relay.
        const former = this.#between();
        this.#relay.setPeers(former);
        const isLate = performance.now() - this.#since >= DOWN_MS;
        if (isLate || former.every((peer) => this.#hasMoved(peer))) this.#closeRelay();
      }
    }
    this.#before?.relay.setPeers(peers);
    this.#applyShown();
    clearTimeout(this.#lookTimer);
    if (this.#before || (this.#relay && this.#between().length > 0))
      this.#lookTimer = setTimeout(() => void this.#look(this.#topology), LOOK_MS);
  }

  /** Those to whom the old way is still open. */
  #between(): PeerId[] {
    const former = otherWay(this.#topology.at);
    return [...this.#others].flatMap(([peer, other]) => (other.states[former] === undefined ? [] : [peer]));
  }

  /** Both deliver to both, as far as can be known. */
  #hasMoved(peer: PeerId): boolean {
    const other = this.#others.get(peer);
    const { number } = this.#topology;
    const since = performance.now() - (other?.toldAt ?? 0);
    if (other?.told !== number || since < SHOWING_MS) return false;
    return other.moved >= number || since >= MOVE_MS;
  }

  /** Looks by which way real pictures and sound come, and tells those from whom all comes by the new one. */
  async #look(topology: Topology): Promise<void> {
    const relay = this.#relay;
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#lookBefore();
      if (relay) await this.#lookBetween(topology, relay);
    } finally {
      this.#looking = false;
    }
    this.#settle();
  }

  async #lookBetween(topology: Topology, relay: RelayTransport): Promise<void> {
    const former = otherWay(topology.at);
    // Statistics cost something, and whom we have told needs them only for what is shown by the old way still.
    const unsettled = this.#between().filter((peer) => {
      const other = this.#others.get(peer);
      return other?.told !== topology.number || trackKinds.some((kind) => other.shown[kind]?.way === former);
    });
    for (const peer of unsettled) {
      const [byMesh, byRelay] = await Promise.all([this.#mesh.flowing(peer), relay.flowing(peer)]).catch(() => []);
      const other = this.#others.get(peer);
      if (!byMesh || !byRelay || !other || this.#topology !== topology || this.#relay !== relay) continue;
      const flows = { mesh: byMesh, relay: byRelay };
      this.#others.delivers(topology.at, peer, flows[topology.at]);
      if (other.told === topology.number || !takes(other, topology.at, flows[former])) continue;
      other.told = topology.number;
      other.toldAt = performance.now();
      this.#options.signal(peer, JSON.stringify({ connection: topology.number, data: { type: 'moved' } }));
    }
  }

  /** Lets go of the forgotten room as soon as nobody needs it any more. */
  async #lookBefore(): Promise<void> {
    const [before, relay] = [this.#before, this.#relay];
    if (!before) return;
    let isNeeded = false;
    for (const [peer, other] of this.#others) {
      const [was = [], is = []] = await Promise.all([before.relay.flowing(peer), relay?.flowing(peer)]).catch(() => []);
      if (this.#before !== before || this.#relay !== relay) return;
      this.#others.delivers('relay', peer, is);
      isNeeded ||= [...was].some((kind) => !other.real[this.#topology.at].has(kind));
    }
    if (!isNeeded || performance.now() - before.since >= BEFORE_MS) this.#closeBefore();
  }

  /** The server knows nothing of our room at the relay: another is opened beside it, and nobody misses anything meanwhile. */
  #supersede(): void {
    this.#isStale = false;
    const relay = this.#relay;
    if (!relay) return;
    relay.retire();
    // It has not taken over yet from the one before it.
    if (this.#before) return this.#closeRelay();
    this.#relay = null;
    this.#before = { relay, since: performance.now() };
    this.#others.setBack();
  }

  async #openRelay(): Promise<void> {
    if (this.#relay || this.#opening) return;
    this.#opening = true;
    try {
      const create = await this.#options.ways.relay();
      if (this.#closed || this.#topology.at !== 'relay') return;
      const { port, line, iceServers } = this.#options;
      this.#relay = create({
        port,
        line,
        iceServers,
        wanted: this.#wanted,
        held: this.#held || this.#workerLost,
        isWorkerLost: () => this.#workerLost,
      });
      this.#listen(this.#relay);
      this.#relay.expect(this.#expected.splice(0));
    } catch {
      // The code could not be fetched: the mesh stays until it can.
      clearTimeout(this.#loadTimer);
      this.#loadTimer = setTimeout(() => this.#settle(), RELOAD_MS);
      return;
    } finally {
      this.#opening = false;
    }
    this.#settle();
  }

  #closeBefore(): void {
    const before = this.#before;
    if (!before) return;
    this.#before = null;
    void before.relay.close();
    this.#others.forget('before');
  }

  #closeRelay(): void {
    const relay = this.#relay;
    this.#relay = null;
    this.#isStale = false;
    if (!relay) return;
    void relay.close();
    this.#others.forget('relay');
  }

  /** All that there is at present. */
  get #ways(): (MeshTransport | RelayTransport)[] {
    return [this.#mesh, this.#relay, this.#before?.relay].filter((way) => !!way);
  }

  #listen(way: MeshTransport | RelayTransport): void {
    const source = (): Source | null => {
      if (way === this.#mesh) return 'mesh';
      if (way === this.#relay) return 'relay';
      return way === this.#before?.relay ? 'before' : null;
    };
    const from = (use: (source: Source) => void): void => {
      const name = source();
      if (name) use(name);
    };
    way.on('track', (peer, kind, track) => from((name) => this.#others.track(name, peer, kind, track)));
    way.on('stats', (peer, stats) => from((name) => this.#others.stats(name, peer, stats)));
    way.on('state', (peer, state) =>
      from((name) => {
        this.#others.state(name, peer, state);
        if (name === 'mesh' && (state.at === 'securing' || state.at === 'connected')) this.#reached(peer);
      }),
    );
  }

  /** ICE does not reach this peer: the relay would. */
  #stuck(peer: PeerId): void {
    if (this.#topology.at !== 'mesh') return;
    this.#reported.add(peer);
    void this.#options.line.request('path.failed', { peer }).catch(() => undefined);
  }

  /** Our uplink or this device cannot carry the mesh: the relay takes one copy for all. */
  #burdened(): void {
    if (this.#topology.at === 'mesh') void this.#options.line.request('path.burdened', {}).catch(() => undefined);
  }

  /** It was only slow. */
  #reached(peer: PeerId): void {
    if (!this.#reported.delete(peer)) return;
    void this.#options.line.request('path.failed', { peer, withdrawn: true }).catch(() => undefined);
  }

  #setWorkerLost(lost: boolean): void {
    if (this.#workerLost === lost || this.#closed) return;
    this.#workerLost = lost;
    this.#applyHold();
    this.#others.tellStates();
  }

  #fixed(topology: Topology): Topology {
    return { ...topology, at: this.#options.only ?? topology.at };
  }

  /** While somebody is between two ways all is asked for: what comes by the one must come by the other. */
  #applyShown(): void {
    this.#relay?.show(this.#between().length > 0 ? null : this.#shown);
  }

  #applyHold(): void {
    for (const way of this.#ways) way.hold(this.#held || this.#workerLost);
  }
}
