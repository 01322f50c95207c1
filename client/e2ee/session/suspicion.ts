/**
 * What messages that do not open tell.
 *
 * One alone is something forged, or damaged. But when a member's messages of our very epoch keep coming and never open, that
 * member has other keys than we for the same epoch, or wants to look like it. If that holds for more than one member, or for all
 * whom we could hear, somebody shows two halves of the group two commits; one alone can do it by itself.
 */

/** Its heartbeats come every 2 s: two that are this far apart are not one message delivered twice. */
const APART_MS = 1500;

export class Suspicion {
  readonly #now: () => number;
  #epoch = -1;
  /** Leaves whose messages of this epoch have opened. */
  readonly #opened = new Set<number>();
  readonly #firstUnopened = new Map<number, number>();
  readonly #unreadable = new Set<number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  opened(epoch: number, leaf: number): void {
    this.#enter(epoch);
    if (epoch !== this.#epoch) return;
    this.#opened.add(leaf);
    this.#unreadable.delete(leaf);
  }

  /**
   * @param isMember that leaf is in the tree of this epoch
   * @param others members of this epoch beside ourselves
   */
  unopened(epoch: number, leaf: number, isMember: boolean, others: number): 'forged' | 'unreadable' | 'split' {
    this.#enter(epoch);
    if (epoch !== this.#epoch || !isMember || this.#opened.has(leaf)) return 'forged';
    const first = this.#firstUnopened.get(leaf);
    if (first === undefined) this.#firstUnopened.set(leaf, this.#now());
    if (first === undefined || this.#now() - first < APART_MS) return 'forged';
    this.#unreadable.add(leaf);
    return this.#unreadable.size > 1 || this.#unreadable.size === others ? 'split' : 'unreadable';
  }

  #enter(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#opened.clear();
    this.#firstUnopened.clear();
    this.#unreadable.clear();
  }
}
