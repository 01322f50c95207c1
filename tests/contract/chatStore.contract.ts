/** What every store promises of chats. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChatHead, ChatSnapshot } from '../../signal/protocol/chat.ts';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import type { NewItem, Store } from '../../signal/store/store.ts';

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const other = 'zzzz-bbbb-cccc-dddd' as MeetingId;
const signed: Signed = { body: '{}', signature: 's'.repeat(86) };
const START: ChatHead = { seq: 0, hash: 'start' };
const PAGE = { items: 1000, bytes: 512 * 1024 };

/** The item that comes after this head; its chain hash says its number. */
const next = ({ seq }: ChatHead, more: Partial<NewItem> = {}): NewItem => ({
  id: `id ${seq + 1}`,
  at: 1000 * (seq + 1),
  hash: `hash ${seq + 1}`,
  chain: `chain ${seq + 1}`,
  body: 'abcd',
  bytes: 3,
  erase: `erase ${seq + 1}`,
  ...more,
});
const gone = (...seqs: number[]) => seqs.map((seq) => ({ seq, body: 'ab', bytes: 2 }));
const headAt = (seq: number): ChatHead => (seq === 0 ? START : { seq, hash: `chain ${seq}` });
const snapshotAt = (seq: number, more: Partial<ChatSnapshot> = {}): ChatSnapshot => ({
  id: `snapshot ${seq}`,
  covers: headAt(seq),
  parts: 2,
  hash: 'all parts',
  confirmed: false,
  ...more,
});

