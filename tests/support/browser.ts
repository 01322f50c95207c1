/**
 * Real Chromium for tests: one browser per person, since a browser has one camera file and one microphone file.
 *
 * Nothing is mocked. What a page prints as an error, what its CSP reports and what it asks of other origins is written down in
 * `Watched`, and names other than this machine's do not resolve.
 */
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Film } from './media/films.ts';
import { readerScript } from './media/readers.ts';
import { launcherOf, type Sharing } from './launcher.ts';
import type { Namespace } from './namespace.ts';

export interface LaunchOptions extends Sharing {
  /** Camera and microphone; without it there is no device at all. */
  film?: Film;
  /** What the browser's permission prompt is answered with, unasked. */
  permission?: 'granted' | 'denied';
  /** Title of the tab that is picked where a page asks to share a screen. */
  shareTab?: string;
  args?: readonly string[];
  /** Runs inside this network. */
  within?: Namespace;
}

/** Things that must not happen; tests assert on them. */
export interface Watched {
  consoleErrors: string[];
  cspViolations: string[];
  /** Requests to another origin than the one given. */
  outsideRequests: string[];
}

/** Where Chromium is, or why a test cannot run. */
export function chromiumPath(): string {
  const candidates = [
    process.env.PARLEY_CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ];
  for (const path of candidates) if (path !== undefined && path !== '' && existsSync(path)) return path;
  throw new Error('no Chromium found: set PARLEY_CHROMIUM to one (npm test installs it on Debian)');
}

/** Flags as data, so that a bench can use the same browser in another way. */
export function chromiumArgs({
  film,
  permission = 'granted',
  shareTab,
  args = [],
  within,
}: LaunchOptions = {}): string[] {
  const flags = [
    '--allow-loopback-in-peer-connection',
    '--autoplay-policy=no-user-gesture-required',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
    '--disable-background-timer-throttling',
    '--disable-features=MediaRouter,OptimizationHints,Translate,WebRtcHideLocalIpsWithMdns',
    // Also for addresses: ICE over TCP asks the resolver, too.
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1${within ? ', EXCLUDE 10.*' : ''}`,
    promptFlag(permission, shareTab),
    ...args,
  ];
  if (film !== undefined) {
    flags.push(
      '--use-fake-device-for-media-stream=device-count=1',
      `--use-file-for-fake-video-capture=${film.video}`,
      `--use-file-for-fake-audio-capture=${film.audio}`,
    );
  }
  if (shareTab !== undefined) flags.push(`--auto-select-tab-capture-source-by-title=${shareTab}`);
  return flags;
}

/** Chromium's fake prompt shares a fake screen, whatever tab was named: then the real one answers, and only for devices by itself. */
function promptFlag(permission: 'granted' | 'denied', shareTab: string | undefined): string {
  if (permission === 'denied') return '--use-fake-ui-for-media-stream=deny';
  return shareTab === undefined ? '--use-fake-ui-for-media-stream' : '--auto-accept-camera-and-microphone-capture';
}

export async function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  const program = launcherOf(chromiumPath(), options);
  return chromium.launch({
    executablePath: options.within?.wrap(program) ?? program,
    headless: true,
    // Chromium's sandbox needs a user; tests often run as root in a container.
    chromiumSandbox: process.getuid?.() !== 0,
    args: chromiumArgs(options),
  });
}

/** A context with our readers in every page, and everything watched. */
export async function openContext(
  browser: Browser,
  { origin, ...options }: BrowserContextOptions & { origin?: string } = {},
): Promise<{ context: BrowserContext; watched: Watched }> {
  const context = await browser.newContext({
    viewport: { width: 960, height: 600 },
    // Only offline.test.ts is about it; the others' first seconds are no place to fetch a whole build.
    serviceWorkers: 'block',
    ...options,
  });
  await context.addInitScript({ content: readerScript });
  const watched: Watched = { consoleErrors: [], cspViolations: [], outsideRequests: [] };
  context.on('page', (page) => watchPage(page, watched));
  if (origin !== undefined) {
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol === 'data:' || url.protocol === 'blob:') return;
      if (url.origin !== origin) watched.outsideRequests.push(request.url());
    });
  }
  return { context, watched };
}

function watchPage(page: Page, watched: Watched): void {
  page.on('console', (message) => {
    const text = message.text();
    if (/content security policy|trusted ?types?/i.test(text)) watched.cspViolations.push(text);
    else if (message.type() === 'error') watched.consoleErrors.push(`${text} (${message.location().url})`);
  });
  page.on('pageerror', (error) => watched.consoleErrors.push(String(error.stack ?? error)));
}
