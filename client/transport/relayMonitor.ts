/**
 * Looks at the two transports of the relay's way: twice a second who speaks and whether anything comes, once a second whether all
 * that moves is sealed and opens, and how good the way is.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { TrackKind, TransformCounts } from '../e2ee/messages.ts';
import { NarrowWay, wayTotalsIn } from './narrowWay.ts';
import { ReceivedRate } from './received.ts';
import { Silence } from './silence.ts';
import { Quality, readReport, type ReportTotals } from './stats.ts';
import type { PathStats } from './transport.ts';
import { OpenWatch, seenFrames, Watch, type WatchSample } from './watchdog.ts';

const LOOK_MS = 500;
const WATCH_MS = 1000;
const QUALITY_MS = 2000;
/** The worker tells its totals twice a second while they change. */
const REPORT_MS = 600;
/** Frames come for this long and none opens: longer than any change of epoch. */
const NOTHING_OPENS_MS = 8000;

/** One sender's or receiver's transform. */
export interface RelayFlow {
  id: string;
  kind: TrackKind;
  mid: () => string | null;
  counts: TransformCounts;
}

export interface ReceivedFlow extends RelayFlow {
  peer: PeerId;
  /** The relay holds it back, as we asked it to. */
  paused: () => boolean;
}

interface Measured {
  readonly connectionState: string;
  getStats(): Promise<RTCStatsReport>;
}

export interface RelayMonitorOptions {
  transports(): { send: Measured; receive: Measured } | null;
  sending(): RelayFlow[];
  receiving(): ReceivedFlow[];
  /** Resolves when the worker answered. */
  ping(): Promise<unknown>;
  /** The worker does not count at present. */
  paused(): boolean;
  /** What leaves is not sealed. */
  unsealed(): void;
  /** What comes by this transform does not open, or passes it by. */
  unopened(id: string): void;
  /** Nothing comes on a transport that is up. */
  fellSilent(): void;
  /** The way from the relay is bad enough for people to notice, or no more. */
  poor(poor: boolean): void;
  /** So many cameras, in the smallest layer, fit through the way from the relay; null: whatever one likes. */
  fits(cameras: number | null): void;
  stats(peer: PeerId, stats: PathStats): void;
}

interface Remembered {
  watch: Watch;
  opens: OpenWatch;
  suspected: boolean;
  passed: number;
  passedAt: number;
}

export class RelayMonitor {
  readonly #options: RelayMonitorOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What is remembered of each transform, as long as it is there. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #known = new Map<PeerId, PathStats>();
  #quality = new Quality();
  #narrow = new NarrowWay();
  #silence = new Silence();
  readonly #rates = new Map<PeerId, ReceivedRate>();
  #measured: Measured | null = null;
  #watchedAt = 0;
  #qualityAt = 0;
  #busy = false;

  constructor(options: RelayMonitorOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const transports = this.#options.transports();
    // Statistics of a busy browser come late: one round at a time.
    if (!transports || this.#busy) return;
    this.#busy = true;
    try {
      await this.#lookAt(transports);
    } catch {
      // A transport that has just closed.
    } finally {
      this.#busy = false;
    }
  }

  async #lookAt({ send, receive }: { send: Measured; receive: Measured }): Promise<void> {
    const report = await receive.getStats();
    const levels = levelsIn(report);
    const received = readReport(report as never);
    const now = performance.now();
    // By the clock, not by counting rounds: timers of a hidden tab are slow.
    if (now - this.#watchedAt >= WATCH_MS) {
      this.#watchedAt = now;
      const sent = readReport((await send.getStats()) as never);
      if (this.#options.transports()?.send !== send) return;
      this.#watch(sent, received);
    }
    if (receive !== this.#measured) {
      this.#quality = new Quality();
      this.#narrow = new NarrowWay();
      this.#silence = new Silence();
    }
    this.#measured = receive;
    if (this.#silence.look(received.arrived, now) && receive.connectionState === 'connected')
      this.#options.fellSilent();
    let loss: number | null | undefined;
    if (now - this.#qualityAt >= QUALITY_MS) {
      this.#qualityAt = now;
      const sample = this.#quality.sample(received);
      loss = sample.loss;
      this.#options.poor(sample.poor);
    }
    const flows = this.#options.receiving();
    const cameras = new Set(
      flows.filter(({ kind, paused }) => kind === 'camera' && !paused()).map(({ mid }) => String(mid())),
    );
    this.#options.fits(
      this.#narrow.sample(
        wayTotalsIn(report, (mid) => cameras.has(mid)),
        now,
      ),
    );
    this.#prune([...this.#options.sending(), ...flows], flows);
    if (loss !== undefined) this.#measureEach(report, flows, now);
    for (const { peer, kind, mid, id, counts } of flows) {
      if (kind !== 'microphone' && kind !== 'camera') continue;
      const known = this.#known.get(peer) ?? blank();
      if (kind === 'microphone') known.level = levels.get(String(mid())) ?? 0;
      else known.cameraQuietMs = quietMs(this.#recall(id), counts.passed);
      if (loss !== undefined) known.loss = loss;
      known.roundTripMs = received.roundTripMs;
      this.#known.set(peer, known);
      this.#options.stats(peer, { ...known });
    }
  }

  /** What comes of each peer. */
  #measureEach(report: RTCStatsReport, flows: readonly ReceivedFlow[], now: number): void {
    for (const peer of new Set(flows.map((flow) => flow.peer))) {
      const mids = new Set(flows.filter((flow) => flow.peer === peer).map(({ mid }) => String(mid())));
      const rate = this.#rates.get(peer) ?? new ReceivedRate();
      this.#rates.set(peer, rate);
      const received = rate.sample(report as never, (mid) => mids.has(mid), now);
      this.#known.set(peer, { ...(this.#known.get(peer) ?? blank()), ...received });
    }
  }

