/**
 * The chat's keys among the members of the group: begun when somebody came, told to all who are in it, and given to whoever came.
 *
 * Whoever comes sees to it that there is a key which it holds: it asks where newcomers see the last hours, and begins one where there is none.
 * Keys are taken from the group alone, sealed and signed by a member; an answer counts only for whoever asked. What is given is what was
 * promised when a key was begun (policy.ts), whatever was asked for. Without `tell` nothing leaves; it does nothing once it is over.
 */
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import type { RingSecret } from '../../../crypto/chatKey.ts';
import { readSecret, writeSecret, WRITTEN_SECRET_BYTES } from '../../../crypto/chatKey.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import type { ChatLetter, ChatKeysOfGroup, ChatGroupLine } from '../session/terms.ts';
import type { ChatKeys } from './keys.ts';
import { hourOf, isGiven } from './policy.ts';
import type { Held } from './ring.ts';

/** Members begin a key, or answer, after a part of this, unless another was faster. */
const BEGIN_MS = 1500;
const ANSWER_MS = 1200;
/** Whoever came asks again where nobody answers. */
const ASK_AGAIN_MS = 5000;
const MOST_ASKS = 3;
const COMING_MS = 20_000;
/** An answer comes within this, or counts no more. */
const WAIT_MS = 60_000;
/** What was given to all so lately need not be given again. */
const GIVEN_MS = 5000;
/** Of one member: more keys than these within the time are no conversation. */
const MOST_KEYS = 64;
const PACE_MS = 3_600_000;
/** In one letter (session/bodies.ts). */
const MOST_IN_LETTER = 128;

