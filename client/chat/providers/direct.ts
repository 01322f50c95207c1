/**
 * When the direct way is open, and under which key; the way itself is y-webrtc's (webrtc.ts), loaded when it is first needed.
 *
 * Only in a meeting that goes from person to person, whose people know each other's addresses anyway, and not before the sealed way has taken in and given what there was once:
 * that goes by it, and only small differences are left. Another key is another room, and the connections of the former end at once.
 * Where anything of this fails, the sealed way does it all, and nobody is told.
 */
import type { Doc } from 'yjs';
import type { ChatDocument } from '../document.ts';
import type { ChatProvider, ProviderState } from './provider.ts';
import type { ChatLine, ChatPort } from './signal.ts';

export interface DirectWayTerms {
  readonly doc: Doc;
  readonly room: string;
  readonly password: string;
  readonly ticket: string;
  readonly iceServers: readonly RTCIceServer[];
}

export interface DirectWay extends ChatProvider {
  /** Whom it is connected with stays; others are looked for when there is a ticket again. */
  pause(): void;
  resume(ticket: string): void;
  /** For connections that are made from now on: credentials expire. */
  setIceServers(servers: readonly RTCIceServer[]): void;
  /** Once it is closed, another may have its room. */
  readonly ended: Promise<void>;
}

export interface DirectTerms {
  readonly line: ChatLine;
  readonly port: ChatPort;
  readonly document: ChatDocument;
  /** The sealed way. `isDone`: all that the log is to have or can take from here is in it. */
  readonly sealed: () => { readonly state: ProviderState; readonly isDone: boolean };
  readonly open: (terms: DirectWayTerms) => Promise<DirectWay>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** @returns calls it off */
  readonly after: (ms: number, run: () => void) => () => void;
}

const RETRY_MS = 15_000;
/** A ticket is asked for anew this long before it expires. */
const RENEW_MS = 60_000;

export class Direct {
  readonly #terms: DirectTerms;
  /** Null: there is to be no direct way now. */
  #servers: readonly RTCIceServer[] | null = null;
  #sealed: ProviderState = 'offline';
  #wasDone = false;
  #hasTicket = false;
  #way: { readonly room: string; readonly way: DirectWay } | null = null;
  #ended: Promise<void> = Promise.resolve();
  /** Rises when what was asked for before is of no use any more. */
  #turn = 0;
  #looking = false;
  #lookAgain = false;
  #calls: (() => void)[] = [];
  #isClosed = false;

  constructor(terms: DirectTerms) {
    this.#terms = terms;
  }

  /** @param servers  for ICE, while the meeting goes from person to person and we are in it; else null */
  allow(servers: readonly RTCIceServer[] | null): void {
    const before = this.#servers;
    this.#servers = servers;
    if (servers === null) return this.#end();
    this.#way?.way.setIceServers(servers);
    if (before === null) this.look();
  }

  /** The sealed way may have come up, or gone. */
  moved(): void {
    const before = this.#sealed;
    const { state, isDone } = this.#terms.sealed();
    this.#sealed = state;
    const isFirst = isDone && !this.#wasDone;
    this.#wasDone ||= isDone;
    if (before === state && !isFirst) return;
    if (state === 'online') return this.look();
    // Tickets end with the connection that they were given to.
    this.#turn += 1;
    this.#hasTicket = false;
    this.#way?.way.pause();
  }

  /** Link and password are others now: whoever had the former key is not to hear us a moment longer. */
  renewed(): void {
    this.#end();
    this.look();
  }

  /** Something was written: perhaps with the first key that there is. */
  wrote(): void {
    if (this.#way === null) this.look();
  }

  /** There may be another key. */
  look(): void {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    void this.#lookUntilDone().finally(() => (this.#looking = false));
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#servers = null;
    this.#end();
  }

  async #lookUntilDone(): Promise<void> {
    while (this.#lookAgain) {
      this.#lookAgain = false;
      const turn = this.#turn;
      await this.#settle(turn).catch(() => this.#later(RETRY_MS));
      if (turn !== this.#turn) this.#lookAgain = true;
    }
  }

  async #settle(turn: number): Promise<void> {
    const { port, line, document, open, now } = this.#terms;
    const isStale = () => this.#isClosed || turn !== this.#turn;
    if (this.#isClosed || this.#servers === null || !this.#wasDone) return;
    const { room: wanted } = await port.call('chat.room', {});
    if (isStale()) return;
    if (this.#way !== null && this.#way.room !== wanted?.room) return this.#end();
    if (wanted === null || this.#sealed !== 'online' || this.#hasTicket) return;
    const { ticket, expiresAt } = await line.request('chat.ticket', {});
    await this.#ended;
    if (isStale()) return;
    if (this.#way !== null) this.#way.way.resume(ticket);
    else {
      const way = await open({ doc: document.doc, ...wanted, ticket, iceServers: this.#servers });
      if (isStale()) return this.#closeWay(way);
      this.#way = { room: wanted.room, way };
    }
    this.#hasTicket = true;
    this.#later(Math.max(RENEW_MS, expiresAt - now() - RENEW_MS), () => (this.#hasTicket = false));
  }

  #later(ms: number, act?: () => void): void {
    const turn = this.#turn;
    this.#calls.push(
      this.#terms.after(ms, () => {
        if (turn !== this.#turn) return;
        act?.();
        this.look();
      }),
    );
  }

  #end(): void {
    this.#turn += 1;
    for (const cancel of this.#calls.splice(0)) cancel();
    this.#hasTicket = false;
    const former = this.#way;
    this.#way = null;
    if (former !== null) this.#closeWay(former.way);
  }

  #closeWay(way: DirectWay): void {
    way.close();
    this.#ended = way.ended;
  }
}