  #watch(sent: ReportTotals, received: ReportTotals): void {
    if (this.#options.paused()) {
      for (const { watch } of this.#remembered.values()) watch.reset();
      return;
    }
    const now = performance.now();
    for (const flow of this.#options.sending()) {
      const section = sent.sections.get(String(flow.mid()));
      if (!section) continue;
      const moved = section.encodedFrames ?? section.sentPackets;
      this.#judge(flow, { side: 'send', seen: seenFrames(flow.counts), moved }, now);
    }
    for (const flow of this.#options.receiving()) {
      const section = received.sections.get(String(flow.mid()));
      if (!section) continue;
      const moved = section.assembledFrames ?? section.receivedPackets;
      this.#judge(flow, { side: 'receive', seen: seenFrames(flow.counts), moved }, now);
      if (this.#recall(flow.id).opens.quietMs(flow.counts, now) > NOTHING_OPENS_MS) this.#options.unopened(flow.id);
    }
  }

  #judge(flow: RelayFlow, sample: WatchSample, now: number): void {
    if (this.#recall(flow.id).watch.judge(sample, now) !== 'fine') void this.#suspect(flow, sample.side);
  }

  /**
   * The worker's totals stand still. On a busy machine it may only be late: it answers first, tells its totals once more, and is
   * believed then.
   */
  async #suspect(flow: RelayFlow, side: WatchSample['side']): Promise<void> {
    const known = this.#recall(flow.id);
    if (known.suspected) return;
    known.suspected = true;
    const before = seenFrames(flow.counts);
    const { ping, paused, sending, receiving, unsealed, unopened } = this.#options;
    try {
      await ping();
      await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
      await ping();
    } catch {
      return; // A worker that does not answer is somebody else's alarm.
    } finally {
      known.suspected = false;
    }
    const isCurrent = [...sending(), ...receiving()].some(({ id }) => id === flow.id);
    if (!isCurrent || paused() || seenFrames(flow.counts) !== before) return;
    if (side === 'send') unsealed();
    else unopened(flow.id);
  }

  #recall(id: string): Remembered {
    const known = this.#remembered.get(id) ?? {
      watch: new Watch(),
      opens: new OpenWatch(),
      suspected: false,
      passed: 0,
      passedAt: 0,
    };
    this.#remembered.set(id, known);
    return known;
  }

  #prune(flows: readonly RelayFlow[], received: readonly ReceivedFlow[]): void {
    const ids = new Set(flows.map(({ id }) => id));
    for (const id of this.#remembered.keys()) if (!ids.has(id)) this.#remembered.delete(id);
    const peers = new Set(received.map(({ peer }) => peer));
    for (const of of [this.#known, this.#rates]) for (const peer of of.keys()) if (!peers.has(peer)) of.delete(peer);
  }
}

/** Since the last camera frame that opened; 0 before the first. */
function quietMs(known: Remembered, passed: number): number {
  const now = performance.now();
  if (known.passed !== passed) Object.assign(known, { passed, passedAt: now });
  return passed === 0 ? 0 : now - known.passedAt;
}

function blank(): PathStats {
  return { path: 'relay', roundTripMs: null, loss: null, level: 0, cameraQuietMs: 0 };
}

/** Of what was decoded here, by `mid`: no packet says who speaks. */
function levelsIn(report: RTCStatsReport): Map<string, number> {
  const levels = new Map<string, number>();
  report.forEach((entry: { type: string; mid?: string; audioLevel?: number }) => {
    if (entry.type === 'inbound-rtp' && typeof entry.audioLevel === 'number' && entry.mid !== undefined)
      levels.set(entry.mid, entry.audioLevel);
  });
  return levels;
}
