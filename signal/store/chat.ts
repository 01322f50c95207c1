/** Chats in SQL: the log of items and where it begins and ends. Snapshots of it are in chatSnapshots.ts. */
import type { Expression, Kysely, Transaction } from 'kysely';
import type { ChatHead, ChatItem, ChatSnapshot } from '../protocol/chat.ts';
import { MeetingId } from '../protocol/ids.ts';
import { addPart, confirm, dropOffer, dropSnapshots, findPart, findSnapshots, offer } from './chatSnapshots.ts';
import type { Tables } from './schema.ts';
import type { Appended, ChatStore, Erasable, Erasure, NewItem, NewPart, StoredChat, StoredSnapshots } from './store.ts';

export class SqlChat implements ChatStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  find(meeting: MeetingId): Promise<StoredChat | null> {
    return findLog(this.#db, meeting);
  }

  async findItem(meeting: MeetingId, id: string): Promise<{ seq: number; at: number } | null> {
    return (await findItem(this.#db, meeting, id)) ?? null;
  }

  append(meeting: MeetingId, previous: ChatHead, item: NewItem): Promise<Appended> {
    return this.#db.transaction().execute(async (db): Promise<Appended> => {
      const known = await findItem(db, meeting, item.id);
      if (known) return { at: 'known', item: known };
      const alive = db.selectFrom('meetings').select('id').where('id', '=', meeting).where('ended', 'is', null);
      if (!(await alive.executeTakeFirst())) return { at: 'gone' };
      if (previous.seq === 0) await begin(db, meeting, previous);
      const seq = previous.seq + 1;
      const moved = await db
        .updateTable('chat_logs')
        .set((is) => ({ head_seq: seq, head_hash: item.chain, used: is('used', '+', item.bytes) }))
        .where('meeting', '=', meeting)
        .where('head_seq', '=', previous.seq)
        .where('head_hash', '=', previous.hash)
        .returning('head_seq')
        .executeTakeFirst();
      if (!moved) return { at: 'stale' };
      await db
        .insertInto('chat_items')
        .values({ meeting, seq, replaced: 0, ...item })
        .execute();
      return { at: 'added' };
    });
  }

  page(meeting: MeetingId, after: number, most: { items: number; bytes: number }): Promise<ChatItem[]> {
    return this.#db.transaction().execute(async (db) => {
      const items = db.selectFrom('chat_items').where('meeting', '=', meeting).where('seq', '>', after).orderBy('seq');
      const sizes = await items.select(['seq', 'bytes']).limit(most.items).execute();
      let total = 0;
      let last = after;
      for (const { seq, bytes } of sizes) {
        total += bytes;
        if (total > most.bytes && last !== after) break;
        last = seq;
      }
      const rows = await items.select(['seq', 'at', 'hash', 'body', 'replaced']).where('seq', '<=', last).execute();
      return rows.map(({ replaced, ...item }) => (replaced === 1 ? { ...item, replaced: true as const } : item));
    });
  }

  async erasable(meeting: MeetingId, seqs: readonly number[]): Promise<Map<number, Erasable>> {
    const rows = await this.#db
      .selectFrom('chat_items')
      .select(['seq', 'erase', 'bytes', 'replaced'])
      .where('meeting', '=', meeting)
      .where('seq', 'in', seqs)
      .execute();
    return new Map(rows.map(({ seq, erase, bytes, replaced }) => [seq, { erase, bytes, isReplaced: replaced === 1 }]));
  }

  erase(meeting: MeetingId, items: readonly Erasure[]): Promise<number[]> {
    return this.#db.transaction().execute(async (db) => {
      const rows = await db
        .selectFrom('chat_items')
        .select(['seq', 'bytes'])
        .where('meeting', '=', meeting)
        .where('replaced', '=', 0)
        .where(
          'seq',
          'in',
          items.map(({ seq }) => seq),
        )
        .orderBy('seq')
        .execute();
      const first = rows[0];
      if (!first) return [];
      const there = new Map(items.map((item) => [item.seq, item]));
      let freed = 0;
      for (const { seq, bytes: before } of rows) {
        const { body, bytes } = there.get(seq)!;
        freed += before - bytes;
        const set = { body, bytes, replaced: 1 };
        await db.updateTable('chat_items').set(set).where('meeting', '=', meeting).where('seq', '=', seq).execute();
      }
      await free(db, meeting, freed);
      await dropOffer(db, meeting, first.seq);
      return rows.map(({ seq }) => seq);
    });
  }

  clear(meeting: MeetingId, upTo: ChatHead | null = null): Promise<ChatHead | null> {
    return this.#db.transaction().execute(async (db) => {
      const log = await findLog(db, meeting);
      if (!log) return null;
      const to = upTo ?? log.head;
      if (to.seq <= log.deleted || !(await isOfLog(db, meeting, log, to))) return null;
      const freed = await dropSnapshots(db, meeting, { before: -Infinity, seq: to.seq });
      if (freed) await free(db, meeting, freed.bytes);
      // It may hold what was before.
      await dropOffer(db, meeting);
      await moveBase(db, meeting, to);
      await db.updateTable('chat_logs').set({ deleted_seq: to.seq }).where('meeting', '=', meeting).execute();
      return to;
    });
  }

  dropBefore(meeting: MeetingId, before: number): Promise<ChatHead | null> {
    return this.#db.transaction().execute(async (db) => {
      const log = await findLog(db, meeting);
      if (!log) return null;
      // By number, not by time: where the clock was set back, what lies between goes with it.
      const last = await db
        .selectFrom('chat_items')
        .select(['seq', 'chain'])
        .where('meeting', '=', meeting)
        .where('at', '<', before)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      const freed = await dropSnapshots(db, meeting, { before, seq: last?.seq ?? 0 });
      if (!last && !freed) return null;
      if (freed) await free(db, meeting, freed.bytes);
      const base = last ? { seq: last.seq, hash: last.chain } : log.base;
      if (last) {
        await dropOffer(db, meeting);
        await moveBase(db, meeting, base);
      }
      await db.updateTable('chat_logs').set({ deleted_seq: base.seq }).where('meeting', '=', meeting).execute();
      return base;
    });
  }

  async olderThan(before: number): Promise<MeetingId[]> {
    const rows = await this.#db
      .selectFrom('chat_items')
      .select('meeting')
      .where('at', '<', before)
      .union(this.#db.selectFrom('chat_snapshots').select('meeting').where('covers_at', '<', before))
      .execute();
    return rows.map(({ meeting }) => MeetingId.parse(meeting));
  }

  snapshots(meeting: MeetingId): Promise<StoredSnapshots> {
    return findSnapshots(this.#db, meeting);
  }

  offer(meeting: MeetingId, snapshot: ChatSnapshot, now: number): Promise<boolean> {
    return this.#db.transaction().execute((db) => offer(db, meeting, snapshot, now));
  }

  addPart(meeting: MeetingId, part: NewPart): Promise<boolean> {
    return this.#db.transaction().execute((db) => addPart(db, meeting, part));
  }

  part(meeting: MeetingId, snapshot: string, part: number): Promise<string | null> {
    return findPart(this.#db, meeting, snapshot, part);
  }

  dropOffer(meeting: MeetingId): Promise<void> {
    return this.#db.transaction().execute((db) => dropOffer(db, meeting));
  }

  confirm(meeting: MeetingId, snapshot: string): Promise<boolean> {
    return this.#db.transaction().execute(async (db) => {
      const confirmed = await confirm(db, meeting, snapshot);
      if (!confirmed) return false;
      await free(db, meeting, confirmed.freed);
      await moveBase(db, meeting, confirmed.covers);
      return true;
    });
  }

  async dropOffers(before: number): Promise<void> {
    const rows = await this.#db
      .selectFrom('chat_snapshots')
      .select('meeting')
      .where('confirmed', '=', 0)
      .where('offered_at', '<', before)
      .execute();
    for (const { meeting } of rows) await this.dropOffer(meeting as MeetingId);
  }
}

