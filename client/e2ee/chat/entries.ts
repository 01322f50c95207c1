/**
 * Opens entries of the document and says of each who has written it, proven.
 *
 * A signature costs as much as a hundred hashes, so of a writer's chain only the newest entry's is checked: it names the id of the
 * one before, and that one's id covers everything it says. Invariant: what is `read` was signed by its author, itself or through a
 * later entry of the same author.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, fromUtf8 } from '../../../crypto/bytes.ts';
import type { OpenedLink } from '../../../crypto/chatEntry.ts';
import { entryKeyId, isSignedByAuthor, openBody, openLink } from '../../../crypto/chatEntry.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { ready } from '../../../crypto/primitives.ts';
import type { ReadEntry, EntryVerdict } from './messages.ts';
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
  /** Ids that a proven entry names as the one before it, and by whom: entry and author have to be the same person. */
  readonly #vouched = new Map<string, string>();

  constructor(meeting: string, ring: Ring) {
    this.#meeting = meeting;
    this.#ring = ring;
  }

  /** @returns a verdict for each, in the same order */
  async read(entries: readonly Bytes[]): Promise<EntryVerdict[]> {
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
    for (const one of opened) verdicts[one.index] = this.#prove(one);
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

  #prove({ bytes, key, link, id, author }: Opened): EntryVerdict {
    if (this.#vouched.get(id) !== author && !isSignedByAuthor(link)) return { is: 'forged' };
    const previous = base64url(link.previous);
    this.#vouched.set(previous, author);
    this.#vouched.set(id, author);
    const entry = { id, author, writer: base64url(link.writer), sequence: link.sequence, previous, at: link.at };
    try {
      const body = openBody(key, this.#meeting, bytes);
      return { is: 'read', entry: { ...entry, body: body && fromUtf8(body) } satisfies ReadEntry };
    } catch {
      return { is: 'forged' };
    }
  }
}
