/**
 * Files of a chat: sealed for an upload as it asks for them, opened as they come. No file is ever held whole.
 *
 * Each is an age file (crypto/age.ts) for an identity of its own, which stands in the sealed entry that names it, and nowhere else. Upload
 * and download work with sealed bytes; where one goes on after a break it gets the same bytes again, or is refused where the
 * file on the disk is another by now.
 */
import {
  AGE_CHUNK_BYTES,
  AGE_START_BYTES,
  AgeOpener,
  ageRecipient,
  AgeSealer,
  ageSize,
  newAgeIdentity,
} from '../../../crypto/age.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat, fromBase64url, labelled, wipe } from '../../../crypto/bytes.ts';
import { sha256Now } from '../../../crypto/primitives.ts';
import { Refused } from '../refused.ts';
import type { ChatCalls, SealedFile } from './messages.ts';

/** Under way at once. */
const MAX_OPEN = 256;
const SEALED_CHUNK_BYTES = AGE_CHUNK_BYTES + ageSize(0) - AGE_START_BYTES;

/** A sealed file, of which an upload asks for pieces: the same bytes each time. */
export interface SealedSource {
  readonly bytes: number;
  /** @throws Refused 'unreadable' */
  read(from: number, to: number): Promise<Bytes>;
  end(): void;
}

interface Opening {
  readonly identity: Bytes;
  readonly bytes: number;
  /** Null until its start is here. */
  opener: AgeOpener | null;
  /** Of the next chunk. */
  index: number;
  /** Came, and is no whole chunk yet. */
  rest: Bytes;
  /** How much has come. */
  taken: number;
}

export class ChatFiles {
  readonly #eraseToken: (of: Bytes) => Promise<Bytes>;
  readonly #sealing = new Map<number, SealedSource>();
  readonly #opening = new Map<number, Opening>();
  #next = 1;

  /** @param eraseToken  makes what deletes something, again and again the same, and known to this browser alone */
  constructor(eraseToken: (of: Bytes) => Promise<Bytes>) {
    this.#eraseToken = eraseToken;
  }

  async sealFile({ file }: ChatCalls['chat.sealFile']['in']): Promise<ChatCalls['chat.sealFile']['out']> {
    const identity = newAgeIdentity();
    const key = base64url(identity);
    const source = new Sealing(await AgeSealer.create(await ageRecipient(identity)), file);
    wipe(identity);
    return this.give(key, source);
  }

  /** Gives pieces of it out from here on. */
  async give(key: string, source: SealedSource): Promise<SealedFile> {
    const handle = this.#take();
    this.#sealing.set(handle, source);
    const { token } = await this.fileToken({ key });
    return { handle, key, bytes: source.bytes, erase: base64url(sha256Now(fromBase64url(token))) };
  }

