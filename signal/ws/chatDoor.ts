/**
 * Where browsers find each other for the chat's direct way: WebSockets that speak y-webrtc's signalling (protocol/chatDirect.ts).
 *
 * A ticket names the meeting, and nothing that is said leaves that meeting. What does not fit, or comes too fast, ends the socket;
 * nothing is answered but pings, and nothing is logged.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Guest, Ticket, Tickets } from '../chat/tickets.ts';
import {
  CHAT_DIRECT_PATH,
  type DirectAnswer,
  DirectRequest,
  MAX_DIRECT_BYTES,
  MAX_DIRECT_TOPICS,
} from '../protocol/chatDirect.ts';
import type { MeetingId } from '../protocol/ids.ts';
import { isOriginAllowed } from './origin.ts';

const MALFORMED = 4400;
const FLOODING = 4429;
const RESTART = 1012;
/** Whoever lags behind more than this finds the others another time. */
const MAX_UNSENT_BYTES = 256 * 1024;

export interface ChatDoorTerms {
  readonly tickets: Tickets;
  readonly now: () => number;
  /** Origins that may connect besides the one that a page was served from. */
  readonly origins: readonly string[];
}

class Visitor implements Guest {
  readonly socket: WebSocket;
  readonly ticket: Ticket;
  readonly topics = new Set<string>();

  constructor(socket: WebSocket, ticket: Ticket) {
    this.socket = socket;
    this.ticket = ticket;
  }

  send(text: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > MAX_UNSENT_BYTES) return this.end();
    this.socket.send(text);
  }

  end(): void {
    this.topics.clear();
    this.socket.terminate();
  }
}

export class ChatDoor {
  readonly #terms: ChatDoorTerms;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_DIRECT_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #meetings = new Map<MeetingId, Set<Visitor>>();
  #isClosed = false;

  constructor(terms: ChatDoorTerms) {
    this.#terms = terms;
  }

  /** Whether an `upgrade` of the HTTP server is for this door. */
  static isFor({ url }: IncomingMessage): boolean {
    return url?.split('?')[0] === CHAT_DIRECT_PATH;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const ticket = this.#terms.tickets.find(ticketIn(request));
    if (ticket === null || this.#isClosed || !isOriginAllowed(request.headers, this.#terms.origins)) {
      socket.once('finish', () => socket.destroy());
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (client) => this.#welcome(new Visitor(client, ticket)));
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const visitors of this.#meetings.values()) for (const { socket } of visitors) socket.close(RESTART);
  }

  #welcome(visitor: Visitor): void {
    const { socket, ticket } = visitor;
    const there = this.#meetings.get(ticket.meeting) ?? new Set();
    this.#meetings.set(ticket.meeting, there.add(visitor));
    ticket.admit(visitor);
    socket.on('message', (data, isBinary) => this.#message(visitor, data, isBinary));
    // Always followed by `close`.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      ticket.left(visitor);
      there.delete(visitor);
      if (there.size === 0 && this.#meetings.get(ticket.meeting) === there) this.#meetings.delete(ticket.meeting);
    });
  }

  #message(visitor: Visitor, data: RawData, isBinary: boolean): void {
    const { socket, ticket, topics } = visitor;
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!ticket.mayTalk(this.#terms.now())) return socket.close(FLOODING, 'flooding');
    const request = isBinary ? null : parse(data);
    if (request === null) return socket.close(MALFORMED, 'malformed');
    switch (request.type) {
      case 'subscribe':
        for (const topic of request.topics) topics.add(topic);
        if (topics.size > MAX_DIRECT_TOPICS) socket.close(FLOODING, 'too many topics');
        return;
      case 'unsubscribe':
        for (const topic of request.topics) topics.delete(topic);
        return;
      case 'publish':
        return this.#publish(visitor, request);
      case 'ping':
        return visitor.send(JSON.stringify({ type: 'pong' } satisfies DirectAnswer));
    }
  }

  #publish(visitor: Visitor, { type, topic, data }: Extract<DirectRequest, { type: 'publish' }>): void {
    if (!visitor.topics.has(topic)) return;
    const { ticket, socket } = visitor;
    const all = this.#meetings.get(ticket.meeting) ?? [];
    const others = [...all].filter((other) => other !== visitor && other.topics.has(topic));
    const text = JSON.stringify({ type, topic, data } satisfies DirectAnswer);
    if (!ticket.maySpread(text.length * others.length, this.#terms.now())) return socket.close(FLOODING, 'flooding');
    for (const other of others) other.send(text);
  }
}

function ticketIn({ url }: IncomingMessage): string {
  return new URLSearchParams(url?.split('?')[1] ?? '').get('ticket') ?? '';
}

function parse(data: RawData): DirectRequest | null {
  try {
    // ws hands over one Buffer, unless binaryType says otherwise.
    return DirectRequest.safeParse(JSON.parse((data as Buffer).toString())).data ?? null;
  } catch {
    return null;
  }
}
