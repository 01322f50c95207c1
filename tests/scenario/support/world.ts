/**
 * Time that stands still until a test moves it, for sessions whose crypto is real and takes real time.
 *
 * `settle` waits until nobody has anything left to do at this moment; `advance` goes from timer to timer and settles at each,
 * so an interleaving is the same on every machine.
 */

interface Timer {
  at: number;
  order: number;
  run: () => void;
}

export class World {
  now = 1_000_000;
  readonly #timers: Timer[] = [];
  readonly #busy = new Set<() => boolean>();
  #order = 0;
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** @returns calls it off */
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.now + ms, order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  }

  /** Something that has to come to rest before time moves on. */
  watch(isIdle: () => boolean): void {
    this.#busy.add(isIdle);
  }

  /** 0 ≤ … < 1, the same in every run (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Until nothing moves at this moment. */
  async settle(): Promise<void> {
    for (;;) {
      await this.#rest();
      const due = this.#next();
      if (due === null || due.at > this.now) return;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      due.run();
    }
  }

  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await this.settle();
    for (;;) {
      const next = this.#next();
      if (next === null || next.at > end) break;
      this.now = Math.max(this.now, next.at);
      await this.settle();
    }
    this.now = end;
    await this.settle();
  }

  /** Moves on until `condition` holds. @throws Error after `limitMs` */
  async until(condition: () => boolean, limitMs = 10_000): Promise<number> {
    const began = this.now;
    await this.settle();
    while (!condition()) {
      if (this.now - began >= limitMs) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`);
      await this.advance(10);
    }
    return this.now - began;
  }

  async #rest(): Promise<void> {
    let calm = 0;
    while (calm < 3) {
      await new Promise((resolve) => setImmediate(resolve));
      calm = [...this.#busy].every((isIdle) => isIdle()) ? calm + 1 : 0;
    }
  }

  #next(): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      if (first === null || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
    }
    return first;
  }
}
