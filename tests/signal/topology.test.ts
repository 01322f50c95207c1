/** Mesh or relay: when the room says which, and what it tells whom. */
import { expect, test } from 'vitest';
import { emptyRoom, dueAt, step } from '../../signal/meeting/room.ts';
import type { Effect, Input, Room } from '../../signal/meeting/roomTypes.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';

const peer = (n: number) => `peer${n}`.padEnd(22, 'A') as PeerId;

class Meeting {
  room: Room;
  now = 1_000_000;
  effects: Effect[] = [];

  constructor(terms: Partial<Pick<Room, 'meshLimit' | 'capacity' | 'hasRelay' | 'only' | 'calmMs'>> = {}) {
    const all = { generation: 0, capacity: 100, locked: false, meshLimit: 4, hasRelay: true, ...terms };
    this.room = emptyRoom('aaaa-bbbb-cccc-dddd' as MeetingId, all, null);
  }

  do(input: Input): this {
    const [room, effects] = step(this.room, input, this.now);
    this.room = room;
    this.effects.push(...effects);
    return this;
  }
  join(...numbers: number[]): this {
    for (const n of numbers) this.do({ type: 'join', peer: peer(n), generation: 0, name: 'AAAA', member: null });
    return this;
  }
  leave(...numbers: number[]): this {
    for (const n of numbers) this.do({ type: 'leave', peer: peer(n) });
    return this;
  }
  after(ms: number): this {
    this.now += ms;
    return this.do({ type: 'tick' });
  }
  get told(): string[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'tell' && effect.event.type === 'topology'
        ? [`${effect.event.topology.number} ${effect.event.topology.at} to ${effect.to.length}`]
        : [],
    );
  }
}

test('the fifth takes the meeting to the relay, and everybody is told, the fifth too', () => {
  const meeting = new Meeting().join(1, 2, 3, 4);
  expect(meeting.told).toEqual([]);
  expect(meeting.join(5).told).toEqual(['1 relay to 5']);
});

test('how long that is, the server may be told', () => {
  const meeting = new Meeting({ calmMs: 3000 }).join(1, 2, 3, 4, 5).leave(4, 5);
  expect(dueAt(meeting.room)).toBe(meeting.now + 3000);
  expect(meeting.after(2999).room.topology.at).toBe('relay');
  expect(meeting.after(1).room.topology.at).toBe('mesh');
});

test('it goes back when it has been below the limit for half a minute, and no sooner', () => {
  const meeting = new Meeting().join(1, 2, 3, 4, 5).leave(5);
  expect(meeting.after(60_000).room.topology.at).toBe('relay');
  meeting.leave(4);
  expect(dueAt(meeting.room)).toBe(meeting.now + 30_000);
  expect(meeting.after(29_999).room.topology.at).toBe('relay');
  expect(meeting.after(1).told).toEqual(['1 relay to 5', '2 mesh to 3']);
});

test('who comes back in that time keeps it where it is, and the time begins anew', () => {
  const meeting = new Meeting().join(1, 2, 3, 4, 5).leave(4, 5).after(20_000).join(6).after(20_000);
  meeting.leave(6).after(29_000);
  expect(meeting.room.topology.at).toBe('relay');
  expect(meeting.after(1000).room.topology.at).toBe('mesh');
});

test('the room at the relay stays open a while for those who are on their way back', () => {
  const meeting = new Meeting().join(1, 2, 3, 4, 5).leave(4, 5).after(30_000);
  const closed = () => meeting.effects.some(({ type }) => type === 'closeRelay');
  meeting.after(29_999);
  expect(closed()).toBe(false);
  meeting.after(1);
  expect(closed()).toBe(true);
  expect(dueAt(meeting.room)).toBe(Infinity);
});

test('growing again in that time, it keeps the room at the relay', () => {
  const meeting = new Meeting().join(1, 2, 3, 4, 5).leave(4, 5).after(30_000).join(4, 5).after(20_000);
  expect(meeting.told).toEqual(['1 relay to 5', '2 mesh to 3', '3 relay to 5']);
  expect(meeting.effects.some(({ type }) => type === 'closeRelay')).toBe(false);
});

test('two who cannot reach each other take it there at once, and it stays until one of them has gone', () => {
  const meeting = new Meeting().join(1, 2, 3).do({ type: 'pathFailed', by: peer(2), peer: peer(1), withdrawn: false });
  expect(meeting.told).toEqual(['1 relay to 3']);
  meeting.do({ type: 'pathFailed', by: peer(1), peer: peer(2), withdrawn: false });
  expect(meeting.room.troubles).toHaveLength(1);
  expect(meeting.after(300_000).room.topology.at).toBe('relay');
  meeting.leave(1);
  expect(meeting.after(30_000).room.topology.at).toBe('mesh');
});

