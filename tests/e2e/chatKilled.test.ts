/**
 * Browsers and servers that are killed while people write: whatever a page has shown is there afterwards, once. Moments are drawn from
 * seeds; `npm run soak` tries a hundred.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { numbers } from '../crypto/seeded.ts';
import { chromiumArgs, chromiumPath } from '../support/browser.ts';
import { until } from '../support/person.ts';
import { startSignalProcess, type SignalProcess } from '../support/signalProcess.ts';

const ROUNDS = process.env['PARLEY_SOAK'] ? 100 : 4;
/** Within this a round's killing falls: about as long as five messages take. */
const MOMENTS_MS = 1500;

let signal: SignalProcess;
const folders: string[] = [];

beforeAll(async () => {
  signal = await startSignalProcess();
});
afterAll(async () => {
  await signal?.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function profile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-profile-'));
  folders.push(folder);
  return folder;
}

/** A browser that keeps its profile, as people's do. */
function launch(folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, {
    executablePath: chromiumPath(),
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: chromiumArgs(),
  });
}

async function openChat(context: BrowserContext, link: string | null, name: string): Promise<Page> {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(link ?? signal.origin);
  if (link === null) await page.getByTestId('home-create').click();
  await page.getByTestId('lobby-name').fill(name);
  await page.getByTestId('lobby-chat').click();
  await page.getByTestId('chat-input').waitFor();
  return page;
}

const texts = (page: Page): Promise<string[]> => page.getByTestId('chat-text').allInnerTexts();

/** Writes until something dies. @returns what the page has shown of it */
async function writeOn(page: Page, round: number, isOver: () => boolean): Promise<string[]> {
  const shown: string[] = [];
  for (let count = 0; !isOver() && count < 40; count++) {
    const text = `round ${round}, message ${count}`;
    try {
      await page.getByTestId('chat-input').fill(text, { timeout: 2000 });
      await page.getByTestId('chat-input').press('Enter', { timeout: 2000 });
      await page.getByTestId('chat-text').filter({ hasText: text }).first().waitFor({ timeout: 2000 });
    } catch {
      break;
    }
    shown.push(text);
  }
  return shown;
}

async function crash(context: BrowserContext): Promise<void> {
  const session = await context.browser()!.newBrowserCDPSession();
  // It never answers: it is gone.
  void session.send('Browser.crash').catch(() => undefined);
  await new Promise((resolve) => context.once('close', resolve));
}

test(
  `nothing that was shown is lost or doubled, with ${ROUNDS} kills`,
  async () => {
    const random = numbers(20);
    const folder = await profile();
    let context = await launch(folder);
    let page = await openChat(context, null, 'Anna');
    const link = page.url();
    const shown: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const what = round % 2 === 0 ? 'browser' : 'server';
      let isOver = false;
      const writing = writeOn(page, round, () => isOver);
      await new Promise((resolve) => setTimeout(resolve, random() * MOMENTS_MS));
      if (what === 'browser') await crash(context);
      else await signal.kill();
      isOver = true;
      shown.push(...(await writing));
      if (what === 'server') await signal.start();
      else {
        context = await launch(folder);
        page = await openChat(context, link, 'Anna');
      }
    }
    await page.getByTestId('chat-input').fill('the end');
    await page.getByTestId('chat-input').press('Enter');

    const reader = await launch(await profile());
    const other = await openChat(reader, link, 'Ben');
    await until(
      async () => (await texts(other)).includes('the end'),
      async () => `Ben reads the end; instead ${JSON.stringify((await texts(other)).slice(-5))}`,
    );
    expect(shown.length).toBeGreaterThan(ROUNDS);
    const count = await other.getByTestId('chat-list').getAttribute('aria-setsize');
    const exported = await read(other);
    expect(
      exported.filter((text, i) => exported.indexOf(text) !== i),
      `doubled of ${count}`,
    ).toEqual([]);
    expect(shown.filter((text) => !exported.includes(text))).toEqual([]);
    expect(await other.getByTestId('chat-alarm').count()).toBe(0);
    await Promise.all([context.close(), reader.close()]);
  },
  process.env['PARLEY_SOAK'] ? 1_800_000 : 120_000,
);

/** Everything, as the person exports it: the list shows only what is on the screen. */
async function read(page: Page): Promise<string[]> {
  const downloading = page.waitForEvent('download');
  await page.getByTestId('chat-menu').click();
  await page.getByTestId('chat-export-json').click();
  const stream = await (await downloading).createReadStream();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return (JSON.parse(Buffer.concat(chunks).toString()) as { text: string }[]).map(({ text }) => text);
}
