/**
 * Where people's cursors stand in the notes, and who lacks what they are built upon: told by whispers, which are sealed, signed and kept nowhere.
 *
 * Often moved, seldom told. What others say is shown for a while, and only of the page that is open.
 */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from 'lib0/buffer';
import type { Whisper } from '../chat/bodies.ts';
import { keyOf, type Notes } from './notes.ts';

/** With who types and how far one has read it stays within what the server lets through. */
const PAUSE_MS = 600;
/** Of somebody who says no more. */
const STAY_MS = 45_000;

export type NotesWhisper = NonNullable<Whisper['notes']>;
interface Place {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface CursorsTerms {
  readonly notes: Notes;
  readonly whisper: (said: NotesWhisper) => void;
  readonly changed: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => () => void;
}

export class Cursors {
  readonly #terms: CursorsTerms;
  readonly #others = new Map<string, { said: NotesWhisper; at: number }>();
  #own: Place | null = null;
  #told = '';
  #isDue = false;

  constructor(terms: CursorsTerms) {
    this.#terms = terms;
  }

  /** Where we are; null: in no text. */
  moved(place: Place | null): void {
    this.#own = place;
    this.look();
  }

  /** Something may be worth telling. */
  look(): void {
    if (this.#isDue || JSON.stringify(this.own) === this.#told) return;
    this.#isDue = true;
    this.#terms.after(PAUSE_MS, () => {
      this.#isDue = false;
      const { own } = this;
      const said = JSON.stringify(own);
      if (said === this.#told) return;
      // Who opens a page and writes nothing need not say so.
      if (this.#told !== '' || this.#own !== null || own.lacks === true) this.#terms.whisper(own);
      this.#told = said;
    });
  }

  /** What we say of it now. */
  get own(): NotesWhisper {
    const { notes } = this.#terms;
    const place = this.#own && { from: toBase64UrlEncoded(this.#own.from), to: toBase64UrlEncoded(this.#own.to) };
    return { page: { ...notes.page.name }, ...place, ...(notes.lacks ? { lacks: true } : {}) };
  }

  heard(author: string, said: NotesWhisper): void {
    const { notes, now, after, changed } = this.#terms;
    notes.heard(said.page);
    this.#others.set(author, { said, at: now() });
    after(STAY_MS + 100, changed);
    changed();
  }

  /** By identity. */
  get shown(): (Place & { author: string })[] {
    return this.#recent.flatMap(([author, { from, to }]) =>
      from === undefined || to === undefined
        ? []
        : [{ author, from: fromBase64UrlEncoded(from), to: fromBase64UrlEncoded(to) }],
    );
  }

  /** Identities of those who lack something of it; until they say that they do not. */
  get lacking(): string[] {
    return [...this.#others].filter(([, { said }]) => said.lacks === true).map(([author]) => author);
  }

  clear(): void {
    this.#others.clear();
    this.#told = '';
  }

  get #recent(): [string, NotesWhisper][] {
    const since = this.#terms.now() - STAY_MS;
    const page = keyOf(this.#terms.notes.page.name);
    return [...this.#others]
      .filter(([, { said, at }]) => at > since && keyOf(said.page) === page)
      .map(([author, { said }]) => [author, said]);
  }
}
