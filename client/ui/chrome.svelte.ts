/** Whether somebody is doing something. After a while of nothing, the bars fade and leave the picture to the people. */

const IDLE_MS = 4_000;

export class Chrome {
  #idle = $state(false);

  constructor() {
    // Owned by the component that makes it.
    $effect(() => {
      this.wake();
      return () => clearTimeout(this.#timer);
    });
  }

  #timer: ReturnType<typeof setTimeout> | undefined;

  get idle(): boolean {
    return this.#idle;
  }

  wake(): void {
    this.#idle = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sleep(), IDLE_MS);
  }

  /** Never while a bar is under the pointer or has the keyboard's focus: nobody loses what they are about to press. */
  #sleep(): void {
    if (document.querySelector('.chrome:hover, .chrome :focus-visible')) this.wake();
    else this.#idle = true;
  }
}
