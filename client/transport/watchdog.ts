/**
 * Compares what the worker saw with what the browser sent and received. Pure: samples in, verdict out.
 *
 * A transform that was set too late is ignored by browsers without an error: media then leaves in the clear, or ciphertext reaches
 * a decoder. One that was taken away makes Chromium send nothing more, and others send in the clear. All of it shows as frames that
 * move while the worker's totals stand still: the worker counts what it drops, too. The remedy is the caller's: close that connection.
 */
import type { TransformCounts } from '../e2ee/messages.ts';

/** Running totals of one transform and of the sender or receiver it belongs to. */
export interface WatchSample {
  side: 'send' | 'receive';
  /** Frames that reached the transform, whatever became of them. */
  seen: number;
  /** Sending: frames encoded (video) or packets sent (audio). Receiving: frames assembled (video) or packets received (audio). */
  moved: number;
}

export type Verdict = 'fine' | 'clearFrames' | 'nothingOpened';

/** Totals come twice a second and statistics once: standing still for less means nothing. */
const PATIENCE_MS = 1500;
/** A first frame is reported at once, so a transform that has never seen one needs less. */
const FIRST_PATIENCE_MS = 700;
/** Fewer than this may be probes and padding. */
const LEAST_MOVED = 3;

/** Watches one transform. */
export class Watch {
  #base: (WatchSample & { at: number }) | null = null;

  /** @param now  milliseconds, monotonic */
  judge(sample: WatchSample, now: number): Verdict {
    const base = this.#base;
    if (!base || sample.seen !== base.seen || sample.moved < base.moved) {
      this.#base = { ...sample, at: now };
      return 'fine';
    }
    if (now - base.at < (base.seen === 0 ? FIRST_PATIENCE_MS : PATIENCE_MS)) return 'fine';
    if (sample.moved - base.moved < LEAST_MOVED) return 'fine';
    return sample.side === 'send' ? 'clearFrames' : 'nothingOpened';
  }

  /** After a pause in which nothing could be counted: the worker was busy, the page slept. */
  reset(): void {
    this.#base = null;
  }
}

/** Every frame that reached the transform. */
export function seenFrames(counts: TransformCounts): number {
  return Object.values(counts.dropped).reduce((sum, count) => sum + count, counts.passed + counts.empty);
}

/**
 * Frames come and none opens: the sender's keys and ours differ, or what comes is garbage.
 * @param now  milliseconds, monotonic
 */
export class OpenWatch {
  #since: number | null = null;
  #passed = 0;
  #seen = 0;

  /** @returns how long frames have been coming without one that opens, in milliseconds */
  quietMs(counts: TransformCounts, now: number): number {
    const seen = seenFrames(counts) - counts.empty;
    if (counts.passed > this.#passed) this.#since = null;
    else if (seen > this.#seen) this.#since ??= now;
    this.#passed = counts.passed;
    this.#seen = seen;
    return this.#since === null ? 0 : now - this.#since;
  }
}
