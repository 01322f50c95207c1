/** Whether somebody is doing something. After a while of nothing, the bars fade and leave the picture to the people. */

const IDLE_MS = 5_000;

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

  /** A finger that moves or lands on faded bars: only the finished tap brings them back (`tap`). */
  touch(event: PointerEvent): void {
    if (!(this.#idle && event.pointerType === 'touch')) this.wake();
  }

  /** Focus that came by keyboard; that of a tap comes before its click, which `tap` has to judge. */
  focus(event: FocusEvent): void {
    if (event.target instanceof Element && event.target.matches(':focus-visible')) this.wake();
  }

  /** Nobody presses what they cannot see: the tap that wakes the bars does nothing else. */
  tap(event: MouseEvent): void {
    if (this.#idle) {
      event.stopPropagation();
      event.preventDefault();
    }
    this.wake();
  }

  wake(): void {
    this.#idle = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sleep(), IDLE_MS);
  }

  /** Never while a bar is under the pointer or has the keyboard's focus: nobody loses what they are about to press. */
  #sleep(): void {
    // Where nothing hovers, the last thing tapped counts as hovered for ever.
    const isHeld = matchMedia('(hover: hover)').matches && document.querySelector('.chrome:hover') !== null;
    if (isHeld || document.querySelector('.chrome button:focus-visible')) this.wake();
    else this.#idle = true;
  }
}
