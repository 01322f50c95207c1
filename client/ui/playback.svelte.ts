/** Sound that the browser holds back until somebody clicks. */
export class Playback {
  #blocked = $state.raw<readonly HTMLAudioElement[]>([]);

  get isBlocked(): boolean {
    return this.#blocked.length > 0;
  }

  /** Of an element whose `play()` was refused. */
  block(element: HTMLAudioElement): void {
    this.#blocked = [...this.#blocked, element];
  }

  /** From a click: plays all that waits. */
  resume(): void {
    const waiting = this.#blocked;
    this.#blocked = [];
    for (const element of waiting) {
      // An element that left the page in the meantime has nothing to play.
      if (element.srcObject) element.play().catch(() => this.block(element));
    }
  }
}
