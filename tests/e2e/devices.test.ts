/** Camera and microphone denied, missing, lost, switched; a screen shared and taken back. */
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openNumberTab } from '../support/media/numberTab.ts';
import { NUMBERS } from '../support/media/picture.ts';
import { isTone, orderOf } from '../support/media/readers.ts';
import { idleTransforms } from '../support/inside.ts';
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

test('camera and microphone denied: the lobby says how to allow them, and one can still join, see and hear; so can who has neither', async () => {
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
  await nothingIdle(anna, ben);

  const carla = await here.invite('Carla', { noDevices: true });
  await carla.come(link);
  await carla.see('Anna');
  await anna.waitForState('Carla', 'connected', 'poor');
  await nothingIdle(anna, ben, carla);
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

/** Of the tracks that are sent to others, the device of that kind; null while there is none. */
const sentDevice = (person: Person, kind: 'audio' | 'video'): Promise<string | null> =>
  person.page.evaluate((kind) => {
    const senders = parleyProbe.connections
      .filter(({ connectionState }) => connectionState === 'connected')
      .flatMap((connection) => connection.getSenders());
    const track = senders.map((sender) => sender.track).find((track) => track?.kind === kind);
    return track?.getSettings().deviceId ?? null;
  }, kind);

/** By the menu, as people do it. @returns the id of the device that was chosen: another one than is sent now */
async function switchDevice(person: Person, kind: 'camera' | 'microphone'): Promise<string> {
  const before = await sentDevice(person, kind === 'camera' ? 'video' : 'audio');
  await person.by('control-more').click();
  await person.by('more-devices').click();
  const picker = person.by(`device-${kind}`);
  const values = await picker
    .locator('option')
    .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value));
  const other = values.findLast((value) => value !== '' && value !== before)!;
  await picker.selectOption(other);
  await person.page.keyboard.press('Escape');
  return other;
}

