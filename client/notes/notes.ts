/**
 * A meeting's shared notes: pages that all write on, of which the newest is the one that is open.
 *
 * Each change is an entry of the chat (sealed, signed and chained like a message, kept and sent by the same ways but for the one from browser to browser), and
 * is taken in once its author is proven. So notes follow the same keys: whoever was not given the key of a change does not have what it said, and what
 * is built upon it waits. For them somebody copies the page: the copy is one change, under today's key. Then all go on there; the former page stays, to be read.
 */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from 'lib0/buffer';
import * as Y from 'yjs';
import type { NoteBody } from '../chat/bodies.ts';
import type { ReadEntry } from '../e2ee/chat/messages.ts';
import { MAX_UPDATE } from './limits.ts';
import { Page } from './page.ts';
import type { PageName } from './update.ts';

/** Changes are brought together for so long after the last key, and for so long at most: others see one writing, and the log is not filled by it. */
const PAUSE_MS = 400;
const LONGEST_MS = 1200;
const RETRY_MS = 3000;
/** A page that is dated further ahead is none: else nobody could ever begin a newer one. */
const CLOCK_MS = 5 * 60_000;
/** What a change builds upon may still be on its way. */
const LACK_MS = 8000;
/** Pages are begun by hand. */
const MAX_PAGES = 256;

const FIRST: PageName = { at: 0, id: 'AAAAAAAAAAA' };

export interface NotesTerms {
  /** Our identity, base64url. */
  readonly self: string;
  readonly write: (body: NoteBody) => Promise<void>;
  /** Something is another now. */
  readonly changed: () => void;
  /** Something was refused. */
  readonly forged: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => () => void;
}

export interface PageTold {
  readonly page: Page;
  /** Who wrote first on it, identity; null: nobody has yet. */
  readonly by: string | null;
}

interface Told {
  readonly page: Page;
  by: string | null;
  byAt: number;
}

export class Notes {
  readonly #terms: NotesTerms;
  readonly #pages = new Map<string, Told>();
  readonly #pending = new Map<Page, Uint8Array[]>();
  #pendingSince: number | null = null;
  #cancel: (() => void) | null = null;
  #writing: Promise<void> = Promise.resolve();
  #lackSince: number | null = null;
  /** Others are on a page of which nothing has come. */
  #elsewhere: PageName | null = null;
  #newest = 0;
  #lastBy: string | null = null;
  #isClosed = false;

  constructor(terms: NotesTerms) {
    this.#terms = terms;
    this.#keep(this.#made(FIRST));
  }

  /** The one that is written on. */
  get page(): Page {
    return this.pages.at(-1)!.page;
  }

