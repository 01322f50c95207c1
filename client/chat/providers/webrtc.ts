/**
 * The direct way: y-webrtc connects the browsers that hold the key which seals now, and hands changes of the document around.
 *
 * What it carries are sealed entries, as everywhere. How browsers find each other is read here and not by y-webrtc, which throws where an answer comes for
 * nobody, and gives whatever a channel brings to code that throws. Everything that it keeps for the whole page (rooms, connections to servers, channels
 * between tabs) is let go of by `close`. Nothing is said of who is there: the sealed way does that, for all.
 */
import { subscribe, unsubscribe } from 'lib0/broadcastchannel';
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { encode, writeVarUint, writeVarUint8Array } from 'lib0/encoding';
import { Awareness } from 'y-protocols/awareness';
import { messageYjsSyncStep1 } from 'y-protocols/sync';
import { type SignalingConn, WebrtcConn, WebrtcProvider } from 'y-webrtc';
import { CHAT_DIRECT_PATH, DirectAnswer } from '../../../signal/protocol/chatDirect.ts';
import { isOfChat, withoutRemovals } from '../document.ts';
import type { DirectWay, DirectWayTerms } from './direct.ts';
import type { ProviderState } from './provider.ts';
import { openSignal, type Signal } from './webrtcSignal.ts';

/** More than a meeting that goes from person to person has, and those who are between two connections. */
const MAX_CONNECTIONS = 12;
/** Connections that are begun within `ATTEMPTS_MS`: where they fail at once, both ends would begin others at once. */
const MAX_ATTEMPTS = 40;
const ATTEMPTS_MS = 60_000;
/** y-webrtc's message type of a change, or of a question for one; the others are about who is there. */
const SYNC = 0;
/** lib0 waits 1.2 s times the common logarithm of one more than this. At once is too soon: why a socket was lost is heard a moment later. */
const FAILURES = 3;
/** What y-webrtc says to other tabs last is sealed in another thread, and opens the channel again. */
const CHANNEL_MS = 1000;

export class WebrtcWay implements DirectWay {
  readonly #provider: WebrtcProvider;
  readonly #awareness: Awareness;
  readonly #signalling: SignalingConn;
  readonly #room: string;
  readonly #iceServers: RTCIceServer[];
  /** Under which y-webrtc knows the connection to the server. */
  readonly #url: string;
  #attempts: number[] = [];
  #hearing: Promise<void> = Promise.resolve();
  #isClosed = false;
  #ended: Promise<void> = Promise.resolve();

