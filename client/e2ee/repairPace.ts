/**
 * Holds back the word that a new leaf is needed: the first time not at all, then for 5 s, doubling.
 *
 * What makes a leaf useless may make the next one useless too (a server that hides commits, a fault of ours), and a browser
 * that joins again without end would only wear the others' groups out.
 */

const FIRST_MS = 5000;
const MAX_MS = 120_000;
/** After this long without a repair, the next one is a first one again. */
const CALM_MS = 120_000;

export class RepairPace {
  #lastAt = -Infinity;
  #waitMs = 0;

  /** How long the next repair has to wait. @param now of a steady clock, milliseconds */
  next(now: number): number {
    this.#waitMs =
      now - this.#lastAt > CALM_MS + this.#waitMs ? 0 : Math.min(MAX_MS, Math.max(FIRST_MS, 2 * this.#waitMs));
    this.#lastAt = now;
    return this.#waitMs;
  }
}
