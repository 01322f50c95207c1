/** Cameras, microphones and screens in real Chromium, with the devices that its flags make up. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, type LaunchOptions } from '../../support/browser.ts';
import { servePage } from '../../support/pageServer.ts';
import { bundle } from '../transport/bundle.ts';
import type * as DevicesPage from './devicesPage.ts';

/** What the page offers to `evaluate`. */
type InPage = { page: typeof DevicesPage };

let site: Awaited<ReturnType<typeof servePage>>;

beforeAll(async () => {
  site = await servePage({
    '/': '<!doctype html><html lang="en"><title>Devices</title><body><script type="module" src="/page.js"></script>',
    '/page.js': await bundle(new URL('devicesPage.ts', import.meta.url)),
  });
}, 60_000);
afterAll(() => site?.close());

async function open(browser: Browser): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(site.origin);
  await page.waitForFunction('globalThis.page');
  return page;
}

/** One browser for a group of tests. */
function withBrowser(options: LaunchOptions): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser(options);
  }, 60_000);
  afterAll(() => browser?.close());
  return () => browser;
}

describe('with two cameras and a microphone', () => {
  const browser = withBrowser({
    args: ['--use-fake-device-for-media-stream=device-count=2', '--auto-select-tab-capture-source-by-title=Devices'],
  });

  test('both open with one question, are listed by name, and the meter moves', async () => {
    const page = await open(browser());
    const result = await page.evaluate(async () => {
      const { devices, look, until } = (globalThis as unknown as InPage).page;
      await devices.start();
      const heard = await until(() => devices.level > 0.01);
      return { ...look(), heard, height: devices.preview?.getSettings().height };
    });
    expect(result.camera).toMatchObject({ on: true, problem: null, starting: false });
    expect(result.camera.list.length).toBe(2);
    expect(result.camera.list.every(({ id, label }) => id !== '' && label !== '')).toBe(true);
    expect(result.camera.list.map(({ id }) => id)).toContain(result.camera.chosen);
    expect(result).toMatchObject({
      preview: 'live',
      heard: true,
      height: 720,
      sending: { camera: true, microphone: true },
    });
    await page.context().close();
  });

  test('the other camera is chosen in the call, and remembered over a reload, like what is off', async () => {
    const page = await open(browser());
    const chosen = await page.evaluate(async () => {
      const { devices, until } = (globalThis as unknown as InPage).page;
      await devices.start();
      const first = devices.preview;
      const other = devices.camera.list.find(({ id }) => id !== devices.camera.chosen)!.id;
      devices.choose('camera', other);
      await until(() => devices.preview !== null && devices.preview !== first);
      void devices.setOn('microphone', false);
      return { other, now: devices.camera.chosen, first: first?.readyState, sending: devices.track('microphone') };
    });
    expect(chosen).toMatchObject({ now: chosen.other, first: 'ended', sending: null });
    await page.reload();
    await page.waitForFunction('globalThis.page');
    const after = await page.evaluate(async () => {
      const { devices, look } = (globalThis as unknown as InPage).page;
      await devices.start();
      return look();
    });
    expect(after.camera.chosen).toBe(chosen.other);
    expect(after.microphone.on).toBe(false);
    expect(after.sending).toEqual({ camera: true, microphone: false });
    await page.context().close();
  });

  test('a camera that is off is closed; a microphone that is off still moves the meter', async () => {
    const page = await open(browser());
    const result = await page.evaluate(async () => {
      const { devices, until } = (globalThis as unknown as InPage).page;
      await devices.start();
      const camera = devices.preview!;
      void devices.setOn('camera', false);
      void devices.setOn('microphone', false);
      const off = { state: camera.readyState, preview: devices.preview, track: devices.track('microphone') };
      const heard = await until(() => devices.level > 0.01);
      void devices.setOn('camera', true);
      await until(() => devices.preview !== null);
      return { off, heard, on: devices.preview?.readyState };
    });
    expect(result).toEqual({ off: { state: 'ended', preview: null, track: null }, heard: true, on: 'live' });
    await page.context().close();
  });

  test('an unplugged camera is replaced by the other one, and told', async () => {
    const page = await open(browser());
    const result = await page.evaluate(async () => {
      const { devices, events, until } = (globalThis as unknown as InPage).page;
      await devices.start();
      // The second one, so that the default, which is left, is another.
      const other = devices.camera.list[1]!.id;
      if (devices.camera.chosen !== other) devices.choose('camera', other);
      await until(() => devices.camera.chosen === other && !devices.camera.starting);
      const track = devices.preview!;
      track.stop();
      track.dispatchEvent(new Event('ended'));
      await until(() => devices.preview !== null && devices.preview !== track);
      return { events: [...events], preview: devices.preview?.readyState, changed: devices.camera.chosen !== other };
    });
    expect(result).toEqual({ events: [{ type: 'switched', kind: 'camera' }], preview: 'live', changed: true });
    await page.context().close();
  });

  test('a screen is shared after a click, and ends by the browser’s own bar', async () => {
    const page = await open(browser());
    await page.click('text=Share');
    await page.waitForFunction("document.title.startsWith('shared')");
    const result = await page.evaluate(async () => {
      const { devices, events } = (globalThis as unknown as InPage).page;
      const video = devices.track('screen')!;
      const shared = {
        title: document.title,
        state: video.readyState,
        hint: video.contentHint,
        sharing: devices.sharing,
      };
      video.dispatchEvent(new Event('ended'));
      return { shared, after: devices.track('screen'), state: video.readyState, events: [...events] };
    });
    expect(result.shared).toEqual({ title: 'shared true', state: 'live', hint: 'detail', sharing: true });
    expect(result).toMatchObject({ after: null, state: 'ended', events: [{ type: 'screenEnded' }] });
    await page.context().close();
  });
});

describe('without any device', () => {
  const browser = withBrowser({});
  test('both are missing, nothing throws, and the call may go on', async () => {
    const page = await open(browser());
    const result = await page.evaluate(async () => {
      const { devices, look } = (globalThis as unknown as InPage).page;
      await devices.start();
      return look();
    });
    expect(result).toMatchObject({ camera: { problem: 'missing' }, microphone: { problem: 'missing' }, preview: null });
    await page.context().close();
  });
});

describe('with permission denied', () => {
  const browser = withBrowser({ permission: 'denied', args: ['--use-fake-device-for-media-stream=device-count=1'] });
  test('both say so', async () => {
    const page = await open(browser());
    const result = await page.evaluate(async () => {
      const { devices, look } = (globalThis as unknown as InPage).page;
      await devices.start();
      return look();
    });
    for (const slot of [result.camera, result.microphone]) {
      expect(['denied', 'dismissed']).toContain(slot.problem);
      expect(slot.starting).toBe(false);
    }
    await page.context().close();
  });
});
