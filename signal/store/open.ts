/**
 * Opens the embedded store: SQLite in one file, or in memory for tests.
 *
 * Write-ahead log, and every transaction reaches the disk before it counts (`synchronous = full`): a commit that members were
 * told of must not be forgotten by a server whose power failed, or it would order a second one for the same epoch.
 */
import Database from 'better-sqlite3';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, sql, SqliteDialect } from 'kysely';
import { SqlBlobs } from './blobs.ts';
import { SqlChat } from './chat.ts';
import { SqlGroups } from './groups.ts';
import { SqlMeetings } from './meetings.ts';
import { migrate } from './migrations.ts';
import type { Tables } from './schema.ts';
import type { Store } from './store.ts';

/** The data folder cannot be used; says which, and why. */
export class StoreError extends Error {}

/** @param dataDir made where it is missing. @throws StoreError in words for the person who runs the server */
export async function openStore(dataDir: string): Promise<Store> {
  try {
    mkdirSync(dataDir, { recursive: true });
    return await openDatabase(join(dataDir, 'parley.sqlite'));
  } catch (error) {
    throw new StoreError(explain(dataDir, error as NodeJS.ErrnoException), { cause: error });
  }
}

/** @param file `:memory:` for one that is gone with the process */
export async function openDatabase(file: string): Promise<Store> {
  const database = new Database(file);
  let db: Kysely<Tables> | undefined;
  try {
    database.pragma('journal_mode = wal');
    database.pragma('synchronous = full');
    // What somebody deletes is overwritten, not only forgotten: a thief of the disk finds what is there, and nothing from before.
    database.pragma('secure_delete = on');
    // Another process may be finishing: better a moment than an error.
    database.pragma('busy_timeout = 5000');
    db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
    await migrate(db);
    // A process before this one may have ended between a deletion and its scrubbing.
    await scrub(db);
  } catch (error) {
    database.close();
    throw error;
  }
  return storeOn(db);
}

function storeOn(db: Kysely<Tables>): Store {
  let closing: Promise<void> | undefined;
  return {
    meetings: new SqlMeetings(db),
    groups: new SqlGroups(db),
    chat: new SqlChat(db),
    blobs: new SqlBlobs(db),
    scrub: () => scrub(db),
    async ping() {
      await sql`select 1`.execute(db);
    },
    close: () => (closing ??= db.destroy()),
  };
}

/** The write-ahead log keeps pages as they were before a deletion, until it is emptied into the database (sqlite.org/pragma.html, wal_checkpoint). */
async function scrub(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
  return rows[0]?.busy !== 1;
}

function explain(dataDir: string, error: NodeJS.ErrnoException): string {
  const hint = 'Give the server a folder that it may write to, with PARLEY_DATA.';
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'SQLITE_READONLY':
    case 'SQLITE_READONLY_DIRECTORY':
    case 'SQLITE_CANTOPEN':
      return `The data folder ${dataDir} cannot be written to. ${hint}`;
    case 'EEXIST':
    case 'ENOTDIR':
    case 'ENOENT':
      return `${dataDir} cannot be a data folder: it, or a part of its path, is a file. ${hint}`;
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return `The database in ${dataDir} is damaged. Put a backup in its place, or choose another folder with PARLEY_DATA.`;
    default:
      return `The data folder ${dataDir} cannot be used: ${error.message}. ${hint}`;
  }
}
