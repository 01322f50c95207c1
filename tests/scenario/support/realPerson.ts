/**
 * A person without a browser: the worker's whole inside, driven as the page drives it, over a real WebSocket to the real server.
 *
 * Only storage is a double (memory instead of IndexedDB); media are frames pushed through real transforms.
 */
import { WebSocket } from 'ws';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { CallDesk } from '../../../client/e2ee/calls.ts';
import type { EncodedFrame } from '../../../client/e2ee/frameTransform.ts';
import type {
  CallName,
  Calls,
  FromWorker,
  MemberView,
  Notice,
  TransformCounts,
} from '../../../client/e2ee/messages.ts';
import { memoryStore, type Store } from '../../../client/e2ee/store.ts';
import { ChatPush } from '../../../signal/protocol/chat.ts';
import { ServerEvent } from '../../../signal/protocol/events.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { Topology } from '../../../signal/protocol/model.ts';
import { catalogue } from '../../../signal/protocol/catalogue.ts';
import { PROTOCOL, type Params, type RequestName, type Result } from '../../../signal/protocol/requests.ts';

export interface RealMeeting {
  id: MeetingId;
  secret: string;
}

export class ServerRefused extends Error {
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(error: { code: string; retryAfterMs?: number }) {
    super(error.code);
    this.code = error.code;
    this.retryAfterMs = error.retryAfterMs;
  }
}

interface Waiting {
  name: RequestName;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

interface Said {
  id?: number;
  result?: unknown;
  error?: never;
  seq?: number;
  event?: unknown;
  chat?: unknown;
}

export class RealPerson {
  readonly name: string;
  readonly notices: Notice[] = [];
  readonly store: Store;
  readonly #url: string;
  readonly #desk: CallDesk;
  readonly #calls = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #socket: WebSocket | null = null;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #received = 0;
  #token = '';
  #joined: Params<'meeting.join'> | null = null;
  #meeting: MeetingId | null = null;
  readonly #counts = new Map<string, TransformCounts>();
  peer: PeerId | null = null;
  /** How the server says that media travel. */
  topology: Topology['at'] = 'mesh';
  /** Every event of the server, once it was handed to the worker. */
  onEvent: (event: ServerEvent) => void = () => undefined;
  /** What the server sends to whoever has the chat open. */
  onPush: (push: ChatPush) => void = () => undefined;
  /** The socket is gone, for whatever reason. Nothing comes back by itself. */
  onCut: () => void = () => undefined;

