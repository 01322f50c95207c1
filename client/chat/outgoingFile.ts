/**
 * One file on its way out: made ready, sealed, put. Where it lies is told before anything of it goes there, so that whoever keeps it can go
 * on with it, and whoever takes it back leaves nothing.
 */
import * as z from 'zod/mini';
import { BlobId } from '../../signal/protocol/blobs.ts';
import type { SealedFile } from '../e2ee/chat/messages.ts';
import { FileBody } from './bodies.ts';
import { cleanName, cleanType } from './fileNames.ts';
import { FileError, type FilePut, type Files } from './files.ts';
import type { Picture } from './pictures.ts';
import { thumbnailAddress } from './thumbnails.ts';
import type { Unfiled } from './unfiling.ts';
import { MAX_FILE_BYTES, type StagedFile } from './view.ts';

type State = StagedFile['state'];

/** As it is kept. `blob`: where it was begun, or lies; `isKept`: all of it is kept here, sealed. */
export const KeptFile = z.object({ ...FileBody.shape, blob: z.nullable(BlobId), isKept: z.boolean() });
export type KeptFile = z.infer<typeof KeptFile>;

export interface OutgoingFileTerms {
  readonly files: Pick<Files, 'seal' | 'put' | 'check' | 'end'>;
  readonly readPicture: (file: Blob) => Promise<Picture | null>;
  /** Nobody is to have it any more. */
  readonly unfile: (file: Unfiled) => void;
  readonly changed: () => void;
}

/** What it is made of: a file of this device, or what was kept of one. */
type Source = { readonly file: File } | { readonly kept: KeptFile; readonly open: () => Promise<SealedFile> };

export class OutgoingFile {
  readonly id: string;
  /** It lies elsewhere than before, or nowhere, or is about to: to be kept. Nothing of it goes there, or leaves, before this has resolved. */
  begun: () => Promise<void> = () => Promise.resolve();
  /** All of it is kept here, sealed. */
  isKept = false;
  /** All of it is up. */
  isUp = false;
  /** Sealed, or failed to be. */
  sealed: Promise<void> = Promise.resolve();
  readonly #terms: OutgoingFileTerms;
  readonly #source: Source;
  #picture: Picture | null = null;
  #isOriginal = false;
  #thumbnail: string | null = null;
  #state: State = { at: 'preparing' };
  #body: Omit<FileBody, 'blob'> | null = null;
  #blob: string | null = null;
  #handle: Promise<SealedFile> | null = null;
  #stop = new AbortController();

