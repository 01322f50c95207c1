/** A session of Janus's own protocol over WebSocket, from Node: one request is answered at a time and by its transaction. */
import * as z from 'zod/mini';

const Message = z.object({
  janus: z.string(),
  transaction: z.optional(z.string()),
  data: z.optional(z.object({ id: z.number() })),
  error: z.optional(z.object({ reason: z.string() })),
  plugindata: z.optional(z.object({ data: z.record(z.string(), z.unknown()) })),
  jsep: z.optional(z.object({ type: z.string(), sdp: z.string() })),
});
type Message = z.infer<typeof Message>;

interface Answered {
  data: Record<string, unknown>;
  /** Janus's offer or answer; empty where it has none. */
  sdp: string;
}

/** Janus ends a session that is silent for a minute. */
const ALIVE_MS = 20_000;

export class JanusSession {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, { resolve: (message: Message) => void; reject: (error: Error) => void }>();
  readonly #alive: NodeJS.Timeout;
  #nextTransaction = 1;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(Message.parse(JSON.parse(String(data))));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Janus has ended'));
    };
    this.#alive = setInterval(() => this.#send({ janus: 'keepalive' }, 'alive'), ALIVE_MS);
    this.#alive.unref();
  }

  static async open(url: string): Promise<JanusSession> {
    const socket = new WebSocket(url, 'janus-protocol');
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error('Janus is not there'));
    });
    const session = new JanusSession(socket);
    session.#id = idIn(await session.#request({ janus: 'create' }));
    return session;
  }

  /** @returns a handle of the video room */
  async attach(): Promise<number> {
    return idIn(await this.#request({ janus: 'attach', plugin: 'janus.plugin.videoroom' }));
  }

  /** @throws Error with what the video room does not like */
  async tell(handle: number, body: object, jsep?: { type: 'offer' | 'answer'; sdp: string }): Promise<Answered> {
    const message = { janus: 'message', handle_id: handle, body, ...(jsep ? { jsep } : {}) };
    const answer = await this.#request(message);
    const data = answer.plugindata?.data ?? {};
    if (typeof data['error'] === 'string') throw new Error(`Janus: ${data['error']}`);
    return { data, sdp: answer.jsep?.sdp ?? '' };
  }

  /** There are no candidates to be waited for: a member is seen when it comes. */
  completed(handle: number): void {
    this.#send({ janus: 'trickle', handle_id: handle, candidate: { completed: true } }, 'trickle');
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#alive);
    this.#socket.close();
  }

  #request(message: object): Promise<Message> {
    const transaction = String(this.#nextTransaction++);
    this.#send(message, transaction);
    return new Promise((resolve, reject) => this.#waiting.set(transaction, { resolve, reject }));
  }

  #send(message: object, transaction: string): void {
    this.#socket.send(JSON.stringify({ ...message, transaction, ...(this.#id > 0 ? { session_id: this.#id } : {}) }));
  }

  #hear(message: Message): void {
    // What is answered later by an event is acknowledged first.
    if (message.janus === 'ack' || message.transaction === undefined) return;
    const waiting = this.#waiting.get(message.transaction);
    this.#waiting.delete(message.transaction);
    if (message.error === undefined) waiting?.resolve(message);
    else waiting?.reject(new Error(`Janus: ${message.error.reason}`));
  }
}

function idIn({ data }: Message): number {
  if (data === undefined) throw new Error('Janus answers without an id');
  return data.id;
}
