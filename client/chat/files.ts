/**
 * Files of a chat between this browser and the server: sealed by the worker on their way up, opened by it on their way down.
 *
 * Both wait while there is no connection and go on when it is back. Nothing of a download is handed out before all of it has opened.
 */
import { BlobId, BLOBS_PATH, ERASE_HEADER } from '../../signal/protocol/blobs.ts';
import type { SealedFile } from '../e2ee/chat/messages.ts';
import { backoffMs } from '../net/backoff.ts';
import { OfflineError } from '../net/offline.ts';
import { upload, UploadRefused } from '../net/upload.ts';
import type { ChatLine, ChatPort } from './providers/ways.ts';
import type { FileFault, FileTransfer } from './view.ts';

/** What an entry says of where a file is, and how it opens. */
export interface FilePlace {
  readonly blob: string;
  readonly key: string;
  /** Of its content, in bytes. */
  readonly size: number;
}

/** A file to be put. */
export interface FilePut extends FileTransfer {
  /** When its turn has come. */
  readonly open: () => Promise<SealedFile>;
  /** Where it was begun before; null: nowhere. */
  readonly blob: string | null;
  /** It was begun there: nothing goes there before that has resolved. */
  readonly begun: (blob: string) => Promise<void>;
}

export class FileError extends Error {
  readonly fault: FileFault;

  constructor(fault: FileFault, cause?: unknown) {
    super(fault, { cause });
    this.name = 'FileError';
    this.fault = fault;
  }
}

export interface FilesTerms {
  readonly port: ChatPort;
  readonly line: ChatLine;
  readonly after: (ms: number, run: () => void) => () => void;
  readonly random: () => number;
  /** Of the server; empty: the page's own. */
  readonly origin?: string;
}

/** In a row, with a connection. */
const MAX_FAILURES = 8;
/** For one window: 140 kbit/s. A server that says nothing more is asked again. */
const WINDOW_MS = 60_000;
const WINDOW_BYTES = 1024 * 1024;
/** Each way: a slow line is not shared by more. */
const AT_ONCE = 2;

export class Files {
  readonly #terms: FilesTerms;
  readonly #up = new Slots(AT_ONCE);
  readonly #down = new Slots(AT_ONCE);
  #pass: Promise<string> | null = null;
  #isOnline = false;
  #waiting: (() => void)[] = [];

  constructor(terms: FilesTerms) {
    this.#terms = terms;
  }

  /** The chat is open on a connection, or not. */
  moved(isOnline: boolean): void {
    if (isOnline === this.#isOnline) return;
    this.#isOnline = isOnline;
    this.#pass = null;
    if (isOnline) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** To be put; the same bytes as often as they are asked for, until `end`. */
  seal(file: Blob): Promise<SealedFile> {
    return this.#terms.port.call('chat.sealFile', { file });
  }

  end({ handle }: SealedFile): void {
    void this.#terms.port.call('chat.endFile', { handle }).catch(() => undefined);
  }

  /** Waits for its turn, then for a connection. What it has begun stays. @returns where it is @throws FileError · the signal's reason */
  put(given: FilePut): Promise<string> {
    return this.#up.take(given.signal, () => this.#put(given));
  }

  /** That all of it lies there, once there is a connection. @throws FileError 'gone' where it does not, or another · the signal's reason */
  async check(blob: string, signal: AbortSignal): Promise<void> {
    await this.#window(blob, 0, 0, signal);
  }

  /** @returns what it holds, in pieces @throws FileError · the signal's reason */
  get(place: FilePlace, transfer: FileTransfer): Promise<BlobPart[]> {
    return this.#down.take(transfer.signal, () => this.#get(place, transfer));
  }

  /** One of our own. What is gone already is no error. @throws FileError · OfflineError and what the connection throws: later it may work */
  async delete(blob: string, key: string): Promise<void> {
    const { token } = await this.#terms.port.call('chat.fileToken', { key });
    const pass = await this.#take();
    const answer = await this.#fetch(pass, blob, { method: 'DELETE', headers: { [ERASE_HEADER]: token } });
    if (answer.status === 401) this.#refused(pass);
    if (answer.ok || answer.status === 404) return;
    if (answer.status === 401 || answer.status === 429 || answer.status >= 500) throw new OfflineError();
    throw new FileError('refused');
  }

  async #put({ open, blob, begun, progress, signal }: FilePut): Promise<string> {
    const { port, random, origin = '' } = this.#terms;
    try {
      const { handle, bytes, erase } = await open();
      const address = await upload(
        { bytes, read: async (from, to) => (await port.call('chat.sealed', { handle, from, to })).bytes },
        {
          ...{ origin, erase, signal, random },
          pass: () => this.#take(signal),
          refused: (pass) => this.#refused(pass),
          progress: (sent) => progress(sent / bytes),
          address: blob === null ? null : `${origin}${BLOBS_PATH}/${blob}`,
          begun: (where) => begun(idIn(where)),
          wait: (ms) => this.#wait(ms),
        },
      );
      return idIn(address);
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error);
    }
  }

