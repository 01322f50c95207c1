/**
 * WebSockets on the HTTP server's port: who may connect, how many, and whether they are still there.
 *
 * Pages of other origins may not connect. Connections per address and in all are limited. A client that does not read, or does
 * not answer pings, is disconnected and may resume. No timer per socket: one clock visits a part of them each time, so that
 * ten thousand pings do not go out in one go.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { addressOf, SITE_FACTOR, siteOf } from '../address.ts';
import { backlog, SLOW_BYTES } from './backlog.ts';
import { MAX_MESSAGE_BYTES } from '../protocol/wire.ts';
import { isOriginAllowed } from './origin.ts';
import { type Context, Session, type Wire } from './session.ts';

/** Each socket is visited this often: a ping goes out, and who has not answered the last one is gone. */
const VISIT_MS = 10_000;
const PARTS = 40;
/** Whoever has not proven the link by then is not going to. */
const PROVE_MS = 60_000;
/** Whoever has proven the link alone, and no password, by then. A client that is still there proves it again. */
const ADMIT_MS = 15 * 60_000;
/** RFC 6455 §7.4.1 has no code for it; IANA's registry gives 1013, "Try Again Later". */
const TRY_AGAIN_LATER = 1013;
const MALFORMED = 4400;
const RESTART = 1012;
/** For the closing handshakes when the server stops. */
const FAREWELL_MS = 1500;

export interface GatewayTerms {
  readonly context: Context;
  readonly proxies: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Origins that may connect besides the one that a page was served from. */
  readonly origins: readonly string[];
  /** Each socket is visited this often; preset is `VISIT_MS`. */
  readonly visitMs?: number;
}

/** A socket with its session, so that listeners can be shared by all: one closure per socket is memory times ten thousand. */
class ClientSocket extends WebSocket implements Wire {
  session!: Session;
  since = 0;
  isGivenUp = false;

  override send(text: string): void {
    if (this.readyState !== WebSocket.OPEN || this.isGivenUp) return;
    const unsent = this.bufferedAmount;
    if (unsent > backlog.allowance(this, unsent)) return this.giveUp(TRY_AGAIN_LATER, 'too slow');
    super.send(text);
  }

  /** Its peer keeps its place, as with a socket that is lost. The visit after the next ends it if the client does not. */
  giveUp(code: number, reason: string): void {
    this.isGivenUp = true;
    this.session.ended();
    // What lies unsent of one that is given up for being slow would lie there until the visit: the goodbye would come after it.
    if (this.bufferedAmount > SLOW_BYTES) this.terminate();
    else this.close(code, reason);
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const socket = this as ClientSocket;
  if (isBinary) return socket.giveUp(MALFORMED, 'malformed');
  // ws hands over one Buffer, unless binaryType says otherwise.
  const bytes = data as Buffer;
  socket.session.receive(bytes.toString(), bytes.length);
}

function onPong(this: WebSocket): void {
  (this as ClientSocket).session.isHeard = true;
}

export class Gateway {
  readonly #terms: GatewayTerms;
  readonly #server: WebSocketServer;
  readonly #parts: Set<ClientSocket>[] = Array.from({ length: PARTS }, () => new Set());
  readonly #perAddress = new Map<string, number>();
  readonly #clock: NodeJS.Timeout;
  #count = 0;
  #next = 0;
  #isDraining = false;

  constructor(terms: GatewayTerms) {
    this.#terms = terms;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE_BYTES,
      // What is sealed does not compress, and a window per socket costs more than the socket.
      perMessageDeflate: false,
      clientTracking: false,
      WebSocket: ClientSocket,
    });
    this.#clock = setInterval(() => this.#visit(), (terms.visitMs ?? VISIT_MS) / PARTS);
  }

  get connections(): number {
    return this.#count;
  }

  /** Takes an `upgrade` of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const address = addressOf(request, this.#terms.proxies);
    const refusal = this.#refusal(request, address);
    if (refusal) {
      // Not left half open: whoever is refused may not care to close its side.
      socket.once('finish', () => socket.destroy());
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) => this.#welcome(client as ClientSocket, address));
  }

  /** Ends the connections of a meeting whose peers have no room to tell them: those who wait outside. */
  endMeeting(meeting: string): void {
    for (const { session } of this.#sockets()) {
      if ('meeting' in session.state && session.state.meeting === meeting) session.close('meetingEnded');
    }
  }

  /** Closes everything, at the latest after `FAREWELL_MS`. Idempotent. */
  async close(): Promise<void> {
    this.#isDraining = true;
    clearInterval(this.#clock);
    for (const socket of this.#sockets()) socket.close(RESTART, 'draining');
    const deadline = Date.now() + FAREWELL_MS;
    while (this.#count > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const socket of this.#sockets()) socket.terminate();
  }

  *#sockets(): Iterable<ClientSocket> {
    for (const part of this.#parts) yield* part;
  }

  #refusal(request: IncomingMessage, address: string): string | null {
    const { connections, connectionsPerAddress, origins } = this.#terms;
    if (request.url?.split('?')[0] !== '/ws') return '404 Not Found';
    if (this.#isDraining) return '503 Service Unavailable';
    if (!isOriginAllowed(request.headers, origins)) return '403 Forbidden';
    const site = siteOf(address);
    const held = (of: string) => this.#perAddress.get(of) ?? 0;
    const isTooMany = site !== null && held(site) >= SITE_FACTOR * connectionsPerAddress;
    if (isTooMany || held(address) >= connectionsPerAddress) return '429 Too Many Requests';
    if (this.#count >= connections) return '503 Service Unavailable';
    return null;
  }

  #welcome(socket: ClientSocket, address: string): void {
    const part = this.#parts[this.#count % PARTS]!;
    socket.session = new Session(socket, address, this.#terms.context);
    socket.since = this.#terms.context.now();
    part.add(socket);
    this.#count++;
    this.#hold(address, 1);
    socket.on('message', onMessage);
    socket.on('pong', onPong);
    // Always followed by `close`, with a code that says the same.
    socket.on('error', ignore);
    socket.on('close', () => {
      part.delete(socket);
      this.#count--;
      this.#hold(address, -1);
      socket.session.ended();
    });
  }

  #hold(address: string, more: 1 | -1): void {
    for (const one of [address, siteOf(address)]) {
      if (one === null) continue;
      const held = (this.#perAddress.get(one) ?? 0) + more;
      if (held > 0) this.#perAddress.set(one, held);
      else this.#perAddress.delete(one);
    }
  }

  #visit(): void {
    const part = this.#parts[this.#next]!;
    this.#next = (this.#next + 1) % PARTS;
    const { context } = this.#terms;
    for (const socket of part) {
      const { session } = socket;
      if (!session.isHeard || socket.isGivenUp) {
        socket.terminate();
        continue;
      }
      if (context.now() - socket.since > patienceFor(session)) {
        socket.giveUp(TRY_AGAIN_LATER, 'nothing was proven');
        continue;
      }
      session.isHeard = false;
      session.limits.forget(context.now());
      socket.ping();
    }
    if (this.#next !== 0) return;
    context.service.forgetOldEvents();
    context.attempts.forgetOld(context.now());
  }
}

/** How long a connection may be as it is. */
function patienceFor({ state }: Session): number {
  switch (state.at) {
    case 'new':
    case 'greeted':
      return PROVE_MS;
    case 'linked':
      return ADMIT_MS;
    case 'admitted':
    case 'joined':
    case 'closed':
      return Infinity;
  }
}

function ignore(): void {}