export interface ChatInGroupTerms {
  readonly keys: ChatKeys;
  /** @returns calls it off */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export class ChatInGroup implements ChatKeysOfGroup {
  readonly #terms: ChatInGroupTerms;
  #line: ChatGroupLine | null = null;
  #work: Promise<void> = Promise.resolve();
  #calls: (() => void)[] = [];
  /** Whoever came learns the host's word within a moment. */
  #asksUntil = -Infinity;
  #askedAt = -Infinity;
  #answered = false;
  #isAnswering = false;
  #isBeginning = false;
  /** By name of a key: when somebody gave it to all. */
  readonly #givenAt = new Map<string, number>();
  /** By identity: when it told how many. */
  readonly #told = new Map<string, { since: number; count: number }>();

  constructor(terms: ChatInGroupTerms) {
    this.#terms = terms;
  }

  begin(line: ChatGroupLine, { epoch, isBack }: { epoch: number; isBack: boolean }): void {
    this.#line = line;
    this.#then(async () => {
      const { keys } = this.#terms;
      await keys.load();
      if (this.#line !== line) return;
      keys.enter((secrets, at) => this.#tell(secrets, at, true), epoch);
      if (isBack) return;
      keys.circle!.stranger = epoch;
      this.#asksUntil = this.#terms.now() + COMING_MS;
    });
  }

  entered({ epoch, isStranger }: { epoch: number; isStranger: boolean }): void {
    this.#then(async () => {
      const { circle } = this.#terms.keys;
      if (circle === null) return;
      circle.epoch = epoch;
      if (isStranger) circle.stranger = epoch;
    });
  }

  /** Terms, link or password are others now. */
  changed(): void {
    this.#then(async () => {
      const { keys, now } = this.#terms;
      if (keys.newcomers.see === 'hours' && now() < this.#asksUntil) {
        this.#asksUntil = -Infinity;
        this.#ask(MOST_ASKS);
      }
      this.#beginSoon();
    });
  }

  read(letter: ChatLetter): void {
    if (letter.kind === 'chatAsk') this.#answerSoon();
    else this.#then(() => this.#take(letter, letter.body));
  }

  end(): void {
    this.#line = null;
    for (const cancel of this.#calls.splice(0)) cancel();
    this.#then(async () => this.#terms.keys.enter(null));
  }

  /** Resolves when nothing is left to do at this moment. For tests. */
  get idle(): Promise<void> {
    return this.#work;
  }

  async #take({ identity, epoch }: ChatLetter, { isNew, keys }: { isNew: boolean; keys: string }): Promise<void> {
    const { now } = this.#terms;
    const secrets = secretsFrom(keys);
    if (!isNew) await this.#given(secrets);
    const isAnswer = !isNew && now() - this.#askedAt < WAIT_MS;
    if (!(isNew ? this.#mayTell(identity, secrets.length) : isAnswer)) return;
    this.#answered ||= isAnswer;
    await this.#terms.keys.take(secrets, epoch, isNew);
  }

  #mayTell(identity: string, count: number): boolean {
    const now = this.#terms.now();
    const before = this.#told.get(identity);
    const known = before && now - before.since < PACE_MS ? before : { since: now, count: 0 };
    this.#told.set(identity, { since: known.since, count: known.count + count });
    return known.count + count <= MOST_KEYS;
  }

  /** Those of them that we hold need not be given by us. */
  async #given(secrets: readonly RingSecret[]): Promise<void> {
    const { keys, now } = this.#terms;
    const told = new Set(secrets.map(({ secret }) => base64url(secret)));
    for (const { key, secret } of keys.ring.closed) if (told.has(base64url(secret))) this.#givenAt.set(key.name, now());
  }

  #ask(left: number): void {
    const { now } = this.#terms;
    if (this.#line === null || this.#answered || left === 0) return;
    this.#askedAt = now();
    this.#line.send('chatAsk', {}, null);
    this.#later(ASK_AGAIN_MS, () => this.#ask(left - 1));
  }

  #answerSoon(): void {
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    this.#later(ANSWER_MS * this.#terms.random(), () => {
      this.#isAnswering = false;
      this.#then(async () => this.#answer());
    });
  }

  #answer(): void {
    const { keys, now } = this.#terms;
    const { newcomers, circle } = keys;
    if (this.#line === null || circle === null) return;
    // A clock of ours that is behind must not make old keys young; the server's can only make them older.
    const hour = Math.max(keys.hour, hourOf(this.#line.serverNow()));
    const isDue = ({ key }: Held) => now() - (this.#givenAt.get(key.name) ?? -Infinity) > GIVEN_MS;
    const given = keys.ring.closed.filter((one) => isGiven(one, { hour, newcomers }) && isDue(one));
    for (let at = 0; at < given.length; at += MOST_IN_LETTER)
      this.#tell(given.slice(at, at + MOST_IN_LETTER), circle.epoch, false);
  }

  #beginSoon(): void {
    const { keys, random } = this.#terms;
    if (keys.newcomers.see === 'all' || this.#isBeginning) return;
    this.#isBeginning = true;
    // Who asks waits for an answer first.
    const wait = keys.newcomers.see === 'hours' ? ANSWER_MS + BEGIN_MS : 0;
    this.#later(wait + BEGIN_MS * random(), () => {
      this.#isBeginning = false;
      this.#then(async () => {
        if (this.#line !== null && keys.newcomers.see !== 'all') await keys.sealing();
      });
    });
  }

  #tell(secrets: readonly RingSecret[], epoch: number, isNew: boolean): void {
    const writer = new Writer();
    for (const one of secrets) writeSecret(writer, one);
    this.#line?.send('chatKeys', { isNew, keys: base64url(writer.done()) }, epoch);
  }

  #later(ms: number, run: () => void): void {
    const cancel = this.#terms.after(ms, () => {
      this.#calls = this.#calls.filter((one) => one !== cancel);
      if (this.#line !== null) run();
    });
    this.#calls.push(cancel);
  }

  /** One after the other, in the order in which things happened. What a member sends wrong is nothing that anybody else could have done. */
  #then(act: () => Promise<void>): void {
    this.#work = this.#work.then(act).catch(() => undefined);
  }
}

/** @throws CryptoError 'malformed' */
function secretsFrom(text: string): RingSecret[] {
  const bytes = fromBase64url(text);
  const reader = new Reader(bytes);
  const secrets = Array.from({ length: Math.floor(bytes.length / WRITTEN_SECRET_BYTES) }, () => readSecret(reader));
  reader.end();
  return secrets;
}
