/**
 * Whether what arrives is the real thing. Every sender begins with a black picture or silence (placeholder.ts), sealed like all else,
 * so a first opened frame says only that the way is open.
 */
import type { TrackKind } from '../e2ee/messages.ts';
import { PLACEHOLDER_SIZE } from '../media/placeholder.ts';
import { mediaOf } from './sealPort.ts';

/** Nothing for longer: it does not come any more. A still screen sends a picture a second, silence a packet in 0.4 s. */
const LIVE_MS = 2500;
/** Silence is replaced by the real sound as soon as the first frame was sealed; a sender waits no longer than this for the worker. */
const SETTLED_MS = 600;

type Report = { forEach(visit: (entry: Record<string, unknown>) => void): void };

/** Follows the worker's count of one receiver. */
export class Arrival {
  #passed = 0;
  #firstAt = Infinity;
  #lastAt = -Infinity;

  /** @param now  milliseconds, monotonic */
  counted(passed: number, now: number): void {
    if (passed <= this.#passed) return;
    this.#passed = passed;
    this.#firstAt = Math.min(this.#firstAt, now);
    this.#lastAt = now;
  }

  isLive(now: number): boolean {
    return now - this.#lastAt < LIVE_MS;
  }

  /** Frames have been opened for so long that what senders begin with is over. */
  get isSettled(): boolean {
    return this.#lastAt - this.#firstAt >= SETTLED_MS;
  }
}

export interface Arriving {
  kind: TrackKind;
  receiver: { getStats(): Promise<Report> };
  arrival: Arrival;
}

/** @returns kinds of which real pictures or real sound come at present */
export async function flowingOf(arriving: Iterable<Arriving>, now: number): Promise<ReadonlySet<TrackKind>> {
  const flowing = new Set<TrackKind>();
  const looks = [...arriving].map(async ({ kind, receiver, arrival }) => {
    if (!arrival.isLive(now)) return;
    const isReal = mediaOf[kind] === 'video' ? isPicture(await receiver.getStats()) : arrival.isSettled;
    if (isReal) flowing.add(kind);
  });
  await Promise.all(looks);
  return flowing;
}

/** A decoded picture that is larger than the black one. */
export function isPicture(report: Report): boolean {
  let isLarger = false;
  report.forEach(({ type, frameWidth, frameHeight }) => {
    if (type !== 'inbound-rtp' || typeof frameWidth !== 'number' || typeof frameHeight !== 'number') return;
    isLarger ||= frameWidth > PLACEHOLDER_SIZE.width || frameHeight > PLACEHOLDER_SIZE.height;
  });
  return isLarger;
}
