/**
 * One meeting's chat on this device: the document, the ways by which it reaches others, and the conversation that it comes to.
 *
 * What is written here is sealed and signed by the worker, kept on this browser's disk, shown, and then handed to every way. What
 * comes is shown once the worker has proven its author. Entries that somebody else took out of the document come back from here.
 */
import type { EntryVerdict, ReadEntry } from '../e2ee/chat/messages.ts';
import { Cursors } from '../notes/cursors.ts';
import { Notes } from '../notes/notes.ts';
import { Alarms, type Alarm } from './alarms.ts';
import { bodyFrom, isNote, type Body, type Told } from './bodies.ts';
import type { PlacedEntry } from './document.ts';
import { ChatDocument, entryName, isSameEntry, LOCAL, nameOf, type Place } from './document.ts';
import { Files } from './files.ts';
import { Kept, memoryFrom, type Memory } from './kept.ts';
import { Presence } from './presence.ts';
import { Direct, type DirectTerms } from './providers/direct.ts';
import type { ChatLine, ChatPort } from './providers/signal.ts';
import { SignalProvider } from './providers/signal.ts';
import type { SnapshotBlock } from './providers/snapshots.ts';
import { unsay } from './providers/unsay.ts';
import { Reading } from './reading.ts';
import { Thread } from './thread.ts';
import { type Unfiled, Unfiling } from './unfiling.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Entries opened in one go: between two of these others have their turn. */
const BATCH = 1000;
/** What came with a snapshot is shown before it is kept. */
const KEEP_MS = 300;
/** As Yjs writes that nothing is another. */
const NO_CHANGE = Uint8Array.of(0, 0);
/** More than these are no entries whose signature is on its way. */
const MAX_UNPROVEN = 1000;
/** Whoever has an entry that vanished puts it back after a part of this, unless another was faster. */
const RESTORE_MS = 3000;
/** Entries whose time is further ahead than this do not pull ours along. */
const CLOCK_MS = 5 * 60_000;
/** Who vanishes right after writing has written not long ago. */
const CARRIED_MS = 10 * 60_000;
const UNSAY_MS = 3000;
/** Some 200 kB; less is read faster one by one than it is made. */
const SNAPSHOT_AFTER = 500;
/** Entries that may be for us alone are tried so many at a time: between two of these the worker does what cannot wait. */
const UNLOCKED = 8;
/** Whoever comes may not hold the key that our card lies under. Many come at once. */
const CARD_MS = 5000;
const DAY_MS = 86_400_000;

export interface ChatOptions {
  readonly port: ChatPort;
  readonly line: ChatLine;
  /** How we are called now. */
  readonly name: () => string;
  /** Something is another now. */
  readonly changed: () => void;
  /** A host has deleted what was written, and its files. */
  readonly cleared?: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => () => void;
  readonly random: () => number;
  /** So many items of the log are worth a snapshot. */
  readonly snapshotAfter?: number;
  /** Where files are put and fetched; without: at the page's own server. */
  readonly files?: Files;
  /** Opens the direct way; null: there is none. */
  readonly openDirect: DirectTerms['open'] | null;
}

export class Chat {
  readonly thread = new Thread();
  readonly signal: SignalProvider;
  readonly presence: Presence;
  readonly reading: Reading;
  readonly notes: Notes;
  readonly files: Files;
  readonly cursors: Cursors;
  readonly #direct: Direct | null;
  readonly #options: ChatOptions;
  readonly #document: ChatDocument;
  readonly #alarms: Alarms;
  /** Of entries by id: as they lie in the document, and where. */
  readonly #bytes = new Map<string, Bytes>();
  readonly #places = new Map<string, Place>();
  #hidden: PlacedEntry[] = [];
  /** Nobody has vouched for these yet. */
  #unproven: PlacedEntry[] = [];
  /** Names of places of what is no entry that anybody has signed. */
  readonly #refused = new Set<string>();
  #notesSeen: number;
  #unsaid: Place[];
  #unsaying = false;
  readonly #unfiling: Unfiling;
  #writing: Promise<void> = Promise.resolve();
  #reading: Promise<void> = Promise.resolve();
  readonly #kept: Kept;
  /** Of what was written last; another begins a list of its own, which builds upon nothing that newcomers cannot open. */
  #run: string | null = null;
  #canWrite = true;
  /** May be for us alone, oldest first. */
  #locked: PlacedEntry[] = [];
  #unlocking: Promise<void> = Promise.resolve();
  /** We can be written to alone: whoever comes has to find our card. */
  #isOpen = false;
  #isCardDue = false;
  #isClosed = false;
  #isCleared = false;
  readonly #lost = new Set<string>();
  readonly self: string;
  readonly isHost: boolean;