/** With all that is theirs. */
export async function deleteChats(
  db: Transaction<Tables>,
  meetings: readonly string[] | Expression<{ id: string }>,
): Promise<void> {
  for (const table of ['chat_parts', 'chat_snapshots', 'chat_items', 'chat_logs'] as const) {
    await db
      .deleteFrom(table)
      .where('meeting', 'in', meetings as readonly string[])
      .execute();
  }
}

async function begin(db: Transaction<Tables>, meeting: MeetingId, { seq, hash }: ChatHead): Promise<void> {
  await db
    .insertInto('chat_logs')
    .values({ meeting, base_seq: seq, base_hash: hash, deleted_seq: 0, head_seq: seq, head_hash: hash, used: 0 })
    .onConflict((conflict) => conflict.column('meeting').doNothing())
    .execute();
}

async function findLog(db: Kysely<Tables>, meeting: MeetingId): Promise<StoredChat | null> {
  const row = await db.selectFrom('chat_logs').selectAll().where('meeting', '=', meeting).executeTakeFirst();
  if (!row) return null;
  return {
    base: { seq: row.base_seq, hash: row.base_hash },
    deleted: row.deleted_seq,
    head: { seq: row.head_seq, hash: row.head_hash },
    used: row.used,
  };
}

/** Whether the log goes through there, at its base or after it. */
async function isOfLog(db: Transaction<Tables>, meeting: MeetingId, log: StoredChat, at: ChatHead): Promise<boolean> {
  const { base } = log;
  if (at.seq === base.seq) return at.hash === base.hash;
  const item = db.selectFrom('chat_items').select('seq').where('meeting', '=', meeting).where('seq', '=', at.seq);
  return (await item.where('chain', '=', at.hash).executeTakeFirst()) !== undefined;
}

function findItem(db: Kysely<Tables>, meeting: MeetingId, id: string) {
  const items = db.selectFrom('chat_items').select(['seq', 'at']);
  return items.where('meeting', '=', meeting).where('id', '=', id).executeTakeFirst();
}

/** Drops all items up to `base`, from where the log goes on. */
async function moveBase(db: Transaction<Tables>, meeting: MeetingId, base: ChatHead): Promise<void> {
  const dropped = await db
    .deleteFrom('chat_items')
    .where('meeting', '=', meeting)
    .where('seq', '<=', base.seq)
    .returning('bytes')
    .execute();
  await db
    .updateTable('chat_logs')
    .set({ base_seq: base.seq, base_hash: base.hash })
    .where('meeting', '=', meeting)
    .execute();
  await free(db, meeting, sum(dropped));
}

/** @param bytes  negative: so many more are used */
async function free(db: Transaction<Tables>, meeting: MeetingId, bytes: number): Promise<void> {
  await db
    .updateTable('chat_logs')
    .set((is) => ({ used: is('used', '-', bytes) }))
    .where('meeting', '=', meeting)
    .execute();
}

function sum(rows: readonly { bytes: number }[]): number {
  return rows.reduce((total, { bytes }) => total + bytes, 0);
}
