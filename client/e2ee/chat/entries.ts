/**
 * Opens entries of the document and says of each who has written it, proven.
 *
 * A signature costs as much as a hundred hashes, so of a writer's chain only the newest entry's is checked: it names the id of the
 * one before, and that one's id covers everything it says. Invariant: what is `read` was signed by its author, itself or through a
 * later entry of the same author.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url } from '../../../crypto/bytes.ts';
import type { OpenedEntry } from '../../../crypto/chatEntry.ts';
import { entryKeyId, isSignedByAuthor, openEntry } from '../../../crypto/chatEntry.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { ready } from '../../../crypto/primitives.ts';
import type { EntryVerdict } from './messages.ts';
import type { OpenedBody, PrivateMessages } from './private.ts';
import type { Ring } from './ring.ts';

interface Opened {
  readonly key: ChatKey;
  readonly entry: OpenedEntry;
}

export class EntryReader {
  readonly #meeting: string;
  readonly #ring: Ring;
  readonly #private: PrivateMessages;
  /** Ids that a proven entry names as the one before it, and by whom: entry and author have to be the same person. */
  readonly #vouched = new Map<string, string>();

  readonly #texts = new WeakMap<Bytes, string>();

  constructor(meeting: string, ring: Ring, messages: PrivateMessages) {
    this.#meeting = meeting;
    this.#ring = ring;
    this.#private = messages;
  }

  /** @param isTrying also what takes milliseconds: what may be for us alone @returns a verdict for each, in the same order */
  async read(entries: readonly Bytes[], isTrying = false): Promise<EntryVerdict[]> {
    await ready();
    const verdicts: EntryVerdict[] = entries.map(() => ({ is: 'malformed' }));
    const opened: (Opened & { index: number })[] = [];
    for (const [index, bytes] of entries.entries()) {
      const found = this.#open(bytes);
      if (typeof found === 'string') verdicts[index] = { is: found };
      else opened.push({ ...found, index });
    }
    // From the newest of each chain down, so that each vouches for the next.
    opened.sort((a, b) => b.entry.sequence - a.entry.sequence);
    for (const { index, key, entry } of opened) {
      const verdict = this.isProven(entry)
        ? this.said(key, entry, isTrying)
        : ({ is: entry.signature === null ? 'unproven' : 'forged' } as const);
      verdicts[index] = verdict instanceof Promise ? await verdict : verdict;
    }
    return verdicts;
  }

  /** One that has been proven, or is now; else why not. libsodium has to be `ready`. */
  prove(bytes: Bytes): Opened | 'hidden' | 'none' {
    const found = this.#open(bytes);
    if (typeof found === 'string') return found === 'hidden' ? 'hidden' : 'none';
    return this.isProven(found.entry) ? found : 'none';
  }

  /** What an entry says that is proven; it vouches for the one before it from now on. */
  said(key: ChatKey, opened: OpenedEntry, isTrying = false): EntryVerdict | Promise<EntryVerdict> {
    const [id, author, previous, writer] = [
      this.#textOf(opened.id),
      this.#textOf(opened.author),
      this.#textOf(opened.previous),
      this.#textOf(opened.writer),
    ];
    this.#vouched.set(previous, author);
    this.#vouched.set(id, author);
    const { sequence, at, content } = opened;
    const entry = { id, author, writer, sequence, previous, at };
    if (content.is === 'erased') return { is: 'read', entry: { ...entry, body: null, to: null }, isLocked: false };
    const said = ({ text, to, isLocked }: OpenedBody): EntryVerdict => ({
      is: 'read',
      entry: { ...entry, body: text, to },
      isLocked,
    });
    try {
      const { body } = content;
      const found = this.#private.open({ author: opened.author, ringKey: key.name, body }, isTrying);
      return found instanceof Promise ? found.then(said, () => ({ is: 'forged' })) : said(found);
    } catch {
      return { is: 'forged' };
    }
  }

  /** A proven entry of the same author's names it, or its author has signed it. */
  isProven(entry: OpenedEntry): boolean {
    return this.#vouched.get(this.#textOf(entry.id)) === this.#textOf(entry.author) || isSignedByAuthor(entry);
  }

  /** Entries of a run share what they have in common. */
  #textOf(bytes: Bytes): string {
    const known = this.#texts.get(bytes);
    if (known !== undefined) return known;
    const text = base64url(bytes);
    this.#texts.set(bytes, text);
    return text;
  }

  #open(bytes: Bytes): Opened | 'hidden' | 'forged' | 'malformed' {
    const keyId = entryKeyId(bytes);
    if (keyId === null) return 'malformed';
    const key = this.#ring.find(keyId);
    if (key === null) return 'hidden';
    try {
      return { key, entry: openEntry(key, this.#meeting, bytes) };
    } catch {
      return 'forged';
    }
  }
}
