/** How far clients may lag behind in reading before the server lets go of them. They may resume. */
import { WebSocket } from 'ws';

/** Unsent bytes of one connection: the largest message, and what an honest slow network may lag behind. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;
/** Whoever lags behind more than this is slow. So much may be unsent while all slow connections together hold more than `UNSENT_BUDGET_BYTES`. */
export const SLOW_BYTES = 256 * 1024;
const UNSENT_BUDGET_BYTES = 256 * 1024 * 1024;
/** How often that is summed up. */
const SUM_MS = 50;

/** The connections that lag behind, and what they hold together: 8 MiB each of a thousand is more than a server has. */
class Backlog {
  readonly #slow = new Set<WebSocket>();
  #bytes = 0;
  #summedAt = 0;

  /** How much this connection may lag behind. @param unsent what it does */
  allowance(socket: WebSocket, unsent: number): number {
    if (unsent <= SLOW_BYTES) return MAX_UNSENT_BYTES;
    this.#slow.add(socket);
    if (Date.now() - this.#summedAt > SUM_MS) this.#sum();
    return this.#bytes > UNSENT_BUDGET_BYTES ? SLOW_BYTES : MAX_UNSENT_BYTES;
  }

  #sum(): void {
    this.#summedAt = Date.now();
    this.#bytes = 0;
    for (const socket of this.#slow) {
      const unsent = socket.readyState === WebSocket.CLOSED ? 0 : socket.bufferedAmount;
      if (unsent <= SLOW_BYTES) this.#slow.delete(socket);
      this.#bytes += unsent;
    }
  }
}

/** One per process, as memory is. */
export const backlog = new Backlog();
