/**
 * The tables' history, oldest first. What was once released is never edited: a change is a new entry. Written in the subset
 * that SQLite and PostgreSQL share.
 */
import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Tables } from './schema.ts';

const first: Migration = {
  async up(db) {
    await db.schema
      .createTable('meetings')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('record', 'text', (column) => column.notNull())
      .addColumn('access', 'text', (column) => column.notNull())
      .addColumn('generation', 'bigint', (column) => column.notNull())
      .addColumn('host_state', 'text')
      .addColumn('host_state_version', 'bigint', (column) => column.notNull())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('ended', 'text')
      .addColumn('used_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('meetings_used_at').on('meetings').column('used_at').execute();
    await db.schema
      .createTable('groups')
      .addColumn('meeting', 'text', (column) => column.primaryKey())
      .addColumn('group_id', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('members', 'text', (column) => column.notNull())
      .addColumn('touched_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('commits')
      .addColumn('meeting', 'text', (column) => column.notNull())
      .addColumn('group_id', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('author', 'text', (column) => column.notNull())
      .addColumn('commit_text', 'text', (column) => column.notNull())
      // RFC 9420 §14: one commit per epoch wins. This constraint is what decides.
      .addPrimaryKeyConstraint('commits_order', ['meeting', 'group_id', 'epoch'])
      .execute();
  },
};

const chat: Migration = {
  async up(db) {
    await db.schema
      .createTable('chat_logs')
      .addColumn('meeting', 'text', (column) => column.primaryKey())
      .addColumn('base_seq', 'bigint', (column) => column.notNull())
      .addColumn('base_hash', 'text', (column) => column.notNull())
      .addColumn('deleted_seq', 'bigint', (column) => column.notNull())
      .addColumn('head_seq', 'bigint', (column) => column.notNull())
      .addColumn('head_hash', 'text', (column) => column.notNull())
      .addColumn('used', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('chat_items')
      .addColumn('meeting', 'text', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('chain', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('replaced', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('erase', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('chat_items_order', ['meeting', 'seq'])
      .addUniqueConstraint('chat_items_once', ['meeting', 'id'])
      .execute();
    await db.schema.createIndex('chat_items_at').on('chat_items').columns(['meeting', 'at']).execute();
    await db.schema
      .createTable('chat_snapshots')
      .addColumn('meeting', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('covers_seq', 'bigint', (column) => column.notNull())
      .addColumn('covers_hash', 'text', (column) => column.notNull())
      .addColumn('covers_at', 'bigint', (column) => column.notNull())
      .addColumn('parts', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('offered_at', 'bigint', (column) => column.notNull())
      .addColumn('complete', 'bigint', (column) => column.notNull())
      .addColumn('confirmed', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('chat_snapshots_id', ['meeting', 'id'])
      .addUniqueConstraint('chat_snapshots_one', ['meeting', 'confirmed'])
      .execute();
    await db.schema
      .createTable('chat_parts')
      .addColumn('meeting', 'text', (column) => column.notNull())
      .addColumn('snapshot', 'text', (column) => column.notNull())
      .addColumn('part', 'bigint', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('chat_parts_order', ['meeting', 'snapshot', 'part'])
      .execute();
  },
};

const blobs: Migration = {
  async up(db) {
    await db.schema
      .createTable('blobs')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('meeting', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('erase', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('complete', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('blobs_meeting').on('blobs').columns(['meeting', 'at']).execute();
    await db.schema.createIndex('blobs_at').on('blobs').column('at').execute();
  },
};

/** Names sort in the order in which they are applied. */
const migrations: Record<string, Migration> = {
  '0001 meetings, groups and commits': first,
  '0002 chat': chat,
  '0003 blobs': blobs,
};

/** Brings the tables up to date. @throws if one step fails; the steps before it stay */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
