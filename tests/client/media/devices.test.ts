/** What the devices do when the browser answers late, refuses, or loses one: against media that the test holds in its hand. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Devices, type DeviceEvent } from '../../../client/media/devices.svelte.ts';
import { levelOf } from '../../../client/media/level.ts';
import { OURSELVES, Speaking } from '../../../client/meeting/speaking.ts';
import { routeTo } from '../../../client/ui/soundElements.ts';
import { fakeMedia, type FakeMedia } from './fakeMedia.ts';

let media: FakeMedia;
let devices: Devices;
let events: DeviceEvent[];

beforeEach(() => {
  vi.useFakeTimers();
  media = fakeMedia();
  devices = new Devices();
  events = [];
  devices.onEvent((event) => events.push(event));
});
afterEach(() => {
  devices.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Everything that waits for nothing but its turn. */
const settled = () => vi.advanceTimersByTimeAsync(0);
const live = () => media.tracks.filter(({ readyState }) => readyState === 'live').map(({ kind }) => kind);
const last = () => media.tracks.at(-1)!;

/** Questions stay open until the answer. */
function holdAnswers(): () => Promise<void> {
  const held = Promise.withResolvers<void>();
  media.answered = held.promise;
  return async () => {
    held.resolve();
    await settled();
  };
}

describe('while the browser asks', () => {
  test('whoever leaves has no camera and no microphone on, whatever is answered later', async () => {
    const answer = holdAnswers();
    const started = devices.start();
    await settled();
    expect(media.questions).toBe(1);
    devices.stop();
    await answer();
    await started;
    expect(live()).toEqual([]);
    expect(media.questions).toBe(1);
  });

  test('a camera that is turned off stays off, and the microphone opens', async () => {
    const answer = holdAnswers();
    void devices.start();
    await settled();
    void devices.setOn('camera', false);
    await answer();
    expect(live()).toEqual(['audio']);
    expect(devices.track('microphone')).not.toBeNull();
    expect(devices.preview).toBeNull();
  });

  test('leaving before the list of devices came asks nothing', async () => {
    const started = devices.start();
    devices.stop();
    await started;
    await settled();
    expect(media.questions).toBe(0);
  });

  test('a screen is asked for once, and not shared by whoever left meanwhile', async () => {
    const answer = holdAnswers();
    const shared = [devices.share(), devices.share()];
    expect(media.pickers).toBe(1);
    devices.stop();
    await answer();
    expect(await Promise.all(shared)).toEqual([true, true]);
    expect(devices.sharing).toBe(false);
    expect(live()).toEqual([]);
    void devices.share();
    await settled();
    expect(devices.sharing).toBe(true);
  });
});

describe('another device that does not open', () => {
  test('leaves the one before in use, chosen, remembered and without a problem, and is named', async () => {
    await devices.start();
    expect(devices.microphone.chosen).toBe('mic');
    media.busy.add('usb');
    devices.choose('microphone', 'usb');
    await settled();
    expect(devices.microphone).toMatchObject({ chosen: 'mic', problem: null, refused: 'USB microphone' });
    expect(devices.track('microphone')).not.toBeNull();
    expect(JSON.parse(localStorage.getItem('parley.settings')!)).toMatchObject({ microphone: { id: 'mic' } });

    media.busy.clear();
    devices.choose('microphone', 'usb');
    await settled();
    expect(devices.microphone).toMatchObject({ chosen: 'usb', problem: null, refused: null });
    expect(live()).toEqual(['video', 'audio']);
  });
});

describe('a camera that breaks off', () => {
  beforeEach(async () => {
    await devices.start();
    const camera = media.tracks.find(({ kind }) => kind === 'video')!;
    media.busy.add('cam');
    camera.breakOff();
    await settled();
  });

  test('is told, and tried again at growing distances until it opens', async () => {
    expect(events).toEqual([{ type: 'lost', kind: 'camera' }]);
    expect(devices.camera.problem).toBe('inUse');
    const asked = media.questions;
    await vi.advanceTimersByTimeAsync(1000 + 2000 + 4000 + 8000 + 16_000);
    expect(media.questions).toBe(asked + 5);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(media.questions).toBe(asked + 7);
    media.busy.clear();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(devices.camera.problem).toBeNull();
    expect(devices.preview).not.toBeNull();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(media.questions).toBe(asked + 8);
  });

  test.each([
    ['it is switched off', () => void devices.setOn('camera', false)],
    ['the person leaves', () => devices.stop()],
  ])('is left alone once %s', async (_, act) => {
    act();
    const asked = media.questions;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(media.questions).toBe(asked);
  });
});

test('a camera that is unplugged is told, and comes back when it is plugged in again, ready or a little later', async () => {
  await devices.start();
  const [camera] = media.plugged;
  const track = media.tracks.find(({ kind }) => kind === 'video')!;
  media.plug((all) => all.filter((one) => one !== camera));
  track.breakOff();
  await settled();
  expect(devices.camera.problem).toBe('unplugged');
  expect(events).toEqual([{ type: 'lost', kind: 'camera' }]);
  media.busy.add('cam');
  media.plug((all) => [camera!, ...all]);
  await settled();
  expect(devices.camera.problem).toBe('inUse');
  media.busy.clear();
  await vi.advanceTimersByTimeAsync(1000);
  expect(devices.camera.problem).toBeNull();
  expect(last()).toMatchObject({ kind: 'video', readyState: 'live' });
});

describe('the speaker', () => {
  test('is remembered over a visit, by its name where its id has changed', async () => {
    await devices.start();
    devices.choose('speaker', 'head');
    expect(devices.speaker).toMatchObject({ chosen: 'head', supported: true });
    devices.stop();
    media.plug((all) => all.map((one) => (one.deviceId === 'head' ? { ...one, deviceId: 'renewed' } : one)));
    devices = new Devices();
    await devices.start();
    expect(devices.speaker.chosen).toBe('renewed');
  });

  test('gets the sound of an element; one that is gone leaves it where it is', () => {
    const asked: string[] = [];
    const element = (outcome: () => Promise<void>) =>
      ({
        setSinkId: (id: string) => {
          asked.push(id);
          return outcome();
        },
      }) as unknown as HTMLAudioElement;
    routeTo('head')(element(() => Promise.resolve()));
    routeTo(null)(element(() => Promise.resolve()));
    routeTo('gone')(element(() => Promise.reject(new DOMException('', 'NotFoundError'))));
    expect(asked).toEqual(['head', '', 'gone']);
    // A browser that cannot choose.
    routeTo('head')({} as HTMLAudioElement);
  });
});

test('a quiet room is not taken for our speech, a voice is', () => {
  const noise = (amplitude: number) => Float32Array.from({ length: 1024 }, (_, i) => amplitude * Math.sin(i * 1.7));
  const speaking = new Speaking(OURSELVES);
  // A fan at the microphone: about -42 dB of full scale.
  expect(speaking.heard(levelOf(noise(0.011)), 0)).toBe(false);
  expect(speaking.heard(levelOf(noise(0.08)), 100)).toBe(true);
});
