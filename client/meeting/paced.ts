/** Tells what changes often: at once, then not more often than its hearers can follow, and only what is new. */
export class Paced<T> {
  readonly #pauseMs: number;
  readonly #tell: (value: T) => void;
  readonly #initial: string;
  #told: string;
  #latest: T;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param initial  what the hearers take for granted until they are told */
  constructor(initial: T, pauseMs: number, tell: (value: T) => void) {
    this.#pauseMs = pauseMs;
    this.#tell = tell;
    this.#latest = initial;
    this.#initial = this.#told = JSON.stringify(initial);
  }

  /** What was told last. */
  get isInitial(): boolean {
    return this.#told === this.#initial;
  }

  say(value: T): void {
    this.#latest = value;
    if (this.#timer === undefined) this.#pass();
  }

  /** Nothing more is told until something is said again, to hearers who know nothing. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#told = this.#initial;
  }

  #pass(): void {
    this.#timer = undefined;
    const told = JSON.stringify(this.#latest);
    if (told === this.#told) return;
    this.#told = told;
    this.#timer = setTimeout(() => this.#pass(), this.#pauseMs);
    this.#tell(this.#latest);
  }
}
