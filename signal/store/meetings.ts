/** Meetings in SQL: rows in, model out. */
import type { Kysely } from 'kysely';
import type { Signed, SignedTerms } from '../protocol/documents.ts';
import type { MeetingId } from '../protocol/ids.ts';
import { deleteBlobs } from './blobs.ts';
import { deleteChats } from './chat.ts';
import { jsonOf, signedFrom, type Tables } from './schema.ts';
import type { MeetingStore, StoredMeeting } from './store.ts';

export class SqlMeetings implements MeetingStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async create(meeting: MeetingId, terms: SignedTerms, now: number): Promise<'created' | 'same' | 'taken'> {
    const text = jsonOf(terms.record);
    const inserted = await this.#db
      .insertInto('meetings')
      .values({
        id: meeting,
        record: text,
        access: jsonOf(terms.access),
        generation: 0,
        host_state: null,
        host_state_version: -1,
        sequence: 0,
        ended: null,
        used_at: now,
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst();
    if (inserted) return 'created';
    const present = await this.#db.selectFrom('meetings').select('record').where('id', '=', meeting).executeTakeFirst();
    return present?.record === text ? 'same' : 'taken';
  }

  async find(meeting: MeetingId): Promise<StoredMeeting | null> {
    const row = await this.#db.selectFrom('meetings').selectAll().where('id', '=', meeting).executeTakeFirst();
    if (!row) return null;
    return {
      meeting,
      record: signedFrom(row.record),
      access: signedFrom(row.access),
      generation: row.generation,
      hostState:
        row.host_state === null ? null : { version: row.host_state_version, signed: signedFrom(row.host_state) },
      sequence: row.sequence,
      ended: row.ended === null ? null : signedFrom(row.ended),
      usedAt: row.used_at,
    };
  }

  async rotate(meeting: MeetingId, generation: number, terms: SignedTerms): Promise<boolean> {
    const taken = await this.#db
      .updateTable('meetings')
      .set({ record: jsonOf(terms.record), access: jsonOf(terms.access), generation })
      .where('id', '=', meeting)
      .where('generation', '=', generation - 1)
      .where('ended', 'is', null)
      .returning('id')
      .executeTakeFirst();
    return taken !== undefined;
  }

  async saveHostState(meeting: MeetingId, version: number, signed: Signed): Promise<boolean> {
    const taken = await this.#db
      .updateTable('meetings')
      .set({ host_state: jsonOf(signed), host_state_version: version })
      .where('id', '=', meeting)
      .where('host_state_version', '<', version)
      .returning('id')
      .executeTakeFirst();
    return taken !== undefined;
  }

  async takeSequence(meeting: MeetingId, sequence: number): Promise<boolean> {
    const taken = await this.#db
      .updateTable('meetings')
      .set({ sequence })
      .where('id', '=', meeting)
      .where('sequence', '<', sequence)
      .returning('id')
      .executeTakeFirst();
    return taken !== undefined;
  }

  async end(meeting: MeetingId, command: Signed): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await db
        .updateTable('meetings')
        .set({ ended: jsonOf(command) })
        .where('id', '=', meeting)
        .execute();
      await db.deleteFrom('commits').where('meeting', '=', meeting).execute();
      await db.deleteFrom('groups').where('meeting', '=', meeting).execute();
      await deleteChats(db, [meeting]);
      await deleteBlobs(db, [meeting]);
    });
  }

  async touch(meeting: MeetingId, now: number): Promise<void> {
    await this.#db.updateTable('meetings').set({ used_at: now }).where('id', '=', meeting).execute();
  }

  async sweep(before: number): Promise<number> {
    return this.#db.transaction().execute(async (db) => {
      const stale = db.selectFrom('meetings').select('id').where('used_at', '<', before);
      await db.deleteFrom('commits').where('meeting', 'in', stale).execute();
      await db.deleteFrom('groups').where('meeting', 'in', stale).execute();
      await deleteChats(db, stale);
      await deleteBlobs(db, stale);
      const { numDeletedRows } = await db.deleteFrom('meetings').where('used_at', '<', before).executeTakeFirst();
      return Number(numDeletedRows);
    });
  }
}
