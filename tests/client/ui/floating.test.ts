/** The small window on top of other programs: Chromium opens a real one, headless too. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchBrowser, openContext } from '../../support/browser.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';

let fixtures: FixturePage;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  fixtures = await serveFixtures();
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await fixtures?.close();
});

beforeEach(async () => {
  const viewport = { width: 1280, height: 800 };
  ({ context } = await openContext(browser, { origin: fixtures.origin, viewport, reducedMotion: 'reduce' }));
  page = await context.newPage();
});

afterEach(() => context.close());

async function show(state: string): Promise<void> {
  await page.goto(`${fixtures.origin}/?state=${state}`);
  await page.getByTestId('meeting').waitFor();
}

describe('the small window on top of others', () => {
  const floats = (): Promise<boolean> => page.evaluate(() => document.pictureInPictureElement !== null);
  /** Whose picture is in it: the tile with the same track; 'screen' or 'nobody’s'. */
  const shown = (): Promise<string> =>
    page.evaluate(() => {
      const trackOf = (video: Element | null) =>
        video instanceof HTMLVideoElement && video.srcObject instanceof MediaStream
          ? video.srcObject.getVideoTracks()[0]
          : undefined;
      const track = trackOf(document.pictureInPictureElement);
      const videos = [...document.querySelectorAll('[data-testid=tile] video, [data-testid=screen] video')];
      const of = videos.find((video) => trackOf(video) === track)?.closest<HTMLElement>('[data-testid]');
      return of?.dataset['testid'] === 'screen' ? 'screen' : (of?.dataset['peer']?.replaceAll('_', '') ?? 'nobody’s');
    });
  const press = async (): Promise<void> => {
    await page.getByTestId('control-more').click();
    await page.getByTestId('more-float').click();
  };
  const changeTiles = (peer: string, change: object): Promise<void> =>
    page.evaluate(
      ({ peer, change }) => {
        type Fake = { view: { tiles: { peer: string; speaking: boolean }[] } };
        const fake = (window as unknown as { fakeMeeting: Fake }).fakeMeeting;
        const tiles = fake.view.tiles.map((tile) => (tile.peer.startsWith(`${peer}_`) ? { ...tile, ...change } : tile));
        fake.view = { ...fake.view, tiles };
      },
      { peer, change },
    );

  test('opens and closes from the menu, which says whether it is there', async () => {
    await show('live-3');
    await press();
    await expect.poll(floats).toBe(true);
    await page.getByTestId('control-more').click();
    expect(await page.getByTestId('more-float').getAttribute('aria-checked')).toBe('true');
    await page.getByTestId('more-float').click();
    await expect.poll(floats).toBe(false);
    await page.getByTestId('control-more').click();
    expect(await page.getByTestId('more-float').getAttribute('aria-checked')).toBe('false');
  });

  test('follows whoever speaks, and shows the name of who has no camera on', async () => {
    await show('live-3');
    await press();
    await expect.poll(floats).toBe(true);
    await changeTiles('peer2', { speaking: true });
    await expect.poll(shown).toBe('peer2');
    await changeTiles('peer2', { cameraOn: false });
    await expect.poll(shown).toBe('nobody’s');
    const hasPicture = () =>
      page.evaluate(() => (document.pictureInPictureElement as HTMLVideoElement | null)?.videoWidth);
    await expect.poll(hasPicture).toBe(640);
    expect(await floats()).toBe(true);
    await changeTiles('peer2', { cameraOn: true });
    await expect.poll(shown).toBe('peer2');
  });

  test('has the shared screen where there is one', async () => {
    await show('live-screen');
    await press();
    await expect.poll(floats).toBe(true);
    expect(await shown()).toBe('screen');
  });

  test('asks for the picture of who is in it, though another page is looked at', async () => {
    await show('live-49');
    await press();
    await expect.poll(floats).toBe(true);
    const who = await shown();
    await page.keyboard.press('PageDown');
    await page.locator(`[data-testid=tile][data-peer^=${who}_]`).waitFor({ state: 'detached' });
    const told = () => page.evaluate(() => window.calls.findLast(({ name }) => name === 'show')?.args[0]);
    await expect.poll(told).toContainEqual({ peer: who.padEnd(22, '_'), kind: 'camera', height: 240 });
  });

  test('ends with the meeting', async () => {
    await show('live-2');
    await press();
    await expect.poll(floats).toBe(true);
    await page.evaluate(() => {
      const fake = (window as unknown as { fakeMeeting: { view: object } }).fakeMeeting;
      fake.view = { at: 'closed', reason: 'left', title: null, rejoin: true, code: 'left', people: [] };
    });
    await expect.poll(floats).toBe(false);
  });

  test('that the browser refuses is said, and the menu does not say that it is there', async () => {
    await page.addInitScript(() => {
      HTMLVideoElement.prototype.requestPictureInPicture = () =>
        Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await show('live-2');
    await press();
    await page.getByText('did not open the small window').waitFor();
    await page.getByTestId('control-more').click();
    expect(await page.getByTestId('more-float').getAttribute('aria-checked')).toBe('false');
  });

  test('is not offered where a page cannot open one', async () => {
    await page.addInitScript(() => Reflect.deleteProperty(HTMLVideoElement.prototype, 'requestPictureInPicture'));
    await show('live-2');
    await page.getByTestId('control-more').click();
    await page.getByTestId('more-layout').waitFor();
    expect(await page.getByTestId('more-float').count()).toBe(0);
  });
});
