/** Camera and microphone denied, missing, lost, switched; a screen shared and taken back. */
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isTone } from '../support/media/readers.ts';
import type { Person } from '../support/person.ts';
import { CAST, People, until } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';

let app: App;
let here: People;

beforeAll(async () => {
  app = await serveApp();
  here = new People(app.origin);
});
afterEach(() => here.close());
afterAll(() => app?.close());

test('camera and microphone denied: the lobby says how to allow them, and one can still join, see and hear', async () => {
  const anna = await here.invite('Anna');
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  const ben = await here.invite('Ben', { permission: 'denied' });
  await ben.open(link);
  await ben.by('device-problem').first().waitFor({ timeout: 30_000 });
  expect(await ben.by('device-problem').first().getAttribute('data-problem')).toMatch(/denied|dismissed/);
  await ben.join();
  await ben.see('Anna');
  expect(isTone(await ben.hear('Anna', 1500), CAST.Anna.tone)).toBe(true);
  await anna.waitForState('Ben', 'connected', 'poor');
});

test('no camera and no microphone at all: the same', async () => {
  const anna = await here.invite('Anna');
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  const ben = await here.invite('Ben', { noDevices: true });
  await ben.come(link);
  await ben.see('Anna');
  await anna.waitForState('Ben', 'connected', 'poor');
});

test('the camera is lost in mid-call: others see a name or a picture that moves again, never a still one, and the sound goes on', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await ben.see('Anna');
  // The process that serves the camera dies, and a browser without the device would not find it again.
  await anna.page.evaluate(() => {
    const { mediaDevices } = navigator;
    const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = (wanted) =>
      wanted?.video ? Promise.reject(new DOMException('unplugged', 'NotFoundError')) : getUserMedia(wanted);
  });
  killCapture(anna);
  // Chromium starts that process again, and the page may take the camera up again by itself: what must not be is a still picture.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await until(
    () =>
      ben.page.evaluate(async (selector) => {
        const look = (): number | null => {
          const video = document.querySelector<HTMLVideoElement>(selector);
          return video === null ? -1 : (parleyReaders.now(video)?.number ?? null);
        };
        const before = look();
        await new Promise((resolve) => setTimeout(resolve, 500));
        const after = look();
        return after === -1 || (before !== null && after !== null && before !== after);
      }, '[data-testid=tile][data-name=Anna] video'),
    async () => `Ben sees a name, or moving pictures again; instead: ${await ben.situation()}`,
  );
  expect(isTone(await ben.hear('Anna', 1500), CAST.Anna.tone)).toBe(true);
});

test('the microphone is switched in the call: the sound goes on through the same transform', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await ben.see('Anna');
  const transforms = (await anna.totals()).transforms;
  await anna.by('control-more').click();
  await anna.page.getByRole('menuitem').first().click();
  const picker = anna.by('device-microphone');
  const values = await picker
    .locator('option')
    .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value));
  await picker.selectOption(values.at(-1)!);
  await anna.page.keyboard.press('Escape');
  await until(
    async () => isTone(await ben.hear('Anna', 800), CAST.Anna.tone),
    () => 'Ben hears Anna by the other microphone',
  );
  expect((await anna.totals()).transforms).toBe(transforms);
});

test('a screen is shared beside the camera, taken back, and shared again, over the same transforms', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await Promise.all([ben.see('Anna'), anna.see('Ben')]);
  const transforms = (await anna.totals()).transforms;
  for (let round = 0; round < 2; round++) {
    await anna.by('control-screen').click();
    const shown = ben.by('screen').locator('video');
    await shown.waitFor({ timeout: 30_000 });
    await shown.evaluate((video) => parleyReaders.watch('screen', video as HTMLVideoElement));
    // The browser's own test screen carries no numbers: pictures that come are what counts.
    await until(
      async () => (await ben.page.evaluate(() => parleyReaders.watched('screen').unreadable)) > 10,
      () => 'Ben sees the screen',
    );
    await ben.see('Anna', 10);
    await anna.by('control-screen').click();
    await ben.by('screen').waitFor({ state: 'detached', timeout: 30_000 });
  }
  expect((await anna.totals()).transforms).toBe(transforms);
  expect((await ben.totals()).unopened).toBe(0);
});

/** Kills the video capture service of this person's own browser, found by its film's path among the command lines. */
function killCapture({ film }: Person): void {
  const lines = execFileSync('ps', ['-ww', '-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const pids = lines
    .filter((line) => line.includes(film!.video) && line.includes('video_capture.mojom.VideoCaptureService'))
    .map((line) => Number(line.trim().split(/\s/)[0]));
  if (pids.length !== 1) throw new Error(`found ${pids.length} capture services`);
  process.kill(pids[0]!, 'SIGKILL');
}
