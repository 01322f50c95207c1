/**
 * A chat's log as eight people have filled it: sealed and signed by the product's own worker code, laid into the server's database.
 *
 * Past the socket, because that has a person's pace; what lies there is what would have come over it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { ChatDocument } from '../../client/chat/document.ts';
import { checkRecord, deriveAccess, type Access } from '../../client/e2ee/access.ts';
import { ChatKeeper } from '../../client/e2ee/chat/keeper.ts';
import { ChatKeys } from '../../client/e2ee/chat/keys.ts';
import { ChatShelf } from '../../client/e2ee/chat/shelf.ts';
import { memoryChatStore } from '../../client/e2ee/chat/store.ts';
import { fromBase64url } from '../../crypto/bytes.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { signKeyPair } from '../../crypto/primitives.ts';
import { firstHead, nextHead, sizeOf } from '../../signal/chat/chain.ts';
import type { ChatHead, ChatItem } from '../../signal/protocol/chat.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { AT_A_TIME, AUTHORS, authorOf, textOf as regularText } from './plainChat.ts';

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

/** Bodies of items, oldest first: the ring, and one item for each message, as where people write one at a time. */
const FOR_ALL = { to: null, card: JSON.stringify({ is: 'card' }) };

async function itemsOf(access: Access, count: number, textOf: (index: number) => string) {
  const keepers = await Promise.all(Array.from({ length: AUTHORS }, () => keeperOf(access)));
  let update: Bytes = new Uint8Array();
  const document = new ChatDocument({
    added: () => undefined,
    removed: () => undefined,
    updated: (made) => (update = made),
  });
  const clients = Array.from({ length: AUTHORS }, (_, author) => document.doc.clientID + author);
  const bodies: string[] = [];
  const start = Date.now() - count * 1000;
  for (let index = 0; index < count; index++) {
    const author = authorOf(index);
    const keeper = keepers[author]!;
    const text = {
      is: 'say',
      text: textOf(index),
      ...(index < AUTHORS * AT_A_TIME ? { name: `Person ${author}` } : {}),
    };
    const { written } = await keeper.write({ at: start + index * 1000, bodies: [JSON.stringify(text)], ...FOR_ALL });
    document.doc.clientID = clients[author]!;
    document.add(written.map(({ bytes }) => bytes));
    const { keys, items } = await keeper.seal({ update });
    for (const ring of keys) {
      const item: ChatItem = { seq: 1, at: 0, hash: hashOf(fromBase64url(ring.body)), body: ring.body };
      // Whoever told it reads it, too: else it tells it again.
      await Promise.all(keepers.map((one) => one.items({ head: null, items: [item] })));
      bodies.push(ring.body);
    }
    bodies.push(...items.map(({ body }) => body));
  }
  return { bodies, document, maker: keepers[0]! };
}

/** As a member's browser makes one that has read all of it. */
async function snapshotOf(maker: ChatKeeper, document: ChatDocument, covers: ChatHead) {
  await maker.read({ entries: document.entries });
  // Once keys are told there are none left to tell.
  const { packed } = await maker.pack({ covers, unread: [], ...document.outline() });
  if (packed === null) throw new Error('no snapshot');
  return { ...packed, bytes: packed.parts.reduce((sum, part) => sum + sizeOf(part), 0) };
}

async function keeperOf(access: Access): Promise<ChatKeeper> {
  const shelf = new ChatShelf(memoryChatStore(), memoryChatStore);
  const shared = {
    meeting: access.meeting,
    shelf,
    alone: <T>(_name: string, act: () => Promise<T>) => act(),
    hold: async () => () => undefined,
    now: Date.now,
  };
  const keys = new ChatKeys({
    ...shared,
    access: () => access,
    newcomers: () => ({ see: 'all' }),
    changed: () => undefined,
  });
  const terms = () => ({ newcomers: { see: 'all' as const }, keepDays: 30 });
  const word = { hear: async () => 'forged' as const, decided: () => null, terms };
  return new ChatKeeper({ ...shared, access: () => access, keys, word, identity: await signKeyPair(), host: false });
}

