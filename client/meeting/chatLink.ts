/**
 * The chat's end of a meeting's connection: tells it when link and password are proven, and lends it socket and worker.
 *
 * The chat opens when somebody wants it, in the lobby or in the meeting, and lives as long as the worker that holds its keys.
 */
import type { ChatLine, ChatPort, ChatRequest } from '../chat/providers/signal.ts';
import { OfflineError } from '../net/offline.ts';
import type { ResultSchema, Rpc } from '../net/rpc.ts';

/** Who is told. */
export interface ChatSink {
  /** Link and password are proven on a fresh connection. */
  up(): void;
  down(): void;
  /** The meeting has another link or password. */
  renewed(): void;
  /** Other keys are held, or another one seals. */
  keys(): void;
  /** @param servers  for ICE, while we are in a meeting that goes from person to person, and may; else null */
  direct(servers: readonly RTCIceServer[] | null): void;
  /** The chat's terms are others now. */
  refresh(): void;
  /** Not parsed yet. */
  pushed(push: unknown): void;
  /** The worker that held its keys is gone. */
  ended(): void;
  schemaOf<N extends ChatRequest>(name: N): ResultSchema<N>;
}

export interface ChatWays {
  readonly port: ChatPort;
  readonly line: ChatLine;
}

export class ChatLink {
  #sink: ChatSink | null = null;
  /** The connection that has proven link and password. */
  #open: { rpc: Rpc; port: ChatPort } | null = null;
  /** Set once proven: the worker can open what is kept here, connected or not. */
  #port: ChatPort | null = null;
  #servers: readonly RTCIceServer[] | null = null;

  /** True once a chat can be opened. */
  get isReady(): boolean {
    return this.#port !== null;
  }

  /** @returns null before link and password are proven */
  join(sink: ChatSink): ChatWays | null {
    const port = this.#port;
    if (port === null) return null;
    this.#sink = sink;
    const line: ChatLine = {
      request: (name, params) => {
        if (this.#open?.port !== port) return Promise.reject(new OfflineError());
        return this.#open.rpc.request(name, params, sink.schemaOf(name));
      },
    };
    sink.direct(this.#servers);
    if (this.#open !== null) sink.up();
    return { port, line };
  }

  /** What is kept here can be opened, and there is no connection. */
  ready(port: ChatPort): void {
    this.#port = port;
  }

  up(rpc: Rpc, port: ChatPort): void {
    this.#open = { rpc, port };
    this.#port = port;
    this.#sink?.up();
  }

  down(): void {
    this.#open = null;
    this.#sink?.down();
  }

  renewed(): void {
    this.#sink?.renewed();
  }

  keys(): void {
    this.#sink?.keys();
  }

  /** Whether browsers may speak with each other directly. @param servers for ICE; null: they may not */
  direct(servers: readonly RTCIceServer[] | null): void {
    this.#servers = servers;
    this.#sink?.direct(servers);
  }

  refresh(): void {
    this.#sink?.refresh();
  }

  pushed(push: unknown): void {
    this.#sink?.pushed(push);
  }

  end(): void {
    const sink = this.#sink;
    this.#sink = this.#open = this.#port = this.#servers = null;
    sink?.ended();
  }
}
