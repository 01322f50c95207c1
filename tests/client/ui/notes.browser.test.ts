/** Shared notes when somebody writes: in real Chromium, under the product's policy, upon a document that goes nowhere. */
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
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

async function open(options: Parameters<typeof openContext>[1] = {}): Promise<void> {
  ({ context, watched } = await openContext(browser, {
    origin: fixtures.origin,
    viewport: { width: 1280, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    reducedMotion: 'reduce',
    ...options,
  }));
  page = await context.newPage();
  await page.goto(`${fixtures.origin}/?state=live-chat-talk`);
  await page.locator('#app > *').first().waitFor();
}

async function notes(options: Parameters<typeof openContext>[1] = {}): Promise<void> {
  await open(options);
  await page.getByTestId('control-more').click();
  await page.getByTestId('more-notes').click();
  await text().waitFor();
}

const text = () => page.getByTestId('notes-text');
const html = (): Promise<string> => text().innerHTML();
const calls = (name: string): Promise<unknown[]> =>
  page.evaluate((wanted) => window.calls.filter((call) => call.name === wanted).map((call) => call.args), name);
const toolWithFocus = (): Promise<string | undefined> =>
  page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['testid']);
const saved = async (): Promise<string> => {
  const download = page.waitForEvent('download');
  await page.getByTestId('notes-export').click();
  return readFileSync(await (await download).path(), 'utf8');
};

test('is written by keys alone: headings, lists, checks, marks, and it is saved as Markdown', async () => {
  await open();
  await page.keyboard.press('n');
  await text().focus();
  await page.keyboard.type('# Plan\nfirst ');
  await page.keyboard.press('Control+b');
  await page.keyboard.type('bold');
  await page.keyboard.press('Control+b');
  await page.keyboard.type('\n- one\ntwo\n\n[] buy 2*3 cakes\n');
  await page.keyboard.press('Control+Enter');
  await page.keyboard.type('done');
  expect(await html()).toMatch(/<h3>Plan<\/h3>.*<strong>bold<\/strong>.*<ul><li><p>one<\/p><\/li><li><p>two<\/p>/s);
  expect(await saved()).toBe('# Plan\n\nfirst **bold**\n\n- one\n- two\n\n- [ ] buy 2\\*3 cakes\n- [x] done\n');
  await page.getByTestId('notes-copy').click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('# Plan');
  // Undone is what one did oneself, not what came meanwhile.
  await page.evaluate(() => window.fakeChat.notes.arrive([{ name: 'paragraph', text: 'from another' }]));
  for (let i = 0; i < 12; i++) await page.keyboard.press('Control+z');
  expect(await text().innerText()).toMatch(/^\s*from another\s*$/);
  expect(await faultsOf(page)).toEqual([]);
  expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
});

test('the tools are one stop of the Tab key, arrows go between them, and each says whether it holds', async () => {
  await notes();
  await text().click();
  await page.keyboard.type('words');
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Shift+Tab');
  expect(await toolWithFocus()).toBe('notes-title');
  for (const key of ['ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  expect(await toolWithFocus()).toBe('notes-strong');
  await page.keyboard.press('Enter');
  expect(await html()).toContain('<strong>words</strong>');
  expect(await page.getByTestId('notes-strong').getAttribute('aria-pressed')).toBe('true');
  await page.getByTestId('notes-em').focus();
  await page.keyboard.press('End');
  expect(await toolWithFocus()).toBe('notes-redo');
  // A link is set by an address that may be followed, and by no other.
  await page.getByTestId('notes-link').click();
  await page.getByTestId('notes-address').fill('javascript:window.broken=1');
  await page.keyboard.press('Enter');
  await page.getByText('An address begins with').waitFor();
  await page.getByTestId('notes-address').fill('https://example.org/');
  await page.keyboard.press('Enter');
  expect(await html()).toContain('rel="noopener noreferrer nofollow"');
  expect(await calls('notes.moved')).toContainEqual(['there']);
  expect(await faultsOf(page)).toEqual([]);
});

test('signs of Markdown become marks and addresses become links as one types and pastes; Backspace takes that back, and nothing is fetched', async () => {
  await notes();
  await text().click();
  await page.keyboard.type('a **bold** b *it* c `code` d ~~gone~~ e https://example.org/a, f');
  const drawn = await html();
  for (const part of [
    'a <strong>bold</strong> b <em>it</em> c <code>code</code> d <s>gone</s> e <a href="https://example.org/a"',
    '</a>, f',
  ])
    expect(drawn).toContain(part);
  await page.keyboard.press('Enter');
  await page.keyboard.type('**no**');
  await page.keyboard.press('Backspace');
  expect(await text().locator('p').last().innerHTML()).toBe('**no**');
  await page.keyboard.press('Enter');
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData('text/plain', 'see https://example.org/b.\njavascript:alert(1) or (mailto:ada@example.org)');
    const target = document.querySelector('[data-testid="notes-text"]')!;
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  expect(
    await text()
      .locator('a')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href'))),
  ).toEqual(['https://example.org/a', 'https://example.org/b', 'mailto:ada@example.org']);
  expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });

  // A click into it sets the cursor: where it leads is said below, where a finger can open it, too. It can be taken off, and be another.
  await text().locator('a').first().click();
  const link = page.getByTestId('notes-link-here').getByRole('link');
  expect(await link.getAttribute('href')).toBe('https://example.org/a');
  expect(await link.getAttribute('rel')).toBe('noopener noreferrer nofollow');
  await page.getByTestId('notes-link').click();
  await page.getByTestId('notes-address').fill('https://example.org/c');
  await page.keyboard.press('Enter');
  expect(await html()).toContain(
    '<a href="https://example.org/c" target="_blank" rel="noopener noreferrer nofollow">https://example.org/a</a>, f',
  );
  expect(await faultsOf(page)).toEqual([]);
  await page.getByTestId('notes-unlink').click();
  expect(await html()).toContain('e https://example.org/a, f');
  expect(await page.getByTestId('notes-link-here').count()).toBe(0);
  expect(context.pages()).toHaveLength(1);
});

