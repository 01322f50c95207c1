/** The bus of a single process. Delivers in a later microtask, as a network would later: nobody may count on less. */
import type { Bus, Unsubscribe } from './bus.ts';

export class LocalBus implements Bus {
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  readonly #onError: (error: unknown) => void;
  #closed = false;

  /** @param onError told of what listeners throw */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  async publish(topic: string, message: string): Promise<void> {
    this.#assertOpen();
    queueMicrotask(() => this.#deliver(topic, message));
  }

  async subscribe(topic: string, listener: (message: string) => void): Promise<Unsubscribe> {
    this.#assertOpen();
    // Wrapped: one function may be subscribed twice.
    const entry = (message: string) => listener(message);
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(entry));
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  isUp(): boolean {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  #deliver(topic: string, message: string): void {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) {
      try {
        listener(message);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('the bus is closed');
  }
}
