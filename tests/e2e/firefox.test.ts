/** Firefox with Firefox, and Firefox with Chromium, both ways, in the meeting and in the chat; in a network of their own (namespace.ts). */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Firefox } from '../support/firefox.ts';
import { firefoxPath, launchFirefox } from '../support/firefox.ts';
import { cameraScript } from '../support/media/canvasCamera.ts';
import { FILM } from '../support/media/films.ts';
import type { TimedReading, Tone } from '../support/media/readers.ts';
import { isTone, orderOf, readerScript } from '../support/media/readers.ts';
import type { Namespace } from '../support/namespace.ts';
import { createNamespace, whyNoNamespace } from '../support/namespace.ts';
import { CAST, People, until } from '../support/person.ts';
import type { Probe } from '../support/probe.ts';
import { probeScript, totalsOf } from '../support/probe.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

const why = firefoxPath() === null ? 'no Firefox (Debian: apt-get install firefox-esr)' : whyNoNamespace();
if (why !== null && process.env['CI']) throw new Error(`CI needs Firefox in a network namespace: ${why}`);

/** What the microphone of every page in this Firefox says, hertz. */
const FIREFOX_TONE = 620;

type Who = 'Carla' | 'Dan';

/** Runs in the page. */
async function situation(): Promise<object> {
  const connections = parleyProbe.connections
    .slice(-8)
    .map(({ connectionState, iceConnectionState }) => `${connectionState} ${iceConnectionState}`);
  const tiles = [...document.querySelectorAll('[data-testid=tile]')].map(
    (tile) => `${tile.getAttribute('data-name')} ${tile.getAttribute('data-state')}`,
  );
  return {
    tiles,
    connections,
    made: parleyProbe.connections.length,
    refusals: parleyProbe.refusals.slice(0, 5),
    counts: parleyProbe.counts,
    text: document.body.innerText.slice(0, 300),
  };
}