/** @param make  an empty store */
export function chatStoreContract(name: string, make: () => Promise<Store>): void {
  describe(`the ${name} store, chats`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await make();
      for (const id of [meeting, other]) await store.meetings.create(id, { record: signed, access: signed }, 1000);
    });
    afterEach(() => store.close());

    async function fill(count: number, id = meeting): Promise<void> {
      for (let seq = 0; seq < count; seq++) {
        expect(await store.chat.append(id, headAt(seq), next(headAt(seq)))).toEqual({ at: 'added' });
      }
    }
    async function offer(snapshot: ChatSnapshot, now = 9000): Promise<void> {
      expect(await store.chat.offer(meeting, snapshot, now)).toBe(true);
      for (const part of [0, 1]) {
        const isLast = part === 1;
        const given = { snapshot: snapshot.id, part, body: `part${part}`, bytes: 10, isLast };
        expect(await store.chat.addPart(meeting, given)).toBe(true);
      }
    }
    const seqs = async (after = 0) => (await store.chat.page(meeting, after, PAGE)).map(({ seq }) => seq);

    test('are nothing until something is written', async () => {
      expect(await store.chat.find(meeting)).toBeNull();
      expect(await store.chat.page(meeting, 0, PAGE)).toEqual([]);
      expect(await store.chat.clear(meeting)).toBeNull();
      expect(await store.chat.dropBefore(meeting, 9e15)).toBeNull();
      expect(await store.chat.confirm(meeting, 'x')).toBe(false);
      expect(await store.chat.offer(meeting, snapshotAt(0), 1)).toBe(false);
    });

    test('are found as they were written, with where they begin and end', async () => {
      await fill(2);
      expect(await store.chat.find(meeting)).toEqual({ base: START, deleted: 0, head: headAt(2), used: 6 });
      expect(await store.chat.page(meeting, 0, PAGE)).toEqual([
        { seq: 1, at: 1000, hash: 'hash 1', body: 'abcd' },
        { seq: 2, at: 2000, hash: 'hash 2', body: 'abcd' },
      ]);
      expect(await store.chat.find(other)).toBeNull();
    });

    test('take an item only where it follows the head', async () => {
      await fill(2);
      for (const head of [START, headAt(1), { seq: 2, hash: 'another' }, headAt(3)]) {
        expect(await store.chat.append(meeting, head, next(headAt(2)))).toEqual({ at: 'stale' });
      }
      expect(await seqs()).toEqual([1, 2]);
    });

    test('take one of several that come at the same time', async () => {
      const all = ['x', 'y', 'z'].map((id) => store.chat.append(meeting, START, next(START, { id })));
      expect((await Promise.all(all)).map(({ at }) => at).sort()).toEqual(['added', 'stale', 'stale']);
      expect(await store.chat.find(meeting)).toMatchObject({ head: headAt(1), used: 3 });
    });

    test('know an id again, whatever comes with it', async () => {
      await fill(2);
      const known = { at: 'known', item: { seq: 1, at: 1000 } };
      expect(await store.chat.append(meeting, headAt(2), next(headAt(2), { id: 'id 1' }))).toEqual(known);
      expect(await store.chat.append(meeting, START, next(START))).toEqual(known);
      expect(await store.chat.findItem(meeting, 'id 1')).toEqual(known.item);
      expect(await store.chat.findItem(meeting, 'id 3')).toBeNull();
      expect(await store.chat.find(meeting)).toMatchObject({ head: headAt(2), used: 6 });
      expect(await store.chat.append(other, START, next(START))).toEqual({ at: 'added' });
    });

    test('take nothing for a meeting that has ended or is not there', async () => {
      await store.meetings.end(meeting, signed);
      expect(await store.chat.append(meeting, START, next(START))).toEqual({ at: 'gone' });
      expect(await store.chat.append('yyyy-bbbb-cccc-dddd' as MeetingId, START, next(START))).toEqual({ at: 'gone' });
    });

    test('give pages of so many items, and of so many bytes after the first', async () => {
      await fill(6);
      const page = async (after: number, items: number, bytes: number) =>
        (await store.chat.page(meeting, after, { items, bytes })).map(({ seq }) => seq);
      expect(await page(0, 4, 1000)).toEqual([1, 2, 3, 4]);
      expect(await page(4, 4, 1000)).toEqual([5, 6]);
      expect(await page(1, 4, 6)).toEqual([2, 3]);
      expect(await page(1, 4, 1)).toEqual([2]);
      expect(await page(6, 4, 1000)).toEqual([]);
    });

    test('erase bodies and nothing else', async () => {
      await fill(3);
      expect(await store.chat.erasable(meeting, [1, 3, 7])).toEqual(
        new Map([
          [1, { erase: 'erase 1', bytes: 3, isReplaced: false }],
          [3, { erase: 'erase 3', bytes: 3, isReplaced: false }],
        ]),
      );
      expect(await store.chat.erase(meeting, gone(3, 1, 7))).toEqual([1, 3]);
      expect(await store.chat.erase(meeting, gone(1))).toEqual([]);
      expect((await store.chat.page(meeting, 0, PAGE)).map(({ body }) => body)).toEqual(['ab', 'abcd', 'ab']);
      expect(await store.chat.find(meeting)).toEqual({ base: START, deleted: 0, head: headAt(3), used: 7 });
      expect((await store.chat.erasable(meeting, [1])).get(1)).toEqual({
        erase: 'erase 1',
        bytes: 2,
        isReplaced: true,
      });
    });

    test('put something smaller in the place of a body, once', async () => {
      await fill(2);
      expect(await store.chat.erase(meeting, [{ seq: 1, body: 'xy', bytes: 1 }])).toEqual([1]);
      expect(await store.chat.erase(meeting, [{ seq: 1, body: 'zz', bytes: 1 }])).toEqual([]);
      const [first, second] = await store.chat.page(meeting, 0, PAGE);
      expect(first).toMatchObject({ body: 'xy', hash: 'hash 1', replaced: true });
      expect(second).not.toHaveProperty('replaced');
      expect(await store.chat.find(meeting)).toEqual({ base: START, deleted: 0, head: headAt(2), used: 4 });
    });

    test('are cleared whole, and go on from their head', async () => {
      await fill(3);
      await fill(1, other);
      await offer(snapshotAt(2));
      expect(await store.chat.clear(meeting)).toEqual(headAt(3));
      expect(await store.chat.clear(meeting)).toBeNull();
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(3), deleted: 3, head: headAt(3), used: 0 });
      expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
      expect(await store.chat.part(meeting, 'snapshot 2', 0)).toBeNull();
      expect(await store.chat.append(meeting, headAt(3), next(headAt(3)))).toEqual({ at: 'added' });
      expect(await seqs()).toEqual([4]);
      expect(await store.chat.find(other)).toMatchObject({ used: 3 });
    });

    test('are cleared up to an item, by number and chain, and what came after stays', async () => {
      await fill(4);
      await offer(snapshotAt(4));
      for (const other of [{ seq: 2, hash: 'of another log' }, headAt(5), { seq: 0, hash: 'another beginning' }])
        expect(await store.chat.clear(meeting, other)).toBeNull();
      expect(await seqs()).toEqual([1, 2, 3, 4]);
      expect(await store.chat.clear(meeting, headAt(2))).toEqual(headAt(2));
      expect(await store.chat.clear(meeting, headAt(2))).toBeNull();
      expect(await seqs()).toEqual([3, 4]);
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(2), deleted: 2, head: headAt(4), used: 6 });
      expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
    });

    test('are not cleared out of a snapshot that goes further', async () => {
      await fill(4);
      await offer(snapshotAt(3));
      await store.chat.confirm(meeting, 'snapshot 3');
      expect(await store.chat.clear(meeting, headAt(2))).toBeNull();
      expect((await store.chat.snapshots(meeting)).confirmed?.id).toBe('snapshot 3');
      expect(await store.chat.clear(meeting, headAt(3))).toEqual(headAt(3));
      expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(3), deleted: 3, head: headAt(4), used: 3 });
    });

    test('drop what was taken before a time, and what nobody has confirmed with it', async () => {
      await fill(4);
      await offer(snapshotAt(4));
      expect(await store.chat.dropBefore(meeting, 1000)).toBeNull();
      expect(await store.chat.dropBefore(meeting, 2001)).toEqual(headAt(2));
      expect(await seqs()).toEqual([3, 4]);
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(2), deleted: 2, head: headAt(4), used: 6 });
      expect((await store.chat.snapshots(meeting)).offered).toBeNull();
      expect(await store.chat.dropBefore(meeting, 2001)).toBeNull();
      expect(await store.chat.dropBefore(meeting, 9e15)).toEqual(headAt(4));
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(4), deleted: 4, head: headAt(4), used: 0 });
    });

    test('drop a confirmed snapshot once the newest that it covers is too old', async () => {
      await fill(4);
      await offer(snapshotAt(2));
      await store.chat.confirm(meeting, 'snapshot 2');
      expect(await store.chat.dropBefore(meeting, 2000)).toBeNull();
      // Made smaller, it is as old as it was.
      await offer(snapshotAt(2, { id: 'smaller' }));
      await store.chat.confirm(meeting, 'smaller');
      expect(await store.chat.olderThan(2001)).toEqual([meeting]);
      expect(await store.chat.dropBefore(meeting, 2001)).toEqual(headAt(2));
      expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(2), deleted: 2, head: headAt(4), used: 6 });
      expect(await store.chat.olderThan(2001)).toEqual([]);
    });

    test('drop by number where the clock was set back, so that no base ever moves back', async () => {
      await fill(1);
      await offer(snapshotAt(1));
      await store.chat.confirm(meeting, 'snapshot 1');
      await store.chat.append(meeting, headAt(1), next(headAt(1), { at: 10 }));
      await store.chat.append(meeting, headAt(2), next(headAt(2)));
      expect(await store.chat.dropBefore(meeting, 500)).toEqual(headAt(2));
      expect((await store.chat.snapshots(meeting)).confirmed).toBeNull();
      expect(await store.chat.offer(meeting, snapshotAt(1, { id: 'back' }), 1)).toBe(false);
      expect(await store.chat.find(meeting)).toEqual({ base: headAt(2), deleted: 2, head: headAt(3), used: 3 });
    });

    test('name the meetings that have something old', async () => {
      await fill(2);
      await store.chat.append(other, START, next(START, { at: 5000 }));
      expect(await store.chat.olderThan(1000)).toEqual([]);
      expect(await store.chat.olderThan(1001)).toEqual([meeting]);
      expect((await store.chat.olderThan(5001)).sort()).toEqual([meeting, other]);
    });

    test('go with their meeting, when it ends and when it is swept', async () => {
      for (const id of [meeting, other]) await fill(2, id);
      await offer(snapshotAt(1));
      await store.chat.confirm(meeting, 'snapshot 1');
      await offer(snapshotAt(2));
      await store.meetings.end(meeting, signed);
      expect(await store.chat.find(meeting)).toBeNull();
      expect(await seqs()).toEqual([]);
      expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
      expect(await store.chat.part(meeting, 'snapshot 1', 0)).toBeNull();
      expect(await store.chat.find(other)).not.toBeNull();
      await store.meetings.sweep(2000);
      expect(await store.chat.find(other)).toBeNull();
      expect(await store.chat.olderThan(9e15)).toEqual([]);
    });

    describe('snapshots', () => {
      beforeEach(() => fill(4));

      test('cover an item by the chain there, or what the confirmed one covers', async () => {
        for (const covers of [START, headAt(5), { seq: 2, hash: 'chain 3' }]) {
          expect(await store.chat.offer(meeting, snapshotAt(0, { covers }), 1)).toBe(false);
        }
        await offer(snapshotAt(3));
        await store.chat.confirm(meeting, 'snapshot 3');
        expect(await store.chat.offer(meeting, snapshotAt(2), 1)).toBe(false);
        expect(await store.chat.offer(meeting, snapshotAt(4, { id: 'snapshot 3' }), 1)).toBe(false);
        expect(await store.chat.offer(meeting, snapshotAt(3, { id: 'smaller' }), 1)).toBe(true);
        await store.chat.clear(meeting);
        expect(await store.chat.offer(meeting, snapshotAt(4), 1)).toBe(false);
      });

      test('are there when they are complete, and count when they are confirmed', async () => {
        const snapshot = snapshotAt(3);
        await store.chat.offer(meeting, snapshot, 1);
        const part = { snapshot: snapshot.id, part: 0, body: 'part0', bytes: 10, isLast: false };
        await store.chat.addPart(meeting, part);
        expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
        expect(await store.chat.part(meeting, snapshot.id, 0)).toBeNull();
        expect(await store.chat.confirm(meeting, snapshot.id)).toBe(false);
        await store.chat.addPart(meeting, { ...part, part: 1, body: 'part1', isLast: true });
        expect(await store.chat.addPart(meeting, { ...part, part: 2 })).toBe(false);
        expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: snapshot });
        expect(await store.chat.find(meeting)).toMatchObject({ base: START, used: 12 });
        expect(await store.chat.confirm(meeting, snapshot.id)).toBe(true);
        expect(await store.chat.snapshots(meeting)).toEqual({
          confirmed: { ...snapshot, confirmed: true },
          offered: null,
        });
        expect(await store.chat.find(meeting)).toEqual({ base: headAt(3), deleted: 0, head: headAt(4), used: 3 + 20 });
        expect(await seqs()).toEqual([4]);
        expect(await store.chat.part(meeting, snapshot.id, 1)).toBe('part1');
        expect(await store.chat.part(other, snapshot.id, 1)).toBeNull();
        expect(await store.chat.confirm(meeting, snapshot.id)).toBe(false);
      });

      test('are one that is offered and one that is confirmed; a newer takes the place of each', async () => {
        await offer(snapshotAt(1));
        await offer(snapshotAt(2));
        expect(await store.chat.part(meeting, 'snapshot 1', 0)).toBeNull();
        expect(
          await store.chat.addPart(meeting, { snapshot: 'snapshot 1', part: 2, body: 'x', bytes: 1, isLast: true }),
        ).toBe(false);
        await store.chat.confirm(meeting, 'snapshot 2');
        await offer(snapshotAt(4));
        const { confirmed, offered } = await store.chat.snapshots(meeting);
        expect([confirmed!.id, offered!.id]).toEqual(['snapshot 2', 'snapshot 4']);
        await store.chat.confirm(meeting, 'snapshot 4');
        expect(await store.chat.part(meeting, 'snapshot 2', 0)).toBeNull();
        expect(await store.chat.find(meeting)).toEqual({ base: headAt(4), deleted: 0, head: headAt(4), used: 20 });
      });

      test('that hold an erased body go, unless they are confirmed or hold nothing of it', async () => {
        await offer(snapshotAt(2));
        await store.chat.erase(meeting, gone(3));
        expect((await store.chat.snapshots(meeting)).offered).not.toBeNull();
        await store.chat.erase(meeting, gone(2, 4));
        expect((await store.chat.snapshots(meeting)).offered).toBeNull();
      });

      test('that nobody has confirmed are dropped by age, and on demand', async () => {
        await offer(snapshotAt(2), 5000);
        await store.chat.dropOffers(5000);
        expect((await store.chat.snapshots(meeting)).offered).not.toBeNull();
        await store.chat.dropOffers(5001);
        expect((await store.chat.snapshots(meeting)).offered).toBeNull();
        await offer(snapshotAt(3));
        await store.chat.dropOffer(meeting);
        expect(await store.chat.snapshots(meeting)).toEqual({ confirmed: null, offered: null });
        await offer(snapshotAt(4), 5000);
        await store.chat.confirm(meeting, 'snapshot 4');
        await store.chat.dropOffers(9e15);
        expect((await store.chat.snapshots(meeting)).confirmed).not.toBeNull();
      });
    });
  });
}
