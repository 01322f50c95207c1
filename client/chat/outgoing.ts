/**
 * Files on their way out: staged beside what is being written, going up meanwhile, then with a message that waits for them.
 *
 * A message is written only after its files are up, so nobody ever gets one whose files nobody has. What is taken back, or given up, is
 * deleted from the server. All of it ends with the page: what has not been written by then was never sent.
 */
import type { FileBody } from './bodies.ts';
import { FileError, type FilePlace, type Files } from './files.ts';
import { cleanName, cleanType } from './fileNames.ts';
import type { Picture } from './pictures.ts';
import { type ChatPerson, MAX_FILE_BYTES, MAX_FILES, type Outgoing, type StagedFile } from './view.ts';

type State = StagedFile['state'];

interface Staged {
  readonly id: string;
  readonly file: File;
  picture: Picture | null;
  isOriginal: boolean;
  thumbnail: string | null;
  state: State;
  place: FilePlace | null;
  /** Ends its upload. */
  stop: AbortController;
}

interface Message {
  readonly text: string;
  readonly replyTo: string | null;
  readonly to: string | null;
}

interface Group extends Message {
  readonly id: string;
  readonly files: Staged[];
  isFailed: boolean;
  isWriting: boolean;
}

export interface OutgoingTerms {
  readonly files: Pick<Files, 'put' | 'delete'>;
  /** False: what should go up waits. */
  readonly isOnline: () => boolean;
  readonly readPicture: (file: Blob) => Promise<Picture | null>;
  /** @returns whether it was */
  readonly write: (message: Message, files: FileBody[]) => Promise<boolean>;
  readonly changed: () => void;
}

export class OutgoingFiles {
  readonly #terms: OutgoingTerms;
  #staged: Staged[] = [];
  #groups: Group[] = [];
  #made = 0;

  constructor(terms: OutgoingTerms) {
    this.#terms = terms;
  }

  get staged(): StagedFile[] {
    return this.#staged.map((one) => this.#view(one));
  }

  /** How many messages have not been written yet. */
  get waiting(): number {
    return this.#groups.length;
  }