test('they may take it back when they find each other after all, and nobody else may for them', () => {
  const meeting = new Meeting().join(1, 2, 3);
  meeting.do({ type: 'pathFailed', by: peer(2), peer: peer(1), withdrawn: false });
  meeting.do({ type: 'pathFailed', by: peer(3), peer: peer(1), withdrawn: true });
  meeting.do({ type: 'pathFailed', by: peer(3), peer: peer(3), withdrawn: true });
  expect(meeting.room.troubles).toHaveLength(1);
  meeting.do({ type: 'pathFailed', by: peer(1), peer: peer(2), withdrawn: true });
  expect(meeting.room.troubles).toEqual([]);
  expect(meeting.after(30_000).told).toEqual(['1 relay to 3', '2 mesh to 3']);
});

test('a full mesh that was only slow to connect is a mesh again, and one that had grown waits for one more to leave', () => {
  const slow = { type: 'pathFailed', by: peer(1), peer: peer(2), withdrawn: false } as const;
  const meeting = new Meeting()
    .join(1, 2, 3, 4)
    .do(slow)
    .do({ ...slow, withdrawn: true });
  expect(meeting.after(30_000).told).toEqual(['1 relay to 4', '2 mesh to 4']);
  meeting
    .do(slow)
    .do({ ...slow, withdrawn: true })
    .join(5)
    .leave(5);
  expect(meeting.after(60_000).room.topology.at).toBe('relay');
  meeting.leave(4);
  expect(meeting.after(30_000).room.topology.at).toBe('mesh');
});

test('nobody invents trouble with somebody who is not there', () => {
  const meeting = new Meeting().join(1, 2).do({ type: 'pathFailed', by: peer(1), peer: peer(9), withdrawn: false });
  meeting.do({ type: 'pathFailed', by: peer(1), peer: peer(1), withdrawn: false });
  expect(meeting.told).toEqual([]);
});

test('without a relay the mesh grows to six, and the seventh is told that it is full', () => {
  const meeting = new Meeting({ hasRelay: false }).join(1, 2, 3, 4, 5, 6);
  expect(meeting.told).toEqual([]);
  expect(() => meeting.join(7)).toThrow('meetingFull');
});

test('a relay that comes up late takes over what had grown beyond the limit', () => {
  const meeting = new Meeting({ hasRelay: false }).join(1, 2, 3, 4, 5).do({ type: 'relay', available: true });
  expect(meeting.told).toEqual(['1 relay to 5']);
});

test('a relay that is gone leaves a mesh; one that lost the room is asked for another', () => {
  const meeting = new Meeting().join(1, 2, 3, 4, 5).do({ type: 'relayLost' });
  expect(meeting.told).toEqual(['1 relay to 5', '2 relay to 5']);
  meeting.do({ type: 'relay', available: false });
  expect(meeting.told.at(-1)).toBe('3 mesh to 5');
  expect(meeting.do({ type: 'relayLost' }).told).toHaveLength(3);
});

test('one who cannot carry the mesh takes it to the relay, and two are as well off without', () => {
  const meeting = new Meeting().join(1, 2);
  meeting.do({ type: 'burdened', by: peer(1) });
  expect(meeting.told).toEqual([]);
  meeting.join(3);
  expect(meeting.told).toEqual(['1 relay to 3']);
  meeting.leave(3).after(30_000);
  expect(meeting.room.topology.at).toBe('mesh');
  meeting.join(3).leave(1).after(30_000).join(4);
  expect(meeting.room.topology.at).toBe('mesh');
});

test('a meeting that hides addresses is at the relay from the first moment, and never anywhere else', () => {
  const meeting = new Meeting({ only: 'relay' });
  expect(meeting.room.topology.at).toBe('relay');
  meeting.join(1, 2).after(60_000).do({ type: 'relay', available: false }).after(60_000);
  expect(meeting.told).toEqual([]);
  expect(meeting.room.topology.at).toBe('relay');
  meeting.do({ type: 'relay', available: true }).do({ type: 'relayLost' });
  expect(meeting.told).toEqual(['1 relay to 2']);
});

test('a meeting that trusts no relay stays a mesh of six', () => {
  const meeting = new Meeting({ only: 'mesh' }).join(1, 2, 3, 4, 5, 6);
  meeting.do({ type: 'pathFailed', by: peer(1), peer: peer(2) }).do({ type: 'burdened', by: peer(3) });
  expect(meeting.told).toEqual([]);
  expect(() => meeting.join(7)).toThrow('meetingFull');
});
