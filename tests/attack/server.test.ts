/** A member who lies to an honest server: what a commit claims beside its bytes is only its author's word. */
import { afterEach, describe, expect, test } from 'vitest';
import { checkOffer } from '../../signal/meeting/epochs.ts';
import { emptyRoom, step } from '../../signal/meeting/room.ts';
import type { Effect, Input, Offer, Room } from '../../signal/meeting/roomTypes.ts';
import type { ProtocolError } from '../../signal/protocol/errors.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { Scene, type Person } from '../scenario/support/people.ts';

const id = (name: string) => name.padEnd(22, '_') as PeerId;
const [ann, ben, mallory, cem] = ['ann', 'ben', 'mallory', 'cem'].map(id) as [PeerId, PeerId, PeerId, PeerId];
const groupId = 'g'.repeat(43) as GroupId;

class Meeting {
  room: Room = emptyRoom(
    'aaaa-bbbb-cccc-dddd' as MeetingId,
    { generation: 0, capacity: 6, locked: false, meshLimit: 4, hasRelay: false },
    null,
  );
  now = 1_000_000;

  do(input: Input, afterMs = 1000): readonly Effect[] {
    this.now += afterMs;
    const [room, effects] = step(this.room, input, this.now);
    this.room = room;
    return effects;
  }

  join(peer: PeerId): void {
    this.do({ type: 'join', peer, generation: 0, name: 'nn', member: null });
  }

  ask(peer: PeerId): void {
    this.do({ type: 'requestAdd', by: peer, groupId, keyPackage: 'kk', admission: 'aa' });
  }

  /** 'accepted', or why not. */
  commit(by: PeerId, claims: { added?: PeerId[]; removed?: PeerId[] } = {}, afterMs = 6000): string {
    this.now += afterMs;
    const { epoch } = this.room.group!;
    const offer: Offer = { by, groupId, epoch, hash: `${by} ${this.now}`, added: [], removed: [], ...claims };
    try {
      checkOffer(this.room, offer, this.now);
      this.do({ type: 'ordered', offer, commit: 'cc', welcome: offer.added.length > 0 ? 'ww' : null, letter: null }, 0);
      return 'accepted';
    } catch (error) {
      return (error as ProtocolError).code;
    }
  }

  told(effects: readonly Effect[]): PeerId[] {
    return effects.flatMap((effect) => (effect.type === 'tell' ? effect.to : []));
  }
}

/** Ann made the group; Ben and Mallory are in. */
function meeting(): Meeting {
  const made = new Meeting();
  for (const peer of [ann, ben, mallory]) made.join(peer);
  made.do({ type: 'createGroup', by: ann, groupId });
  for (const peer of [ben, mallory]) {
    made.ask(peer);
    expect(made.commit(ann, { added: [peer] })).toBe('accepted');
  }
  return made;
}

describe('a member whose commit claims what is not in it', () => {
  test('does not take the right to commit from somebody who is still there', () => {
    const made = meeting();
    // For the members an empty update, and valid.
    made.commit(mallory, { removed: [ann] });
    expect(made.commit(ann, { removed: [mallory] })).toBe('accepted');
  });

  test('does not cut somebody off who is still there from the commits of others', () => {
    const made = meeting();
    made.commit(mallory, { removed: [ann] });
    made.now += 6000;
    const { epoch } = made.room.group!;
    const offer: Offer = { by: ben, groupId, epoch: epoch as Epoch, hash: 'h', added: [], removed: [] };
    checkOffer(made.room, offer, made.now);
    expect(made.told(made.do({ type: 'ordered', offer, commit: 'cc', welcome: null, letter: null }))).toContain(ann);
  });

  test('does not fill the group with people who never asked to come in', () => {
    const made = meeting();
    // Ann, Ben, Mallory and 253 others: no leaf is left.
    for (const [round, count] of [100, 100, 53].entries()) {
      made.commit(mallory, { added: Array.from({ length: count }, (_, index) => id(`${round}.${index}`)) });
    }
    made.join(cem);
    made.ask(cem);
    expect(made.commit(ann, { added: [cem] })).toBe('accepted');
  });

  test('does not outrun the pace of commits by naming a removal of nobody', () => {
    const made = meeting();
    expect(made.commit(mallory)).toBe('accepted');
    expect(made.commit(mallory, { removed: [id('nobody')] }, 10)).not.toBe('accepted');
  });

  test('does not outrun it by naming the same member again and again', () => {
    const made = meeting();
    const codes = Array.from({ length: 8 }, () => made.commit(mallory, { removed: [ben] }, 100));
    expect(codes.filter((code) => code === 'accepted').length).toBeLessThan(5);
  });
});

