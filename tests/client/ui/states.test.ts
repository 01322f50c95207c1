/**
 * Every state of every screen in real Chromium, under the product's content security policy: light on a desktop, dark on a phone.
 *
 * `PARLEY_SCREENSHOTS=FOLDER` keeps a picture of each, for eyes.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openContext, type Watched } from '../../support/browser.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';
import { stateNames } from './fixtures/stateNames.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = process.env['PARLEY_SCREENSHOTS'];

const LOOKS = [
  { look: 'light desktop', colorScheme: 'light', viewport: { width: 1280, height: 800 }, isMobile: false },
  { look: 'dark phone', colorScheme: 'dark', viewport: { width: 390, height: 844 }, isMobile: true },
] as const;

/** Things that a state shows only after a click. */
const OPENED: Record<string, string[]> = {
  'live-host people': ['control-people'],
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

/** Serious findings, each as one readable line. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const results = await page.evaluate(
    () => (window as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run() as Promise<AxeResults>,
  );
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.any[0]?.message ?? ''})`),
    );
}

/** Buttons, fields and links that a finger can miss: less than 44 px high, or narrow. Words within text are exempt. */
async function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, select, input, summary, a[href], [role="menuitem"]')]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
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
    await page.goto(`${fixtures.origin}/?state=${state}`);
    await page.locator('#app > *').first().waitFor();
    if (state!.startsWith('live')) await page.getByTestId('meeting').waitFor();
    for (const id of rest.length > 0 ? OPENED[name]! : []) await page.getByTestId(id).first().click();
    await page.evaluate(() => document.fonts.ready);

    if (screenshots) await page.screenshot({ path: join(screenshots, `${name} ${look}.png`.replaceAll(' ', '_')) });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    if (isMobile) expect(await smallTargets(page)).toEqual([]);
    // Before axe, which is a guest here and keeps to no policy.
    expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
    expect(await seriousFaults(page)).toEqual([]);
  });
});
