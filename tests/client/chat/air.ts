/** Ways from browser to browser for tests: what is said comes late, in another order, and some of it twice. */
import * as Y from 'yjs';
import { isOfChat, withoutRemovals } from '../../../client/chat/document.ts';
import type { DirectWay, DirectWayTerms } from '../../../client/chat/providers/direct.ts';
import type { Time } from './world.ts';

/** Longer than most people wait before they write again. */
const LATE_MS = 3000;
const DOUBLED = 0.25;

export class Air {
  readonly #time: Time;
  readonly #random: () => number;
  #ways: AirWay[] = [];
  /** How many changes have come by it. */
  carried = 0;

  constructor(time: Time, random: () => number) {
    this.#time = time;
    this.#random = random;
  }

  readonly open = async (terms: DirectWayTerms): Promise<DirectWay> => {
    const way = new AirWay(terms, this);
    for (const other of this.#othersOf(way)) {
      this.#carry(Y.encodeStateAsUpdate(other.terms.doc), way);
      this.#carry(Y.encodeStateAsUpdate(terms.doc), other);
    }
    this.#ways.push(way);
    return way;
  };

  spread(update: Uint8Array, from: AirWay): void {
    for (const other of this.#othersOf(from)) this.#carry(update, other);
  }

  left(way: AirWay): void {
    this.#ways = this.#ways.filter((one) => one !== way);
  }

  #othersOf({ terms }: AirWay): AirWay[] {
    return this.#ways.filter((one) => one.terms.room === terms.room && one.terms.doc !== terms.doc);
  }

  #carry(update: Uint8Array, to: AirWay): void {
    const times = this.#random() < DOUBLED ? 2 : 1;
    for (let i = 0; i < times; i++)
      this.#time.after(this.#random() * LATE_MS, () => {
        if (this.#ways.includes(to)) this.carried += to.take(update);
      });
  }
}

class AirWay implements DirectWay {
  readonly terms: DirectWayTerms;
  readonly state = 'online';
  readonly ended = Promise.resolve();
  readonly #air: Air;

  constructor(terms: DirectWayTerms, air: Air) {
    this.terms = terms;
    this.#air = air;
    terms.doc.on('update', this.#updated);
  }

  readonly #updated = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this) this.#air.spread(update, this);
  };

  /** As the real one does (webrtc.ts). @returns how many were taken in */
  take(update: Uint8Array): number {
    const bytes = update.slice() as Uint8Array<ArrayBuffer>;
    if (!isOfChat(bytes)) return 0;
    Y.applyUpdate(this.terms.doc, withoutRemovals(bytes), this);
    return 1;
  }

  close(): void {
    this.terms.doc.off('update', this.#updated);
    this.#air.left(this);
  }

  keeps(): boolean {
    return false;
  }
  changed(): void {}
  whisper(): void {}
  setIceServers(): void {}
  pause(): void {}
  resume(): void {}
}
