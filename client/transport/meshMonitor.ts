/**
 * Looks at every connection of the mesh: four times a second who speaks, once a second whether anything comes and all that moves is
 * sealed, every two seconds how good the path is.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { TransformCounts } from '../e2ee/messages.ts';
import { Burden, isStrained } from './burden.ts';
import type { MeshConnection } from './meshConnection.ts';
import type { MeshPeer } from './meshPeer.ts';
import { ReceivedRate } from './received.ts';
import { Silence } from './silence.ts';
import { Quality, readReport, type ReportTotals } from './stats.ts';
import type { PathStats } from './transport.ts';
import { OpenWatch, seenFrames, Watch } from './watchdog.ts';

const LEVEL_MS = 250;
const WATCH_MS = 1000;
const QUALITY_MS = 2000;
/** The worker tells its totals twice a second while they change. */
const REPORT_MS = 600;
/** Frames come for this long and none opens: this connection is of no use, another may be. Longer than any change of epoch. */
const NOTHING_OPENS_MS = 8000;

export interface MonitorOptions {
  peers: ReadonlyMap<PeerId, MeshPeer>;
  /** Resolves when the worker answered. */
  ping(): Promise<unknown>;
  /** The worker does not count at present. */
  paused(): boolean;
  stats(peer: PeerId, stats: PathStats): void;
  /** This device, or its uplink, cannot carry so many copies. */
  burdened(): void;
}

/** What is remembered of one connection. A new attempt starts anew. */
interface Remembered {
  watches: Map<string, Watch>;
  opens: Map<string, OpenWatch>;
  quality: Quality;
  received: ReceivedRate;
  silence: Silence;
  cameraPassed: number;
  cameraAt: number;
  watchedAt: number;
  suspected: boolean;
  qualityAt: number;
  last: PathStats;
  /** Whether our camera suffers on the way to this peer; null: none is sent. */
  strained: boolean | null;
}

