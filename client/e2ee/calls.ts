/**
 * The page's calls, each led to who answers it.
 *
 * Calls are worked off one after the other, in the order they came. Only what must never wait is done at once: signs of life,
 * answers of the server, and frame transforms.
 */
import { CryptoError } from '../../crypto/errors.ts';
import { base64url } from '../../crypto/bytes.ts';
import { Keyring } from '../../crypto/keyring.ts';
import type { ChatKeeper, ChatTerms } from './chat/keeper.ts';
import type { KeptAccess } from './chat/kept.ts';
import type { ChatShelf, ChatStore } from './chat/shelf.ts';
import { Frames } from './frames.ts';
import type { FrameKeys } from './frameTransform.ts';
import { Keeper } from './keeper.ts';
import type { CallErrorCode, CallName, Calls, FromWorker, Notice, ToWorker } from './messages.ts';
import { Refused } from './refused.ts';
import { rehearse } from './rehearsal.ts';
import { RepairPace } from './repairPace.ts';
import { Requests } from './requests.ts';
import { Session } from './session.ts';
import type { ChatKeysOfGroup, ChatOfGroup } from './session/terms.ts';
import { Serial } from './session/serial.ts';
import { Vault } from './vault.ts';
import type { Store } from './store.ts';

export interface CallsPorts {
  readonly store: Store;
  readonly chatStore: () => ChatStore;
  /** One at a time over all tabs of this browser. */
  alone<T>(name: string, act: () => Promise<T>): Promise<T>;
  /** Takes this name until what it gives is called, or the tab ends; null where another tab has it. */
  hold(name: string): Promise<(() => void) | null>;
  /** Milliseconds since 1970 of a clock that never goes back. */
  now(): number;
  /** @returns calls it off */
  after(ms: number, run: () => void): () => void;
  post(message: FromWorker): void;
}

type Handlers = { [N in CallName]: (params: Calls[N]['in']) => Promise<Calls[N]['out']> | Calls[N]['out'] };

const AT_ONCE: ReadonlySet<CallName> = new Set<CallName>([
  'ping',
  'request.settled',
  'transform.streams',
  'transform.end',
  'rehearse',
]);

type OpenedChat = Pick<ChatTerms, 'meeting' | 'identity' | 'host' | 'access' | 'word' | 'keys' | 'shelf'>;

export class CallDesk {
  readonly frames: Frames;
  readonly #ports: CallsPorts;
  readonly #keeper: Keeper;
  readonly #requests: Requests;
  readonly #serial = new Serial();
  /** Long histories are opened beside the group's work, which must not wait for them. */
  readonly #chatSerial = new Serial();
  #chat: ChatKeeper | null = null;
  /** Of the open invite, while there is no server to ask. */
  #kept: KeptAccess | null = null;
  #keysOfChat: Promise<OpenedChat> | null = null;
  readonly #pace = new RepairPace();
  /** When what is being worked off came in. */
  #arrivedAt = -Infinity;
  readonly #handlers: Handlers;
  #member: { session: Session; keys: FrameKeys } | null = null;

  constructor(ports: CallsPorts) {
    this.#ports = ports;
    this.#keeper = new Keeper(new Vault(ports.store), () => ports.now());
    this.#requests = new Requests((notice) => this.#emit(notice));
    this.frames = new Frames({
      now: () => ports.now(),
      after: (ms, run) => ports.after(ms, run),
      keys: () => this.#member?.keys ?? null,
      emit: (notice) => this.#emit(notice),
    });
    this.#handlers = this.#makeHandlers();
  }

  /** Answers one call, sooner or later, with `answer` or `failure`. */
  receive({ id, name, params }: ToWorker): void {
    // Name and params belong together by the type of the message; a table indexed by a union loses that.
    const handle = () => (this.#handlers[name] as (params: unknown) => unknown)(params);
    const work = this.#work(name, handle);
    work.then(
      (result) => this.#ports.post({ type: 'answer', id, result }),
      (error: unknown) => this.#ports.post({ type: 'failure', id, ...failureOf(error) }),
    );
  }

  #work(name: CallName, handle: () => unknown): Promise<unknown> {
    if (AT_ONCE.has(name)) return Promise.resolve().then(handle);
    return name.startsWith('chat.') ? this.#chatSerial.run(async () => handle()) : this.#inTurn(handle);
  }

