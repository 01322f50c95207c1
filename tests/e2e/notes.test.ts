/** Shared notes in three real browsers: written at once and apart, the same for all, and read by nobody else. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CutLine } from '../support/cutLine.ts';
import { type Name, Person, until } from '../support/person.ts';
import { clientFolder } from '../support/servedApp.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';

const PASSWORD = 'correct horse battery';

let app: StartedApp;
let writers: { person: Person; line: CutLine }[] = [];

beforeAll(async () => {
  app = await startApp({ PARLEY_CLIENT: clientFolder() });
});
afterEach(async () => {
  await Promise.all(writers.map(({ person }) => person.close()));
  writers = [];
});
afterAll(() => app?.close());

/** In the lobby, with the notes open. */
async function writer(name: Name, link: string | null): Promise<{ person: Person; line: CutLine }> {
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
  await person.by('lobby-notes').click();
  await person.shows('notes-text');
  return { person, line };
}

/** What is written, without the names at others' cursors. */
const lines = (person: Person): Promise<string[]> =>
  person.by('notes-text').evaluate((shown) => {
    const text = shown.cloneNode(true) as HTMLElement;
    for (const caret of text.querySelectorAll('.notes-caret')) caret.remove();
    return [...text.querySelectorAll('p, h3')].map((line) => line.textContent.trim()).filter((line) => line !== '');
  });

async function agree(all: readonly string[]): Promise<void> {
  await until(
    async () => {
      const [first, ...others] = await Promise.all(writers.map(({ person }) => lines(person)));
      return all.every((line) => first!.includes(line)) && others.every((one) => one.join('|') === first!.join('|'));
    },
    async () =>
      `all show ${all.join('|')}: ${JSON.stringify(await Promise.all(writers.map(({ person }) => lines(person))))}`,
  );
}

/** At the end of what is there. */
async function write(person: Person, text: string): Promise<void> {
  await person.by('notes-text').focus();
  await person.page.keyboard.press('Control+End');
  await person.page.keyboard.type(text);
}

test('three write at once, one of them offline and through a reload: all show the same, and the server has read nothing', async () => {
  const anna = await writer('Anna', null);
  const link = anna.person.page.url();
  const ben = await writer('Ben', link);
  const carla = await writer('Carla', link);
  await write(anna.person, '# canary plan\n');
  await agree(['canary plan']);
  // Where two write in one line they write in one line: each begins their own.
  await write(ben.person, '\ncanary of Ben\n');
  await agree(['canary of Ben']);

  await carla.line.cut();
  await Promise.all([
    write(anna.person, '\ncanary of Anna, meanwhile\n'),
    write(carla.person, '\ncanary of Carla, offline\n'),
  ]);
  await carla.person.shows('notes-offline');
  await carla.person.by('notes-text').evaluate((text) => text.blur());
  await until(
    async () => (await lines(ben.person)).includes('canary of Anna, meanwhile'),
    async () => `Ben reads what Anna wrote; instead ${JSON.stringify(await lines(ben.person))}`,
  );
  expect(await lines(ben.person)).not.toContain('canary of Carla, offline');
  carla.line.mend();
  const all = ['canary plan', 'canary of Ben', 'canary of Anna, meanwhile', 'canary of Carla, offline'];
  await agree(all);

  // Whoever comes again has all of it.
  await ben.person.page.reload();
  await ben.person.enterPassword(PASSWORD);
  await ben.person.by('lobby-notes').click();
  await ben.person.shows('notes-text');
  await agree(all);

  const wire = [anna, ben, carla].flatMap(({ line }) => line.passed).join('\n');
  expect(wire.length).toBeGreaterThan(5000);
  const files = await readdir(app.dataDir, { recursive: true, withFileTypes: true });
  const kept = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'latin1'));
  for (const heard of [wire, (await Promise.all(kept)).join('\n')])
    for (const secret of ['canary', btoa('canary').slice(0, -1), 'Carla', PASSWORD])
      expect(heard).not.toContain(secret);
  for (const { person } of writers) expect(person.watched.cspViolations).toEqual([]);
});