  constructor({ doc, room, password, ticket, iceServers }: DirectWayTerms) {
    this.#room = room;
    this.#iceServers = [...iceServers];
    this.#url = urlOf(ticket);
    this.#awareness = new Awareness(doc);
    this.#awareness.setLocalState(null);
    // y-webrtc asks it for whoever has the document's number now, and the document takes another whenever it begins anew.
    const { meta } = this.#awareness;
    const known = meta.get.bind(meta);
    meta.get = (client) => known(client) ?? { clock: 0, lastUpdated: 0 };
    this.#provider = new WebrtcProvider(room, doc, {
      signaling: [this.#url],
      password,
      awareness: this.#awareness,
      maxConns: MAX_CONNECTIONS,
      // Tabs of one browser hear each other by a channel of the browser, sealed with the password, and need no connection.
      filterBcConns: true,
      peerOpts: { config: { iceServers: this.#iceServers } },
    });
    this.#signalling = this.#provider.signalingConns[0] as SignalingConn;
    this.#contain(this.#signalling);
  }

  get state(): ProviderState {
    const { room } = this.#provider;
    if (this.#isClosed || room === null) return 'offline';
    if (room.bcConns.size > 0 || [...room.webrtcConns.values()].some(({ connected }) => connected)) return 'online';
    return this.#signalling.connected ? 'connecting' : 'offline';
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  /** y-webrtc listens to the document itself. */
  changed(): void {}

  /** Whoever has it may be gone the next moment. */
  keeps(): boolean {
    return false;
  }

  /** By the sealed way: it reaches all. */
  whisper(): void {}

  pause(): void {
    this.#signalling.disconnect();
  }

  resume(ticket: string): void {
    this.#signalling.url = urlOf(ticket);
    this.#signalling.connect();
  }

  setIceServers(servers: readonly RTCIceServer[]): void {
    this.#iceServers.splice(0, Infinity, ...servers);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const provider = this.#provider;
    // simple-peer closes in a microtask of its own; nothing is to leave meanwhile.
    for (const { peer } of provider.room?.webrtcConns.values() ?? []) connectionOf(peer)?.close();
    this.#signalling.url = this.#url;
    provider.disconnect();
    provider.destroy();
    // It lets go of its room once it has the key.
    this.#ended = Promise.resolve(provider.key).then(() => {
      this.#awareness.destroy();
      setTimeout(() => {
        subscribe(this.#room, nobody);
        unsubscribe(this.#room, nobody);
      }, CHANNEL_MS);
    });
  }

  #contain(signalling: SignalingConn): void {
    signalling._observers.delete('message');
    signalling.on('message', (message: unknown) => {
      this.#hearing = this.#hearing.then(() => this.#hear(message)).catch(() => undefined);
    });
    signalling.on('disconnect', () => (signalling.unsuccessfulReconnects = FAILURES));
    // A socket that is still opening throws at what is sent.
    const send = signalling.send.bind(signalling);
    signalling.send = (message: unknown) => {
      if (signalling.connected && signalling.ws?.readyState === WebSocket.OPEN) send(message);
    };
  }

  async #hear(message: unknown): Promise<void> {
    const answer = DirectAnswer.safeParse(message).data;
    if (answer?.type !== 'publish' || answer.topic !== this.#room) return;
    const key = await this.#provider.key;
    const signal = key && (await openSignal(key, answer.data));
    if (signal !== null && !this.#isClosed) this.#heard(signal);
  }

  #heard(signal: Signal): void {
    const { room } = this.#provider;
    const { from } = signal;
    if (room === null || from === room.peerId || room.bcConns.has(from)) return;
    const known = room.webrtcConns.get(from);
    if (signal.type === 'announce') {
      if (known === undefined) this.#meet(from, true);
      return;
    }
    if (signal.to !== room.peerId) return;
    const { signal: said, token = 0 } = signal;
    if (said.type === 'answer' && known === undefined) return;
    if (said.type === 'offer' && (known?.glareToken ?? 0) > token) return;
    if (known !== undefined && said.type !== 'candidate') Object.assign(known, { glareToken: undefined });
    (known ?? this.#meet(from, false))?.peer.signal(said);
  }

  #meet(from: string, initiator: boolean): WebrtcConn | null {
    const room = this.#provider.room!;
    const now = performance.now();
    this.#attempts = this.#attempts.filter((at) => at > now - ATTEMPTS_MS);
    if (room.webrtcConns.size >= MAX_CONNECTIONS || this.#attempts.length >= MAX_ATTEMPTS) return null;
    this.#attempts.push(now);
    const connection = new WebrtcConn(this.#signalling, initiator, from, room);
    room.webrtcConns.set(from, connection);
    const peer = connection.peer as Channel;
    const [read] = peer.listeners('data');
    peer.removeAllListeners('data');
    peer.on('data', (data) => {
      if (this.#isClosed || data[0] !== SYNC) return;
      try {
        const taken = takenOf(data);
        if (taken !== null) read?.(taken);
      } catch {
        // A member's browser has sent what is no message.
      }
    });
    return connection;
  }
}

/** What of a simple-peer is used here. */
interface Channel {
  listeners(name: 'data'): ((data: Uint8Array) => void)[];
  removeAllListeners(name: 'data'): void;
  on(name: 'data', listener: (data: Uint8Array) => void): void;
}

/** simple-peer has no other way to it. */
function connectionOf(peer: unknown): RTCPeerConnection | null {
  return (peer as { _pc?: RTCPeerConnection })._pc ?? null;
}

/** A question of how far we are, or what a change adds to a chat; null for anything else. */
function takenOf(message: Uint8Array): Uint8Array | null {
  const decoder = createDecoder(message);
  readVarUint(decoder);
  const type = readVarUint(decoder);
  if (type === messageYjsSyncStep1) return message;
  const update = readVarUint8Array(decoder).slice();
  if (!isOfChat(update)) return null;
  return encode((encoder) => {
    writeVarUint(encoder, SYNC);
    writeVarUint(encoder, type);
    writeVarUint8Array(encoder, withoutRemovals(update));
  });
}

function urlOf(ticket: string): string {
  return `${location.origin.replace(/^http/, 'ws')}${CHAT_DIRECT_PATH}?ticket=${ticket}`;
}

function nobody(): void {}
