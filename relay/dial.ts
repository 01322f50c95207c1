/**
 * A relay's way to signal: dials, proves that it knows the secret, wants the same of signal, then answers what it is asked.
 *
 * A connection that is lost is dialled again. The rooms stay for a moment, because media do not go through signal, which has
 * forgotten them when the connection is back and opens them anew.
 */
import { WebSocket, type RawData } from 'ws';
import { ProtocolError } from '../signal/protocol/errors.ts';
import type { RelayId, RelayRequestName } from '../signal/protocol/relayControl.ts';
import { relayRequests } from '../signal/protocol/relayControl.ts';
import {
  drawNonce,
  isRelayProof,
  RELAY_PROTOCOL,
  RelayChallenge,
  relayProof,
  RelayRequest,
  RelayWelcome,
  STATUS_MS,
} from '../signal/protocol/relayWire.ts';
import { MAX_MESSAGE_BYTES } from '../signal/protocol/wire.ts';
import type { Relay } from './relay.ts';

/** Signal is tried again after this, doubling. */
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
const HANDSHAKE_MS = 5000;
/** Rooms of a signal that does not come back are closed. */
const FORGET_MS = 15_000;

export interface DialTerms {
  /** ws or wss, with the path. */
  readonly url: string;
  readonly secret: string;
  readonly relay: RelayId;
  readonly region: string;
  readonly log: (words: string) => void;
}

export class Dial {
  readonly #relay: Relay;
  readonly #terms: DialTerms;
  #socket: WebSocket | null = null;
  #isWelcome = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #forget: NodeJS.Timeout | undefined;
  readonly #pulse: NodeJS.Timeout;
  #heardAt = 0;
  #isClosed = false;

  constructor(relay: Relay, terms: DialTerms) {
    this.#relay = relay;
    this.#terms = terms;
    relay.onEvent((event) => this.#say({ event }));
    this.#pulse = setInterval(() => this.#beat(), STATUS_MS);
    this.#dial();
  }

  /** Whether signal uses this relay now. */
  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#forget);
    clearInterval(this.#pulse);
    this.#socket?.close(1001);
  }

  #dial(): void {
    const socket = new WebSocket(this.#terms.url, {
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#socket = socket;
    this.#heardAt = Date.now();
    let reason = '';
    socket.on('error', (error) => (reason = error.message));
    socket.on('ping', () => (this.#heardAt = Date.now()));
    socket.on('close', (code, words) => this.#ended(reason || `${code} ${words.toString()}`));
    void this.#prove(socket).then(
      () => this.#welcomed(socket),
      (error: unknown) => {
        reason = error instanceof Error ? error.message : String(error);
        socket.close(1008);
      },
    );
  }

  async #prove(socket: WebSocket): Promise<void> {
    const { secret, relay, region } = this.#terms;
    const challenge = RelayChallenge.safeParse(await next(socket)).data;
    if (challenge?.protocol !== RELAY_PROTOCOL) throw new Error('this is no signal server of the same version');
    const terms = { relay, region, signalNonce: challenge.nonce, relayNonce: drawNonce() };
    const proof = await relayProof(secret, 'relay', terms);
    const hello = { type: 'hello', protocol: RELAY_PROTOCOL, relay, region, nonce: terms.relayNonce, proof };
    const answer = next(socket);
    socket.send(JSON.stringify(hello));
    const welcome = RelayWelcome.safeParse(await answer).data;
    // A server that does not know the secret is none of ours, whatever name it answers to.
    if (!welcome || !(await isRelayProof(secret, 'signal', terms, welcome.proof)))
      throw new Error('signal did not prove that it knows the secret');
  }

  #welcomed(socket: WebSocket): void {
    this.#failures = 0;
    this.#isWelcome = true;
    clearTimeout(this.#forget);
    // Signal begins with nothing at each connection: in a room of before, its peers would find ghosts, and newcomers nobody.
    this.#relay.retireRooms();
    this.#terms.log(`at ${new URL(this.#terms.url).host}`);
    socket.on('message', (data, isBinary) => {
      this.#heardAt = Date.now();
      if (isBinary) socket.close(4400, 'malformed');
      else void this.#answer(socket, data);
    });
    this.#beat();
  }

  async #answer(socket: WebSocket, data: RawData): Promise<void> {
    const request = parse(data);
    if (!request) return socket.close(4400, 'malformed');
    const { id, name } = request;
    try {
      if (!isName(name)) throw new ProtocolError('unsupported', name);
      const params = relayRequests[name].params.safeParse(request.params);
      if (!params.success) throw new ProtocolError('badRequest', `${name} does not fit its schema`);
      const result = await this.#relay.request(name, params.data as never);
      socket.send(JSON.stringify({ id, result }));
    } catch (error) {
      const known = error instanceof ProtocolError ? error : new ProtocolError('internal');
      if (known.code === 'internal') this.#terms.log(`${name} failed: ${String(error)}`);
      socket.send(JSON.stringify({ id, error: { code: known.code, detail: known.message.slice(0, 512) } }));
    }
  }

  #ended(reason: string): void {
    this.#socket = null;
    const wasWelcome = this.#isWelcome;
    this.#isWelcome = false;
    if (this.#isClosed) return;
    if (wasWelcome || this.#failures === 0) this.#terms.log(`signal is lost: ${reason}`);
    if (wasWelcome) this.#forget = setTimeout(() => void this.#relay.closeRooms(), FORGET_MS);
    const wait = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.#dial(), wait);
  }

  #beat(): void {
    if (!this.#isWelcome) return;
    if (Date.now() - this.#heardAt > 3 * STATUS_MS) return this.#socket?.terminate();
    const { isReady, peers, capacity } = this.#relay;
    this.#say({ status: { isReady, peers, capacity } });
  }

  #say(message: object): void {
    if (this.#isWelcome) this.#socket?.send(JSON.stringify(message));
  }
}

/** @throws Error when the connection ends first */
function next(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), HANDSHAKE_MS);
    const ended = (code: number, words: Buffer) => {
      clearTimeout(timer);
      reject(new Error(`${code} ${words.toString()}`.trim()));
    };
    socket.once('close', ended);
    socket.once('message', (data) => {
      clearTimeout(timer);
      socket.off('close', ended);
      try {
        resolve(JSON.parse(data.toString()));
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}

function parse(data: RawData) {
  try {
    return RelayRequest.safeParse(JSON.parse(data.toString())).data;
  } catch {
    return undefined;
  }
}

function isName(name: string): name is RelayRequestName {
  return Object.hasOwn(relayRequests, name);
}
