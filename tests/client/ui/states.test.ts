/**
 * Every state of every screen in real Chromium, under the product's content security policy: light on a desktop, dark on a phone.
 *
 * `PARLEY_SCREENSHOTS=FOLDER` keeps a picture of each, for eyes.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openContext, type Watched } from '../../support/browser.ts';
import { faultsOf } from './axe.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';
import { stateNames } from './fixtures/stateNames.ts';

const screenshots = process.env['PARLEY_SCREENSHOTS'];

const LOOKS = [
  { look: 'light desktop', colorScheme: 'light', viewport: { width: 1280, height: 800 }, isMobile: false },
  { look: 'dark phone', colorScheme: 'dark', viewport: { width: 390, height: 844 }, isMobile: true },
] as const;

/** What is clicked in each state of such a name, and what is there then; a skeleton where the state is that. */
const OPENS = [
  { state: /^live-chat-/, clicks: ['control-chat'], shows: '[data-testid=chat-list], [data-testid=chat-empty]' },
  { state: /^live-notes-/, clicks: ['control-more', 'more-notes'], shows: '[data-testid=notes-text]' },
  { state: /^lobby-chat$/, clicks: ['lobby-chat'], shows: '[data-testid=chat-list]' },
  { state: /^lobby-reading$/, clicks: [], shows: '[data-testid=chat-list]' },
];

/** Things that a state shows only after more clicks: test ids, or selectors. */
const OPENED: Record<string, string[]> = {
  'home options': ['home-options', 'way-relay', 'terms-hours'],
  'home-no-relay options': ['home-options', 'way-mesh'],
  'live-relay-only verify': ['lock'],
  'live-9 layout': ['control-more', 'more-layout'],
  'live-9 statistics': ['control-more', 'more-statistics'],
  'live-host people': ['control-people'],
  'live-chat-talk menu': ['chat-menu'],
  'live-chat-talk terms': ['chat-menu', 'chat-terms-open'],
  'live-chat-host terms': ['chat-menu', 'chat-terms-open'],
  'live-chat-talk search': ['chat-search-open'],
  'live-notes-text link': ['[data-testid=notes-text] a'],
  'live-notes-text address': ['[data-testid=notes-text] a', 'notes-link'],
  'live-host verify': ['lock'],
  'live-host more': ['control-more'],
  'live-host remove': ['control-people', 'people-remove'],
};

let fixtures: FixturePage;
let browser: Browser;

beforeAll(async () => {
  fixtures = await serveFixtures();
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await fixtures?.close();
});

/**
 * Buttons, fields and links that a finger can miss: less than 44 px high, or narrow. Links within what somebody wrote are exempt: they
 * are as high as their line (WCAG 2.2, 2.5.8).
 */
async function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, select, input, summary, a[href], [role="menuitem"]')]
      .filter(
        (element) =>
          !(
            element.matches('[data-testid=chat-text] a, [data-testid=notes-text] a') &&
            getComputedStyle(element).display === 'inline'
          ),
      )
      // A label around its field is the target.
      .map((element) => ({ element, box: (element.closest('label') ?? element).getBoundingClientRect() }))
      .filter(
        ({ element, box }) => box.width > 0 && element.checkVisibility() && Math.min(box.width, box.height) < 43.5,
      )
      .map(
        ({ element, box }) => `${element.outerHTML.slice(0, 100)} is ${box.width.toFixed()}×${box.height.toFixed()}`,
      ),
  );
}

test('every state has its picture', async () => {
  const page = await browser.newPage();
  await page.goto(fixtures.origin);
  expect((await page.getByRole('link').allTextContents()).sort()).toEqual([...stateNames].sort());
  await page.close();
});

