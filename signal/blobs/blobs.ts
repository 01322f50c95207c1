/**
 * Where sealed files lie: bytes by id, appended to until they are finished, then read by ranges and never changed.
 *
 * Whose they are and whether anybody may is asked elsewhere (service.ts). tests/contract/blobs.contract.ts says what it promises.
 */
import type { Readable } from 'node:stream';

export class BlobNotFound extends Error {}

/** First and last byte, both within it. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

export interface Blobs {
  /** An empty one. */
  begin(id: string): Promise<void>;
  /**
   * Appends what comes, however much that is: what came before the source broke off stays.
   * @returns how long it is now, all of it on the disk
   * @throws BlobNotFound where there is none that is not finished
   */
  append(id: string, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /** How long it is; null: there is none. */
  size(id: string): Promise<number | null>;
  /** From here on it can be read. Again is no error. @throws BlobNotFound */
  finish(id: string): Promise<void>;
  /** Of a finished one. @throws BlobNotFound */
  read(id: string, range: Range): Promise<Readable>;
  /** Finished or not. Idempotent. */
  delete(id: string): Promise<void>;
  /** Those that were begun, and not appended to since: for whoever deletes them. */
  stale(before: number): Promise<string[]>;
  /** All that are there. */
  list(): Promise<string[]>;
}
