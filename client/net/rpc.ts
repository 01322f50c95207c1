/**
 * Requests, answers and events over one socket that may break and come back.
 *
 * Answers are parsed by the catalogue's schemas before anybody sees them. Events are handed on once each and in order: the server
 * numbers them per peer, and a resumed connection repeats some. A connection that says nothing for too long is given up.
 */
import { ServerEvent } from '../../signal/protocol/events.ts';
import { ProtocolError } from '../../signal/protocol/errors.ts';
import {
  isBasicRequest,
  requests,
  type Params,
  type RequestName,
  type Result,
} from '../../signal/protocol/requests.ts';
import { WireError } from '../../signal/protocol/wire.ts';
import { OfflineError } from './offline.ts';
import { Socket } from './socket.ts';

/** A ping goes out this often … */
const PING_MS = 5000;
/** … and something must come back within this, or the connection is dead: three lost segments and their retries fit in. */
const PONG_MS = 5000;

export interface RpcListener {
  up: () => void;
  down: (code: number) => void;
  event: (event: ServerEvent) => void;
  /** A push of the chat, not parsed yet: who never opens it need not know its schemas. */
  chat?: (push: unknown) => void;
  /** The server said something that is not of this protocol. */
  garbage?: (what: string) => void;
}

/** Checks a result; the catalogue's schema of that request. */
export type ResultSchema<N extends RequestName> = {
  safeParse(value: unknown): { success: true; data: Result<N> } | { success: false };
};

interface Pending {
  name: RequestName;
  schema: ResultSchema<never>;
  resolve: (result: never) => void;
  reject: (error: Error) => void;
}

export class Rpc {
  readonly #socket: Socket;
  readonly #listener: RpcListener;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #received = 0;
  #heardAt = 0;
  #pulse: ReturnType<typeof setInterval> | undefined;

  constructor(options: { url: string; listener: RpcListener; random?: () => number }) {
    this.#listener = options.listener;
    this.#socket = new Socket({
      url: options.url,
      ...(options.random ? { random: options.random } : {}),
      listener: {
        up: () => this.#up(),
        down: (code) => this.#down(code),
        message: (text) => this.#message(text),
      },
    });
  }

  get isUp(): boolean {
    return this.#socket.isUp;
  }

  /** Number of the last event seen, for `resume`. */
  get received(): number {
    return this.#received;
  }

  /** A fresh join: the server numbers its events from 1 again. */
  forgetEvents(): void {
    this.#received = 0;
  }

  /**
   * Sends one request of the catalogue.
   * @param schema  of its result, for requests that only a part of the client knows (`mediaRequests`)
   * @throws ProtocolError as the server answered · OfflineError if the socket is, or went, down
   */
  request<N extends RequestName>(name: N, params: Params<N>, schema?: ResultSchema<N>): Promise<Result<N>> {
    const known = schema ?? (isBasicRequest(name) ? requests[name].result : null);
    if (known === null) throw new Error(`the result of ${name} needs its schema`);
    return new Promise<Result<N>>((resolve, reject) => {
      const id = this.#nextId++;
      const pending = {
        name,
        schema: known as ResultSchema<never>,
        resolve: resolve as (result: never) => void,
        reject,
      };
      this.#pending.set(id, pending);
      if (this.#socket.send(JSON.stringify({ id, name, params }))) return;
      this.#pending.delete(id);
      reject(new OfflineError());
    });
  }

  /** Gives the connection up and opens another, at once or after `afterMs`. */
  reconnect(afterMs = 0): void {
    this.#socket.reconnect(afterMs);
  }

  /** Idempotent. What was asked is rejected as offline. */
  close(): void {
    this.#socket.close();
    clearInterval(this.#pulse);
    this.#rejectAll();
  }

  #up(): void {
    this.#heardAt = Date.now();
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => this.#beat(), PING_MS);
    this.#listener.up();
  }

  #beat(): void {
    // A sleeping laptop stops this timer too: judge only by a ping that was sent and had its time.
    const sentAt = Date.now();
    this.request('ping', {}).catch(() => undefined);
    setTimeout(() => {
      if (this.#heardAt < sentAt && this.#socket.isUp) this.#socket.reconnect();
    }, PONG_MS);
  }

  #down(code: number): void {
    clearInterval(this.#pulse);
    this.#rejectAll();
    this.#listener.down(code);
  }

  #rejectAll(): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) one.reject(new OfflineError());
  }

  #message(text: string): void {
    this.#heardAt = Date.now();
    let raw: unknown;
    try {
      raw = JSON.parse(text);
    } catch {
      raw = null;
    }
    if (typeof raw !== 'object' || raw === null) return this.#listener.garbage?.('not an object');
    if ('seq' in raw && 'event' in raw) this.#event(raw.seq, raw.event);
    else if ('id' in raw && typeof raw.id === 'number') this.#answer(raw.id, raw);
    else if ('chat' in raw) this.#listener.chat?.(raw.chat);
    else this.#listener.garbage?.('neither answer nor event');
  }

  #event(seq: unknown, event: unknown): void {
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq)) return this.#listener.garbage?.('event without number');
    if (seq <= this.#received) return;
    this.#received = seq;
    const parsed = ServerEvent.safeParse(event);
    if (parsed.success) this.#listener.event(parsed.data);
    else this.#listener.garbage?.('unknown event');
  }

  #answer(id: number, raw: object): void {
    const pending = this.#pending.get(id);
    if (!pending) return this.#listener.garbage?.('answer to nothing');
    this.#pending.delete(id);
    if ('error' in raw) {
      const error = WireError.safeParse(raw.error);
      if (!error.success)
        return pending.reject(new ProtocolError('malformed', 'error answer that is not of this protocol'));
      const { code, detail, retryAfterMs, epoch } = error.data;
      return pending.reject(
        new ProtocolError(code, detail, {
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          ...(epoch === undefined ? {} : { epoch }),
        }),
      );
    }
    const result = pending.schema.safeParse('result' in raw ? raw.result : undefined);
    if (result.success) pending.resolve(result.data as never);
    else pending.reject(new ProtocolError('malformed', `answer to ${pending.name} does not fit its schema`));
  }
}
