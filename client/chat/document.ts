/**
 * The Yjs document of a meeting's chat: a list of sealed entries that grows, on every device the same set of them.
 *
 * Yjs brings changes together in any order and any number of times. What it does not do is believe anybody: whoever is in the
 * meeting can take others' entries out of the list (what others remove is not taken in), or use the numbers that another's browser gives to its changes. So the list only
 * carries entries; which of them count, and in which order they are shown, follows from their signatures (thread.ts), and one that
 * vanished, or came and found its place taken, is put back by whoever has it (chat.ts).
 *
 * What goes by the log alone, and never from browser to browser, lies in a second document that nothing else is given (`quiet`).
 */
import { createDecoder, readVarUint } from 'lib0/decoding';
import { writeVarUint } from 'lib0/encoding';
import * as Y from 'yjs';
import type { ListOutline, ListPart } from '../e2ee/chat/messages.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Where an entry lies in the document: what it takes to tell whether somebody has it. */
export interface Place {
  readonly client: number;
  readonly clock: number;
  /** How many clocks it takes; 1 for an entry. */
  readonly length: number;
}

export interface PlacedEntry {
  readonly bytes: Bytes;
  readonly place: Place;
}

/**
 * Each visit of a page writes into a list of its own, so that its changes build upon nobody else's: the server may drop what is old,
 * and newcomers still find their way into what is not. Its name says whose it is; what others put into it is no entry.
 */
const LIST = 'e';
const listOf = (client: number): string => LIST + client;
/** Clients of the quiet document have numbers from here on, and Yjs draws others' below: so a change says by itself where it belongs. */
const QUIET = 2 ** 32;

/** No structs, and nothing removed. */
const NO_CHANGE_BYTES = 2;

/** What is not to be carried to anybody: it was deleted from the log, or is older than that keeps things. */
export interface Left {
  /** All up to here. */
  readonly before: Vector;
  has(place: Place): boolean;
}

/** Origin of what was written here. */
export const LOCAL = Symbol('local');

export interface DocumentEvents {
  added(entries: readonly PlacedEntry[]): void;
  removed(entries: readonly Bytes[]): void;
  /** Came with a change, and lie nowhere here: their places were taken, or they hang upon what is no list. */
  lost?(entries: readonly Bytes[]): void;
  /** @param origin `LOCAL`, or the provider that it came by */
  updated(update: Bytes, origin: unknown): void;
}

export class ChatDocument {
  readonly doc = new Y.Doc();
  readonly #quiet = new Y.Doc();
  readonly #events: DocumentEvents;
  readonly #lists = new Map([this.doc, this.#quiet].map((doc) => [doc, new Map<string, Y.Array<unknown>>()]));
  /** What is added by `place` comes from it, and is not told besides. */
  #placing: PlacedEntry[] | null = null;

  constructor(events: DocumentEvents) {
    this.#events = events;
    this.beginAnew();
    for (const doc of this.#docs) {
      doc.on('afterTransaction', () => this.#findLists(doc));
      doc.on('update', (update: Uint8Array, origin: unknown) => events.updated(owned(update), origin));
    }
  }

  get #docs(): Y.Doc[] {
    return [this.doc, this.#quiet];
  }

  get #all(): [string, Y.Array<unknown>][] {
    return [...this.#lists.values()].flatMap((lists) => [...lists]);
  }

  /** Every entry that is in the document now. */
  get entries(): Bytes[] {
    return this.#placed.map(({ bytes }) => bytes);
  }

  /** From here on nothing that is written builds upon what was before: that is gone where newcomers come from. */
  beginAnew(): void {
    const [loud, quiet] = crypto.getRandomValues(new Uint32Array(2));
    this.doc.clientID = loud!;
    this.#quiet.clientID = QUIET + quiet!;
  }

  /** @param isQuiet  by the log alone */
  add(entries: readonly Bytes[], isQuiet = false): void {
    const doc = isQuiet ? this.#quiet : this.doc;
    if (entries.length > 0) doc.transact(() => this.#ownList(doc).push([...entries]), LOCAL);
  }

  /**
   * Takes entries out for good and puts others in, in one change. What is not there is no error.
   * @param origin  `LOCAL` is told to others
   * @returns where they lay: a page that ended in the middle may have placed one twice
   */
  replace(gone: readonly Bytes[], others: readonly Bytes[], origin: unknown = LOCAL): Place[] {
    const places: Place[] = [];
    this.#transact(() => {
      for (const [name, list] of this.#all) {
        let index = list.length;
        for (const item of itemsOf(list).reverse()) {
          index -= item.length;
          const found = entriesIn(name, item).find(({ bytes }) => gone.some((entry) => isSameEntry(entry, bytes)));
          if (found === undefined) continue;
          places.push(found.place);
          list.delete(index);
        }
      }
      this.add(others);
    }, origin);
    return places;
  }

