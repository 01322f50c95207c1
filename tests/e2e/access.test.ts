/** Who lacks something gets nowhere: the link without the password, a wrong or old link, the id alone. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Person } from '../support/person.ts';
import { People } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

/** Every text that the server sends to the page over its WebSocket. */
function listen(person: Person): string[] {
  const texts: string[] = [];
  person.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => texts.push(String(payload))));
  return texts;
}

test('the link with a wrong password: told so, nothing of who is in, and the right password still works', async () => {
  const { link } = await here.meet(['Anna'], { password: 'correct horse battery' });
  const carla = await here.invite('Carla');
  const received = listen(carla);
  await carla.open(link);
  await carla.enterPassword('Tr0ub4dor&3');
  await carla.page.locator('[data-testid=lobby-password][aria-invalid=true]').waitFor({ timeout: 30_000 });
  expect(await carla.by('lobby-join').count()).toBe(0);
  // Before the password is proven the server names nobody and hands out nothing of the group.
  expect(received.join('\n')).not.toMatch(/"peers"|"token"|group\.|"commit"|"welcome"/);
  expect(received.join('\n')).toContain('accessRefused');

  await carla.enterPassword('correct horse battery');
  await carla.join();
  await carla.waitForOthers('Anna');
});

test('a wrong link: refused at once, before any password is asked for', async () => {
  const { link } = await here.meet(['Anna']);
  const carla = await here.invite('Carla');
  const received = listen(carla);
  const [address, secret] = link.split('#') as [string, string];
  const wrong = (secret.startsWith('A') ? 'B' : 'A') + secret.slice(1);
  await carla.open(`${address}#${wrong}`);
  expect(await carla.closedReason()).toBe('oldLink');
  expect(received.join('\n')).not.toMatch(/"record"|"peers"|"token"/);
});

test('only the id: the link is asked for', async () => {
  const { link } = await here.meet(['Anna']);
  const carla = await here.invite('Carla');
  const received = listen(carla);
  await carla.open(link.split('#')[0]!);
  expect(await carla.closedReason()).toBe('needsLink');
  expect(received.join('\n')).not.toMatch(/"record"|"peers"|"token"/);
});

test('a meeting that the host has ended: everybody is out, and the old link opens nothing', async () => {
  const { people, link } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await anna.waitForOthers('Ben');
  await anna.endForAll();
  expect(await ben.closedReason()).toBe('ended');
  const carla = await here.invite('Carla');
  await carla.open(link);
  expect(await carla.closedReason()).toBe('ended');
});
