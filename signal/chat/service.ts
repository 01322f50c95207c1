/**
 * The chats of all meetings: items are numbered, chained, stored and told to whoever has the chat open. It opens nothing.
 *
 * For each meeting one thing happens at a time, so that whoever opens a chat misses nothing between the page and the first push.
 * The store is asked each time, never a cache, and takes an item only where it follows the head.
 */
import { hashOf } from '../auth.ts';
import type { BlobService } from '../blobs/service.ts';
import { MAX_PAGE_BYTES, MAX_PAGE_ITEMS, type ChatHead, type ChatPage, type ChatPush } from '../protocol/chat.ts';
import type { Signed } from '../protocol/documents.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId } from '../protocol/ids.ts';
import type { Params, Result } from '../protocol/requests.ts';
import type { Store, StoredChat } from '../store/store.ts';
import { AuthorQuota } from './authors.ts';
import { firstHead, fits, isCanonical, nextHead, sizeOf } from './chain.ts';
import { type Listener, Listeners, wireText } from './listeners.ts';
import { sweepChats } from './retention.ts';
import { Snapshots } from './snapshots.ts';
import { Tickets } from './tickets.ts';
import { Turns } from './turns.ts';

const PAGE = { items: MAX_PAGE_ITEMS, bytes: MAX_PAGE_BYTES };
/** Another process may have been faster. That several are, so many times in a row, is a mistake of ours. */
const MAX_TRIES = 8;
/** A lost socket may not be noticed before its successor comes, and keys may change just then. */
const MAX_SOCKETS = 3;
/** Files on their way at once, of one connection. */
const MAX_TRANSFERS = 8;

export interface ChatServiceTerms {
  readonly store: Store;
  /** The files of all chats. */
  readonly blobs: BlobService;
  /** Most bytes of a chat. */
  readonly quota: number;
  /** What the meeting says now. @throws ProtocolError meetingNotFound · meetingEnded */
  readonly find: (meeting: MeetingId) => Promise<MeetingOfChat>;
  readonly now: () => number;
  readonly onError: (error: unknown, meeting?: MeetingId) => void;
}

/** `state`: what its hosts have decided; it says up to where the log is `cleared`. */
export interface MeetingOfChat {
  readonly generation: number;
  readonly keepDays: number;
  readonly state: Signed | null;
  readonly cleared: ChatHead | null;
}

export class ChatService {
  readonly #terms: ChatServiceTerms;
  readonly tickets: Tickets;
  /** For files. */
  readonly passes: Tickets;
  readonly #listeners: Listeners;
  readonly #turns = new Turns();
  readonly #authors: AuthorQuota;
  readonly #snapshots: Snapshots;
  /** Something was deleted, and copies of it may lie on the disk. */
  #isDirty = false;

