/** Copies text and remembers for a moment how it went, for the button that asked. */

/** How long "Copied" stays. */
const SHOWN_MS = 2_500;

export class Copier {
  #state = $state<'idle' | 'copied' | 'failed'>('idle');
  #timer: ReturnType<typeof setTimeout> | undefined;

  get state(): 'idle' | 'copied' | 'failed' {
    return this.#state;
  }

  dismiss(): void {
    clearTimeout(this.#timer);
    this.#state = 'idle';
  }

  async copy(text: string): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await navigator.clipboard.writeText(text);
      this.#state = 'copied';
      this.#timer = setTimeout(() => (this.#state = 'idle'), SHOWN_MS);
    } catch {
      // No permission, or no secure origin: the words say how to do it by hand, and stay.
      this.#state = 'failed';
    }
  }
}
