/**
 * Sealed files of all meetings: whose they are, how much there may be, and when they go. It opens none.
 *
 * A row says whose a blob is, before there is one; a blob without a row goes. So whatever deletes a meeting or its chat need only
 * delete rows, and a process that ends in between leaves nothing behind.
 */
import type { Readable } from 'node:stream';
import { AuthorQuota } from '../chat/authors.ts';
import { fits, isCanonical } from '../chat/chain.ts';
import { MAX_BLOB_BYTES } from '../protocol/blobs.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { fixedBytesText, type MeetingId } from '../protocol/ids.ts';
import type { BlobStore, NewBlob } from '../store/store.ts';
import { BlobNotFound, type Blobs, type Range } from './blobs.ts';

/** Of one meeting. */
const MAX_COUNT = 2000;
/** Of an author's hourly part each one takes so much at least. */
const LEAST_COST = 64 * 1024;
/** An upload that nobody went on with. */
const UNFINISHED_MS = 86_400_000;
/** Asked for in one query. */
const ROWS = 500;
const Erase = fixedBytesText(32);

export interface BlobServiceTerms {
  readonly store: BlobStore;
  readonly blobs: Blobs;
  /** Most bytes of a meeting's files. */
  readonly quota: number;
  readonly now: () => number;
}

export interface Progress {
  readonly bytes: number;
  readonly offset: number;
}

export class BlobService {
  readonly #terms: BlobServiceTerms;
  readonly #authors: AuthorQuota;

  constructor(terms: BlobServiceTerms) {
    this.#terms = terms;
    // A file of the largest size at once, however little a meeting may have.
    this.#authors = new AuthorQuota({ files: Math.max(terms.quota / 4, MAX_BLOB_BYTES) });
  }

  /**
   * @param given  a random id, and the SHA-256 of the token that deletes it, base64url
   * @throws ProtocolError tooLarge · chatFull, with the time to wait where it is this author's part · badRequest · meetingEnded
   */
  async begin(meeting: MeetingId, address: string, given: Omit<NewBlob, 'at'>): Promise<void> {
    const { store, blobs, quota, now } = this.#terms;
    const { id, bytes, erase } = given;
    if (bytes > MAX_BLOB_BYTES) throw new ProtocolError('tooLarge');
    if (bytes < 1 || !Erase.safeParse(erase).success || !isCanonical(erase)) throw new ProtocolError('badRequest');
    const at = now();
    const retryAfterMs = this.#authors.take('files', meeting, address, Math.max(bytes, LEAST_COST), at);
    if (retryAfterMs > 0) throw new ProtocolError('chatFull', 'too much from this address', { retryAfterMs });
    const begun = await store.begin(meeting, { id, bytes, erase, at }, { bytes: quota, count: MAX_COUNT });
    if (begun === 'gone') throw new ProtocolError('meetingEnded');
    if (begun === 'full') throw new ProtocolError('chatFull', 'no room for more files');
    try {
      await blobs.begin(id);
    } catch (error) {
      await store.delete([id]);
      throw error;
    }
  }

  /** @throws ProtocolError chatUnknown, also for another meeting's */
  async progress(meeting: MeetingId, id: string): Promise<Progress> {
    const { bytes } = await this.#find(meeting, id);
    const offset = await this.#terms.blobs.size(id);
    if (offset === null) throw new ProtocolError('chatUnknown');
    return { bytes, offset };
  }

  /** The one that writes to it, at the offset that `progress` told. @returns how far it is now @throws ProtocolError chatUnknown */
  async append(meeting: MeetingId, id: string, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    const { store, blobs, now } = this.#terms;
    const { bytes: size, isWhole } = await this.#find(meeting, id);
    if (isWhole) throw new ProtocolError('chatUnknown', 'it is whole');
    const end = await blobs.append(id, offset, upTo(size - offset, bytes)).catch(unknown);
    if (end === size) {
      await blobs.finish(id);
      await store.finish(id, now());
    }
    return end;
  }

  /** @throws ProtocolError chatUnknown where there is none that is whole */
  async size(meeting: MeetingId, id: string): Promise<number> {
    const { bytes, isWhole } = await this.#find(meeting, id);
    if (!isWhole) throw new ProtocolError('chatUnknown');
    return bytes;
  }

  /** @throws ProtocolError chatUnknown */
  async read(meeting: MeetingId, id: string, range: Range): Promise<Readable> {
    const bytes = await this.size(meeting, id);
    // A disk that has lost some of it: better nothing than a request that never ends.
    if ((await this.#terms.blobs.size(id)) !== bytes) throw new ProtocolError('chatUnknown');
    return this.#terms.blobs.read(id, range).catch(unknown);
  }

  /** @throws ProtocolError chatUnknown, also for a token that does not fit */
  async delete(meeting: MeetingId, id: string, token: string): Promise<void> {
    const { erase } = await this.#find(meeting, id);
    if (!fits(token, erase)) throw new ProtocolError('chatUnknown');
    await this.#drop([id]);
  }

  /** All of a meeting, or what is older. */
  async clear(meeting: MeetingId, before = Infinity): Promise<void> {
    const { store, blobs } = this.#terms;
    const ids = await store.drop(meeting, Math.min(before, Number.MAX_SAFE_INTEGER));
    for (const id of ids) await blobs.delete(id);
  }

  /** Meetings that have files from before. */
  olderThan(before: number): Promise<MeetingId[]> {
    return this.#terms.store.olderThan(before);
  }

  /** Deletes uploads that nobody went on with, and what is nobody's any more. */
  async sweep(): Promise<void> {
    const { blobs, now } = this.#terms;
    this.#authors.forgetOld(now());
    await this.#drop(await blobs.stale(now() - UNFINISHED_MS));
    await this.prune();
  }

  /** Deletes what is nobody's any more: its meeting has ended, or was forgotten. */
  async prune(): Promise<void> {
    const { store, blobs } = this.#terms;
    const all = await blobs.list();
    for (let at = 0; at < all.length; at += ROWS) {
      const some = all.slice(at, at + ROWS);
      const known = await store.known(some);
      for (const id of some) if (!known.has(id)) await blobs.delete(id);
    }
  }

  async #drop(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#terms.store.delete(ids);
    for (const id of ids) await this.#terms.blobs.delete(id);
  }

  async #find(meeting: MeetingId, id: string) {
    const found = await this.#terms.store.find(meeting, id);
    if (found === null) throw new ProtocolError('chatUnknown');
    return found;
  }
}

/** Whatever a source says of itself, it gives no more than that. */
async function* upTo(most: number, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = most;
  for await (const chunk of bytes) {
    if (chunk.length > left) throw new ProtocolError('tooLarge');
    left -= chunk.length;
    yield chunk;
  }
}

function unknown(error: unknown): never {
  throw error instanceof BlobNotFound ? new ProtocolError('chatUnknown', undefined, { cause: error }) : error;
}