describe.skipIf(why !== null)(`stock Firefox${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let app: App;
  let network: Namespace;
  let firefox: Firefox;
  let here: People;
  const pages: Page[] = [];

  beforeAll(async () => {
    app = await serveApp();
    network = await createNamespace();
    await network.bringIn(Number(new URL(app.origin).port));
    firefox = await launchFirefox(network, FIREFOX_TONE);
    here = new People(app.origin);
  }, 120_000);
  afterEach(async () => {
    await here.close();
    for (const page of pages.splice(0)) await page.close();
  });
  afterAll(async () => {
    await firefox?.close();
    await network?.close();
    await app?.close();
  });

  const byId = (testId: string): string => `[data-testid="${testId}"]`;

  async function open(name: Who, url: string): Promise<Page> {
    const context = await firefox.browser.createBrowserContext();
    // A window each: a tab behind another one draws nothing.
    const page = await context.newPage({ type: 'window' });
    pages.push(page);
    await page.evaluateOnNewDocument(readerScript);
    await page.evaluateOnNewDocument(probeScript());
    // Firefox plays no file as a camera, and its own fake one has no numbers: a canvas draws them. Encoder and all behind it are the browser's.
    await page.evaluateOnNewDocument(cameraScript(CAST[name].number));
    await page.goto(url);
    return page;
  }

  async function enter(page: Page, name: Who): Promise<void> {
    await page.waitForSelector(byId('lobby-join'), { timeout: 30_000 });
    await page.locator(byId('lobby-name')).fill(name);
    await page.locator(byId('lobby-join')).click();
    await page.waitForSelector('[data-testid=tile][data-self=true]', { timeout: 30_000 });
  }

  async function see(page: Page, who: string, number: number): Promise<TimedReading[]> {
    const video = await page
      .waitForSelector(`[data-testid=tile][data-name="${who}"] video`, { timeout: 30_000 })
      .catch(async (error: unknown) => {
        throw new Error(`Firefox sees ${who}; instead: ${JSON.stringify(await page.evaluate(situation))}`, {
          cause: error,
        });
      });
    await video!.evaluate((element, who) => parleyReaders.watch(who, element as HTMLVideoElement), who);
    let readings: TimedReading[] = [];
    await until(
      async () => {
        ({ readings } = await page.evaluate((who) => parleyReaders.watched(who), who));
        return readings.length >= 20;
      },
      () => `Firefox sees ${who}: ${readings.length} pictures`,
    );
    expect(readings.every(({ person }) => person === number)).toBe(true);
    expect(orderOf(readings, FILM.frames).backward, `pictures of ${who} come in order`).toBe(0);
    return readings;
  }

  async function hear(page: Page): Promise<Tone> {
    return page.evaluate(() => {
      const tracks = [...document.querySelectorAll('audio')].flatMap(({ srcObject, paused }) =>
        srcObject instanceof MediaStream && !paused ? srcObject.getAudioTracks() : [],
      );
      return parleyReaders.tone(tracks, 1500);
    });
  }

  async function nothingUnopened(page: Page): Promise<void> {
    const probe = (await page.evaluate(() => ({
      transforms: parleyProbe.transforms,
      counts: parleyProbe.counts,
    }))) as Pick<Probe, 'transforms' | 'counts'>;
    const totals = totalsOf(probe);
    expect(totals.idle).toEqual([]);
    expect(totals.unopened).toBe(0);
  }

  test('with Firefox', { timeout: 180_000 }, async () => {
    const carla = await open('Carla', app.origin);
    await carla.locator(byId('home-title')).fill('Foxes');
    await carla.locator(byId('home-create')).click();
    await enter(carla, 'Carla');
    const dan = await open('Dan', carla.url());
    await enter(dan, 'Dan');
    await Promise.all([see(carla, 'Dan', CAST.Dan.number), see(dan, 'Carla', CAST.Carla.number)]);
    for (const page of [carla, dan]) {
      const tone = await hear(page);
      expect(isTone(tone, FIREFOX_TONE), JSON.stringify(tone)).toBe(true);
      await nothingUnopened(page);
    }
  });

  test('with Chromium, whoever comes first', { timeout: 240_000 }, async () => {
    const anna = await here.invite('Anna', { within: network });
    const link = await anna.createMeeting(app.origin);
    await anna.join();
    const carla = await open('Carla', link);
    await enter(carla, 'Carla');
    const [, fromCarla] = await Promise.all([see(carla, 'Anna', CAST.Anna.number), anna.see('Carla')]);
    expect(orderOf(fromCarla, FILM.frames).backward).toBe(0);
    expect(isTone(await anna.hear('Carla', 1500), FIREFOX_TONE)).toBe(true);
    const tone = await hear(carla);
    expect(isTone(tone, CAST.Anna.tone), JSON.stringify(tone)).toBe(true);
    expect((await anna.totals()).unopened).toBe(0);
    await nothingUnopened(carla);

    // And the other way round: Chromium leaves and comes back to Firefox.
    await anna.leave();
    await anna.come(link);
    await Promise.all([see(carla, 'Anna', CAST.Anna.number), anna.see('Carla')]);
  });

  test(
    'in the chat with Chromium: both read, files go both ways, and are there after a reload',
    { timeout: 180_000 },
    async () => {
      const anna = await here.invite('Anna', { within: network, noDevices: true });
      const link = await anna.createMeeting(app.origin);
      await anna.by('lobby-name').fill('Anna');
      await anna.by('lobby-chat').click();
      await anna.shows('chat-input');
      const carla = await open('Carla', app.origin);
      // What is saved, as it is given to the browser.
      await carla.evaluateOnNewDocument(() => {
        const make = URL.createObjectURL.bind(URL);
        URL.createObjectURL = (given) => {
          if (given instanceof Blob) (globalThis as { saved?: Blob }).saved = given;
          return make(given);
        };
      });
      const openChat = async (): Promise<void> => {
        await carla.goto(link);
        await carla.waitForSelector(byId('lobby-chat'), { timeout: 30_000 });
        await carla.locator(byId('lobby-name')).fill('Carla');
        await carla.locator(byId('lobby-chat')).click();
        await carla.waitForSelector(byId('chat-input'), { timeout: 30_000 });
      };
      const texts = (): Promise<string[]> =>
        carla.$$eval(byId('chat-text'), (all) => all.map((one) => (one as HTMLElement).innerText));
      const reads = (text: string): Promise<void> =>
        until(
          async () => (await texts()).includes(text),
          async () => `Firefox reads “${text}”; instead ${JSON.stringify(await texts())}`,
        );
      await openChat();
      await anna.by('chat-input').fill('from Chromium');
      await anna.by('chat-input').press('Enter');
      await reads('from Chromium');
      await carla.locator(byId('chat-input')).fill('from Firefox');
      await carla.keyboard.press('Enter');
      await anna.page.getByTestId('chat-text').filter({ hasText: 'from Firefox' }).waitFor();

      const folder = await mkdtemp(join(tmpdir(), 'parley-firefox-chat-'));
      try {
        const [ours, theirs] = [randomBytes(1_500_000), randomBytes(700_000)];
        await anna
          .by('chat-attach-input')
          .setInputFiles({ name: 'for Firefox.bin', mimeType: 'application/octet-stream', buffer: ours });
        await anna.by('chat-input').press('Enter');
        await carla.waitForSelector(byId('chat-file-save'), { timeout: 30_000 });
        await carla.locator(byId('chat-file-save')).click();
        const saved = async () =>
          carla.evaluate(async () => {
            const blob = (globalThis as { saved?: Blob }).saved;
            if (blob === undefined) return null;
            const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
            return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
          });
        await until(
          async () => (await saved()) !== null,
          () => 'Firefox saves the file',
        );
        expect(await saved()).toBe(createHash('sha256').update(ours).digest('hex'));

        const path = join(folder, 'for Chromium.bin');
        await writeFile(path, theirs);
        const input = (await carla.$(`input${byId('chat-attach-input')}`)) as ElementHandle<HTMLInputElement>;
        await input.uploadFile(path);
        await carla.waitForSelector(byId('chat-staged'), { timeout: 30_000 });
        await carla.focus(byId('chat-input'));
        await carla.keyboard.press('Enter');
        const line = anna.by('chat-file').filter({ hasText: 'for Chromium.bin' });
        await line.waitFor({ timeout: 30_000 });
        const saving = anna.page.waitForEvent('download');
        await line.getByTestId('chat-file-save').click();
        expect((await readFile(await (await saving).path())).equals(theirs)).toBe(true);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }

      await carla.goto('about:blank');
      await openChat();
      await reads('from Firefox');
      expect(await texts()).toEqual(['from Chromium', 'from Firefox']);
      expect(await carla.$$eval(byId('chat-file'), (all) => all.length)).toBe(2);
      expect(await carla.$$eval(byId('chat-alarm'), (all) => all.length)).toBe(0);
    },
  );
});
