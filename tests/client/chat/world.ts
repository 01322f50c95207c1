/**
 * Devices that chat through a log in this process: real keys, real documents, a network that loses, doubles and cuts, and a clock
 * that moves when nothing else is left to do.
 */
import { vi } from 'vitest';
import { Chat } from '../../../client/chat/chat.ts';
import { ChatOnScreen, type ChatFacadeOptions } from '../../../client/chat/chat.svelte.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import type { Files } from '../../../client/chat/files.ts';
import type { DirectTerms } from '../../../client/chat/providers/direct.ts';
import type { ChatLine, ChatPort } from '../../../client/chat/providers/signal.ts';
import type { Access } from '../../../client/e2ee/access.ts';
import { ChatKeeper } from '../../../client/e2ee/chat/keeper.ts';
import { ChatKeys } from '../../../client/e2ee/chat/keys.ts';
import type { Newcomers } from '../../../client/e2ee/chat/policy.ts';
import type { ChatStore } from '../../../client/e2ee/chat/shelf.ts';
import { ChatShelf } from '../../../client/e2ee/chat/shelf.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { HostStates } from '../../../client/e2ee/session/hostStates.ts';
import { OfflineError } from '../../../client/net/offline.ts';
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import { logBodyHash, logNext, logStart } from '../../../crypto/chatLog.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { random, sha256Now, signKeyPair } from '../../../crypto/primitives.ts';
import { signText } from '../../../crypto/signed.ts';
import type { ChatHead, ChatItem, ChatPush, ChatSnapshot } from '../../../signal/protocol/chat.ts';
import { type HostState, labels, type Signed } from '../../../signal/protocol/documents.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';

export const MEETING = 'abcd-efgh-jkmn-pqrs';

/** Whom the meeting's id names. */
export const HOST = await signKeyPair();

/** As a host signs what it has decided. */
export async function signState(state: Omit<HostState, 'meeting'>, by = HOST, meeting = MEETING): Promise<Signed> {
  const body = JSON.stringify({ ...state, meeting });
  return { body, signature: base64url(await signText(labels.hostState, body, by.privateKey)) };
}

/** Milliseconds since 1970. */
const BEGIN = 1_790_000_000_000;

/** One clock and one list of timers for everybody. */
export class Time {
  now = BEGIN;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets what is under way come to its end, then moves on, `ms` in all. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await quiet();
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = end;
  }
}

/** What a page takes from its browser, of this world's time. */
export function screenTime(time: Time): void {
  vi.spyOn(Date, 'now').mockImplementation(() => time.now);
  const after = (run: () => void, ms = 0) => time.after(ms, run);
  vi.stubGlobal('setTimeout', after);
  vi.stubGlobal('clearTimeout', (cancel?: () => void) => cancel?.());
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => time.after(16, run));
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
}

/** Calls of all workers that are not answered: WebCrypto works in other threads. */
let underWay = 0;

export const isAtRest = (): boolean => underWay === 0;

/** Time does not pass before this is done. */
export async function meanwhile<T>(what: Promise<T>): Promise<T> {
  underWay += 1;
  try {
    return await what;
  } finally {
    underWay -= 1;
  }
}

/** Until nobody waits for anything but time. */
async function quiet(): Promise<void> {
  for (let still = 0; still < 3; still++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (underWay > 0) still = -1;
  }
}

/** The log as the server keeps it, and ways to be a bad server. */
export class Log {
  items: ChatItem[] = [];
  readonly hashes = [base64url(logStart(MEETING))];
  readonly open = new Set<Device>();
  snapshot: ChatSnapshot | null = null;
  offered: { snapshot: ChatSnapshot; by: Device; isWhole: boolean } | null = null;
  readonly parts = new Map<string, string[]>();
  readonly #byId = new Map<string, number>();
  readonly #erase = new Map<number, string>();
  #base = 0;
  /** Items up to this one were deleted, by the server's word. */
  deleted = 0;
  /** What it shows of hosts' decisions. */
  state: Signed | null = null;
  decided: Omit<HostState, 'meeting'> = { version: 0, generation: 0, locked: false, bans: [] };

  get head(): ChatHead {
    return { seq: this.items.length, hash: this.hashes[this.items.length]! };
  }

  append(id: string, body: string, erase = ''): ChatItem {
    const known = this.#byId.get(id);
    if (known !== undefined) return this.items[known - 1]!;
    const seq = this.items.length + 1;
    const hash = logBodyHash(fromBase64url(body));
    const item = { seq, at: BEGIN, hash: base64url(hash), body };
    this.items.push(item);
    this.hashes[seq] = base64url(logNext(fromBase64url(this.hashes[seq - 1]!), seq, hash));
    this.#byId.set(id, seq);
    this.#erase.set(seq, erase);
    return item;
  }

