/** What newcomers see of the chat, in real browsers: the host decides when making the meeting and later, and whoever comes reads what follows. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Name, People, type Person, until } from '../support/person.ts';
import { type App, serveApp } from '../support/servedApp.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
});
afterEach(() => here.close());
afterAll(() => app?.close());

const texts = (person: Person): Promise<string[]> => person.by('chat-text').allInnerTexts();

async function enter(name: Name, link: string | null): Promise<Person> {
  const person = await here.invite(name, { noDevices: true });
  if (link === null) await person.createMeeting(app.origin, { options: ['terms-nothing'] });
  else await person.open(link);
  await join(person);
  return person;
}

async function join(person: Person): Promise<void> {
  await person.join();
  await person.by('control-chat').click();
  await person.shows('chat-input');
}

async function decide(host: Person, choice: string): Promise<void> {
  await host.by('chat-menu').click();
  await host.by('chat-terms-open').click();
  await host.by(choice).click();
  await host.by('terms-save').click();
}

async function write(person: Person, text: string): Promise<void> {
  await person.by('chat-input').fill(text);
  await person.by('chat-input').press('Enter');
  await shows(person, text);
}

async function shows(person: Person, text: string): Promise<void> {
  await until(
    async () => (await texts(person)).includes(text),
    async () => `${person.name} reads “${text}”; instead ${JSON.stringify(await texts(person))}`,
  );
}

test('nothing from before, then the last hours: whoever comes reads exactly that', async () => {
  here = new People(app.origin);
  const anna = await enter('Anna', null);
  const link = anna.page.url();
  await write(anna, 'before Ben');
  const ben = await enter('Ben', link);
  await write(anna, 'with Ben');
  await shows(ben, 'with Ben');
  await write(ben, 'of Ben');
  await shows(anna, 'of Ben');
  expect(await texts(ben)).toEqual(['with Ben', 'of Ben']);

  await decide(anna, 'terms-hours');
  await write(anna, 'within the hours');
  const carla = await here.invite('Carla', { noDevices: true });
  await carla.open(link);
  // From the lobby: the newest word of the host, and nothing to write with yet.
  await carla.by('lobby-chat').click();
  await carla.page.getByText('Not open for you yet').waitFor();
  expect(await carla.by('chat-input').count()).toBe(0);
  await carla.by('chat-menu').click();
  await carla.by('chat-terms-open').click();
  await carla.page.getByText('the last 24 hours').first().waitFor();
  await carla.page.keyboard.press('Escape');
  await carla.page.keyboard.press('Escape');
  await join(carla);
  await shows(carla, 'within the hours');
  expect(await texts(carla)).toEqual(['within the hours']);
  expect(await texts(anna)).toEqual(['before Ben', 'with Ben', 'of Ben', 'within the hours']);
  for (const person of [anna, ben, carla]) expect(await person.by('chat-alarm').count()).toBe(0);
});
