/**
 * Messages between two: whose card is here, sealing to one of them, and finding what is for us.
 *
 * An entry does not say for whom it is, so each is tried once, which takes milliseconds; what came of it is kept on disk. Whoever has
 * no card here has never been written to, and tries nothing.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat, equal, fromBase64url, fromUtf8, utf8 } from '../../../crypto/bytes.ts';
import type { Card, ContentKey, PrivateKeys } from '../../../crypto/chatPrivate.ts';
import {
  bodyKind,
  cardBody,
  derivePrivateKeys,
  openPrivate,
  ownContentKey,
  sealPrivate,
  triedContentKey,
} from '../../../crypto/chatPrivate.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { sha256Now } from '../../../crypto/primitives.ts';
import type { ChatShelf } from './shelf.ts';

const NAME_BYTES = 16;
const KEY_BYTES = 32;
/** What was tried; older ones are tried again. */
const MAX_TRIED = 4096;
const NOT_OURS = new Uint8Array(KEY_BYTES);

/** What a body says to us. `to`: the other one's reader, an identity; null for what is for all, or for others. */
export interface OpenedBody {
  readonly text: string;
  readonly to: string | null;
  /** It may be for us: nobody has tried. */
  readonly isLocked: boolean;
}

/** Made once for as long as the worker has the identity, from which they follow anyhow. */
const derived = new WeakMap<KeyPair, Map<string, Promise<PrivateKeys>>>();

/** For others: it says nothing to us. */
const FOR_OTHERS: OpenedBody = { text: '', to: null, isLocked: false };

export class PrivateMessages {
  readonly #meeting: string;
  readonly #identity: KeyPair;
  readonly #self: string;
  readonly #shelf: ChatShelf;
  /** KEM keys by identity. */
  readonly #cards = new Map<string, Bytes>();
  /** Names of the ring's keys that our card lies under. */
  readonly #ownCards = new Set<string>();
  /** Content keys by a hash of author and body; zeros where it is not for us. */
  readonly #tried = new Map<string, Bytes>();
  #isNews = false;

  constructor(given: { meeting: string; identity: KeyPair; shelf: ChatShelf }) {
    this.#meeting = given.meeting;
    this.#identity = given.identity;
    this.#self = base64url(given.identity.publicKey);
    this.#shelf = given.shelf;
  }

  async load(): Promise<void> {
    const kept = await this.#shelf.get(this.#recordName).catch(() => null);
    if (kept === null) return;
    const reader = new Reader(kept);
    while (reader.remaining > 0) this.#tried.set(base64url(reader.fixed(NAME_BYTES)), reader.fixed(KEY_BYTES));
  }

  /** Keeps what was tried. Where nothing can be stored it is tried again. */
  async keep(): Promise<void> {
    if (!this.#isNews) return;
    this.#isNews = false;
    for (const name of this.#tried.keys()) if (this.#tried.size > MAX_TRIED) this.#tried.delete(name);
    const writer = new Writer();
    for (const [name, key] of this.#tried) writer.fixed(fromBase64url(name)).fixed(key);
    await this.#shelf.put(this.#recordName, writer.done()).catch(() => undefined);
  }

  /** Our card, unless there is one under this key of the ring. @param text what is said with it */
  async card(ringKey: string, text: string): Promise<Bytes | null> {
    if (this.#ownCards.has(ringKey)) return null;
    return cardBody(await this.#own(), utf8(text));
  }

  /** Our card has been written. */
  wrote(ringKey: string): void {
    this.#ownCards.add(ringKey);
  }

  /** @returns null where they have no card here */
  async seal(to: string, text: string): Promise<Bytes | null> {
    const publicKey = this.#cards.get(to);
    if (publicKey === undefined || to === this.#self) return null;
    return sealPrivate(await this.#own(), { identity: fromBase64url(to), publicKey }, utf8(text));
  }

  /**
   * @param entry.author proven
   * @param isTrying also what costs milliseconds to find out
   * @throws CryptoError 'malformed' for what is no text
   */
  open(entry: { author: Bytes; ringKey: string; body: Bytes }, isTrying: boolean): OpenedBody | Promise<OpenedBody> {
    const { author, ringKey, body } = entry;
    const kind = bodyKind(body);
    // Most of a chat, and at once: thousands of awaits cost as much as what they wait for.
    if (kind.is === 'text') return { text: fromUtf8(body), to: null, isLocked: false };
    if (kind.is === 'private') return this.#openPrivate(author, body, isTrying);
    return kind.is === 'card' ? this.#openCard(base64url(author), ringKey, kind) : FOR_OTHERS;
  }

  async #openCard(author: string, ringKey: string, { publicKey, text }: Card): Promise<OpenedBody> {
    this.#cards.set(author, publicKey);
    if (author === this.#self && equal(publicKey, (await this.#own()).publicKey)) this.#ownCards.add(ringKey);
    return { text: fromUtf8(text), to: null, isLocked: false };
  }

  async #openPrivate(author: Bytes, body: Bytes, isTrying: boolean): Promise<OpenedBody> {
    const isOwn = base64url(author) === this.#self;
    const found = isOwn ? await this.#ownKey(body) : await this.#key(author, body, isTrying);
    if (found === 'locked') return { ...FOR_OTHERS, isLocked: true };
    if (found === null) return FOR_OTHERS;
    const between = { meetingId: this.#meeting, author, recipient: found.recipient };
    try {
      return {
        text: fromUtf8(await openPrivate(found.key, between, body)),
        to: base64url(found.recipient),
        isLocked: false,
      };
    } catch {
      // Whoever wrote it has sealed a key to us, and something else under it.
      return FOR_OTHERS;
    }
  }

  async #ownKey(body: Bytes): Promise<ContentKey | null> {
    return ownContentKey(await this.#own(), body).catch(() => null);
  }

  async #key(author: Bytes, body: Bytes, isTrying: boolean): Promise<ContentKey | null | 'locked'> {
    // With its author: a copy in somebody else's entry says nothing of the one that was copied.
    const name = base64url(sha256Now(concat(author, body)).subarray(0, NAME_BYTES));
    const known = this.#tried.get(name);
    if (known !== undefined)
      return known.every((byte) => byte === 0) ? null : { key: known, recipient: this.#identity.publicKey };
    if (!isTrying || this.#ownCards.size === 0) return 'locked';
    const found = await triedContentKey(await this.#own(), author, body);
    this.#tried.set(name, found?.key ?? NOT_OURS);
    this.#isNews = true;
    return found;
  }

  #own(): Promise<PrivateKeys> {
    const known = derived.get(this.#identity) ?? new Map<string, Promise<PrivateKeys>>();
    derived.set(this.#identity, known);
    const keys = known.get(this.#meeting) ?? derivePrivateKeys(this.#identity, this.#meeting);
    known.set(this.#meeting, keys);
    return keys;
  }

  /** Another identity of this browser opens others. */
  get #recordName(): string {
    return `private ${this.#meeting} ${this.#self}`;
  }
}
