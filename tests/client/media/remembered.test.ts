import { describe, expect, test } from 'vitest';
import { levelOf } from '../../../client/media/level.ts';
import { findChoice, recall, remember } from '../../../client/media/remembered.ts';
import {
  doneRemoving,
  forgetMeeting,
  knowMeeting,
  knownMeetings,
  removedMeetings,
} from '../../../client/meeting/known.ts';
import type { MeetingId } from '../../../signal/protocol/ids.ts';

/** A browser's storage, in memory. `full`: refuses to write. */
function storage(initial: Record<string, string> = {}, full = false): Storage {
  const items = new Map(Object.entries(initial));
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => {
      if (full) throw new DOMException('full', 'QuotaExceededError');
      items.set(key, value);
    },
    removeItem: (key: string) => items.delete(key),
  } as unknown as Storage;
}

describe('choices that are remembered', () => {
  test('keep what is not changed', () => {
    const kept = storage();
    remember({ name: 'Ada', cameraOn: false }, kept);
    remember({ microphone: { id: 'm1', label: 'Headset' } }, kept);
    expect(recall(kept)).toEqual({ name: 'Ada', cameraOn: false, microphone: { id: 'm1', label: 'Headset' } });
  });

  for (const text of ['{', 'null', '{"name":7}', '[]'])
    test(`${text} in the storage is as good as nothing`, () =>
      expect(recall(storage({ 'parley.settings': text }))).toEqual({}));

  test('a storage that is full or forbidden breaks nothing', () => {
    remember({ name: 'Ada' }, storage({}, true));
    remember({ name: 'Ada' }, undefined);
    expect(recall(storage({}, true))).toEqual({});
  });

  test('a device is found by its id, by its label where the id is another now, or not at all', () => {
    const list = [
      { id: 'a', label: 'Built-in' },
      { id: 'b', label: 'Headset' },
      { id: 'c', label: '' },
    ];
    expect(findChoice(list, { id: 'b', label: 'x' })?.id).toBe('b');
    expect(findChoice(list, { id: 'gone', label: 'Headset' })?.id).toBe('b');
    expect(findChoice(list, { id: 'gone', label: '' })).toBeNull();
    expect(findChoice(list, undefined)).toBeNull();
  });
});

describe('meetings that are known', () => {
  const id = (n: number) => `0abc-def1-ghjk-${String(n).padStart(4, '0')}` as MeetingId;
  const known = (n: number, host = false) => ({ meeting: id(n), title: `T${n}`, url: `u${n}`, host, lastUsed: n });

  test('are listed newest first, once each, and the host stays host', () => {
    const kept = storage();
    knowMeeting(known(1, true), kept);
    knowMeeting(known(2), kept);
    knowMeeting({ ...known(1), lastUsed: 3, title: 'New' }, kept);
    expect(knownMeetings(kept)).toEqual([{ ...known(1, true), lastUsed: 3, title: 'New' }, known(2)]);
    forgetMeeting(id(1), kept);
    expect(knownMeetings(kept)).toEqual([known(2)]);
  });

  test('and forgotten leave word that their chats are to be deleted, until they are or the meeting is opened again', () => {
    const kept = storage();
    for (const n of [1, 2, 3]) knowMeeting(known(n), kept);
    for (const n of [1, 2, 1]) forgetMeeting(id(n), kept);
    expect(removedMeetings(kept)).toEqual([id(2), id(1)]);
    doneRemoving(id(2), kept);
    expect(removedMeetings(kept)).toEqual([id(1)]);
    knowMeeting(known(1), kept);
    expect(removedMeetings(kept)).toEqual([]);
  });

  test('are fifty at most, the oldest go', () => {
    const kept = storage();
    for (let n = 1; n <= 60; n++) knowMeeting(known(n), kept);
    const list = knownMeetings(kept);
    expect(list).toHaveLength(50);
    expect(list.at(-1)?.meeting).toBe(id(11));
  });

  test('what does not read is left out', () => {
    expect(knownMeetings(storage({ 'parley.meetings': '[{"meeting":"x"},null]' }))).toEqual([]);
    expect(knownMeetings(storage({ 'parley.meetings': '{"a":1}' }))).toEqual([]);
    expect(knownMeetings(undefined)).toEqual([]);
  });
});

test('the meter is still in silence, full at a loud voice, and between in between', () => {
  const tone = (amplitude: number) =>
    Float32Array.from({ length: 480 }, (_, n) => amplitude * Math.sin((2 * Math.PI * n) / 48));
  expect(levelOf(new Float32Array(480))).toBe(0);
  expect(levelOf(tone(1))).toBe(1);
  expect(levelOf(tone(0.1))).toBeCloseTo(0.354, 2);
  expect(levelOf(new Float32Array(0))).toBe(0);
});
