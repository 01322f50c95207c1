/** Who listens to a transport's events, and how they are told. */
import type { TransportEvents } from './transport.ts';

export class Emitter {
  readonly #listeners: { [E in keyof TransportEvents]: Set<TransportEvents[E]> } = {
    track: new Set(),
    state: new Set(),
    stats: new Set(),
  };

  /** @returns takes the listener off again */
  on<E extends keyof TransportEvents>(event: E, listener: TransportEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  emit<E extends keyof TransportEvents>(event: E, ...values: Parameters<TransportEvents[E]>): void {
    for (const listener of this.#listeners[event]) (listener as (...all: typeof values) => void)(...values);
  }
}
