/**
 * What is on the screen, as it is passed on to those who bring it: not more often than they can follow, and only what is new.
 *
 * Remembers since when each camera is shown: who was on another page has sent nothing, and is not frozen for that.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { Paced } from './paced.ts';
import type { ShownPicture } from './view.ts';

/** A window that is being made larger changes with each picture. */
const PAUSE_MS = 250;

export class Shown {
  readonly #paced: Paced<readonly ShownPicture[] | null>;
  readonly #since = new Map<PeerId, number>();

  constructor(tell: (pictures: readonly ShownPicture[]) => void) {
    this.#paced = new Paced<readonly ShownPicture[] | null>(null, PAUSE_MS, (pictures) => tell(pictures ?? []));
  }

  /** By `Date.now()`; nothing of those who are not shown. */
  get since(): ReadonlyMap<PeerId, number> {
    return this.#since;
  }

  show(pictures: readonly ShownPicture[], now: number): void {
    const cameras = new Set(pictures.filter(({ kind }) => kind === 'camera').map(({ peer }) => peer));
    for (const peer of this.#since.keys()) if (!cameras.has(peer)) this.#since.delete(peer);
    for (const peer of cameras) if (!this.#since.has(peer)) this.#since.set(peer, now);
    this.#paced.say(pictures);
  }

  /** Idempotent. */
  close(): void {
    this.#paced.close();
  }
}
