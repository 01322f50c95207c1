/**
 * What entries come to: one conversation, the same for everybody who has the same entries, in whichever order they came.
 *
 * Ordered by the authors' own times, though nothing stands later than what the same browser wrote after it: a clock that ran ahead and
 * was set right pins nothing at the end. Only an author edits or erases what is theirs, and what is between two is edited, answered by a
 * sign and quoted between the same two alone. Pure: no clock, no I/O. Invariant: `add` is commutative and idempotent.
 */
import type { ReadEntry } from '../e2ee/chat/messages.ts';
import type { Body, FileBody } from './bodies.ts';
import { bodyFrom } from './bodies.ts';

export interface Said {
  readonly id: string;
  readonly author: string;
  readonly at: number;
  readonly text: string;
  readonly files: readonly FileBody[];
  readonly edited: boolean;
  readonly erased: boolean;
  readonly reply: string | null;
  /** Identity of the only one beside its author who can read it. */
  readonly to: string | null;
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
  edits: Act<Extract<Body, { is: 'edit' }>>[];
  erasers: Set<string>;
  /** Who wants its place shown, and to whom it was said. */
  markers: Map<string, string | null>;
  reactions: Act<Extract<Body, { is: 'react' }>>[];
  view: Said | null;
  /** Of the clock by which it was drawn. */
  viewed: number;
  isListed: boolean;
}

type Order = (a: ReadEntry, b: ReadEntry) => number;

export class Thread {
  readonly #entries = new Map<string, ReadEntry>();
  readonly #topics = new Map<string, Topic>();
  /** By author: every name of theirs, and which of them holds by the clock of that time. */
  readonly #names = new Map<string, { said: { entry: ReadEntry; name: string }[]; name: string; viewed: number }>();
  readonly #cards = new Set<string>();
  /** By author and writer, in its own order. */
  readonly #chains = new Map<string, ReadEntry[]>();
  /** When an entry counts as written, where that is earlier than it says. */
  readonly #earlier = new Map<string, number>();
  /** Rises when one counts as earlier than it did: what was drawn before is drawn again. */
  #clock = 0;
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
    const isOpenedNow = before?.body === '' && !!entry.body;
    if (before !== undefined && !isOpenedNow && (before.body !== null || entry.body === null)) return false;
    this.#entries.set(entry.id, entry);
    this.#newest = Math.max(this.#newest, entry.at);
    if (before === undefined) {
      this.#chain(entry);
      this.#clamp(entry);
    }
    if (entry.body === null) this.#list(entry.id);
    const body = entry.body === null ? null : bodyFrom(entry.body);
    if (body === null) return true;
    // What is said between two is no news for all: they would not call anybody the same.
    if (entry.to === null) this.#name(entry, body.name);
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
    const isThere = of !== undefined && (this.#entries.get(of)?.body ?? null) !== null;
    return isThere && this.isErased(of) ? of : null;
  }

  /** Its author's other texts for it. */
  editsOf(id: string): string[] {
    const author = this.#entries.get(id)?.author;
    const edits = this.#topics.get(id)?.edits ?? [];
    return edits.filter(({ entry }) => entry.author === author).map(({ entry }) => entry.id);
  }

  nameOf(author: string): string | null {
    const known = this.#names.get(author);
    if (known === undefined) return null;
    if (known.viewed !== this.#clock) {
      known.name = known.said.toSorted((a, b) => this.#compare(a.entry, b.entry)).at(-1)!.name;
      known.viewed = this.#clock;
    }
    return known.name;
  }

  /** They can be written to alone. */
  hasCard(author: string): boolean {
    return this.#cards.has(author);
  }

  /** What one writer of an author's has written, in its own order. Bodies that came later are not in it. */
  chain(author: string, writer: string): readonly ReadEntry[] {
    return this.#chains.get(`${author} ${writer}`) ?? [];
  }

  /** What an entry answers, as far as its readers may know of it. `hidden`: it is between others. Null: it answers nothing. */
  quoted({ reply, author, to }: Said): Said | 'unknown' | 'hidden' | null {
    if (reply === null) return null;
    const said = this.one(reply);
    if (said === null) return this.#entries.get(reply)?.body === '' ? 'hidden' : 'unknown';
    return said.to === null || isBetween(said, { author, to }) ? said : 'hidden';
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

  /** Whose chains these are. @param isGone  whether an entry went rightly, and what followed it may have gone with it; null: what was before the first that is here */
  gapAuthors(isGone: (id: string | null) => boolean): string[] {
    return [...this.#named.values()].flatMap((id) => {
      const { author, writer } = this.#entries.get(id)!;
      const chain = this.chain(author, writer);
      const index = chain.findIndex((entry) => entry.id === id);
      return isGone(chain[index - 1]?.id ?? null) ? [] : author;
    });
  }

  /** Of whom two entries of one writer follow upon the same one: of a browser whose store was set back, or of a device that shows two histories. */
  get forkAuthors(): string[] {
    return [...this.#following.values()].flatMap((ids) =>
      ids.length > 1 ? (this.#entries.get(ids[0]!)?.author ?? []) : [],
    );
  }

  /** Oldest first. */
  get said(): Said[] {
    if (!this.#isSorted) {
      this.#order.sort((a, b) => this.#compareIds(a, b));
      this.#isSorted = true;
    }
    return this.#order.map((id) => this.#view(id));
  }

  /** One of them; null where it is not there. */
  one(id: string): Said | null {
    return this.#topics.get(id)?.isListed ? this.#view(id) : null;
  }

  #compareIds(a: string, b: string): number {
    return this.#compare(this.#entries.get(a)!, this.#entries.get(b)!);
  }

  /** Times first; of one writer its own order; else ids, so that all agree. */
  readonly #compare: Order = (a, b) => {
    const [earlier, later] = [this.#timeOf(a), this.#timeOf(b)];
    if (earlier !== later) return earlier - later;
    if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
    if (a.sequence !== b.sequence) return a.sequence - b.sequence;
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  };

  /** When an entry counts as written: of one writer never later than what came after it. Null where it is not here. */
  timeOf(id: string): number | null {
    const entry = this.#entries.get(id);
    return entry === undefined ? null : this.#timeOf(entry);
  }

  #timeOf({ id, at }: ReadEntry): number {
    return this.#earlier.get(id) ?? at;
  }