export class MeshMonitor {
  readonly #options: MonitorOptions;
  readonly #remembered = new WeakMap<MeshConnection, Remembered>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #burden = new Burden();
  #busy = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), LEVEL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // Statistics of a busy browser come late: one round at a time.
    if (this.#busy) return;
    this.#busy = true;
    await Promise.all([...this.#options.peers.values()].map((peer) => this.#lookAt(peer).catch(() => undefined)));
    this.#busy = false;
    const strained = [...this.#options.peers.values()].flatMap(({ connection }) => {
      const known = connection && this.#remembered.get(connection);
      return known && known.strained !== null ? [known.strained] : [];
    });
    if (this.#burden.look(strained, performance.now())) this.#options.burdened();
  }

  async #lookAt(peer: MeshPeer): Promise<void> {
    const connection = peer.connection;
    if (!connection || connection.pc.connectionState !== 'connected') return;
    const known = this.#recall(connection);
    const level = await speechLevel(connection);
    let last: PathStats = { ...known.last, level, cameraQuietMs: this.#cameraQuiet(connection, known) };
    const now = performance.now();
    // By the clock, not by counting rounds: timers of a hidden tab are slow.
    if (now - known.watchedAt >= WATCH_MS) {
      known.watchedAt = now;
      const report = await connection.pc.getStats();
      const totals = readReport(report);
      if (peer.connection !== connection) return;
      if (known.silence.look(totals.arrived, now)) peer.fellSilent();
      this.#watch(peer, connection, known, totals);
      const camera = connection.sending.get('camera');
      const section = totals.sections.get(String(camera?.mid()));
      known.strained = section && camera?.sealed.isReal ? isStrained(section) : null;
      if (now - known.qualityAt >= QUALITY_MS) {
        known.qualityAt = now;
        const { loss, poor } = known.quality.sample(totals);
        const received = known.received.sample(report, () => true, now);
        last = { ...last, ...received, loss, roundTripMs: totals.roundTripMs, path: totals.path ?? last.path };
        peer.setPoor(poor);
      }
    }
    known.last = last;
    this.#options.stats(peer.peer, last);
  }

  /**
   * The worker's totals stand still. On a busy machine it may only be late: it answers first, tells its totals once more, and is
   * believed then.
   */
  #suspect(
    peer: MeshPeer,
    connection: MeshConnection,
    known: Remembered,
    detail: 'clearFrames' | 'nothingOpened',
    seen: () => number,
  ): void {
    if (known.suspected) return;
    known.suspected = true;
    const before = seen();
    void this.#options
      .ping()
      .then(() => new Promise((resolve) => setTimeout(resolve, REPORT_MS)))
      .then(() => this.#options.ping())
      .catch(() => undefined)
      .then(() => {
        known.suspected = false;
        if (peer.connection === connection && !this.#options.paused() && seen() === before) peer.distrust(detail);
      });
  }

  #recall(connection: MeshConnection): Remembered {
    let known = this.#remembered.get(connection);
    if (!known) {
      const last: PathStats = { path: 'direct', roundTripMs: null, loss: null, level: 0, cameraQuietMs: 0 };
      known = {
        watches: new Map(),
        opens: new Map(),
        quality: new Quality(),
        received: new ReceivedRate(),
        silence: new Silence(),
        cameraPassed: 0,
        cameraAt: 0,
        watchedAt: 0,
        suspected: false,
        qualityAt: 0,
        last,
        strained: null,
      };
      this.#remembered.set(connection, known);
    }
    return known;
  }

  #cameraQuiet(connection: MeshConnection, known: Remembered): number {
    const passed = connection.receiving.get('camera')?.counts.passed ?? 0;
    if (passed === 0) return 0;
    if (passed !== known.cameraPassed) {
      known.cameraPassed = passed;
      known.cameraAt = performance.now();
    }
    return performance.now() - known.cameraAt;
  }

  #watch(peer: MeshPeer, connection: MeshConnection, known: Remembered, totals: ReportTotals): void {
    const now = performance.now();
    if (this.#options.paused()) {
      for (const watch of known.watches.values()) watch.reset();
      return;
    }
    const watchOf = (id: string) => {
      const watch = known.watches.get(id) ?? new Watch();
      known.watches.set(id, watch);
      return watch;
    };
    for (const sending of connection.sending.values()) {
      const { sealed, mid, counts } = sending;
      const section = totals.sections.get(String(mid()));
      if (!section) continue;
      const sample = {
        side: 'send' as const,
        seen: seenFrames(counts),
        moved: section.encodedFrames ?? section.sentPackets,
      };
      if (watchOf(sealed.id).judge(sample, now) !== 'fine') {
        return this.#suspect(peer, connection, known, 'clearFrames', () => seenOf(sending));
      }
    }
    for (const receiving of connection.receiving.values()) {
      const { id, mid, counts } = receiving;
      const section = totals.sections.get(String(mid()));
      if (!section) continue;
      const moved = section.assembledFrames ?? section.receivedPackets;
      const sample = { side: 'receive' as const, seen: seenFrames(counts), moved };
      const opens = known.opens.get(id) ?? new OpenWatch();
      known.opens.set(id, opens);
      if (opens.quietMs(counts, now) > NOTHING_OPENS_MS) return peer.distrust('nothingOpened');
      if (watchOf(id).judge(sample, now) !== 'fine') {
        return this.#suspect(peer, connection, known, 'nothingOpened', () => seenOf(receiving));
      }
    }
  }
}

const seenOf = ({ counts }: { counts: TransformCounts }) => seenFrames(counts);

/** @returns 0 … 1, of what was decoded here: no packet says who speaks */
async function speechLevel(connection: MeshConnection): Promise<number> {
  const receiver = connection.receiving.get('microphone')?.receiver;
  if (!receiver) return 0;
  let level = 0;
  (await receiver.getStats()).forEach((entry: { type: string; audioLevel?: number }) => {
    if (entry.type === 'inbound-rtp' && typeof entry.audioLevel === 'number') level = entry.audioLevel;
  });
  return level;
}