  /** Takes in what we kept, with what was removed. */
  restore(updates: readonly Bytes[], origin: unknown): void {
    this.#apply(updates, origin, true);
  }

  /** Takes in what others added. What they removed stays: its author's word removes it here (chat.ts), and nobody else's. @returns false for what is no change of a chat */
  apply(updates: readonly Bytes[], origin: unknown): boolean {
    return this.#apply(updates, origin, false);
  }

  #apply(updates: readonly Bytes[], origin: unknown, hasRemoved: boolean): boolean {
    let isWhole = true;
    this.#transact(() => {
      for (const update of updates) {
        try {
          if (!isOfChat(update)) isWhole = false;
          else {
            const { loud, quiet } = halves(hasRemoved ? update : withoutRemovals(update));
            if (loud !== null) Y.applyUpdate(this.doc, loud, origin);
            if (quiet !== null) Y.applyUpdate(this.#quiet, quiet, origin);
          }
        } catch {
          isWhole = false;
        }
      }
    }, origin);
    const lost = this.#events.lost && updates.filter(isOfChat).flatMap((update) => this.#lostOf(update));
    if (lost && lost.length > 0) this.#events.lost?.(lost);
    return isWhole;
  }

  #lostOf(update: Bytes): Bytes[] {
    return structsOf(update).flatMap((struct) => {
      if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentBinary)) return [];
      const bytes = owned(struct.content.content);
      return this.#holds(struct.id, bytes) ? [] : [bytes];
    });
  }

  /** It is here, where it says; or it waits for what comes before it. */
  #holds({ client, clock }: Y.ID, bytes: Bytes): boolean {
    const doc = client < QUIET ? this.doc : this.#quiet;
    const structs = doc.store.clients.get(client);
    if (structs === undefined || Y.getState(doc.store, client) <= clock) return true;
    const struct = structs[Y.findIndexSS(structs, clock)];
    if (!(struct instanceof Y.Item) || struct.deleted) return false;
    const name = listOf(client);
    const isInList = struct.parent === this.#lists.get(doc)!.get(name);
    return isInList && entriesIn(name, struct).some((one) => isSameEntry(one.bytes, bytes));
  }

  /** Everything, or what somebody lacks who has come as far as `vector`. */
  changes(vector?: Vector): Bytes {
    const [loud, quiet] = this.#docs.map((doc) => owned(Y.encodeStateAsUpdate(doc, vector?.encoded)));
    return quiet!.length === NO_CHANGE_BYTES ? loud! : mergeUpdates([loud!, quiet!]);
  }

  /** How far it goes. */
  get vector(): Vector {
    return new Vector(this.#docs.flatMap((doc) => [...Y.decodeStateVector(Y.encodeStateVector(doc))]));
  }

  /**
   * What a snapshot is made of: every list with how far it goes, and the entries in them; anything else in them is a hole.
   * @param without  what is to be left out: nothing of a client that begins there comes, else it is a hole
   */
  outline(without: Left = NOTHING): { lists: ListOutline[]; entries: { list: number; clock: number; bytes: Bytes }[] } {
    const lists: ListOutline[] = [];
    const entries: { list: number; clock: number; bytes: Bytes }[] = [];
    for (const [doc, client, structs] of this.#docs.flatMap((doc) =>
      [...doc.store.clients].map(([client, structs]) => [doc, client, structs] as const),
    )) {
      if (structs.every((struct) => without.before.covers(placeOf(struct)))) continue;
      const own = this.#lists.get(doc)!.get(listOf(client));
      const list = lists.push({ client, clocks: Y.getState(doc.store, client) }) - 1;
      for (const struct of structs) {
        if (!(struct instanceof Y.Item) || struct.deleted || struct.parent !== own) continue;
        for (const { bytes, place } of entriesIn(listOf(client), struct))
          if (!without.before.covers(place) && !without.has(place)) entries.push({ list, clock: place.clock, bytes });
      }
    }
    return { lists, entries };
  }

  /**
   * Puts entries where they lie for everybody, each list as far as it is given. `added` does not hear of them.
   * @param bytes  all entries of all parts, one behind the other
   * @returns those that were not here before. `index`: of all that were given
   */
  place(
    { parts, bytes, lengths }: { parts: readonly ListPart[]; bytes: Bytes; lengths: readonly number[] },
    origin: unknown,
  ): (PlacedEntry & { index: number | null })[] {
    const given = new Map<string, number>();
    const starts: number[] = [];
    let end = 0;
    for (const length of lengths) {
      starts.push(end);
      end += length;
    }
    const entry = (index: number): Bytes => bytes.subarray(starts[index]!, starts[index]! + lengths[index]!);
    let index = 0;
    const byClient = new Map<number, Y.Item[]>();
    for (const { client, from, to, clocks } of parts) {
      const items: Y.Item[] = [];
      let clock = from;
      const add = (content: Y.ContentBinary | Y.ContentDeleted): void => {
        const before = clock === 0 ? null : Y.createID(client, clock - 1);
        items.push(
          new Y.Item(Y.createID(client, clock), null, before, null, null, listOf(client) as never, null, content),
        );
        clock += content.getLength();
      };
      for (const at of clocks) {
        if (at > clock) add(new Y.ContentDeleted(at - clock));
        given.set(nameOf({ client, clock, length: 1 }), index);
        add(new Y.ContentBinary(entry(index++)));
      }
      if (to > clock) add(new Y.ContentDeleted(to - clock));
      if (items.length > 0) byClient.set(client, items);
    }
    const placed: PlacedEntry[] = (this.#placing = []);
    try {
      this.#transact(() => {
        for (const doc of this.#docs) {
          const own = [...byClient].filter(([client]) => client < QUIET === (doc === this.doc));
          if (own.length > 0) Y.applyUpdate(doc, updateOf(new Map(own)), origin);
        }
      }, origin);
    } finally {
      this.#placing = null;
    }
    return placed.map((one) => {
      const found = given.get(nameOf(one.place));
      return { ...one, index: found !== undefined && same(entry(found), one.bytes) ? found : null };
    });
  }

  /** Entries that it does not show anywhere, with their authors' words unchanged. @param without  what it need not have */
  missingIn(theirs: ChatDocument, without: Left): PlacedEntry[] {
    const there = new Map(theirs.#placed.map(({ place, bytes }) => [nameOf(place), bytes]));
    let names: Set<string> | null = null;
    return this.#placed.filter(({ place, bytes }) => {
      if (without.before.covers(place) || without.has(place)) return false;
      const other = there.get(nameOf(place));
      if (other !== undefined && isSameEntry(other, bytes)) return false;
      // Whoever found it missing may have put it elsewhere.
      names ??= new Set([...there.values()].map(entryName));
      const name = entryName(bytes);
      if (names.has(name)) return false;
      // Once, however often it was put elsewhere: else it is twice as much each time that it goes.
      names.add(name);
      return true;
    });
  }

  /** Into another list of ours, for all: the one before may be what is missing. */
  putBack(entries: readonly PlacedEntry[]): void {
    this.beginAnew();
    for (const isQuiet of [false, true])
      this.add(
        entries.filter(({ place }) => place.client >= QUIET === isQuiet).map(({ bytes }) => bytes),
        isQuiet,
      );
  }

  /** Whether it has entries that were removed here, or that are to be left out. */
  hasLeft(theirs: ChatDocument, without: Left): boolean {
    const [own, vector] = [new Set(this.#placed.map(({ place }) => nameOf(place))), this.vector];
    return theirs.#placed.some(
      ({ place }) =>
        without.has(place) || (!own.has(nameOf(place)) && vector.covers(place)) || without.before.covers(place),
    );
  }

  get #placed(): PlacedEntry[] {
    return this.#all.flatMap(([name, list]) => itemsOf(list).flatMap((item) => entriesIn(name, item)));
  }

  /** Changes came that build upon others which did not. */
  get isWaiting(): boolean {
    return this.#docs.some(({ store }) => store.pendingStructs !== null);
  }

  /** Where a change put what it added. */
  placesOf(update: Bytes): Place[] {
    return structsOf(update).map(placeOf);
  }

  /**
   * The same change as the document has it now: what was removed since is a hole of the same size, so that what came after it still
   * finds its place with whoever knows nothing of it.
   */
  asItIsNow(update: Bytes): Bytes {
    return this.#transact((loud, quiet) => {
      const byClient = new Map<number, (Y.GC | Y.Item)[]>();
      for (const struct of structsOf(update)) {
        const { client, clock } = struct.id;
        const found = within(client < QUIET ? loud : quiet, client, clock, struct.length);
        byClient.set(client, [...(byClient.get(client) ?? []), ...found]);
      }
      // Before the transactions end: then neighbours become one, and their lengths are others.
      return updateOf(byClient);
    });
  }

  #transact<T>(act: (loud: Y.Transaction, quiet: Y.Transaction) => T, origin: unknown = null): T {
    return this.doc.transact((loud) => this.#quiet.transact((quiet) => act(loud, quiet), origin), origin);
  }

  #ownList(doc: Y.Doc): Y.Array<unknown> {
    const name = listOf(doc.clientID);
    return this.#lists.get(doc)!.get(name) ?? this.#take(doc, name);
  }

  /** Lists that came with a change. */
  #findLists(doc: Y.Doc): void {
    const lists = this.#lists.get(doc)!;
    if (doc.share.size === lists.size) return;
    for (const name of [...doc.share.keys()]) {
      if (!name.startsWith(LIST) || lists.has(name)) continue;
      this.#added(itemsOf(this.#take(doc, name)).flatMap((item) => entriesIn(name, item)));
    }
  }

  #take(doc: Y.Doc, name: string): Y.Array<unknown> {
    const list = doc.getArray<unknown>(name);
    this.#lists.get(doc)!.set(name, list);
    list.observe((_event, transaction) => {
      const { added, removed } = changesOf(transaction, { name, list });
      this.#added(added);
      if (removed.length > 0) this.#events.removed(removed);
    });
    return list;
  }

  #added(entries: readonly PlacedEntry[]): void {
    if (this.#placing !== null) this.#placing.push(...entries);
    else if (entries.length > 0) this.#events.added(entries);
  }

  destroy(): void {
    for (const doc of this.#docs) doc.destroy();
  }
}

