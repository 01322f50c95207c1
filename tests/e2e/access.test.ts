/** Who lacks something gets nowhere: the link without the password, a wrong or old link, the id alone. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WireAnswer } from '../../signal/protocol/wire.ts';
import type { Person } from '../support/person.ts';
import { People } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

const PASSWORD = 'correct horse battery';

let app: App;
/** Anna and Ben are in one meeting with a password all the time; in each test somebody else tries to get in. */
let inside: People;
let here: People;
let link: string;
let anna: Person;
let ben: Person;

beforeAll(async () => {
  app = await serveApp();
  [inside, here] = [new People(app.origin), new People(app.origin)];
  const met = await inside.meet(['Anna', 'Ben'], { password: PASSWORD });
  ({ link } = met);
  [anna, ben] = met.people as [Person, Person];
  await anna.waitForOthers('Ben');
});
afterEach(() => here.close());
afterAll(async () => {
  await inside?.close();
  await app?.close();
});

/** What the server hands out only to who has proven something: the record to who has the link, the rest to who has all. */
const OF_THE_LINK = ['record', 'salt', 'title'];
const OF_ACCESS = [
  'peers',
  'group',
  'hostState',
  'token',
  'iceServers',
  'commit',
  'welcome',
  'keyPackage',
  'accessKey',
];

/** Every answer and event that the server sends to the page over its WebSocket. */
function listen(person: Person): WireAnswer[] {
  const answers: WireAnswer[] = [];
  person.page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => answers.push(JSON.parse(String(payload)) as WireAnswer)),
  );
  return answers;
}

const refusalsIn = (answers: readonly WireAnswer[]): string[] =>
  answers.flatMap((answer) => ('error' in answer ? [answer.error.code] : []));

/** Names of all fields within; signed bodies are JSON in JSON, and looked into. */
function fieldsIn(value: unknown): string[] {
  if (typeof value === 'string' && value.startsWith('{')) return fieldsIn(JSON.parse(value));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsIn(inner)]);
}

const handedOut = (answers: readonly WireAnswer[], fields: readonly string[]): string[] => {
  const found = new Set(fieldsIn(answers));
  return fields.filter((field) => found.has(field));
};

test('the link with a wrong password: told so, nothing of who is in, and the right password still works', async () => {
  const carla = await here.invite('Carla');
  const received = listen(carla);
  await carla.open(link);
  await carla.enterPassword('Tr0ub4dor&3');
  await carla.page.locator('[data-testid=lobby-password][aria-invalid=true]').waitFor({ timeout: 30_000 });
  expect(await carla.by('lobby-join').count()).toBe(0);
  // Before the password is proven the server names nobody and hands out nothing of the group; what the link earns is heard.
  expect(refusalsIn(received)).toEqual(['accessRefused']);
  expect(handedOut(received, OF_ACCESS)).toEqual([]);
  expect(handedOut(received, OF_THE_LINK)).toEqual(OF_THE_LINK);

  await carla.enterPassword(PASSWORD);
  await carla.join();
  await carla.waitForOthers('Anna', 'Ben');
  // Control: these fields are heard when they come.
  expect(handedOut(received, OF_ACCESS)).toEqual(expect.arrayContaining(['peers', 'group', 'token', 'welcome']));
  // The access key's document is the server's alone: it follows from link and password.
  expect(handedOut(received, ['accessKey'])).toEqual([]);
});

test('a wrong link: refused at once, before any password is asked for', async () => {
  const carla = await here.invite('Carla');
  const received = listen(carla);
  const [address, secret] = link.split('#') as [string, string];
  const wrong = (secret.startsWith('A') ? 'B' : 'A') + secret.slice(1);
  await carla.open(`${address}#${wrong}`);
  expect(await carla.closedReason()).toBe('oldLink');
  expect(refusalsIn(received)).toEqual(['linkRefused']);
  expect(handedOut(received, [...OF_THE_LINK, ...OF_ACCESS])).toEqual([]);
});

test('only the id: the link is asked for, and not even a connection is made', async () => {
  const carla = await here.invite('Carla');
  const received = listen(carla);
  await carla.open(link.split('#')[0]!);
  expect(await carla.closedReason()).toBe('needsLink');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(received).toEqual([]);
  // Control: with the link there is something to hear, on the same page.
  await carla.page.goto('about:blank');
  await carla.open(link);
  await carla.by('lobby-password').waitFor({ timeout: 30_000 });
  expect(handedOut(received, OF_THE_LINK)).toEqual(expect.arrayContaining(['record', 'title']));
});

test('a meeting that the host has ended: everybody is out, and the old link opens nothing', async () => {
  await anna.endForAll();
  expect(await ben.closedReason()).toBe('ended');
  const carla = await here.invite('Carla');
  const received = listen(carla);
  await carla.open(link);
  expect(await carla.closedReason()).toBe('ended');
  expect(refusalsIn(received)).toEqual(['meetingEnded']);
  expect(handedOut(received, [...OF_THE_LINK, ...OF_ACCESS])).toEqual([]);
});
