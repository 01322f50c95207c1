/**
 * How often something may happen: `burst` at once, then `perSecond`. What others can make us do is bounded by one of these.
 * Times are milliseconds of one clock that never goes back.
 */
export class Pace {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at = -Infinity;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** @returns whether it may happen now; counts it if so */
  take(now: number): boolean {
    if (now > this.#at) {
      const gained = ((now - this.#at) / 1000) * this.#perSecond;
      this.#left = Math.min(this.#burst, this.#left + gained);
      this.#at = now;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
