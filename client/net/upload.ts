/**
 * A sealed upload in pieces, which goes on where it was: after a lost connection, another pass, or a server that was killed. By tus.
 *
 * It ends with its address, or with a reason for which trying again is of no use. Whoever reads the source sees to it that the same
 * bytes come again for the same place.
 */
import { type DetailedError, Upload } from 'tus-js-client';
import { BLOBS_PATH } from '../../signal/protocol/blobs.ts';
import { type ErrorCode, errorCodes } from '../../signal/protocol/errors.ts';
import { backoffMs } from './backoff.ts';

/** On a line of 140 kbit/s a piece takes the half minute that the server waits for a request. */
const PIECE_BYTES = 512 * 1024;

export interface UploadSource {
  readonly bytes: number;
  /** What it rejects with ends the upload. */
  read(from: number, to: number): Promise<Uint8Array<ArrayBuffer>>;
}

export interface UploadTerms {
  /** Of the server; empty: the page's own. */
  readonly origin: string;
  /** SHA-256 of the token that deletes it, base64url. */
  readonly erase: string;
  /** Lets requests in. Waits until there is a connection. */
  readonly pass: () => Promise<string>;
  /** That one does not any more. */
  readonly refused: (pass: string) => void;
  /** How many bytes are there, or on their way. */
  readonly progress: (bytes: number) => void;
  /** Where it was begun before; null: nowhere. */
  readonly address: string | null;
  /** Where it is, from when it is known: for whoever goes on with it, or gives it up. Nothing goes there before it has resolved. */
  readonly begun: (address: string) => Promise<void>;
  readonly wait: (ms: number) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** The server takes it not, and would not a moment later. */
export class UploadRefused extends Error {
  readonly code: ErrorCode;
  /** Milliseconds after which it may. */
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, retryAfterMs: number | null) {
    super(code);
    this.name = 'UploadRefused';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

type Attempt = { at: 'done' } | { at: 'failed'; status: number; body: string } | { at: 'unreadable'; error: unknown };

/** @returns its address @throws UploadRefused · what the source rejects with · the signal's reason */
export async function upload(source: UploadSource, terms: UploadTerms): Promise<string> {
  let { address } = terms;
  let far = 0;
  for (let failures = 0; ; failures++) {
    terms.signal.throwIfAborted();
    const pass = await terms.pass();
    const ended = await attempt(source, terms, {
      pass,
      address,
      begun: async (where) => {
        if (where === address) return;
        address = where;
        await terms.begun(where);
      },
      // What came through says more than what did not.
      accepted: (bytes) => {
        if (bytes > far) failures = 0;
        far = Math.max(far, bytes);
      },
    });
    if (ended.at === 'done') return address!;
    if (ended.at === 'unreadable') throw ended.error;
    terms.signal.throwIfAborted();
    const { code, retryAfterMs } = problemIn(ended.body);
    switch (ended.status) {
      case 401:
        terms.refused(pass);
        break;
      case 404:
      case 410:
        // Nobody went on with it for too long, or the meeting is no more.
        if (address === null || code === 'meetingEnded') throw new UploadRefused(code ?? 'meetingEnded', null);
        address = null;
        far = 0;
        break;
      case 400:
      case 413:
      case 507:
        throw new UploadRefused(code ?? 'badRequest', retryAfterMs);
    }
    await terms.wait(retryAfterMs ?? backoffMs(failures, terms.random()));
  }
}

function attempt(
  source: UploadSource,
  { origin, erase, progress, signal }: UploadTerms,
  given: {
    pass: string;
    address: string | null;
    begun: (address: string) => Promise<void>;
    accepted: (bytes: number) => void;
  },
): Promise<Attempt> {
  return new Promise((resolve) => {
    let unreadable: { error: unknown } | null = null;
    const end = (ended: Attempt): void => {
      signal.removeEventListener('abort', stop);
      resolve(unreadable === null ? ended : { at: 'unreadable', ...unreadable });
    };
    let begun: Promise<void> = Promise.resolve();
    const slice = async (from: number, to: number) => {
      try {
        await begun;
        return { value: await source.read(from, to), done: false };
      } catch (error) {
        unreadable = { error };
        throw error;
      }
    };
    const file = { size: source.bytes, slice, close: () => undefined };
    const running = new Upload(new Blob(), {
      endpoint: `${origin}${BLOBS_PATH}`,
      ...(given.address === null ? {} : { uploadUrl: given.address }),
      uploadSize: source.bytes,
      chunkSize: PIECE_BYTES,
      metadata: { erase },
      headers: { authorization: `Bearer ${given.pass}` },
      // Ours to say when, and nothing of it is kept.
      retryDelays: null,
      storeFingerprintForResuming: false,
      fingerprint: async () => '',
      fileReader: { openFile: async () => file },
      onUploadUrlAvailable: () => {
        if (running.url !== null) begun = given.begun(running.url);
      },
      onProgress: (bytes) => progress(bytes),
      onChunkComplete: (_size, bytes) => given.accepted(bytes),
      onSuccess: () => end({ at: 'done' }),
      onError: (error) => {
        const response = (error as Partial<DetailedError>).originalResponse;
        end({ at: 'failed', status: response?.getStatus() ?? 0, body: response?.getBody() ?? '' });
      },
    });
    const stop = (): void => {
      void running.abort();
      end({ at: 'failed', status: 0, body: '' });
    };
    signal.addEventListener('abort', stop);
    running.start();
  });
}

/** Of problem+json what is needed; the server of tus writes no more. */
function problemIn(body: string): { code: ErrorCode | null; retryAfterMs: number | null } {
  try {
    const { code, retryAfterMs } = JSON.parse(body) as { code?: unknown; retryAfterMs?: unknown };
    return {
      code: errorCodes.find((known) => known === code) ?? null,
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
    };
  } catch {
    return { code: null, retryAfterMs: null };
  }
}
