/**
 * A relay on another host, behind the WebSocket that it opened. Whoever makes one has seen its proof.
 *
 * Every answer is parsed by the catalogue. What takes too long is given up, and a relay that falls silent is closed.
 */
import type { RawData, WebSocket } from 'ws';
import { ProtocolError } from '../protocol/errors.ts';
import type { RelayEvent, RelayParams, RelayPort, RelayRequestName, RelayResult } from '../protocol/relayControl.ts';
import { relayRequests } from '../protocol/relayControl.ts';
import { RelayAnswer, STATUS_MS } from '../protocol/relayWire.ts';

const REQUEST_MS = 5000;
const AWAY = { isReady: false, peers: 0, capacity: 1 };

interface Waiting {
  readonly name: RelayRequestName;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class RemoteRelay implements RelayPort {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  readonly #pulse: NodeJS.Timeout;
  #id = 0;
  #status = AWAY;
  /** Peers that were sent there since it said how it is. */
  #since = 0;
  #heardAt = Date.now();

  /** @param lost the connection has ended, by whomever */
  constructor(socket: WebSocket, lost: () => void) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('error', () => undefined); // `close` follows
    socket.once('close', () => {
      clearInterval(this.#pulse);
      this.#status = AWAY;
      for (const { reject, timer } of this.#waiting.values()) {
        clearTimeout(timer);
        reject(new ProtocolError('relayUnavailable'));
      }
      this.#waiting.clear();
      lost();
    });
    this.#pulse = setInterval(() => {
      if (Date.now() - this.#heardAt > 3 * STATUS_MS) socket.terminate();
      else socket.ping();
    }, STATUS_MS);
  }

  get isReady(): boolean {
    return this.#status.isReady;
  }

  get load(): number {
    const { peers, capacity } = this.#status;
    return (peers + this.#since) / capacity;
  }

  request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    if (this.#socket.readyState !== this.#socket.OPEN) return Promise.reject(new ProtocolError('relayUnavailable'));
    if (name === 'peer.open') this.#since++;
    const id = this.#id++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ProtocolError('relayUnavailable', `no answer to ${name}`));
      }, REQUEST_MS);
      // Parsed by this request's own schema before it is handed over.
      this.#waiting.set(id, { name, resolve: resolve as (result: unknown) => void, reject, timer });
      this.#socket.send(JSON.stringify({ id, name, params }));
    });
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#pulse);
    this.#status = AWAY;
    this.#socket.close(1012, 'draining');
  }

  #received(data: RawData, isBinary: boolean): void {
    const answer = isBinary ? undefined : parse(data);
    if (!answer) return this.#socket.close(4400, 'malformed');
    this.#heardAt = Date.now();
    if ('status' in answer) {
      this.#status = answer.status;
      this.#since = 0;
    } else if ('event' in answer) for (const listener of this.#listeners) listener(answer.event);
    else this.#settle(answer);
  }

  #settle(answer: Extract<RelayAnswer, { id: number }>): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return; // given up
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if ('error' in answer) {
      const { code, detail } = answer.error;
      return waiting.reject(new ProtocolError(code, detail));
    }
    const result = relayRequests[waiting.name].result.safeParse(answer.result);
    if (result.success) waiting.resolve(result.data);
    else waiting.reject(new ProtocolError('internal', `an answer to ${waiting.name} that does not fit`));
  }
}

function parse(data: RawData): RelayAnswer | undefined {
  try {
    return RelayAnswer.safeParse(JSON.parse(data.toString())).data;
  } catch {
    return undefined;
  }
}
