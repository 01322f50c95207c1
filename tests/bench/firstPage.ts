/** Row 23: what the first page and the first call's lobby cost: bytes over the network as brotli, and time until they can be used. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { launchBrowser, openContext } from '../support/browser.ts';
import type { Film } from '../support/media/films.ts';
import { makeFilm } from '../support/media/films.ts';
import { clientFolder, serveApp } from '../support/servedApp.ts';
import type { Bench, Figure } from './measure.ts';
import { median, quantile } from './measure.ts';

/** Visit of one address in a fresh browser profile, with the processor slowed down. */
interface Visit {
  /** Paths that were asked for before the first paint, after it but before the page could be used, and after that. */
  painted: string[];
  used: string[];
  later: string[];
  /** Milliseconds from the start of navigation: first contentful paint, and the element that one uses first. */
  paintMs: number;
  usableMs: number;
}

async function visit(page: Page, url: string, testId: string, slowdown: number): Promise<Visit> {
  const paths: { path: string; at: number }[] = [];
  page.on('request', (request) => {
    if (request.url().startsWith('http')) paths.push({ path: new URL(request.url()).pathname, at: Date.now() });
  });
  await page.addInitScript((testId) => {
    const look = (): void => {
      if (document.querySelector(`[data-testid="${testId}"]`) === null) return;
      observer.disconnect();
      // Handlers are attached with the element; it is there for people once it has been painted.
      requestAnimationFrame(() => setTimeout(() => performance.mark('usable'), 0));
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true });
  }, testId);
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName('usable').length > 0);
  const times = await page.evaluate(() => ({
    origin: performance.timeOrigin,
    usableMs: performance.getEntriesByName('usable')[0]!.startTime,
    paintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
  }));
  await page.waitForTimeout(1500);
  const [paintAt, usableAt] = [times.origin + times.paintMs, times.origin + times.usableMs];
  const between = (from: number, to: number): string[] =>
    paths.filter(({ at }) => at > from && at <= to).map(({ path }) => path);
  return {
    ...times,
    painted: between(0, paintAt),
    used: between(paintAt, usableAt),
    later: between(usableAt, Infinity),
  };
}

/** Bytes of the built file behind a path, as brotli: as it is stored, or compressed now. */
function brotliBytes(path: string): number {
  const named = join(clientFolder(), path === '/' ? 'index.html' : path);
  const file = existsSync(named) && statSync(named).isFile() ? named : join(clientFolder(), 'index.html');
  if (path.startsWith('/api/') || path === '/healthz') return 0;
  return existsSync(`${file}.br`) ? statSync(`${file}.br`).size : brotliCompressSync(readFileSync(file)).length;
}

const sum = (paths: readonly string[]): number =>
  [...new Set(paths)].reduce((bytes, path) => bytes + brotliBytes(path), 0);

export const firstPage: Bench = {
  row: 23,
  name: 'firstPage',
  title: 'First page and first lobby: bytes as brotli, time at 4 × slower CPU',
  async run({ rounds, quick, say }) {
    const film: Film = makeFilm({ person: 1, tone: 440, frames: 60 });
    const app = await serveApp();
    const browser = await launchBrowser({ film });
    const figures: Figure[] = [];
    try {
      const maker = await (await openContext(browser)).context.newPage();
      await maker.goto(app.origin);
      await maker.getByTestId('home-create').click();
      await maker.getByTestId('lobby-join').waitFor();
      const lobby = maker.url();
      await maker.context().close();
      for (const [screen, url, testId] of [
        ['home', app.origin, 'home-create'],
        ['lobby', lobby, 'lobby-name'],
      ] as const) {
        const visits: Visit[] = [];
        for (let i = 0; i < (quick ? 1 : rounds * 2); i++) {
          const { context } = await openContext(browser);
          visits.push(await visit(await context.newPage(), url, testId, 4));
          await context.close();
        }
        const first = visits[0]!;
        const shown = (paths: string[]): string => [...new Set(paths)].join(' ');
        say(`${screen}: ${shown(first.painted)} | ${shown(first.used)} | ${shown(first.later)}`);
        const common = { other: null, ratio: null, against: '' };
        const kB = (which: (visit: Visit) => string[]): number =>
          median(visits.map((visit) => sum(which(visit)))) / 1000;
        const paint = kB(({ painted }) => painted);
        const all = kB(({ painted, used }) => [...painted, ...used]);
        const later = kB(({ painted, used, later }) => [...painted, ...used, ...later]) - all;
        const usable = visits.map(({ usableMs }) => usableMs);
        figures.push(
          {
            what: `${screen}: bytes to first paint`,
            unit: 'kB',
            ours: paint,
            target: '≤ 60 kB',
            met: paint <= 60,
            ...common,
          },
          { what: `${screen}: bytes until it can be used`, unit: 'kB', ours: all, target: '', met: null, ...common },
          { what: `${screen}: bytes fetched after that`, unit: 'kB', ours: later, target: '', met: null, ...common },
          {
            what: `${screen}: first paint`,
            unit: 'ms',
            ours: median(visits.map(({ paintMs }) => paintMs)),
            target: '',
            met: null,
            ...common,
          },
          {
            what: `${screen}: can be used`,
            unit: 'ms',
            ours: median(usable),
            target: '≤ 300 ms',
            met: median(usable) <= 300,
            ...common,
          },
          {
            what: `${screen}: can be used, p95`,
            unit: 'ms',
            ours: quantile(usable, 0.95),
            target: '',
            met: null,
            ...common,
          },
        );
      }
    } finally {
      await browser.close();
      await app.close();
      film.close();
    }
    return {
      figures,
      checked: [
        'each visit in a fresh profile, from the real server; usable: the element is there, attached and painted',
      ],
    };
  },
};