test('nothing that is pasted or comes from others runs, loads or styles anything', async () => {
  await notes();
  await text().click();
  const evil = [
    '<img src="https://example.org/x.png" onerror="window.broken=1">',
    '<script>window.broken=1</script><style>*{display:none}</style>',
    '<a href="javascript:window.broken=1">one</a><a href="https://example.org" onclick="window.broken=1" style="position:fixed">two</a>',
    '<iframe src="https://example.org"></iframe><svg onload="window.broken=1"></svg><h1 onmouseover="window.broken=1">head</h1>',
  ].join('');
  await page.evaluate((given) => {
    const data = new DataTransfer();
    data.setData('text/html', given);
    const target = document.querySelector('[data-testid="notes-text"]')!;
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, evil);
  await page.evaluate(() =>
    window.fakeChat.notes.arrive([
      { name: 'heading', text: 'large', attributes: { level: '1><script>window.broken=1</script>' } },
      { name: 'paragraph', text: '<img src=x onerror="window.broken=1">' },
      { name: 'paragraph', text: 'three', marks: { link: { href: 'javascript:window.broken=1', onclick: 'evil()' } } },
      { name: 'paragraph', text: 'four', attributes: { style: 'position:fixed', onclick: 'window.broken=1' } },
    ]),
  );
  await page.getByText('four').waitFor();
  const drawn = await html();
  expect(drawn).not.toMatch(
    /javascript:|<img(?! class="ProseMirror)|<script|<iframe|<svg|onclick=|onload=|onmouseover=|style=/,
  );
  expect(drawn).toContain('&lt;img src=x');
  for (const word of ['one', 'two', 'three', 'head', 'large']) await text().getByText(word).first().click();
  expect(await page.evaluate(() => window.broken)).toBeUndefined();
  // What is pasted is read in a document apart: what would run or style there is refused by the policy, and reaches none that is shown.
  expect({ ...watched, cspViolations: [] }).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
  expect(context.pages()).toHaveLength(1);
  // What is far too long is not taken in, and that is said.
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData('text/plain', 'x'.repeat(70_000));
    const target = document.querySelector('[data-testid="notes-text"]')!;
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await page.getByTestId('notes-too-long').waitFor();
});

test('others’ cursors are shown by name, what is new has a dot, and what is lacking is said and shared', async () => {
  await open();
  await page.evaluate(() => {
    window.fakeChat.notes.arrive([{ name: 'paragraph', text: 'hello all' }]);
    window.fakeChat.notes.change({ hasNew: true, lastBy: 'Grace Hopper', lacking: ['Alan Turing'] });
  });
  await page.getByRole('button', { name: 'The shared notes have changed' }).click();
  await page.getByTestId('more-notes').click();
  await page.getByText('hello all').waitFor();
  expect(await calls('notes.looked')).toHaveLength(1);
  await page.evaluate(() => {
    // Yjs's relative position: at the end of the notes (by the name of its type).
    const end = Uint8Array.from([1, 5, ...new TextEncoder().encode('notes'), 0]);
    const cursor = { id: 'g', name: '<b>Grace</b>', colour: 2, from: end, to: end };
    window.fakeChat.notes.change({ cursors: [cursor] });
  });
  expect(await page.locator('.notes-caret').innerText()).toBe('<b>Grace</b>');
  await page.getByText('Alan Turing').waitFor();
  await page.getByTestId('notes-share').click();
  expect(await calls('notes.copy')).toEqual([['0']]);
  await page.evaluate(() => window.fakeChat.notes.former('what was before'));
  await page.getByTestId('notes-pages').selectOption('1');
  await page.getByText('what was before').waitFor();
  expect(await text().getAttribute('contenteditable')).toBe('false');
  expect(await page.getByTestId('notes-tools').count()).toBe(0);
  expect(await faultsOf(page)).toEqual([]);
});

test('on a phone it is a sheet over all, and its tools are large enough', async () => {
  await notes({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await text().tap();
  await page.keyboard.type('# On the way');
  const box = (await page.getByTestId('notes-strong').boundingBox())!;
  expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(44);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  expect(await faultsOf(page)).toEqual([]);
});
