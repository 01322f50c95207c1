/** What the others are told of us. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Announcer, type Own, type Say } from '../../../client/meeting/announcer.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';

const ben = 'b'.repeat(22) as PeerId;
const media = { microphone: true, camera: false, screen: false, screenAudio: false };
let own: Own | null;
let say: ReturnType<typeof vi.fn<Say>>;
let announcer: Announcer;
/** @returns what was said since the last time */
const said = (): unknown[][] => say.mock.calls.splice(0);

beforeEach(() => {
  vi.useFakeTimers();
  own = { media, handRaised: false, speaking: false, people: 2 };
  say = vi.fn<Say>();
  announcer = new Announcer(() => own, say);
});
afterEach(() => {
  announcer.close();
  vi.useRealTimers();
});

test('everybody is told what is on at first and when it changes, and nothing twice', () => {
  expect(said()).toEqual([[null, 'media.state', media]]);
  announcer.update();
  expect(said()).toEqual([]);
  own = { ...own!, media: { ...media, camera: true } };
  announcer.update();
  expect(said()).toEqual([[null, 'media.state', { ...media, camera: true }]]);
});

test('what a server held back is said again within seconds, also that a hand is down again', () => {
  own = { ...own!, handRaised: true };
  announcer.update();
  own = { ...own, handRaised: false };
  announcer.update();
  expect(said().slice(1)).toEqual([
    [null, 'hand', { raised: true }],
    [null, 'hand', { raised: false }],
  ]);
  vi.advanceTimersByTime(4000);
  expect(said()).toEqual([
    [null, 'hand', { raised: false }],
    [null, 'media.state', media],
  ]);
});

test('a hundred repeat themselves less often than two', () => {
  own = { ...own!, people: 100, speaking: true };
  announcer.update();
  said();
  vi.advanceTimersByTime(19_900);
  expect(said()).toEqual(Array.from({ length: 4 }, () => [null, 'speaking', { on: true }]));
  vi.advanceTimersByTime(200);
  expect(said()).toContainEqual([null, 'media.state', media]);
});

test('a newcomer is told alone, a raised hand included', () => {
  own = { ...own!, handRaised: true };
  announcer.update();
  said();
  announcer.greet([ben]);
  expect(said()).toEqual([
    [ben, 'media.state', media],
    [ben, 'hand', { raised: true }],
  ]);
});

test('that we speak is told with its pauses left out, and again while it lasts', () => {
  said();
  own = { ...own!, speaking: true };
  announcer.update();
  own = { ...own, speaking: false, people: 2 };
  announcer.update();
  own = { ...own, speaking: true };
  announcer.update();
  expect(said()).toEqual([[null, 'speaking', { on: true }]]);
  vi.advanceTimersByTime(4000);
  expect(said()).toContainEqual([null, 'speaking', { on: true }]);
});

test('while nobody is there to hear it nothing is said, and then what is true by then', () => {
  said();
  own = null;
  announcer.update();
  announcer.greet([ben]);
  vi.advanceTimersByTime(10_000);
  expect(said()).toEqual([]);
  own = { media, handRaised: true, speaking: false, people: 2 };
  announcer.update();
  expect(said()).toContainEqual([null, 'hand', { raised: true }]);
});

test('after its end it is silent', () => {
  said();
  own = { ...own!, speaking: true };
  announcer.close();
  vi.advanceTimersByTime(10_000);
  expect(said()).toEqual([]);
});
