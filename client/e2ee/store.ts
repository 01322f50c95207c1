/**
 * Where the worker keeps what has to survive a reload: a few named values in the browser's IndexedDB.
 *
 * What is stored can be read by whoever can read this browser's profile: Ed25519 seeds are bytes here, since libsodium
 * cannot use a non-extractable CryptoKey. What a password turned into is sealed first (tabSecret.ts). Group state, leaf keys and frame keys never come here (docs/design.md, "The group").
 */

export interface Store {
  get(name: string): Promise<unknown>;
  /**
   * Replaces a value by what `change` makes of it, with nothing of another tab in between.
   * @param change of a structured-cloneable value, undefined where there is none; called once, synchronous
   */
  update(name: string, change: (value: unknown) => unknown): Promise<void>;
}

const DATABASE = 'parley keys';
const TABLE = 'values';

/** Opened when first used. Calls reject where the browser does not let us store, as in some private windows. */
export function browserStore(): Store {
  let opening: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('no storage'));
    });
    return opening;
  };
  return {
    get: async (name) => {
      const table = (await open()).transaction(TABLE, 'readonly').objectStore(TABLE);
      return done(table.get(name));
    },
    update: async (name, change) => {
      // Strict: a sequence or a host secret that was used must be on disk before anybody hears of it.
      const transaction = (await open()).transaction(TABLE, 'readwrite', { durability: 'strict' });
      const table = transaction.objectStore(TABLE);
      const reading = table.get(name);
      reading.onsuccess = () => table.put(change(reading.result), name);
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error('not stored'));
      });
    },
  };
}

/** Remembers for as long as it lives: for browsers that store nothing, and for tests. */
export function memoryStore(): Store {
  const values = new Map<string, unknown>();
  return {
    get: async (name) => structuredClone(values.get(name)),
    update: async (name, change) => void values.set(name, structuredClone(change(structuredClone(values.get(name))))),
  };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('not read'));
  });
}
