/**
 * Items of the log that no key of ours opens: kept sealed while this worker lives, within limits, and tried again when keys come.
 *
 * Of those that are not here any more, since there were too many or a former visit read them, it remembers what they wait for: once that is
 * here, the log has to be read again. What they wait for may never come, since whoever is in the chat can add what nobody opens; so nothing
 * else waits for them.
 */
import type { ChatItem } from '../../../signal/protocol/chat.ts';

/** Of a meeting whose newcomers see nothing of before, and of members who are ahead of us. */
const MOST_ITEMS = 20_000;
/** Of their bodies, as text. */
const MOST_CHARS = 8 * 1024 * 1024;
/** As many keys as a ring holds. Where there are more, any key may be one of them. */
const MOST_NAMES = 4096;
const ANY = 'any';

interface Unopened {
  readonly item: ChatItem;
  readonly names: readonly string[];
}

export class Unread {
  /** Oldest first. */
  #items: Unopened[] = [];
  #chars = 0;
  readonly #seqs = new Set<number>();
  /** What those wait for that are not here. */
  #gone = new Set<string>();
  /** Of which the store knows. */
  #saved = '';

  /** How many there are; of those that are not here nobody knows. */
  get count(): number {
    return this.#items.length + (this.#gone.size > 0 ? 1 : 0);
  }

  /** @param saved  by a former visit, as `names` gave it */
  restore(saved: string): void {
    this.#saved = saved;
    this.#gone = new Set(saved.split('\n').filter(Boolean));
  }

  /** The log is read from its start. */
  clear(): void {
    this.#items = [];
    this.#chars = 0;
    this.#seqs.clear();
    this.#gone.clear();
  }

  /** @param names  what it waits for: keys, or the link of a generation */
  add(item: ChatItem, names: readonly string[]): void {
    if (this.#seqs.has(item.seq)) return;
    this.#items.push({ item, names });
    this.#seqs.add(item.seq);
    this.#chars += item.body.length;
    while (this.#items.length > MOST_ITEMS || this.#chars > MOST_CHARS) {
      const oldest = this.#items.shift()!;
      this.#forget(oldest.item);
      for (const name of oldest.names) this.#gone.add(name);
    }
  }

  /** Takes out those that open now. @param open  true for one that does */
  async take(open: (item: ChatItem) => Promise<boolean> | boolean): Promise<void> {
    const opened = new Set<Unopened>();
    for (const one of [...this.#items]) if (await open(one.item)) opened.add(one);
    this.#items = this.#items.filter((one) => !opened.has(one));
    for (const { item } of opened) this.#forget(item);
  }

  /** Whether something came that items wait for which are not here; each is told once. @param isMore  keys came since the last time */
  isBack(has: (name: string) => boolean, isMore: boolean): boolean {
    const found = [...this.#gone].filter((name) => (name === ANY ? isMore : has(name)));
    for (const name of found) this.#gone.delete(name);
    return found.length > 0;
  }

  /** What the store has to know before it is told how far we are, and after; null: it does. */
  unsaved(): { before: string | null; after: string | null } {
    const now = textOf(new Set([...this.#gone, ...this.#items.flatMap(({ names }) => names)]));
    if (now === this.#saved) return { before: null, after: null };
    const both = textOf(new Set([...this.#saved.split('\n').filter(Boolean), ...now.split('\n').filter(Boolean)]));
    const before = both === this.#saved ? null : both;
    this.#saved = now;
    return { before, after: now === both ? null : now };
  }

  #forget({ seq, body }: ChatItem): void {
    this.#seqs.delete(seq);
    this.#chars -= body.length;
  }
}

function textOf(names: ReadonlySet<string>): string {
  return names.size > MOST_NAMES || names.has(ANY) ? ANY : [...names].join('\n');
}
