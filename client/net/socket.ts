/**
 * One WebSocket that comes back by itself.
 *
 * Knows nothing of what is said over it: `rpc.ts` pairs answers with requests and tells when a connection seems dead. A socket
 * that was closed by its owner never opens again.
 */
import { backoffMs } from './backoff.ts';

/** Nobody answers within this: the network swallows what we send, so a fresh attempt is better than waiting for TCP. */
const OPEN_TIMEOUT_MS = 8000;

export interface SocketListener {
  up: () => void;
  /** `code` as in RFC 6455 §7.4; 1006 where the connection broke or never came up. */
  down: (code: number) => void;
  message: (text: string) => void;
}

export interface SocketOptions {
  url: string;
  listener: SocketListener;
  random?: () => number;
}

export class Socket {
  readonly #options: SocketOptions;
  #socket: WebSocket | null = null;
  #open = false;
  #closed = false;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #opening: ReturnType<typeof setTimeout> | undefined;
  readonly #online = () => this.reconnect();

  constructor(options: SocketOptions) {
    this.#options = options;
    globalThis.addEventListener?.('online', this.#online);
    this.#connect();
  }

  get isUp(): boolean {
    return this.#open;
  }

  /** @returns false if there is no connection to send over */
  send(text: string): boolean {
    if (!this.#open || !this.#socket) return false;
    this.#socket.send(text);
    return true;
  }

  /** Gives the present connection up and tries again, at once or after `afterMs`. Does nothing to an attempt that is under way. */
  reconnect(afterMs = 0): void {
    if (this.#closed) return;
    if (this.#open) this.#lost(1006);
    if (this.#socket) return;
    this.#attempt = 0;
    this.#schedule(afterMs);
  }

  /** Idempotent. The listener hears nothing any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#open = false;
    globalThis.removeEventListener?.('online', this.#online);
    clearTimeout(this.#retry);
    this.#drop(1000);
  }

  #schedule(afterMs: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), afterMs);
  }

  #connect(): void {
    clearTimeout(this.#retry);
    if (this.#closed || this.#socket) return;
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    this.#opening = setTimeout(() => this.#ended(socket, 1006), OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      clearTimeout(this.#opening);
      this.#open = true;
      this.#attempt = 0;
      this.#options.listener.up();
    };
    socket.onmessage = (event) => {
      if (this.#socket === socket && typeof event.data === 'string') this.#options.listener.message(event.data);
    };
    socket.onclose = (event) => this.#ended(socket, event.code);
    socket.onerror = () => undefined; // a close event follows, with all there is to know
  }

  #ended(socket: WebSocket, code: number): void {
    if (this.#socket !== socket) return;
    const attempt = this.#attempt++;
    this.#lost(code);
    if (!this.#closed) this.#schedule(backoffMs(attempt, (this.#options.random ?? jitter)()));
  }

  #lost(code: number): void {
    const wasOpen = this.#open;
    this.#open = false;
    this.#drop(1000);
    if (wasOpen || code !== 1006) this.#options.listener.down(code);
  }

  #drop(code: number): void {
    clearTimeout(this.#opening);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close(code);
  }
}

/** @returns in [0, 1) */
function jitter(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}
