/** When a sound is made, and when not. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Sounds } from '../../../client/media/sounds.svelte.ts';
import { fakeMedia } from './fakeMedia.ts';

let notes: number[];
let id = 0;
const news = (key: 'joined' | 'left' | 'handRaised') => ({ id: ++id, key });

beforeEach(() => {
  fakeMedia();
  notes = [];
  const ramp = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
  vi.stubGlobal(
    'GainNode',
    class {
      gain = ramp;
      connect = () => this;
    },
  );
  vi.stubGlobal(
    'OscillatorNode',
    class {
      constructor(_context: unknown, { frequency }: OscillatorOptions) {
        notes.push(frequency!);
      }
      connect = (next: unknown) => next;
      start() {}
      stop() {}
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

test('somebody who joins a small meeting is heard, in a large one not; a raised hand in both', async () => {
  const sounds = new Sounds();
  sounds.about(news('joined'), 7, 0);
  sounds.about(news('left'), 2, 0);
  sounds.about(news('joined'), 6, 0);
  await vi.waitFor(() => expect(notes).toHaveLength(2));
  sounds.about(news('handRaised'), 30, 5000);
  await vi.waitFor(() => expect(notes).toHaveLength(3));
});

test('whoever waves makes no noise', async () => {
  const sounds = new Sounds();
  for (let now = 0; now < 1500; now += 100) sounds.about(news('handRaised'), 3, now);
  sounds.about(news('handRaised'), 3, 1600);
  await vi.waitFor(() => expect(notes).toHaveLength(2));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(notes).toHaveLength(2);
});

test('a notice is news once, however often the list around it changes', async () => {
  const sounds = new Sounds();
  const raised = news('handRaised');
  sounds.about(raised, 3, 0);
  sounds.about(raised, 3, 5000);
  await vi.waitFor(() => expect(notes).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(notes).toHaveLength(1);
});

test('turned off, nothing sounds, the next time neither', async () => {
  new Sounds().setOn(false);
  const later = new Sounds();
  expect(later.on).toBe(false);
  later.about(news('handRaised'), 3, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(notes).toEqual([]);
});