describe.each(LOOKS)('$look', ({ look, colorScheme, viewport, isMobile }) => {
  let page: Page;
  let watched: Watched;

  beforeAll(async () => {
    const opened = await openContext(browser, {
      origin: fixtures.origin,
      colorScheme,
      viewport,
      isMobile,
      hasTouch: isMobile,
      reducedMotion: 'reduce',
    });
    watched = opened.watched;
    page = await opened.context.newPage();
  });

  afterAll(() => page?.context().close());

  test.each([...stateNames, ...Object.keys(OPENED)])('%s: readable, reachable, within its bounds', async (name) => {
    Object.assign(watched, { consoleErrors: [], cspViolations: [], outsideRequests: [] } satisfies Watched);
    const [state, ...rest] = name.split(' ');
    // The same page for all: to load it anew for each would be half of the time.
    if (page.url().startsWith(fixtures.origin)) await page.evaluate((name) => window.showState(name), state!);
    else await page.goto(`${fixtures.origin}/?state=${state}`);
    await page.locator('#app > *').first().waitFor();
    if (state!.startsWith('live')) await page.getByTestId('meeting').waitFor();
    const opens = OPENS.find((one) => one.state.test(state!));
    const click = (id: string) =>
      page
        .locator(id.startsWith('[') ? id : `[data-testid=${id}]`)
        .first()
        .click();
    for (const id of opens?.clicks ?? []) await click(id);
    if (opens && !state!.endsWith('-opening')) await page.locator(opens.shows).waitFor();
    // Messages are hidden until they have been measured, and take no focus before that.
    if ((await page.getByTestId('chat-list').count()) > 0)
      await page.locator('[data-testid=chat-list] [tabindex="0"]').last().waitFor();
    for (const id of rest.length > 0 ? OPENED[name]! : []) await click(id);
    await page.evaluate(() => document.fonts.ready);

    if (screenshots) await page.screenshot({ path: join(screenshots, `${name} ${look}.png`.replaceAll(' ', '_')) });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    if (isMobile) expect(await smallTargets(page)).toEqual([]);
    // Before axe, which is a guest here and keeps to no policy.
    expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
    expect(await faultsOf(page)).toEqual([]);
  });
});