  /** @throws Refused 'unreadable' where the file cannot be read any more, or is another by now */
  async sealed({ handle, from, to }: ChatCalls['chat.sealed']['in']): Promise<ChatCalls['chat.sealed']['out']> {
    const source = found(this.#sealing, handle);
    return { bytes: await source.read(from, Math.min(to, source.bytes)) };
  }

  /** A part of a sealed file, and whether that ends there. @throws Refused 'unreadable' */
  async piece(handle: number, from: number, to: number): Promise<{ bytes: Bytes; isEnd: boolean }> {
    const source = found(this.#sealing, handle);
    return { bytes: await source.read(from, Math.min(to, source.bytes)), isEnd: to >= source.bytes };
  }

  async openFile({ key, size }: ChatCalls['chat.openFile']['in']): Promise<ChatCalls['chat.openFile']['out']> {
    const handle = this.#take();
    const bytes = ageSize(size);
    const nothing = new Uint8Array(0);
    this.#opening.set(handle, { identity: fromBase64url(key), bytes, opener: null, index: 0, rest: nothing, taken: 0 });
    return { handle, bytes };
  }

  /** @throws CryptoError 'forged', 'malformed', 'unknownKey': nothing of it is to be shown */
  async opened({ handle, sealed }: ChatCalls['chat.opened']['in']): Promise<ChatCalls['chat.opened']['out']> {
    const file = found(this.#opening, handle);
    file.taken += sealed.length;
    if (file.taken > file.bytes) throw new Refused('forged', 'more than there should be');
    let rest = concat(file.rest, sealed);
    const parts: Bytes[] = [];
    const isEnd = file.taken === file.bytes;
    if (file.opener === null && (rest.length >= AGE_START_BYTES || isEnd)) {
      file.opener = await AgeOpener.open(rest, file.identity);
      // Of another length it would not be one of ours, and end elsewhere.
      if (file.opener.chunksAt !== AGE_START_BYTES) throw new Refused('forged', 'begins in another way');
      rest = rest.slice(AGE_START_BYTES);
    }
    if (file.opener !== null) {
      while (rest.length > 0 && (rest.length > SEALED_CHUNK_BYTES || isEnd)) {
        const chunk = rest.slice(0, SEALED_CHUNK_BYTES);
        rest = rest.slice(SEALED_CHUNK_BYTES);
        parts.push(file.opener.open(file.index++, isEnd && rest.length === 0, chunk));
      }
    }
    file.rest = rest;
    return { bytes: concat(...parts), isWhole: isEnd };
  }

  endFile({ handle }: ChatCalls['chat.endFile']['in']): object {
    this.#sealing.get(handle)?.end();
    const opening = this.#opening.get(handle);
    opening?.opener?.wipe();
    if (opening) wipe(opening.identity);
    this.#sealing.delete(handle);
    this.#opening.delete(handle);
    return {};
  }

  /** @param params.key  of the entry: whoever reads that has it, and the token takes a secret of this browser, too */
  async fileToken({ key }: ChatCalls['chat.fileToken']['in']): Promise<ChatCalls['chat.fileToken']['out']> {
    return { token: base64url(await this.#eraseToken(sha256Now(labelled('parley chat file 1', fromBase64url(key))))) };
  }

  #take(): number {
    if (this.#sealing.size + this.#opening.size >= MAX_OPEN) throw new Refused('usage', 'too many files at once');
    return this.#next++;
  }
}

/** Sealed as it is asked for. */
class Sealing implements SealedSource {
  readonly bytes: number;
  readonly #sealer: AgeSealer;
  readonly #file: Blob;

  constructor(sealer: AgeSealer, file: Blob) {
    this.bytes = ageSize(file.size);
    this.#sealer = sealer;
    this.#file = file;
  }

  async read(from: number, to: number): Promise<Bytes> {
    const parts: Bytes[] = [];
    if (from < AGE_START_BYTES) parts.push(this.#sealer.start.slice(from, Math.min(to, AGE_START_BYTES)));
    const [begin, end] = [Math.max(0, from - AGE_START_BYTES), to - AGE_START_BYTES];
    const first = Math.floor(begin / SEALED_CHUNK_BYTES);
    const last = Math.ceil(end / SEALED_CHUNK_BYTES) - 1;
    if (last >= first) {
      const chunks = await this.#seal(first, last);
      const skipped = first * SEALED_CHUNK_BYTES;
      parts.push(concat(...chunks).slice(begin - skipped, end - skipped));
    }
    return concat(...parts);
  }

  end(): void {
    this.#sealer.wipe();
  }

  async #seal(first: number, last: number): Promise<Bytes[]> {
    try {
      const text = new Uint8Array(
        await this.#file.slice(first * AGE_CHUNK_BYTES, (last + 1) * AGE_CHUNK_BYTES).arrayBuffer(),
      );
      return Array.from({ length: last - first + 1 }, (_, i) => {
        const isLast = (first + i + 1) * AGE_CHUNK_BYTES >= this.#file.size;
        return this.#sealer.seal(first + i, isLast, text.slice(i * AGE_CHUNK_BYTES, (i + 1) * AGE_CHUNK_BYTES));
      });
    } catch {
      throw new Refused('unreadable', 'the file is gone, or another by now');
    }
  }
}

function found<T>(all: ReadonlyMap<number, T>, handle: number): T {
  const one = all.get(handle);
  if (one === undefined) throw new Refused('usage', 'no such file');
  return one;
}
