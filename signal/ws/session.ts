/**
 * One connection: text in, requests to handlers, answers and events out.
 *
 * Requests of a connection are handled one after the other, and what they cause reaches their own author only after the answer.
 * Nothing that comes in can end the process: a message is parsed, allowed and limited before a handler sees it, and what a
 * handler throws becomes an answer. Messages are never logged.
 */
import type { ErrorCode } from '../protocol/errors.ts';
import { errors, ProtocolError } from '../protocol/errors.ts';
import type { Challenge, MeetingId, PeerId } from '../protocol/ids.ts';
import type * as z from 'zod/mini';
import type { Phase } from '../protocol/phases.ts';
import type { Params, RequestName, Result } from '../protocol/requests.ts';
import { catalogue, isRequestName } from '../protocol/catalogue.ts';
import { WireRequest } from '../protocol/wire.ts';
import type { Listener } from '../chat/listeners.ts';
import type { Line } from '../meeting/live.ts';
import { mayAsk } from '../meeting/permissions.ts';
import type { IceConfig } from '../config.ts';
import type { MeetingService } from '../meeting/service.ts';
import type { Attempts } from './attempts.ts';
import { Limits } from './limits.ts';

type ChallengeText = z.infer<typeof Challenge>;

export type SessionState =
  | { at: 'new' }
  | { at: 'greeted'; meeting: MeetingId; challenge: ChallengeText }
  | { at: 'linked'; meeting: MeetingId; generation: number; challenge: ChallengeText }
  | { at: 'admitted'; meeting: MeetingId; generation: number; challenge: ChallengeText }
  | { at: 'joined'; meeting: MeetingId; peer: PeerId }
  | { at: 'closed' };

export type Handlers = {
  [N in RequestName]: (session: Session, params: Params<N>, context: Context) => Result<N> | Promise<Result<N>>;
};

/** What every session and handler works with: one of these per process. */
export interface Context {
  readonly service: MeetingService;
  readonly attempts: Attempts;
  readonly handlers: Handlers;
  readonly ice: IceConfig;
  readonly now: () => number;
  /** Something of ours is broken. */
  readonly onError: (error: unknown) => void;
}

/** What a session needs of its socket. */
export interface Wire {
  send(text: string): void;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
}

/** Requests that wait while one is handled. A client that asks for more at once asks for trouble. */
const MAX_WAITING = 256;

export class Session implements Line, Listener {
  readonly address: string;
  readonly limits = new Limits();
  state: SessionState = { at: 'new' };
  /** Something came in since the last look. */
  isHeard = true;
  readonly #wire: Wire;
  readonly #context: Context;
  /** What goes out after the answer that is being made; null: none is. */
  #held: string[] | null = null;
  #waiting: string[] | null = null;
  /** Ends once the request at hand is answered. */
  #closing: ErrorCode | null = null;

  constructor(wire: Wire, address: string, context: Context) {
    this.#wire = wire;
    this.address = address;
    this.#context = context;
  }

  get phase(): Phase {
    const { at } = this.state;
    return at === 'greeted' || at === 'closed' ? 'new' : at;
  }

  get meeting(): MeetingId | null {
    const { state } = this;
    return state.at === 'admitted' || state.at === 'joined' ? state.meeting : null;
  }

  get generation(): number | null {
    return this.state.at === 'admitted' ? this.state.generation : null;
  }

  /** The state it is in, where a handler works in one only. @throws ProtocolError outOfOrder in any other */
  in<A extends SessionState['at']>(at: A): Extract<SessionState, { at: A }> {
    if (this.state.at !== at) throw new ProtocolError('outOfOrder', `not while ${this.state.at}`);
    return this.state as Extract<SessionState, { at: A }>;
  }

