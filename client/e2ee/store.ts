/**
 * Where the worker keeps what has to survive a reload: a few named values in the browser's IndexedDB.
 *
 * What is stored can be read by whoever can read this browser's profile: Ed25519 seeds are bytes here, since libsodium
 * cannot use a non-extractable CryptoKey. Group state, leaf keys and frame keys never come here (docs/design.md, "The group").
 */

export interface Store {
  get(name: string): Promise<unknown>;
  /** Structured-cloneable values. */
  put(name: string, value: unknown): Promise<void>;
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
    put: async (name, value) => {
      // Strict: a sequence or a host secret that was used must be on disk before anybody hears of it.
      const transaction = (await open()).transaction(TABLE, 'readwrite', { durability: 'strict' });
      transaction.objectStore(TABLE).put(value, name);
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
    put: async (name, value) => void values.set(name, structuredClone(value)),
  };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('not read'));
  });
}
