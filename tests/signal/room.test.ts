/** The pure room: what follows from what, compared as values. Whatever is told over sockets is in the other files. */
import { describe, expect, test } from 'vitest';
import { checkOffer, membersAfter, newGroup } from '../../signal/meeting/epochs.ts';
import { designatedCommitter, mayAsk } from '../../signal/meeting/permissions.ts';
import { AWAY_MS, dueAt, emptyRoom, roster, step } from '../../signal/meeting/room.ts';
import type { Effect, Input, Offer, Room } from '../../signal/meeting/roomTypes.ts';
import { type ErrorCode, ProtocolError } from '../../signal/protocol/errors.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { catalogue } from '../../signal/protocol/catalogue.ts';

const meeting = 'aaaa-bbbb-cccc-dddd' as MeetingId;
const id = (letter: string) => letter.repeat(22) as PeerId;
const [anna, ben, carla, dan] = ['a', 'b', 'c', 'd'].map(id) as [PeerId, PeerId, PeerId, PeerId];
const group1 = 'g'.repeat(43) as GroupId;
const group2 = 'h'.repeat(43) as GroupId;
const empty = emptyRoom(meeting, { generation: 0, capacity: 4, locked: false, meshLimit: 4, hasRelay: false }, null);

const joining = (peer: PeerId, member: GroupId | null = null): Input => ({
  type: 'join',
  peer,
  generation: 0,
  name: 'nn',
  member,
});
const offer = (by: PeerId, epoch: number, more: Partial<Offer> = {}): Offer => ({
  by,
  groupId: group1,
  epoch: epoch as Epoch,
  hash: `hash ${by[0]} ${epoch}`,
  added: [],
  removed: [],
  ...more,
});
const ordering = (one: Offer): Input => ({
  type: 'ordered',
  offer: one,
  commit: 'cc',
  welcome: one.added.length > 0 ? 'ww' : null,
  letter: null,
});

/** Runs inputs one after the other, 10 s apart, and gives the room and the effects of the last. */
function run(room: Room, ...inputs: Input[]): { room: Room; effects: readonly Effect[]; now: number } {
  let effects: readonly Effect[] = [];
  let now = 1_000_000;
  for (const input of inputs) {
    now += 10_000;
    [room, effects] = step(room, input, now);
  }
  return { room, effects, now };
}

function codeOf(act: () => unknown): ErrorCode | 'accepted' {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return (error as ProtocolError).code;
  }
}

const told = (effects: readonly Effect[], type: string): readonly PeerId[] =>
  effects.flatMap((effect) => (effect.type === 'tell' && effect.event.type === type ? [...effect.to] : []));

/** A live group of Anna and Ben at epoch 1. */
const pair = run(
  empty,
  joining(anna),
  joining(ben),
  { type: 'createGroup', by: anna, groupId: group1 },
  ordering(offer(anna, 0, { added: [ben] })),
).room;

describe('a step', () => {
  test('leaves the room that it was given as it was', () => {
    const before = structuredClone(pair);
    for (const input of [
      joining(carla),
      { type: 'away', peer: ben },
      { type: 'leave', peer: anna },
      { type: 'remove', peer: ben },
      ordering(offer(ben, 1, { added: [carla], removed: [anna] })),
    ] satisfies Input[]) {
      step(pair, input, 2_000_000);
    }
    expect(pair).toEqual(before);
  });

  test('that changes nothing gives the very same room', () => {
    for (const input of [
      { type: 'tick' },
      { type: 'back', peer: anna },
      { type: 'leave', peer: dan },
      { type: 'away', peer: dan },
      { type: 'message', from: anna, to: null, body: 'bb', transient: false },
      { type: 'createGroup', by: ben, groupId: group2 },
    ] satisfies Input[]) {
      expect(step(pair, input, 2_000_000)[0]).toBe(pair);
    }
  });
});

