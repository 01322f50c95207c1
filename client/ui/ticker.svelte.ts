/** The time, as state that moves once a second, and only while somebody shows it. */
import { createSubscriber } from 'svelte/reactivity';

class Ticker {
  #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 1_000);
    return () => clearInterval(timer);
  });

  /** Milliseconds since 1970; reading it in a template or an effect keeps it moving there. */
  get now(): number {
    this.#subscribe();
    return Date.now();
  }
}

export const ticker = new Ticker();
