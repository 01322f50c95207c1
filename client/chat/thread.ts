/**
 * What entries come to: one conversation, the same for everybody who has the same entries, in whichever order they came.
 *
 * Ordered by the authors' own times, ids where these are the same. Only an author edits or erases what is theirs. Pure: no clock,
 * no I/O. Invariant: `add` is commutative and idempotent.
 */
import type { ReadEntry } from '../e2ee/chat/messages.ts';
import type { Body } from './bodies.ts';
import { bodyFrom } from './bodies.ts';

export interface Said {
  readonly id: string;
  readonly author: string;
  readonly at: number;
  readonly text: string;
  readonly edited: boolean;
  readonly erased: boolean;
  readonly reply: string | null;
  /** Emoji → authors, in the order in which they came. */
  readonly reactions: ReadonlyMap<string, readonly string[]>;
}

interface Act<B extends Body = Body> {
  readonly entry: ReadEntry;
  readonly body: B;
}

/** Everything about one entry that was said, also before it is there itself. */
interface Topic {
  say: Act<Extract<Body, { is: 'say' }>> | null;
  /** Its author's newest, by order. */
  edits: Act<Extract<Body, { is: 'edit' }>>[];
  erasers: Set<string>;
  /** By emoji and author: the newest. */
  reactions: Map<string, Act<Extract<Body, { is: 'react' }>>>;
  view: Said | null;
  isListed: boolean;
}