  #inTurn<T>(run: () => T | Promise<T>): Promise<T> {
    const arrivedAt = this.#ports.now();
    return this.#serial.run(() => {
      this.#arrivedAt = arrivedAt;
      return run();
    });
  }

  #makeHandlers(): Handlers {
    const keeper = this.#keeper;
    return {
      'meeting.create': (params) => keeper.create(params),
      'meeting.forget': async ({ meeting }) => {
        const shelf = await this.#shelf();
        await shelf.forget(meeting);
        return {};
      },
      'invite.open': (params) => {
        this.#stop();
        this.#endChat();
        this.#kept = null;
        return keeper.open(params);
      },
      'invite.proveLink': (params) => keeper.proveLink(params),
      'invite.acceptRecord': (params) => keeper.acceptRecord(params),
      'invite.proveAccess': (params) => keeper.proveAccess(params),
      'invite.openKept': () => this.#openKept(),
      'invite.unlockKept': async (params) => {
        if (this.#kept === null) throw new Refused('notReady', 'nothing is kept');
        await keeper.unlock(params, this.#kept.accessPublicKey);
        return {};
      },
      'lobby.open': (params) => keeper.openLobby(params),
      rehearse: async () => {
        await rehearse(Math.floor(this.#ports.now()));
        return {};
      },
      'peer.prepare': (params) => {
        this.#stop();
        return keeper.prepare(params);
      },
      'identity.replace': () => {
        if (this.#member !== null) throw new Refused('usage', 'a meeting is on with the present identity');
        return keeper.replaceIdentity();
      },
      'peer.proveAgain': async ({ challenge }) => {
        const proof = await this.#need().proveAgain(challenge);
        if (proof === null) throw new Refused('notReady', 'the leaf is gone');
        return { signature: base64url(proof.signature), member: proof.member };
      },
      'group.begin': async (params) => {
        await (await this.#newSession()).begin(params);
        return {};
      },
      'group.resumed': async ({ group }) => {
        await this.#member?.session.resumed(group);
        return {};
      },
      'server.event': async ({ event }) => {
        await this.#member?.session.event(event);
        return {};
      },
      'request.settled': (params) => {
        this.#requests.settled(params);
        return {};
      },
      'peer.data': async ({ body }) => {
        await this.#member?.session.data(body);
        return {};
      },
      'message.send': ({ to, kind, body }) => this.#done(this.#need().send(to, kind, body)),
      'host.remove': ({ peer }) => this.#done(this.#needHost().remove(peer)),
      'host.lock': ({ locked }) => this.#done(this.#needHost().lock(locked)),
      'host.chatTerms': ({ terms }) => this.#done(this.#needHost().chatTerms(terms)),
      'host.clearChat': ({ upTo }) => this.#done(this.#needHost().clearChat(upTo)),
      'host.end': () => this.#done(this.#needHost().end()),
      'group.goOn': () => this.#done(this.#need().goOn()),
      'meeting.leave': async () => {
        await this.#member?.session.leave();
        this.#stop();
        this.#endChat();
        keeper.close();
        return {};
      },
      'transform.streams': ({ options, readable, writable }) => {
        this.frames.attach(options, { readable, writable });
        return {};
      },
      'transform.end': ({ id }) => {
        this.frames.end(id);
        return {};
      },
      ping: () => ({}),
      'chat.begin': () => this.#beginChat(),
      'chat.items': (params) => this.#needChat().items(params),
      'chat.read': (params) => this.#needChat().read(params),
      'chat.write': (params) => this.#needChat().write(params),
      'chat.seal': (params) => this.#needChat().seal(params),
      'chat.reopen': () => this.#needChat().reopen(),
      'chat.peek': (params) => this.#needChat().peek(params),
      'chat.unsay': (params) => this.#needChat().unsay(params),
      'chat.pack': (params) => this.#needChat().pack(params),
      'chat.unpack': (params) => this.#needChat().unpack(params),
      'chat.block': (params) => this.#needChat().block(params),
      'chat.tell': (params) => this.#needChat().tell(params),
      'chat.erase': (params) => this.#needChat().erase(params),
      'chat.whisper': (params) => this.#needChat().whisper(params),
      'chat.overhear': (params) => this.#needChat().overhear(params),
      'chat.overheard': () => this.#needChat().overheard(),
      'chat.room': () => this.#needChat().room(),
      'chat.word': (params) => this.#needChat().word(params),
      'chat.standing': () => this.#needChat().standing(),
      'chat.sealFile': (params) => this.#needChat().files.sealFile(params),
      'chat.sealed': (params) => this.#needChat().files.sealed(params),
      'chat.openFile': (params) => this.#needChat().files.openFile(params),
      'chat.opened': (params) => this.#needChat().files.opened(params),
      'chat.endFile': (params) => this.#needChat().files.endFile(params),
      'chat.fileToken': (params) => this.#needChat().files.fileToken(params),
      'chat.keepPiece': (params) => this.#needChat().outbox.keepPiece(params),
      'chat.keepSent': (params) => this.#needChat().outbox.keepSent(params),
      'chat.keptFile': (params) => this.#needChat().outbox.keptFile(params),
      'chat.takeSent': () => this.#needChat().outbox.takeSent(),
      'chat.dropSent': (params) => this.#needChat().outbox.dropSent(params),
      'chat.keep': (params) => this.#needChat().keep(params),
    };
  }

  /** A record that is not this link's, or not its host's, is as good as none. */
  async #openKept(): Promise<Calls['invite.openKept']['out']> {
    const { keptAccess } = await import('./chat/kept.ts');
    const shelf = await this.#shelf();
    await shelf.open();
    this.#kept = await keptAccess(shelf, this.#keeper.meeting).catch(() => null);
    const record = this.#kept?.signed;
    return { kept: record ? await this.#keeper.acceptRecord({ record }).catch(() => null) : null };
  }

  async #shelf(): Promise<ChatShelf> {
    const [{ ChatShelf }, { memoryChatStore }] = await Promise.all([
      import('./chat/shelf.ts'),
      import('./chat/store.ts'),
    ]);
    return new ChatShelf(this.#ports.chatStore(), memoryChatStore);
  }

  async #beginChat(): Promise<Calls['chat.begin']['out']> {
    const { alone, hold, now } = this.#ports;
    const terms = await this.#chatKeys();
    const { ChatKeeper } = await import('./chat/keeper.ts');
    this.#chat?.outbox.end();
    this.#chat = new ChatKeeper({ ...terms, alone, hold, now });
    return this.#chat.begin();
  }

  /** Members come to the chat's keys whether or not they have it open. */
  #chatKeys(): Promise<OpenedChat> {
    this.#keysOfChat ??= this.#makeChatKeys().catch((error: unknown) => {
      this.#keysOfChat = null;
      throw error;
    });
    return this.#keysOfChat;
  }

  async #makeChatKeys(): Promise<OpenedChat> {
    const { alone, now } = this.#ports;
    const [terms, shelf, { ChatKeys }] = await Promise.all([
      this.#keeper.chatTerms(),
      this.#shelf(),
      import('./chat/keys.ts'),
    ]);
    const keys = new ChatKeys({ ...terms, shelf, alone, now, changed: () => this.#emit({ type: 'chatKeys' }) });
    return { ...terms, shelf, keys };
  }

  /** Loaded while the join is under way, which does not wait for it. */
  #chatOfGroup(): ChatOfGroup {
    const { now, after } = this.#ports;
    const inGroup = Promise.all([this.#chatKeys(), import('./chat/group.ts')]).then(
      ([{ keys }, { ChatInGroup }]) => new ChatInGroup({ keys, now, after, random: randomShare }),
    );
    const then = (act: (chat: ChatKeysOfGroup) => void) => void inGroup.then(act, () => undefined);
    return {
      begin: (line, at) => then((chat) => chat.begin(line, at)),
      entered: (at) => then((chat) => chat.entered(at)),
      changed: () => then((chat) => chat.changed()),
      read: (letter) => then((chat) => chat.read(letter)),
      head: () => this.#chat?.heads.own ?? null,
      heard: (identity, head) => this.#chat?.heads.heard(identity, head),
      end: () => then((chat) => chat.end()),
    };
  }

  #endChat(): void {
    this.#chat?.outbox.end();
    void this.#keysOfChat?.then(
      ({ keys }) => keys.wipe(),
      () => undefined,
    );
    this.#chat = this.#keysOfChat = null;
  }

  #needChat(): ChatKeeper {
    if (this.#chat === null) throw new Refused('notReady', 'no chat has begun');
    return this.#chat;
  }

  async #newSession(): Promise<Session> {
    this.#stop();
    const { now, after } = this.#ports;
    const keyring = new Keyring({ now });
    const session: Session = new Session(
      {
        now: () => now(),
        after: (ms, run) => after(ms, run),
        turn: (run) => void this.#inTurn(run),
        arrivedAt: () => (this.#serial.isIdle ? now() : this.#arrivedAt),
        send: (name, params) => this.#requests.send(name, params),
        emit: (notice) => this.#emit(notice),
        // Told by what follows: the session ends, and asks for a repair. There is no log here that could hold more.
        failed: () => undefined,
        keyring,
        keysChanged: (side) => this.frames.keysChanged(side),
      },
      await this.#keeper.terms(this.#chatOfGroup()),
    );
    const keys: FrameKeys = {
      keyring,
      leafOf: (peer) => session.leafOf(peer),
      isLeafOf: (peer, leaf, epoch) => session.isLeafOf(peer, leaf, epoch),
      epochFor: (peer) => session.epochFor(peer),
      heard: (peer) => session.heard(peer),
    };
    this.#member = { session, keys };
    return session;
  }

  #stop(): void {
    this.#member?.session.stop();
    this.#member = null;
    this.#requests.forget();
  }

  #emit(notice: Notice): void {
    const { now, after, post } = this.#ports;
    // There is no coming back by a reload of this tab.
    if (notice.type === 'out' && notice.why !== 'repair') this.#keeper.forgetTab();
    const wait = notice.type === 'out' && notice.why === 'repair' ? this.#pace.next(now()) : 0;
    if (wait === 0) {
      post({ type: 'notice', notice });
      return;
    }
    const member = this.#member;
    after(wait, () => {
      if (this.#member === member) post({ type: 'notice', notice });
    });
  }

  #need(): Session {
    if (this.#member === null) throw new Refused('notReady', 'no group has begun');
    return this.#member.session;
  }

  #needHost(): Session {
    if (!this.#keeper.isHost) throw new Refused('notHost', 'this browser does not hold the host key');
    return this.#need();
  }

  async #done(doing: Promise<boolean>): Promise<object> {
    if (!(await doing)) throw new Refused('notReady', 'not a member of a group');
    return {};
  }
}

/** What the page may know of a failure: a code, and a detail that never holds more than names and sizes. */
function failureOf(error: unknown): { code: CallErrorCode; detail: string } {
  if (error instanceof Refused) return { code: error.code, detail: error.message };
  if (!(error instanceof CryptoError))
    return { code: 'internal', detail: error instanceof Error ? error.name : 'unknown' };
  if (error.code === 'usage' || error.code === 'malformed') return { code: 'usage', detail: error.message };
  return { code: 'forged', detail: error.message };
}

/** In [0, 1). */
function randomShare(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}