describe('leaves', () => {
  test('are counted as MLS counts them: removed first, then the leftmost empty one for each newcomer', () => {
    const before = new Map([
      [anna, 0],
      [ben, 1],
      [carla, 2],
    ]);
    const after = membersAfter(before, offer(carla, 0, { removed: [anna], added: [dan, id('e')] }));
    expect([...after]).toEqual([
      [ben, 1],
      [carla, 2],
      [dan, 0],
      [id('e'), 3],
    ]);
  });

  test('of one group are 256 at most', () => {
    const many = Array.from({ length: 256 }, (_, index) => String(index).padStart(22, 'x') as PeerId);
    const before = new Map(many.map((peer, leaf) => [peer, leaf] as const));
    expect(codeOf(() => membersAfter(before, offer(many[0]!, 0, { added: [dan] })))).toBe('badRequest');
    expect(codeOf(() => membersAfter(before, offer(many[0]!, 0, { added: [dan], removed: [many[9]!] })))).toBe(
      'accepted',
    );
  });

  test('decide who commits: the lowest of those who are here, so a reloaded maker of the meeting does again', () => {
    expect(designatedCommitter(pair, pair.group!)).toBe(anna);
    const away = run(pair, { type: 'away', peer: anna }).room;
    expect(designatedCommitter(away, away.group!)).toBe(ben);
    const back = run(away, joining(carla), ordering(offer(ben, 1, { removed: [anna], added: [carla] }))).room;
    expect(designatedCommitter(back, back.group!)).toBe(carla);
  });
});

describe('capacity', () => {
  const full = run(pair, joining(carla), joining(dan)).room;

  test('counts who is here: who reloads in a full meeting gets in', () => {
    expect(codeOf(() => step(full, joining(id('e')), 0))).toBe('meetingFull');
    const reloading = run(full, { type: 'away', peer: dan }).room;
    expect(codeOf(() => step(reloading, joining(id('e')), 0))).toBe('accepted');
  });

  test('lets nobody pile up places of peers that are away', () => {
    let room = empty;
    let count = 0;
    while (codeOf(() => step(room, joining(String(count).padStart(22, 'x') as PeerId), 0)) === 'accepted') {
      const peer = String(count++).padStart(22, 'x') as PeerId;
      room = run(room, joining(peer), { type: 'away', peer }).room;
    }
    expect(count).toBe(8);
  });
});

describe('time', () => {
  test('gives back the place of a peer that stays away, and says when it will', () => {
    const { room, now } = run(pair, { type: 'away', peer: ben });
    expect(dueAt(room)).toBe(now + AWAY_MS);
    expect(step(room, { type: 'tick' }, now + AWAY_MS - 1)[0]).toBe(room);
    const [after, effects] = step(room, { type: 'tick' }, now + AWAY_MS);
    expect(roster(after, null).map(({ peer }) => peer)).toEqual([anna]);
    expect(effects).toContainEqual({ type: 'dismiss', peer: ben, code: null });
    expect(told(effects, 'peer.left')).toEqual([anna]);
    expect(dueAt(after)).toBe(Infinity);
  });

  test('ends a request to be added after two minutes', () => {
    const { room, now } = run(pair, joining(carla), {
      type: 'requestAdd',
      by: carla,
      groupId: group1,
      keyPackage: 'kk',
      admission: 'aa',
    });
    expect(dueAt(room)).toBe(now + 120_000);
    const [after] = step(room, { type: 'tick' }, now + 120_000);
    expect(after.group!.requests.size).toBe(0);
    // A member that comes back sooner hears of it again.
    const [, effects] = step(step(room, { type: 'away', peer: ben }, now)[0], joining(ben, group1), now + 119_000);
    expect(told(effects, 'group.addRequested')).toEqual([ben]);
  });
});