export class Thread {
  readonly #entries = new Map<string, ReadEntry>();
  readonly #topics = new Map<string, Topic>();
  readonly #names = new Map<string, { at: number; id: string; name: string }>();
  /** Ids that somebody names as the one before theirs. */
  readonly #named = new Map<string, string>();
  readonly #following = new Map<string, string[]>();
  /** Entries that erase another, and which. */
  readonly #erasing = new Map<string, string>();
  #order: string[] = [];
  #isSorted = true;
  #newest = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  entry(id: string): ReadEntry | null {
    return this.#entries.get(id) ?? null;
  }

  /** @returns whether anything was new */
  add(entry: ReadEntry): boolean {
    const before = this.#entries.get(entry.id);
    if (before !== undefined && (before.body !== null || entry.body === null)) return false;
    this.#entries.set(entry.id, entry);
    this.#newest = Math.max(this.#newest, entry.at);
    if (before === undefined) this.#chain(entry);
    if (entry.body === null) this.#list(entry.id);
    const body = entry.body === null ? null : bodyFrom(entry.body);
    if (body === null) return true;
    this.#name(entry, body.name);
    this.#take({ entry, body });
    return true;
  }

  /** The author of an entry has erased it. */
  isErased(id: string): boolean {
    const topic = this.#topics.get(id);
    const author = this.#entries.get(id)?.author;
    return author !== undefined && topic !== undefined && topic.erasers.has(author);
  }

  /** What this entry erases, if it is its author's to erase and the rest of it is here. */
  erasedBy(id: string): string | null {
    const of = this.#erasing.get(id);
    return of !== undefined && this.#entries.get(of)?.body && this.isErased(of) ? of : null;
  }

  nameOf(author: string): string | null {
    return this.#names.get(author)?.name ?? null;
  }

  get authors(): string[] {
    return [...this.#names.keys()];
  }

  /** The newest time of all that is here; 0 for none. */
  get newest(): number {
    return this.#newest;
  }

  /** Ids that are missing in the middle of somebody's chain. */
  get gaps(): string[] {
    return [...this.#named.keys()];
  }

  /** Places where two entries of one writer follow upon the same one: of a browser whose store was set back, or of a device that shows two histories. */
  get forks(): string[] {
    return [...this.#following].filter(([, ids]) => ids.length > 1).map(([chain]) => chain);
  }

  /** Oldest first. */
  get said(): Said[] {
    if (!this.#isSorted) {
      this.#order.sort((a, b) => this.#compare(a, b));
      this.#isSorted = true;
    }
    return this.#order.map((id) => this.#view(id));
  }

  /** One of them; null where it is not there. */
  one(id: string): Said | null {
    return this.#topics.get(id)?.isListed ? this.#view(id) : null;
  }

  #compare(a: string, b: string): number {
    return byOrder(this.#entries.get(a)!, this.#entries.get(b)!);
  }

  #chain(entry: ReadEntry): void {
    this.#named.delete(entry.id);
    // A writer's first names what its author is known to have written elsewhere, or nothing.
    if (entry.sequence === 0) return;
    const { previous } = entry;
    if (!this.#entries.has(previous)) this.#named.set(previous, entry.id);
    // By whom, too: nobody makes another's history look forked.
    const chain = `${entry.author} ${entry.writer} ${previous}`;
    this.#following.set(chain, [...(this.#following.get(chain) ?? []), entry.id]);
  }

  #name({ author, at, id }: ReadEntry, name: string | undefined): void {
    if (name === undefined) return;
    const known = this.#names.get(author);
    if (known && (known.at > at || (known.at === at && known.id >= id))) return;
    this.#names.set(author, { at, id, name });
  }

  #take(act: Act): void {
    const { entry, body } = act;
    const topic = this.#topic(body.is === 'say' ? entry.id : body.of);
    topic.view = null;
    switch (body.is) {
      case 'say':
        topic.say = { entry, body };
        this.#list(entry.id);
        return;
      case 'edit':
        topic.edits.push({ entry, body });
        return;
      case 'erase':
        this.#erasing.set(entry.id, body.of);
        topic.erasers.add(entry.author);
        this.#list(body.of);
        return;
      case 'react': {
        const key = `${body.emoji} ${entry.author}`;
        const known = topic.reactions.get(key);
        if (!known || byOrder(known.entry, entry) < 0) topic.reactions.set(key, { entry, body });
      }
    }
  }

  /** Shows an entry that says something, or that its author has erased: whether we knew what it said makes no difference. */
  #list(id: string): void {
    const topic = this.#topic(id);
    topic.view = null;
    if (topic.isListed || (topic.say === null && !this.isErased(id))) return;
    topic.isListed = true;
    const last = this.#order.at(-1);
    if (last !== undefined && this.#compare(last, id) > 0) this.#isSorted = false;
    this.#order.push(id);
  }

  #topic(id: string): Topic {
    let topic = this.#topics.get(id);
    if (topic === undefined) {
      topic = { say: null, edits: [], erasers: new Set(), reactions: new Map(), view: null, isListed: false };
      this.#topics.set(id, topic);
    }
    return topic;
  }

  #view(id: string): Said {
    const topic = this.#topic(id);
    topic.view ??= viewOf(this.#entries.get(id)!, topic);
    return topic.view;
  }
}

function viewOf(entry: ReadEntry, { say, edits, erasers, reactions }: Topic): Said {
  const { id, author, at } = entry;
  const nothing = { text: '', edited: false, erased: true, reply: null, reactions: new Map() };
  if (say === null || erasers.has(author)) return { id, author, at, ...nothing };
  const own = edits.filter((edit) => edit.entry.author === author).sort((a, b) => byOrder(a.entry, b.entry));
  return {
    id,
    author,
    at,
    text: own.at(-1)?.body.text ?? say.body.text,
    edited: own.length > 0,
    erased: false,
    reply: say.body.reply ?? null,
    reactions: reactionsOf(reactions),
  };
}

function reactionsOf(acts: Topic['reactions']): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { entry, body } of [...acts.values()].sort((a, b) => byOrder(a.entry, b.entry))) {
    if (body.on) found.set(body.emoji, [...(found.get(body.emoji) ?? []), entry.author]);
  }
  return found;
}

/** Authors' times first; of one writer its own order; else ids, so that all agree. */
function byOrder(a: ReadEntry, b: ReadEntry): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.writer === b.writer && a.sequence !== b.sequence) return a.sequence - b.sequence;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