  constructor(url: string, name: string, store: Store = memoryStore()) {
    this.#url = url;
    this.name = name;
    this.store = store;
    this.#desk = new CallDesk({
      chatStore: memoryChatStore,
      alone: (_name, act) => act(),
      hold: async () => () => undefined,
      store,
      now: () => performance.timeOrigin + performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      post: (message) => this.#heard(structuredClone(message)),
    });
  }

  get members(): MemberView[] {
    return this.notices.findLast((notice) => notice.type === 'members')?.members ?? [];
  }

  get names(): string[] {
    return this.members.map(({ name }) => name ?? '?').sort();
  }

  get out(): string | null {
    return this.notices.findLast((notice) => notice.type === 'out')?.why ?? null;
  }

  get alarms(): string[] {
    return this.notices.flatMap((notice) => (notice.type === 'alarm' ? [`${notice.alarm}: ${notice.detail}`] : []));
  }

  counts(id: string): TransformCounts | null {
    return this.#counts.get(id) ?? null;
  }

  call<N extends CallName>(name: N, params: Calls[N]['in']): Promise<Calls[N]['out']> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#calls.set(id, { resolve, reject });
      this.#desk.receive({ type: 'call', id, name, params } as never);
    });
  }

  async makeMeeting(title: string, password: string | null, capacity = 6): Promise<RealMeeting> {
    const settings = { meshLimit: 4, capacity };
    const { meeting, secret, record, access } = await this.call('meeting.create', { title, password, settings });
    const response = await fetch(`${this.#url}/api/meetings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ record, access }),
    });
    if (!response.ok) throw new Error(`not made: ${response.status} ${await response.text()}`);
    return { id: meeting, secret };
  }

  /** The whole way in. @throws ServerRefused */
  async enter(meeting: RealMeeting, password: string | null, replaces: PeerId | null = null): Promise<void> {
    await this.call('invite.open', { meeting: meeting.id, secret: meeting.secret, before: null });
    await this.#proveAndJoin(meeting.id, password, replaces);
  }

  /** As far as the lobby, or there again on another connection. */
  async visit(meeting: RealMeeting): Promise<void> {
    if (this.#meeting === null)
      await this.call('invite.open', { meeting: meeting.id, secret: meeting.secret, before: null });
    this.#meeting = meeting.id;
    await this.#prove(meeting.id, null);
  }

  /** A new leaf in the same worker, as after `out: repair`. */
  async repair(): Promise<void> {
    this.cut();
    await this.#proveAndJoin(this.#meeting!, null, this.peer);
  }

  /** Pulls the plug. */
  cut(): void {
    this.#socket?.terminate();
  }

  async resume(): Promise<void> {
    await this.#connect();
    const { group } = await this.request('resume', {
      protocol: PROTOCOL,
      meeting: this.#meeting!,
      peer: this.peer!,
      token: this.#token,
      received: this.#received,
    });
    await this.call('group.resumed', { group });
  }

  /** The same leaf, to a server that does not know it any more. */
  async joinAgain(): Promise<void> {
    const challenge = await this.#prove(this.#meeting!, null);
    const { signature, member } = await this.call('peer.proveAgain', { challenge });
    this.#received = 0;
    const joined = await this.request('meeting.join', {
      ...this.#joined!,
      signature,
      ...(member === null ? {} : { member }),
    });
    this.#token = joined.token;
    this.topology = joined.topology.at;
    await this.call('group.resumed', { group: joined.group });
  }

  async leave(): Promise<void> {
    await this.call('meeting.leave', {});
    await this.request('meeting.leave', {}).catch(() => undefined);
    this.cut();
  }

  /** Everything ends at once, as when the tab is closed. */
  async vanish(): Promise<void> {
    this.cut();
    await this.call('invite.open', { meeting: this.#meeting!, secret: 'A'.repeat(43), before: null }).catch(
      () => undefined,
    );
  }

  request<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      if (socket?.readyState !== WebSocket.OPEN) return reject(new Error('offline'));
      const id = this.#nextId++;
      this.#waiting.set(id, { name, resolve: resolve as never, reject });
      socket.send(JSON.stringify({ id, name, params }));
    });
  }

  /** A sending transform: frames written to it come out of `readable` sealed. */
  sender(id: string, peer: PeerId | null = null): TransformStream<EncodedFrame, EncodedFrame> {
    return this.transform({ id, side: 'send', kind: 'camera', codec: 'vp8', peer });
  }

  receiver(id: string, peer: PeerId): TransformStream<EncodedFrame, EncodedFrame> {
    return this.transform({ id, side: 'receive', kind: 'camera', codec: 'vp8', peer });
  }

  /** Any transform, as a page sets one on a sender or receiver. */
  transform(options: Parameters<CallDesk['frames']['attach']>[0]): TransformStream<EncodedFrame, EncodedFrame> {
    const before = new TransformStream<EncodedFrame, EncodedFrame>();
    const after = new TransformStream<EncodedFrame, EncodedFrame>();
    this.#desk.frames.attach(options, { readable: before.readable, writable: after.writable });
    return { readable: after.readable, writable: before.writable } as TransformStream<EncodedFrame, EncodedFrame>;
  }

  async #proveAndJoin(meeting: MeetingId, password: string | null, replaces: PeerId | null): Promise<void> {
    this.#meeting = meeting;
    const challenge = await this.#prove(meeting, password);
    this.#joined = await this.call('peer.prepare', { name: this.name, challenge, replaces });
    this.peer = this.#joined.peer;
    this.#received = 0;
    const joined = await this.request('meeting.join', this.#joined);
    this.#token = joined.token;
    this.topology = joined.topology.at;
    void this.call('group.begin', { group: joined.group, hostState: joined.hostState, now: joined.now });
  }

  async #prove(meeting: MeetingId, password: string | null): Promise<string> {
    await this.#connect();
    const { challenge } = await this.request('hello', { protocol: PROTOCOL, meeting });
    const link = await this.call('invite.proveLink', { challenge });
    const proven = await this.request('meeting.proveLink', link);
    await this.call('invite.acceptRecord', { record: proven.record });
    const access = await this.call('invite.proveAccess', { challenge: proven.challenge, password });
    await this.request('meeting.proveAccess', access);
    return proven.challenge;
  }

  async #connect(): Promise<void> {
    this.#socket?.terminate();
    // Each message in a task of its own, as in browsers: what waits for an answer goes on before the next one comes.
    const socket = new WebSocket(`${this.#url.replace(/^http/, 'ws')}/ws`, { allowSynchronousEvents: false });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', (data) => this.#message(String(data)));
    const waiting = (this.#waiting = new Map<number, Waiting>());
    socket.on('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('offline'));
      if (this.#socket === socket) this.onCut();
    });
  }

  #message(text: string): void {
    const said = JSON.parse(text) as Said;
    if (said.chat !== undefined) return this.onPush(ChatPush.parse(said.chat));
    if (said.event !== undefined) {
      this.#received = said.seq!;
      const event = ServerEvent.parse(said.event);
      void this.call('server.event', { event });
      if (event.type === 'topology') this.topology = event.topology.at;
      this.onEvent(event);
      return;
    }
    const waiting = this.#waiting.get(said.id!);
    this.#waiting.delete(said.id!);
    if (waiting === undefined) return;
    if (said.error !== undefined) waiting.reject(new ServerRefused(said.error));
    else waiting.resolve(catalogue[waiting.name].result.parse(said.result));
  }

  #heard(message: FromWorker): void {
    if (message.type === 'notice') {
      this.#notice(message.notice);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.type === 'answer') call?.resolve(message.result as never);
    else call?.reject(Object.assign(new Error(message.detail), { code: message.code }));
  }

  #notice(notice: Notice): void {
    this.notices.push(notice);
    if (notice.type === 'counts') for (const counts of notice.counts) this.#counts.set(counts.id, counts);
    if (notice.type !== 'request') return;
    const { request, name } = notice;
    this.request(name, notice.params as never).then(
      (result) => void this.call('request.settled', { request, result }),
      (error: unknown) => {
        const refused = error instanceof ServerRefused ? error : null;
        const retry = refused?.retryAfterMs === undefined ? {} : { retryAfterMs: refused.retryAfterMs };
        void this.call('request.settled', {
          request,
          error: { code: (refused?.code ?? 'offline') as never, ...retry },
        });
      },
    );
  }
}

/** Polls until `condition` holds. @throws Error after `limitMs` */
export async function until(condition: () => boolean, limitMs = 10_000): Promise<number> {
  const began = performance.now();
  while (!condition()) {
    if (performance.now() - began > limitMs) throw new Error(`not within ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - began;
}
