/** The chat in real browsers: opened by link and password without joining, written apart, and read by nobody else. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CutLine } from '../support/cutLine.ts';
import { type Name, Person, until } from '../support/person.ts';
import { clientFolder } from '../support/servedApp.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';

const PASSWORD = 'correct horse battery';

interface Writer {
  readonly person: Person;
  readonly line: CutLine;
}

let app: StartedApp;
let writers: Writer[] = [];

beforeAll(async () => {
  app = await startApp({ PARLEY_CLIENT: clientFolder() });
});
afterEach(async () => {
  await Promise.all(writers.map(({ person }) => person.close()));
  writers = [];
});
afterAll(() => app?.close());

/** In the lobby, with the chat open: nobody joins. */
async function writer(name: Name, link: string | null): Promise<Writer & { link: string }> {
  const person = await Person.create(name, app.url, { noDevices: true });
  const line = await CutLine.of(person.context);
  writers.push({ person, line });
  // Sockets of a page that is there already are not routed.
  person.page = await person.context.newPage();
  if (link === null) await person.createMeeting(app.url, { title: 'canary title', password: PASSWORD });
  else {
    await person.open(link);
    await person.enterPassword(PASSWORD);
  }
  await person.by('lobby-name').fill(name);
  await person.by('lobby-chat').click();
  await person.shows('chat-input');
  return { person, line, link: person.page.url() };
}

async function write(person: Person, text: string): Promise<void> {
  await person.by('chat-input').fill(text);
  await person.by('chat-input').press('Enter');
  await sees(person, text);
}

const texts = (person: Person): Promise<string[]> => person.by('chat-text').allInnerTexts();

async function sees(person: Person, text: string): Promise<void> {
  await until(
    async () => (await texts(person)).includes(text),
    async () => `${person.name} reads “${text}”; instead ${JSON.stringify(await texts(person))}`,
  );
}

/** Everything that the server keeps, as text. */
async function disk(): Promise<string> {
  const files = await readdir(app.dataDir, { recursive: true, withFileTypes: true });
  const all = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1'));
  return (await Promise.all(all)).join('\n');
}

/** All that this browser keeps of its chats, as its own key opens it. */
function kept({ page }: Person): Promise<string> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error('not read'));
      });
    interface Sealed {
      iv: Uint8Array<ArrayBuffer>;
      sealed: ArrayBuffer;
    }
    const database = await done(indexedDB.open('parley chat'));
    const tables = database.transaction(['values', 'lists']);
    const values = tables.objectStore('values');
    const [names, records, lists, key] = await Promise.all([
      done(values.getAllKeys()),
      done(values.getAll() as IDBRequest<(Sealed | CryptoKey)[]>),
      done(tables.objectStore('lists').getAll() as IDBRequest<{ name: string; record: Sealed }[]>),
      done(values.get('key') as IDBRequest<CryptoKey>),
    ]);
    database.close();
    const sealed = records.flatMap((record, i) =>
      'iv' in record ? [{ name: String(names[i]).slice('value '.length), record }] : [],
    );
    const opened = await Promise.all(
      [...sealed, ...lists].map(({ name, record }) => {
        const additionalData = new TextEncoder().encode(`parley chat at rest 1\n${name}`);
        return crypto.subtle.decrypt({ name: 'AES-GCM', iv: record.iv, additionalData }, key, record.sealed);
      }),
    );
    return opened.map((bytes) => new TextDecoder('latin1').decode(bytes)).join('\n');
  });
}

test('two write while they are offline from each other, one edits, one deletes, two write to each other alone: all show the same, the third and the server have read nothing', async () => {
  const anna = await writer('Anna', null);
  const ben = await writer('Ben', anna.link);
  const carla = await writer('Carla', anna.link);
  await write(anna.person, 'canary before');
  for (const { person } of [ben, carla]) await sees(person, 'canary before');

  await Promise.all([anna.line.cut(), ben.line.cut()]);
  await write(anna.person, 'canary of Anna, offline');
  await write(ben.person, 'canary of Ben, offline');
  // Anna thinks better of what all have read; Ben of what nobody has.
  await anna.person.by('chat-message').first().hover();
  await anna.person.by('chat-message').first().getByTestId('chat-more').click();
  await anna.person.by('chat-delete').click();
  await anna.person.by('confirm-action').click();
  await ben.person.by('chat-input').press('ArrowUp');
  await ben.person.by('chat-input').fill('canary of Ben, edited offline');
  await ben.person.by('chat-input').press('Enter');
  await sees(ben.person, 'canary of Ben, edited offline');
  // A reload of a page without a way to the server is another test's; what was written is on this browser's disk already.
  anna.line.mend();
  ben.line.mend();

  const all = ['canary of Anna, offline', 'canary of Ben, edited offline'];
  for (const { person } of [anna, ben, carla]) {
    await until(
      async () =>
        JSON.stringify((await texts(person)).filter((text) => text.startsWith('canary'))) === JSON.stringify(all),
      async () => `${person.name} shows what all show; instead ${JSON.stringify(await texts(person))}`,
    );
    expect(await person.by('chat-alarm').count()).toBe(0);
  }
  // Who has written can be written to alone.
  await anna.person.by('chat-to').selectOption({ label: 'Only Ben' });
  await write(anna.person, 'canary to Ben');
  await sees(ben.person, 'canary to Ben');
  await ben.person.by('chat-message').last().hover();
  await ben.person.by('chat-message').last().getByTestId('chat-reply').click();
  await write(ben.person, 'canary to Anna');
  await sees(anna.person, 'canary to Anna');
  for (const { person } of [anna, ben])
    expect(await person.by('chat-private').allInnerTexts()).toEqual(
      Array(2).fill(`Only you and ${person === anna.person ? 'Ben' : 'Anna'}`),
    );
  await write(carla.person, 'canary of Carla, last');
  for (const { person } of [anna, ben]) await sees(person, 'canary of Carla, last');
  expect((await texts(carla.person)).filter((text) => text.startsWith('canary'))).toEqual([
    ...all,
    'canary of Carla, last',
  ]);
  for (const { person } of [anna, ben, carla]) expect(await person.by('chat-alarm').count()).toBe(0);
  const page = await carla.person.page.content();
  for (const held of [page, await kept(carla.person)]) {
    expect(held.length).toBeGreaterThan(5000);
    for (const secret of ['canary to Ben', 'canary to Anna']) expect(held).not.toContain(secret);
  }

  const wire = [anna, ben, carla].flatMap(({ line }) => line.passed).join('\n');
  expect(wire.length).toBeGreaterThan(5000);
  for (const heard of [wire, await disk()]) {
    for (const secret of ['canary', btoa('canary').slice(0, -1), 'Carla', PASSWORD])
      expect(heard).not.toContain(secret);
  }
  for (const { person } of [anna, ben, carla]) expect(person.watched.cspViolations).toEqual([]);
});