  async #get({ blob, key, size }: FilePlace, { progress, signal }: FileTransfer): Promise<BlobPart[]> {
    const { port } = this.#terms;
    const { handle, bytes } = await port.call('chat.openFile', { key, size });
    const parts: BlobPart[] = [];
    let isWhole = false;
    try {
      for (let at = 0; at < bytes; at += WINDOW_BYTES) {
        const sealed = await this.#window(blob, at, Math.min(at + WINDOW_BYTES, bytes) - 1, signal);
        const opened = await port.call('chat.opened', { handle, sealed }).catch((error: unknown) => {
          throw new FileError('forged', error);
        });
        // A browser may lay these down on its disk.
        parts.push(new Blob([opened.bytes]));
        isWhole = opened.isWhole;
        progress((at + sealed.length) / bytes);
      }
    } finally {
      void port.call('chat.endFile', { handle }).catch(() => undefined);
    }
    if (!isWhole) throw new FileError('forged');
    return parts;
  }

  async #window(blob: string, first: number, last: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      const pass = await this.#take(signal);
      const headers = { range: `bytes=${first}-${last}` };
      const came = await this.#fetch(pass, blob, {
        headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(WINDOW_MS)]),
      })
        .then(async (answer) => ({ status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) }))
        .catch(() => null);
      if (came?.status === 206) {
        if (came.bytes.length !== last - first + 1) throw new FileError('forged');
        return came.bytes;
      }
      if (came?.status === 401) this.#refused(pass);
      if (came?.status === 404) throw new FileError('gone');
      if (came?.status === 400) throw new FileError('forged');
      if (failures > MAX_FAILURES) throw new FileError('refused');
      await this.#wait(backoffMs(failures, this.#terms.random()));
    }
  }

  #fetch(pass: string, blob: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${pass}` };
    return fetch(`${this.#terms.origin ?? ''}${BLOBS_PATH}/${blob}`, { ...init, headers, cache: 'no-store' });
  }

  /** A pass that is good as far as we know; waits until there can be one. */
  async #take(signal?: AbortSignal): Promise<string> {
    for (let failures = 0; ; failures++) {
      signal?.throwIfAborted();
      if (!this.#isOnline) await this.#online(signal);
      this.#pass ??= this.#terms.line.request('chat.pass', {}).then(({ pass }) => pass);
      const asked = this.#pass;
      try {
        return await asked;
      } catch {
        if (this.#pass === asked) this.#pass = null;
        await this.#wait(backoffMs(failures, this.#terms.random()));
      }
    }
  }

  #refused(pass: string): void {
    const asked = this.#pass;
    void asked?.then(
      (now) => void (now === pass && this.#pass === asked && (this.#pass = null)),
      () => undefined,
    );
  }

  #online(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#terms.after(ms, resolve));
  }
}

/** So many at a time, the others in order. */
class Slots {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      signal.throwIfAborted();
      return await task();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** @throws FileError where the server does not do as agreed */
function idIn(address: string): string {
  const id = BlobId.safeParse(address.split('/').at(-1));
  if (!id.success) throw new FileError('refused');
  return id.data;
}

function faultOf(error: unknown): FileError {
  if (error instanceof FileError) return error;
  if (error instanceof UploadRefused) {
    if (error.code !== 'chatFull') return new FileError('refused', error);
    return new FileError(error.retryAfterMs === null ? 'full' : 'busy', error);
  }
  return new FileError((error as { code?: unknown }).code === 'unreadable' ? 'changed' : 'refused', error);
}
