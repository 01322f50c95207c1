/**
 * The room under random inputs, against a model that only knows the rules. Any order of events may come from the network, so any
 * order is tried. Prints its seed when it fails; PARLEY_SEED repeats it.
 */
import { describe, expect, test } from 'vitest';
import { checkOffer } from '../../signal/meeting/epochs.ts';
import { emptyRoom, step } from '../../signal/meeting/room.ts';
import type { Effect, Input, Offer, Room } from '../../signal/meeting/roomTypes.ts';
import { ProtocolError } from '../../signal/protocol/errors.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { random, seeds } from './random.ts';

const CAPACITY = 5;
const STEPS = 400;
const SIGNED = { body: '{}', signature: '' };
const names = Array.from({ length: 14 }, (_, index) => index.toString(16).repeat(22) as PeerId);
const groups = Array.from({ length: 3 }, (_, index) => String(index).repeat(43) as GroupId);

/** What has come of everything so far, by the rules alone. */
class Model {
  room: Room;
  now = 1_000_000;
  /** (group, epoch) → hash of the commit that stands. */
  readonly log = new Map<string, string>();
  readonly removed = new Set<PeerId>();

  constructor(hasRelay: boolean) {
    const terms = { generation: 0, capacity: CAPACITY, locked: false, meshLimit: 3, hasRelay };
    this.room = emptyRoom('aaaa-bbbb-cccc-dddd' as MeetingId, terms, null);
  }

  apply(input: Input): readonly Effect[] {
    const before = this.room;
    let effects: readonly Effect[];
    try {
      [this.room, effects] = step(this.room, input, this.now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      expect(this.room).toBe(before);
      return [];
    }
    this.#checkEffects(before, input, effects);
    this.#checkRoom(before, input);
    return effects;
  }

  offer(offer: Offer): void {
    try {
      if (checkOffer(this.room, offer, this.now) === null) return;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    const key = `${offer.groupId} ${offer.epoch}`;
    expect(this.log.has(key), 'a second commit for one epoch').toBe(false);
    this.log.set(key, offer.hash);
    this.apply({ type: 'ordered', offer, commit: 'cc', welcome: offer.added.length > 0 ? 'ww' : null, letter: null });
  }

  #checkEffects(before: Room, input: Input, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'reopen') this.log.delete(`${effect.group.id} ${effect.group.epoch}`);
      if (effect.type === 'saveGroup') for (const key of this.log.keys()) this.log.delete(key);
      if (effect.type === 'dropGroup') for (const key of this.log.keys()) this.log.delete(key);
      if (effect.type !== 'tell') continue;
      expect(new Set(effect.to).size, 'told twice').toBe(effect.to.length);
      for (const peer of effect.to) {
        expect(this.removed.has(peer), `told a removed peer ${effect.event.type}`).toBe(false);
        expect(before.peers.has(peer) || this.room.peers.has(peer), 'told somebody who is not there').toBe(true);
      }
      if (effect.event.type === 'group.welcome' && input.type === 'ordered') {
        for (const peer of effect.to) expect(input.offer.added).toContain(peer);
      }
    }
    if (input.type === 'remove') this.removed.add(input.peer);
  }

  #checkRoom(before: Room, input: Input): void {
    const { peers, group } = this.room;
    const here = [...peers.values()].filter(({ presence }) => presence.at === 'here');
    if (input.type === 'join' && !before.peers.has(input.peer) && !peers.get(input.peer)!.inGroup) {
      const { capacity } = this.room;
      expect(here.length, 'over capacity').toBeLessThanOrEqual(capacity);
      expect(peers.size, 'places of peers that are away pile up').toBeLessThanOrEqual(2 * capacity);
      expect(input.generation, 'by an old link').toBe(before.generation);
    }
    const { topology } = this.room;
    expect(topology.number, 'an old decision').toBeGreaterThanOrEqual(before.topology.number);
    if (topology.at !== before.topology.at) expect(topology.number).toBeGreaterThan(before.topology.number);
    if (topology.at === 'relay' && before.topology.at === 'mesh') expect(this.room.hasRelay).toBe(true);
    if (input.type === 'end') expect(peers.size).toBe(0);
    if (input.type === 'rotated') {
      for (const { peer, inGroup } of peers.values()) expect(inGroup || peer === input.by, 'by an old link').toBe(true);
    }
    if (input.type === 'disown') {
      for (const { peer, inGroup } of before.peers.values()) {
        if (!inGroup || peers.get(peer)!.inGroup) continue;
        expect(input.peers).toContain(peer);
        expect(before.group!.claims.has(peer), 'disowned who is settled').toBe(true);
      }
    }
    for (const [id, peer] of peers) {
      expect(peer.peer).toBe(id);
      expect(this.removed.has(id), 'a removed peer is back').toBe(false);
      if (peer.inGroup) expect(group, 'a member of nothing').not.toBeNull();
    }
    if (!group) return;
    const leaves = [...group.members.values()];
    expect(new Set(leaves).size, 'one leaf for two').toBe(leaves.length);
    if (before.group?.id === group.id) {
      const rise = group.epoch - before.group.epoch;
      expect([0, input.type === 'ordered' ? 1 : -1], 'epochs go by one').toContain(rise);
    }
    for (const [key] of this.log) {
      const [id, epoch] = key.split(' ');
      if (id === group.id) expect(Number(epoch)).toBeLessThan(group.epoch);
    }
  }
}

