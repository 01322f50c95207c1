/**
 * Who has the chat open, who types, who has read how far: what people tell each other by whispers, sealed, signed and kept nowhere.
 *
 * Each whisper says how its author sees the log, and so does each heartbeat of a member, so that a server that shows two of them, or withholds, is noticed
 * (signal.ts): it may keep back the whispers as well.
 */
import type { Told, Whisper } from './bodies.ts';
import { whisperFrom } from './bodies.ts';
import type { ChatPort, SignalProvider } from './providers/signal.ts';

const TYPING_MS = 6000;
/** A way that has only begun to open is looked at again after this. */
const HELLO_MS = 300;
/** Heartbeats come every two seconds; what they say is looked at less often. */
const HEARD_MS = 5000;

export interface PresenceTerms {
  readonly self: string;
  readonly port: ChatPort;
  readonly signal: SignalProvider;
  readonly name: () => string;
  /** What we have read of what all can read; of this author above all. And what others say that they have. */
  readonly reading: { told(author: string | null): Told; heard(reader: string, told: Told): void };
  /** What we say of the notes, and what others do. */
  readonly notes: { own(): Whisper['notes']; heard(author: string, said: NonNullable<Whisper['notes']>): void };
  /** Somebody is here who was not. */
  readonly came: () => void;
  readonly changed: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** @returns calls it off */
  readonly after: (ms: number, run: () => void) => () => void;
}

export class Presence {
  readonly #terms: PresenceTerms;
  readonly #typing = new Map<string, number>();
  readonly #names = new Map<string, string>();
  readonly #here = new Set<string>();
  #saidTypingAt = -Infinity;
  #stopListening: () => void = () => undefined;

  constructor(terms: PresenceTerms) {
    this.#terms = terms;
  }

  /** Who is typing now, identities. */
  get typing(): string[] {
    const since = this.#terms.now() - TYPING_MS;
    return [...this.#typing].filter(([, at]) => at > since).map(([author]) => author);
  }

  /** Who has the chat open, identities. */
  get here(): readonly string[] {
    return [...this.#here];
  }

  /** How somebody says that they are called; null: they never said. Who has written is called as they signed it. */
  nameOf(author: string): string | null {
    return this.#names.get(author) ?? null;
  }

  /** Often called, seldom told. */
  type(): void {
    const now = this.#terms.now();
    if (now - this.#saidTypingAt < TYPING_MS / 2) return;
    this.#saidTypingAt = now;
    this.#whisper({ typing: true });
  }

  /** Tells what we have read. @param author  who wants to know most of all */
  mark(author: string | null = null): void {
    this.#whisper(this.#mark(author));
  }

  /** Where we are in the notes. */
  note(notes: NonNullable<Whisper['notes']>): void {
    this.#whisper({ notes });
  }

  /** Something of theirs has come: what was being typed is here. */
  wrote(author: string): void {
    this.#typing.delete(author);
  }

  /** On another connection: says hello once it is open. */
  up(): void {
    this.#here.clear();
    this.#helloSoon();
    this.#stopListening();
    this.#listen();
  }

  down(): void {
    this.#stopListening();
    this.#here.clear();
    this.#typing.clear();
  }

  async heard(sealed: string): Promise<void> {
    const { port, now, after, changed, self, signal, came } = this.#terms;
    const heard = await port.call('chat.overhear', { body: sealed });
    const whisper = heard && whisperFrom(heard.body);
    if (heard === null || whisper === null || heard.author === self) return;
    const { author } = heard;
    if (!this.#here.has(author)) came();
    this.#here.add(author);
    if (whisper.name !== undefined) this.#names.set(author, whisper.name);
    if (whisper.typing) {
      this.#typing.set(author, now());
      after(TYPING_MS + 50, changed);
    }
    if (whisper.read !== undefined) this.#terms.reading.heard(author, whisper.read);
    if (whisper.head !== undefined) signal.compare(whisper.head, author);
    if (whisper.notes !== undefined) this.#terms.notes.heard(author, whisper.notes);
    if (whisper.hello) this.mark(author);
    changed();
  }

  #listen(): void {
    const { after, port, signal } = this.#terms;
    this.#stopListening = after(HEARD_MS, () => {
      port.call('chat.overheard', {}).then(
        (heard) => {
          if (signal.state === 'online') for (const { author, head } of heard) signal.compare(head, author);
        },
        () => undefined,
      );
      this.#listen();
    });
  }

  #helloSoon(): void {
    const { after, signal } = this.#terms;
    after(HELLO_MS, () => {
      if (signal.state === 'online') this.#whisper({ hello: true, ...this.#mark(null) });
      else if (signal.state === 'connecting') this.#helloSoon();
    });
  }

  #mark(author: string | null): Whisper {
    return { read: this.#terms.reading.told(author), notes: this.#terms.notes.own() };
  }

  #whisper(whisper: Whisper): void {
    const { port, name, signal } = this.#terms;
    const head = signal.head ?? undefined;
    const body = JSON.stringify({ ...whisper, head, name: name().slice(0, 80) || undefined } satisfies Whisper);
    port
      .call('chat.whisper', { body })
      .then(({ body: sealed }) => sealed !== null && signal.whisper(sealed))
      .catch(() => undefined);
  }
}
