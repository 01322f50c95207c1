/** A whole meeting, from the link to the good-bye, as the server hears it: no name, no title, no password, no secret, no address. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { base64url, fromBase64url, utf8 } from '../../crypto/bytes.ts';
import { findCanaries } from '../support/canaries.ts';
import type { HostileServer } from '../support/hostileServer.ts';
import { startHostileServer } from '../support/hostileServer.ts';
import type { Person } from '../support/person.ts';
import { People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let server: HostileServer;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  server = await startHostileServer(app.origin);
  here = new People(server.origin);
});
afterEach(async () => {
  await here?.close();
  await server?.close();
});
afterAll(() => app?.close());

// Long enough not to come about by chance in a megabyte of random bytes.
const NAMES = { Anna: 'Annabella Quimby', Ben: 'Benedict Oakley' } as const;
const TITLE = 'Chrysanthemum budget';
const PASSWORD = 'correct horse battery';

async function joinAs(person: Person, name: string): Promise<void> {
  await person.shows('lobby-join');
  await person.by('lobby-name').fill(name);
  await person.by('lobby-join').click();
}

const isThere = (viewer: Person, name: string): Promise<void> =>
  until(
    async () =>
      (await viewer.page.locator(`[data-testid=tile][data-name="${name}"][data-state=connected]`).count()) > 0,
    async () => `${viewer.name} sees ${name}; instead: ${await viewer.situation()}`,
  );

test('of names, title, password, link and descriptions of connections the server hears nothing; planted, they are all found', async () => {
  const anna = await here.invite('Anna');
  const ben = await here.invite('Ben');
  const link = await anna.createMeeting(server.origin, { title: TITLE, password: PASSWORD });
  await joinAs(anna, NAMES.Anna);
  await ben.open(link);
  await ben.enterPassword(PASSWORD);
  await joinAs(ben, NAMES.Ben);
  await Promise.all([isThere(anna, NAMES.Ben), isThere(ben, NAMES.Anna)]);
  // Whatever else people say in a meeting.
  await ben.page.keyboard.press('h');
  await ben.by('control-microphone').click();
  await ben.leave();
  await until(
    async () => server.lines.some(({ requests }) => requests.some(({ name }) => name === 'meeting.leave')),
    () => 'Ben has said good-bye',
  );

  const secret = link.split('#')[1]!;
  const words = [
    { name: 'name of the host', is: NAMES.Anna },
    { name: 'name of the guest', is: NAMES.Ben },
    { name: 'title', is: TITLE },
    { name: 'password', is: PASSWORD },
    { name: 'link, as text', is: secret },
    { name: 'link, as bytes', is: fromBase64url(secret) },
    { name: 'description', is: 'v=0\r\no=' },
    { name: 'description in JSON', is: 'v=0\\r\\no=' },
    { name: 'fingerprint', is: 'fingerprint' },
    { name: 'candidate', is: 'candidate:' },
  ];
  const heard = (): string[] => {
    const requests = server.lines.flatMap((line) => line.requests.map((request) => JSON.stringify(request)));
    return findCanaries(Buffer.from([...server.http, ...requests].join('\n')), words);
  };
  const sent = server.lines.flatMap(({ requests }) => requests.map(({ name }) => name));
  expect(sent.filter((name) => name === 'message.send').length).toBeGreaterThan(10);
  expect(server.http.some((request) => request.startsWith('POST /api/meetings'))).toBe(true);
  expect(heard()).toEqual([]);

  // Control: the same words, said by the page over the same two ways, as plainly or as hidden as it says anything.
  await anna.page.evaluate(
    async ({ spoken, hidden }) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
      await new Promise((resolve) => (socket.onopen = resolve));
      socket.send(JSON.stringify({ id: 1, name: 'hello', params: { hidden } }));
      await fetch('/api/meetings', { method: 'POST', body: JSON.stringify({ spoken }) });
    },
    {
      spoken: words.slice(0, 5).map(({ is }) => is as string),
      hidden: words.slice(5).map(({ is }) => base64url(typeof is === 'string' ? utf8(`…${is}…`) : is)),
    },
  );
  await until(
    async () => words.every(({ name }) => heard().some((found) => found.startsWith(`${name} as`))),
    () => `all that was planted is found, not only ${heard().join(', ')}`,
  );
});
