/** One page of the notes: a Yjs document, and changes of it that wait for others. */
import * as Y from 'yjs';
import { MAX_UPDATE } from './limits.ts';
import { ROOT } from './shape.ts';
import { checkUpdate, clientOf, fits, isReady, type CheckedUpdate, type PageName } from './update.ts';

/** Of changes that were taken in, and of those that wait: beyond, a page takes no more, and is written on elsewhere. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Origin of what others wrote, and of our own from before. */
const TAKEN = Symbol('taken');

export interface PageTerms {
  readonly name: PageName;
  /** Our identity, base64url. */
  readonly self: string;
  /** 32 random bits. */
  readonly session: number;
  /** Something was written here. */
  readonly wrote: (update: Uint8Array) => void;
}

export class Page {
  readonly name: PageName;
  readonly doc = new Y.Doc();
  readonly session: number;
  #waiting: CheckedUpdate[] = [];
  #bytes = 0;
  #waitingBytes = 0;

  constructor({ name, self, session, wrote }: PageTerms) {
    this.name = name;
    this.session = session;
    this.doc.clientID = clientOf(self, name, session);
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === TAKEN) return;
      this.#bytes += update.length;
      wrote(update);
    });
  }

  get text(): Y.XmlFragment {
    return this.doc.getXmlFragment(ROOT);
  }

  get isEmpty(): boolean {
    return this.text.length === 0;
  }

  /** Changes are here that build upon what is not: of before our time, or still on its way. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** There is no room for more. */
  get isFull(): boolean {
    return this.#bytes > MAX_BYTES - MAX_UPDATE;
  }

  /**
   * A change whose author is proven.
   * @returns `refused`: malformed, in another's name, or not of what notes are made, this one or one that waited for it
   */
  take({
    author,
    session,
    update,
  }: {
    author: string;
    session: number;
    update: Uint8Array;
  }): 'taken' | 'refused' | 'full' {
    const checked = checkUpdate(update, clientOf(author, this.name, session));
    if (checked === null) return 'refused';
    if (this.#bytes + this.#waitingBytes + update.length > MAX_BYTES) return 'full';
    this.#waiting.push(checked);
    this.#waitingBytes += update.length;
    return this.#settle() ? 'taken' : 'refused';
  }

  /** Everything that it says now, as the first change of another page. */
  copyTo(other: Page): void {
    other.doc.transact(() => {
      const blocks = this.text.toArray().filter((one) => one instanceof Y.XmlElement);
      other.text.insert(
        other.text.length,
        blocks.map((one) => one.clone()),
      );
    });
  }

  destroy(): void {
    this.doc.destroy();
  }

  /** Takes in what has all that it builds upon, as long as there is any. */
  #settle(): boolean {
    let isWhole = true;
    for (let isMoving = true; isMoving;) {
      isMoving = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      this.doc.transact(() => {
        for (const one of waiting) {
          if (!isReady(one, this.doc)) this.#waiting.push(one);
          else {
            isWhole = this.#apply(one) && isWhole;
            isMoving = true;
          }
        }
      }, TAKEN);
      isMoving &&= this.#waiting.length > 0;
    }
    return isWhole;
  }

  #apply(one: CheckedUpdate): boolean {
    const { update } = one;
    this.#waitingBytes -= update.length;
    if (!fits(one, this.doc)) return false;
    this.#bytes += update.length;
    try {
      Y.applyUpdate(this.doc, update, TAKEN);
      return true;
    } catch {
      return false;
    }
  }
}