describe('a group', () => {
  const stored = newGroup(
    group1,
    new Map([
      [anna, 0],
      [ben, 1],
    ]),
    7 as Epoch,
    50_000,
  );
  const restarted = emptyRoom(
    meeting,
    { generation: 0, capacity: 2, locked: true, meshLimit: 4, hasRelay: false },
    stored,
  );

  test('that was alive before a restart is shown to nobody until a member is back', () => {
    const open = { ...restarted, locked: false };
    const [waiting] = step(open, joining(carla), 20_000);
    expect(
      codeOf(() =>
        step(waiting, { type: 'requestAdd', by: carla, groupId: group1, keyPackage: 'k', admission: 'a' }, 20_000),
      ),
    ).toBe('groupUnknown');
    expect(step(waiting, { type: 'createGroup', by: carla, groupId: group2 }, 49_999)[0]).toBe(waiting);
    expect(step(waiting, { type: 'createGroup', by: carla, groupId: group2 }, 50_000)[0].group!.id).toBe(group2);
    const [back] = step(waiting, joining(ben, group1), 60_000);
    expect(roster(back, null).map(({ inGroup }) => inGroup)).toEqual([false, true]);
  });

  test('lets its members back in past lock and capacity, and nobody who only says so', () => {
    const [one] = step(restarted, joining(anna, group1), 20_000);
    expect(codeOf(() => step(one, joining(carla, group1), 20_000))).toBe('meetingLocked');
    expect(codeOf(() => step(one, joining(carla), 20_000))).toBe('meetingLocked');
    expect(codeOf(() => step({ ...one, capacity: 1 }, joining(ben, group1), 20_000))).toBe('accepted');
  });

  test('goes with its log when the last member leaves, and waits when the last one is lost', () => {
    const left = run(pair, { type: 'leave', peer: ben }, { type: 'leave', peer: anna });
    expect(left.room.group).toBeNull();
    expect(left.effects).toContainEqual({ type: 'dropGroup', groupId: group1 });
    const lost = run(
      pair,
      { type: 'away', peer: anna },
      { type: 'away', peer: ben },
      { type: 'tick' },
      { type: 'tick' },
      { type: 'tick' },
      { type: 'tick' },
    );
    expect(lost.room.peers.size).toBe(0);
    expect(lost.room.group!.id).toBe(group1);
    expect(lost.effects.some(({ type }) => type === 'dropGroup')).toBe(false);
  });
});

describe('an objection', () => {
  const five = run(
    { ...empty, capacity: 9 },
    ...[anna, ben, carla, dan].map((peer) => joining(peer)),
    { type: 'createGroup', by: anna, groupId: group1 },
    ordering(offer(anna, 0, { added: [ben, carla, dan] })),
  ).room;
  const object = (by: PeerId, epoch = 1): Input => ({
    type: 'invalid',
    by,
    groupId: group1,
    epoch: epoch as Epoch,
    hash: `hash a ${epoch}`,
  });
  const bad = ordering(offer(anna, 1));

  test('weighs among those who are connected', () => {
    const one = run(five, bad, object(ben)).room;
    expect(one.group!.epoch).toBe(2);
    const fewer = run(five, bad, { type: 'leave', peer: dan }, { type: 'away', peer: carla }, object(ben)).room;
    expect(fewer.group!.epoch).toBe(1);
  });

  test('to a commit that removes everybody else is heard although they are removed', () => {
    const all = ordering(offer(anna, 1, { removed: [ben, carla, dan] }));
    const healed = run(five, all, object(ben), object(carla)).room;
    expect(healed.group!.epoch).toBe(1);
    expect(roster(healed, null).every(({ inGroup }) => inGroup)).toBe(true);
  });

  test('comes too late once the next commit is ordered', () => {
    const later = run(five, bad, ordering(offer(ben, 2)), object(carla), object(dan), object(ben)).room;
    expect(later.group!.epoch).toBe(3);
  });
});

describe('an offer', () => {
  test.each([
    ['for an epoch that is over', offer(ben, 0), 'staleEpoch'],
    ['that was ordered last, by its own author', offer(anna, 0), 'accepted'],
    ['for an epoch to come', offer(anna, 2), 'staleEpoch'],
    ['of somebody who is not there', offer(dan, 1), 'groupUnknown'],
    ['for another group', offer(anna, 1, { groupId: group2 }), 'groupUnknown'],
    ['that fits', offer(anna, 1), 'accepted'],
  ] as const)('%s is judged before the store is asked', (_, one, code) => {
    expect(codeOf(() => checkOffer(pair, one, 2_000_000))).toBe(code);
  });
});

