/** Visits of the product's pages in a slowed browser: what was fetched until when, and whether it was what has been built. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { clientFolder } from '../support/servedApp.ts';

/** A visit in a fresh browser profile. */
export interface Visit {
  /** Files that were asked for before the first paint, after it but before the page could be used, and after that. */
  painted: string[];
  used: string[];
  later: string[];
  /** Milliseconds from the start of navigation: first contentful paint, and the element that one uses first. */
  paintMs: number;
  usableMs: number;
}

/** Files that a page and its workers ask for, with the time; `check` throws where one was not served as it was built. */
export interface Fetches {
  /** @param from, to milliseconds since 1970 */
  between(from: number, to: number): string[];
  check(): Promise<void>;
}

/** The built file behind a path; null for what the server itself answers. @throws Error where nothing has been built for it */
function fileOf(path: string): string | null {
  if (path.startsWith('/api/') || path === '/healthz') return null;
  const file = join(clientFolder(), path === '/' || path.startsWith('/m/') ? 'index.html' : path);
  if (!existsSync(file) || !statSync(file).isFile())
    throw new Error(`${path} was fetched, and is no file of the build`);
  return file;
}

export function watchFetches(page: Page): Fetches {
  const asked: { path: string; at: number }[] = [];
  const faults: Promise<string | null>[] = [];
  page.on('request', (request) => {
    if (request.url().startsWith('http')) asked.push({ path: new URL(request.url()).pathname, at: Date.now() });
  });
  page.on('requestfinished', (request) => {
    if (!request.url().startsWith('http')) return;
    const { pathname } = new URL(request.url());
    const look = async (): Promise<string | null> => {
      const response = await request.response();
      if (response === null || !response.ok()) return `${pathname} was answered with ${response?.status()}`;
      const file = fileOf(pathname);
      const same = file === null || (await response.body()).equals(readFileSync(file));
      return same ? null : `${pathname} was not served as it was built`;
    };
    faults.push(look().catch((error: unknown) => String(error)));
  });
  page.on('requestfailed', (request) => faults.push(Promise.resolve(`${request.url()} could not be fetched`)));
  return {
    between: (from, to) => [...new Set(asked.filter(({ at }) => at > from && at <= to).map(({ path }) => path))],
    async check() {
      const found = (await Promise.all(faults)).filter((fault) => fault !== null);
      if (found.length > 0) throw new Error(found.join('; '));
    },
  };
}

/** KiB of files as brotli: as they are stored, or compressed now. Each counts once. */
export function kibOf(paths: readonly string[]): number {
  const bytes = [...new Set(paths)].map((path) => {
    const file = fileOf(path);
    if (file === null) return 0;
    return existsSync(`${file}.br`) ? statSync(`${file}.br`).size : brotliCompressSync(readFileSync(file)).length;
  });
  return bytes.reduce((sum, size) => sum + size, 0) / 1024;
}

export async function slowDown(page: Page, rate: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate });
}

/** @param testId what one uses first on that page */
export async function visit(page: Page, url: string, testId: string, slowdown: number): Promise<Visit> {
  const fetches = watchFetches(page);
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
  await slowDown(page, slowdown);
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName('usable').length > 0);
  const times = await page.evaluate(() => ({
    origin: performance.timeOrigin,
    usableMs: performance.getEntriesByName('usable')[0]!.startTime,
    paintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
  }));
  await page.waitForTimeout(1500);
  await fetches.check();
  const [paintAt, usableAt] = [times.origin + times.paintMs, times.origin + times.usableMs];
  return {
    ...times,
    painted: fetches.between(0, paintAt),
    used: fetches.between(paintAt, usableAt),
    later: fetches.between(usableAt, Infinity),
  };
}

/**
 * The first call of somebody who was never here: from the home page through its button to the tile of one's own.
 * @returns milliseconds from that click to the tile, everything clicked as soon as it is there; and all that was fetched until then
 */
export async function firstCall(
  page: Page,
  origin: string,
  slowdown: number,
): Promise<{ ms: number; fetched: string[] }> {
  const fetches = watchFetches(page);
  await slowDown(page, slowdown);
  await page.goto(origin);
  await page.getByTestId('home-create').waitFor();
  await page.waitForTimeout(1500);
  const { ms, at } = await page.evaluate(async () => {
    const appears = <E extends HTMLElement>(selector: string): Promise<E> =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = document.querySelector<E>(selector);
          if (found === null) return;
          observer.disconnect();
          resolve(found);
        };
        const observer = new MutationObserver(look);
        observer.observe(document, { subtree: true, childList: true, attributes: true });
        look();
      });
    const from = performance.now();
    (await appears('[data-testid=home-create]')).click();
    const name = await appears<HTMLInputElement>('[data-testid=lobby-name]');
    name.value = 'Anna';
    name.dispatchEvent(new Event('input', { bubbles: true }));
    (await appears('[data-testid=lobby-join]')).click();
    await appears('[data-testid=tile][data-self=true][data-name=Anna]');
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
    const to = performance.now();
    return { ms: to - from, at: performance.timeOrigin + to };
  });
  await page.waitForTimeout(1000);
  if ((await page.locator('[data-testid=tile]').count()) !== 1) throw new Error('somebody else is in a new meeting');
  await page.getByTestId('control-leave').waitFor();
  await fetches.check();
  return { ms, fetched: fetches.between(0, at) };
}
