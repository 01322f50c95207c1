/**
 * The relays that this server may use. At present one, in this process, started when its worker is there: the set-up may still be
 * building that, and meshes do not wait for it.
 */
import { ProtocolError } from './protocol/errors.ts';
import type { RelayEvent, RelayParams, RelayPort, RelayRequestName, RelayResult } from './protocol/relayControl.ts';

/** How often it is looked whether the worker is there by now. */
const LOOK_MS = 3000;
/** The server waits no longer for its relay than this: meshes need none. */
const PATIENCE_MS = 2000;

export interface LateRelayTerms {
  /** Starts it. Null: what it needs is not there yet. */
  readonly start: () => Promise<RelayPort | null>;
  readonly onError: (error: unknown) => void;
  /** Why it did not start, in words for whoever runs the server. */
  readonly explain: (error: unknown) => string;
}

/** A relay that comes up later, or never; until then it is not ready. */
export class LateRelay implements RelayPort {
  readonly #terms: LateRelayTerms;
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  #relay: RelayPort | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #failure: string | null = null;
  #looking: Promise<void>;

  constructor(terms: LateRelayTerms) {
    this.#terms = terms;
    this.#looking = this.#look();
  }

  get isReady(): boolean {
    return this.#relay?.isReady ?? false;
  }

  get load(): number {
    return this.#relay?.load ?? 0;
  }

  /** Why it will not come up any more; null: it is up, or may still come. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Resolves after the first look, whatever came of it, and after `PATIENCE_MS` in any case. */
  get looked(): Promise<void> {
    let timer: NodeJS.Timeout;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    return Promise.race([this.#looking, patience]).finally(() => clearTimeout(timer));
  }

  async request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    if (!this.#relay) throw new ProtocolError('relayUnavailable');
    return this.#relay.request(name, params);
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    // One that starts only now, closes itself.
    await this.looked;
    await this.#relay?.close();
  }

  async #look(): Promise<void> {
    try {
      const relay = await this.#terms.start();
      if (this.#isClosed) return void (await relay?.close());
      if (relay) {
        relay.onEvent((event) => {
          for (const listener of this.#listeners) listener(event);
        });
        this.#relay = relay;
        return;
      }
    } catch (error) {
      // Told once: what does not start now will not in three seconds.
      this.#failure = this.#terms.explain(error);
      this.#terms.onError(error);
      return;
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look();
    }, LOOK_MS);
    this.#timer.unref();
  }
}