  outgoing(person: (id: string) => ChatPerson): Outgoing[] {
    return this.#groups.map(({ id, text, to, files, isFailed }) => ({
      id,
      text,
      to: to === null ? null : person(to),
      files: files.map((one) => this.#view(one)),
      failed: isFailed,
    }));
  }

  /** @returns how many were left */
  add(files: readonly File[]): number {
    const fitting = files.slice(0, MAX_FILES - this.#staged.length);
    for (const file of fitting) {
      const id = `file ${this.#made++}`;
      const stop = new AbortController();
      const state: State = { at: 'preparing' };
      const staged = { id, file, picture: null, isOriginal: false, thumbnail: null, state, place: null, stop };
      this.#staged.push(staged);
      void this.#prepare(staged);
    }
    this.#terms.changed();
    return files.length - fitting.length;
  }

  remove(id: string): void {
    const one = this.#staged.find((staged) => staged.id === id);
    if (one === undefined) return;
    this.#staged = this.#staged.filter((staged) => staged !== one);
    this.#drop(one);
    this.#terms.changed();
  }

  asOriginal(id: string, isOriginal: boolean): void {
    const one = this.#staged.find((staged) => staged.id === id);
    if (one === undefined || !one.picture?.redrawn || one.isOriginal === isOriginal) return;
    this.#takeBack(one);
    one.isOriginal = isOriginal;
    void this.#upload(one);
  }

  /** Takes what is staged along with these words. */
  send(message: Message): void {
    const id = `message ${this.#made++}`;
    this.#groups.push({ ...message, id, files: this.#staged, isFailed: false, isWriting: false });
    this.#staged = [];
    this.#look();
  }

  retry(id: string): void {
    const group = this.#groups.find((one) => one.id === id);
    if (group) group.isFailed = false;
    for (const one of group?.files ?? this.#staged.filter((staged) => staged.id === id))
      if (one.state.at === 'failed' && one.state.why !== 'tooLarge') void this.#upload(one);
    this.#look();
  }

  giveUp(id: string): void {
    const group = this.#groups.find((one) => one.id === id);
    if (group === undefined || group.isWriting) return;
    this.#groups = this.#groups.filter((one) => one !== group);
    for (const one of group.files) this.#drop(one);
    this.#terms.changed();
  }

  /** Nothing goes on, and nothing is deleted: whoever opens the page again begins anew. */
  close(): void {
    for (const one of [...this.#staged, ...this.#groups.flatMap(({ files }) => files)]) {
      one.stop.abort();
      forget(one);
    }
  }

  #view({ id, file, picture, isOriginal, thumbnail, state }: Staged): StagedFile {
    const isWaiting = state.at === 'uploading' && !this.#terms.isOnline();
    return {
      id,
      name: cleanName(file.name),
      size: file.size,
      thumbnail,
      original: picture?.redrawn ? isOriginal : null,
      state: isWaiting ? { at: 'waiting' } : state,
    };
  }

  async #prepare(one: Staged): Promise<void> {
    const { signal } = one.stop;
    if (one.file.size > MAX_FILE_BYTES) return this.#become(one, { at: 'failed', why: 'tooLarge' });
    one.picture = await this.#terms.readPicture(one.file).catch(() => null);
    if (signal.aborted) return;
    if (one.picture !== null)
      one.thumbnail = URL.createObjectURL(new Blob([one.picture.thumbnail], { type: 'image/jpeg' }));
    await this.#upload(one);
  }

  async #upload(one: Staged): Promise<void> {
    one.stop = new AbortController();
    const { signal } = one.stop;
    const content = contentOf(one);
    this.#become(one, { at: 'uploading', share: 0 });
    try {
      const progress = (share: number): void => {
        if (!signal.aborted) this.#become(one, { at: 'uploading', share });
      };
      const place = await this.#terms.files.put(content, { progress, signal });
      if (signal.aborted) return void this.#delete(place);
      one.place = { ...place, size: content.size };
      this.#become(one, { at: 'ready' });
    } catch (error) {
      if (!signal.aborted)
        this.#become(one, { at: 'failed', why: error instanceof FileError ? error.fault : 'refused' });
    }
  }

  #become(one: Staged, state: State): void {
    one.state = state;
    this.#look();
  }

  /** Writes what is ready, in the order in which it was sent. */
  #look(): void {
    for (const group of this.#groups) {
      if (group.files.some(({ state }) => state.at === 'failed')) group.isFailed = true;
      if (group.isWriting) break;
      if (group.isFailed) continue;
      if (group.files.some(({ place }) => place === null)) break;
      void this.#write(group);
      break;
    }
    this.#terms.changed();
  }

  async #write(group: Group): Promise<void> {
    group.isWriting = true;
    const { text, replyTo, to, files } = group;
    const isWritten = await this.#terms.write({ text, replyTo, to }, files.map(bodyOf)).catch(() => false);
    group.isWriting = false;
    group.isFailed = !isWritten;
    if (isWritten) {
      this.#groups = this.#groups.filter((one) => one !== group);
      for (const one of files) forget(one);
    }
    this.#look();
  }

  #drop(one: Staged): void {
    this.#takeBack(one);
    forget(one);
  }

  #takeBack(one: Staged): void {
    one.stop.abort();
    if (one.place !== null) this.#delete(one.place);
    one.place = null;
  }

  /** Where that fails it goes with its time. */
  #delete({ blob, key }: Pick<FilePlace, 'blob' | 'key'>): void {
    void this.#terms.files.delete(blob, key).catch(() => undefined);
  }
}

function contentOf({ file, picture, isOriginal }: Staged): Blob {
  return isOriginal ? file : (picture?.redrawn ?? file);
}

function bodyOf(one: Staged): FileBody {
  const { file, picture, place } = one;
  return {
    ...place!,
    name: cleanName(file.name),
    type: cleanType(file.type),
    ...(picture === null
      ? {}
      : { picture: { width: picture.width, height: picture.height, thumbnail: textOf(picture.thumbnail) } }),
  };
}

function forget({ thumbnail }: Staged): void {
  if (thumbnail !== null) URL.revokeObjectURL(thumbnail);
}

/** base64url (RFC 4648 §5) */
function textOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
