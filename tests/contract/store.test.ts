import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { openDatabase, openStore, StoreError } from '../../signal/store/open.ts';
import { blobStoreContract } from './blobStore.contract.ts';
import { chatStoreContract } from './chatStore.contract.ts';
import { storeContract } from './store.contract.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-store-'));
});
afterAll(() => rm(folder, { recursive: true }));

for (const contract of [storeContract, chatStoreContract, blobStoreContract]) {
  contract('SQLite in memory', () => openDatabase(':memory:'));
  contract('SQLite on disk', () => openStore(join(folder, `contract-${count++}`)));
}

describe('a store on disk', () => {
  const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
  const record = { body: '{"a":1}', signature: 's'.repeat(86) };

  test('is the same after it was closed and opened', async () => {
    const data = join(folder, 'deep', 'again');
    const before = await openStore(data);
    await before.meetings.create(meeting, { record, access: record }, 1);
    await before.close();
    const after = await openStore(data);
    expect((await after.meetings.find(meeting))!.record).toEqual(record);
    await after.close();
  });

  test('says in words that the data folder is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(openStore(join(folder, 'file'))).rejects.toThrow(/cannot be a data folder.*PARLEY_DATA/);
    await expect(openStore(join(folder, 'file', 'below'))).rejects.toThrow(StoreError);
  });

  test('says in words that the database is damaged', async () => {
    const data = join(folder, 'damaged');
    await (await openStore(data)).close();
    await writeFile(join(data, 'parley.sqlite'), 'not a database, whatever its name says'.repeat(100));
    await expect(openStore(data)).rejects.toThrow(/is damaged/);
  });
});
