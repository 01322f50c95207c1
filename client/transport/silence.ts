/**
 * A path that is up and brings nothing any more. Pure.
 *
 * ICE says that a path is lost when five to seven seconds have gone by without an answer (Chromium 156). But a microphone that works
 * sends a packet in 0.4 s even where nobody speaks, and who receives tells how it comes, so whoever looks knows sooner. Where the
 * other's page sleeps, ICE is restarted once for nothing.
 */

/** Nothing came for so long: longer than two packets of silence, and a retransmission. */
const SILENT_MS = 900;

export class Silence {
  #packets = 0;
  #since = Infinity;

  /**
   * @param packets  total of what came
   * @param now      milliseconds, monotonic
   * @returns        true once for each silence, and never before anything came
   */
  look(packets: number, now: number): boolean {
    if (packets !== this.#packets) {
      this.#packets = packets;
      this.#since = now;
      return false;
    }
    if (now - this.#since < SILENT_MS) return false;
    this.#since = Infinity;
    return true;
  }
}
