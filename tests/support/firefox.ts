/**
 * Stock Firefox for tests, driven by puppeteer-core over WebDriver BiDi, inside a network namespace: on loopback alone its ICE fails.
 *
 * Firefox plays no file as a camera (media/canvasCamera.ts stands in). Its fake microphone has one tone of our choice for the
 * whole browser. Everything behind them is the browser's own.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import type { Browser } from 'puppeteer-core';
import type { Namespace } from './namespace.ts';
import { freePort } from './namespace.ts';

/** Firefox's path, or null. */
export function firefoxPath(): string | null {
  const candidates = [process.env['PARLEY_FIREFOX'], '/usr/bin/firefox-esr', '/usr/bin/firefox'];
  return candidates.find((path) => path !== undefined && path !== '' && existsSync(path)) ?? null;
}

const PREFERENCES: Record<string, unknown> = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'dom.min_background_timeout_value': 10,
  // Nothing of its own on the network.
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'extensions.update.enabled': false,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.enabled': false,
  'browser.startup.page': 0,
  'browser.aboutwelcome.enabled': false,
};

export interface Firefox {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** @param tone of the microphone of every page, hertz */
export async function launchFirefox(namespace: Namespace, tone: number): Promise<Firefox> {
  const program = firefoxPath();
  if (program === null) throw new Error('no Firefox found: set PARLEY_FIREFOX to one (Debian: firefox-esr)');
  const profile = mkdtempSync(join(tmpdir(), 'parley-firefox-'));
  const lines = Object.entries({ ...PREFERENCES, 'media.navigator.audio.fake_frequency': tone }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  );
  writeFileSync(join(profile, 'user.js'), lines.join('\n'));
  // Firefox refuses requests for another port than its own: the same number on both sides.
  const port = await freePort();
  const args = [
    '--headless',
    '--profile',
    profile,
    '--no-remote',
    '--remote-debugging-port',
    String(port),
    'about:blank',
  ];
  const child = namespace.run(program, args, { ...process.env, HOME: profile, MOZ_DISABLE_AUTO_SAFE_MODE: '1' });
  await listening(child);
  await namespace.bringOut(port);
  const browser = await puppeteer.connect({
    browserWSEndpoint: `ws://127.0.0.1:${port}/session`,
    protocol: 'webDriverBiDi',
  });
  return {
    browser,
    async close() {
      await browser.close().catch(() => undefined);
      child.kill('SIGKILL');
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (data: Buffer): void => {
      text += data.toString();
      if (text.includes('WebDriver BiDi listening')) resolve();
    };
    child.stderr!.on('data', read);
    child.stdout!.on('data', read);
    child.once('exit', () => reject(new Error(`Firefox ended:\n${text}`)));
    setTimeout(() => reject(new Error(`Firefox does not listen:\n${text}`)), 30_000).unref();
  });
}
