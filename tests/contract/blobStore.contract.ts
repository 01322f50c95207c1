/** What every store promises of sealed files: whose they are, and how much room they take. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import type { Store } from '../../signal/store/store.ts';

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const other = 'zzzz-bbbb-cccc-dddd' as MeetingId;
const signed: Signed = { body: '{}', signature: 's'.repeat(86) };
const MOST = { bytes: 100, count: 3 };
const blob = (id: string, bytes = 10, at = 1000) => ({ id, bytes, erase: `erase ${id}`, at });

/** @param make  an empty store */
export function blobStoreContract(name: string, make: () => Promise<Store>): void {
  describe(`the ${name} store, blobs`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await make();
      for (const id of [meeting, other]) await store.meetings.create(id, { record: signed, access: signed }, 1000);
    });
    afterEach(() => store.close());

    test('take room from when they are begun, of their meeting alone, and give it back', async () => {
      const { blobs } = store;
      expect(await blobs.begin(meeting, blob('a', 60), MOST)).toBe('begun');
      expect(await blobs.begin(meeting, blob('b', 41), MOST)).toBe('full');
      expect(await blobs.begin(meeting, blob('b', 40), MOST)).toBe('begun');
      expect(await blobs.begin(other, blob('c', 100), MOST)).toBe('begun');
      await blobs.delete(['a']);
      for (const id of ['d', 'e']) expect(await blobs.begin(meeting, blob(id, 1), MOST)).toBe('begun');
      // So many, however small.
      expect(await blobs.begin(meeting, blob('f', 1), MOST)).toBe('full');
    });

    test('of which several are begun at once are never more than there is room for', async () => {
      const ids = Array.from({ length: 8 }, (_, i) => `at once ${i}`);
      const begun = await Promise.all(ids.map((id) => store.blobs.begin(meeting, blob(id, 45), MOST)));
      expect(begun.filter((one) => one === 'begun').length).toBe(2);
    });

    test('are their meeting’s alone', async () => {
      const { blobs } = store;
      await blobs.begin(meeting, blob('a'), MOST);
      expect(await blobs.find(meeting, 'a')).toEqual({ bytes: 10, erase: 'erase a', isWhole: false });
      expect(await blobs.find(other, 'a')).toBeNull();
      expect(await blobs.find(meeting, 'b')).toBeNull();
      await blobs.finish('a', 5000);
      expect(await blobs.find(meeting, 'a')).toMatchObject({ isWhole: true });
      expect(await blobs.known(['a', 'b'])).toEqual(new Set(['a']));
    });

    test('go by their age, counted from when they were whole', async () => {
      const { blobs } = store;
      for (const id of ['a', 'b']) await blobs.begin(meeting, blob(id), MOST);
      await blobs.finish('b', 5000);
      expect(await blobs.olderThan(1000)).toEqual([]);
      expect(await blobs.olderThan(2000)).toEqual([meeting]);
      expect(await blobs.drop(other, 9000)).toEqual([]);
      expect(await blobs.drop(meeting, 5000)).toEqual(['a']);
      expect(await blobs.drop(meeting, 5001)).toEqual(['b']);
      expect(await blobs.known(['a', 'b'])).toEqual(new Set());
    });

    test('are nobody’s once their meeting has ended or is forgotten, and none comes after', async () => {
      const { blobs, meetings } = store;
      await blobs.begin(meeting, blob('a'), MOST);
      await blobs.begin(other, blob('b'), MOST);
      await meetings.end(meeting, signed);
      expect(await blobs.known(['a', 'b'])).toEqual(new Set(['b']));
      expect(await blobs.begin(meeting, blob('c'), MOST)).toBe('gone');
      await meetings.sweep(2000);
      expect(await blobs.known(['b'])).toEqual(new Set());
      expect(await blobs.begin(other, blob('d'), MOST)).toBe('gone');
    });
  });
}