  private constructor(
    options: ChatOptions,
    begun: { self: string; host: boolean; memory: Memory | null; again: boolean; kept: number },
  ) {
    const { memory } = begun;
    this.#options = options;
    this.self = begun.self;
    this.isHost = begun.host;
    this.reading = new Reading(this.thread, { self: begun.self, memory: memory?.read ?? null });
    this.#notesSeen = memory?.notesSeen ?? 0;
    this.#unsaid = [...(memory?.unsaid ?? [])];
    this.files = options.files ?? new Files(options);
    const unfiling = {
      files: this.files,
      isLevel: () => this.signal.isLevel,
      changed: () => this.#keep(null),
      after: options.after,
    };
    this.#unfiling = new Unfiling(unfiling, memory?.files ?? []);
    this.#alarms = new Alarms({
      thread: this.thread,
      // What is not for us may be what others build upon.
      isWaiting: () => this.#document.isWaiting && !this.signal.hasHidden && !this.signal.isCut,
      isGone: (id) => {
        const place = id === null ? undefined : this.#places.get(id);
        return id === null ? this.signal.isCut : place !== undefined && this.signal.isGone(place);
      },
      ...{ changed: options.changed, now: options.now, after: options.after },
    });
    this.#document = new ChatDocument({
      added: (entries) => this.#added(entries),
      removed: (entries) => this.#removed(entries),
      lost: (entries) => this.#found(entries),
      updated: (update, origin) => this.#updated(update, origin),
    });
    this.#kept = new Kept(options.port, this.#document, begun.kept);
    this.signal = new SignalProvider({
      line: options.line,
      port: options.port,
      document: this.#document,
      memory: memory?.signal ?? null,
      again: begun.again,
      moved: () => {
        this.#keep(null);
        this.files.moved(this.signal.state === 'online');
        this.#unsay();
        this.#unfiling.look();
        this.#direct?.moved();
        options.changed();
      },
      alarm: (is, by) => this.#alarms.raise(is, by),
      ringCame: () => {
        this.#openHidden();
        this.termsMoved();
      },
      heard: (body) => void this.presence.heard(body).catch(() => undefined),
      cleared: () => {
        this.#isCleared = true;
        options.cleared?.();
        options.changed();
      },
      unsent: () => this.#unsent(),
      now: options.now,
      after: options.after,
      random: options.random,
      old: (before) => this.#old(before),
      spared: (before) => this.#spared(before),
      place: (block) => this.#takeBlock(block),
      placed: () => this.#placed(),
      isOthers: (update) => this.#isOthers(update),
      snapshotAfter: options.snapshotAfter ?? SNAPSHOT_AFTER,
    });
    const { line, port, now, after, name, changed, openDirect: open } = options;
    const { self, signal } = this;
    const came = () => this.#cardSoon();
    const write = (body: Body) => this.write([body]);
    const notesChanged = (): void => {
      this.cursors.look();
      changed();
    };
    this.notes = new Notes({
      self,
      write,
      changed: notesChanged,
      forged: () => this.#alarms.raise('forged'),
      now,
      after,
    });
    const whisper = (said: Parameters<Presence['note']>[0]): void => this.presence.note(said);
    this.cursors = new Cursors({ notes: this.notes, whisper, changed, now, after });
    const notes = {
      own: () => this.cursors.own,
      heard: (author: string, said: Parameters<Cursors['heard']>[1]) => this.cursors.heard(author, said),
    };
    const reading = {
      told: (author: string | null) => this.reading.told(author),
      heard: (reader: string, told: Told) => {
        if (this.reading.heard(reader, told)) this.#keep(null);
      },
    };
    this.presence = new Presence({ self, port, signal, name, reading, notes, came, changed, now, after });
    const sealed = () => ({ state: signal.state, isDone: signal.isLevel || signal.isFull });
    this.#direct = open && new Direct({ line, port, document: this.#document, sealed, open, now, after });
  }

  /** Takes up what this browser keeps. @throws CallError where the worker has no chat to open */
  static async open(options: ChatOptions): Promise<Chat> {
    const { self, host, updates, last, states, isPast, again } = await options.port.call('chat.begin', {});
    const chat = new Chat(options, { self, host, memory: memoryFrom(states), again, kept: updates.length });
    // A host may be in the middle of making the next link.
    if (isPast && !host) chat.#alarms.raise('rolledBack');
    chat.#document.restore(updates, KEPT);
    await chat.#reading;
    await chat.#stand();
    await chat.#place(last);
    return chat;
  }

  get alarms(): readonly Alarm[] {
    return this.#alarms.all;
  }

  /** Since the page has it open, a host has deleted what was written. */
  get isCleared(): boolean {
    return this.#isCleared;
  }

  /** Entries that cannot be opened here. */
  get hidden(): number {
    return this.#hidden.length;
  }

  /** What is written here can be read by somebody, one day. */
  get canWrite(): boolean {
    return this.#canWrite;
  }

  /** Others have changed the notes since we looked. */
  get hasNewNotes(): boolean {
    return this.notes.newest > this.#notesSeen;
  }

  /** Whether others can get an entry without us. */
  isKept(id: string): boolean {
    const place = this.#places.get(id);
    return place !== undefined && this.signal.keeps(place);
  }

  /**
   * Signs, seals, keeps and sends; in the order of the calls.
   * @param to for this identity alone
   * @param sent  it is what was kept by this id until it could be written (outgoing.ts): where that is gone it has been
   * @throws CallError 'noCard' where it cannot be sealed to them, or another where this browser keeps nothing: then nothing is written
   */
  write(bodies: readonly Body[], to: string | null = null, sent: string | null = null): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write(bodies, to, sent));
    return this.#writing;
  }

  /** We are there and read: others may write to us alone from now on. */
  opened(): void {
    this.#isOpen = true;
    void this.write([]).catch(() => undefined);
  }

  /** One's own entry is gone, for everybody: what it said leaves the document with the same change. */
  erase(id: string): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#erase(id));
    return this.#writing;
  }

  /** Files that no entry names leave the server. */
  unfile(files: readonly Unfiled[]): void {
    this.#unfiling.add(files);
    this.#keep(null);
    this.#unfiling.look();
  }

  /** From the first to the last of these messages all are in sight. */
  markSeen(first: string, last = first): void {
    const { any, all } = this.reading.see(first, last);
    if (!any) return;
    this.#keep(null);
    // Else whoever sees that we read knows what was for us.
    if (all) this.presence.mark();
    this.#options.changed();
  }

  markNotesSeen(): void {
    if (!this.hasNewNotes) return;
    this.#notesSeen = this.notes.newest;
    this.#keep(null);
    this.#options.changed();
  }

  /** The connection has proven link and password. */
  up(): void {
    this.signal.up();
    this.presence.up();
  }

  /** The meeting has another link or password. */
  renewed(): void {
    this.#direct?.renewed();
    this.signal.renewed();
  }

  /** Other keys are held, or another one seals. */
  keysMoved(): void {
    this.signal.renewed();
  }

  /** What newcomers see is another now: perhaps another key seals, or none. */
  termsMoved(): void {
    this.#direct?.look();
    this.signal.wordMoved();
    void this.#stand().catch(() => undefined);
  }

  /** @param servers  for ICE, while we are in a meeting that goes from person to person; else null */
  allowDirect(servers: readonly RTCIceServer[] | null): void {
    this.#direct?.allow(servers);
  }

  down(): void {
    this.signal.down();
    this.presence.down();
    this.cursors.clear();
    this.#options.changed();
  }

  /** Resolves once all that was written is on this browser's disk. */
  async settled(): Promise<void> {
    await this.notes.flush();
    await this.#writing.catch(() => undefined);
    await this.#reading;
    await this.#unlocking;
    await this.#kept.done;
  }

  close(): void {
    this.#isClosed = true;
    this.notes.close();
    this.#unfiling.close();
    this.#kept.close();
    this.presence.down();
    this.#direct?.close();
    this.signal.close();
    this.#document.destroy();
  }

  async #write(bodies: readonly Body[], to: string | null, sent: string | null): Promise<void> {
    const written = await this.#sign(bodies, to, sent);
    this.#document.add(written.filter((one) => !one.isQuiet).map(({ bytes }) => bytes));
    this.#document.add(
      written.filter((one) => one.isQuiet).map(({ bytes }) => bytes),
      true,
    );
    await this.#kept.done;
    this.#options.changed();
  }

  async #sign(
    bodies: readonly Body[],
    to: string | null,
    sent: string | null = null,
  ): Promise<{ bytes: Bytes; isQuiet: boolean }[]> {
    const name = this.#options.name().slice(0, 80);
    // Whoever finds our card finds who we are: of what was before they may know nothing.
    const card: Body = { is: 'card', ...(name === '' ? {} : { name }) };
    const texts = bodies.map((body) => JSON.stringify(to === null ? this.#named(body) : body));
    const given = { at: this.#time(), bodies: texts, to, card: JSON.stringify(card), sent };
    const { written, run } = await this.#options.port.call('chat.write', given);
    if (run !== this.#run) this.#document.beginAnew();
    this.#run = run;
    for (const { entry } of written) this.thread.add(entry);
    return written.map(({ bytes, entry }) => ({ bytes, isQuiet: isQuiet(entry) }));
  }

  /** Somebody came. */
  #cardSoon(): void {
    if (!this.#isOpen || this.#isCardDue) return;
    this.#isCardDue = true;
    this.#options.after(CARD_MS * (1 + this.#options.random()), () => {
      this.#isCardDue = false;
      if (!this.#isClosed) void this.write([]).catch(() => undefined);
    });
  }

  async #erase(id: string): Promise<void> {
    const { port } = this.#options;
    const entry = this.thread.entry(id);
    if (!this.#bytes.has(id) || entry?.author !== this.self) return;
    const { to } = entry;
    const files = this.thread.one(id)?.files ?? [];
    // Its other texts go with it. Where only one could read it, that one alone sees that it is gone.
    const ids = [id, ...this.thread.editsOf(id)].filter((one) => this.#bytes.has(one));
    const bodies = ids.map((of): Body => ({ is: 'erase', of, ...(of === id && to === null ? {} : { quiet: true }) }));
    const written = await this.#sign(bodies, null);
    // What is shown in its place matters less than that it goes.
    if (to !== null) written.push(...(await this.#sign([{ is: 'erase', of: id }], to).catch(() => [])));
    const gone = ids.map((one) => this.#bytes.get(one)!);
    const tombstones = await Promise.all(gone.map((bytes) => port.call('chat.erase', { entry: bytes })));
    this.#unsaid.push(
      ...this.#document.replace(gone, [...tombstones.map((one) => one.entry), ...written.map(({ bytes }) => bytes)]),
    );
    this.#unfiling.add(files.map(({ blob, key }) => ({ blob, key })));
    await this.#kept.done;
    this.#keep(null);
    this.#unsay();
    this.#unfiling.look();
    this.#options.changed();
  }

  async #stand(): Promise<void> {
    const { canWrite } = await this.#options.port.call('chat.standing', {});
    if (canWrite === this.#canWrite) return;
    this.#canWrite = canWrite;
    this.#options.changed();
  }

  /** How we are called here; null: we never gave a name. */
  get name(): string | null {
    return this.thread.nameOf(this.self) ?? (this.#options.name().slice(0, 80) || null);
  }

  /** Says our name with the first thing that we write, and whenever it is another. */
  #named(body: Body): Body {
    const name = this.#options.name().slice(0, 80);
    return name !== '' && this.thread.nameOf(this.self) !== name ? { ...body, name } : body;
  }

  /** After everything that we have seen, so that an answer never stands before what it answers. */
  #time(): number {
    const now = Math.floor(this.#options.now());
    const { newest } = this.thread;
    return newest >= now && newest < now + CLOCK_MS ? newest + 1 : now;
  }

  #updated(update: Bytes, origin: unknown): void {
    if (origin === KEPT) return;
    if (origin === PLACED) return this.#kept.defer();
    this.#keep(update);
    // Else it came by another way, from somebody who may be gone before the log has it.
    if (origin !== LOCAL) return origin === this.signal ? undefined : this.#overheard(update);
    this.#direct?.wrote();
    // It is on the disk already, in our chain (chat.write); that the change is as well need not be waited for.
    this.signal.changed(update);
  }

  #isOthers(update: Bytes): boolean {
    const places = new Set(this.#document.placesOf(update).map(nameOf));
    return [...this.#places].some(
      ([id, place]) => this.thread.entry(id)?.author !== this.self && places.has(nameOf(place)),
    );
  }

  /** With whatever nobody has signed. */
  #old(before: number): Set<string> {
    const old = [...this.#places].filter(([id]) => (this.thread.timeOf(id) ?? Infinity) < before);
    const unproven = this.#unproven.map(({ place }) => nameOf(place));
    return new Set([...old.map(([, place]) => nameOf(place)), ...this.#refused, ...unproven]);
  }

  /** What nobody need have for us: what is old, what we cannot read, and what its author has erased, though we have it still. */
  #spared(before: number): ReadonlySet<string> {
    const spared = this.#old(before);
    // Nor what is dated ahead by more than clocks differ: it would never be old, and each time that it goes the server would be blamed.
    const ahead = this.#options.now() + DAY_MS;
    for (const [id, place] of this.#places) if ((this.thread.timeOf(id) ?? 0) > ahead) spared.add(nameOf(place));
    for (const { place } of this.#hidden) spared.add(nameOf(place));
    for (const [id, place] of this.#places) if (this.thread.isErased(id)) spared.add(nameOf(place));
    return spared;
  }

  /** Our entries that the log never had; they are about to lie elsewhere. */
  #unsent(): { clients: ReadonlySet<number>; rewrite: () => void } {
    const found = [...this.#places].filter(
      ([id, place]) => this.thread.entry(id)?.author === this.self && !this.signal.keeps(place),
    );
    const ids = found.map(([id]) => id);
    for (const id of ids) this.#places.delete(id);
    return { clients: new Set(found.map(([, { client }]) => client)), rewrite: () => this.#put(ids) };
  }

  /** Into the document, once more. */
  #put(ids: readonly string[]): void {
    const [quiet, loud] = [true, false].map((is) => ids.filter((id) => isQuiet(this.thread.entry(id)) === is));
    const bytesOf = (id: string) => this.#bytes.get(id) ?? [];
    this.#document.add(loud!.flatMap(bytesOf));
    this.#document.add(quiet!.flatMap(bytesOf), true);
  }

  /** By another way than the log: of what is old enough to have been deleted from it nothing is carried there. */
  #overheard(update: Bytes): void {
    const from = Math.max(this.#options.now() - CARRIED_MS, this.signal.cutAt);
    void this.#reading.then(() => {
      const places = new Set(this.#document.placesOf(update).map(({ client }) => client));
      const isRecent = [...this.#places].some(
        ([id, place]) => places.has(place.client) && (this.thread.entry(id)?.at ?? 0) > from,
      );
      this.signal.overheard(update, isRecent);
    });
  }

  #added(entries: readonly PlacedEntry[]): void {
    this.#reading = this.#reading.then(() => this.#read(entries)).catch(() => undefined);
  }

  async #read(entries: readonly PlacedEntry[]): Promise<void> {
    let left = [...this.#unproven.splice(0), ...(await this.#readOnce(entries))];
    // Where something is missing, it may be what nobody had vouched for.
    for (let before = Infinity; this.thread.gaps.length > 0 && left.length > 0 && left.length < before;) {
      before = left.length;
      left = await this.#readOnce(left);
    }
    this.#unproven = left.slice(-MAX_UNPROVEN);
    this.#alarms.look();
    this.#options.changed();
    this.#unlockSoon();
  }

  /** @returns those that nobody has vouched for yet */
  async #readOnce(entries: readonly PlacedEntry[]): Promise<PlacedEntry[]> {
    const left: PlacedEntry[] = [];
    // What was written last vouches for what was before.
    for (let end = entries.length; end > 0 && !this.#isClosed; end -= BATCH) {
      const batch = entries.slice(Math.max(0, end - BATCH), end);
      const { verdicts } = await this.#options.port.call('chat.read', { entries: batch.map(({ bytes }) => bytes) });
      for (const [i, verdict] of verdicts.entries()) {
        if (verdict.is === 'unproven') left.push(batch[i]!);
        else this.#judged(batch[i]!, verdict);
      }
    }
    return left;
  }

  #judged(one: PlacedEntry, verdict: EntryVerdict): void {
    switch (verdict.is) {
      case 'read':
        this.#refused.delete(nameOf(one.place));
        this.#proven(one, verdict.entry);
        if (verdict.isLocked) this.#locked.push(one);
        return;
      case 'hidden':
        this.#hidden.push(one);
        return;
      case 'forged':
      case 'malformed':
      case 'unproven':
        this.#refused.add(nameOf(one.place));
        if (verdict.is === 'forged') this.#alarms.raise('forged');
    }
  }

  #takeBlock(block: SnapshotBlock): void {
    const unread: PlacedEntry[] = [];
    for (const { index, ...one } of this.#document.place(block, PLACED)) {
      const verdict = index === null ? null : block.verdicts[index]!;
      if (verdict === null) unread.push(one);
      else this.#judged(one, verdict);
    }
    if (unread.length > 0) this.#added(unread);
  }

  /** All of a snapshot is in the document. */
  #placed(): void {
    this.#added([]);
    this.#options.after(KEEP_MS, () => {
      if (!this.#isClosed) this.#keep(NO_CHANGE);
    });
  }

  #unlockSoon(): void {
    if (this.#mayUnlock) this.#unlocking = this.#unlocking.then(() => this.#unlock()).catch(() => undefined);
  }

  /** Whoever has no card here has not been written to alone, or reads on until theirs comes. */
  get #mayUnlock(): boolean {
    return this.#locked.length > 0 && this.thread.hasCard(this.self) && !this.#isClosed;
  }

  /** Tries what may be for us alone, newest first. Everything else is shown before. */
  async #unlock(): Promise<void> {
    while (this.#mayUnlock) {
      const entries = this.#locked.splice(-UNLOCKED).map(({ bytes }) => bytes);
      const { verdicts } = await this.#options.port.call('chat.read', { entries, unlock: true });
      let isNews = false;
      for (const verdict of verdicts)
        if (verdict.is === 'read' && verdict.entry.body) isNews = this.thread.add(verdict.entry) || isNews;
      if (isNews) this.#options.changed();
    }
  }

  #proven({ bytes, place }: PlacedEntry, entry: ReadEntry): void {
    const { id, body } = entry;
    this.#take(entry);
    if (!isQuiet(entry)) this.presence.wrote(entry.author);
    const known = this.#places.get(id);
    if (known === undefined || !this.signal.keeps(known)) this.#places.set(id, place);
    if (body !== null || !this.#bytes.has(id)) this.#bytes.set(id, bytes);
    // Its author has erased it, and it came once more: somebody had not heard of that yet.
    if (body !== null && this.thread.isErased(id)) this.#soon(() => this.#tidy(id));
    const erased = this.thread.erasedBy(id);
    // Whoever erased it may have been stopped before it was out of the document.
    if (erased !== null) this.#soon(() => this.#tidy(erased));
    // Without its body and without its author's word: whoever did that had no right to.
    if (body === null && !this.thread.isErased(id)) this.#restore(id);
  }

  #take(entry: ReadEntry): void {
    if (!this.thread.add(entry) || !isQuiet(entry)) return;
    const body = entry.body === null ? null : bodyFrom(entry.body);
    if (body?.is === 'note') this.notes.take(entry, body);
  }

  #removed(entries: readonly Bytes[]): void {
    this.#reading = this.#reading
      .then(async () => {
        const { verdicts } = await this.#options.port.call('chat.read', { entries: [...entries] });
        for (const verdict of verdicts) {
          if (verdict.is === 'read') this.#restore(verdict.entry.id);
        }
      })
      .catch(() => undefined);
  }

  /** They came, and have no place in the document: somebody took it. Of what may be gone from the log by now nothing is brought back. */
  #found(entries: readonly Bytes[]): void {
    this.#reading = this.#reading
      .then(async () => {
        const from = this.#options.now() - this.signal.keepDays * DAY_MS;
        const { verdicts } = await this.#options.port.call('chat.read', { entries: [...entries] });
        for (const [i, verdict] of verdicts.entries()) {
          if (verdict.is !== 'read' || verdict.entry.body === null || verdict.entry.at < from) continue;
          const { entry } = verdict;
          this.#take(entry);
          if (!this.#bytes.has(entry.id)) this.#bytes.set(entry.id, entries[i]!);
          this.#restore(entry.id);
        }
        this.#options.changed();
      })
      .catch(() => undefined);
  }

  /** Puts entries back that are not in the document any more, unless their authors have erased them: all that vanished at once. */
  #restore(id: string): void {
    this.#lost.add(id);
    if (this.#lost.size > 1) return;
    this.#soon(() => {
      const there = new Set(this.#document.entries.map(entryName));
      const gone = [...this.#lost].filter((one) => !there.has(entryName(this.#bytes.get(one) ?? NO_CHANGE)));
      this.#lost.clear();
      this.#put(gone.filter((one) => !this.thread.isErased(one) && this.thread.entry(one)?.body !== null));
      if (!this.signal.carries) return;
      // Its author has erased it, and cannot take it out of what we gave to the log.
      this.#unsaid.push(
        ...gone.filter((one) => this.thread.isErased(one)).flatMap((one) => this.#places.get(one) ?? []),
      );
      this.#unsay();
    });
  }

  async #tidy(id: string): Promise<void> {
    const bytes = this.#bytes.get(id);
    if (bytes === undefined || !this.#document.entries.some((entry) => isSameEntry(entry, bytes))) return;
    const { entry } = await this.#options.port.call('chat.erase', { entry: bytes });
    this.#bytes.set(id, entry);
    // Its author has put that in its place already, as a rule: then there is nothing to tell anybody.
    const isThere = this.#document.entries.some((one) => isSameEntry(one, entry));
    const gone = this.#document.replace([bytes], isThere ? [] : [entry], isThere ? this.signal : LOCAL);
    if (!this.signal.carries && this.thread.entry(id)?.author !== this.self) return;
    this.#unsaid.push(...gone);
    this.#keep(null);
    this.#unsay();
  }

  /** Once the removal is in the log, what it said leaves the log. */
  #unsay(): void {
    if (this.#unsaid.length === 0 || this.#unsaying || !this.signal.isLevel) return;
    this.#unsaying = true;
    const gone = this.#unsaid;
    const { line, port } = this.#options;
    unsay({ line, port, document: this.#document }, gone).then(
      () => {
        this.#unsaying = false;
        this.signal.erased();
        this.#unsaid = this.#unsaid.filter((place) => !gone.includes(place));
        this.#keep(null);
        this.#unsay();
      },
      // The connection, or too much at once.
      () => {
        this.#options.after(UNSAY_MS, () => {
          this.#unsaying = false;
          this.#unsay();
        });
      },
    );
  }

  #soon(run: () => void | Promise<void>): void {
    this.#options.after(RESTORE_MS * this.#options.random(), () => {
      if (!this.#isClosed) void Promise.resolve(run()).catch(() => undefined);
    });
  }

  #openHidden(): void {
    const hidden = this.#hidden;
    this.#hidden = [];
    this.#added(hidden);
  }

  /** What we wrote and an ended page did not place. */
  async #place(last: readonly Bytes[]): Promise<void> {
    if (last.length === 0) return;
    const { verdicts } = await this.#options.port.call('chat.read', { entries: [...last] });
    for (const [i, verdict] of verdicts.entries())
      if (verdict.is === 'read' && !this.thread.has(verdict.entry.id))
        this.#document.add([last[i]!], isQuiet(verdict.entry));
  }

  #keep(update: Bytes | null): void {
    // As it is now: what comes later is not kept yet.
    this.#kept.keep(update, {
      signal: this.signal.memory,
      read: this.reading.memory,
      notesSeen: this.#notesSeen,
      unsaid: this.#unsaid,
      files: [...this.#unfiling.left],
    });
  }
}

const KEPT = Symbol('kept');
/** Came with a snapshot. */
const PLACED = Symbol('placed');

/** It goes by the log alone. */
function isQuiet(entry: ReadEntry | null): boolean {
  return entry !== null && entry.to === null && isNote(entry.body);
}