  /** Charges this connection for what a request becomes by being sent to many. @throws ProtocolError tooMany */
  spread(chars: number): void {
    const retryAfterMs = this.limits.spread(chars, this.#context.now());
    if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
  }

  /** One phase further; not for a connection that ended meanwhile. */
  advance(state: Extract<SessionState, { challenge: string }>): void {
    if (this.state.at !== 'closed') this.state = state;
  }

  /** @param size in bytes */
  receive(text: string, size: number): void {
    if (this.state.at === 'closed' || this.#closing !== null) return;
    this.isHeard = true;
    if (this.limits.bytes(size, this.#context.now()) > 0) return this.close('flooding');
    if (this.#held === null) return this.#handle(text);
    this.#waiting ??= [];
    if (this.#waiting.push(text) > MAX_WAITING) this.close('flooding');
  }

  send(text: string): void {
    if (this.state.at === 'closed') return;
    if (this.#held === null) this.#wire.send(text);
    else this.#held.push(text);
  }

  /** After the answer that is being made, if one is: whoever ends a meeting hears that it worked. */
  close(code: ErrorCode): void {
    if (this.state.at === 'closed') return;
    if (this.#held !== null) {
      this.#closing ??= code;
      return;
    }
    const rule = errors[code];
    this.#leaveRoom();
    this.#wire.close('close' in rule ? rule.close : 1008, code);
  }

  get isOpen(): boolean {
    return this.state.at !== 'closed';
  }

  seated(meeting: MeetingId, peer: PeerId): void {
    this.state = { at: 'joined', meeting, peer };
  }

  dismissed(): void {
    if (this.state.at !== 'joined') return;
    this.state = { at: 'new' };
    this.#context.service.chat.leave(this);
  }

  /** The socket is gone, or given up. Idempotent. */
  ended(): void {
    this.#leaveRoom();
  }

  #leaveRoom(): void {
    const before = this.state;
    this.state = { at: 'closed' };
    this.#waiting = null;
    if (before.at === 'admitted' || before.at === 'joined') this.#context.service.chat.leave(this);
    if (before.at === 'joined') this.#context.service.lost(before.meeting, before.peer, this);
  }

  #handle(text: string): void {
    const request = parse(text);
    if (!request) return this.close('malformed');
    const { id } = request;
    this.#held = [];
    let result: unknown;
    try {
      result = this.#dispatch(request);
    } catch (error) {
      return this.#refuse(id, error);
    }
    if (!(result instanceof Promise)) return this.#answer(id, result);
    result.then(
      (value) => this.#answer(id, value),
      (error: unknown) => this.#refuse(id, error),
    );
  }

  #dispatch({ name, params }: WireRequest): unknown {
    if (!isRequestName(name)) throw new ProtocolError('unsupported', 'unknown request');
    const retryAfterMs = this.limits.request(name, this.#context.now());
    if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
    if (!mayAsk(this.phase, name)) throw new ProtocolError('outOfOrder', `${name} is not for the phase ${this.phase}`);
    const parsed = catalogue[name].params.safeParse(params);
    if (!parsed.success) throw new ProtocolError('badRequest', whatIsWrong(parsed.error.issues));
    // The catalogue pairs name and params; the compiler cannot follow a union through it.
    const handler = this.#context.handlers[name] as (session: Session, params: unknown, context: Context) => unknown;
    return handler(this, parsed.data, this.#context);
  }

  #answer(id: number, result: unknown): void {
    this.#finish(JSON.stringify({ id, result }));
  }

  #refuse(id: number, error: unknown): void {
    const known = error instanceof ProtocolError ? error : new ProtocolError('internal', undefined, { cause: error });
    if (known.code === 'internal') this.#context.onError(error);
    const { code, message: detail, retryAfterMs, epoch } = known;
    this.#finish(JSON.stringify({ id, error: { code, detail: detail.slice(0, 512), retryAfterMs, epoch } }));
    if (code === 'tooMany' && this.limits.isStruckOut(this.#context.now())) this.close('flooding');
  }

  /** Answer, what it caused, then the next request. */
  #finish(answer: string): void {
    if (this.state.at !== 'closed') this.#wire.send(answer);
    this.#flush();
    if (this.#closing !== null) return this.close(this.#closing);
    const next = this.#waiting?.shift();
    if (next !== undefined) this.#handle(next);
  }

  #flush(): void {
    const held = this.#held;
    this.#held = null;
    if (this.state.at !== 'closed') for (const text of held ?? []) this.#wire.send(text);
  }
}

function parse(text: string): WireRequest | null {
  try {
    const parsed = WireRequest.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Where it does not fit, without repeating what was sent. */
function whatIsWrong(issues: readonly { path: PropertyKey[]; code?: string }[]): string {
  const [first] = issues;
  return first
    ? `${first.path.map(String).join('.').slice(0, 100) || 'params'}: ${first.code ?? 'invalid'}`
    : 'invalid';
}