/** How far somebody has come in each client's changes. */
export class Vector {
  readonly #clocks: Map<number, number>;

  constructor(clocks: Iterable<readonly [number, number]> = []) {
    this.#clocks = new Map(clocks);
  }

  get clocks(): [number, number][] {
    return [...this.#clocks];
  }

  get encoded(): Uint8Array {
    return Y.encodeStateVector(this.#clocks);
  }

  covers({ client, clock }: Place): boolean {
    return (this.#clocks.get(client) ?? 0) > clock;
  }

  /** True if it has everything that a document has, removals apart. */
  isLevelWith(document: ChatDocument): boolean {
    return document.vector.clocks.every(([client, clock]) => (this.#clocks.get(client) ?? 0) >= clock);
  }

  /** Counts everything that a document has of some clients as theirs. */
  cover(document: ChatDocument, clients: ReadonlySet<number>): void {
    for (const [client, clock] of document.vector.clocks) if (clients.has(client)) this.#clocks.set(client, clock);
  }

  /** Whoever had this much has these stretches of lists too. */
  reach(parts: readonly ListPart[]): void {
    for (const { client, from, to } of parts) {
      const known = this.#clocks.get(client) ?? 0;
      if (from <= known && to > known) this.#clocks.set(client, to);
    }
  }

  /** Whoever had this much has this change too. */
  advance(update: Bytes): void {
    // In order of their clocks; with a hole before it, a struct is of no use to them yet.
    for (const { id, length } of structsOf(update)) {
      const known = this.#clocks.get(id.client) ?? 0;
      if (id.clock <= known && id.clock + length > known) this.#clocks.set(id.client, id.clock + length);
    }
  }
}

const NOTHING: Left = { before: new Vector(), has: () => false };

function placeOf({ id: { client, clock }, length }: Y.GC | Y.Item): Place {
  return { client, clock, length };
}

/** Of a place, as a key of maps. */
export function nameOf({ client, clock }: Place): string {
  return `${client} ${clock}`;
}

export function mergeUpdates(updates: readonly Bytes[]): Bytes {
  return owned(Y.mergeUpdates([...updates]));
}

/** Whether a change adds nothing but entries, and holes, to lists of them. */
export function isOfChat(update: Bytes): boolean {
  try {
    return structsOf(update).every((struct) => !(struct instanceof Y.Item) || isOfList(struct));
  } catch {
    return false;
  }
}

function isOfList({ id, content, parent, parentSub }: Y.Item): boolean {
  const isEntry = content instanceof Y.ContentBinary || content instanceof Y.ContentDeleted;
  // As it was decoded: null where it follows from a neighbour.
  return isEntry && parentSub === null && (parent === null || (parent as unknown) === listOf(id.client));
}

/** What of a change is for which document; null: nothing. */
function halves(update: Bytes): { loud: Bytes | null; quiet: Bytes | null } {
  const decoder = createDecoder(update);
  // Nearly all are of one client and remove nothing: the format begins with the count of clients, then that of structs, then the client.
  if (readVarUint(decoder) === 1 && !hasRemovals(update)) {
    readVarUint(decoder);
    return readVarUint(decoder) < QUIET ? { loud: update, quiet: null } : { loud: null, quiet: update };
  }
  const { structs, ds } = Y.decodeUpdate(update);
  const half = (isMeant: (client: number) => boolean): Bytes | null => {
    const byClient = new Map<number, typeof structs>();
    for (const struct of structs.filter(({ id }) => isMeant(id.client))) {
      const ofClient = byClient.get(struct.id.client) ?? [];
      ofClient.push(struct);
      byClient.set(struct.id.client, ofClient);
    }
    const removed = [...ds.clients].filter(([client]) => isMeant(client));
    return byClient.size + removed.length === 0 ? null : updateOf(byClient, removed);
  };
  return { loud: half((client) => client < QUIET), quiet: half((client) => client >= QUIET) };
}

/** Whether all of these entries come with one of these changes, wherever they put them. */
export function areIn(updates: readonly Bytes[], entries: readonly PlacedEntry[]): boolean {
  const names = new Set<string>();
  for (const { content } of updates.flatMap(structsOf).filter((struct) => struct instanceof Y.Item))
    if (content instanceof Y.ContentBinary) names.add(entryName(owned(content.content)));
  return entries.every(({ bytes }) => names.has(entryName(bytes)));
}

/** What a change adds. */
export function withoutRemovals(update: Bytes): Bytes {
  if (!hasRemovals(update)) return update;
  const byClient = new Map<number, (Y.GC | Y.Item | Y.Skip)[]>();
  for (const struct of Y.decodeUpdate(update).structs) {
    const ofClient = byClient.get(struct.id.client) ?? [];
    ofClient.push(struct);
    byClient.set(struct.id.client, ofClient);
  }
  return updateOf(byClient);
}

/** An update ends with the count of clients whose structs it removes, then those (Yjs's update format 1). */
export function hasRemovals(update: Bytes): boolean {
  return update.at(-1) !== 0;
}

type Ranges = readonly { readonly clock: number; readonly len: number }[];

/** A change that adds these, and removes those. What a struct holds no more is written as removed, too. */
export function updateOf(
  byClient: ReadonlyMap<number, readonly (Y.GC | Y.Item | Y.Skip)[]>,
  removed: readonly (readonly [number, Ranges])[] = [],
): Bytes {
  const encoder = new Y.UpdateEncoderV1();
  writeVarUint(encoder.restEncoder, byClient.size);
  for (const [client, structs] of byClient) {
    writeVarUint(encoder.restEncoder, structs.length);
    encoder.writeClient(client);
    writeVarUint(encoder.restEncoder, structs[0]?.id.clock ?? 0);
    for (const struct of structs) struct.write(encoder, 0);
  }
  writeVarUint(encoder.restEncoder, removed.length);
  for (const [client, ranges] of removed) {
    writeVarUint(encoder.restEncoder, client);
    writeVarUint(encoder.restEncoder, ranges.length);
    for (const { clock, len } of ranges) {
      writeVarUint(encoder.restEncoder, clock);
      writeVarUint(encoder.restEncoder, len);
    }
  }
  return owned(encoder.toUint8Array());
}

/** How an entry ends that bears its author's signature (crypto/chatEntry.ts: kinds 3 and 4 are 1 and 2 without it). */
const SIGNATURE_BYTES = 64;

/** The same entry, signed or vouched for. */
export function isSameEntry(a: Bytes, b: Bytes): boolean {
  const [kind, length] = coreOf(a);
  const [otherKind, otherLength] = coreOf(b);
  if (kind !== otherKind || length !== otherLength) return false;
  for (let at = 1; at < length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** As a key of sets: the same for the same entry. */
export function entryName(entry: Bytes): string {
  const [kind, length] = coreOf(entry);
  return `${kind} ${entry.subarray(1, length).join()}`;
}

/** @returns its kind if it had no signature, and where that would begin */
function coreOf(entry: Bytes): [number, number] {
  const kind = entry[0] ?? 0;
  const isSigned = kind === 1 || kind === 2;
  return [isSigned ? kind + 2 : kind, entry.length - (isSigned ? SIGNATURE_BYTES : 0)];
}

function structsOf(update: Bytes): (Y.GC | Y.Item)[] {
  return Y.decodeUpdate(update).structs.filter((struct) => !(struct instanceof Y.Skip));
}

/** The structs of a range, cut at its ends. */
function within(transaction: Y.Transaction, client: number, clock: number, length: number): (Y.GC | Y.Item)[] {
  const { store } = transaction.doc;
  const found: (Y.GC | Y.Item)[] = [];
  for (let at = clock; at < clock + length;) {
    Y.getItemCleanStart(transaction, Y.createID(client, at));
    const structs = store.clients.get(client) ?? [];
    const struct = structs[Y.findIndexSS(structs, at)];
    if (struct === undefined) break;
    if (struct instanceof Y.Item && struct.id.clock + struct.length > clock + length)
      Y.getItemCleanEnd(transaction, store, Y.createID(client, clock + length - 1));
    found.push(struct);
    at = struct.id.clock + struct.length;
  }
  return found;
}

/** What `event.changes` of Yjs says of a list, which walks all of it for each change: here only what is new or gone is looked at. */
function changesOf(
  transaction: Y.Transaction,
  { name, list }: { name: string; list: Y.Array<unknown> },
): { added: PlacedEntry[]; removed: Bytes[] } {
  const { doc, beforeState, afterState, deleteSet } = transaction;
  const added: PlacedEntry[] = [];
  for (const [client, end] of afterState) {
    const start = beforeState.get(client) ?? 0;
    if (end === start) continue;
    const structs = doc.store.clients.get(client) ?? [];
    for (let index = Y.findIndexSS(structs, start); index < structs.length; index++) {
      const struct = structs[index]!;
      if (struct instanceof Y.Item && struct.parent === list && !struct.deleted) added.push(...entriesIn(name, struct));
    }
  }
  const removed: Bytes[] = [];
  Y.iterateDeletedStructs(transaction, deleteSet, (struct) => {
    const isOld = struct.id.clock < (beforeState.get(struct.id.client) ?? 0);
    if (isOld && struct instanceof Y.Item && struct.parent === list)
      removed.push(...entriesIn(name, struct).map(({ bytes }) => bytes));
  });
  return { added, removed };
}

function itemsOf(list: Y.Array<unknown>): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = list._start; item !== null; item = item.right) if (!item.deleted) items.push(item);
  return items;
}

/** @param name of the list in which it lies */
function entriesIn(name: string, item: Y.Item): PlacedEntry[] {
  const { client, clock } = item.id;
  if (name !== listOf(client)) return [];
  // What it held before it was removed is still there while observers look.
  const contents: unknown[] = item.content instanceof Y.ContentBinary ? [item.content.content] : [];
  return contents
    .filter(isBytes)
    .map((bytes, i) => ({ bytes: owned(bytes), place: { client, clock: clock + i, length: 1 } }));
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function owned(bytes: Uint8Array): Bytes {
  return bytes as Bytes;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