  constructor(id: string, source: Source, terms: OutgoingFileTerms) {
    this.id = id;
    this.#source = source;
    this.#terms = terms;
    if ('kept' in source) {
      const { blob, isKept, ...body } = source.kept;
      [this.#body, this.#blob, this.isKept] = [body, blob, isKept];
      if (body.picture) this.#thumbnail = thumbnailAddress(body.picture);
    }
  }

  get hasFailed(): boolean {
    return this.#state.at === 'failed';
  }

  /** As its message names it, once it is up. */
  get body(): FileBody {
    return { ...this.#body!, blob: this.#blob! };
  }

  /** Null until it is sealed. */
  get kept(): KeptFile | null {
    return this.#body && { ...this.#body, blob: this.#blob, isKept: this.isKept };
  }

  /** Pieces of it are to be had here. */
  get handle(): Promise<SealedFile> | null {
    return this.#handle;
  }

  view(isOnline: boolean): StagedFile {
    const [source, state] = [this.#source, this.#state];
    return {
      id: this.id,
      name: 'kept' in source ? source.kept.name : cleanName(source.file.name),
      size: 'kept' in source ? source.kept.size : source.file.size,
      thumbnail: this.#thumbnail,
      original: this.#picture?.redrawn ? this.#isOriginal : null,
      state: state.at === 'uploading' && !isOnline ? { at: 'waiting' } : state,
    };
  }

  begin(): void {
    const source = this.#source;
    if ('file' in source) {
      this.sealed = this.#prepare(source.file);
      return;
    }
    if (this.isKept) void this.#upload();
    else if (this.#blob !== null) void this.#check(this.#blob);
    else this.#become({ at: 'failed', why: 'gone' });
  }

  /** What has failed is tried again. */
  retry(): void {
    if (this.#state.at !== 'failed' || this.#state.why === 'tooLarge') return;
    if ('kept' in this.#source) this.begin();
    else if (this.#body !== null) void this.#upload();
    else this.sealed = this.#seal(this.#source.file);
  }

  asOriginal(isOriginal: boolean): void {
    const source = this.#source;
    if (!('file' in source) || !this.#picture?.redrawn || this.#isOriginal === isOriginal) return;
    this.takeBack();
    this.#isOriginal = isOriginal;
    this.#stop = new AbortController();
    this.sealed = this.#seal(source.file);
  }

  /** What lies on the server of it goes. */
  takeBack(): void {
    this.#stop.abort();
    this.#unfile();
    this.#end();
  }

  /** It goes on no further here. */
  close(): void {
    this.#stop.abort();
    this.#end();
    if (this.#thumbnail?.startsWith('blob:')) URL.revokeObjectURL(this.#thumbnail);
  }

  async #prepare(file: File): Promise<void> {
    const { signal } = this.#stop;
    if (file.size > MAX_FILE_BYTES) return this.#become({ at: 'failed', why: 'tooLarge' });
    this.#picture = await this.#terms.readPicture(file).catch(() => null);
    if (signal.aborted) return;
    if (this.#picture !== null)
      this.#thumbnail = URL.createObjectURL(new Blob([this.#picture.thumbnail], { type: 'image/jpeg' }));
    await this.#seal(file);
  }

  async #seal(file: File): Promise<void> {
    const { signal } = this.#stop;
    const content = this.#isOriginal ? file : (this.#picture?.redrawn ?? file);
    this.#become({ at: 'uploading', share: 0 });
    const handle = (this.#handle = this.#terms.files.seal(content));
    try {
      const { key } = await handle;
      if (signal.aborted) return;
      this.#body = { key, size: content.size, name: cleanName(file.name), type: cleanType(file.type) };
      if (this.#picture !== null) {
        const { width, height, thumbnail } = this.#picture;
        this.#body.picture = { width, height, thumbnail: textOf(thumbnail) };
      }
      void this.#upload();
    } catch {
      if (!signal.aborted) this.#become({ at: 'failed', why: 'refused' });
    }
  }

  async #upload(): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const key = this.#body!.key;
    this.#become({ at: 'uploading', share: 0 });
    const given: FilePut = {
      open: () => this.#open(),
      blob: this.#blob,
      begun: async (blob) => {
        if (signal.aborted) return this.#terms.unfile({ blob, key });
        this.#blob = blob;
        await this.begun();
      },
      progress: (share) => {
        if (!signal.aborted) this.#become({ at: 'uploading', share });
      },
      signal,
    };
    try {
      await this.#terms.files.put(given);
      if (signal.aborted) return;
      this.isUp = true;
      this.#become({ at: 'ready' });
    } catch (error) {
      if (signal.aborted) return;
      const blob = this.#blob;
      this.#blob = null;
      // Whoever goes on with what is kept would go on there, and lose it then.
      await this.begun();
      if (blob !== null) this.#terms.unfile({ blob, key });
      if (!signal.aborted) this.#become({ at: 'failed', why: error instanceof FileError ? error.fault : 'refused' });
    }
  }

  /** It may have left the server: then it goes up once more. */
  again(): void {
    if (!this.isUp) return;
    this.isUp = false;
    void this.#check(this.#blob!);
  }

  /** It was up: that may be long ago, and whoever runs a meeting may delete. */
  async #check(blob: string): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#become({ at: 'uploading', share: 1 });
    try {
      await this.#terms.files.check(blob, signal);
      if (signal.aborted) return;
      this.isUp = true;
      this.#become({ at: 'ready' });
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof FileError ? error.fault : 'refused';
      const isHere = 'file' in this.#source || this.isKept;
      if (why !== 'gone' || !isHere) return this.#become({ at: 'failed', why });
      this.#blob = null;
      await this.#upload();
    }
  }

  #open(): Promise<SealedFile> {
    const source = this.#source;
    if ('file' in source) return this.#handle!;
    this.#handle ??= source.open().catch((error: unknown) => {
      this.#handle = null;
      throw error;
    });
    return this.#handle;
  }

  #unfile(): void {
    if (this.#blob !== null && this.#body !== null) this.#terms.unfile({ blob: this.#blob, key: this.#body.key });
    this.#blob = null;
    this.isUp = false;
  }

  #end(): void {
    void this.#handle?.then(
      (sealed) => this.#terms.files.end(sealed),
      () => undefined,
    );
    this.#handle = null;
  }

  #become(state: State): void {
    this.#state = state;
    this.#terms.changed();
  }
}

/** base64url (RFC 4648 §5) */
function textOf(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