describe('the room', () => {
  test.each(seeds(60))('keeps its rules under any inputs (seed %i)', (seed) => {
    const { pick, chance, below } = random(seed);
    const model = new Model(chance(0.5));
    // In some meetings nearly everybody's connection is bad.
    const isShaky = chance(0.3);
    const some = (): PeerId[] => names.filter(() => chance(0.15));
    const hashes: string[] = ['x'];
    for (let i = 0; i < STEPS; i++) {
      model.now += chance(0.2) ? below(40_000) : below(400);
      const { group } = model.room;
      const by = pick(names);
      const groupId = group && chance(0.85) ? group.id : pick(groups);
      const epoch = Math.max(0, (group?.epoch ?? 0) + pick([0, 0, 0, 0, -1, 1])) as Epoch;
      const connected = model.room.peers.has(by);
      // The service lets only joined peers act; joins come from anybody.
      const acts: (() => void)[] = [
        () => {
          const generation = Math.max(0, model.room.generation - (chance(0.05) ? 1 : 0));
          model.apply({ type: 'join', peer: by, generation, name: 'nn', member: chance(0.5) ? groupId : null });
        },
        () => model.apply({ type: pick(['away', 'away', 'back', 'leave']), peer: by }),
        () => model.apply({ type: 'tick' }),
      ];
      if (isShaky && chance(0.9)) {
        acts.pop();
        acts.push(() => {
          model.apply({ type: 'join', peer: by, generation: model.room.generation, name: 'nn', member: null });
          model.apply({ type: 'away', peer: by });
        });
      }
      if (chance(0.1)) acts.push(() => model.apply({ type: 'relay', available: chance(0.7) }));
      if (chance(0.05)) acts.push(() => model.apply({ type: 'relayLost' }));
      if (connected) {
        acts.push(
          () => model.apply({ type: 'createGroup', by, groupId: pick(groups) }),
          () => model.apply({ type: 'requestAdd', by, groupId, keyPackage: 'kk', admission: 'aa' }),
          () => {
            const hash = `hash ${i}`;
            hashes.push(hash);
            const added = group ? [...group.requests.keys()].filter(() => chance(0.7)) : some();
            model.offer({
              by,
              groupId,
              epoch,
              hash,
              added,
              removed: some().filter((peer) => chance(0.3) || peer === by),
            });
          },
          () => model.offer({ by, groupId, epoch, hash: pick(hashes), added: some(), removed: [] }),
          () =>
            model.apply({
              type: 'invalid',
              by,
              groupId,
              epoch: (group?.last && chance(0.9) ? group.last.epoch : epoch) as Epoch,
              hash: group?.last && chance(0.9) ? group.last.hash : pick(hashes),
            }),
          () =>
            model.apply({
              type: 'message',
              from: by,
              to: chance(0.5) ? null : pick(names),
              body: 'bb',
              transient: chance(0.5),
            }),
        );
        acts.push(
          () => model.apply({ type: 'disown', by, groupId, peers: [pick(names), ...some()] }),
          () => model.apply({ type: 'pathFailed', by, peer: pick([...model.room.peers.keys()]) }),
          () => model.apply({ type: 'hostState', by, state: SIGNED, locked: chance(0.2) }),
        );
        if (chance(0.02)) acts.push(() => model.apply({ type: 'remove', peer: pick(names) }));
        if (chance(0.05)) {
          const generation = model.room.generation + 1;
          const capacity = pick([2, CAPACITY, CAPACITY]);
          acts.push(() => model.apply({ type: 'rotated', by, record: SIGNED, generation, capacity }));
        }
        if (chance(0.005)) acts.push(() => model.apply({ type: 'end', command: SIGNED }));
      }
      pick(acts)();
    }
  });
});