  /** Nothing is later than what the same writer wrote after it: that is in the order which its author has signed. */
  #clamp(entry: ReadEntry): void {
    const name = `${entry.author} ${entry.writer}`;
    const chain = this.#chains.get(name) ?? [];
    this.#chains.set(name, chain);
    let index = chain.length;
    while (index > 0 && chain[index - 1]!.sequence > entry.sequence) index -= 1;
    const next = chain[index];
    chain.splice(index, 0, entry);
    const at = Math.min(entry.at, next === undefined ? Infinity : this.#timeOf(next));
    if (at < entry.at) this.#earlier.set(entry.id, at);
    for (let before = index - 1; before >= 0 && this.#timeOf(chain[before]!) > at; before--) {
      this.#earlier.set(chain[before]!.id, at);
      this.#clock += 1;
      this.#isSorted = false;
    }
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

  #name(entry: ReadEntry, name: string | undefined): void {
    if (name === undefined) return;
    const said = this.#names.get(entry.author)?.said ?? [];
    said.push({ entry, name });
    this.#names.set(entry.author, { said, name, viewed: -1 });
  }

  #take(act: Act): void {
    const { entry, body } = act;
    if (body.is === 'card') {
      if (entry.to === null) this.#cards.add(entry.author);
      return;
    }
    if (body.is === 'note') return;
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
        // Said to one alone it is not everybody's: others would put back what is gone for two.
        if (entry.to === null) topic.erasers.add(entry.author);
        if (!body.quiet) topic.markers.set(entry.author, topic.markers.get(entry.author) ?? entry.to);
        this.#list(body.of);
        return;
      case 'react':
        topic.reactions.push({ entry, body });
    }
  }

  /** Shows an entry that says something, or that its author has erased: whether we knew what it said makes no difference. */
  #list(id: string): void {
    const topic = this.#topic(id);
    topic.view = null;
    if (topic.isListed || (topic.say === null && !this.#isMarked(id, topic))) return;
    topic.isListed = true;
    const last = this.#order.at(-1);
    if (last !== undefined && this.#compareIds(last, id) > 0) this.#isSorted = false;
    this.#order.push(id);
  }

  #isMarked(id: string, { markers }: Topic): boolean {
    return this.isErased(id) && markers.has(this.#entries.get(id)!.author);
  }

  #topic(id: string): Topic {
    let topic = this.#topics.get(id);
    if (topic === undefined) {
      const acts = { say: null, edits: [], erasers: new Set<string>(), markers: new Map(), reactions: [] };
      topic = { ...acts, view: null, viewed: 0, isListed: false };
      this.#topics.set(id, topic);
    }
    return topic;
  }

  #view(id: string): Said {
    const topic = this.#topic(id);
    if (topic.view === null || topic.viewed !== this.#clock) {
      const entry = this.#entries.get(id)!;
      topic.view = viewOf(entry, { topic, at: this.#timeOf(entry), order: this.#compare });
      topic.viewed = this.#clock;
    }
    return topic.view;
  }
}

/** The same two, whichever of them said it. */
function isBetween(one: Pick<Said, 'author' | 'to'>, { author, to }: Pick<Said, 'author' | 'to'>): boolean {
  return (one.author === author && one.to === to) || (one.author === to && one.to === author);
}

function viewOf(entry: ReadEntry, { topic, at, order }: { topic: Topic; at: number; order: Order }): Said {
  const { id, author } = entry;
  const { say, edits, erasers, markers, reactions } = topic;
  if (say === null || erasers.has(author)) {
    const to = (say === null ? markers.get(author) : say.entry.to) ?? null;
    return { id, author, at, to, text: '', files: [], edited: false, erased: true, reply: null, reactions: new Map() };
  }
  const { to } = say.entry;
  const own = edits.filter((edit) => edit.entry.author === author && edit.entry.to === to);
  own.sort((a, b) => order(a.entry, b.entry));
  return {
    id,
    author,
    at,
    to,
    text: own.at(-1)?.body.text ?? say.body.text,
    files: say.body.files ?? [],
    edited: own.length > 0,
    erased: false,
    reply: say.body.reply ?? null,
    // Of what all can read all see the same signs; of what two can read, theirs.
    reactions: reactionsOf(
      reactions.filter((one) => (to === null ? one.entry.to === null : isBetween({ author, to }, one.entry))),
      order,
    ),
  };
}

/** Of each author and sign the last word. */
function reactionsOf(acts: Topic['reactions'], order: Order): Map<string, string[]> {
  const last = new Map<string, Topic['reactions'][number]>();
  for (const act of [...acts].sort((a, b) => order(a.entry, b.entry))) {
    const key = `${act.body.emoji} ${act.entry.author}`;
    last.delete(key);
    last.set(key, act);
  }
  const found = new Map<string, string[]>();
  for (const { entry, body } of last.values()) {
    if (body.on) found.set(body.emoji, [...(found.get(body.emoji) ?? []), entry.author]);
  }
  return found;
}
