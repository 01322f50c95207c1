/** Whose blobs there are, in SQL. A blob without a row is nobody's, and goes. */
import type { Expression, Kysely, Transaction } from 'kysely';
import type { MeetingId } from '../protocol/ids.ts';
import { MeetingId as MeetingIdText } from '../protocol/ids.ts';
import type { Tables } from './schema.ts';
import type { BlobStore, NewBlob, StoredBlob } from './store.ts';

export class SqlBlobs implements BlobStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  begin(meeting: MeetingId, blob: NewBlob, most: { bytes: number; count: number }): Promise<'begun' | 'full' | 'gone'> {
    return this.#db.transaction().execute(async (db) => {
      const alive = db.selectFrom('meetings').select('id').where('id', '=', meeting).where('ended', 'is', null);
      if (!(await alive.executeTakeFirst())) return 'gone';
      const { used, count } = await db
        .selectFrom('blobs')
        .select((is) => [is.fn.sum<number | null>('bytes').as('used'), is.fn.countAll<number>().as('count')])
        .where('meeting', '=', meeting)
        .executeTakeFirstOrThrow();
      if ((used ?? 0) + blob.bytes > most.bytes || count >= most.count) return 'full';
      await db
        .insertInto('blobs')
        .values({ meeting, complete: 0, ...blob })
        .execute();
      return 'begun';
    });
  }

  async find(meeting: MeetingId, id: string): Promise<StoredBlob | null> {
    const row = await this.#db
      .selectFrom('blobs')
      .select(['bytes', 'erase', 'complete'])
      .where('id', '=', id)
      .where('meeting', '=', meeting)
      .executeTakeFirst();
    return row ? { bytes: row.bytes, erase: row.erase, isWhole: row.complete === 1 } : null;
  }

  async finish(id: string, at: number): Promise<void> {
    await this.#db.updateTable('blobs').set({ complete: 1, at }).where('id', '=', id).execute();
  }

  async delete(ids: readonly string[]): Promise<void> {
    await this.#db.deleteFrom('blobs').where('id', 'in', ids).execute();
  }

  async drop(meeting: MeetingId, before: number): Promise<string[]> {
    const rows = await this.#db
      .deleteFrom('blobs')
      .where('meeting', '=', meeting)
      .where('at', '<', before)
      .returning('id')
      .execute();
    return rows.map(({ id }) => id);
  }

  async olderThan(before: number): Promise<MeetingId[]> {
    const rows = await this.#db.selectFrom('blobs').select('meeting').distinct().where('at', '<', before).execute();
    return rows.map(({ meeting }) => MeetingIdText.parse(meeting));
  }

  async known(ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.#db.selectFrom('blobs').select('id').where('id', 'in', ids).execute();
    return new Set(rows.map(({ id }) => id));
  }
}

/** Rows alone: what lies in the folder is found without them, and goes. */
export async function deleteBlobs(
  db: Transaction<Tables>,
  meetings: readonly string[] | Expression<{ id: string }>,
): Promise<void> {
  await db
    .deleteFrom('blobs')
    .where('meeting', 'in', meetings as readonly string[])
    .execute();
}
