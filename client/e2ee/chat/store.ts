/** The stores that a shelf may stand on: this browser's IndexedDB, or memory. */
import { isOf, type ChatStore, type SealedRecord } from './shelf.ts';

const DATABASE = 'parley chat';
const VALUES = 'values';
const LISTS = 'lists';
const KEY = 'key';

/** Opened when first used. Calls reject where the browser does not let us store, as in some private windows. */
export function browserChatStore(): ChatStore {
  let opening: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(VALUES);
        request.result.createObjectStore(LISTS, { autoIncrement: true }).createIndex('name', 'name');
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('no storage'));
    });
    return opening;
  };
  const write = async (act: (values: IDBObjectStore, lists: IDBObjectStore) => void): Promise<void> => {
    // Strict: what the person has been shown as kept must outlive a power failure.
    const transaction = (await open()).transaction([VALUES, LISTS], 'readwrite', { durability: 'strict' });
    act(transaction.objectStore(VALUES), transaction.objectStore(LISTS));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error('not stored'));
    });
  };
  const read = async <T>(table: string, ask: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> =>
    done(ask((await open()).transaction(table, 'readonly').objectStore(table)));
  return {
    async key(make) {
      const found: unknown = await read(VALUES, (table) => table.get(KEY) as IDBRequest<unknown>);
      if (found instanceof CryptoKey) return found;
      const made = await make();
      // Two tabs may come here at once: the first to store it wins.
      await write((values) => void (values.add(made, KEY).onerror = (event) => event.preventDefault()));
      return (await read(VALUES, (table) => table.get(KEY) as IDBRequest<CryptoKey | undefined>)) ?? made;
    },
    get: async (name) =>
      (await read(VALUES, (table) => table.get(`value ${name}`) as IDBRequest<SealedRecord | undefined>)) ?? null,
    put: (name, record, gone = []) =>
      write((values) => {
        for (const beginning of gone) values.delete(beginningWith(beginning));
        values.put(record, `value ${name}`);
      }),
    names: async (beginning) =>
      (await read(VALUES, (table) => table.getAllKeys(beginningWith(beginning)))).map((key) =>
        String(key).slice('value '.length),
      ),
    delete: (beginnings) =>
      write((values) => {
        for (const beginning of beginnings) values.delete(beginningWith(beginning));
      }),
    async list(name) {
      const table = (await open()).transaction(LISTS, 'readonly').objectStore(LISTS);
      const index = table.index('name');
      const [keys, values] = await Promise.all([
        done(index.getAllKeys(name)),
        done(index.getAll(name) as IDBRequest<{ record: SealedRecord }[]>),
      ]);
      return values.map(({ record }, i) => ({ id: keys[i] as number, record }));
    },
    async add(records, { after, replaced }) {
      let adding: IDBRequest<IDBValidKey>[] = [];
      const act = (lists: IDBObjectStore): void => {
        for (const id of replaced) lists.delete(id);
        adding = records.map((one) => lists.add(one));
      };
      await write((_, lists) => {
        if (after === null) return act(lists);
        const asking = lists.count(after);
        asking.onsuccess = () => (asking.result === 0 ? lists.transaction.abort() : act(lists));
      });
      return adding.map(({ result }) => result as number);
    },
    forget: (meeting) =>
      write((values, lists) => {
        const names = values.getAllKeys();
        names.onsuccess = () => {
          const found = names.result.filter((name) => isOf(meeting, String(name).slice('value '.length)));
          for (const name of found) values.delete(name);
        };
        const each = lists.index('name').openCursor();
        each.onsuccess = () => {
          const cursor = each.result;
          if (cursor !== null && isOf(meeting, String(cursor.key))) cursor.delete();
          cursor?.continue();
        };
      }),
  };
}

/** Remembers for as long as it lives: for browsers that store nothing, and for tests. */
export function memoryChatStore(): ChatStore {
  const values = new Map<string, SealedRecord>();
  const lists = new Map<string, { id: number; record: SealedRecord }[]>();
  let key: Promise<CryptoKey> | undefined;
  let nextId = 1;
  const drop = (beginnings: readonly string[]): void => {
    for (const name of values.keys()) if (beginnings.some((one) => name.startsWith(one))) values.delete(name);
  };
  return {
    key: (make) => (key ??= make()),
    get: async (name) => values.get(name) ?? null,
    async put(name, record, gone = []) {
      drop(gone);
      values.set(name, record);
    },
    names: async (beginning) => [...values.keys()].filter((name) => name.startsWith(beginning)),
    delete: async (beginnings) => drop(beginnings),
    list: async (name) => [...(lists.get(name) ?? [])],
    async add(records, { after, replaced }) {
      const isThere = [...lists.values()].some((list) => list.some(({ id }) => id === after));
      if (after !== null && !isThere) throw new Error('not stored');
      for (const [name, list] of lists)
        lists.set(
          name,
          list.filter(({ id }) => !replaced.includes(id)),
        );
      return records.map(({ name, record }) => {
        const id = nextId++;
        lists.set(name, [...(lists.get(name) ?? []), { id, record }]);
        return id;
      });
    },
    async forget(meeting) {
      for (const map of [values, lists]) for (const name of map.keys()) if (isOf(meeting, name)) map.delete(name);
    },
  };
}

/** Names are ASCII. */
function beginningWith(beginning: string): IDBKeyRange {
  return IDBKeyRange.bound(`value ${beginning}`, `value ${beginning}\uffff`);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('not read'));
  });
}