  /** Oldest first, with those that nobody has written on. */
  get pages(): PageTold[] {
    return [...this.#pages.values()].sort((a, b) => order(a.page.name, b.page.name));
  }

  /** What it is built upon is not for us, and does not come. */
  get lacks(): boolean {
    return this.#lackSince !== null && this.#terms.now() - this.#lackSince >= LACK_MS;
  }

  /** When others changed something last, by their clock; 0: never. */
  get newest(): number {
    return this.#newest;
  }

  /** Who did, identity. */
  get lastBy(): string | null {
    return this.#lastBy;
  }

  /** Something was written here that is no entry yet. */
  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /** An entry whose author is proven. */
  take({ author, at }: Pick<ReadEntry, 'author' | 'at'>, { page: name, session, update }: NoteBody): void {
    if (!this.#isOfNow(name)) return;
    const told = this.#pages.get(keyOf(name)) ?? this.#made(name);
    const { page } = told;
    const own = author === this.#terms.self;
    // Of this visit: it was made here.
    if (own && session === page.session) return;
    const result = page.take({ author, session, update: fromBase64UrlEncoded(update) });
    if (result === 'refused') this.#terms.forged();
    if (result !== 'taken') return;
    this.#keep(told);
    if (told.by === null || at < told.byAt) [told.by, told.byAt] = [author, at];
    if (!own && at > this.#newest) [this.#newest, this.#lastBy] = [at, author];
    this.#look();
    this.#terms.changed();
  }

  /** Another says on which page they are. */
  heard(name: PageName): void {
    if (!this.#isOfNow(name) || this.#pages.has(keyOf(name)) || order(name, this.page.name) <= 0) return;
    this.#elsewhere = name;
    this.#look();
  }

  /** The page goes on as a copy, which whoever reads from now on can read whole. @param from  which; else the open one */
  copy(from: Page = this.page): void {
    const at = Math.max(Math.floor(this.#terms.now()), this.page.name.at + 1);
    const id = toBase64UrlEncoded(crypto.getRandomValues(new Uint8Array(8)));
    from.copyTo(this.#keep(this.#made({ at, id })).page);
    this.#look();
    void this.flush();
    this.#terms.changed();
  }

  /** What was written becomes entries now. Resolves once it is, or has failed to. */
  flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    this.#pendingSince = null;
    for (const [page, updates] of this.#pending) {
      this.#pending.delete(page);
      this.#writing = this.#writing.then(() => this.#write(page, updates));
    }
    return this.#writing;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const { page } of this.#pages.values()) page.destroy();
  }

  #isOfNow({ at }: PageName): boolean {
    return at <= this.#terms.now() + CLOCK_MS;
  }

  /** Which is none of ours yet: what is refused begins no page. */
  #made(name: PageName): Told {
    const session = crypto.getRandomValues(new Uint32Array(1))[0]!;
    const { self } = this.#terms;
    const page: Page = new Page({ name, self, session, wrote: (update) => this.#wrote(told, update) });
    const told: Told = { page, by: null, byAt: Infinity };
    return told;
  }

  #keep(told: Told): Told {
    this.#pages.set(keyOf(told.page.name), told);
    const oldest = this.pages[0]!.page;
    if (this.#pages.size > MAX_PAGES) this.#pages.delete(keyOf(oldest.name));
    return told;
  }

  #wrote(told: Told, update: Uint8Array): void {
    const { page } = told;
    const { now, after, self } = this.#terms;
    if (told.by === null) [told.by, told.byAt] = [self, now()];
    const updates = this.#pending.get(page) ?? [];
    updates.push(update);
    this.#pending.set(page, updates);
    this.#pendingSince ??= now();
    this.#cancel?.();
    const wait = Math.min(PAUSE_MS, this.#pendingSince + LONGEST_MS - now());
    this.#cancel = after(Math.max(0, wait), () => void this.flush());
    this.#terms.changed();
  }

  async #write(page: Page, updates: Uint8Array[]): Promise<void> {
    for (const update of merged(updates)) {
      const { name, session } = page;
      try {
        await this.#terms.write({ is: 'note', page: { ...name }, session, update: toBase64UrlEncoded(update) });
      } catch {
        // This browser keeps nothing now, or nobody could read it yet: it stays here, and is tried again.
        if (this.#isClosed) return;
        this.#pending.set(page, [update, ...(this.#pending.get(page) ?? [])]);
        this.#cancel?.();
        this.#cancel = this.#terms.after(RETRY_MS, () => void this.flush());
      }
    }
    this.#terms.changed();
  }

  #look(): void {
    const { now, after, changed } = this.#terms;
    const { page } = this;
    if (this.#elsewhere !== null && this.#pages.has(keyOf(this.#elsewhere))) this.#elsewhere = null;
    if (!page.isWaiting && this.#elsewhere === null) this.#lackSince = null;
    else if (this.#lackSince === null) {
      this.#lackSince = now();
      after(LACK_MS + 100, changed);
    }
  }
}

export function keyOf({ at, id }: PageName): string {
  return `${at} ${id}`;
}

/** Of names: which is earlier; of two that are begun at once all agree. */
function order(a: PageName, b: PageName): number {
  return a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** As one change, or as few as fit. */
function merged(updates: Uint8Array[]): Uint8Array[] {
  const all = Y.mergeUpdates(updates);
  if (all.length <= MAX_UPDATE || updates.length === 1) return [all];
  const middle = updates.length >> 1;
  return [...merged(updates.slice(0, middle)), ...merged(updates.slice(middle))];
}
