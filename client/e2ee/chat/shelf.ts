/**
 * Where this browser keeps its chats: sealed under a key that nobody can export, which lies beside them.
 *
 * Other scripts and a look at the store get nothing; whoever copies the whole browser profile might. Each record is bound to its
 * name, so none passes for another. Where the browser stores nothing, chats last as long as the worker.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { utf8 } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';

export interface SealedRecord {
  readonly iv: Bytes;
  readonly sealed: ArrayBuffer;
}

/** The raw store: named values, and a growing list for each name. */
export interface ChatStore {
  /** The key of this browser, made when first asked for. */
  key(make: () => Promise<CryptoKey>): Promise<CryptoKey>;
  get(name: string): Promise<SealedRecord | null>;
  /** @param gone  values whose names begin so go in the same step: all or nothing */
  put(name: string, record: SealedRecord, gone?: readonly string[]): Promise<void>;
  /** Of the values whose names begin so. */
  names(beginning: string): Promise<string[]>;
  /** Deletes values whose names begin so. */
  delete(beginnings: readonly string[]): Promise<void>;
  list(name: string): Promise<{ id: number; record: SealedRecord }[]>;
  /**
   * Adds to lists, and takes out of them what is `replaced`: all or nothing.
   * @param more.after  has to be there still, where it is not null: else nothing is done
   * @returns their ids, in the same order
   */
  add(
    records: readonly { name: string; record: SealedRecord }[],
    more: { after: number | null; replaced: readonly number[] },
  ): Promise<number[]>;
  /** Deletes all whose second word this is: names are `what meeting …`. */
  forget(meeting: string): Promise<void>;
}

/** Whether a record is of this meeting. */
export function isOf(meeting: string, name: string): boolean {
  return name.split(' ')[1] === meeting;
}

export class ChatShelf {
  #store: ChatStore;
  readonly #otherwise: () => ChatStore;
  #key: Promise<CryptoKey> | undefined;

  /** @param otherwise makes what takes the place of a store that does not work */
  constructor(store: ChatStore, otherwise: () => ChatStore) {
    this.#store = store;
    this.#otherwise = otherwise;
  }

  /** To be called first. @returns whether what is put here outlives the worker */
  async open(): Promise<boolean> {
    try {
      await this.#own();
      return true;
    } catch {
      this.#store = this.#otherwise();
      this.#key = undefined;
      return false;
    }
  }

  /** @returns null where there is none, or it does not open */
  async get(name: string): Promise<Bytes | null> {
    const record = await this.#store.get(name);
    return record && this.#open(name, record);
  }

  /**
   * @param gone  values whose names begin so go in the same step
   * @throws whatever the browser says when it does not store
   */
  async put(name: string, value: Bytes, gone: readonly string[] = []): Promise<void> {
    await this.#store.put(name, await this.#seal(name, value), gone);
  }

  /** Of the values whose names begin so. */
  names(beginning: string): Promise<string[]> {
    return this.#store.names(beginning);
  }

  /** Values whose names begin so. @throws whatever the browser says when it does not store */
  delete(beginnings: readonly string[]): Promise<void> {
    return this.#store.delete(beginnings);
  }

  /** Oldest first. What does not open is left out. */
  async list(name: string): Promise<{ id: number; value: Bytes }[]> {
    const kept = await this.#store.list(name);
    const opened = await Promise.all(
      kept.map(async ({ id, record }) => ({ id, value: await this.#open(name, record) })),
    );
    return opened.flatMap(({ id, value }) => (value === null ? [] : [{ id, value }]));
  }

  /** @throws whatever the browser says when it does not store */
  async add(
    values: readonly { name: string; value: Bytes }[],
    more: { after: number | null; replaced: readonly number[] },
  ): Promise<number[]> {
    const records = values.map(async ({ name, value }) => ({ name, record: await this.#seal(name, value) }));
    return this.#store.add(await Promise.all(records), more);
  }

  /** @throws whatever the browser says when it does not store */
  forget(meeting: string): Promise<void> {
    return this.#store.forget(meeting);
  }

  async #seal(name: string, value: Bytes): Promise<SealedRecord> {
    const iv = random(12);
    const algorithm = { name: 'AES-GCM', iv, additionalData: bound(name) };
    return { iv, sealed: await crypto.subtle.encrypt(algorithm, await this.#own(), value) };
  }

  async #open(name: string, { iv, sealed }: SealedRecord): Promise<Bytes | null> {
    try {
      const algorithm = { name: 'AES-GCM', iv, additionalData: bound(name) };
      return new Uint8Array(await crypto.subtle.decrypt(algorithm, await this.#own(), sealed));
    } catch {
      return null;
    }
  }

  #own(): Promise<CryptoKey> {
    this.#key ??= this.#store.key(() =>
      crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    );
    return this.#key;
  }
}

function bound(name: string): Bytes {
  return utf8(`parley chat at rest 1\n${name}`);
}