/** What a chat came to, in bytes. */
export interface Filled {
  /** Bodies of all items, as the server counts them. */
  readonly bodies: number;
  /** By which the database grew on the disk. */
  readonly database: number;
  /** Of the same as a snapshot, and of its parts in the database: base64url. */
  readonly snapshot: number;
  readonly stored: number;
  /** Lets newcomers find the snapshot in the place of the log, or the log again. */
  show(what: 'snapshot' | 'log'): void;
}

/** @param dataDir of a server that runs, and has this meeting @param secret of its link; it has no password */
export async function fillLog(
  dataDir: string,
  { meeting, secret }: { meeting: MeetingId; secret: string },
  count: number,
  textOf = regularText,
): Promise<Filled> {
  const path = join(dataDir, 'parley.sqlite');
  const database = new Database(path);
  try {
    const row = database.prepare('select record from meetings where id = ?').get(meeting) as { record: string };
    const checked = await checkRecord(meeting, JSON.parse(row.record) as never);
    const access = await deriveAccess(meeting, checked, { secret: fromBase64url(secret), stretched: null });
    const { bodies, document, maker } = await itemsOf(access, count, textOf);
    const before = sizeOnDisk(database);
    const used = bodies.reduce((sum, body) => sum + sizeOf(body), 0);
    const first = firstHead(meeting);
    let head = first;
    database.transaction(() => {
      const insert = database.prepare(
        'insert into chat_items (meeting, seq, id, at, hash, chain, body, bytes, erase) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      );
      for (const body of bodies) {
        const hash = hashOf(Buffer.from(body, 'base64url'));
        head = nextHead(head, hash);
        const [id, erase] = [randomBytes(16), randomBytes(32)].map((bytes) => bytes.toString('base64url'));
        insert.run(meeting, head.seq, id, Date.now(), hash, head.hash, body, sizeOf(body), erase);
      }
      database
        .prepare(
          'insert into chat_logs (meeting, base_seq, base_hash, deleted_seq, head_seq, head_hash, used) values (?, ?, ?, 0, ?, ?, ?)',
        )
        .run(meeting, first.seq, first.hash, head.seq, head.hash, used);
    })();
    const grown = sizeOnDisk(database) - before;
    const { id, hash, parts, bytes } = await snapshotOf(maker, document, head);
    database.transaction(() => {
      const now = Date.now();
      database
        .prepare(
          'insert into chat_snapshots (meeting, id, covers_seq, covers_hash, covers_at, parts, hash, bytes, offered_at, complete, confirmed) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)',
        )
        .run(meeting, id, head.seq, head.hash, now, parts.length, hash, bytes, now);
      const insert = database.prepare('insert into chat_parts (meeting, snapshot, part, body) values (?, ?, ?, ?)');
      for (const [part, body] of parts.entries()) insert.run(meeting, id, part, body);
    })();
    return {
      bodies: used,
      database: grown,
      snapshot: bytes,
      stored: parts.reduce((sum, part) => sum + part.length, 0),
      show: (what) =>
        show(path, meeting, what === 'snapshot' ? { isConfirmed: 1, base: head } : { isConfirmed: 0, base: first }),
    };
  } finally {
    database.close();
  }
}

function show(path: string, meeting: MeetingId, { isConfirmed, base }: { isConfirmed: 0 | 1; base: ChatHead }): void {
  const database = new Database(path);
  database.transaction(() => {
    database
      .prepare('update chat_snapshots set complete = ?, confirmed = ? where meeting = ?')
      .run(isConfirmed, isConfirmed, meeting);
    database
      .prepare('update chat_logs set base_seq = ?, base_hash = ? where meeting = ?')
      .run(base.seq, base.hash, meeting);
  })();
  database.close();
}

function sizeOnDisk(database: Database.Database): number {
  const pages = database.pragma('page_count', { simple: true }) as number;
  return pages * (database.pragma('page_size', { simple: true }) as number);
}
