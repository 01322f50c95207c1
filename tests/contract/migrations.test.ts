/** A database as an older server left it works with this one. Its tables are written down here as they were, not made by today's code. */
import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { openDatabase } from '../../signal/store/open.ts';

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const signed = { body: '{"a":1}', signature: 's'.repeat(86) };
const START = { seq: 0, hash: 'start' };

/** As of '0001 meetings, groups and commits'. */
const FIRST = `
  create table "kysely_migration" ("name" varchar(255) not null primary key, "timestamp" varchar(255) not null);
  create table "kysely_migration_lock" ("id" varchar(255) not null primary key, "is_locked" integer default 0 not null);
  create table "meetings" ("id" text primary key, "record" text not null, "access" text not null, "generation" bigint not null,
    "host_state" text, "host_state_version" bigint not null, "sequence" bigint not null, "ended" text, "used_at" bigint not null);
  create index "meetings_used_at" on "meetings" ("used_at");
  create table "groups" ("meeting" text primary key, "group_id" text not null, "epoch" bigint not null, "members" text not null,
    "touched_at" bigint not null);
  create table "commits" ("meeting" text not null, "group_id" text not null, "epoch" bigint not null, "author" text not null,
    "commit_text" text not null, constraint "commits_order" primary key ("meeting", "group_id", "epoch"));
  insert into "kysely_migration" values ('0001 meetings, groups and commits', '2026-01-01T00:00:00.000Z');
  insert into "kysely_migration_lock" values ('migration_lock', 0);
  insert into "meetings" values ('${meeting}', '${JSON.stringify(signed)}', '${JSON.stringify(signed)}', 3, null, -1, 7, null, 1000);
  insert into "groups" values ('${meeting}', '${'g'.repeat(43)}', 1, '[{"peer":"${'a'.repeat(22)}","leaf":0}]', 1000);
  insert into "commits" values ('${meeting}', '${'g'.repeat(43)}', 0, '${'a'.repeat(22)}', 'AAAA');
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-migrations-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a database from before there was a chat has all that it had, and takes chats', async () => {
  const file = join(folder, 'first.sqlite');
  const old = new Database(file);
  old.exec(FIRST);
  old.close();
  // The second time there is nothing left to do.
  for (const seq of [1, 2]) {
    const store = await openDatabase(file);
    expect(await store.meetings.find(meeting)).toMatchObject({
      record: signed,
      generation: 3,
      sequence: 7,
      usedAt: 1000,
    });
    const groupId = 'g'.repeat(43) as GroupId;
    expect(await store.groups.find(meeting)).toMatchObject({ id: groupId, epoch: 1 });
    expect(await store.groups.log(meeting, groupId, 0 as never, 9)).toMatchObject([{ by: 'a'.repeat(22) as PeerId }]);
    const head = (await store.chat.find(meeting))?.head ?? START;
    const item = { id: `id ${seq}`, at: 1, hash: 'h', chain: `chain ${seq}`, body: 'abcd', bytes: 3, erase: 'e' };
    expect(await store.chat.append(meeting, head, item)).toEqual({ at: 'added' });
    expect(await store.chat.find(meeting)).toMatchObject({ head: { seq }, used: 3 * seq });
    await store.close();
  }
});
