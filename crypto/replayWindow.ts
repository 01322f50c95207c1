/**
 * Replay window over one key's frame counters.
 *
 * Accepts each counter once. Counters `WINDOW` or more behind the newest are refused, since there is no telling whether
 * they were seen; so memory is constant. Gaps are normal: a relay drops layers, networks drop frames.
 * Algorithm: RFC 4303 §3.4.3 (IPsec anti-replay), kept in a ring of words as in RFC 6479, so nothing is ever shifted.
 * Invariant: `newest` never decreases, and only `accept` changes anything.
 */

/** How far behind the newest a frame may come: at 300 frames a second about 7 s, longer than any jitter buffer waits. */
export const WINDOW = 2048;

/** Twice the window, a power of two: words in front of the window are cleared before they are needed again. */
const RING_WORDS = (2 * WINDOW) / 32;

export class ReplayWindow {
  #newest = -1;
  readonly #seen = new Uint32Array(RING_WORDS);

  /** True if `accept` would accept it now. @param counter 0 ≤ counter < 2^31 */
  isFresh(counter: number): boolean {
    if (counter > this.#newest) return true;
    if (counter <= this.#newest - WINDOW) return false;
    return ((this.#seen[(counter >>> 5) % RING_WORDS]! >>> (counter & 31)) & 1) === 0;
  }

  /** Marks a counter as seen. Call it only for authenticated frames. @returns false if it was seen or is too old */
  accept(counter: number): boolean {
    if (!this.isFresh(counter)) return false;
    if (counter > this.#newest) {
      const from = this.#newest >> 5;
      const to = counter >> 5;
      // A jump past the whole ring clears each word once.
      for (let word = Math.max(from + 1, to - RING_WORDS + 1); word <= to; word++) this.#seen[word % RING_WORDS] = 0;
      this.#newest = counter;
    }
    this.#seen[(counter >>> 5) % RING_WORDS]! |= 1 << (counter & 31);
    return true;
  }
}