describe('an epoch', () => {
  const entered = (by: PeerId, epoch: number, groupId = group1): Input => ({
    type: 'entered',
    by,
    groupId,
    epoch: epoch as Epoch,
  });
  const three = run(
    empty,
    joining(anna),
    { type: 'createGroup', by: anna, groupId: group1 },
    joining(ben),
    joining(carla),
    ordering(offer(anna, 0, { added: [ben, carla] })),
  ).room;
  const settled = { type: 'group.settled', groupId: group1, epoch: 1 };
  const told = (effects: readonly Effect[]) =>
    effects.flatMap((effect) => (effect.type === 'tell' && effect.event.type === 'group.settled' ? [effect] : []));

  test('is settled when the last member has said that it is in it, once, and nobody away is told of it later', () => {
    const first = run(three, entered(anna, 1), entered(ben, 1));
    expect(told(first.effects)).toEqual([]);
    const last = run(first.room, entered(carla, 1));
    expect(told(last.effects)).toEqual([{ type: 'tell', to: [anna, ben, carla], event: settled, transient: true }]);
    expect(told(run(last.room, entered(ben, 1)).effects)).toEqual([]);
  });

  test('is settled when the one who was missing goes, not when it is away', () => {
    const two = run(three, entered(anna, 1), entered(ben, 1)).room;
    const away = run(two, { type: 'away', peer: carla });
    expect(told(away.effects)).toEqual([]);
    expect(told(run(away.room, { type: 'leave', peer: carla }).effects)).toMatchObject([{ to: [anna, ben] }]);
  });

  test('counts only what members say of it, and begins anew with each commit', () => {
    const others = [entered(dan, 1), entered(carla, 0), entered(carla, 2), entered(carla, 1, group2)];
    const two = run(three, entered(anna, 1), entered(ben, 1), joining(dan), ...others);
    expect(told(two.effects)).toEqual([]);
    const next = run(two.room, ordering(offer(ben, 1)), entered(carla, 2));
    expect(told(next.effects)).toEqual([]);
    expect(told(run(next.room, entered(anna, 2), entered(ben, 2)).effects)).toMatchObject([{ event: { epoch: 2 } }]);
  });
});

test('each request is for its phase, the first steps for exactly theirs', () => {
  const allowed = (phase: Parameters<typeof mayAsk>[0]) =>
    (Object.keys(catalogue) as (keyof typeof catalogue)[]).filter((name) => mayAsk(phase, name));
  const chat = [
    'open',
    'read',
    'part',
    'append',
    'erase',
    'whisper',
    'offer',
    'offerPart',
    'confirm',
    'ticket',
    'pass',
    'close',
  ];
  const chatNames = chat.map((name) => `chat.${name}`);
  expect(allowed('new')).toEqual(['hello', 'resume', 'meeting.proveLink', 'ping']);
  expect(allowed('linked')).toEqual(['meeting.proveAccess', 'ping']);
  // Browsers are found by those who are in the meeting.
  expect(allowed('admitted')).toEqual(['meeting.join', 'ping', ...chatNames.filter((name) => name !== 'chat.ticket')]);
  expect(allowed('joined')).toEqual([
    'group.create',
    'group.requestAdd',
    'group.commit',
    'group.log',
    'group.entered',
    'group.commitInvalid',
    'group.disown',
    'message.send',
    'path.burdened',
    'path.failed',
    'meeting.leave',
    'ping',
    'host.state',
    'host.rotate',
    'host.command',
    'relay.open',
    'relay.connect',
    'relay.restartIce',
    'relay.produce',
    'relay.consume',
    'relay.set',
    'relay.forget',
    'relay.close',
    ...chatNames,
  ]);
});
