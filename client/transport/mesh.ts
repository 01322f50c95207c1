/**
 * The mesh: one connection with each peer.
 *
 * Nothing here can send in the clear: senders prove their transforms first (sealedSender.ts), and the watchdog closes what does not
 * add up.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import { createPlaceholders } from '../media/placeholder.ts';
import { MeshPeer } from './meshPeer.ts';
import { MeshMonitor } from './meshMonitor.ts';
import type { SealPort } from './sealPort.ts';
import { offers, readSignal } from './signals.ts';
import { flowingOf } from './arrival.ts';
import { Emitter } from './emitter.ts';
import { EXPECTED_MS, type MeshTransport, MOST_EXPECTED } from './transport.ts';

export interface MeshOptions {
  self: PeerId;
  iceServers: RTCIceServer[];
  port: SealPort;
  /** Seals `body` as a `mesh.signal` message to one peer and sends it. */
  signal(to: PeerId, body: string): void;
  /** ICE cannot reach this peer. */
  stuck(peer: PeerId): void;
  /** This device, or its uplink, cannot carry the mesh. */
  burdened(): void;
  /** The worker does not count at present: nothing is judged by its totals. */
  isWorkerLost(): boolean;
}

export function createMesh(options: MeshOptions): MeshTransport {
  return new Mesh(options);
}

class Mesh implements MeshTransport {
  readonly #options: MeshOptions;
  readonly #peers = new Map<PeerId, MeshPeer>();
  readonly #wanted = new Map<TrackKind, MediaStreamTrack | null>(trackKinds.map((kind) => [kind, null]));
  readonly #placeholders = createPlaceholders();
  readonly #events = new Emitter();
  readonly on = this.#events.on.bind(this.#events);
  readonly #monitor: MeshMonitor;
  readonly #stop: (() => void)[];
  #held = false;
  #closed = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#monitor = new MeshMonitor({
      peers: this.#peers,
      ping: () => options.port.call('ping', {}),
      paused: () => options.isWorkerLost(),
      stats: (peer, stats) => this.#events.emit('stats', peer, stats),
      burdened: () => options.burdened(),
    });
    this.#stop = [
      options.port.onNotice((notice) => {
        if (notice.type === 'counts')
          for (const counts of notice.counts) for (const peer of this.#peers.values()) peer.counted(counts);
      }),
      () => this.#monitor.stop(),
    ];
  }

  setPeers(peers: readonly PeerId[]): void {
    if (this.#closed) return;
    const wanted = new Set(peers.filter((peer) => peer !== this.#options.self));
    for (const [peer, one] of [...this.#peers]) {
      if (wanted.has(peer) && one.expected) {
        one.admit();
        this.#events.emit('state', peer, one.state);
      }
      if (wanted.has(peer) || one.expected) continue;
      one.close();
      this.#peers.delete(peer);
    }
    for (const peer of this.#peers.values()) peer.configure({ others: wanted.size });
    for (const peer of wanted) if (!this.#peers.has(peer)) this.#add(peer, wanted.size, false);
  }

  expect(peers: readonly PeerId[]): void {
    if (this.#closed) return;
    for (const peer of peers) {
      // The server may name anybody: a few that never come must not cost much.
      const waiting = [...this.#peers.values()].filter(({ expected }) => expected).length;
      if (peer === this.#options.self || this.#peers.has(peer) || waiting >= MOST_EXPECTED) continue;
      const one = this.#add(peer, this.#peers.size + 1, true);
      setTimeout(() => {
        if (!one.expected) return;
        one.close();
        if (this.#peers.get(peer) === one) this.#peers.delete(peer);
      }, EXPECTED_MS);
    }
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    this.#wanted.set(kind, track);
    await Promise.all([...this.#peers.values()].map((peer) => peer.publish(kind, track)));
  }

  receive(from: PeerId, body: string): void {
    const signal = readSignal(body);
    if (signal) this.#peers.get(from)?.receive(signal);
  }

  broadcast(body: string): void {
    for (const peer of this.#peers.values()) peer.connection?.sendData(body);
  }

  hold(held: boolean): void {
    this.#held = held;
    for (const peer of this.#peers.values()) peer.configure({ held });
  }

  flowing(peer: PeerId): Promise<ReadonlySet<TrackKind>> {
    return flowingOf(this.#peers.get(peer)?.connection?.receiving.values() ?? [], performance.now());
  }

  refresh(): void {
    for (const peer of this.#peers.values()) peer.refresh();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stop) stop();
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
    this.#placeholders.close();
  }

  #add(peer: PeerId, others: number, expected: boolean): MeshPeer {
    const { self, iceServers, port, signal, stuck } = this.#options;
    const added: MeshPeer = new MeshPeer({
      peer,
      offering: offers(self, peer),
      expected,
      iceServers,
      port,
      placeholders: this.#placeholders,
      wanted: this.#wanted,
      held: this.#held,
      others,
      send: (message) => signal(peer, JSON.stringify(message)),
      on: {
        state: (state) => {
          if (!added.expected) this.#events.emit('state', peer, state);
        },
        track: (kind, track) => this.#events.emit('track', peer, kind, track),
        stuck: () => stuck(peer),
        data: (body) => void port.call('peer.data', { body }).catch(() => undefined),
      },
    });
    this.#peers.set(peer, added);
    if (!expected) this.#events.emit('state', peer, added.state);
    return added;
  }
}