test('the microphone is switched in the call: the sound goes on, through the same transform; unplugged, Anna is told, Ben hears silence and sees why; plugged in again, he hears her', async () => {
  const { people } = await here.meet(['Anna', 'Ben']);
  const [anna, ben] = people as [Person, Person];
  await ben.see('Anna');
  const transforms = (await anna.totals()).transforms;
  const before = await sentDevice(anna, 'audio');
  const chosen = await switchDevice(anna, 'microphone');
  expect(chosen).not.toBe(before);
  await until(
    async () => (await sentDevice(anna, 'audio')) === chosen,
    async () => `Anna sends by ${chosen}, not by ${await sentDevice(anna, 'audio')}`,
  );
  await until(
    async () => isTone(await ben.hear('Anna', 800), CAST.Anna.tone),
    () => 'Ben hears Anna by the other microphone',
  );
  expect((await anna.totals()).transforms).toBe(transforms);
  await nothingIdle(anna, ben);

  // The very track that is sent ends, as one of a device that is gone does, and there is no other.
  await anna.page.evaluate(() => {
    const { mediaDevices } = navigator;
    const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = (wanted) =>
      wanted?.audio ? Promise.reject(new DOMException('unplugged', 'NotFoundError')) : getUserMedia(wanted);
    mediaDevices.addEventListener('parley:plugged', () => (mediaDevices.getUserMedia = getUserMedia));
    const senders = parleyProbe.connections
      .filter(({ connectionState }) => connectionState === 'connected')
      .flatMap((connection) => connection.getSenders());
    const track = senders.map((sender) => sender.track).find((track) => track?.kind === 'audio')!;
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
  await anna.page.locator('[data-testid=notice][data-key=deviceLost]').waitFor({ timeout: 10_000 });
  await ben.tile('Anna').locator('.sign.muted').waitFor({ timeout: 10_000 });
  await until(
    async () => (await ben.hear('Anna', 500)).level < -90,
    async () => `Ben hears nothing, not ${JSON.stringify(await ben.hear('Anna', 500))}`,
    10_000,
  );
  await ben.see('Anna', 10);

  await anna.page.evaluate(() => {
    navigator.mediaDevices.dispatchEvent(new Event('parley:plugged'));
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await until(
    async () => isTone(await ben.hear('Anna', 800), CAST.Anna.tone),
    () => 'Ben hears Anna again',
  );
  await ben.tile('Anna').locator('.sign.muted').waitFor({ state: 'detached' });
});

test('the camera is switched in the call: the pictures go on, from the other device, through the same transform', async () => {
  // Chromium plays a film for one camera only: these are its own, which count seconds and no pictures. Its second one sends nothing over
  // any connection, with our code or without (Chromium 156): the last of three is chosen.
  const anna = await here.invite('Anna', {
    noDevices: true,
    args: ['--use-fake-device-for-media-stream=device-count=3'],
  });
  const ben = await here.invite('Ben');
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  await ben.come(link);
  const newPictures = async (): Promise<void> => {
    await ben.watch('Anna');
    await until(
      async () => (await ben.watchedOf('Anna')).unreadable >= 20,
      async () => `Ben sees pictures; instead: ${await ben.situation()}`,
    );
  };
  await newPictures();
  const transforms = (await anna.totals()).transforms;
  const before = await sentDevice(anna, 'video');
  const chosen = await switchDevice(anna, 'camera');
  expect(chosen).not.toBe(before);
  await until(
    async () => (await sentDevice(anna, 'video')) === chosen,
    async () => `Anna sends by ${chosen}, not by ${await sentDevice(anna, 'video')}`,
  );
  await newPictures();
  expect((await anna.totals()).transforms).toBe(transforms);
  await nothingIdle(anna, ben);
});

/** Carries no number of the cast. */
const SCREEN = 99;

/** Frames of a shared screen that this person's transforms of that side have passed. */
const screenFrames = (person: Person, side: 'send' | 'receive'): Promise<number> =>
  person.page.evaluate(
    (side) =>
      parleyProbe.transforms
        .filter((options) => options.side === side && options.kind === 'screen')
        .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
    side,
  );

test('a screen is shared beside the camera, read at the other end, taken back, and shared again, over the same transforms', async () => {
  const anna = await here.invite('Anna', { shareTab: 'Numbers' });
  const ben = await here.invite('Ben');
  const link = await anna.createMeeting(app.origin);
  await openNumberTab(anna.context, 'Numbers', SCREEN);
  await anna.page.bringToFront();
  await anna.join();
  await ben.come(link);
  await Promise.all([ben.see('Anna'), anna.see('Ben')]);
  const transforms = (await anna.totals()).transforms;
  for (let round = 0; round < 2; round++) {
    const before = [await screenFrames(anna, 'send'), await screenFrames(ben, 'receive')];
    await anna.by('control-screen').click();
    const shown = ben.by('screen').locator('video');
    await shown.waitFor({ timeout: 30_000 });
    await shown.evaluate((video) => parleyReaders.watch('screen', video as HTMLVideoElement));
    const read = () => ben.page.evaluate(() => parleyReaders.watched('screen').readings);
    await until(
      async () => (await read()).length >= 20,
      async () => `Ben reads the numbers on the screen: ${(await read()).length}; ${await ben.situation()}`,
    );
    const readings = await read();
    expect(new Set(readings.map(({ person }) => person))).toEqual(new Set([SCREEN]));
    expect(orderOf(readings, NUMBERS).backward).toBe(0);
    await ben.see('Anna', 10);
    await anna.by('control-screen').click();
    await ben.by('screen').waitFor({ state: 'detached', timeout: 30_000 });
    expect((await screenFrames(anna, 'send')) - before[0]!).toBeGreaterThanOrEqual(20);
    expect((await screenFrames(ben, 'receive')) - before[1]!).toBeGreaterThanOrEqual(20);
  }
  expect((await anna.totals()).transforms).toBe(transforms);
  expect((await ben.totals()).unopened).toBe(0);
  await nothingIdle(anna, ben);
});

async function nothingIdle(...people: readonly Person[]): Promise<void> {
  for (const person of people) expect(await idleTransforms(person), person.name).toEqual([]);
}

/** Kills the video capture service of this person's own browser, found by its film's path among the command lines. */
function killCapture({ film }: Person): void {
  const lines = execFileSync('ps', ['-ww', '-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const pids = lines
    .filter((line) => line.includes(film!.video) && line.includes('video_capture.mojom.VideoCaptureService'))
    .map((line) => Number(line.trim().split(/\s/)[0]));
  if (pids.length !== 1) throw new Error(`found ${pids.length} capture services`);
  process.kill(pids[0]!, 'SIGKILL');
}
