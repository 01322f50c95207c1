/**
 * A client over a real socket, for tests of the server. Says what it is told to, keeps what it hears, and holds the server to
 * the catalogue: every answer and event is parsed by its schema, and events must be numbered without a gap.
 */
import { WebSocket } from 'ws';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { GroupId, PeerId } from '../../signal/protocol/ids.ts';
import type { GroupRef } from '../../signal/protocol/model.ts';
import { ChatPush } from '../../signal/protocol/chat.ts';
import { catalogue } from '../../signal/protocol/catalogue.ts';
import { type Params, PROTOCOL, type RequestName, type Result } from '../../signal/protocol/requests.ts';
import { WireAnswer, WireError } from '../../signal/protocol/wire.ts';
import { labels, newLeaf, proofText, randomText, type TestMeeting } from './keys.ts';

type Named<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;
type Loose = { id: number; result: unknown } | { id: number; error: unknown };

/** How long to wait for something that must come. */
const PATIENCE_MS = 8000;

export class Refused extends Error {
  readonly error: { code: string; detail: string; retryAfterMs?: number | undefined; epoch?: number | undefined };

  constructor(error: Refused['error']) {
    super(`${error.code}: ${error.detail}`);
    this.error = error;
  }
}

export class Client {
  readonly socket: WebSocket;
  readonly events: ServerEvent[] = [];
  /** What the chat pushed. */
  readonly pushes: ChatPush[] = [];
  /** Everything else that came, in order: for tests of order. */
  readonly heard: string[] = [];
  /** Number of the last event. */
  received = 0;
  /** Resolves with the close code. */
  readonly closed: Promise<{ code: number; reason: string }>;
  #nextId = 1;
  readonly #pending = new Map<
    number,
    { name: string; resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #watchers = new Set<() => void>();
  failure: Error | null = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#message(String(data)));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        for (const { reject } of this.#pending.values()) reject(new Error(`closed ${code}`));
        for (const watcher of this.#watchers) watcher();
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /** @param url  origin of the server */
  static async connect(
    url: string,
    options: { origin?: string; headers?: Record<string, string> } = {},
  ): Promise<Client> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, { rejectUnauthorized: false, ...options });
    const client = new Client(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  request<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>> {
    return this.ask(name, params) as Promise<Result<N>>;
  }

  /** Any name, any parameters. @throws Refused as the server answered */
  ask(name: string, params: unknown): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { name, resolve, reject });
      this.socket.send(JSON.stringify({ id, name, params }));
    });
  }

  /** The code of the refusal; 'accepted' if there was none. */
  async codeOf(asked: Promise<unknown>): Promise<string> {
    return asked.then(
      () => 'accepted',
      (error: unknown) => (error instanceof Refused ? error.error.code : String(error)),
    );
  }

  /** The first event of this kind from now on, or among those not waited for yet. */
  async next<T extends ServerEvent['type']>(
    type: T,
    fits: (event: Named<T>) => boolean = () => true,
  ): Promise<Named<T>> {
    const found = await this.#until(
      () => this.events.findIndex((event) => event.type === type && fits(event as Named<T>)),
      type,
    );
    return this.events.splice(found, 1)[0] as Named<T>;
  }

  /** The first push of this kind from now on, or among those not waited for yet. */
  async nextPush<T extends ChatPush['type']>(type: T): Promise<Extract<ChatPush, { type: T }>> {
    const found = await this.#until(() => this.pushes.findIndex((push) => push.type === type), `chat ${type}`);
    return this.pushes.splice(found, 1)[0] as Extract<ChatPush, { type: T }>;
  }

  /** Everything that was on its way has arrived. */
  async flushed(): Promise<void> {
    await this.request('ping', {});
  }

  /** Pulls the plug: no closing handshake. */
  cut(): void {
    this.socket.terminate();
  }

  close(): void {
    this.socket.close();
  }

  async #until(find: () => number, what: string): Promise<number> {
    const started = Date.now();
    for (;;) {
      const found = find();
      if (found !== -1) return found;
      if (this.failure) throw this.failure;
      if (this.socket.readyState !== WebSocket.OPEN) throw new Error(`closed while waiting for ${what}`);
      const left = started + PATIENCE_MS - Date.now();
      if (left <= 0)
        throw new Error(`waited in vain for ${what}; there is ${this.events.map(({ type }) => type).join(', ')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, left);
        const watchers = this.#watchers;
        function wake() {
          clearTimeout(timer);
          watchers.delete(wake);
          resolve();
        }
        watchers.add(wake);
      });
    }
  }

  #message(text: string): void {
    try {
      const message = JSON.parse(text) as object;
      if ('chat' in message) return this.#push(ChatPush.parse(message.chat));
      const answer = WireAnswer.parse(message);
      if ('event' in answer) {
        if (answer.seq !== this.received + 1) throw new Error(`event ${answer.seq} after ${this.received}`);
        this.received = answer.seq;
        this.heard.push(answer.event.type);
        this.events.push(answer.event);
      } else this.#answer(answer);
    } catch (error) {
      this.failure = error as Error;
    } finally {
      for (const watcher of this.#watchers) watcher();
    }
  }

  #push(push: ChatPush): void {
    this.heard.push(`chat ${push.type}`);
    this.pushes.push(push);
  }

  #answer(answer: Loose): void {
    const pending = this.#pending.get(answer.id);
    if (!pending) throw new Error(`answer to nothing: ${answer.id}`);
    this.#pending.delete(answer.id);
    this.heard.push(`answer ${pending.name}`);
    if ('error' in answer) return pending.reject(new Refused(WireError.parse(answer.error)));
    const spec = catalogue[pending.name as RequestName];
    pending.resolve(spec.result.parse(answer.result));
  }
}

/** A client that has proven link and password. */
export async function admit(url: string, meeting: TestMeeting): Promise<{ client: Client; challenge: string }> {
  const client = await Client.connect(url);
  const challenge = await proveLink(client, meeting);
  await client.request('meeting.proveAccess', {
    signature: meeting.access.sign(labels.proveAccess, proofText(meeting.id, challenge)),
  });
  return { client, challenge };
}

/** @returns the second challenge */
export async function proveLink(client: Client, meeting: TestMeeting): Promise<string> {
  const hello = await client.request('hello', { protocol: PROTOCOL, meeting: meeting.id });
  const signature = meeting.link.sign(labels.proveLink, proofText(meeting.id, hello.challenge));
  return (await client.request('meeting.proveLink', { signature })).challenge;
}

export type Leaf = ReturnType<typeof newLeaf>;

/** A joined peer. */
export class Person {
  readonly client: Client;
  readonly leaf: Leaf;
  readonly joined: Result<'meeting.join'>;

  constructor(client: Client, leaf: Leaf, joined: Result<'meeting.join'>) {
    this.client = client;
    this.leaf = leaf;
    this.joined = joined;
  }

  get peer(): PeerId {
    return this.leaf.peer;
  }

  /** Takes the lost connection up on a new one. */
  async resume(url: string, meeting: TestMeeting, received = this.client.received): Promise<Person> {
    const client = await Client.connect(url);
    client.received = received;
    const { token } = this.joined;
    await client.request('resume', { protocol: PROTOCOL, meeting: meeting.id, peer: this.peer, token, received });
    return new Person(client, this.leaf, this.joined);
  }
}

export async function join(
  url: string,
  meeting: TestMeeting,
  { leaf = newLeaf(), member }: { leaf?: Leaf; member?: GroupRef | undefined } = {},
): Promise<Person> {
  const { client, challenge } = await admit(url, meeting);
  const joined = await client.request('meeting.join', {
    peer: leaf.peer,
    leafKey: leaf.publicKey,
    signature: leaf.sign(labels.provePeer, proofText(meeting.id, challenge, leaf.peer)),
    name: randomText(24),
    ...(member ? { member } : {}),
  });
  return new Person(client, leaf, joined);
}

export async function create(url: string, meeting: TestMeeting): Promise<void> {
  const response = await fetch(`${url}/api/meetings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(meeting.terms()),
  });
  if (response.status !== 201) throw new Error(`not created: ${response.status} ${await response.text()}`);
}

/** What a commit looks like to a server: bytes. */
export function commitParams(
  groupId: GroupId,
  epoch: number,
  { added = [], removed = [] }: { added?: PeerId[]; removed?: PeerId[] } = {},
): Params<'group.commit'> {
  const welcome = added.length > 0 ? { welcome: randomText(500) } : {};
  return {
    groupId,
    epoch: epoch as Params<'group.commit'>['epoch'],
    commit: randomText(300),
    added,
    removed,
    ...welcome,
  };
}
