/**
 * Does what the machine asks for, and turns what comes of it into inputs. Owns socket, worker and stage of one meeting.
 *
 * One queue orders everything: inputs are taken one after the other, effects in the order in which they were asked for. What answers
 * an older worker or socket is dropped by the machine (`attempt`) or here (`#port`).
 */
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { isBasicRequest, type Params, type RequestName, type Result } from '../../signal/protocol/requests.ts';
import { ProtocolError } from '../../signal/protocol/errors.ts';
import type { Topology } from '../../signal/protocol/model.ts';
import type { Notice, TrackKind } from '../e2ee/messages.ts';
import type { Port } from '../e2ee/port.ts';
import type { ChatHead, ChatTerms, MeetingRecord } from '../../signal/protocol/documents.ts';
import { OfflineError } from '../net/offline.ts';
import { Rpc, type ResultSchema } from '../net/rpc.ts';
import type { Announcer, Own } from './announcer.ts';
import { ChatLink } from './chatLink.ts';
import * as conversation from './conversation.ts';
import { begin, initial, step } from './machine.ts';
import { Stage } from './stage.ts';
import type { Effect, Input, State } from './state.ts';
import { CROWD } from './speaking.ts';
import type { Only, ShownPicture } from './view.ts';
import { forgetTab, formerPeer, livesAs } from './tab.ts';

export interface RunnerOptions {
  meeting: MeetingId;
  secret: string;
  name: string;
  socketUrl: string;
  createPort: () => Port;
  on: {
    /** State, tracks or levels are others now. */
    changed(): void;
    notice(notice: Extract<Effect, { type: 'notice' }>): void;
    /** The link is another now. */
    address(secret: string): void;
    know(title: string, host: boolean): void;
    /** In the lobby, with nothing urgent to do. */
    idle(port: Port): void;
  };
}

/** Good-bye is worth a moment, not more: the tab may be closing. */
const GOODBYE_MS = 500;

const loadAnnouncer = () => import('./announcer.ts');

