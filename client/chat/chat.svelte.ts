/** The chat as the screens see it: one snapshot, drawn anew at most once a frame, and the person's intents. */
import { DEFAULT_CHAT_TERMS, type ChatHead, type ChatTerms } from '../../signal/protocol/documents.ts';
import { m } from '../paraglide/messages.js';
import { CallError } from '../e2ee/port.ts';
import type { Body, FileBody } from './bodies.ts';
import { NotesOnScreen } from '../notes/notes.svelte.ts';
import { Chat } from './chat.ts';
import { pictureType } from './fileNames.ts';
import { OutgoingFiles } from './outgoing.ts';
import { readPicture } from './pictures.ts';
import { exportJson, exportText, Presenter } from './present.ts';
import type { DirectTerms } from './providers/direct.ts';
import type { ChatLine, ChatPort } from './providers/signal.ts';
import type { Said } from './thread.ts';
import { FileError } from './files.ts';
import { MAX_TEXT, type FileTransfer, type ChatFacade, type ChatView, type Written } from './view.ts';

export interface ChatFacadeOptions {
  readonly port: ChatPort;
  readonly line: ChatLine;
  readonly name: () => string;
  /** What the record or the host's state says. */
  readonly terms: () => ChatTerms | null;
  /** In the meeting, not in the lobby. */
  readonly isLive: () => boolean;
  readonly setTerms: (terms: ChatTerms) => void;
  readonly clear: (upTo: ChatHead) => void;
  readonly openDirect: DirectTerms['open'];
}

const EMPTY: ChatView = {
  at: 'opening',
  connection: 'connecting',
  messages: [],
  people: [],
  typing: [],
  unread: 0,
  firstUnread: null,
  hidden: 0,
  terms: DEFAULT_CHAT_TERMS,
  host: false,
  canWrite: true,
  alarms: [],
  cleared: false,
  staged: [],
  outgoing: [],
  undone: null,
  used: 0,
};

/** Once in this long, while frames do not come: a page in the background. */
const HIDDEN_MS = 1000;

export class ChatOnScreen implements ChatFacade {
  readonly #options: ChatFacadeOptions;
  #view = $state.raw<ChatView>(EMPTY);
  readonly notes = new NotesOnScreen();
  #chat: Chat | null = null;
  #presenter: Presenter | null = null;
  #outgoing: OutgoingFiles | null = null;
  #undone: { what: 'deletion' | 'reaction'; act: () => Promise<boolean> } | null = null;
  #isDrawing = false;
  #isUp = false;
  #isLookedAt = false;
  /** Others have been told that we can be written to alone. */
  #isOpened = false;
  #servers: readonly RTCIceServer[] | null = null;
  #isClosed = false;

  constructor(options: ChatFacadeOptions) {
    this.#options = options;
  }

