/**
 * Opens entries of the document and says of each who has written it, proven.
 *
 * A signature costs as much as a hundred hashes, so of a writer's chain only the newest entry's is checked: it names the id of the
 * one before, and that one's id covers everything it says. Invariant: what is `read` was signed by its author, itself or through a
 * later entry of the same author.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url } from '../../../crypto/bytes.ts';
import type { OpenedLink } from '../../../crypto/chatEntry.ts';
import { entryKeyId, isSignedByAuthor, openBody, openLink } from '../../../crypto/chatEntry.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { ready } from '../../../crypto/primitives.ts';
import type { EntryVerdict } from './messages.ts';
import type { OpenedBody, PrivateMessages } from './private.ts';
import type { Ring } from './ring.ts';

interface Opened {
  readonly bytes: Bytes;
  readonly key: ChatKey;
  readonly link: OpenedLink;
  readonly id: string;
  readonly author: string;
}

export class EntryReader {
  readonly #meeting: string;
  readonly #ring: Ring;
  readonly #private: PrivateMessages;
  /** Ids that a proven entry names as the one before it, and by whom: entry and author have to be the same person. */
  readonly #vouched = new Map<string, string>();

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
    opened.sort((a, b) => b.link.sequence - a.link.sequence);
    for (const one of opened) {
      const verdict = this.#prove(one, isTrying);
      verdicts[one.index] = verdict instanceof Promise ? await verdict : verdict;
    }
    return verdicts;
  }

  #open(bytes: Bytes): Opened | 'hidden' | 'forged' | 'malformed' {
    const keyId = entryKeyId(bytes);
    if (keyId === null) return 'malformed';
    const key = this.#ring.find(keyId);
    if (key === null) return 'hidden';
    try {
      const link = openLink(key, this.#meeting, bytes);
      return { bytes, key, link, id: base64url(link.id), author: base64url(link.author) };
    } catch {
      return 'forged';
    }
  }

  #prove(one: Opened, isTrying: boolean): EntryVerdict | Promise<EntryVerdict> {
    const { bytes, key, link, id, author } = one;
    if (this.#vouched.get(id) !== author && !isSignedByAuthor(link)) return { is: 'forged' };
    const previous = base64url(link.previous);
    this.#vouched.set(previous, author);
    this.#vouched.set(id, author);
    const entry = { id, author, writer: base64url(link.writer), sequence: link.sequence, previous, at: link.at };
    try {
      const body = openBody(key, this.#meeting, bytes);
      if (body === null) return { is: 'read', entry: { ...entry, body, to: null }, isLocked: false };
      const said = ({ text, to, isLocked }: OpenedBody): EntryVerdict => ({
        is: 'read',
        entry: { ...entry, body: text, to },
        isLocked,
      });
      const opened = this.#private.open({ author: link.author, ringKey: key.name, body }, isTrying);
      return opened instanceof Promise ? opened.then(said, () => ({ is: 'forged' })) : said(opened);
    } catch {
      return { is: 'forged' };
    }
  }
}
