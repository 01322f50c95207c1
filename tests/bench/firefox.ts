/**
 * Row 24: Firefox with Firefox, and Firefox with Chromium, in calls of two, against the bare call in the same browsers.
 *
 * The targets are those of rows 4 and 5, × 1.3. In a network namespace (tests/support/namespace.ts); needs root.
 */
import { launchBrowser, openContext } from '../support/browser.ts';
import { launchFirefox } from '../support/firefox.ts';
import { cameraScript } from '../support/media/canvasCamera.ts';
import { makeFilm } from '../support/media/films.ts';
import { readerScript } from '../support/media/readers.ts';
import { createNamespace, whyNoNamespace } from '../support/namespace.ts';
import { probeScript } from '../support/probe.ts';
import { serveApp } from '../support/servedApp.ts';
import type { AnyPage } from './appCall.ts';
import { PERSON, joinAndWait, picturesOf } from './appCall.ts';
import { serveBareCall } from './bareSite.ts';
import { latencies } from './calls.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, interleave, median, quantile } from './measure.ts';

type BrowserName = 'Firefox' | 'Chromium';

interface Result {
  /** Milliseconds to the first picture, of each call. */
  firsts: number[];
  latency: number;
  fps: number;
}

/** Waits in the page until an element is there. */
async function appears(page: AnyPage, selector: string): Promise<void> {
  await page.evaluate(async (selector) => {
    const end = performance.now() + 30_000;
    while (document.querySelector(selector) === null) {
      if (performance.now() > end) throw new Error(`${selector} never came`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }, selector);
}

async function enterApp(page: AnyPage, url: string, name: string, others: number): Promise<number[]> {
  await page.goto(url);
  if (others === 0) {
    await appears(page, '[data-testid=home-create]');
    await page.evaluate(
      (testId) => document.querySelector<HTMLElement>(`[data-testid=${testId}]`)!.click(),
      'home-create',
    );
  }
  await appears(page, '[data-testid=lobby-join]');
  await page.evaluate(async (name) => {
    const input = document.querySelector<HTMLInputElement>('[data-testid=lobby-name]')!;
    input.value = name;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    while (![...document.querySelectorAll('video')].some(({ readyState }) => readyState >= 2)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }, name);
  return page.evaluate(joinAndWait, others);
}

export const firefox: Bench = {
  row: 24,
  name: 'firefox',
  title: 'Firefox, and Firefox with Chromium, in one call of two',
  async run({ rounds, quick, say }) {
    const why = whyNoNamespace();
    if (why !== null) throw new Error(why);
    const film = makeFilm({ person: PERSON, tone: 440, frames: 60 });
    const [app, bare, network] = await Promise.all([serveApp(), serveBareCall(), createNamespace()]);
    const figures: Figure[] = [];
    for (const url of [app.origin, bare.origin, bare.hub]) await network.bringIn(Number(new URL(url).port));
    const chromium = await launchBrowser({ film, within: network });
    const fox = await launchFirefox(network, 440);

    async function newPage(name: BrowserName): Promise<{ page: AnyPage; close: () => Promise<void> }> {
      if (name === 'Chromium') {
        const { context } = await openContext(chromium);
        await context.addInitScript({ content: probeScript() });
        await context.addInitScript({ content: cameraScript(PERSON) });
        return { page: (await context.newPage()) as AnyPage, close: () => context.close() };
      }
      const context = await fox.browser.createBrowserContext();
      const page = await context.newPage({ type: 'window' });
      for (const script of [readerScript, probeScript(), cameraScript(PERSON)])
        await page.evaluateOnNewDocument(script);
      return { page: page as unknown as AnyPage, close: () => context.close() };
    }

    type Kind = 'app' | 'bare';

    /** One call: how long the second one waited for the first picture, and whatever `work` finds in it. */
    async function inCall<T>(
      kind: Kind,
      browsers: readonly BrowserName[],
      work: (pages: AnyPage[]) => Promise<T>,
    ): Promise<{ first: number; found: T }> {
      bare.reset();
      const opened = [];
      try {
        let link = app.origin;
        let first = NaN;
        for (const [i, browser] of browsers.entries()) {
          const one = await newPage(browser);
          opened.push(one);
          if (kind === 'app') {
            const times = await enterApp(one.page, link, `Person ${i}`, i);
            first = times[0] ?? NaN;
            link = one.page.url();
          } else {
            await one.page.goto(bare.origin);
            await appears(one.page, 'script');
            const times = await one.page.evaluate((hub) => bareCall.join({ hub, seal: false }), bare.hub);
            first = times[0] ?? NaN;
          }
        }
        if (!(first > 0)) throw new Error(`${kind} ${browsers.join()}: no first picture`);
        return { first, found: await work(opened.map(({ page }) => page)) };
      } finally {
        for (const { close } of opened) await close();
      }
    }

    const measure = (kind: Kind, browsers: readonly BrowserName[]) => async (): Promise<Result> => {
      const ms = quick ? 3000 : 8000;
      const firsts: number[] = [];
      // Calls that are only joined: what varies most is counted most.
      for (let i = 0; i < (quick ? 0 : 2); i++)
        firsts.push((await inCall(kind, browsers, () => Promise.resolve(null))).first);
      const { first, found } = await inCall(kind, browsers, async (pages) => {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        const times = await latencies(pages, ms);
        if (times.length < (ms / 1000) * 5)
          throw new Error(`${kind} ${browsers.join()}: only ${times.length} pictures were seen at both ends`);
        const pictures = await Promise.all(pages.map((page) => picturesOf(page, ms)));
        if (pictures.some(({ others, strangers }) => others !== 1 || strangers > 0))
          throw new Error(`${kind} ${browsers.join()}: somebody is not seen`);
        return { latency: median(times), fps: Math.min(...pictures.map(({ fps }) => fps)) };
      });
      firsts.push(first);
      say(
        `${kind}, ${browsers.join(' with ')}: first ${median(firsts).toFixed(0)} ms, latency ${found.latency.toFixed(1)} ms, ${found.fps.toFixed(1)} fps`,
      );
      return { firsts, ...found };
    };

    try {
      for (const browsers of [
        ['Firefox', 'Firefox'],
        ['Chromium', 'Firefox'],
        ['Firefox', 'Chromium'],
      ] as const) {
        const { ours, other } = await interleave(rounds, measure('app', browsers), measure('bare', browsers), !quick);
        const of = (results: Result[], what: 'latency' | 'fps'): number[] => results.map((result) => result[what]);
        const firsts = (results: Result[]): number[][] => results.map((result) => result.firsts);
        const p95 = quantile(firsts(ours).flat(), 0.95);
        const who = `${browsers[1]} joins ${browsers[0]}`;
        const more = median(ours.map((result, i) => result.latency - other[i]!.latency));
        const against = 'bare call, same browsers';
        figures.push(
          figure(`${who}: first picture`, 'ms', firsts(ours).map(median), firsts(other).map(median), {
            against,
            limit: 1.95,
          }),
          {
            what: `${who}: first picture, p95`,
            unit: 'ms',
            ours: p95,
            other: quantile(firsts(other).flat(), 0.95),
            ratio: null,
            against,
            target: '≤ 325 ms',
            met: p95 <= 325,
          },
          {
            ...figure(
              `${who}: frame latency (${more >= 0 ? '+' : ''}${more.toFixed(1)} ms)`,
              'ms',
              of(ours, 'latency'),
              of(other, 'latency'),
              { against },
            ),
            target: '+1.3 ms',
            met: more <= 1.3,
          },
          figure(`${who}: slowest picture`, 'fps', of(ours, 'fps'), of(other, 'fps'), { against }),
        );
      }
    } finally {
      await fox.close();
      await chromium.close();
      await network.close();
      await Promise.all([app.close(), bare.close()]);
      film.close();
    }
    return { figures, checked: ['both pages read the other’s numbered pictures while they were measured'] };
  },
};