export class Runner {
  readonly #options: RunnerOptions;
  #state: State;
  #secret: string;
  #rpc: Rpc | null = null;
  #port: Port | null = null;
  #stage: Stage | null = null;
  #host = false;
  #challenge = '';
  #record: MeetingRecord | null = null;
  /** Of the chat, by the host's newest state. */
  #decided: ChatTerms | null = null;
  readonly chat = new ChatLink();
  #iceServers: RTCIceServer[] = [];
  #token = '';
  #words: conversation.JoinWords | null = null;
  /** A leaf that was made before anybody asked for it. */
  #ahead: { key: string; prepared: Promise<conversation.Prepared> } | null = null;
  /** The server has us as a peer on this socket: requests of the worker may go out. */
  #inside = false;
  #invited: Promise<unknown> = Promise.resolve();
  #release: (() => void) | null = null;
  /** Our sealed good-bye, should the page be closed. */
  #farewell: string | null = null;
  #handRaised = false;
  #pictures: readonly ShownPicture[] | null = null;
  /** Our own microphone hears us. */
  #speaking = false;
  #announcer: Announcer | null = null;
  readonly #tracks = new Map<TrackKind, MediaStreamTrack | null>();
  readonly #queue: Input[] = [];
  #working = false;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#secret = options.secret;
    this.#state = initial(options.meeting, options.name, Date.now());
    for (const effect of begin(Date.now())) this.#run(effect);
  }

  /** Fetches ahead of need what only a meeting needs. */
  static preload(): void {
    Stage.preload();
    loadAnnouncer().catch(() => undefined);
  }

  get state(): State {
    return this.#state;
  }
  get stage(): Stage | null {
    return this.#stage;
  }
  get secret(): string {
    return this.#secret;
  }
  /** The one way that media may take, by the host's own word. */
  get only(): Only | null {
    return this.#record?.settings.only ?? null;
  }
  /** What the host has decided of the chat; null: the usual. */
  get chatTerms(): ChatTerms | null {
    return this.#decided ?? this.#record?.settings.chat ?? null;
  }
  /** In the meeting: from there alone hosts' orders go out. */
  get isLive(): boolean {
    return this.#state.at === 'live';
  }
  get handRaised(): boolean {
    return this.#handRaised;
  }

  /** Makes the leaf of a join that is likely soon. Only in the lobby, with everything proven and nothing under way. */
  async prepareAhead(name: string): Promise<void> {
    const { state } = this;
    if (state.at !== 'lobby' || state.link.at !== 'admitted' || state.joining || name === '') return;
    const former = await formerPeer(this.#options.meeting);
    if (this.#state !== state) return;
    await this.#prepare(name, former).catch(() => (this.#ahead = null));
  }

  /** Takes an input when its turn comes. */
  input(input: Input): void {
    this.#queue.push(input);
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const [state, effects] = step(this.#state, next, Date.now());
        this.#state = state;
        for (const effect of effects) this.#try(effect);
      }
    } finally {
      this.#working = false;
    }
    this.#options.on.changed();
  }

  /** One effect that fails (a browser that is asked too often, a server's odd address) does not stop those after it. */
  #try(effect: Effect): void {
    try {
      this.#run(effect);
    } catch (error) {
      globalThis.reportError?.(error);
    }
  }

  /** What is sent as `kind` from now on; others are told what is on. */
  publish(kind: TrackKind, track: MediaStreamTrack | null): void {
    this.#tracks.set(kind, track);
    this.#stage?.publish(kind, track);
    this.#announcer?.update();
  }

  /** We speak, or no more, by what our own microphone hears. */
  speak(speaking: boolean): void {
    this.#speaking = speaking;
    this.#announcer?.update();
  }

  /** These pictures are on the screen, so high. */
  show(pictures: readonly ShownPicture[]): void {
    this.#pictures = pictures;
    this.#stage?.show(pictures);
  }

  raiseHand(raised: boolean): void {
    this.#handRaised = raised;
    this.#announcer?.update();
    this.#options.on.changed();
  }

  /** A call that only the worker answers: host actions, going on. */
  async ask(
    name: 'host.remove' | 'host.lock' | 'host.chatTerms' | 'host.clearChat' | 'host.end' | 'group.goOn',
    params: { peer?: PeerId; locked?: boolean; terms?: ChatTerms; upTo?: ChatHead },
  ): Promise<void> {
    await this.#port?.call(name, params as never);
  }

  /** The screen is gone: says good-bye if there is anybody to say it to. Idempotent. */
  destroy(): void {
    if (this.#state.at === 'closed') this.#end();
    else this.input({ type: 'leave' });
  }

  /** The page is being closed: there is no time to ask the worker, only to send what lies ready. */
  vanish(): void {
    if (!this.#inside || !this.#rpc || this.#farewell === null) return;
    this.#rpc.request('message.send', { to: null, body: this.#farewell }).catch(() => undefined);
    this.#rpc.request('meeting.leave', {}).catch(() => undefined);
    this.#farewell = null;
  }

  #run(effect: Effect): void {
    switch (effect.type) {
      case 'start':
        return this.#start();
      case 'open':
        return this.#attempt('open', effect.attempt, () => this.#open(effect.attempt));
      case 'openKept':
        return void this.#openKept().catch(() => undefined);
      case 'unlock':
        return void this.#unlock(effect.password);
      case 'prove':
        return this.#attempt('prove', effect.attempt, () => this.#prove(effect));
      case 'join':
        return this.#attempt('join', effect.attempt, () => this.#join(effect));
      case 'resume':
        return this.#attempt('resume', effect.attempt, () => this.#resume(effect.attempt));
      case 'reconnect':
        this.#inside = false;
        return this.#rpc?.reconnect(effect.afterMs);
      case 'peers':
        return this.#stage?.setPeers(effect.peers);
      case 'hold':
        return this.#stage?.hold(effect.held);
      case 'refresh':
        return this.#stage?.refresh();
      case 'greet':
        return this.#announcer?.greet(effect.peers);
      case 'address':
        this.#secret = effect.secret;
        this.chat.renewed();
        return this.#options.on.address(effect.secret);
      case 'know':
        return this.#options.on.know(effect.title, this.#host);
      case 'notice':
        return this.#options.on.notice(effect);
      case 'leave':
        return void this.#leave();
      case 'end':
        return this.#end();
      case 'wake':
        return this.#wake(effect.at);
    }
  }

  #start(): void {
    this.#end();
    const port = this.#options.createPort();
    this.#port = port;
    this.#stage = new Stage({
      port,
      line: { request: (name, params, schema) => this.#ask(name, params, schema) },
      path: (peer, path) => this.input({ type: 'path', peer, path }),
      changed: () => this.#options.on.changed(),
    });
    for (const [kind, track] of this.#tracks) this.#stage.publish(kind, track);
    if (this.#pictures) this.#stage.show(this.#pictures);
    port.onNotice((notice) => {
      if (port === this.#port) this.#noticed(notice);
    });
    const { meeting } = this.#options;
    this.#invited = formerPeer(meeting)
      .then((before) => port.call('invite.open', { meeting, secret: this.#secret, before }))
      .then(({ host }) => (this.#host = host));
    this.#invited.catch(() => undefined);
    this.#rpc = new Rpc({
      url: this.#options.socketUrl,
      listener: {
        up: () => this.input({ type: 'socket.up' }),
        down: (code) => {
          this.#inside = false;
          this.chat.down();
          this.input({ type: 'socket.down', code });
        },
        event: (event) => this.#event(event),
        chat: (push) => this.chat.pushed(push),
      },
    });
  }

  /** Walks one stretch; whatever it throws is an input too. */
  #attempt(what: 'open' | 'prove' | 'join' | 'resume', attempt: number, walk: () => Promise<void>): void {
    walk().catch((error: unknown) =>
      this.input({ type: 'failed', attempt, what, failure: conversation.failureOf(error) }),
    );
  }

  #parties(): conversation.Parties {
    if (!this.#rpc || !this.#port) throw new Error('nothing is open');
    return { meeting: this.#options.meeting, rpc: this.#rpc, port: this.#port };
  }

  async #open(attempt: number): Promise<void> {
    await this.#invited;
    const { title, needsPassword, record, challenge } = await conversation.open(this.#parties());
    this.#challenge = challenge;
    this.#record = record;
    this.input({ type: 'opened', attempt, title, needsPassword });
    if (this.#port && this.#state.at === 'lobby') this.#options.on.idle(this.#port);
  }

  /** Null, or a worker that cannot say: then only the server can. */
  async #openKept(): Promise<void> {
    const port = this.#port;
    await this.#invited;
    const { kept } = (await port?.call('invite.openKept', {})) ?? { kept: null };
    if (kept === null || port !== this.#port) return;
    this.#record = kept.record;
    this.input({ type: 'kept', title: kept.title, needsPassword: kept.needsPassword });
  }

  async #unlock(password: string | null): Promise<void> {
    const port = this.#port;
    if (!port) return;
    try {
      await port.call('invite.unlockKept', { password });
      const { chat } = await port.call('lobby.open', { peers: [], hostState: null });
      if (port !== this.#port) return;
      this.#decided = chat;
      this.chat.ready(port);
      this.input({ type: 'unlocked' });
    } catch {
      this.input({ type: 'unlockFailed' });
    }
  }

  async #prove({ attempt, password }: Extract<Effect, { type: 'prove' }>): Promise<void> {
    const { names, chat } = await conversation.prove(this.#parties(), this.#challenge, password);
    this.#decided = chat;
    this.input({ type: 'admitted', attempt, peers: names });
    this.#chatUp();
  }

  async #join({ attempt, name, again, replaces }: Extract<Effect, { type: 'join' }>): Promise<void> {
    const parties = this.#parties();
    const { meeting } = this.#options;
    if (again && this.#words) {
      const joined = await conversation.joinAgain(parties, this.#challenge, this.#words);
      this.#token = joined.token;
      this.#inside = true;
      this.#stage?.setIceServers(joined.iceServers as RTCIceServer[]);
      this.#stage?.rejoined(joined.topology);
      this.#goes(joined.topology, joined.iceServers as RTCIceServer[]);
      return this.input({ type: 'joined', attempt, self: this.#words.peer });
    }
    const prepared = await this.#prepare(name, replaces ?? (await formerPeer(meeting)));
    this.#ahead = null;
    const joined = await conversation.join(parties, prepared);
    const { signature: _signature, ...words } = prepared;
    this.#words = words;
    this.#token = joined.token;
    this.#inside = true;
    this.#release?.();
    this.#release = livesAs(meeting, words.peer);
    this.#announce().catch((error: unknown) => globalThis.reportError?.(error));
    void this.#stage?.start(words.peer, joined.iceServers as RTCIceServer[], joined.topology, this.only);
    this.#stage?.expect(
      joined.peers.filter(({ inGroup, presence }) => inGroup && presence === 'here').map(({ peer }) => peer),
    );
    this.#goes(joined.topology, joined.iceServers as RTCIceServer[]);
    this.input({ type: 'joined', attempt, self: words.peer });
  }

  /** The leaf for a join under this name; the one that was made ahead if it still fits. */
  #prepare(name: string, replaces: PeerId | null): Promise<conversation.Prepared> {
    const key = JSON.stringify([name, this.#challenge, replaces]);
    if (this.#ahead?.key !== key) {
      const prepared = conversation.prepare(this.#parties(), { name, challenge: this.#challenge, replaces });
      this.#ahead = { key, prepared };
    }
    return this.#ahead.prepared;
  }

  async #resume(attempt: number): Promise<void> {
    if (!this.#words) throw new ProtocolError('resumeRefused');
    const { topology, iceServers } = await conversation.resume(this.#parties(), this.#words.peer, this.#token);
    this.#inside = true;
    this.#stage?.setIceServers(iceServers as RTCIceServer[]);
    this.#stage?.happened({ type: 'topology', topology });
    this.#goes(topology, iceServers as RTCIceServer[]);
    this.input({ type: 'resumed', attempt });
    this.#chatUp();
  }

  #event(event: ServerEvent): void {
    void this.#port?.call('server.event', { event }).catch(() => undefined);
    this.#stage?.happened(event);
    if (event.type === 'topology') this.#goes(event.topology);
    if (event.type === 'peer.joined') this.#stage?.expect([event.peer.peer]);
    if (event.type === 'server.draining') this.input({ type: 'draining', retryMs: event.retryMs });
  }

  #noticed(notice: Notice): void {
    switch (notice.type) {
      case 'request':
        return void this.#request(notice.request, notice.name, notice.params);
      case 'broadcast':
        return this.#stage?.broadcast(notice.body);
      case 'message':
        if (notice.kind === 'mesh.signal') return this.#stage?.receive(notice.from, notice.body);
        return this.input(notice);
      case 'counts':
        return; // the transport listens itself
      case 'chatKeys':
        return this.chat.keys();
      case 'farewell':
        this.#farewell = notice.body;
        return;
      case 'hostState':
        this.#decided = notice.chat;
        this.chat.refresh();
        return this.input({ type: 'notice', notice });
      case 'members':
      case 'invite':
      case 'alarm':
      case 'paused':
      case 'out':
        return this.input({ type: 'notice', notice });
    }
  }

  /** Link and password are proven on this connection. */
  #chatUp(): void {
    const { rpc, port } = this.#parties();
    this.chat.up(rpc, port);
  }

  /** The way that media take is the chat's, too: where it is hidden who is where, that holds for both. */
  #goes({ at }: Topology, iceServers = this.#iceServers): void {
    this.#iceServers = iceServers;
    this.chat.direct(at === 'mesh' && this.only !== 'relay' ? iceServers : null);
  }

  async #ask<N extends RequestName>(name: N, params: Params<N>, schema?: ResultSchema<N>): Promise<Result<N>> {
    if (!this.#rpc || !this.#inside) throw new OfflineError();
    return this.#rpc.request(name, params, schema);
  }

  /** Carries a request of the worker to the server, and the answer back. */
  async #request(request: number, name: RequestName, params: unknown): Promise<void> {
    const port = this.#port;
    const settle = (settled: Parameters<Port['call']>[1]) =>
      void port?.call('request.settled', settled as never).catch(() => undefined);
    try {
      if (!isBasicRequest(name) || !this.#rpc || !this.#inside) return settle({ request, error: { code: 'offline' } });
      settle({ request, result: await this.#rpc.request(name, params as Params<typeof name>) });
    } catch (error) {
      if (!(error instanceof ProtocolError)) return settle({ request, error: { code: 'offline' } });
      const { code, retryAfterMs, epoch } = error;
      settle({
        request,
        error: {
          code,
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          ...(epoch === undefined ? {} : { epoch }),
        },
      });
    }
  }

  /** Null while there is nobody to hear it. */
  #own(): Own | null {
    if (this.#state.at !== 'live' || !this.#inside || !this.#stage) return null;
    const { length } = this.#state.live.members;
    if (length < 2) return null;
    // A sealed word comes when somebody speaks: where all hear each other, a server is not to learn even that.
    const speaking = length >= CROWD && this.#speaking && (this.#tracks.get('microphone') ?? null) !== null;
    return { media: this.#stage.mediaState(), handRaised: this.#handRaised, speaking, people: length };
  }

  async #announce(): Promise<void> {
    const port = this.#port;
    const { Announcer } = await loadAnnouncer();
    if (port !== this.#port) return;
    this.#announcer?.close();
    this.#announcer = new Announcer(
      () => this.#own(),
      (to, kind, body) =>
        void port?.call('message.send', { to, kind, body: JSON.stringify(body) }).catch(() => undefined),
    );
  }

  async #leave(): Promise<void> {
    const [port, rpc] = [this.#port, this.#rpc];
    forgetTab(this.#options.meeting);
    // Nothing of us is seen or heard from here on; the good-bye follows.
    void this.#stage?.close();
    this.chat.direct(null);
    if (this.#inside && port && rpc) {
      const patience = new Promise<void>((resolve) => setTimeout(resolve, GOODBYE_MS));
      const goodbye = port.call('meeting.leave', {}).then(() => rpc.request('meeting.leave', {}));
      await Promise.race([goodbye.catch(() => undefined), patience]);
    }
    if (port === this.#port) this.#end();
  }

  #end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#inside = false;
    this.#handRaised = false;
    this.#announcer?.close();
    this.#announcer = null;
    this.#words = this.#ahead = null;
    this.#farewell = null;
    this.chat.end();
    this.#rpc?.close();
    this.#rpc = null;
    const [stage, port] = [this.#stage, this.#port];
    this.#stage = this.#port = null;
    // Keys last, and after the connections that use them.
    void stage?.close().finally(() => port?.terminate());
    this.#release?.();
    this.#release = null;
  }

  #wake(at: number): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.input({ type: 'tick' });
      },
      Math.max(0, at - Date.now()) + 10,
    );
    this.#timers.add(timer);
  }
}
