/**
 * The product's call for benches: everybody in one Chromium, as docs/benchmarks.md has it, each in a context of their own.
 *
 * Faces and voices are one film: benches count frames and times, the tests tell people apart.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Only } from '../../client/meeting/view.ts';
import { launchBrowser, openContext } from '../support/browser.ts';
import { cameraScript } from '../support/media/canvasCamera.ts';
import type { Film } from '../support/media/films.ts';
import { makeFilm } from '../support/media/films.ts';
import { probeScript } from '../support/probe.ts';
import { WORKER } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';
import { tapPage } from '../support/wiretap.ts';
import type { BareSite } from './bareSite.ts';
import { serveBareCall } from './bareSite.ts';

export const PERSON = 77;
/** In the order of joining. */
export const NAMES = ['Anna', 'Ben', 'Carla', 'Dan', 'Eve', 'Finn'] as const;

/** Browser, film, product and bare page, for as long as a bench runs. */
export interface Stage {
  readonly film: Film;
  readonly browser: Browser;
  readonly app: App;
  readonly bare: BareSite;
  /** Pages draw their camera themselves, and note when. */
  readonly canvasCamera: boolean;
  close(): Promise<void>;
}

/** @param options.relay there is one, for calls that are made to be at it */
export async function openStage({ canvasCamera = false, relay = false } = {}): Promise<Stage> {
  const film = makeFilm({ person: PERSON, tone: 440 });
  const [browser, app, bare] = await Promise.all([
    launchBrowser({ film }),
    serveApp(relay ? WITH_RELAY : {}),
    serveBareCall(),
  ]);
  return {
    film,
    browser,
    app,
    bare,
    canvasCamera,
    async close() {
      await browser.close();
      await Promise.all([app.close(), bare.close()]);
      film.close();
    },
  };
}

/** What playwright's and puppeteer's pages have in common, as far as it is used here. */
export interface AnyPage {
  goto(url: string): Promise<unknown>;
  url(): string;
  evaluate<R, A>(work: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
}

/** A call: its pages in the order of joining. `joins[i]` are the milliseconds from joining to each other's first picture. */
export interface Call {
  readonly pages: Page[];
  readonly joins: number[][];
  close(): Promise<void>;
}

export async function newPage({ browser, canvasCamera }: Stage): Promise<{ context: BrowserContext; page: Page }> {
  const { context } = await openContext(browser, { viewport: { width: 640, height: 480 } });
  await context.addInitScript({ content: probeScript() });
  if (canvasCamera) await context.addInitScript({ content: cameraScript(PERSON) });
  return { context, page: await context.newPage() };
}

/**
 * A call in the product.
 * @param options.tapped  whose wire is read (wiretap.ts), in the order of joining
 * @param options.only    the way that it is fixed to when it is made, whatever its size; for the relay the stage must have one
 */
export async function appCall(
  stage: Stage,
  count: number,
  { tapped = [], only }: { tapped?: readonly number[]; only?: Only } = {},
): Promise<Call> {
  const pages: Page[] = [];
  const joins: number[][] = [];
  let link = '';
  for (const [i, name] of NAMES.slice(0, count).entries()) {
    const { page } = await newPage(stage);
    if (tapped.includes(i)) await tapPage(page, WORKER, []);
    pages.push(page);
    if (i === 0) {
      await page.goto(stage.app.origin);
      await page.getByTestId('home-title').fill('Bench');
      if (only) {
        await page.getByTestId('home-options').click();
        await page.getByTestId(`way-${only}`).check();
      }
      await page.getByTestId('home-create').click();
      await page.getByTestId('lobby-join').waitFor();
      link = page.url();
    } else {
      await page.goto(link);
      await page.getByTestId('lobby-join').waitFor();
    }
    await page.getByTestId('lobby-name').fill(name);
    // Devices run and are shown before anybody clicks, as in the bare call.
    await page.waitForFunction(() => [...document.querySelectorAll('video')].some((video) => video.readyState >= 2));
    joins.push(await page.evaluate(joinAndWait, i));
  }
  return { pages, joins, close: () => closePages(pages) };
}

/** In the page: clicks, and answers when pictures of `others` people have been shown. */
export function joinAndWait(others: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${others} others were not seen within 30 s`)), 30_000);
    const shown = new Set<Element>();
    const times: number[] = [];
    const from = performance.now();
    const look = (): void => {
      for (const video of document.querySelectorAll<HTMLVideoElement>('[data-testid=tile][data-self=false] video')) {
        if (shown.has(video)) continue;
        shown.add(video);
        video.requestVideoFrameCallback(() => {
          times.push(performance.now() - from);
          if (times.length >= others) resolve(times);
        });
      }
      if (others === 0 && document.querySelector('[data-testid=tile][data-self=true]') !== null) resolve(times);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
    document.querySelector<HTMLElement>('[data-testid=lobby-join]')!.click();
  });
}

/** The same call without the product. */
export async function bareCallOf(stage: Stage, count: number, seal: boolean): Promise<Call> {
  stage.bare.reset();
  const pages: Page[] = [];
  const joins: number[][] = [];
  for (let i = 0; i < count; i++) {
    const { page } = await newPage(stage);
    pages.push(page);
    await page.goto(stage.bare.origin);
    joins.push(await page.evaluate((options) => bareCall.join(options), { hub: stage.bare.hub, seal }));
  }
  return { pages, joins, close: () => closePages(pages) };
}

/** Frames that this page has sealed for the relay so far: 0 in a mesh, where each is for one peer. */
export function sealedForRelay(page: Pick<AnyPage, 'evaluate'>): Promise<number> {
  return page.evaluate(
    () =>
      parleyProbe.transforms
        .filter((options) => options.side === 'send' && options.peer === null)
        .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
    null,
  );
}

export async function closePages(pages: readonly Page[]): Promise<void> {
  for (const page of pages) await page.context().close();
}

/** Pictures a second that page `i` shows of everybody else, the smallest of them, and whether all carry the film's number. */
export async function picturesOf(
  page: Pick<AnyPage, 'evaluate'>,
  ms: number,
): Promise<{ fps: number; others: number; strangers: number }> {
  return page.evaluate(
    async ({ ms, person }) => {
      const own =
        document.querySelector<HTMLVideoElement>('[data-testid=tile][data-self=true] video') ??
        document.querySelector('video');
      const videos = [...document.querySelectorAll('video')].filter((video) => video !== own);
      videos.forEach((video, i) => parleyReaders.watch(`bench ${i}`, video));
      await new Promise((resolve) => setTimeout(resolve, ms));
      const watches = videos.map((_, i) => parleyReaders.watched(`bench ${i}`));
      return {
        fps: Math.min(...watches.map(({ readings }) => (readings.length * 1000) / ms)),
        others: videos.length,
        strangers: watches.reduce(
          (sum, { readings }) => sum + readings.filter((reading) => reading.person !== person).length,
          0,
        ),
      };
    },
    { ms, person: PERSON },
  );
}
