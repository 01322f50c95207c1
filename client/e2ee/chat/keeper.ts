/**
 * The keeper of one meeting's chat, in the worker: its entries, this browser's chain, and what is kept of it on disk.
 *
 * It seals and opens; the document and everything that is shown of it are the page's. A sequence of our chain is on disk before the
 * entry that bears it is handed out, so that none is used twice.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, equal, fromBase64url, fromUtf8, labelled, utf8 } from '../../../crypto/bytes.ts';
import { entryKeyId, eraseEntry, NO_PREVIOUS, sealEntry, WRITER_BYTES } from '../../../crypto/chatEntry.ts';
import { olderIdOf } from '../../../crypto/chatForward.ts';
import { edgesOf, itemHead, openItem, sealItem } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { CHAT_KEY_ID_BYTES } from '../../../crypto/chatKey.ts';
import { logBodyHash, logNext, logStart } from '../../../crypto/chatLog.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { random, ready, sha256Now } from '../../../crypto/primitives.ts';
import type { ChatHead, ChatItem } from '../../../signal/protocol/chat.ts';
import type { Access } from '../access.ts';
import { Refused } from '../refused.ts';
import { EntryReader } from './entries.ts';
import { ChatFiles } from './files.ts';
import { Heads } from './heads.ts';
import { keepAccess } from './kept.ts';
import type { ChatKeys } from './keys.ts';
import type { ChatCalls, OpenedItem, SealedItem, UnreadItem, WrittenEntry } from './messages.ts';
import { cut, joined, PART_BYTES, Parts } from './parts.ts';
import { Outbox } from './outbox.ts';
import { PrivateMessages } from './private.ts';
import type { ChatShelf } from './shelf.ts';
import { SnapshotKeeper } from './snapshots.ts';
import { Unread } from './unread.ts';
import { openWhisper, sealWhisper } from './whispers.ts';
import { wordOf, type WordTerms } from './word.ts';

export interface ChatTerms {
  readonly meeting: string;
  readonly identity: KeyPair;
  readonly host: boolean;
  /** Of the newest generation that we know. */
  readonly access: () => Access;
  readonly keys: ChatKeys;
  readonly word: WordTerms;
  readonly shelf: ChatShelf;
  /** One at a time over all tabs of this browser. */
  readonly alone: <T>(name: string, act: () => Promise<T>) => Promise<T>;
  /** Takes this name for as long as the worker lives, or until it is called; null where another tab has it. */
  readonly hold: (name: string) => Promise<(() => void) | null>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What an entry is to say: as text, and as it goes into the entry. */
interface Sayable {
  readonly text: string;
  readonly bytes: Bytes;
  readonly isCard?: true;
}

/** Our chain so far. */
interface Chain {
  readonly writer: Bytes;
  /** Of its keys, as `ChatKeys.runOf` says: whoever opens one of its entries opens all before it. */
  readonly run: Bytes;
  /** Of the next entry. */
  readonly next: number;
  readonly previous: Bytes;
  /** The newest ones: a page that ends before it has placed them finds them here. */
  readonly last: readonly Bytes[];
}

/** More than a page has under way at once, over all tabs. */
const LAST_KEPT = 16;

