/** Who speaks, by level, with memory. */

/** From this many people on, senders say themselves when they speak: nobody hears all of them at once to judge it. */
export const CROWD = 9;

/** Levels at which somebody starts and stops to speak: two, so that a border does not flicker. */
interface Speech {
  above: number;
  below: number;
}
/** Of full scale, as connections report it. */
const OTHERS: Speech = { above: 0.02, below: 0.008 };
/** Of the level meter, which a loud voice fills at a fifth of full scale (media/level.ts): a fan or a keyboard moves it, and says nothing. */
export const OURSELVES: Speech = { above: 0.12, below: 0.05 };
/** Pauses between words are no silence. */
const HOLD_MS = 700;

/** Whether somebody speaks. */
export class Speaking {
  readonly #speech: Speech;
  #until = -Infinity;

  constructor(speech: Speech = OTHERS) {
    this.#speech = speech;
  }

  /** @param level  0 … 1 · @param now  milliseconds */
  heard(level: number, now: number): boolean {
    const { above, below } = this.#speech;
    if (level > above || (level > below && now < this.#until)) this.#until = now + HOLD_MS;
    return now < this.#until;
  }
}
