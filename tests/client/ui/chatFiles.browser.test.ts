/** Files in the chat when somebody uses them: chosen, pasted, dropped, taken back; shown, looked at, saved. Nothing is fetched unasked. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openContext, type Watched } from '../../support/browser.ts';
import { faultsOf } from './axe.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';

let fixtures: FixturePage;
let browser: Browser;
let context: BrowserContext;
let watched: Watched;
let page: Page;

beforeAll(async () => {
  fixtures = await serveFixtures();
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await fixtures?.close();
});
afterEach(() => context?.close());

async function chat(name: string, options: Parameters<typeof openContext>[1] = {}): Promise<void> {
  ({ context, watched } = await openContext(browser, {
    origin: fixtures.origin,
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    acceptDownloads: true,
    ...options,
  }));
  page = await context.newPage();
  await page.goto(`${fixtures.origin}/?state=live-chat-${name}`);
  await page.getByTestId('control-chat').click();
  await page.getByTestId('chat-input').waitFor();
}

const calls = (name: string): Promise<unknown[][]> =>
  page.evaluate((wanted) => window.calls.filter((call) => call.name === wanted).map((call) => call.args), name);
const staged = () => page.getByTestId('chat-staged');
const textFile = (name: string, size = 5) => ({ name, mimeType: 'text/plain', buffer: Buffer.alloc(size, 'a') });
const messageOf = (id: string) => page.locator(`[data-key="${id}"]`);

/** As a browser says it: a paste or a drop of files. */
async function give(kind: 'paste' | 'drop', name: string, text?: string): Promise<void> {
  await page.evaluate(
    ([what, called, words]) => {
      const data = new DataTransfer();
      data.items.add(new File(['content'], called!, { type: 'image/png' }));
      if (words !== undefined) data.setData('text/plain', words);
      const field = document.querySelector('[data-testid=chat-input]')!;
      if (what === 'paste') {
        field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        return;
      }
      const list = document.querySelector('[data-testid=chat-list]')!;
      for (const type of ['dragenter', 'dragover', 'drop'])
        list.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    [kind, name, text] as const,
  );
}

describe('a file is attached', () => {
  test('by the button, by paste and by drop, and goes with the message, also without words', async () => {
    await chat('talk');
    const choosing = page.waitForEvent('filechooser');
    await page.getByTestId('chat-attach').click();
    await (await choosing).setFiles([textFile('one.txt'), textFile('two.txt')]);
    await give('paste', 'pasted.png');
    await give('drop', 'dropped.png');
    await expect.poll(() => staged().count()).toBe(4);
    expect((await calls('chat.attach')).flat(2)).toMatchObject(
      ['one.txt', 'two.txt', 'pasted.png', 'dropped.png'].map((name) => ({ name })),
    );
    // What is pasted with words of its own is words.
    await give('paste', 'of-a-table.png', 'the table');
    await page.getByRole('button', { name: 'Remove two.txt' }).click();
    await expect.poll(() => staged().count()).toBe(3);
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid')))
      .toBe('chat-input');
    expect(await page.getByTestId('chat-send').getAttribute('aria-disabled')).toBe('false');
    await page.keyboard.press('Enter');
    await expect.poll(() => staged().count()).toBe(0);
    expect(await calls('chat.send')).toEqual([[{ text: '', replyTo: null, to: null }]]);
    expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
  });

  test('while some are over the chat it says so, and what is no file is left to the browser', async () => {
    await chat('talk');
    const drag = (type: string, what: 'Files' | 'text/plain') =>
      page.evaluate(
        ([kind, holds]) => {
          const data = new DataTransfer();
          if (holds === 'Files') data.items.add(new File(['x'], 'x'));
          else data.setData('text/plain', 'x');
          const event = new DragEvent(kind!, { dataTransfer: data, bubbles: true, cancelable: true });
          document.querySelector('[data-testid=chat-list]')!.dispatchEvent(event);
          return event.defaultPrevented;
        },
        [type, what] as const,
      );
    await drag('dragenter', 'text/plain');
    expect(await page.getByTestId('chat-drop-over').count()).toBe(0);
    expect(await drag('dragover', 'text/plain')).toBe(false);
    await drag('dragenter', 'Files');
    await page.getByTestId('chat-drop-over').waitFor();
    expect(await drag('dragover', 'Files')).toBe(true);
    await drag('dragleave', 'Files');
    await expect.poll(() => page.getByTestId('chat-drop-over').count()).toBe(0);
  });

  test('up to eight, and those that were left are told', async () => {
    await chat('talk');
    await page
      .getByTestId('chat-attach-input')
      .setInputFiles(Array.from({ length: 9 }, (_, i) => textFile(`${i}.txt`)));
    await page.getByTestId('chat-too-many').waitFor();
    expect(await staged().count()).toBe(8);
  });

  test('each with its state in words; what failed is tried again or taken back before anything is sent', async () => {
    await chat('staged');
    const box = page.locator('form');
    const states = await box.getByTestId('chat-staged-state').allInnerTexts();
    expect(states.join('|')).toMatch(
      /Ready to send\|.*42.*%\|No connection.*\| ?Larger than 100 MB.*\| ?The server has no more room/,
    );
    await page.getByTestId('chat-input').fill('words');
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toEqual([]);
    // What is too large stays so: there is nothing to try.
    await expect.poll(() => box.getByTestId('chat-staged-retry').count()).toBe(1);
    await box.getByTestId('chat-staged-retry').click();
    expect(await calls('chat.resend')).toEqual([['full']]);
    for (const name of ['recording of the whole day.mov', 'archive.zip'])
      await page.getByRole('button', { name: `Remove ${name}` }).click();
    await page.getByTestId('chat-original').first().click();
    expect(await calls('chat.asOriginal')).toEqual([['photo', true]]);
    await page.getByTestId('chat-outgoing-retry').click();
    await page.getByTestId('chat-outgoing-stop').first().click();
    expect([...(await calls('chat.resend')), ...(await calls('chat.giveUp'))]).toEqual([
      ['full'],
      ['stuck'],
      ['leaving'],
    ]);
    await page.getByTestId('chat-input').press('Enter');
    expect((await calls('chat.send')).length).toBe(1);
  });
});

describe('a file that came', () => {
  test('is not fetched before somebody asks; a picture is shown whole then, and Escape closes it', async () => {
    await chat('files');
    await page.getByTestId('chat-picture').first().waitFor();
    await page.waitForTimeout(200);
    expect(await calls('chat.fetchFile')).toEqual([]);
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(8, 6);
      canvas.getContext('2d')!.fillRect(0, 0, 8, 6);
      window.fakeChat.content = await canvas.convertToBlob({ type: 'image/png' });
    });
    const picture = messageOf('shots').getByTestId('chat-picture').first();
    await picture.focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('chat-viewer-whole').waitFor();
    expect(await calls('chat.fetchFile')).toEqual([['shots', 0]]);
    expect(await page.getByTestId('chat-viewer-whole').getAttribute('src')).toMatch(/^blob:/);
    expect(await page.getByTestId('chat-viewer').getByRole('heading').innerText()).toBe('harbour.jpg');
    expect(await faultsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByTestId('chat-viewer').count()).toBe(0);
    // The chat is still open, and the focus where it was.
    await page.getByTestId('chat-input').waitFor();
    await expect.poll(() => picture.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(watched.outsideRequests).toEqual([]);
  });

  test('says why it does not come, is called off, and is no picture where it is none', async () => {
    await chat('files');
    const picture = messageOf('shots').getByTestId('chat-picture').last();
    await page.evaluate(() => (window.fakeChat.content = 'gone'));
    await picture.click();
    await page.getByText('It is not on the server any more.').waitFor();
    await page.evaluate(
      () => (window.fakeChat.content = new Blob(['<script>window.broken=1</script>'], { type: 'image/png' })),
    );
    await page.getByTestId('chat-viewer-retry').click();
    await page.getByText('This cannot be shown as a picture. You can save it.').waitFor();
    await page.getByTestId('chat-viewer-close').click();
    await page.evaluate(() => (window.fakeChat.content = null));
    const line = messageOf('contract').getByTestId('chat-file').first();
    await line.getByTestId('chat-file-save').click();
    await line.getByText('Fetching, 40').waitFor();
    await line.getByTestId('chat-file-cancel').click();
    await line.getByText('1.8 MB').waitFor();
    await page.evaluate(() => (window.fakeChat.content = 'forged'));
    await line.getByTestId('chat-file-save').click();
    await line.getByText('What the server gave is not what was sent.').waitFor();
    expect(await page.evaluate(() => window.broken)).toBeUndefined();
  });

  test('is saved as a file, never opened, whatever it is and is called', async () => {
    await chat('hostile');
    await page.getByTestId('chat-list').evaluate((list) => (list.scrollTop = 0));
    const lines = page.getByTestId('chat-file');
    await lines.first().waitFor();
    const names = await lines.locator('.name').allInnerTexts();
    expect(names.join('|')).toContain('photogpj.exe');
    expect(names.join('|')).not.toMatch(/[\u202d\u202e/\\]/);
    await page.evaluate(
      () => (window.fakeChat.content = new Blob(['<script>window.broken=1</script>'], { type: 'text/html' })),
    );
    for (let index = 0; index < 4; index++) {
      const saving = page.waitForEvent('download');
      await lines.nth(index).getByTestId('chat-file-save').click();
      const download = await saving;
      expect(download.suggestedFilename()).not.toMatch(/[<>/\\"\u202e]/);
      expect(download.url()).toMatch(/^blob:/);
    }
    expect(context.pages().length).toBe(1);
    expect(await page.evaluate(() => window.broken)).toBeUndefined();
    expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
  });
});
