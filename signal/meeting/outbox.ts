/**
 * Events of one peer, numbered, and the last ones kept, so that a connection that was lost can be taken up where it broke.
 *
 * Keeps what is younger than `KEEP_MS` and within `MAX_EVENTS` and `MAX_CHARS`; what a resumed peer missed beyond that, it
 * must join again for. Texts of one event are shared between outboxes. Invariant: numbers rise by one.
 *
 * All outboxes of a process share a budget: while it is spent, each keeps far less, so that many who make each other's events
 * cannot fill the memory. Close an outbox that nobody needs any more.
 */

/** Longest time in which a dead socket is not noticed (20 s), and a place kept (30 s), and some more. */
const KEEP_MS = 75_000;
const MAX_EVENTS = 1024;
const MAX_CHARS = 4 * 1024 * 1024;
/** Of one outbox, once all together hold more than `BUDGET_CHARS`. */
const MAX_CHARS_WHEN_TIGHT = 128 * 1024;
const BUDGET_CHARS = 128 * 1024 * 1024;

/** What all outboxes hold; a text that several share counts once. */
export class Budget {
  readonly #most: number;
  used = 0;

  constructor(most = BUDGET_CHARS) {
    this.#most = most;
  }

  get isSpent(): boolean {
    return this.used > this.#most;
  }
}

interface Kept {
  readonly text: string;
  readonly at: number;
  /** This outbox's part of what the text costs. */
  readonly cost: number;
}

export class Outbox {
  /** Number of the newest event; 0 before the first. */
  #last = 0;
  /** The newest events; the last one has the number `#last`. */
  #kept: Kept[] = [];
  #chars = 0;
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /**
   * Numbers an event.
   * @param event   JSON text
   * @param shares  how many outboxes keep this very text
   * @returns what goes over the wire
   */
  push(event: string, now: number, shares = 1): string {
    const cost = event.length / shares;
    this.#last++;
    this.#kept.push({ text: event, at: now, cost });
    this.#chars += event.length;
    this.#budget.used += cost;
    // Some more than needed, so that a full outbox does not move its array for each event.
    if (this.#kept.length > MAX_EVENTS) this.#trim(-Infinity, MAX_EVENTS - MAX_EVENTS / 8);
    else if (this.#chars > this.#maxChars) this.#trim(-Infinity, MAX_EVENTS);
    return wireText(this.#last, event);
  }

  /** Events after `received`, as they go over the wire; null if not all of them are here any more, or if they never were. */
  since(received: number): string[] | null {
    const first = this.#last - this.#kept.length + 1;
    if (received > this.#last || received < first - 1) return null;
    return this.#kept.slice(received - first + 1).map(({ text }, index) => wireText(received + 1 + index, text));
  }

  /** Lets go of what is too old. Not for a peer that is away: it will ask for all. */
  forgetOld(now: number): void {
    if (this.#kept.length > 0 && this.#kept[0]!.at < now - KEEP_MS) this.#trim(now - KEEP_MS, MAX_EVENTS);
  }

  /** Keeps nothing any more. */
  close(): void {
    this.#trim(Infinity, 0);
  }

  get #maxChars(): number {
    return this.#budget.isSpent ? MAX_CHARS_WHEN_TIGHT : MAX_CHARS;
  }

  #trim(before: number, most: number): void {
    let drop = 0;
    while (drop < this.#kept.length) {
      const { text, at, cost } = this.#kept[drop]!;
      if (at >= before && this.#kept.length - drop <= most && this.#chars <= this.#maxChars) break;
      this.#chars -= text.length;
      this.#budget.used -= cost;
      drop++;
    }
    this.#kept = this.#kept.slice(drop);
  }
}

function wireText(seq: number, event: string): string {
  return `{"seq":${seq},"event":${event}}`;
}
