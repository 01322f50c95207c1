/** What people see when the server has put its database back: the alarm in words, and writing that goes on. And how they come back to a chat. */
import Database from 'better-sqlite3';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Person, type Name, until } from '../support/person.ts';
import { clientFolder } from '../support/servedApp.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';

let app: StartedApp;
let people: Person[] = [];

beforeAll(async () => {
  app = await startApp({ PARLEY_CLIENT: clientFolder() });
});
afterEach(async () => {
  await Promise.all(people.map((person) => person.close()));
  people = [];
});
afterAll(() => app?.close());

async function comes(name: Name, noDevices = true): Promise<Person> {
  const person = await Person.create(name, app.url, { noDevices });
  people.push(person);
  return person;
}

async function openChat(person: Person): Promise<void> {
  await person.by('lobby-name').fill(person.name);
  await person.by('lobby-chat').click();
  await person.shows('chat-input');
}

async function write(person: Person, text: string): Promise<void> {
  await person.by('chat-input').fill(text);
  await person.by('chat-input').press('Enter');
  await sees(person, text);
}

async function sees(person: Person, text: string): Promise<void> {
  await until(
    async () => (await person.by('chat-text').allInnerTexts()).includes(text),
    async () => `${person.name} reads “${text}”; instead ${await person.situation()}`,
  );
}

test('a server whose database was put back is shown as such to who has seen more, gets back what they have, and all write on', async () => {
  const [anna, ben] = [await comes('Anna'), await comes('Ben')];
  const link = await anna.createMeeting(app.url);
  await openChat(anna);
  await ben.open(link);
  await openChat(ben);
  await write(anna, 'before the copy');
  await sees(ben, 'before the copy');

  const [file, copy] = ['parley.sqlite', 'copy.sqlite'].map((name) => join(app.dataDir, name)) as [string, string];
  const database = new Database(file, { readonly: true });
  await database.backup(copy);
  database.close();
  await write(ben, 'after the copy');
  await sees(anna, 'after the copy');
  await app.restart(async () => {
    for (const end of ['', '-wal', '-shm']) await rm(file + end, { force: true });
    await copyFile(copy, file);
  });

  for (const person of people) {
    await until(
      () => person.by('chat-alarm').first().isVisible(),
      async () => `${person.name} is shown an alarm; instead: ${await person.situation()}`,
    );
    expect(await person.by('chat-alarm').innerText()).toContain('The server shows an older state of this chat');
    expect(await person.by('chat-alarm').getAttribute('data-alarm')).toBe('rolledBack');
    await sees(person, 'after the copy');
  }
  await write(anna, 'and on');
  await sees(ben, 'and on');
  // Who comes now knows nothing of it, and is given what the server had lost.
  const carla = await comes('Carla');
  await carla.open(link);
  await openChat(carla);
  for (const text of ['before the copy', 'after the copy', 'and on']) await sees(carla, text);
  expect(await carla.by('chat-alarm').count()).toBe(0);
});

test('after a meeting its chat is one press away, also from the start page, and opens no device', async () => {
  const [anna, ben] = [await comes('Anna', false), await comes('Ben')];
  const link = await anna.createMeeting(app.url);
  await anna.join();
  await ben.open(link);
  await openChat(ben);
  await write(ben, 'see you tomorrow');
  await anna.leave();
  const devices = (): Promise<number> =>
    anna.page.evaluate(() => [...document.querySelectorAll('video')].filter(({ srcObject }) => srcObject).length);

  await anna.by('closed-chat').click();
  await anna.shows('chat-input');
  await sees(anna, 'see you tomorrow');
  await write(anna, 'and to you');
  await sees(ben, 'and to you');
  expect(await devices()).toBe(0);

  await anna.page.goto(app.url);
  await anna.by('home-known-chat').click();
  await anna.shows('chat-input');
  await sees(anna, 'and to you');
  expect(await devices()).toBe(0);
  await anna.by('chat-sheet').getByRole('button', { name: 'Close' }).click();
  await until(
    async () => (await devices()) === 1,
    async () => `Anna sees herself once the chat is closed; instead: ${await anna.situation()}`,
  );
  expect(anna.watched.cspViolations).toEqual([]);
});