export class ChatKeeper {
  readonly #terms: ChatTerms;
  readonly #keys: ChatKeys;
  readonly #private: PrivateMessages;
  readonly #reader: EntryReader;
  readonly #snapshots: SnapshotKeeper;
  readonly #parts = new Parts();
  readonly #unread = new Unread();
  /** How many keys we held when that was looked at last. */
  #keysSeen = 0;
  readonly heads = new Heads();
  readonly files = new ChatFiles((of) => this.#eraseToken(of));
  readonly outbox: Outbox;
  #eraseSecret: Promise<Bytes> | null = null;
  /** Of the records that `begin` has read, and of those that came to them. */
  #kept: number[] = [];
  /** Of what pages have said of their state: this one's own, and those that it has taken over. */
  #states: number[] = [];

  constructor(terms: ChatTerms) {
    this.#terms = terms;
    this.#keys = terms.keys;
    this.#private = new PrivateMessages(terms);
    this.#reader = new EntryReader(terms.meeting, terms.keys.ring, this.#private);
    this.#snapshots = new SnapshotKeeper(terms.meeting, terms.keys, this.#reader);
    this.outbox = new Outbox({ ...terms, files: this.files });
  }

  async begin(): Promise<ChatCalls['chat.begin']['out']> {
    const { shelf, meeting, identity, host, access } = this.#terms;
    const lasting = await this.#keys.load();
    this.outbox.begin(lasting);
    if (!this.#keys.isPast) await keepAccess(shelf, access());
    await this.#private.load();
    const kept = await shelf.list(`updates ${meeting}`).catch(() => []);
    this.#kept = kept.map(({ id }) => id);
    const states = await shelf.list(`state ${meeting}`).catch(() => []);
    this.#states = states.map(({ id }) => id);
    const { last } = await this.#chain(this.#chainName);
    this.#unread.restore(fromUtf8((await shelf.get(`unread ${meeting}`).catch(() => null)) ?? new Uint8Array()));
    return {
      self: base64url(identity.publicKey),
      last: [...last],
      updates: kept.map(({ value }) => value),
      states: states.map(({ value }) => fromUtf8(value)),
      host,
      lasting,
      isPast: this.#keys.isPast,
      again: this.#isBack(),
    };
  }

  async items({ head, items, isBase = false }: ChatCalls['chat.items']['in']): Promise<ChatCalls['chat.items']['out']> {
    const { meeting } = this.#terms;
    const from = head ?? { seq: 0, hash: base64url(logStart(meeting)) };
    // From its start, or from where it goes on after something was deleted: what it holds is seen now.
    if (head === null || isBase) this.#keys.readAnew();
    if (head === null) this.#unread.clear();
    await ready();
    const bodies = items.map(({ body }) => fromBase64url(body));
    const heads = follow(from, items, bodies);
    if (heads === null)
      return { head: from, settled: from, broken: true, opened: [], late: [], hidden: this.#unread.count };
    const opened: OpenedItem[] = [];
    for (const [i, item] of items.entries()) {
      const one = this.#openOne(item, bodies[i]!, () => heads[i]!());
      // Updates are opened at once: thousands of awaits cost as much as what they wait for.
      opened.push(one instanceof Promise ? await one : one);
      if (opened[i]!.is === 'hidden') this.#unread.add(item, this.#waitsFor(bodies[i]!));
    }
    const end = heads[items.length]!();
    this.#parts.goOn(end.seq);
    const late = opened.some(isNews) ? (await this.reopen()).late : [];
    this.heads.own = end;
    const settled = this.#parts.since ?? end;
    return { head: end, settled, broken: false, opened, late, hidden: this.#unread.count };
  }

  async reopen(): Promise<ChatCalls['chat.reopen']['out']> {
    if (!this.#keys.isPast) await keepAccess(this.#terms.shelf, this.#terms.access());
    const late: Bytes[] = [];
    const { beginnings } = this.#keys.ring;
    const before = beginnings.size;
    // Keys first, wherever in the log they lie: one may lead to another before it.
    while ((await this.#tryAgain(isKeys)).some(isNews));
    for (const opened of await this.#tryAgain((body) => !isKeys(body)))
      if (opened.is === 'update') late.push(opened.update);
    return { late, isPast: this.#isBack() || beginnings.size > before };
  }

  /** Those that open now wait no more. */
  async #tryAgain(isMeant: (body: Bytes) => boolean): Promise<OpenedItem[]> {
    const opened: OpenedItem[] = [];
    await this.#unread.take(async (item) => {
      const body = fromBase64url(item.body);
      if (!isMeant(body)) return false;
      const one = await this.#openOne(item, body);
      opened.push(one);
      return one.is !== 'hidden';
    });
    return opened;
  }

  #waitsFor(body: Bytes): string[] {
    const head = itemHead(body)!;
    if ('keyId' in head) return [base64url(head.keyId)];
    if (head.generation > this.#keys.generation) return [`link ${head.generation}`];
    const older = edgesOf(body).map((edge) => base64url(olderIdOf(edge)));
    return older.filter((name) => this.#keys.ring.get(name) === null);
  }

  /** Something came that items wait for which are not here any more. */
  #isBack(): boolean {
    const { ring, generation } = this.#keys;
    const isMore = ring.size > this.#keysSeen && this.#keysSeen > 0;
    this.#keysSeen = ring.size;
    return this.#unread.isBack((name) => ring.get(name) !== null || name === `link ${generation}`, isMore);
  }

  async read({ entries, unlock }: ChatCalls['chat.read']['in']): Promise<ChatCalls['chat.read']['out']> {
    const verdicts = await this.#reader.read(entries, unlock);
    await this.#private.keep();
    return { verdicts };
  }

  async write(params: ChatCalls['chat.write']['in']): Promise<ChatCalls['chat.write']['out']> {
    const { at, to, sent = null } = params;
    const { meeting, identity, alone, shelf } = this.#terms;
    const key = await this.#sealing();
    const run = this.#keys.runOf(key);
    const name = this.#chainName;
    // What is for one is sealed to that one, or not at all.
    const bodies: Sayable[] = await Promise.all(
      params.bodies.map(async (text) => ({ text, bytes: to === null ? utf8(text) : await this.#sealedTo(to, text) })),
    );
    const card = await this.#private.card(key.name, params.card);
    if (card !== null) bodies.unshift({ text: params.card, bytes: card, isCard: true });
    if (bodies.length === 0) return { written: [], run: base64url(run) };
    const result = await alone(name, async () => {
      // It has been written.
      if (sent !== null && !(await this.outbox.has(sent))) return { written: [], run: base64url(run) };
      let chain = await this.#chain(name);
      // Whoever came with this key must not miss what is not for them.
      if (!equal(chain.run, run)) chain = { ...newChain(run), last: chain.last };
      const written: WrittenEntry[] = [];
      for (const { text: body, bytes: sealed, isCard } of bodies) {
        const link = { writer: chain.writer, sequence: chain.next, at, previous: chain.previous };
        const { bytes, id } = await sealEntry(key, meeting, { identity, ...link, body: sealed });
        const last = [...chain.last, bytes].slice(-LAST_KEPT);
        chain = { writer: chain.writer, run, next: chain.next + 1, previous: id, last };
        written.push({
          bytes,
          entry: {
            id: base64url(id),
            author: base64url(identity.publicKey),
            writer: base64url(link.writer),
            sequence: link.sequence,
            previous: base64url(link.previous),
            at,
            body,
            to: isCard ? null : to,
          },
        });
      }
      // In one step: no page that ends here leaves it to be written once more.
      await shelf.put(name, chainBytes(chain), sent === null ? [] : this.outbox.namesOf(sent));
      return { written, run: base64url(run) };
    });
    if (card !== null && result.written.length > 0) this.#private.wrote(key.name);
    if (sent !== null) this.outbox.release(sent);
    return result;
  }

  /** @throws Refused 'noCard' */
  async #sealedTo(identity: string, text: string): Promise<Bytes> {
    const sealed = await this.#private.seal(identity, text);
    if (sealed === null) throw new Refused('noCard', 'nobody here can be written to alone by that name');
    return sealed;
  }

  async seal({ update }: ChatCalls['chat.seal']['in']): Promise<ChatCalls['chat.seal']['out']> {
    const { meeting } = this.#terms;
    const key = await this.#sealing();
    const keys = await this.#untold();
    if (update.length <= PART_BYTES) {
      return { keys, items: [await this.#forLog(await sealItem(key, meeting, 'update', update))] };
    }
    const parts = await Promise.all(cut(update).map((part) => sealItem(key, meeting, 'part', part)));
    return { keys, items: await Promise.all(parts.map((part) => this.#forLog(part))) };
  }

  async peek({ items }: ChatCalls['chat.peek']['in']): Promise<ChatCalls['chat.peek']['out']> {
    const { meeting } = this.#terms;
    await ready();
    const open = ({ body }: ChatItem, kind: 'update' | 'part'): Bytes | null => {
      const item = fromBase64url(body);
      const head = itemHead(item);
      const key = head?.kind === kind ? this.#keys.ring.find(head.keyId) : null;
      try {
        return key && openItem(key, meeting, kind, item);
      } catch {
        return null;
      }
    };
    const parts = items.flatMap((item, index) => {
      const part = open(item, 'part');
      return part === null ? [] : [{ part, index }];
    });
    const unread = items.flatMap(({ body }, index) => (this.#isUnread(fromBase64url(body)) ? [index] : []));
    return { updates: items.map((item) => open(item, 'update')), ...joined(parts), unread };
  }

  async unsay({ hashes, update }: ChatCalls['chat.unsay']['in']): Promise<ChatCalls['chat.unsay']['out']> {
    const { meeting } = this.#terms;
    const key = await this.#sealing();
    const [kind, bodies] =
      hashes.length === 1 ? (['update', [update]] as const) : (['part', cut(update, hashes.length)] as const);
    const items = bodies.map(async (body, i) => ({
      body: base64url(await sealItem(key, meeting, kind, body)),
      token: base64url(await this.#eraseToken(fromBase64url(hashes[i]!))),
    }));
    return { items: await Promise.all(items) };
  }

  async pack(params: ChatCalls['chat.pack']['in']): Promise<ChatCalls['chat.pack']['out']> {
    const { ring, generation } = this.#keys;
    const now = await this.#sealing();
    const keys = await this.#untold();
    if (keys.length > 0) return { keys, packed: null };
    // One that whoever has the link holds, where there is one.
    const open = ring.openOf(generation)?.key ?? null;
    const packed = await this.#snapshots.pack({ key: open ?? now, isClosed: open === null }, params);
    return { keys, packed: packed && { id: base64url(random(16)), ...packed } };
  }

  async unpack(params: ChatCalls['chat.unpack']['in']): Promise<ChatCalls['chat.unpack']['out']> {
    const found = await this.#snapshots.unpack(params);
    if (found === null) return null;
    const [late, unread]: [Bytes[], UnreadItem[]] = [[], []];
    const parts = params.take ? this.#parts : new Parts();
    for (const one of found.unread) {
      const body = fromBase64url(one.body);
      const opened = this.#isUnread(body)
        ? { is: 'hidden' as const }
        : await this.#openOne(one, body, () => null, parts);
      if (opened.is === 'update') late.push(opened.update);
      if (opened.is === 'hidden' || opened.is === 'part') unread.push(one);
      if (opened.is === 'hidden' && params.take)
        this.#unread.add({ ...one, hash: base64url(logBodyHash(body)) }, this.#waitsFor(body));
    }
    return { ...found, unread, late };
  }

  /** It waits for a key that we lack. */
  #isUnread(body: Bytes): boolean {
    const head = itemHead(body);
    if (head === null || head.kind === 'whisper' || head.kind === 'snapshot') return false;
    if ('keyId' in head) return this.#keys.ring.find(head.keyId) === null;
    try {
      return head.generation > this.#keys.generation || (head.kind === 'forward' && this.#waitsFor(body).length > 0);
    } catch {
      return false;
    }
  }

  block(params: ChatCalls['chat.block']['in']): Promise<ChatCalls['chat.block']['out']> {
    return this.#snapshots.block(params);
  }

  async tell({ isBase }: ChatCalls['chat.tell']['in']): Promise<ChatCalls['chat.tell']['out']> {
    if (isBase) this.#keys.readAnew();
    return { keys: await this.#untold() };
  }

  async erase({ entry }: ChatCalls['chat.erase']['in']): Promise<ChatCalls['chat.erase']['out']> {
    await ready();
    const key = this.#keys.ring.find(entryKeyId(entry) ?? new Uint8Array());
    if (key === null) throw new Refused('notReady', 'an entry that does not open here');
    return { entry: eraseEntry(key, this.#terms.meeting, entry) };
  }

  async whisper({ body }: ChatCalls['chat.whisper']['in']): Promise<ChatCalls['chat.whisper']['out']> {
    const { meeting, identity, now } = this.#terms;
    const key = this.#keys.whispering?.key ?? null;
    return { body: key && (await sealWhisper(key, meeting, { identity, at: Math.floor(now()), body })) };
  }

  overhear({ body }: ChatCalls['chat.overhear']['in']): Promise<ChatCalls['chat.overhear']['out']> {
    const { meeting, now } = this.#terms;
    const { ring, generation } = this.#keys;
    return openWhisper(ring, { meeting, generation }, body, now());
  }

  overheard(): ChatCalls['chat.overheard']['out'] {
    return this.heads.take();
  }

  async room(): Promise<ChatCalls['chat.room']['out']> {
    return { room: await this.#keys.room() };
  }

  word(params: ChatCalls['chat.word']['in']): Promise<ChatCalls['chat.word']['out']> {
    return wordOf(this.#terms.word, params);
  }

  standing(): ChatCalls['chat.standing']['out'] {
    return { canWrite: this.#keys.canSeal };
  }

  async keep({ update, state, all }: ChatCalls['chat.keep']['in']): Promise<object> {
    const { meeting, shelf } = this.#terms;
    // Each tab has one of its own: what another has still to do is not to be forgotten with what we say.
    const records = [{ name: `state ${meeting}`, value: utf8(state) }];
    if (update !== null) records.push({ name: `updates ${meeting}`, value: update });
    // Where another page has deleted what was kept, a difference to it is worth nothing: all of it is kept anew.
    const after = all ? null : (this.#kept.at(-1) ?? null);
    if (all) await this.#keys.keep();
    const unread = this.#unread.unsaved();
    if (unread.before !== null) await shelf.put(`unread ${meeting}`, utf8(unread.before));
    const replaced = [...this.#states, ...(all ? this.#kept : [])];
    const [own, ...added] = await shelf.add(records, { after, replaced });
    this.#states = [own!];
    this.#kept = [...(all ? [] : this.#kept), ...added];
    if (unread.after !== null) await shelf.put(`unread ${meeting}`, utf8(unread.after));
    return {};
  }

  /** @param before  where the log goes before it */
  #openOne(
    { seq, replaced }: Pick<ChatItem, 'seq' | 'replaced'>,
    item: Bytes,
    before: () => ChatHead | null = () => null,
    parts = this.#parts,
  ): OpenedItem | Promise<OpenedItem> {
    const { meeting } = this.#terms;
    const head = itemHead(item);
    if (head === null || head.kind === 'whisper' || head.kind === 'snapshot') return { is: 'forged' };
    if (head.kind === 'ring' || head.kind === 'forward') {
      // Where it stands in the log says when older keys end: nothing that took another's place may say so.
      if (replaced === true) return { is: 'forged' };
      if (head.kind === 'ring') return this.#keys.openRing(item, head.generation, seq);
      return this.#keys.openForward(item, head.generation);
    }
    const key = this.#keys.ring.find(head.keyId);
    if (key === null) return { is: 'hidden' };
    // A removed member still holds this key, and perhaps the server's ear.
    if (seq > this.#keys.ring.endOf(head.keyId)) return { is: 'stale' };
    try {
      const content = openItem(key, meeting, head.kind, item);
      const update = head.kind === 'update' ? content : parts.take(content, before());
      return update === null ? { is: 'part' } : { is: 'update', update };
    } catch {
      return { is: 'forged' };
    }
  }

  /** The key to write with now. @throws Refused where nobody could read it */
  async #sealing(): Promise<ChatKey> {
    const key = await this.#keys.sealing();
    if (key === null) throw new Refused('notReady', 'no key to write with');
    return key;
  }

  async #untold(): Promise<SealedItem[]> {
    return Promise.all((await this.#keys.untold()).map((item) => this.#forLog(item)));
  }

  async #forLog(item: Bytes): Promise<SealedItem> {
    const hash = logBodyHash(item);
    const token = await this.#eraseToken(hash);
    return { body: base64url(item), hash: base64url(hash), erase: base64url(sha256Now(token)) };
  }

  /** Whoever wrote an item knows it again by its hash, and nobody else can say so. */
  async #eraseToken(itemHash: Bytes): Promise<Bytes> {
    this.#eraseSecret ??= this.#loadEraseSecret();
    return sha256Now(labelled('parley chat erase 1', await this.#eraseSecret, itemHash));
  }

  async #loadEraseSecret(): Promise<Bytes> {
    const { shelf, meeting, alone } = this.#terms;
    return alone(`erase ${meeting}`, async () => {
      const kept = await shelf.get(`erase ${meeting}`);
      if (kept !== null) return kept;
      const secret = random(32);
      await shelf.put(`erase ${meeting}`, secret);
      return secret;
    });
  }

  /** Another identity of this browser is another writer: nothing leads from one to the other. */
  get #chainName(): string {
    const { meeting, identity } = this.#terms;
    return `chain ${meeting} ${base64url(identity.publicKey)}`;
  }

  async #chain(name: string): Promise<Chain> {
    const kept = await this.#terms.shelf.get(name);
    return kept === null ? newChain(new Uint8Array(CHAT_KEY_ID_BYTES)) : chainFrom(kept);
  }
}

function newChain(run: Bytes): Chain {
  return { writer: random(WRITER_BYTES), run, next: 0, previous: NO_PREVIOUS, last: [] };
}

function isKeys(body: Bytes): boolean {
  const kind = itemHead(body)?.kind;
  return kind === 'ring' || kind === 'forward';
}

function isNews(one: OpenedItem): boolean {
  return 'isNews' in one && one.isNews;
}

/** @returns where the chain is before each of these items, and after all of them; null where they do not follow */
function follow(from: ChatHead, items: readonly ChatItem[], bodies: readonly Bytes[]): (() => ChatHead)[] | null {
  let { seq } = from;
  let hash = fromBase64url(from.hash);
  const heads = [() => from];
  for (const [i, item] of items.entries()) {
    if (item.seq !== seq + 1) return null;
    const bodyHash = fromBase64url(item.hash);
    const body = bodies[i]!;
    // Of one that was replaced only its author knew the body.
    if (item.replaced !== true && !equal(logBodyHash(body), bodyHash)) return null;
    hash = logNext(hash, item.seq, bodyHash);
    seq = item.seq;
    const next = hash;
    heads.push(() => ({ seq: item.seq, hash: base64url(next) }));
  }
  return heads;
}

function chainBytes({ writer, run, next, previous, last }: Chain): Bytes {
  const bytes = new Writer().fixed(writer).fixed(run).u32(next).fixed(previous).u8(last.length);
  for (const entry of last) bytes.opaque32(entry);
  return bytes.done();
}

function chainFrom(bytes: Bytes): Chain {
  const reader = new Reader(bytes);
  const [writer, run] = [reader.fixed(WRITER_BYTES), reader.fixed(CHAT_KEY_ID_BYTES)];
  const [next, previous] = [reader.u32(), reader.fixed(32)];
  const last = Array.from({ length: reader.u8() }, () => reader.opaque32());
  return { writer, run, next, previous, last };
}
