/** What every store promises, whichever database it lies in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { NewCommit, Store, StoredMember } from '../../signal/store/store.ts';

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const other = 'zzzz-bbbb-cccc-dddd' as MeetingId;
const groupId = 'g'.repeat(43) as GroupId;
const otherGroup = 'h'.repeat(43) as GroupId;
const anna: StoredMember = { peer: 'a'.repeat(22) as PeerId, leaf: 0 };
const ben: StoredMember = { peer: 'b'.repeat(22) as PeerId, leaf: 1 };
const at = (epoch: number) => epoch as Epoch;
const signed = (body: string): Signed => ({ body: JSON.stringify({ body }), signature: 's'.repeat(86) });
const terms = (body: string) => ({ record: signed(body), access: signed(`access of ${body}`) });
const commit = (epoch: number, text: string, more: Partial<NewCommit> = {}): NewCommit => ({
  meeting,
  groupId,
  epoch: at(epoch),
  by: anna.peer,
  commit: text,
  members: [anna, ben],
  ...more,
});

/** @param make  an empty store */
export function storeContract(name: string, make: () => Promise<Store>): void {
  describe(`the ${name} store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await make();
    });
    afterEach(() => store.close());

    describe('meetings', () => {
      beforeEach(() => store.meetings.create(meeting, terms('record 0'), 1000));

      test('are found as they were created', async () => {
        expect(await store.meetings.find(meeting)).toEqual({
          meeting,
          ...terms('record 0'),
          generation: 0,
          hostState: null,
          sequence: 0,
          ended: null,
          usedAt: 1000,
        });
        expect(await store.meetings.find(other)).toBeNull();
      });

      test('are created once: the same record again is no harm, another is refused', async () => {
        expect(await store.meetings.create(meeting, terms('record 0'), 2000)).toBe('same');
        expect(await store.meetings.create(meeting, terms('another'), 2000)).toBe('taken');
        expect(await store.meetings.create(other, terms('another'), 2000)).toBe('created');
        expect((await store.meetings.find(meeting))!.record).toEqual(signed('record 0'));
      });

      test('rotate by exactly one generation', async () => {
        expect(await store.meetings.rotate(meeting, 2, terms('record 2'))).toBe(false);
        expect(await store.meetings.rotate(meeting, 0, terms('record 0b'))).toBe(false);
        expect(await store.meetings.rotate(meeting, 1, terms('record 1'))).toBe(true);
        expect(await store.meetings.rotate(meeting, 1, terms('record 1b'))).toBe(false);
        expect(await store.meetings.find(meeting)).toMatchObject({ generation: 1, record: signed('record 1') });
      });

      test('take one of two rotations that come at the same time', async () => {
        const taken = await Promise.all(['x', 'y', 'z'].map((body) => store.meetings.rotate(meeting, 1, terms(body))));
        expect(taken.filter(Boolean)).toHaveLength(1);
      });

      test('keep the newest host state only', async () => {
        expect(await store.meetings.saveHostState(meeting, 0, signed('state 0'))).toBe(true);
        expect(await store.meetings.saveHostState(meeting, 7, signed('state 7'))).toBe(true);
        expect(await store.meetings.saveHostState(meeting, 7, signed('state 7b'))).toBe(false);
        expect(await store.meetings.saveHostState(meeting, 3, signed('state 3'))).toBe(false);
        expect((await store.meetings.find(meeting))!.hostState).toEqual({ version: 7, signed: signed('state 7') });
      });

      test('take each sequence once and never a lower one', async () => {
        const now = 1_900_000_000_000;
        const taken: boolean[] = [];
        for (const sequence of [now, now, now - 1, now + 1]) {
          taken.push(await store.meetings.takeSequence(meeting, sequence));
        }
        expect(taken).toEqual([true, false, false, true]);
        expect((await store.meetings.find(meeting))!.sequence).toBe(now + 1);
      });

      test('stay as ended, without group and log, and do not rotate any more', async () => {
        await store.groups.create(meeting, { id: groupId, epoch: at(0), members: [anna] }, 1000);
        await store.groups.append(commit(0, 'one'), 1000);
        await store.meetings.end(meeting, signed('end'));
        expect((await store.meetings.find(meeting))!.ended).toEqual(signed('end'));
        expect(await store.groups.find(meeting)).toBeNull();
        expect(await store.groups.log(meeting, groupId, at(0), 10)).toEqual([]);
        expect(await store.meetings.rotate(meeting, 1, terms('record 1'))).toBe(false);
      });

      test('are swept with all that is theirs once nobody has used them for long', async () => {
        await store.meetings.create(other, terms('other'), 1000);
        await store.groups.create(meeting, { id: groupId, epoch: at(0), members: [anna] }, 1000);
        await store.groups.append(commit(0, 'one'), 1000);
        await store.meetings.touch(other, 5000);
        expect(await store.meetings.sweep(5000)).toBe(1);
        expect(await store.meetings.find(meeting)).toBeNull();
        expect(await store.groups.find(meeting)).toBeNull();
        expect(await store.groups.log(meeting, groupId, at(0), 10)).toEqual([]);
        expect(await store.meetings.find(other)).toMatchObject({ usedAt: 5000 });
      });

      test('that nobody knows take nothing', async () => {
        expect(await store.meetings.rotate(other, 1, terms('r'))).toBe(false);
        expect(await store.meetings.saveHostState(other, 1, signed('s'))).toBe(false);
        expect(await store.meetings.takeSequence(other, 1)).toBe(false);
      });
    });

    describe('groups', () => {
      beforeEach(() => store.groups.create(meeting, { id: groupId, epoch: at(0), members: [anna] }, 1000));

      test('are found with epoch and members as of the last commit', async () => {
        expect(await store.groups.find(other)).toBeNull();
        expect(await store.groups.find(meeting)).toEqual({ id: groupId, epoch: 0, members: [anna] });
        expect(await store.groups.append(commit(0, 'one'), 1000)).toBe(true);
        expect(await store.groups.find(meeting)).toEqual({ id: groupId, epoch: 1, members: [anna, ben] });
      });

      test('order the first commit of an epoch, and no other', async () => {
        const offers = ['one', 'two', 'three'].map((text) => store.groups.append(commit(0, text), 1000));
        const won = await Promise.all(offers);
        expect(won.filter(Boolean)).toHaveLength(1);
        const [ordered] = await store.groups.log(meeting, groupId, at(0), 10);
        expect(ordered!.commit).toBe(['one', 'two', 'three'][won.indexOf(true)]);
        expect(await store.groups.append(commit(0, 'late'), 1000)).toBe(false);
        expect((await store.groups.find(meeting))!.epoch).toBe(1);
      });

      test('keep the same epoch of another group and of another meeting apart', async () => {
        await store.groups.create(other, { id: groupId, epoch: at(0), members: [anna] }, 1000);
        expect(await store.groups.append(commit(0, 'one'), 1000)).toBe(true);
        expect(await store.groups.append(commit(0, 'two', { meeting: other }), 1000)).toBe(true);
        expect(await store.groups.append(commit(0, 'three', { groupId: otherGroup }), 1000)).toBe(true);
        expect(await store.groups.find(meeting)).toMatchObject({ id: groupId, epoch: 1 });
      });

      test('give their log from an epoch on, oldest first, as much as was asked for', async () => {
        for (let epoch = 0; epoch < 12; epoch++) await store.groups.append(commit(epoch, `c${epoch}`), 1000);
        const log = await store.groups.log(meeting, groupId, at(9), 64);
        expect(log).toEqual([9, 10, 11].map((epoch) => ({ groupId, epoch, by: anna.peer, commit: `c${epoch}` })));
        expect((await store.groups.log(meeting, groupId, at(0), 2)).map(({ epoch }) => epoch)).toEqual([0, 1]);
        expect(await store.groups.log(meeting, otherGroup, at(0), 64)).toEqual([]);
      });

      test('reopen the last epoch: commit and members are as before, and another commit may win', async () => {
        await store.groups.append(commit(0, 'bad'), 1000);
        await store.groups.reopen(meeting, groupId, at(0), [anna]);
        expect(await store.groups.find(meeting)).toEqual({ id: groupId, epoch: 0, members: [anna] });
        expect(await store.groups.append(commit(0, 'good', { by: ben.peer }), 1000)).toBe(true);
        expect(await store.groups.log(meeting, groupId, at(0), 10)).toEqual([
          { groupId, epoch: 0, by: ben.peer, commit: 'good' },
        ]);
      });

      test('are one per meeting: a new one takes the place of the old, log and all', async () => {
        await store.groups.append(commit(0, 'one'), 1000);
        await store.groups.create(meeting, { id: otherGroup, epoch: at(0), members: [ben] }, 1000);
        expect(await store.groups.find(meeting)).toEqual({ id: otherGroup, epoch: 0, members: [ben] });
        expect(await store.groups.log(meeting, groupId, at(0), 10)).toEqual([]);
      });

      test('are dropped by id, so that a late drop does not hit the next group', async () => {
        await store.groups.create(meeting, { id: otherGroup, epoch: at(0), members: [ben] }, 1000);
        await store.groups.drop(meeting, groupId);
        expect((await store.groups.find(meeting))!.id).toBe(otherGroup);
        await store.groups.drop(meeting, otherGroup);
        expect(await store.groups.find(meeting)).toBeNull();
      });

      test('are swept by age, except where somebody is', async () => {
        await store.groups.create(other, { id: otherGroup, epoch: at(0), members: [ben] }, 1000);
        expect(await store.groups.sweep(1000, new Set())).toBe(0);
        expect(await store.groups.sweep(2000, new Set([other]))).toBe(1);
        expect(await store.groups.find(meeting)).toBeNull();
        expect(await store.groups.find(other)).not.toBeNull();
      });
    });

    test('answers a ping while it is open, and not any more once closed', async () => {
      await store.ping();
      await store.close();
      await store.close();
      await expect(store.ping()).rejects.toThrow();
    });
  });
}
