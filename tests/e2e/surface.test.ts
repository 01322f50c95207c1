/** What every screen owes everybody: no serious fault for assistive technology, nothing that the CSP reports, no request elsewhere. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Person } from '../support/person.ts';
import { People } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

/** Serious and critical faults of the page as it stands, with the elements. */
async function faultsOf(person: Person, screen: string): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await person.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await person.page.waitForTimeout(300);
    await person.page.evaluate(axe);
    const results = await person.page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
      return axe.run({ resultTypes: ['violations'] });
    });
    for (const { id, impact, nodes } of results.violations) {
      if (impact !== 'serious' && impact !== 'critical') continue;
      faults.push(`${screen}, ${colorScheme}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join('; ')}`);
    }
  }
  return faults;
}

test(
  'axe finds no serious fault on any screen, the CSP reports nothing, and no request leaves the origin',
  { timeout: 240_000 },
  async () => {
    const faults: string[] = [];
    const anna = await here.invite('Anna');
    await anna.page.goto(app.origin);
    await anna.by('home-title').waitFor();
    faults.push(...(await faultsOf(anna, 'home')));
    const link = await anna.createMeeting(app.origin, { password: 'correct horse battery' });
    faults.push(...(await faultsOf(anna, 'lobby')));
    await anna.join();
    faults.push(...(await faultsOf(anna, 'alone')));

    const ben = await here.invite('Ben', { context: { viewport: { width: 390, height: 844 }, hasTouch: true } });
    await ben.open(link);
    await ben.by('lobby-password').waitFor();
    faults.push(...(await faultsOf(ben, 'password')));
    await ben.enterPassword('wrong');
    await ben.page.locator('[data-testid=lobby-password][aria-invalid=true]').waitFor({ timeout: 30_000 });
    faults.push(...(await faultsOf(ben, 'wrong password')));
    await ben.enterPassword('correct horse battery');
    await ben.join();
    await ben.see('Anna', 5);
    faults.push(...(await faultsOf(ben, 'meeting on a phone')));
    await anna.openPeople();
    faults.push(...(await faultsOf(anna, 'people')));
    await anna.page.keyboard.press('Escape');
    await ben.leave();
    faults.push(...(await faultsOf(ben, 'left')));

    expect(faults).toEqual([]);
    for (const person of [anna, ben]) {
      expect(person.watched.cspViolations).toEqual([]);
      expect(person.watched.outsideRequests).toEqual([]);
      expect(person.watched.consoleErrors).toEqual([]);
    }
  },
);

test('the verification sheet says which keys there are, by the suite that the meeting was made with', async () => {
  const anna = await here.invite('Anna');
  const record = anna.page.waitForRequest((request) => request.method() === 'POST' && /meetings$/.test(request.url()));
  await anna.createMeeting(app.origin);
  const { body } = ((await record).postDataJSON() as { record: { body: string } }).record;
  expect((JSON.parse(body) as { suite: string }).suite).toMatch(/^X-Wing\/AES-256-GCM\//);
  await anna.join();
  await anna.by('lock').click();
  await anna.shows('verification-code');
  for (const words of ['X-Wing post-quantum', 'built to withstand quantum computers', 'stays closed tomorrow'])
    expect(await anna.page.getByText(words).isVisible(), words).toBe(true);
  await anna.page.locator('summary').click();
  for (const words of ['X-Wing (ML-KEM-768 + X25519), AES-256-GCM, Ed25519', 'SFrame'])
    expect(await anna.page.getByText(words).first().isVisible(), words).toBe(true);
});

test('the whole way from home into a meeting can be gone by keyboard alone', async () => {
  const anna = await here.invite('Anna');
  await anna.page.goto(app.origin);
  await anna.by('home-title').waitFor();
  await anna.by('home-title').focus();
  await anna.page.keyboard.type('By keyboard');
  await anna.page.keyboard.press('Enter');
  await anna.by('lobby-join').waitFor({ timeout: 30_000 });
  await anna.by('lobby-name').focus();
  await anna.page.keyboard.type('Anna');
  await anna.page.keyboard.press('Enter');
  await anna.page.locator('[data-testid=tile][data-self=true]').waitFor({ timeout: 30_000 });
  for (let i = 0; i < 40; i++) {
    await anna.page.keyboard.press('Tab');
    if ((await anna.page.evaluate(() => document.activeElement?.getAttribute('data-testid'))) === 'control-leave')
      break;
  }
  await anna.page.keyboard.press('Enter');
  expect(await anna.closedReason()).toBe('left');
});
