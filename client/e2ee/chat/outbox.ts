/**
 * What somebody has sent and what still waits for its files, kept in this browser until its entry is written: the message in the page's
 * words, and its files, sealed already, in pieces. So an upload goes on with the very bytes after the page or the browser has ended.
 *
 * A message is one tab's at a time: another takes it over when that one is gone. It goes in the same step as its entry comes into our chain
 * (keeper.ts), so that it is written once, whenever a page ends.
 */
import { ageSize } from '../../../crypto/age.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import { concat, equal, fromUtf8, utf8 } from '../../../crypto/bytes.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { Refused } from '../refused.ts';
import type { ChatFiles, SealedSource } from './files.ts';
import type { ChatCalls, SealedFile } from './messages.ts';
import type { ChatShelf } from './shelf.ts';

const PIECE_BYTES = 1024 * 1024;
/** Of a meeting, in this browser: as much as five of the largest files. */
const MAX_PIECES = 512;
const MAX_MESSAGES = 64;
const IDENTITY_BYTES = 32;

export interface OutboxTerms {
  readonly meeting: string;
  /** Whose it is: another identity of this browser sends nothing of it. */
  readonly identity: KeyPair;
  readonly shelf: ChatShelf;
  readonly hold: (name: string) => Promise<(() => void) | null>;
  readonly files: ChatFiles;
}

export class Outbox {
  readonly #terms: OutboxTerms;
  #isLasting = false;
  /** Messages of this tab, with what gives them back. */
  readonly #held = new Map<string, () => void>();

  constructor(terms: OutboxTerms) {
    this.#terms = terms;
  }

  /** @param isLasting  what is kept outlives the worker */
  begin(isLasting: boolean): void {
    this.#isLasting = isLasting;
  }

  async keepPiece(params: ChatCalls['chat.keepPiece']['in']): Promise<ChatCalls['chat.keepPiece']['out']> {
    const { id, file, handle, piece } = params;
    const { shelf, meeting, files } = this.#terms;
    await this.#need(id);
    const from = piece * PIECE_BYTES;
    const { bytes, isEnd } = await files.piece(handle, from, from + PIECE_BYTES);
    const kept = await shelf.names(`piece ${meeting} `);
    if (kept.length >= MAX_PIECES) throw new Refused('storage', 'too much waits here already');
    await shelf.put(pieceName(meeting, id, file, piece), bytes);
    return { isLast: isEnd };
  }

  async keepSent({ id, message }: ChatCalls['chat.keepSent']['in']): Promise<object> {
    const { shelf, meeting, identity } = this.#terms;
    await this.#need(id);
    const kept = await shelf.names(`sent ${meeting} `);
    const name = `sent ${meeting} ${id}`;
    if (kept.length >= MAX_MESSAGES && !kept.includes(name)) throw new Refused('storage', 'too many wait here already');
    await shelf.put(name, concat(identity.publicKey, utf8(message)));
    return {};
  }

  keptFile({ id, file, key, size }: ChatCalls['chat.keptFile']['in']): Promise<SealedFile> {
    const { shelf, meeting, files } = this.#terms;
    const read = (piece: number): Promise<Bytes | null> => shelf.get(pieceName(meeting, id, file, piece));
    return files.give(key, new KeptPieces(ageSize(size), read));
  }

  async takeSent(): Promise<ChatCalls['chat.takeSent']['out']> {
    const { shelf, meeting, identity } = this.#terms;
    const names = [...(await shelf.names(`sent ${meeting} `)), ...(await shelf.names(`piece ${meeting} `))];
    const sent: { id: string; message: string }[] = [];
    for (const id of new Set(names.map((name) => name.split(' ')[2]!))) {
      if (this.#held.has(id) || !(await this.#hold(id))) continue;
      try {
        const kept = await shelf.get(`sent ${meeting} ${id}`);
        const [author, message] = [kept?.subarray(0, IDENTITY_BYTES), kept?.subarray(IDENTITY_BYTES)];
        // Its page ended before all of it was kept, or another has written it meanwhile; or whoever sent it is erased here.
        if (!author || !message || !equal(author, identity.publicKey)) await this.dropSent({ id });
        else sent.push({ id, message: fromUtf8(message) });
      } catch {
        // Another time it may be read. What this call has taken already is handed out.
        this.release(id);
      }
    }
    return { sent };
  }

  async dropSent({ id }: ChatCalls['chat.dropSent']['in']): Promise<object> {
    await this.#terms.shelf.delete(this.namesOf(id));
    this.release(id);
    return {};
  }

  /** @returns false: it has been written @throws Refused 'storage' where it is gone, and has not been */
  async has(id: string): Promise<boolean> {
    const isThere = (await this.#terms.shelf.get(`sent ${this.#terms.meeting} ${id}`)) !== null;
    // Whoever writes it gives it back: its meeting was removed from this browser.
    if (!isThere && this.#held.has(id)) throw new Refused('storage', 'what was kept is gone');
    return isThere;
  }

  /** Of all that is kept of a message, how the names begin. */
  namesOf(id: string): string[] {
    return ['sent', 'piece'].map((what) => `${what} ${this.#terms.meeting} ${id}`);
  }

  release(id: string): void {
    this.#held.get(id)?.();
    this.#held.delete(id);
  }

  /** Other tabs may take over what is kept. */
  end(): void {
    for (const id of this.#held.keys()) this.release(id);
  }

  async #need(id: string): Promise<void> {
    if (!this.#isLasting) throw new Refused('storage', 'this browser keeps nothing');
    if (!/^[A-Za-z0-9_-]{22}$/.test(id)) throw new Refused('usage', 'no id of a message');
    if (!this.#held.has(id) && !(await this.#hold(id))) throw new Refused('usage', 'another tab has it');
  }

  async #hold(id: string): Promise<boolean> {
    const release = await this.#terms.hold(`sent ${this.#terms.meeting} ${id}`);
    if (release !== null) this.#held.set(id, release);
    return release !== null;
  }
}

class KeptPieces implements SealedSource {
  readonly bytes: number;
  readonly #read: (piece: number) => Promise<Bytes | null>;

  constructor(bytes: number, read: (piece: number) => Promise<Bytes | null>) {
    this.bytes = bytes;
    this.#read = read;
  }

  async read(from: number, to: number): Promise<Bytes> {
    const parts: Bytes[] = [];
    for (let at = from; at < to;) {
      const piece = Math.floor(at / PIECE_BYTES);
      const begin = piece * PIECE_BYTES;
      const end = Math.min(to, begin + PIECE_BYTES);
      const bytes = await this.#read(piece);
      if (bytes === null || bytes.length < end - begin) throw new Refused('unreadable', 'what was kept is gone');
      parts.push(bytes.slice(at - begin, end - begin));
      at = end;
    }
    return concat(...parts);
  }

  end(): void {}
}

function pieceName(meeting: string, id: string, file: number, piece: number): string {
  return `piece ${meeting} ${id} ${file} ${piece}`;
}
