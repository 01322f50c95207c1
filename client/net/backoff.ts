/**
 * How long to wait before trying again. Pure: the randomness is handed in.
 */

/** Before the 1st, 2nd, … retry, in milliseconds; the last one repeats. The first is short: most lost sockets are back at once. */
const LADDER_MS = [50, 300, 1000, 2000, 4000, 5000] as const;

/** Share of a step that is drawn at random, so that a restarted server is not met by everybody in the same instant. */
const JITTER = 0.5;

/**
 * @param attempt  0 for the first retry
 * @param random   in [0, 1)
 * @returns        milliseconds, between half of the ladder's step and all of it
 */
export function backoffMs(attempt: number, random: number): number {
  const step = LADDER_MS[Math.min(attempt, LADDER_MS.length - 1)] ?? 5000;
  return Math.round(step * (1 - JITTER * random));
}
