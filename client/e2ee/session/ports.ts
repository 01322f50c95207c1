/** What a session needs of the world: time, requests to signal, and somebody to tell. Everything else it is given as bytes. */
import type { Keyring } from '../../../crypto/keyring.ts';
import type { ErrorCode } from '../../../signal/protocol/errors.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { Params, RequestName, Result } from '../../../signal/protocol/requests.ts';
import type { Notice } from '../messages.ts';

/** A request that signal refused, or that never reached it (`offline`). */
export class RequestFailed extends Error {
  readonly code: ErrorCode | 'offline';
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode | 'offline', more: { retryAfterMs?: number } = {}) {
    super(`request failed: ${code}`);
    this.name = 'RequestFailed';
    this.code = code;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** Says aloud what people should see. @param peer whom an `unreadable` or `letIn` is about, where anybody says so */
export type Alarm = (alarm: Extract<Notice, { type: 'alarm' }>['alarm'], detail: string, peer?: PeerId | null) => void;

export interface Ports {
  /** Milliseconds of a steady clock. */
  now(): number;
  /** Runs `run` once, after `ms`. @returns calls it off */
  after(ms: number, run: () => void): () => void;
  /** Runs `run` after everything that has come in before now. */
  turn(run: () => void): void;
  /**
   * When what is being worked off came in, by the clock of `now`; `now` itself where nothing is. A busy thread lags behind: who is
   * judged by what has been heard of them is judged by this clock.
   */
  arrivedAt(): number;
  /** @throws RequestFailed */
  send<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>>;
  emit(notice: Notice): void;
  /** Something went wrong that never should: our own fault. The session is over after it. */
  failed(error: unknown): void;
  /** The media keys of this meeting; shared with the frame transforms, on the same clock as `now`. */
  readonly keyring: Keyring;
  /** We send, or receive, with another key from now on. */
  keysChanged(side: 'send' | 'receive'): void;
}

/**
 * The same, as the parts of a session see it: timers come back through the session's queue (serial.ts), and what follows an
 * answer of the server is put there with `post`. Once the session is over, neither happens any more.
 */
export interface Desk extends Ports {
  post(task: () => void | Promise<void>): void;
  /** Milliseconds since 1970 as the server counts them: admissions and orders are dated by it. */
  serverNow(): number;
}
