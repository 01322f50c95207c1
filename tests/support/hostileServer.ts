/**
 * A server that wishes its users ill: it stands before the real one and does with the traffic what it likes.
 *
 * HTTP passes through. Of the WebSocket every message can be read, changed, dropped, held back, repeated or invented, one
 * connection at a time. It knows what a server knows, and has no key. Sequence numbers of events are kept free of gaps, so
 * that a client cannot notice an invented or a dropped event by counting.
 */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { WireAnswer, WireRequest } from '../../signal/protocol/wire.ts';

/** One client's connection as the server in the middle sees it. */
export interface Line {
  /** Counts connections from 0. */
  readonly index: number;
  /** Every request so far. */
  readonly requests: WireRequest[];
  /** Every answer and event that was passed on or invented. */
  readonly answers: WireAnswer[];
  /** The peer that wants to join, or take up its place, over it. */
  peer: string | null;
  /** Says something as the server. */
  event(event: ServerEvent): void;
  answer(id: number, result: unknown): void;
  /** Says something as the client; the server's answer reaches the client too, under an id that it does not know. */
  request(name: string, params: unknown): void;
  open(): boolean;
}

/** Answers what is passed on: the message (changed or not), or null for nothing. */
export type OnRequest = (request: WireRequest, line: Line) => WireRequest | null;
export type OnAnswer = (answer: WireAnswer, line: Line) => WireAnswer | null;

export interface HostileServer {
  readonly origin: string;
  readonly lines: Line[];
  /** Every request over HTTP: its line, its headers, its body. */
  readonly http: string[];
  /** What it does with requests and with answers; honest at first. */
  onRequest: OnRequest;
  onAnswer: OnAnswer;
  /** Whether a client's connection stays open when the real server has closed its own. */
  keepsOpen: (line: Line) => boolean;
  /** The newest open line of a peer. */
  lineOf(peer: string): Line;
  /** Breaks every connection, and lets none through for `ms`. */
  cut(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** @param upstream origin of the real server, `http://host:port` */
export async function startHostileServer(upstream: string): Promise<HostileServer> {
  const target = new URL(upstream);
  const heard: string[] = [];
  const http = createServer((incoming, outgoing) => {
    const at = heard.push(`${incoming.method} ${incoming.url}\n${JSON.stringify(incoming.headers)}\n`) - 1;
    incoming.on('data', (part: Buffer) => (heard[at] += part.toString()));
    const onward = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: {
          ...incoming.headers,
          host: target.host,
          ...(incoming.headers.origin ? { origin: target.origin } : {}),
        },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 8 * 1024 * 1024 });
  const lines: Line[] = [];
  let isCut = false;
  const server: HostileServer = {
    origin: '',
    lines,
    http: heard,
    onRequest: (request) => request,
    onAnswer: (answer) => answer,
    keepsOpen: () => false,
    lineOf(peer) {
      const line = lines.findLast((candidate) => candidate.peer === peer && candidate.open());
      if (line === undefined) throw new Error(`no open line of ${peer}`);
      return line;
    },
    async cut(ms) {
      isCut = true;
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => setTimeout(resolve, ms));
      isCut = false;
    },
    close: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate();
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };

  http.on('upgrade', (incoming, socket, head) => {
    if (isCut) return socket.destroy();
    sockets.handleUpgrade(incoming, socket, head, (client) => {
      const protocols = incoming.headers['sec-websocket-protocol']?.split(/,\s*/) ?? [];
      const onward = new WebSocket(`ws://${target.host}${incoming.url ?? '/'}`, protocols, { origin: target.origin });
      bridge(client, onward, server);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(server, { origin: `http://localhost:${(http.address() as AddressInfo).port}` });
}

function bridge(client: WebSocket, onward: WebSocket, server: HostileServer): void {
  const waiting: string[] = [];
  /** Sequence number of the last event that the client got. */
  let sequence = 0;
  let inventedId = 1_000_000;

  const toServer = (request: WireRequest): void => {
    const text = JSON.stringify(request);
    if (onward.readyState === WebSocket.OPEN) onward.send(text);
    else waiting.push(text);
  };
  const toClient = (answer: WireAnswer): void => {
    line.answers.push(answer);
    if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(answer));
  };
  const line: Line = {
    index: server.lines.length,
    requests: [],
    answers: [],
    peer: null,
    event: (event) => toClient({ seq: ++sequence, event }),
    answer: (id, result) => toClient({ id, result }),
    request: (name, params) => toServer({ id: inventedId++, name, params }),
    open: () => client.readyState === WebSocket.OPEN,
  };
  server.lines.push(line);

  client.on('message', (data) => {
    const request = JSON.parse(String(data)) as WireRequest;
    line.requests.push(request);
    if (request.name === 'meeting.join' || request.name === 'resume') {
      const peer = (request.params as { peer?: string }).peer;
      if (peer !== undefined) line.peer = peer;
      const received = (request.params as { received?: number }).received;
      if (received !== undefined) sequence = received;
    }
    const passed = server.onRequest(request, line);
    if (passed !== null) toServer(passed);
  });
  onward.on('message', (data) => {
    const answer = JSON.parse(String(data)) as WireAnswer;
    const passed = server.onAnswer(answer, line);
    if (passed === null) return;
    if ('seq' in passed) line.event(passed.event);
    else toClient(passed);
  });
  onward.on('open', () => {
    for (const text of waiting.splice(0)) onward.send(text);
  });
  const closing = (other: WebSocket) => (code: number, reason: Buffer) => {
    // 1005 and 1006 only tell of a close, they cannot be sent (RFC 6455 §7.4.1).
    if (code === 1005 || code === 1006) other.terminate();
    else other.close(code, reason);
  };
  client.on('close', closing(onward));
  onward.on('close', (code, reason) => {
    if (!server.keepsOpen(line)) closing(client)(code, reason);
  });
  client.on('error', () => onward.terminate());
  onward.on('error', () => client.terminate());
}
