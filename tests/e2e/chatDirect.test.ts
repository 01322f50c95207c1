/** The chat's direct way in real browsers: past a server that withholds, never for whoever was removed, never beside a relay. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { findCanaries } from '../support/canaries.ts';
import { cameSince, channelScript, directConnections, sentBy } from '../support/dataChannels.ts';
import { type HostileServer, startHostileServer } from '../support/hostileServer.ts';
import { type Name, People, type Person, type PersonOptions, until } from '../support/person.ts';
import { type App, serveApp } from '../support/servedApp.ts';
import { SOON_CALM, WITH_RELAY } from '../support/startApp.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp(hasWorker() ? WITH_RELAY : {}, SOON_CALM);
});
afterEach(async () => {
  await here.close();
  await server.close();
});
afterAll(() => app?.close());

/** All in the meeting, each with the chat open. */
async function meet(
  names: Name[],
  options: PersonOptions = {},
  of: Partial<Record<Name, PersonOptions>> = {},
): Promise<{ people: Person[]; link: string }> {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const people: Person[] = [];
  let link = '';
  for (const name of names) {
    const person = await here.invite(name, { noDevices: true, ...options, ...of[name] });
    people.push(person);
    await person.context.addInitScript({ content: channelScript });
    if (link === '') link = await person.createMeeting(server.origin);
    else await person.open(link);
    await enter(person);
  }
  return { people, link };
}

async function enter(person: Person): Promise<void> {
  await person.join();
  await person.by('control-chat').click();
  await person.shows('chat-input');
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

/** All that there is, as the person saves it: the list shows a part. Sorted. */
async function saved(person: Person): Promise<string[]> {
  const downloading = person.page.waitForEvent('download');
  await person.by('chat-menu').click();
  await person.by('chat-export-json').click();
  const chunks: Buffer[] = [];
  for await (const chunk of await (await downloading).createReadStream()) chunks.push(Buffer.from(chunk as Buffer));
  const messages = JSON.parse(Buffer.concat(chunks).toString()) as { text: string }[];
  return messages.map(({ text }) => text).toSorted();
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
  const [anna, ben] = (await meet(['Anna', 'Ben'])).people as [Person, Person];
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

test('whoever a host removes has no connection left, though its own browser closes none, and gets nothing more', async () => {
  const stubborn: PersonOptions = { probe: { keepConnections: true } };
  const { people } = await meet(['Anna', 'Ben', 'Carla'], {}, { Carla: stubborn });
  const [anna, ben, carla] = people as [Person, Person, Person];
  await write(anna, 'canary for three');
  for (const person of people) await sees(person, 'canary for three');
  await haveDirect(people, 2);

  await anna.remove('Carla');
  await carla.shows('closed');
  await anna.page.keyboard.press('Escape');
  for (const person of [anna, ben]) await person.waitForOthers(person === anna ? 'Ben' : 'Anna');
  await haveDirect([anna, ben, carla], 0);
  const since = Date.now();
  if (!(await anna.by('chat-input').isVisible())) await anna.by('control-chat').click();
  await write(anna, 'canary for two');
  await sees(ben, 'canary for two');
  await haveDirect([anna, ben], 1);
  await write(ben, 'canary for two, directly');
  await sees(anna, 'canary for two, directly');
  expect(await cameSince(carla, since)).toBe(0);
  expect(await directConnections(carla)).toBe(0);
});

test.skipIf(!hasWorker())(
  'a meeting that goes to the relay closes it, and the mesh brings it back: what is written meanwhile is there once, for all',
  { timeout: 180_000 },
  async () => {
    const { people, link } = await meet(['Anna', 'Ben'], { probe: { meshLimit: 3 } });
    const [anna, ben] = people as [Person, Person];
    const written: string[] = [];
    const say = async (person: Person): Promise<void> => {
      written.push(`canary ${written.length}`);
      await write(person, written.at(-1)!);
    };
    await say(anna);
    await sees(ben, written[0]!);
    await haveDirect(people, 1);

    const others = await Promise.all([
      here.invite('Carla', { noDevices: true }),
      here.invite('Dan', { noDevices: true }),
    ]);
    const coming = (async () => {
      for (const other of others) await other.come(link);
    })();
    const writeUntil = async (isDone: () => Promise<boolean>): Promise<void> => {
      const end = performance.now() + 90_000;
      while (!(await isDone())) {
        if (performance.now() > end) throw new Error('the meeting did not change its way');
        for (const person of people) await say(person);
        await new Promise((resolve) => setTimeout(resolve, 400));
      }
    };
    const connections = async () => (await Promise.all(people.map(directConnections))).join();
    await writeUntil(async () => (await connections()) === '0,0');
    await coming;
    expect(await connections()).toBe('0,0');
    await Promise.all(others.map((other) => other.leave().then(() => other.close())));
    await writeUntil(async () => (await connections()) === '1,1');

    const newest = written.at(-1)!;
    for (const person of people) {
      await sees(person, newest);
      expect(await saved(person)).toEqual(written.toSorted());
      expect(await person.by('chat-alarm').count()).toBe(0);
    }
    const late = await here.invite('Eve', { noDevices: true });
    await late.open(link);
    await late.by('lobby-name').fill('Eve');
    await late.by('lobby-chat').click();
    await sees(late, newest);
    expect(await saved(late)).toEqual(written.toSorted());
  },
);

test.skipIf(!hasWorker())('a meeting that is fixed to the relay never has it', { timeout: 90_000 }, async () => {
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
  const [anna, ben] = [await here.invite('Anna', { noDevices: true }), await here.invite('Ben', { noDevices: true })];
  await anna.page.goto(server.origin);
  await anna.by('home-options').click();
  await anna.by('way-relay').check();
  await anna.by('home-create').click();
  await anna.shows('lobby-join');
  const link = anna.page.url();
  // Whatever the server says of the way.
  server.onAnswer = (answer) => {
    const { result } = answer as { result?: { topology?: { at: string } } };
    if (result?.topology) result.topology.at = 'mesh';
    return answer;
  };
  await enter(anna);
  await ben.open(link);
  await enter(ben);
  await write(anna, 'canary');
  await sees(ben, 'canary');
  await write(ben, 'canary back');
  await sees(anna, 'canary back');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const asked = server.lines.flatMap(({ requests }) => requests.map(({ name }) => name));
  expect(asked).toContain('chat.append');
  expect(asked).not.toContain('chat.ticket');
  for (const person of [anna, ben]) expect(await directConnections(person)).toBe(0);
});
