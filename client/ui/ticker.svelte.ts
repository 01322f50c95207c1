/** The time, as state that moves once a second from when it is first asked for. */

class Ticker {
  #ticks = $state(0);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Milliseconds since 1970; reading it in a template or an effect keeps it moving there. */
  get now(): number {
    // Svelte's own subscribers would end it with the last reader, and bring more code into the first load than all times here need.
    this.#timer ??= setInterval(() => this.#ticks++, 1000);
    void this.#ticks;
    return Date.now();
  }
}

export const ticker = new Ticker();
