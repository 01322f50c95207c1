/**
 * Looks at the two transports of the relay's way: twice a second who speaks, once a second whether all that moves is sealed and
 * opens, and how good the way is.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { TransformCounts } from '../e2ee/messages.ts';
import { Quality, readReport, type ReportTotals } from './stats.ts';
import type { PathStats } from './transport.ts';
import { OpenWatch, seenFrames, Watch, type WatchSample } from './watchdog.ts';

const LOOK_MS = 500;
/** The worker tells its totals twice a second while they change. */
const REPORT_MS = 600;
/** Frames come for this long and none opens: longer than any change of epoch. */
const NOTHING_OPENS_MS = 8000;

/** One sender's or receiver's transform. */
export interface RelayFlow {
  id: string;
  mid: () => string | null;
  counts: TransformCounts;
}

interface Measured {
  readonly connectionState: string;
  getStats(): Promise<RTCStatsReport>;
}

export interface RelayMonitorOptions {
  transports(): { send: Measured; receive: Measured } | null;
  sending(): RelayFlow[];
  receiving(): (RelayFlow & { peer: PeerId })[];
  /** Resolves when the worker answered. */
  ping(): Promise<unknown>;
  /** What flows is not sealed, or does not open. */
  distrust(detail: 'clearFrames' | 'nothingOpened'): void;
  stats(peer: PeerId, stats: PathStats): void;
}

export class RelayMonitor {
  readonly #options: RelayMonitorOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #watches = new Map<string, Watch>();
  readonly #opens = new Map<string, OpenWatch>();
  readonly #passed = new Map<string, { passed: number; at: number }>();
  readonly #known = new Map<PeerId, PathStats>();
  readonly #quality = new Quality();
  readonly #suspected = new Set<string>();
  #round = 0;
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
    if (this.#round++ % 2 === 0) {
      const sent = readReport((await send.getStats()) as never);
      if (this.#options.transports()?.send !== send) return;
      this.#watch(sent, received);
    }
    const { loss } = this.#quality.sample(received);
    for (const { peer, mid, id, counts } of this.#options.receiving()) {
      const isMicrophone = id.includes('.microphone.');
      const isCamera = id.includes('.camera.');
      if (!isMicrophone && !isCamera) continue;
      const known = this.#known.get(peer) ?? blank();
      if (isMicrophone) known.level = levels.get(String(mid())) ?? 0;
      if (isCamera) known.cameraQuietMs = this.#quietMs(id, counts.passed);
      known.loss = loss;
      known.roundTripMs = received.roundTripMs;
      this.#known.set(peer, known);
      this.#options.stats(peer, { ...known });
    }
  }

  #watch(sent: ReportTotals, received: ReportTotals): void {
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
      const opens = this.#opens.get(flow.id) ?? new OpenWatch();
      this.#opens.set(flow.id, opens);
      if (opens.quietMs(flow.counts, now) > NOTHING_OPENS_MS) return this.#options.distrust('nothingOpened');
    }
  }

  #judge(flow: RelayFlow, sample: WatchSample, now: number): void {
    const watch = this.#watches.get(flow.id) ?? new Watch();
    this.#watches.set(flow.id, watch);
    const verdict = watch.judge(sample, now);
    if (verdict !== 'fine') void this.#suspect(flow, verdict);
  }

  /**
   * The worker's totals stand still. On a busy machine it may only be late: it answers first, tells its totals once more, and is
   * believed then.
   */
  async #suspect(flow: RelayFlow, verdict: 'clearFrames' | 'nothingOpened'): Promise<void> {
    if (this.#suspected.has(flow.id)) return;
    this.#suspected.add(flow.id);
    const before = seenFrames(flow.counts);
    const { ping, sending, receiving, distrust } = this.#options;
    try {
      await ping();
      await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
      await ping();
    } catch {
      return; // A worker that does not answer is somebody else's alarm.
    } finally {
      this.#suspected.delete(flow.id);
    }
    const isCurrent = [...sending(), ...receiving()].some(({ id }) => id === flow.id);
    if (isCurrent && seenFrames(flow.counts) === before) distrust(verdict);
  }

  #quietMs(id: string, passed: number): number {
    const now = performance.now();
    const known = this.#passed.get(id);
    if (!known || known.passed !== passed) this.#passed.set(id, { passed, at: now });
    return passed === 0 ? 0 : now - (this.#passed.get(id)?.at ?? now);
  }
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
