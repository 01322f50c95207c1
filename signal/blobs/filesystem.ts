/** Blobs in a folder: `ID.part` while they grow, then `ID`. What is said to be there has reached the disk. */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BlobNotFound, type Blobs, type Range } from './blobs.ts';

const PART = '.part';
/** Ids are base64url: nothing of a path is in them. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

export class FileBlobs implements Blobs {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param folder made where it is missing */
  static async open(folder: string): Promise<FileBlobs> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new FileBlobs(folder);
  }

  async begin(id: string): Promise<void> {
    await (await open(this.#part(id), 'wx', 0o600)).close();
    await this.#sync();
  }

  async append(id: string, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    const file = await open(this.#part(id), 'r+').catch(notFound);
    let end = offset;
    try {
      for await (const chunk of bytes) {
        await file.write(chunk, 0, chunk.length, end);
        end += chunk.length;
      }
    } finally {
      await file.datasync();
      await file.close();
    }
    return end;
  }

  async size(id: string): Promise<number | null> {
    for (const path of [this.#part(id), this.#whole(id)]) {
      const found = await stat(path).catch(none);
      if (found !== null) return found.size;
    }
    return null;
  }

  async finish(id: string): Promise<void> {
    const isRenamed = await rename(this.#part(id), this.#whole(id)).then(() => true, none);
    if (isRenamed) return this.#sync();
    await stat(this.#whole(id)).catch(notFound);
  }

  async read(id: string, { first, last }: Range): Promise<Readable> {
    const file = await open(this.#whole(id), 'r').catch(notFound);
    return file.createReadStream({ start: first, end: last });
  }

  async delete(id: string): Promise<void> {
    for (const path of [this.#part(id), this.#whole(id)]) await rm(path, { force: true });
  }

  async stale(before: number): Promise<string[]> {
    const stale: string[] = [];
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith(PART)) continue;
      const found = await stat(join(this.#folder, name)).catch(none);
      if (found !== null && found.mtimeMs < before) stale.push(name.slice(0, -PART.length));
    }
    return stale;
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#folder);
    return [...new Set(names.map((name) => (name.endsWith(PART) ? name.slice(0, -PART.length) : name)))].filter((id) =>
      ID.test(id),
    );
  }

  #part(id: string): string {
    return this.#whole(id) + PART;
  }

  #whole(id: string): string {
    if (!ID.test(id)) throw new BlobNotFound('no id');
    return join(this.#folder, id);
  }

  /** The names in it, too, are to outlive a power failure. */
  async #sync(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    await folder.sync();
    await folder.close();
  }
}

function none(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

function notFound(error: NodeJS.ErrnoException): never {
  throw error.code === 'ENOENT' ? new BlobNotFound('no such blob', { cause: error }) : error;
}
