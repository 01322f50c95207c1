/**
 * Files that nobody is to have any more, until they have left the server: of erased entries, and of messages that were not sent after all.
 * Kept with what this browser knows of the chat (kept.ts), so they go after the page has ended, too.
 */
import { FileError, type FilePlace, type Files } from './files.ts';

export type Unfiled = Pick<FilePlace, 'blob' | 'key'>;

const AGAIN_MS = 3000;

export interface UnfilingTerms {
  readonly files: Pick<Files, 'delete'>;
  /** What went before is in the log: an entry that is still there would name a file that is gone. */
  readonly isLevel: () => boolean;
  /** Other ones are left: to be kept. */
  readonly changed: () => void;
  readonly after: (ms: number, run: () => void) => void;
}

export class Unfiling {
  readonly #terms: UnfilingTerms;
  #left: readonly Unfiled[];
  #isBusy = false;
  #isClosed = false;

  constructor(terms: UnfilingTerms, left: readonly Unfiled[]) {
    this.#terms = terms;
    this.#left = left;
  }

  get left(): readonly Unfiled[] {
    return this.#left;
  }

  /** They go once `look` finds a way; whoever calls keeps what is `left`. */
  add(files: readonly Unfiled[]): void {
    this.#left = [...this.#left, ...files];
  }

  /** To be called when there may be a way. */
  look(): void {
    const [next] = this.#left;
    const { files, isLevel, changed, after } = this.#terms;
    if (next === undefined || this.#isBusy || this.#isClosed || !isLevel()) return;
    this.#isBusy = true;
    const end = (isDone: boolean): void => {
      this.#isBusy = false;
      if (isDone) this.#left = this.#left.filter((one) => one !== next);
      if (this.#isClosed) return;
      changed();
      this.look();
    };
    files.delete(next.blob, next.key).then(
      () => end(true),
      // What the server refuses it would refuse again: with its time it goes too.
      (error: unknown) => after(AGAIN_MS, () => end(error instanceof FileError)),
    );
  }

  close(): void {
    this.#isClosed = true;
  }
}
