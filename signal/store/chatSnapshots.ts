/** Snapshots of chats in SQL, within the transactions of chat.ts: at most one that is offered and one that is confirmed. */
import type { Kysely, Selectable, Transaction } from 'kysely';
import type { ChatHead, ChatSnapshot } from '../protocol/chat.ts';
import type { MeetingId } from '../protocol/ids.ts';
import type { Tables } from './schema.ts';
import type { NewPart, StoredSnapshots } from './store.ts';

export async function findSnapshots(db: Kysely<Tables>, meeting: MeetingId): Promise<StoredSnapshots> {
  const complete = db.selectFrom('chat_snapshots').selectAll().where('meeting', '=', meeting).where('complete', '=', 1);
  const rows = await complete.execute();
  const [confirmed, offered] = [1, 0].map((value) => rows.find((row) => row.confirmed === value));
  return { confirmed: confirmed ? snapshotFrom(confirmed) : null, offered: offered ? snapshotFrom(offered) : null };
}

export async function offer(
  db: Transaction<Tables>,
  meeting: MeetingId,
  { id, covers, parts, hash }: ChatSnapshot,
  now: number,
): Promise<boolean> {
  const coversAt = await coveredAt(db, meeting, covers);
  const present = db
    .selectFrom('chat_snapshots')
    .select('id')
    .where('meeting', '=', meeting)
    .where('confirmed', '=', 1);
  if (coversAt === null || (await present.executeTakeFirst())?.id === id) return false;
  await dropOffer(db, meeting);
  await db
    .insertInto('chat_snapshots')
    .values({
      meeting,
      id,
      covers_seq: covers.seq,
      covers_hash: covers.hash,
      covers_at: coversAt,
      parts,
      hash,
      bytes: 0,
      offered_at: now,
      complete: 0,
      confirmed: 0,
    })
    .execute();
  return true;
}

/** When the newest item up to there was taken; null: nothing of this log is there. What was cleared is not: a snapshot must not bring it back. */
async function coveredAt(db: Transaction<Tables>, meeting: MeetingId, { seq, hash }: ChatHead): Promise<number | null> {
  const item = await db
    .selectFrom('chat_items')
    .select('at')
    .where('meeting', '=', meeting)
    .where('seq', '=', seq)
    .where('chain', '=', hash)
    .executeTakeFirst();
  if (item) return item.at;
  const confirmed = await db
    .selectFrom('chat_snapshots')
    .select('covers_at')
    .where('meeting', '=', meeting)
    .where('confirmed', '=', 1)
    .where('covers_seq', '=', seq)
    .where('covers_hash', '=', hash)
    .executeTakeFirst();
  return confirmed?.covers_at ?? null;
}

export async function addPart(
  db: Transaction<Tables>,
  meeting: MeetingId,
  { snapshot, part, body, bytes, isLast }: NewPart,
): Promise<boolean> {
  const grown = await db
    .updateTable('chat_snapshots')
    .set((is) => ({ bytes: is('bytes', '+', bytes), complete: isLast ? 1 : 0 }))
    .where('meeting', '=', meeting)
    .where('id', '=', snapshot)
    .where('complete', '=', 0)
    .returning('id')
    .executeTakeFirst();
  if (!grown) return false;
  await db.insertInto('chat_parts').values({ meeting, snapshot, part, body }).execute();
  return true;
}

export async function findPart(
  db: Kysely<Tables>,
  meeting: MeetingId,
  snapshot: string,
  part: number,
): Promise<string | null> {
  const row = await db
    .selectFrom('chat_parts')
    .innerJoin('chat_snapshots', (join) =>
      join.onRef('chat_snapshots.meeting', '=', 'chat_parts.meeting').onRef('chat_snapshots.id', '=', 'snapshot'),
    )
    .select('body')
    .where('chat_parts.meeting', '=', meeting)
    .where('snapshot', '=', snapshot)
    .where('part', '=', part)
    .where('complete', '=', 1)
    .executeTakeFirst();
  return row?.body ?? null;
}

/** Drops the one that is not confirmed. @param covering  only if it covers this item */
export async function dropOffer(db: Transaction<Tables>, meeting: MeetingId, covering = 0): Promise<void> {
  const offered = db
    .selectFrom('chat_snapshots')
    .select('id')
    .where('meeting', '=', meeting)
    .where('confirmed', '=', 0)
    .where('covers_seq', '>=', covering);
  for (const { id } of await offered.execute()) await drop(db, meeting, id);
}

/** Drops those of nothing taken since, and those of nothing after an item. @returns what was freed of the log's used bytes; null if there was none */
export async function dropSnapshots(
  db: Transaction<Tables>,
  meeting: MeetingId,
  upTo: { before: number; seq: number },
): Promise<{ bytes: number } | null> {
  const all = await db.selectFrom('chat_snapshots').selectAll().where('meeting', '=', meeting).execute();
  const old = all.filter(({ covers_at: at, covers_seq: seq }) => at < upTo.before || seq <= upTo.seq);
  for (const { id } of old) await drop(db, meeting, id);
  const bytes = old.find(({ confirmed }) => confirmed === 1)?.bytes ?? 0;
  return old.length > 0 ? { bytes } : null;
}

/** @returns what it covers, and what is freed by letting go of the one before; null where it is not complete and offered */
export async function confirm(
  db: Transaction<Tables>,
  meeting: MeetingId,
  id: string,
): Promise<{ covers: ChatHead; freed: number } | null> {
  const rows = await db.selectFrom('chat_snapshots').selectAll().where('meeting', '=', meeting).execute();
  const offered = rows.find((row) => row.id === id && row.confirmed === 0 && row.complete === 1);
  if (!offered) return null;
  const before = rows.find(({ confirmed }) => confirmed === 1);
  if (before) await drop(db, meeting, before.id);
  await db
    .updateTable('chat_snapshots')
    .set({ confirmed: 1 })
    .where('meeting', '=', meeting)
    .where('id', '=', id)
    .execute();
  return { covers: snapshotFrom(offered).covers, freed: (before?.bytes ?? 0) - offered.bytes };
}

async function drop(db: Transaction<Tables>, meeting: MeetingId, id: string): Promise<void> {
  await db.deleteFrom('chat_parts').where('meeting', '=', meeting).where('snapshot', '=', id).execute();
  await db.deleteFrom('chat_snapshots').where('meeting', '=', meeting).where('id', '=', id).execute();
}

function snapshotFrom(row: Selectable<Tables['chat_snapshots']>): ChatSnapshot {
  const { id, parts, hash } = row;
  const covers = { seq: row.covers_seq, hash: row.covers_hash };
  return { id, covers, parts, hash, confirmed: row.confirmed === 1 };
}
