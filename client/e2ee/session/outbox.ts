/**
 * Requests that must reach the server in order, whatever the connection does: what a host has decided.
 *
 * One is under way at a time. It is sent again after a lost connection or a refusal that time heals, and dropped where the
 * server says never.
 */
import { errors } from '../../../signal/protocol/errors.ts';
import type { Params, RequestName } from '../../../signal/protocol/requests.ts';
import type { Desk } from './ports.ts';
import { RequestFailed } from './ports.ts';

const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

interface Entry {
  send: () => Promise<unknown>;
  /** `done`: the server took it. */
  settled: (done: boolean) => void | Promise<void>;
}

export class Outbox {
  readonly #desk: Desk;
  readonly #entries: Entry[] = [];
  #state: 'idle' | 'sending' | 'offline' | 'waiting' = 'idle';
  #retryMs = RETRY_MS;
  #cancel: (() => void) | null = null;
  #waiting: (() => void)[] = [];

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  put<N extends RequestName>(name: N, params: Params<N>, settled: Entry['settled'] = () => undefined): void {
    this.#entries.push({ send: () => this.#desk.send(name, params), settled });
    if (this.#state === 'idle') this.#sendFirst();
  }

  resumed(): void {
    if (this.#state !== 'offline') return;
    this.#state = 'idle';
    this.#sendFirst();
  }

  /** Resolves when nothing is left to send, or will be. Never rejects. */
  drained(): Promise<void> {
    if (this.#entries.length === 0 || this.#state === 'offline') return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  stop(): void {
    this.#cancel?.();
    this.#entries.length = 0;
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #sendFirst(): void {
    const [entry] = this.#entries;
    if (entry === undefined) {
      this.#state = 'idle';
      this.#release();
      return;
    }
    this.#state = 'sending';
    entry.send().then(
      () => this.#desk.post(() => this.#settle(entry, true)),
      (error: unknown) => this.#desk.post(() => this.#failed(entry, error)),
    );
  }

  async #settle(entry: Entry, done: boolean): Promise<void> {
    this.#entries.shift();
    this.#retryMs = RETRY_MS;
    await entry.settled(done);
    this.#sendFirst();
  }

  async #failed(entry: Entry, error: unknown): Promise<void> {
    const failure = error instanceof RequestFailed ? error : new RequestFailed('internal');
    if (failure.code === 'offline') {
      this.#state = 'offline';
      this.#release();
      return;
    }
    if (errors[failure.code].retry !== 'later') return this.#settle(entry, false);
    this.#state = 'waiting';
    this.#cancel = this.#desk.after(failure.retryAfterMs ?? this.#retryMs, () => this.#sendFirst());
    this.#retryMs = Math.min(MAX_RETRY_MS, 2 * this.#retryMs);
  }
}
