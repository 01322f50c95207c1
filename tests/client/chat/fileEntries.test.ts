/** Messages with files: who reads of them, and that their files leave the server with them. */
import { beforeEach, expect, test } from 'vitest';
import type { FileBody } from '../../../client/chat/bodies.ts';
import { FileError, type Files } from '../../../client/chat/files.ts';
import { Presenter, exportJson, exportText } from '../../../client/chat/present.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { OfflineError } from '../../../client/net/offline.ts';
import { accessOf, Device, Log, person, Time, type Person } from './world.ts';

let log: Log;
let time: Time;
let access: ReturnType<typeof accessOf>;
let [ada, ben, cy] = [] as unknown as [Person, Person, Person];
/** What the server still has, and what it answers to whoever deletes. */
let kept: Set<string>;
let answer: Error | null;

beforeEach(async () => {
  log = new Log();
  time = new Time();
  access = accessOf();
  [kept, answer] = [new Set(['one', 'two']), null];
  [ada, ben, cy] = [await person('Ada'), await person('Ben'), await person('Cy')];
});

/** Deletes, and nothing else. */
const unsafeFiles = {
  moved: () => undefined,
  delete: async (blob: string) => {
    if (answer !== null) throw answer;
    kept.delete(blob);
  },
} as unknown as Files;

const device = (who: Person, store = memoryChatStore()): Promise<Device> =>
  new Device({ person: who, log, time, access, random: () => 0.5, files: unsafeFiles, store }).start();
const settle = (): Promise<void> => time.pass(20_000);
const file = (blob: string): FileBody => ({
  blob: blob.padEnd(22, 'A'),
  key: 'A'.repeat(43),
  name: `canary ${blob}\u202e.txt`,
  type: 'text/plain',
  size: 5,
});
const say = (...blobs: string[]) => ({ is: 'say', text: '', files: blobs.map(file) }) as const;
const has = (blob: string): boolean => kept.has(blob.padEnd(22, 'A'));
const filesOf = ({ chat }: Device) => chat.thread.said.map(({ files }) => files.map(({ blob }) => blob.slice(0, 3)));

beforeEach(() => {
  kept = new Set([...kept].map((blob) => blob.padEnd(22, 'A')));
});

test('its reader reads of a file, and nobody beside; the log holds no name of one', async () => {
  const all = [await device(ada), await device(ben), await device(cy)];
  for (const one of all) {
    one.connect();
    one.chat.opened();
    await settle();
  }
  const [a, b, c] = all as [Device, Device, Device];
  await a.chat.write([say('one')]);
  await a.chat.write([say('two')], b.chat.self);
  await settle();
  expect(filesOf(b)).toEqual([['one'], ['two']]);
  expect(filesOf(c)).toEqual([['one']]);
  expect(all.flatMap(({ wire }) => wire).join('\n')).not.toContain('canary');
  // Shown and kept under a name that deceives nobody; and one that answers sees what it is called.
  const [shown] = new Presenter(b.chat).messages(false);
  expect(shown!.files).toEqual([{ name: 'canary one.txt', size: 5, type: 'text/plain', picture: null }]);
  expect(exportText([shown!], { timeOf: () => 'now', onlyTo: (name) => name, unnamed: 'Somebody' })).toBe(
    '[now] Ada\n  [canary one.txt]\n',
  );
  expect(exportJson([shown!])).toContain('"canary one.txt"');
  expect(exportJson([shown!])).not.toContain('A'.repeat(43));
});

test('what is erased takes its files along, once all others can know of it', async () => {
  const store = memoryChatStore();
  const a = await device(ada, store);
  a.connect();
  await a.chat.write([say('one', 'two')]);
  await settle();
  const id = a.chat.thread.said[0]!.id;
  a.disconnect();
  await a.chat.erase(id);
  await settle();
  // Nobody has heard of it yet.
  expect([has('one'), has('two')]).toEqual([true, true]);
  answer = new OfflineError();
  a.connect();
  await settle();
  expect([has('one'), has('two')]).toEqual([true, true]);
  // The page ends; the next one goes on with it.
  await a.chat.settled();
  a.kill();
  answer = null;
  const again = await device(ada, store);
  again.connect();
  await settle();
  expect([has('one'), has('two')]).toEqual([false, false]);
  expect(again.texts).toEqual(['(gone)']);
});

test('what the server refuses is not asked for ever', async () => {
  const a = await device(ada);
  a.connect();
  await a.chat.write([say('one')]);
  await a.chat.write([say('two')]);
  await settle();
  answer = new FileError('refused');
  for (const { id } of a.chat.thread.said.slice(0, 1)) await a.chat.erase(id);
  await settle();
  answer = null;
  await a.chat.erase(a.chat.thread.said[1]!.id);
  await settle();
  expect([has('one'), has('two')]).toEqual([true, false]);
});
