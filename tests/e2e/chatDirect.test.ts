/** The chat's direct way in real browsers: past a server that withholds, never for whoever was removed, never beside a relay. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { findCanaries } from '../support/canaries.ts';
import { channelScript, directConnections, sentBy } from '../support/dataChannels.ts';
import { type HostileServer, startHostileServer } from '../support/hostileServer.ts';
import { type Name, People, type Person, type PersonOptions, until } from '../support/person.ts';
import { type App, serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp(hasWorker() ? WITH_RELAY : {});
});
afterEach(async () => {
  await here.close();
  await server.close();
});
afterAll(() => app?.close());

/** All in the meeting, each with the chat open. */
async function meet(names: Name[], options: PersonOptions = {}): Promise<Person[]> {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const people: Person[] = [];
  let link = '';
  for (const name of names) {
    const person = await here.invite(name, { noDevices: true, ...options });
    people.push(person);
    await person.context.addInitScript({ content: channelScript });
    if (link === '') link = await person.createMeeting(server.origin);
    else await person.open(link);
    await person.join();
    await person.by('control-chat').click();
    await person.shows('chat-input');
  }
  return people;
}

const texts = (person: Person): Promise<string[]> => person.by('chat-text').allInnerTexts();

async function write(person: Person, text: string): Promise<void> {
  await person.by('chat-input').fill(text);
  await person.by('chat-input').press('Enter');
}

async function sees(person: Person, text: string): Promise<void> {
  await until(
    async () => (await texts(person)).includes(text),
    async () => `${person.name} reads “${text}”; instead ${JSON.stringify(await texts(person))}`,
  );
}

async function haveDirect(people: readonly Person[], count: number): Promise<void> {
  for (const person of people) {
    await until(
      async () => (await directConnections(person)) === count,
      async () => `${person.name} has ${count} direct connections, not ${await directConnections(person)}`,
    );
  }
}

/** When it is there to be read, milliseconds since 1970. Ask before it is written. */
function readAt({ page }: Person, text: string): Promise<number> {
  return page.evaluate(
    (text) =>
      new Promise<number>((resolve) => {
        const look = () => {
          const shown = [...document.querySelectorAll('[data-testid=chat-text]')];
          if (!shown.some((one) => (one as HTMLElement).innerText === text)) return;
          observer.disconnect();
          resolve(Date.now());
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { childList: true, subtree: true, characterData: true });
      }),
    text,
  );
}

test('what one writes reaches the other while the server passes on nothing and takes nothing; no channel carries it in the clear', async () => {
  const [anna, ben] = (await meet(['Anna', 'Ben'])) as [Person, Person];
  await write(anna, 'canary before');
  await sees(ben, 'canary before');
  await haveDirect([anna, ben], 1);

  server.onRequest = (request) => (request.name === 'chat.append' ? null : request);
  server.onAnswer = (answer) => (JSON.stringify(answer).startsWith('{"chat":{"type":"items"') ? null : answer);
  for (const [from, to, text] of [
    [anna, ben, 'canary past the server'],
    [ben, anna, 'canary back'],
  ] as const) {
    const arrival = readAt(to, text);
    await from.by('chat-input').fill(text);
    const writtenAt = Date.now();
    await from.by('chat-input').press('Enter');
    console.info(`past the server: read ${(await arrival) - writtenAt} ms after it was sent`);
  }

  const sent = (await Promise.all([anna, ben].map(sentBy))).flat();
  expect(sent.length).toBeGreaterThan(3);
  const heard = Buffer.from(sent.join('\n'), 'latin1');
  expect(
    findCanaries(heard, [
      { name: 'text', is: 'canary' },
      { name: 'name', is: '"Anna"' },
    ]),
  ).toEqual([]);
  const { http, lines } = server;
  const wire = JSON.stringify([http, lines.flatMap(({ requests, answers }) => [requests, answers])]);
  expect(findCanaries(Buffer.from(wire), [{ name: 'text', is: 'canary' }])).toEqual([]);
  for (const person of [anna, ben]) {
    expect(person.watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
    expect(await person.by('chat-alarm').count()).toBe(0);
  }
});