  /** Takes up what is kept. @throws CallError */
  async open(): Promise<void> {
    const chat = await Chat.open({
      port: this.#options.port,
      line: this.#options.line,
      name: this.#options.name,
      changed: () => this.#changed(),
      cleared: () => this.#outgoing?.cleared(),
      now: Date.now,
      after,
      openDirect: this.#options.openDirect,
      random: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
    });
    if (this.#isClosed) return chat.close();
    this.#chat = chat;
    this.#presenter = new Presenter(chat);
    this.#outgoing = new OutgoingFiles({
      port: this.#options.port,
      files: chat.files,
      unfile: (file) => chat.unfile([file]),
      isOnline: () => chat.signal.state === 'online',
      readPicture,
      write: async ({ text, ...more }, files, sent) => (await this.#say(text, { ...more, files, sent })) === 'written',
      now: Date.now,
      after,
      changed: () => {
        this.#guard();
        this.#changed();
      },
    });
    this.notes.open(chat, (id) => this.#presenter!.person(id).name);
    chat.allowDirect(this.#servers);
    if (this.#isUp) chat.up();
    await this.#outgoing.takeUp();
    this.#draw();
  }

  get view(): ChatView {
    return this.#view;
  }

  look(): void {
    this.#isLookedAt = true;
    this.#openUp();
  }

  async send({ text, replyTo = null, to = null }: Parameters<ChatFacade['send']>[0]): Promise<Written> {
    if (!this.#view.canWrite) return 'failed';
    const trimmed = text.trim().slice(0, MAX_TEXT);
    if ((this.#outgoing?.staged.length ?? 0) > 0) {
      this.#outgoing!.send({ text: trimmed, replyTo, to });
      return 'written';
    }
    return trimmed === '' ? 'written' : this.#say(trimmed, { replyTo, to, files: [], sent: null });
  }

  #say(
    text: string,
    given: { replyTo: string | null; to: string | null; files: FileBody[]; sent: string | null },
  ): Promise<Written> {
    const { replyTo, to, files, sent } = given;
    const answered = replyTo === null ? null : (this.#chat?.thread.one(replyTo) ?? null);
    // All would see that there was something which two alone can read.
    const isOurs = answered === null || answered.to === null || this.#other(answered) === to;
    const more = { ...(replyTo !== null && isOurs ? { reply: replyTo } : {}), ...(files.length > 0 ? { files } : {}) };
    return this.#write({ is: 'say', text, ...more }, to, sent);
  }

  async edit(id: string, text: string): Promise<Written> {
    const trimmed = text.trim().slice(0, MAX_TEXT);
    const before = this.#chat?.thread.one(id);
    if (trimmed === '' || !before || before.text === trimmed) return 'written';
    return this.#write({ is: 'edit', of: id, text: trimmed }, before.to);
  }

  attach(files: readonly File[]): number {
    return this.#outgoing?.add(files) ?? files.length;
  }

  asOriginal(file: string, original: boolean): void {
    this.#outgoing?.asOriginal(file, original);
  }

  detach(file: string): void {
    this.#outgoing?.remove(file);
  }

  resend(id: string): void {
    this.#outgoing?.retry(id);
  }

  giveUp(id: string): void {
    this.#outgoing?.giveUp(id);
  }

  async fetchFile(message: string, index: number, transfer: FileTransfer): Promise<Blob> {
    const file = this.#chat?.thread.one(message)?.files[index];
    if (!this.#chat || !file) throw new FileError('gone');
    const parts = await this.#chat.files.get(file, transfer);
    return new Blob(parts, { type: pictureType(file.type) ?? 'application/octet-stream' });
  }

  remove(id: string): void {
    const gone = async (): Promise<boolean> => {
      await this.#chat?.erase(id);
      return this.#chat?.thread.isErased(id) ?? false;
    };
    void this.#orSay('deletion', gone);
  }

  react(id: string, emoji: string): void {
    const said = this.#chat?.thread.one(id);
    if (!said) return;
    const mine = said.reactions.get(emoji)?.includes(this.#chat!.self) ?? false;
    const body = { is: 'react', of: id, emoji, on: !mine } as const;
    void this.#orSay('reaction', async () => (await this.#write(body, this.#other(said))) === 'written');
  }

  redo(): void {
    const undone = this.#undone;
    this.#undone = null;
    this.#changed();
    if (undone) void this.#orSay(undone.what, undone.act);
  }

  typing(): void {
    this.#chat?.presence.type();
  }

  seen(first: string, last: string): void {
    this.#chat?.markSeen(first, last);
  }

  retry(): void {
    this.#chat?.signal.retry();
  }

  setTerms(terms: ChatTerms): void {
    this.#options.setTerms(terms);
  }

  clear(): void {
    // Nothing but what is seen here: where there is no log, there is nothing.
    const head = this.#chat?.signal.head ?? null;
    if (head !== null) this.#options.clear(head);
  }

  export(format: 'text' | 'json'): string {
    const { messages } = this.#view;
    const written = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
    const timeOf = (at: number): string => written.format(at);
    const onlyTo = (name: string): string => m.chat_only({ name });
    return format === 'json'
      ? exportJson(messages)
      : exportText(messages, { timeOf, onlyTo, unnamed: m.chat_unnamed() });
  }

  /** Link and password are proven on a fresh connection. */
  up(): void {
    this.#isUp = true;
    this.#chat?.up();
    void this.#outgoing?.takeUp();
  }

  down(): void {
    this.#isUp = false;
    this.#chat?.down();
  }

  /** The meeting has another link or password. */
  renewed(): void {
    this.#chat?.renewed();
  }

  /** Other keys are held, or another one seals. */
  keysMoved(): void {
    this.#chat?.keysMoved();
  }

  /** @param servers  for ICE, while we are in a meeting that goes from person to person; else null */
  allowDirect(servers: readonly RTCIceServer[] | null): void {
    this.#servers = servers;
    this.#chat?.allowDirect(servers);
  }

  /** What the server sent to whoever has the chat open. */
  pushed(push: Parameters<Chat['signal']['pushed']>[0]): void {
    this.#chat?.signal.pushed(push);
  }

  /** Terms or names are others now. */
  refresh(): void {
    this.#chat?.termsMoved();
    this.#changed();
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#outgoing?.close();
    removeEventListener('beforeunload', stay);
    this.notes.close();
    this.#chat?.close();
  }

  /** Of the two between whom it is the one who is not we; null: it is for all. */
  #other({ author, to }: Said): string | null {
    return to === this.#chat?.self ? author : to;
  }

  /** What came to nothing is said, and can be tried again; of several the last. */
  async #orSay(what: 'deletion' | 'reaction', act: () => Promise<boolean>): Promise<void> {
    if (!(await act().catch(() => false))) this.#undone = { what, act };
    this.#changed();
  }

  async #write(body: Body, to: string | null, sent: string | null = null): Promise<Written> {
    if (this.#chat === null) return 'failed';
    try {
      await this.#chat.write([body], to, sent);
      return 'written';
    } catch (error) {
      this.#changed();
      return to !== null && error instanceof CallError && error.code === 'noCard' ? 'noCard' : 'failed';
    }
  }

  /** Who looks at the chat in the meeting can be written to alone; who looks in from the lobby is not announced. */
  #openUp(): void {
    if (this.#isOpened || !this.#isLookedAt || !this.#chat?.canWrite || !this.#options.isLive()) return;
    this.#isOpened = true;
    this.#chat.opened();
  }

  /** A message that waits for its files and is not kept ends with the page: whoever leaves is asked. */
  #guard(): void {
    if (this.#outgoing?.isAtRisk) addEventListener('beforeunload', stay);
    else removeEventListener('beforeunload', stay);
  }

  #changed(): void {
    if (this.#isDrawing || this.#isClosed) return;
    this.#isDrawing = true;
    const draw = () => {
      if (!this.#isDrawing) return;
      this.#isDrawing = false;
      this.#draw();
    };
    requestAnimationFrame(draw);
    setTimeout(draw, HIDDEN_MS);
  }

  #draw(): void {
    const [chat, presenter] = [this.#chat, this.#presenter];
    if (chat === null || presenter === null) return;
    this.#openUp();
    this.notes.draw();
    const { signal } = chat;
    const messages = presenter.messages(signal.isFull);
    const { unread } = chat.reading;
    this.#view = {
      at: 'ready',
      connection: signal.state,
      messages,
      people: presenter.people,
      typing: chat.presence.typing.map((id) => presenter.person(id).name),
      unread: unread.length,
      firstUnread: unread[0]?.id ?? null,
      hidden: chat.hidden,
      terms: this.#options.terms() ?? DEFAULT_CHAT_TERMS,
      host: chat.isHost && this.#options.isLive(),
      canWrite: chat.canWrite,
      alarms: chat.alarms.map(({ is, by }) => ({ is, by: by.map((id) => presenter.person(id)) })),
      cleared: chat.isCleared,
      staged: this.#outgoing?.staged ?? [],
      outgoing: this.#outgoing?.outgoing((id) => presenter.person(id)) ?? [],
      undone: this.#undone?.what ?? null,
      used: signal.used,
    };
  }
}

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

function stay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
