/**
 * What is not as it should be in a chat, and whom it is about: what this browser has seen itself, and what others have told it.
 *
 * Of what nothing but a person's word shows (how the log goes for them) the person is named, since a changed program may say anything:
 * only what this browser can show is held against the server alone.
 */
import type { Thread } from './thread.ts';
import type { AlarmKind } from './view.ts';

/** What is missing in a chain may still be on its way. */
const GAP_MS = 8000;
/** More people than these are not named. */
const MOST_NAMED = 8;

export interface Alarm {
  readonly is: AlarmKind;
  /** Identities: who says so, or whose messages they are. Empty where it is nobody's. */
  readonly by: readonly string[];
}

export interface AlarmTerms {
  readonly thread: Thread;
  /** Changes are here that build upon others which are not, though nothing is hidden from us. */
  readonly isWaiting: () => boolean;
  /** Whether an entry was rightly deleted from the log, and what followed it may be gone; null: what was before all that is here. */
  readonly isGone: (id: string | null) => boolean;
  readonly changed: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

export class Alarms {
  readonly #terms: AlarmTerms;
  readonly #raised = new Map<AlarmKind, Set<string>>();
  #gapSince: number | null = null;

  constructor(terms: AlarmTerms) {
    this.#terms = terms;
  }

  get all(): Alarm[] {
    const { thread, now } = this.#terms;
    const all: Alarm[] = [...this.#raised].map(([is, by]) => ({ is, by: [...by] }));
    if (this.#gapSince !== null && now() - this.#gapSince > GAP_MS)
      all.push({ is: 'gap', by: some(thread.gapAuthors(this.#terms.isGone)) });
    const forked = thread.forkAuthors;
    if (forked.length > 0) all.push({ is: 'forked', by: some(forked) });
    return all;
  }

  /** @param by  whose word it is alone; none where this browser has seen it */
  raise(is: AlarmKind, by: string | null = null): void {
    const named = this.#raised.get(is) ?? new Set();
    this.#raised.set(is, named);
    if (by !== null && named.size < MOST_NAMED) named.add(by);
    this.#terms.changed();
  }

  /** Something came: gaps may have closed, or opened. */
  look(): void {
    const { thread, isWaiting, isGone, changed, now, after } = this.#terms;
    if (thread.gapAuthors(isGone).length === 0 && !isWaiting()) this.#gapSince = null;
    else if (this.#gapSince === null) {
      this.#gapSince = now();
      after(GAP_MS + 100, changed);
    }
  }
}

function some(authors: readonly string[]): string[] {
  return [...new Set(authors)].slice(0, MOST_NAMED);
}