  page(after: number, most = 1000) {
    const from = Math.max(after, this.#base);
    const base = { seq: this.#base, hash: this.hashes[this.#base]! };
    return { base, deleted: this.deleted, head: this.head, items: this.items.slice(from, from + most) };
  }

  /** What was written so far is gone, or what was written up to an item. */
  clear(upTo = this.items.length): void {
    this.#base = this.deleted = upTo;
    this.snapshot = this.offered = null;
    this.parts.clear();
  }

  /** The server says that it has deleted what was before its base. */
  tellCleared(): void {
    const base = { seq: this.#base, hash: this.hashes[this.#base]! };
    for (const one of this.open) one.pushed({ type: 'cleared', base, state: this.state });
  }

  /** A host decides something, and the server keeps it. */
  async decide(changes: Partial<HostState>): Promise<void> {
    this.decided = { ...this.decided, ...changes, version: this.decided.version + 1 };
    this.state = await signState(this.decided);
  }

  /** A host deletes what it sees, and the server obeys. */
  async hostClears(): Promise<void> {
    await this.decide({ cleared: this.head });
    this.clear();
    this.tellCleared();
  }

  get base(): number {
    return this.#base;
  }

  confirm(id: string, by: Device): ChatSnapshot | null {
    if (this.snapshot?.id === id) return null;
    if (this.offered?.snapshot.id !== id || !this.offered.isWhole) throw new ProtocolError('chatUnknown');
    if (this.offered.by === by) throw new ProtocolError('notAllowed');
    if (this.snapshot !== null) this.parts.delete(this.snapshot.id);
    this.snapshot = { ...this.offered.snapshot, confirmed: true };
    this.offered = null;
    this.#base = this.snapshot.covers.seq;
    return this.snapshot;
  }

  replace(seq: number, token: string, body: string): void {
    if (seq <= this.#base) return;
    if (base64url(sha256Now(fromBase64url(token))) !== this.#erase.get(seq)) throw new ProtocolError('chatUnknown');
    const before = this.items[seq - 1]!;
    if (body.length > before.body.length) throw new ProtocolError('badRequest');
    if (before.replaced !== true) this.items[seq - 1] = { ...before, body, replaced: true };
    if (this.offered !== null && this.offered.snapshot.covers.seq >= seq) this.offered = null;
  }

  /** Back to an older state, as from a backup. */
  rollBack(to: number): void {
    this.items = this.items.slice(0, to);
  }
}

export interface Person {
  readonly identity: KeyPair;
  readonly name: string;
}

export async function person(name: string): Promise<Person> {
  return { identity: await signKeyPair(), name };
}

/** What whoever has link and password knows. */
export function accessOf(generation = 0, chatKey = random(32)): Access {
  const signed = { body: 'a record', signature: 'of a host' };
  const accessKey = { publicKey: random(32), privateKey: random(64) };
  return { meeting: MEETING as string, generation, chatKey, signed, accessKey } as Access;
}

interface Params {
  snapshot?: unknown;
  part?: number;
  after?: number;
  id?: string;
  body?: string;
  erase?: string;
  items?: { seq: number; token: string; body?: string }[];
}

/** One tab of one browser. */
export class Device {
  readonly person: Person;
  readonly store: ChatStore;
  access: Access;
  /** By the host's word, as far as this browser has heard it. */
  newcomers: () => Newcomers;
  /** The newest word of hosts, on its disk. */
  hostState: Signed | null = null;
  /** In the meeting it hears of it from members, too. */
  states!: HostStates;
  readonly #log: Log;
  readonly #time: Pick<Time, 'now' | 'after'>;
  readonly #random: () => number;
  keys!: ChatKeys;
  keeper!: ChatKeeper;
  chat!: Chat;
  #screen: ChatOnScreen | null = null;
  online = false;
  /** Share of answers that are lost after the server has done its work. */
  losesAnswers = 0;
  /** Share of items that are lost on their way to the server. */
  losesItems = 0;
  pageSize = 1000;
  /** The server keeps new items from it. */
  deaf = false;
  /** Of the chat the server pushes nothing to it. */
  isCutOff = false;
  /** The server takes nothing from it. */
  mute = false;
  /** Everything that left it or came to it. */
  readonly wire: string[] = [];
  readonly #openDirect: DirectTerms['open'] | null;
  readonly #files: Files | null;
  readonly #snapshotAfter: number;

  constructor(given: {
    person: Person;
    log: Log;
    time: Pick<Time, 'now' | 'after'>;
    newcomers?: () => Newcomers;
    access: Access;
    random: () => number;
    store?: ChatStore;
    openDirect?: DirectTerms['open'];
    files?: Files;
    snapshotAfter?: number;
  }) {
    this.#snapshotAfter = given.snapshotAfter ?? 1_000_000;
    this.#openDirect = given.openDirect ?? null;
    this.#files = given.files ?? null;
    this.newcomers = given.newcomers ?? (() => ({ see: 'all' }));
    this.person = given.person;
    this.store = given.store ?? memoryChatStore();
    this.access = given.access;
    this.#log = given.log;
    this.#time = given.time;
    this.#random = given.random;
  }

  async start(): Promise<this> {
    await this.#open();
    this.chat = await Chat.open({
      port: portOf(this.keeper),
      line: this.#line(),
      name: () => this.person.name,
      changed: () => undefined,
      now: () => this.#time.now,
      after: (ms, run) => this.#time.after(ms, run),
      random: this.#random,
      openDirect: this.#openDirect,
      ...(this.#files ? { files: this.#files } : {}),
      snapshotAfter: this.#snapshotAfter,
    });
    return this;
  }

  /** As it is on the screen, in place of `chat`. The globals are to be of this world's time (`screenTime`). */
  async show(changes: Partial<ChatFacadeOptions> = {}): Promise<ChatOnScreen> {
    await this.#open();
    this.#screen = new ChatOnScreen({
      port: portOf(this.keeper),
      line: this.#line(),
      name: () => this.person.name,
      terms: () => null,
      isLive: () => true,
      setTerms: () => undefined,
      clear: () => undefined,
      openDirect: () => Promise.reject(new Error('no direct way here')),
      ...changes,
    });
    await this.#screen.open();
    return this.#screen;
  }

  async #open(): Promise<void> {
    this.states = await HostStates.open({
      meeting: MEETING,
      hostPublicKey: HOST.publicKey,
      known: this.hostState,
      keep: (state) => (this.hostState = state),
    });
    const { states } = this;
    const shelf = new ChatShelf(this.store, memoryChatStore);
    const alone = <T>(_name: string, act: () => Promise<T>) => act();
    const hold = async (name: string) => holdIn(this.store, name);
    const shared = { meeting: MEETING, shelf, alone, hold, now: () => this.#time.now };
    this.keys = new ChatKeys({
      ...shared,
      access: () => this.access,
      newcomers: () => this.newcomers(),
      changed: () => (this.#screen ?? this.chat)?.keysMoved(),
    });
    this.keeper = new ChatKeeper({
      ...shared,
      access: () => this.access,
      keys: this.keys,
      word: {
        hear: (state) => states.accept(state),
        decided: () => states.state,
        terms: () => ({ keepDays: states.state?.chat?.keepDays ?? 30, newcomers: this.newcomers() }),
      },
      identity: this.person.identity,
      host: false,
    });
  }

  connect(): void {
    this.online = true;
    (this.#screen ?? this.chat).up();
  }

  disconnect(): void {
    this.online = false;
    this.#log.open.delete(this);
    (this.#screen ?? this.chat).down();
  }

  /** The tab is gone without a word; what it had stored stays. */
  kill(): void {
    this.disconnect();
    (this.#screen ?? this.chat).close();
    this.keeper.outbox.end();
    this.#screen = null;
  }

  pushed(push: ChatPush): void {
    if (!this.online || (this.deaf && push.type === 'items') || this.isCutOff) return;
    this.wire.push(JSON.stringify(push));
    (this.#screen ?? this.chat.signal).pushed(structuredClone(push));
  }

  get texts(): string[] {
    return this.chat.thread.said.map(({ erased, text }) => (erased ? '(gone)' : text));
  }

  /** Kinds of what it complains of. */
  get alarms(): string[] {
    return this.chat.alarms.map(({ is }) => is);
  }

  #line(): ChatLine {
    const answer = (name: string, params: Params): unknown => {
      const log = this.#log;
      switch (name) {
        case 'chat.open':
          log.open.add(this);
          if (log.offered?.isWhole) {
            const { snapshot } = log.offered;
            this.#time.after(1, () => this.pushed({ type: 'snapshot', snapshot }));
          }
          return {
            ...log.page(params.after!, this.pageSize),
            snapshot: log.snapshot,
            state: log.state,
            keepDays: 30,
            used: 0,
            quota: 1,
          };
        case 'chat.read':
          return log.page(params.after!, this.pageSize);
        case 'chat.append': {
          if (this.#random() < this.losesItems) {
            this.disconnect();
            throw new OfflineError();
          }
          if (this.mute) throw new ProtocolError('internal');
          const before = log.items.length;
          const item = log.append(params.id!, params.body!, params.erase!);
          if (log.items.length > before) this.#tell({ type: 'items', items: [item] });
          return { seq: item.seq, at: item.at };
        }
        case 'chat.erase':
          for (const { seq, token, body } of params.items!) log.replace(seq, token, body!);
          return {};
        case 'chat.offer': {
          const snapshot = params.snapshot as ChatSnapshot;
          if (log.hashes[snapshot.covers.seq] !== snapshot.covers.hash || snapshot.covers.seq < log.base)
            throw new ProtocolError('chatUnknown');
          log.offered = { snapshot, by: this, isWhole: false };
          log.parts.set(snapshot.id, []);
          return {};
        }
        case 'chat.offerPart': {
          const { offered } = log;
          if (offered?.by !== this || offered.snapshot.id !== params.snapshot) throw new ProtocolError('chatUnknown');
          const parts = log.parts.get(offered.snapshot.id)!;
          if (params.part !== parts.length) throw new ProtocolError('badRequest');
          parts.push(params.body!);
          offered.isWhole = parts.length === offered.snapshot.parts;
          if (offered.isWhole) this.#tell({ type: 'snapshot', snapshot: offered.snapshot });
          return {};
        }
        case 'chat.part': {
          const body = log.parts.get(params.snapshot as string)?.[params.part!];
          if (body === undefined) throw new ProtocolError('chatUnknown');
          return { body };
        }
        case 'chat.confirm': {
          const snapshot = log.confirm(params.snapshot as string, this);
          if (snapshot !== null) this.#tell({ type: 'snapshot', snapshot });
          return {};
        }
        case 'chat.ticket':
          return { ticket: `of ${this.person.name}`, expiresAt: this.#time.now + 12 * 3_600_000 };
        case 'chat.whisper':
          this.#tell({ type: 'whisper', body: params.body! });
          return {};
        default:
          throw new Error(`no ${name} here`);
      }
    };
    return {
      request: async (name, params) => {
        if (!this.online) throw new OfflineError();
        this.wire.push(JSON.stringify(params));
        const result = answer(name, params as never);
        await Promise.resolve();
        if (!this.online || this.#random() < this.losesAnswers) {
          this.disconnect();
          throw new OfflineError();
        }
        return structuredClone(result) as never;
      },
    };
  }

  #tell(push: ChatPush): void {
    for (const other of this.#log.open) if (other !== this) other.pushed(push);
  }
}

/** What lies in a snapshot, as this device opens it; null: it is not what it says. */
export async function opened(by: Device, parts: string[], { hash, covers }: ChatSnapshot, take = false) {
  const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
  const found = await by.keeper.unpack({ parts, hash, covers, take });
  if (found === null) return null;
  for (let index = 0; index < found.blocks; index++)
    document.place(await by.keeper.block({ opened: found.opened, index, read: false }), null);
  return { document, hidden: found.hidden };
}

const held = new WeakMap<ChatStore, Set<string>>();

/** As tabs of one browser hold names: with one store. */
function holdIn(store: ChatStore, name: string): (() => void) | null {
  const names = held.get(store) ?? new Set();
  held.set(store, names);
  if (names.has(name)) return null;
  names.add(name);
  return () => void names.delete(name);
}

/** The worker's end, without the worker. */
export function portOf(keeper: ChatKeeper): ChatPort {
  const { files, outbox } = keeper;
  const ends = [keeper, files, outbox] as unknown as Record<string, (params: unknown) => Promise<never>>[];
  return {
    async call(name, params) {
      const end = ends.find((one) => name.slice('chat.'.length) in one)!;
      return meanwhile(end[name.slice('chat.'.length)]!(params));
    },
  };
}

/** A snapshot of somebody's own making on the server, whole and not confirmed, past all checks of theirs. */
export async function plant(log: Log, by: Device, outline: ReturnType<ChatDocument['outline']>): Promise<ChatSnapshot> {
  const covers = log.head;
  const { packed } = await by.keeper.pack({ covers, unread: [], ...outline });
  const { id, hash, parts } = packed!;
  const snapshot: ChatSnapshot = { id, covers, parts: parts.length, hash, confirmed: false };
  log.parts.set(id, parts);
  log.offered = { snapshot, by, isWhole: true };
  return snapshot;
}

/** Several who have the chat of one meeting open, and how another comes to it. @param snapshotAfter  items */
export async function together(names: readonly string[], snapshotAfter?: number) {
  const [log, time, access] = [new Log(), new Time(), accessOf()];
  let drawn = 0;
  const device = async (name: string) =>
    new Device({
      ...{ person: await person(name), log, time, access },
      ...(snapshotAfter === undefined ? {} : { snapshotAfter }),
      random: () => ((drawn += 7) % 10) / 10,
    }).start();
  const devices = await Promise.all(names.map(device));
  for (const one of devices) one.connect();
  await time.pass(5000);
  return { log, time, devices, device };
}
