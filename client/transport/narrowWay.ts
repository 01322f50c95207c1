/**
 * Whether the way from the relay has become too narrow for the pictures that come: then the smallest layer is asked for at once. Pure.
 *
 * The relay lowers layers by an estimate of its own that needs many seconds to come down from what a wide line carried. Until
 * then all that is lost is asked for and sent again, which clogs the line, and pictures stand still. Who receives sees it first.
 */
import type { Layer } from '../../signal/protocol/model.ts';

/** Of one camera since it came. */
export interface CameraTotals {
  decodedFrames: number;
  /** Times that lost packets were asked for again (RFC 4585 §6.2.1). */
  nacks: number;
}

/** Longer than a camera takes for two pictures, and than a lost packet takes to come again over a long line. */
const STILL_MS = 900;
/** Small pictures are kept so long, and twice as long each time that more was too much soon after. */
const SMALL_MS = 8000;
const MAX_SMALL_MS = 64_000;
const SOON_MS = 10_000;

interface Still extends CameraTotals {
  since: number;
}

export class NarrowWay {
  #cameras: ReadonlyMap<string, Still> = new Map();
  #smallMs = SMALL_MS;
  /** Small pictures until then; 0: never yet. */
  #until = 0;

  /**
   * To be called about twice a second.
   * @param cameras  by anything that stays the same
   * @returns the largest layer to ask for; null: as one likes
   */
  sample(cameras: ReadonlyMap<string, CameraTotals>, now: number): Layer | null {
    const was = this.#cameras;
    this.#cameras = new Map([...cameras].map(([id, totals]) => [id, stillOf(was.get(id), totals, now)]));
    const isNarrow = [...cameras].some(([id, { nacks }]) => {
      const still = this.#cameras.get(id);
      return still !== undefined && now - still.since >= STILL_MS && nacks > still.nacks;
    });
    if (isNarrow) this.#shrink(now);
    return now < this.#until ? 0 : null;
  }

  #shrink(now: number): void {
    if (now >= this.#until) {
      const isSoon = this.#until > 0 && now - this.#until < SOON_MS;
      this.#smallMs = isSoon ? Math.min(MAX_SMALL_MS, this.#smallMs * 2) : SMALL_MS;
    }
    this.#until = now + this.#smallMs;
  }
}

/** Since when a camera has shown one more picture at most. */
function stillOf(known: Still | undefined, totals: CameraTotals, now: number): Still {
  const more = totals.decodedFrames - (known?.decodedFrames ?? 0);
  return known && more >= 0 && more <= 1 ? known : { ...totals, since: now };
}

/** @param report  W3C webrtc-stats of the receiving connection; by `mid` */
export function camerasIn(report: RTCStatsReport, isCamera: (mid: string) => boolean): Map<string, CameraTotals> {
  const cameras = new Map<string, CameraTotals>();
  report.forEach((entry: { type: string; mid?: string; framesDecoded?: number; nackCount?: number }) => {
    if (entry.type !== 'inbound-rtp' || entry.mid === undefined || !isCamera(entry.mid)) return;
    cameras.set(entry.mid, { decodedFrames: entry.framesDecoded ?? 0, nacks: entry.nackCount ?? 0 });
  });
  return cameras;
}
