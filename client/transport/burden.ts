/**
 * Whether this device and its uplink carry the mesh. A mesh encodes and sends the camera once for each; when most of these copies are
 * held down by the browser for long, one copy to a relay is better for everybody. Pure.
 */
import type { SectionTotals } from './stats.ts';

/** Slower than this, or with less than this, a face is a slide show. */
const LEAST_FPS = 8;
const LEAST_BITRATE = 120_000;
/** Encoders start low, and other programs have their moments. */
const LASTING_MS = 10_000;
const PAUSE_MS = 60_000;

/** Whether one copy suffers: the browser says what limits it, and it shows. */
export function isStrained({ limitedBy, sentFps, targetBitrate }: SectionTotals): boolean {
  if (limitedBy === 'cpu') return sentFps !== null && sentFps < LEAST_FPS;
  return limitedBy === 'bandwidth' && targetBitrate !== null && targetBitrate < LEAST_BITRATE;
}

export class Burden {
  #since: number | null = null;
  #saidAt = -Infinity;

  /** @param strained of each peer that a camera is sent to @returns true when it is to be said */
  look(strained: readonly boolean[], now: number): boolean {
    const most = strained.filter(Boolean).length * 2 > strained.length;
    // With one other a relay would cost us as much.
    if (strained.length < 2 || !most) {
      this.#since = null;
      return false;
    }
    this.#since ??= now;
    if (now - this.#since < LASTING_MS || now - this.#saidAt < PAUSE_MS) return false;
    this.#saidAt = now;
    return true;
  }
}