describe('for other eyes and other hands', () => {
  const open = async (query: string, options: Parameters<typeof openContext>[1] = {}): Promise<Page> => {
    const { context } = await openContext(browser, {
      origin: fixtures.origin,
      viewport: { width: 1280, height: 800 },
      reducedMotion: 'reduce',
      ...options,
    });
    const page = await context.newPage();
    await page.goto(`${fixtures.origin}/?state=${query}`);
    await page.locator('#app > *').first().waitFor();
    return page;
  };

  test('forced colours leave the level meter two kinds of bars, and whatever is pressed its edge', async () => {
    const page = await open('lobby', { forcedColors: 'active' });
    const colours = await page
      .locator('.meter .bar')
      .evaluateAll((bars) => bars.map((bar) => getComputedStyle(bar).backgroundColor));
    expect(new Set(colours).size).toBe(2);
    const ground = await page.locator('.meter').evaluate((meter) => getComputedStyle(meter).backgroundColor);
    expect(colours).not.toContain(ground);
    if (screenshots) await page.screenshot({ path: join(screenshots, 'lobby_forced_colours.png') });
    await page.context().close();
  });

  test('written from the right: the own picture floats away from the name, and nothing leaves the page', async () => {
    for (const state of ['live-2', 'lobby', 'home-known', 'live-screen']) {
      const page = await open(`${state}&dir=rtl`);
      if (screenshots) await page.screenshot({ path: join(screenshots, `${state}_rtl.png`) });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), state).toBeLessThanOrEqual(
        0,
      );
      if (state === 'live-2') {
        const self = (await page.locator('[data-testid=tile][data-self=true]').boundingBox())!;
        const name = (await page.locator('[data-testid=tile][data-self=false] .name').boundingBox())!;
        expect(self.x + self.width).toBeLessThan(name.x);
      }
      await page.context().close();
    }
  });

  test('forced colours leave an alarm its edge, and a pressed tool its mark', async () => {
    const page = await open('live-chat-alarms', { forcedColors: 'active' });
    await page.getByTestId('control-chat').click();
    const edge = await page
      .getByTestId('chat-alarm')
      .first()
      .evaluate((alarm) => getComputedStyle(alarm).borderTopColor);
    expect(edge).not.toBe('rgba(0, 0, 0, 0)');
    await page.evaluate(() => window.showState('live-notes-text'));
    await page.getByTestId('control-more').click();
    await page.getByTestId('more-notes').click();
    const title = page.getByTestId('notes-title');
    await expect.poll(() => title.evaluate((tool) => getComputedStyle(tool).outlineStyle)).toBe('solid');
    await page.context().close();
  });

  test(
    'on the narrowest phone, and with letters twice as large, nothing leaves the page',
    { timeout: 60_000 },
    async () => {
      for (const [width, letters] of [
        [320, '100%'],
        [640, '200%'],
      ] as const) {
        const page = await open('lobby', { viewport: { width, height: 700 } });
        await page.evaluate((size) => (document.documentElement.style.fontSize = size), letters);
        for (const state of [
          'lobby',
          'home-known',
          'closed-left',
          'live-chat-talk',
          'live-chat-staged',
          'live-notes-text',
        ]) {
          await page.evaluate((name) => window.showState(name), state);
          await page.locator('#app > *').first().waitFor();
          const opens = OPENS.find((one) => one.state.test(state));
          for (const id of opens?.clicks ?? []) await page.getByTestId(id).first().click();
          if (opens) await page.locator(opens.shows).waitFor();
          if (state === 'lobby') await page.getByTestId('lobby-chat').waitFor();
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect(over, `${state} at ${width} px, ${letters}`).toBeLessThanOrEqual(0);
        }
        await page.context().close();
      }
    },
  );

  test('a phone’s keyboard covers nothing of a sheet, also where the page is not told', async () => {
    const page = await open('live-chat-talk', {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
    // Safari's: the page stays as high as it is, and what is seen of it is less.
    await page.evaluate(() => {
      const seen = Object.assign(new EventTarget(), { scale: 1, height: innerHeight, offsetTop: 0 });
      Object.defineProperty(window, 'visualViewport', { value: seen });
    });
    await page.getByTestId('control-chat').click();
    await page.getByTestId('chat-input').waitFor();
    const keyboard = (height: number, offsetTop: number, scale = 1) =>
      page.evaluate(
        (now) => {
          Object.assign(visualViewport!, now);
          visualViewport!.dispatchEvent(new Event('resize'));
          const { top, bottom } = document.querySelector('[data-testid=chat-sheet]')!.getBoundingClientRect();
          return [top, bottom];
        },
        { height, offsetTop, scale },
      );
    expect(await keyboard(430, 120)).toEqual([120, 550]);
    expect((await page.getByTestId('chat-input').boundingBox())!.y).toBeLessThan(550);
    expect(await keyboard(844, 0)).toEqual([0, 844]);
    // Magnified by two fingers it stays whole.
    expect(await keyboard(430, 120, 2)).toEqual([0, 844]);
    await page.context().close();
  });

  test('a long name ends before the own picture begins', async () => {
    const page = await open('live-long-name', { viewport: { width: 390, height: 844 } });
    const self = (await page.locator('[data-testid=tile][data-self=true]').boundingBox())!;
    const name = (await page.locator('[data-testid=tile][data-self=false] .name').boundingBox())!;
    expect(name.x + name.width).toBeLessThanOrEqual(self.x);
    await page.context().close();
  });

  test('a German browser reads times in the language of the words around them', async () => {
    const page = await open('home-known', { locale: 'de-DE' });
    await page.getByText('last opened 1 hour ago').waitFor();
    expect(await page.locator('main').textContent()).not.toContain('vor ');
    await page.context().close();
  });
});