  constructor(terms: ChatServiceTerms) {
    this.#terms = terms;
    this.#authors = AuthorQuota.ofChat(terms.quota);
    const { store, quota, now } = terms;
    this.tickets = new Tickets(now, MAX_SOCKETS);
    this.passes = new Tickets(now, MAX_TRANSFERS);
    this.#listeners = new Listeners((listener) => {
      this.tickets.end(listener);
      this.passes.end(listener);
    });
    this.#snapshots = new Snapshots({
      chat: store.chat,
      listeners: this.#listeners,
      authors: this.#authors,
      quota,
      now,
    });
  }

  /** @throws ProtocolError linkRefused · meetingNotFound · meetingEnded · outOfOrder */
  open(listener: Listener, meeting: MeetingId, after: number): Promise<Result<'chat.open'>> {
    return this.#turns.take(meeting, async () => {
      if (listener.meeting !== meeting) throw new ProtocolError('outOfOrder');
      // Before the meeting is looked up: a rotation that comes meanwhile either finds it here, or is found there.
      this.#listeners.add(meeting, listener);
      try {
        const { keepDays, state, cleared } = await this.#assertLink(listener, meeting);
        // Where a process ended between the order and its execution.
        const clear = () => this.#terms.store.chat.clear(meeting, cleared);
        if (cleared !== null && (await this.#cut(meeting, clear))) await this.#terms.blobs.clear(meeting);
        const log = await this.#log(meeting);
        const { confirmed, offered } = await this.#terms.store.chat.snapshots(meeting);
        const page = await this.#page(meeting, log, after);
        if (offered) listener.send(wireText({ type: 'snapshot', snapshot: offered }));
        return { ...page, snapshot: confirmed, state, keepDays, used: log.used, quota: this.#terms.quota };
      } catch (error) {
        this.#listeners.delete(listener);
        throw error;
      }
    });
  }

  /** @throws ProtocolError as all below: outOfOrder if it is not open, linkRefused */
  read(listener: Listener, meeting: MeetingId, after: number): Promise<ChatPage> {
    return this.#turn(listener, meeting, async () => this.#page(meeting, await this.#log(meeting), after));
  }

  /** @throws ProtocolError chatFull, with the time to wait where it is this author's part · badRequest */
  append(
    listener: Listener,
    meeting: MeetingId,
    { id, body, erase }: Params<'chat.append'>,
  ): Promise<Result<'chat.append'>> {
    if (!isCanonical(body)) throw new ProtocolError('badRequest', 'body: not as base64url is written');
    return this.#turn(listener, meeting, async () => {
      const { store, quota, now } = this.#terms;
      const known = await store.chat.findItem(meeting, id);
      if (known) return known;
      const bytes = sizeOf(body);
      const hash = hashOf(body);
      const at = now();
      const log = await this.#log(meeting);
      if (log.used + bytes > quota) throw new ProtocolError('chatFull');
      const retryAfterMs = this.#authors.take('items', meeting, listener.address, bytes, at);
      if (retryAfterMs > 0) throw new ProtocolError('chatFull', 'too much from this address', { retryAfterMs });
      for (let { head } = log, tries = 0; tries < MAX_TRIES; tries++) {
        const { seq, hash: chain } = nextHead(head, hash);
        const appended = await store.chat.append(meeting, head, { id, at, hash, chain, body, bytes, erase });
        switch (appended.at) {
          case 'known':
            return appended.item;
          case 'gone':
            throw new ProtocolError('meetingEnded');
          case 'stale':
            ({ head } = await this.#log(meeting));
            continue;
          case 'added':
            this.#listeners.tell(meeting, { type: 'items', items: [{ seq, at, hash, body }] }, listener);
            return { seq, at };
        }
      }
      throw new ProtocolError('internal', 'the head moved each time');
    });
  }

  /** All of them or none. @throws ProtocolError chatUnknown · badRequest */
  erase(listener: Listener, meeting: MeetingId, { items }: Params<'chat.erase'>): Promise<void> {
    if (items.some(({ body }) => !isCanonical(body)))
      throw new ProtocolError('badRequest', 'body: not as base64url is written');
    return this.#turn(listener, meeting, async () => {
      const { chat } = this.#terms.store;
      const { base, head } = await this.#log(meeting);
      const there = items.filter(({ seq }) => seq > base.seq);
      const seqs = there.map(({ seq }) => seq);
      const known = await chat.erasable(meeting, seqs);
      const isRight = there.every(({ seq, token }) => seq <= head.seq && fits(token, known.get(seq)?.erase ?? ''));
      if (!isRight) throw new ProtocolError('chatUnknown');
      const erasures = there.map(({ seq, body }) => ({ seq, body, bytes: sizeOf(body) }));
      // What was replaced already stays.
      const isSmaller = erasures.every(
        ({ seq, bytes }) => bytes <= known.get(seq)!.bytes || known.get(seq)!.isReplaced,
      );
      if (!isSmaller) throw new ProtocolError('badRequest', 'larger than what was there');
      const erased = await chat.erase(meeting, erasures);
      if (erased.length === 0) return;
      this.#isDirty = true;
      this.#listeners.tell(meeting, { type: 'erased', seqs: erased }, listener);
    });
  }

  /** Not in turn: it depends on nothing that is stored. @throws ProtocolError outOfOrder */
  whisper(listener: Listener, meeting: MeetingId, body: string): void {
    this.#assertOpen(listener, meeting);
    this.#listeners.tell(meeting, { type: 'whisper', body }, listener);
  }

  /** Lets the connection's browser look for others' (ws/chatDoor.ts). */
  ticket(listener: Listener, meeting: MeetingId): Promise<Result<'chat.ticket'>> {
    return this.#turn(listener, meeting, async () => {
      const { text, expiresAt } = this.tickets.issue(listener, meeting);
      return { ticket: text, expiresAt };
    });
  }

  /** Lets the connection's browser put and get files (http/blobs.ts). */
  pass(listener: Listener, meeting: MeetingId): Promise<Result<'chat.pass'>> {
    return this.#turn(listener, meeting, async () => {
      const { text, expiresAt } = this.passes.issue(listener, meeting);
      return { pass: text, expiresAt };
    });
  }

  /** @throws ProtocolError chatUnknown */
  part(listener: Listener, meeting: MeetingId, params: Params<'chat.part'>): Promise<Result<'chat.part'>> {
    return this.#turn(listener, meeting, () => this.#snapshots.part(meeting, params));
  }

  /** @throws ProtocolError chatUnknown · badRequest */
  offer(listener: Listener, meeting: MeetingId, { snapshot }: Params<'chat.offer'>): Promise<void> {
    return this.#turn(listener, meeting, async () => {
      await this.#snapshots.offer(listener, meeting, snapshot);
      // Another may have lain in its place.
      this.#isDirty = true;
    });
  }

  /** @throws ProtocolError chatUnknown · chatFull · badRequest */
  offerPart(listener: Listener, meeting: MeetingId, params: Params<'chat.offerPart'>): Promise<void> {
    return this.#turn(listener, meeting, async () => {
      try {
        await this.#snapshots.offerPart(listener, meeting, params);
      } catch (error) {
        // That may have been the end of the parts before it.
        this.#isDirty = true;
        throw error;
      }
    });
  }

  /** @throws ProtocolError notAllowed · chatUnknown */
  confirm(listener: Listener, meeting: MeetingId, { snapshot }: Params<'chat.confirm'>): Promise<void> {
    return this.#turn(listener, meeting, async () => {
      await this.#snapshots.confirm(listener, meeting, snapshot);
      this.#isDirty = true;
    });
  }

  /** No more pushes: it said so, has left, or is gone. At once, and idempotent. */
  leave(listener: Listener): void {
    const meeting = this.#listeners.delete(listener);
    if (meeting !== null) this.#snapshots.forget(listener, meeting);
  }

  /** How many others have open what this connection has. */
  besides(listener: Listener): number {
    return this.#listeners.besides(listener);
  }

  /** A link was replaced: who has proven no more than an older one hears nothing from now on. */
  rotated(meeting: MeetingId, generation: number): void {
    this.#listeners.shutOut(meeting, generation);
  }

  /** Deletes all there is, files too. @param upTo  only where the log goes through there, and only so far; files all the same. Idempotent */
  async clear(meeting: MeetingId, upTo: ChatHead | null = null): Promise<void> {
    const isDone = await this.#drop(meeting, () => this.#terms.store.chat.clear(meeting, upTo));
    if (isDone || upTo === null) await this.#terms.blobs.clear(meeting);
  }

  /** The meeting has ended, and its chat went with it. */
  async ended(): Promise<void> {
    this.#isDirty = true;
    await this.#terms.blobs.prune();
  }

  /** The last peer has left. */
  async emptied(meeting: MeetingId): Promise<void> {
    const known = await this.#terms.find(meeting).catch(nothingThere);
    if (known?.keepDays === 0) await this.clear(meeting);
  }

  /** Drops what is too old. @param isHere  whether somebody is in the meeting */
  async sweep(isHere: (meeting: MeetingId) => boolean): Promise<void> {
    const { store, blobs, now, find } = this.#terms;
    this.#authors.forgetOld(now());
    await sweepChats({
      chat: store.chat,
      blobs,
      now: now(),
      find: (meeting) => find(meeting).catch(nothingThere),
      isHere,
      drop: (meeting, task) => this.#drop(meeting, task),
    });
    // Whatever else the sweep of meetings has deleted.
    this.#isDirty = true;
  }

  /** Call it every second or so. */
  tick(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#terms.store.scrub().then(
      (isDone) => void (this.#isDirty ||= !isDone),
      (error: unknown) => this.#terms.onError(error),
    );
  }

  #drop(meeting: MeetingId, task: () => Promise<ChatHead | null>): Promise<boolean> {
    return this.#turns.take(meeting, () => this.#cut(meeting, task));
  }

  /** In the meeting's turn. @returns whether there was something */
  async #cut(meeting: MeetingId, task: () => Promise<ChatHead | null>): Promise<boolean> {
    const base = await task();
    if (base === null) return false;
    this.#isDirty = true;
    const state = (await this.#terms.find(meeting).catch(nothingThere))?.state ?? null;
    const push: ChatPush = { type: 'cleared', base, state };
    this.#listeners.tell(meeting, push);
    return true;
  }

  /** What a connection asks for that has the chat open, when its turn comes. */
  #turn<T>(listener: Listener, meeting: MeetingId, task: () => Promise<T>): Promise<T> {
    return this.#turns.take(meeting, async () => {
      // A peer needs no link any more.
      if (listener.generation !== null) await this.#assertLink(listener, meeting);
      this.#assertOpen(listener, meeting);
      return task();
    });
  }

  #assertOpen(listener: Listener, meeting: MeetingId): void {
    if (!this.#listeners.has(meeting, listener)) throw new ProtocolError('outOfOrder', 'the chat is not open');
  }

  /** What was proven for an older link is worth nothing any more. */
  async #assertLink(listener: Listener, meeting: MeetingId) {
    const { generation } = listener;
    const known = await this.#terms.find(meeting);
    if (generation !== null && generation !== known.generation) throw new ProtocolError('linkRefused');
    return known;
  }

  async #log(meeting: MeetingId): Promise<StoredChat> {
    const first = firstHead(meeting);
    return (await this.#terms.store.chat.find(meeting)) ?? { base: first, deleted: 0, head: first, used: 0 };
  }

  async #page(meeting: MeetingId, { base, deleted, head }: StoredChat, after: number): Promise<ChatPage> {
    return { base, deleted, head, items: await this.#terms.store.chat.page(meeting, Math.max(after, base.seq), PAGE) };
  }
}

function nothingThere(error: unknown): null {
  if (error instanceof ProtocolError) return null;
  throw error;
}