describe('a member who claims to have added its own idle connections', () => {
  const friends = Array.from({ length: 9 }, (_, index) => id(`friend${index}`));

  /** Ann, Ben, Mallory and Cem have been in for long; Mallory's commit changes nothing, and says that it adds nine. */
  function crowded(): Meeting {
    const made = meeting();
    made.room = { ...made.room, capacity: 20, hasRelay: true };
    made.join(cem);
    made.ask(cem);
    expect(made.commit(ann, { added: [cem] })).toBe('accepted');
    made.now += 20_000;
    for (const friend of friends) {
      made.join(friend);
      made.ask(friend);
    }
    expect(made.commit(mallory, { added: friends })).toBe('accepted');
    return made;
  }
  const inGroup = (made: Meeting) =>
    [...made.room.peers.values()].filter((peer) => peer.inGroup).map(({ peer }) => peer);
  const disown = (made: Meeting, ...by: PeerId[]) => {
    for (const one of by) made.do({ type: 'disown', by: one, groupId, peers: friends }, 10);
  };
  const object = (made: Meeting, ...by: PeerId[]) => {
    const { epoch, hash } = made.room.group!.last!;
    for (const one of by) made.do({ type: 'invalid', by: one, groupId, epoch, hash }, 10);
  };

  test('does not outvote the members by them: a removal of it stands', () => {
    const made = crowded();
    expect(made.commit(ann, { removed: [mallory] }, 300)).toBe('accepted');
    const { epoch } = made.room.group!;
    object(made, ...friends);
    expect(made.room.group!.epoch).toBe(epoch);
  });

  test('nor in a meeting of two', () => {
    const made = meeting();
    made.do({ type: 'leave', peer: ben });
    made.now += 20_000;
    for (const friend of friends.slice(0, 4)) made.join(friend);
    expect(made.commit(mallory, { added: friends })).toBe('accepted');
    expect(made.commit(ann, { removed: [mallory] }, 300)).toBe('accepted');
    const { epoch } = made.room.group!;
    object(made, ...friends.slice(0, 4));
    expect(made.room.group!.epoch).toBe(epoch);
  });

  test('has none of them counted once the older members have looked into their trees', () => {
    const made = crowded();
    disown(made, ann);
    expect(inGroup(made)).toHaveLength(13);
    disown(made, ben);
    expect(inGroup(made)).toEqual([ann, ben, mallory, cem]);
    expect([...made.room.group!.members.keys()]).toEqual([ann, ben, mallory, cem]);
    expect(() => made.do({ type: 'message', from: friends[0]!, to: null, body: 'AQAA', transient: false })).toThrow();
    // Nor by the withdrawal of the commit that came next, or of that very one.
    object(made, ann, ben, cem);
    expect(inGroup(made)).toEqual([ann, ben, mallory, cem]);
  });

  test('nor by a second commit that came before anybody could look, in which the friends bring friends', () => {
    const made = crowded();
    const more = Array.from({ length: 5 }, (_, index) => id(`more${index}`));
    for (const friend of more) made.join(friend);
    expect(made.commit(friends[0]!, { added: more }, 300)).toBe('accepted');
    for (const by of [ann, ben, cem]) {
      made.do({ type: 'disown', by, groupId, peers: friends }, 10);
      made.do({ type: 'disown', by, groupId, peers: more }, 10);
    }
    expect(inGroup(made)).toEqual([ann, ben, mallory, cem]);
  });

  test('cannot have somebody disowned whom others have added, alone, by friends, or later', () => {
    const made = meeting();
    made.now += 20_000;
    made.join(cem);
    made.ask(cem);
    made.commit(ann, { added: [cem] });
    made.do({ type: 'disown', by: mallory, groupId, peers: [cem, ben, ann] }, 10);
    expect(inGroup(made)).toEqual([ann, ben, mallory, cem]);
    made.join(friends[0]!);
    made.commit(mallory, { added: [friends[0]!] }, 300);
    made.do({ type: 'disown', by: friends[0]!, groupId, peers: [cem] }, 10);
    made.now += 11_000;
    made.do({ type: 'disown', by: ben, groupId, peers: [cem] }, 10);
    expect(inGroup(made)).toContain(cem);
  });
});

describe('members whose server passes on what a commit is said to add', () => {
  let scene: Scene;
  afterEach(() => scene.end());
  const disowned = () => scene.server.seen.filter(({ name }) => name === 'group.disown');

  test('disown whom their trees do not have, and nobody else', async () => {
    scene = await Scene.open();
    const [, ben, cem] = (await scene.gather('Ann', 'Ben', 'Cem')) as [Person, Person, Person];
    expect(disowned()).toEqual([]);
    scene.server.deliver = (event) =>
      event.type === 'group.committed' ? [{ ...event, added: [...(event.added ?? []), mallory] }] : [event];
    const dua = await scene.arrive('Dua');
    await scene.world.advance(1000);
    const params = { groupId: scene.server.ref!.id, peers: [mallory] };
    for (const { peer } of [ben, cem]) {
      expect(disowned()).toContainEqual({ from: peer, name: 'group.disown', params });
      expect(scene.people.find((person) => person.peer === peer)!.alarms).toContain('forged');
    }
    for (const { params: said } of disowned()) expect(said).toEqual(params);
    expect(dua.out).toBeNull();
  });
});

test('somebody who is not in the group cannot send to its members', () => {
  const made = meeting();
  made.join(cem);
  const send = () => made.do({ type: 'message', from: cem, to: null, body: 'AQAA', transient: false });
  let told: PeerId[] = [];
  try {
    told = made.told(send());
  } catch {
    // Refused: as good.
  }
  expect(told).toEqual([]);
});

test('somebody who came by the old link and is not in the group does not stay when the link is renewed', () => {
  const made = meeting();
  made.join(cem);
  made.do({ type: 'rotated', by: ann, record: { body: '{}', signature: '' }, generation: 1, capacity: 6 });
  expect(made.room.peers.has(cem)).toBe(false);
  expect(made.room.peers.has(ben)).toBe(true);
});
