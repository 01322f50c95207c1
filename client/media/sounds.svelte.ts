/**
 * Whether something is worth a sound, and whether this person wants any. The sounds themselves (tones.ts) are fetched with the first.
 */
import type { NoticeView } from '../meeting/view.ts';
import { recall, remember } from './remembered.ts';

/** In a larger meeting somebody comes all the time. */
const SMALL_MEETING = 6;
/** Two hands at once are one sound; and nobody makes a noise by waving. */
const PAUSE_MS = 1500;

export class Sounds {
  #on = $state(recall().sounds ?? true);
  #playedAt = -Infinity;
  /** The newest notice that was looked at: each is news once. */
  #newest = 0;

  get on(): boolean {
    return this.#on;
  }

  setOn(on: boolean): void {
    this.#on = on;
    remember({ sounds: on });
  }

  /** @param people  in the meeting, oneself included · @param now  milliseconds */
  about({ id, key }: Pick<NoticeView, 'id' | 'key'>, people: number, now: number): void {
    if (id <= this.#newest) return;
    this.#newest = id;
    const tone = key === 'handRaised' || (key === 'joined' && people <= SMALL_MEETING) ? key : null;
    if (!this.#on || tone === null || now - this.#playedAt < PAUSE_MS) return;
    this.#playedAt = now;
    void import('./tones.ts').then(({ play }) => play(tone)).catch(() => undefined);
  }
}
