import { flushSync } from 'svelte';
import { expect, test } from 'vitest';
import { Counter } from './fixtures/counter.svelte.ts';

test('rune modules are alive in tests: effects run as in the browser', () => {
  const counter = new Counter();
  const stop = counter.watch();
  flushSync();
  counter.count = 3;
  flushSync();
  stop();
  counter.count = 4;
  flushSync();
  expect(counter.seen).toEqual([0, 6]);
});
