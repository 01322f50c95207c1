/** Groups and the order of their commits in SQL. */
import type { Kysely } from 'kysely';
import { Epoch, GroupId, PeerId, type MeetingId } from '../protocol/ids.ts';
import type { OrderedCommit } from '../protocol/model.ts';
import { jsonOf, membersFrom, type Tables } from './schema.ts';
import type { GroupStore, NewCommit, StoredGroup, StoredMember } from './store.ts';

/** Whoever missed more than these is added anew. At 4 a second (the gap between epochs) they are two minutes and more. */
const KEPT_COMMITS = 512;

export class SqlGroups implements GroupStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async find(meeting: MeetingId): Promise<StoredGroup | null> {
    const row = await this.#db.selectFrom('groups').selectAll().where('meeting', '=', meeting).executeTakeFirst();
    if (!row) return null;
    return { id: GroupId.parse(row.group_id), epoch: Epoch.parse(row.epoch), members: membersFrom(row.members) };
  }

  async create(meeting: MeetingId, group: StoredGroup, now: number): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await db.deleteFrom('commits').where('meeting', '=', meeting).execute();
      await db.deleteFrom('groups').where('meeting', '=', meeting).execute();
      await db
        .insertInto('groups')
        .values({
          meeting,
          group_id: group.id,
          epoch: group.epoch,
          members: jsonOf(group.members),
          touched_at: now,
        })
        .execute();
    });
  }

  async append(commit: NewCommit, now: number): Promise<boolean> {
    return this.#db.transaction().execute(async (db) => {
      const inserted = await db
        .insertInto('commits')
        .values({
          meeting: commit.meeting,
          group_id: commit.groupId,
          epoch: commit.epoch,
          author: commit.by,
          commit_text: commit.commit,
        })
        .onConflict((conflict) => conflict.columns(['meeting', 'group_id', 'epoch']).doNothing())
        .returning('epoch')
        .executeTakeFirst();
      if (!inserted) return false;
      await db
        .deleteFrom('commits')
        .where('meeting', '=', commit.meeting)
        .where('group_id', '=', commit.groupId)
        .where('epoch', '<=', commit.epoch - KEPT_COMMITS)
        .execute();
      await db
        .updateTable('groups')
        .set({ epoch: commit.epoch + 1, members: jsonOf(commit.members), touched_at: now })
        .where('meeting', '=', commit.meeting)
        .where('group_id', '=', commit.groupId)
        .execute();
      return true;
    });
  }

  async reopen(meeting: MeetingId, groupId: GroupId, epoch: Epoch, members: readonly StoredMember[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await db
        .deleteFrom('commits')
        .where('meeting', '=', meeting)
        .where('group_id', '=', groupId)
        .where('epoch', '=', epoch)
        .execute();
      await db
        .updateTable('groups')
        .set({ epoch, members: jsonOf(members) })
        .where('meeting', '=', meeting)
        .where('group_id', '=', groupId)
        .execute();
    });
  }

  async log(meeting: MeetingId, groupId: GroupId, epoch: Epoch, limit: number): Promise<OrderedCommit[]> {
    const rows = await this.#db
      .selectFrom('commits')
      .selectAll()
      .where('meeting', '=', meeting)
      .where('group_id', '=', groupId)
      .where('epoch', '>=', epoch)
      .orderBy('epoch')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      groupId,
      epoch: Epoch.parse(row.epoch),
      by: PeerId.parse(row.author),
      commit: row.commit_text,
    }));
  }

  async drop(meeting: MeetingId, groupId: GroupId): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await db.deleteFrom('commits').where('meeting', '=', meeting).where('group_id', '=', groupId).execute();
      await db.deleteFrom('groups').where('meeting', '=', meeting).where('group_id', '=', groupId).execute();
    });
  }

  async sweep(before: number, except: ReadonlySet<MeetingId>): Promise<number> {
    const old = await this.#db
      .selectFrom('groups')
      .select(['meeting', 'group_id'])
      .where('touched_at', '<', before)
      .execute();
    const stale = old.filter(({ meeting }) => !except.has(meeting as MeetingId));
    for (const row of stale) await this.drop(row.meeting as MeetingId, row.group_id as GroupId);
    return stale.length;
  }
}
