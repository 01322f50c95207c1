/** Row 23: what the first page, the first lobby and the first call cost: bytes over the network as brotli, and time until they can be used. */
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openContext } from '../support/browser.ts';
import { makeFilm } from '../support/media/films.ts';
import { serveApp } from '../support/servedApp.ts';
import type { Bench, Figure } from './measure.ts';
import { median, quantile } from './measure.ts';
import type { Visit } from './pageVisit.ts';
import { firstCall, kibOf, visit } from './pageVisit.ts';

const SLOWDOWN = 4;
const BUDGET_KIB = 60;
const USABLE_MS = 300;

async function inFreshProfile<T>(browser: Browser, work: (page: Page) => Promise<T>): Promise<T> {
  const { context } = await openContext(browser);
  try {
    return await work(await context.newPage());
  } finally {
    await context.close();
  }
}

/** @param most the target, where there is one */
function alone(what: string, unit: 'KiB' | 'ms', ours: number, most?: number): Figure {
  const target = most === undefined ? '' : `≤ ${most} ${unit}`;
  return {
    what,
    unit,
    ours,
    other: null,
    ratio: null,
    against: '',
    target,
    met: most === undefined ? null : ours <= most,
  };
}

function figuresOf(screen: string, visits: readonly Visit[]): Figure[] {
  const kib = (which: (visit: Visit) => string[]): number => median(visits.map((one) => kibOf(which(one))));
  const all = kib(({ painted, used }) => [...painted, ...used]);
  const usable = visits.map(({ usableMs }) => usableMs);
  return [
    alone(
      `${screen}: bytes to first paint`,
      'KiB',
      kib(({ painted }) => painted),
      BUDGET_KIB,
    ),
    alone(`${screen}: bytes until it can be used`, 'KiB', all),
    alone(
      `${screen}: bytes fetched after that`,
      'KiB',
      kib(({ painted, used, later }) => [...painted, ...used, ...later]) - all,
    ),
    alone(`${screen}: first paint`, 'ms', median(visits.map(({ paintMs }) => paintMs))),
    alone(`${screen}: can be used`, 'ms', median(usable), USABLE_MS),
    alone(`${screen}: can be used, p95`, 'ms', quantile(usable, 0.95)),
  ];
}

export const firstPage: Bench = {
  row: 23,
  name: 'firstPage',
  title: 'First page, first lobby and first call: bytes as brotli, time at 4 × slower CPU',
  async run({ rounds, quick, say }) {
    const film = makeFilm({ person: 1, tone: 440, frames: 60 });
    const app = await serveApp();
    const browser = await launchBrowser({ film });
    const repeats = quick ? 1 : rounds * 2;
    const figures: Figure[] = [];
    try {
      const lobby = await inFreshProfile(browser, async (page) => {
        await page.goto(app.origin);
        await page.getByTestId('home-create').click();
        await page.getByTestId('lobby-join').waitFor();
        return page.url();
      });
      for (const [screen, url, testId] of [
        ['home', app.origin, 'home-create'],
        ['lobby', lobby, 'lobby-name'],
      ] as const) {
        const visits: Visit[] = [];
        for (let i = 0; i < repeats; i++)
          visits.push(await inFreshProfile(browser, (page) => visit(page, url, testId, SLOWDOWN)));
        const { painted, used, later } = visits[0]!;
        say(`${screen}: ${[painted, used, later].map((paths) => paths.join(' ')).join(' | ')}`);
        figures.push(...figuresOf(screen, visits));
      }
      const calls = [];
      for (let i = 0; i < repeats; i++)
        calls.push(await inFreshProfile(browser, (page) => firstCall(page, app.origin, SLOWDOWN)));
      say(`first call: ${calls[0]!.fetched.join(' ')}`);
      const times = calls.map(({ ms }) => ms);
      figures.push(
        alone(
          'first call: bytes from the first page until in the meeting',
          'KiB',
          median(calls.map(({ fetched }) => kibOf(fetched))),
        ),
        alone('first call: from “New meeting” until in the meeting', 'ms', median(times)),
        alone('first call: the same, p95', 'ms', quantile(times, 0.95)),
      );
    } finally {
      await browser.close();
      await app.close();
      film.close();
    }
    return {
      figures,
      checked: [
        'each visit in a fresh profile, from the real server; every file that came was byte for byte that of the build, and none failed',
        'usable: the element is there, attached and painted; the first call’s button, name and join were used through it, and led to one tile of one’s own',
      ],
    };
  },
};
