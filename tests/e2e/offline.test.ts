/**
 * The app without a server: it opens, shows what was said, takes what is written, and gives it to the others when there is a way. A profile
 * on disk, a server that is really gone, and a service worker that is really the one between.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumArgs, chromiumPath } from '../support/browser.ts';
import { until } from '../support/person.ts';
import { clientFolder } from '../support/servedApp.ts';
import { startSignalProcess, type SignalProcess } from '../support/signalProcess.ts';

const PASSWORD = 'canary password';

let signal: SignalProcess;
let folder: string;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  signal = await startSignalProcess();
  folder = await mkdtemp(join(tmpdir(), 'parley-offline-'));
});
afterAll(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  await signal?.close();
  await rm(folder, { recursive: true, force: true });
});

async function launch(name: string): Promise<Page> {
  const context = await chromium.launchPersistentContext(join(folder, name), {
    executablePath: chromiumPath(),
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: chromiumArgs(),
  });
  contexts.push(context);
  return context.pages()[0] ?? context.newPage();
}

async function givePassword(page: Page, password: string): Promise<void> {
  await page.getByTestId('lobby-password').fill(password);
  await page.getByTestId('lobby-password-submit').click();
}

async function openChat(page: Page): Promise<void> {
  await page.getByTestId('lobby-chat').click();
  await page.getByTestId('chat-input').waitFor();
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByTestId('chat-input').fill(text);
  await page.getByTestId('chat-input').press('Enter');
  await reads(page, text);
}

const texts = (page: Page): Promise<string[]> => page.getByTestId('chat-text').allInnerTexts();
const deliveries = (page: Page): Promise<string[]> => page.getByTestId('chat-delivery').allInnerTexts();

function reads(page: Page, text: string): Promise<void> {
  return until(
    async () => (await texts(page)).includes(text),
    async () => `the page shows “${text}”; instead ${JSON.stringify(await texts(page))}`,
  );
}

/** What the browser keeps of the app: addresses, and the hash of what lies there. */
function kept(page: Page): Promise<{ caches: string[]; files: Record<string, string> }> {
  return page.evaluate(async () => {
    const files: Record<string, string> = {};
    const names = await caches.keys();
    for (const name of names) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const response = await cache.match(request);
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await response!.arrayBuffer()));
        files[request.url] = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
      }
    }
    return { caches: names, files };
  });
}

test('reloaded without a server, the app opens, and what is written then arrives once and in order', async () => {
  const page = await launch('Anna');
  await page.goto(signal.origin);
  await page.getByTestId('home-password').fill(PASSWORD);
  await page.getByTestId('home-create').click();
  await page.getByTestId('lobby-name').fill('Anna');
  const link = page.url();
  await openChat(page);
  await write(page, 'one');
  await until(
    async () =>
      page.evaluate(async () => (await caches.match('/build.json', { cacheName: 'parley last build' })) !== undefined),
    () => 'the build is kept whole',
  );

  // Nothing but the build is kept there: no address of a meeting, no answer of the server, no link.
  const build = await readdir(clientFolder(), { recursive: true, withFileTypes: true });
  const names = build
    .filter((entry) => entry.isFile() && !/\.(br|gz)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(clientFolder().length + 1));
  const cached = await kept(page);
  // Of this one build, and which it is.
  expect(cached.caches.sort()).toEqual([expect.stringMatching(/^parley app [0-9a-f]{64}$/), 'parley last build']);
  expect(Object.keys(cached.files).sort()).toEqual(names.map((name) => `${signal.origin}/${name}`).sort());
  for (const name of names) {
    const hash = createHash('sha256')
      .update(await readFile(join(clientFolder(), name)))
      .digest('hex');
    expect(cached.files[`${signal.origin}/${name}`], name).toBe(hash);
  }

  await signal.kill();
  await page.reload();
  // Who shares this browser and not the password is kept out here, too.
  await givePassword(page, 'another password');
  await page.getByText('Wrong password').waitFor();
  expect(await page.getByTestId('lobby-chat').count()).toBe(0);
  await givePassword(page, PASSWORD);
  await openChat(page);
  await reads(page, 'one');
  await write(page, 'two');
  await page.reload();
  await givePassword(page, PASSWORD);
  await openChat(page);
  await reads(page, 'two');
  await write(page, 'three');
  expect((await deliveries(page)).at(-1)).toMatch(/wait/i);

  await signal.start();
  await until(
    async () => /sent/i.test((await deliveries(page)).at(-1) ?? ''),
    async () => `it is sent without another word from her; instead ${JSON.stringify(await deliveries(page))}`,
  );
  const other = await launch('Ben');
  await other.goto(link);
  await givePassword(other, PASSWORD);
  await openChat(other);
  await reads(other, 'three');
  expect(await texts(other)).toEqual(['one', 'two', 'three']);
  expect(await texts(page)).toEqual(['one', 'two', 'three']);
  expect(await page.getByTestId('chat-alarm').count()).toBe(0);
});

test('without a server the start page opens, and knows its meetings', async () => {
  const page = contexts[0]!.pages()[0]!;
  await signal.kill();
  await page.goto(signal.origin);
  await page.getByTestId('home-create').waitFor();
  expect(await page.locator('a[href*="/m/"]').count()).toBeGreaterThan(0);
});
