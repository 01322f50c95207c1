/**
 * One meeting's life on the server: who is there, who is away, who is told what. Pure: `(room, input, now) → [room, effects]`;
 * a refusal is a thrown ProtocolError, and nothing has changed.
 *
 * The room believes nobody about keys and decides nothing about them: it keeps order. What is checked by signatures (hosts'
 * orders, objections to commits) was checked before it gets here.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import type { LeaveReason, RosterPeer } from '../protocol/model.ts';
import { entered, settleEpoch } from './arrivals.ts';
import { disown } from './claims.ts';
import { createGroup, invalid, memberPeers, ordered, pendingRequests, REQUEST_MS, requestAdd, tell } from './epochs.ts';
import type { Effect, Input, Peer, Room, Step } from './roomTypes.ts';
import {
  CALM_MS,
  placesIn,
  relayLost,
  reportBurden,
  reportTrouble,
  settleTopology,
  tickTopology,
  topologyDueAt,
  withdrawTrouble,
} from './topology.ts';

/** A lost socket has this long to come back (docs/design.md, section 8). */
export const AWAY_MS = 30_000;
/** Of how many removed peers the ids are kept. */
const MAX_REMOVED = 1024;

export function emptyRoom(
  meeting: MeetingId,
  terms: Pick<Room, 'generation' | 'capacity' | 'locked' | 'meshLimit' | 'hasRelay'> & {
    only?: Room['only'] | undefined;
    calmMs?: number | undefined;
  },
  group: Room['group'],
  firstTopology = 0,
): Room {
  const { only = null, calmMs = CALM_MS } = terms;
  const media = {
    topology: { number: firstTopology, at: only ?? 'mesh' },
    only,
    calmMs,
    troubles: [],
    burdened: new Set<PeerId>(),
    hasGrown: false,
    calmSince: null,
    relayClosesAt: null,
  } as const;
  return { meeting, ...terms, ...media, peers: new Map(), group, removed: new Set() };
}

/** @throws ProtocolError where the input is refused; the room is then as before */
export function step(room: Room, input: Input, now: number): Step {
  return settleTopology(settleEpoch(take(room, input, now)), now);
}

function take(room: Room, input: Input, now: number): Step {
  switch (input.type) {
    case 'join':
      return join(room, input, now);
    case 'back':
      return back(room, input.peer);
    case 'away':
      return away(room, input.peer, now);
    case 'leave':
      return gone(room, input.peer, 'left', now);
    case 'tick':
      return tick(room, now);
    case 'createGroup':
      return createGroup(room, input.by, input.groupId, now);
    case 'requestAdd': {
      const { keyPackage, admission } = input;
      return requestAdd(room, input.by, input.groupId, { keyPackage, admission, at: now });
    }
    case 'ordered':
      return afterCommit(room, input, now);
    case 'invalid':
      return invalid(room, input, now);
    case 'entered':
      return entered(room, input);
    case 'disown':
      return disown(room, input, now);
    case 'message':
      return message(room, input);
    case 'hostState':
      return [
        { ...room, locked: input.locked },
        [tell(others(room, input.by), { type: 'host.state', state: input.state })],
      ];
    case 'rotated':
      return rotated(room, input, now);
    case 'relay':
      return [room.hasRelay === input.available ? room : { ...room, hasRelay: input.available }, []];
    case 'relayLost':
      return relayLost(room, now);
    case 'pathFailed':
      return [(input.withdrawn ? withdrawTrouble : reportTrouble)(room, input.by, input.peer), []];
    case 'burdened':
      return [reportBurden(room, input.by), []];
    case 'remove':
      return remove(room, input.peer, now);
    case 'end':
      return end(room, input);
  }
}

/** Everybody but `self`, as others see them. */
export function roster(room: Room, self: PeerId | null): RosterPeer[] {
  return [...room.peers.values()]
    .filter(({ peer }) => peer !== self)
    .map(({ peer, name, presence, inGroup }) => ({ peer, name, presence: presence.at, inGroup }));
}

/** When `tick` has something to do next; Infinity: nothing. */
export function dueAt(room: Room): number {
  let due = topologyDueAt(room);
  for (const { presence } of room.peers.values()) if (presence.at === 'away') due = Math.min(due, presence.until);
  for (const { at } of room.group?.requests.values() ?? []) due = Math.min(due, at + REQUEST_MS);
  return due;
}

function join(room: Room, { peer, generation, name, member }: Extract<Input, { type: 'join' }>, now: number): Step {
  if (room.removed.has(peer)) throw new ProtocolError('removed');
  if (generation !== room.generation) throw new ProtocolError('linkRefused');
  const { group } = room;
  // The leaf's own signature was checked, so whoever the tree knows by this id is who it says.
  const inGroup = group !== null && member === group.id && group.members.has(peer);
  const known = room.peers.get(peer);
  if (!known && !inGroup) {
    if (room.locked) throw new ProtocolError('meetingLocked');
    if (isFull(room)) throw new ProtocolError('meetingFull');
  }
  const joined: Peer = { peer, name, presence: { at: 'here' }, inGroup };
  const next = withPeer(room, joined);
  const view: RosterPeer = { peer, name, presence: 'here', inGroup };
  const effects: Effect[] = [tell(others(room, peer), { type: 'peer.joined', peer: view })];
  if (inGroup) effects.push(...pendingRequests(group, [peer], now));
  return settleGroup(room, next, effects, 'lost', now);
}

/**
 * Whoever is away is not counted, or nobody could reload in a full meeting: for a moment there are two of them. So there may be
 * more than `capacity` when all come back; that there are not many more, the second bound sees to.
 */
function isFull(room: Room): boolean {
  const { peers } = room;
  const capacity = placesIn(room);
  const here = [...peers.values()].filter(({ presence }) => presence.at === 'here').length;
  return here >= capacity || peers.size >= 2 * capacity;
}

function back(room: Room, id: PeerId): Step {
  const peer = room.peers.get(id);
  if (!peer) throw new ProtocolError('resumeRefused');
  if (peer.presence.at === 'here') return [room, []];
  const event = { type: 'peer.presence', peer: id, presence: 'here' } as const;
  return [withPeer(room, { ...peer, presence: { at: 'here' } }), [tell(others(room, id), event)]];
}

function away(room: Room, id: PeerId, now: number): Step {
  const peer = room.peers.get(id);
  if (!peer || peer.presence.at === 'away') return [room, []];
  const event = { type: 'peer.presence', peer: id, presence: 'away' } as const;
  const next = withPeer(room, { ...peer, presence: { at: 'away', until: now + AWAY_MS } });
  return [next, [tell(others(room, id), event)]];
}

function gone(room: Room, id: PeerId, reason: LeaveReason, now: number): Step {
  if (!room.peers.has(id)) return [room, []];
  const peers = new Map(room.peers);
  peers.delete(id);
  const group = room.group && { ...room.group, requests: without(room.group.requests, id) };
  const effects: Effect[] = [
    { type: 'dismiss', peer: id, code: reason === 'removed' ? 'removed' : null },
    tell(others(room, id), { type: 'peer.left', peer: id, reason }),
  ];
  return settleGroup(room, { ...room, peers, group }, effects, reason, now);
}

/**
 * When nobody connected is in the group any more, it ends, if they went on purpose. If they were lost, it is kept: their media
 * may still flow between them, and whoever comes back first finds it, unless somebody has made another by then.
 */
function settleGroup(before: Room, room: Room, effects: Effect[], reason: LeaveReason, now: number): Step {
  const { group } = room;
  if (!group || memberPeers(room).length > 0 || memberPeers(before).length === 0) return [room, effects];
  if (reason === 'lost') {
    return [{ ...room, group: { ...group, expectedUntil: now, requests: new Map(), last: null } }, effects];
  }
  return [{ ...room, group: null }, [...effects, { type: 'dropGroup', groupId: group.id }]];
}

function tick(room: Room, now: number): Step {
  const [ticked, closing] = tickTopology(room, now);
  let next = ticked;
  const effects: Effect[] = [...closing];
  for (const { peer, presence } of room.peers.values()) {
    if (presence.at !== 'away' || presence.until > now) continue;
    const [after, more] = gone(next, peer, 'lost', now);
    next = after;
    effects.push(...more);
  }
  if (next.group && [...next.group.requests.values()].some(({ at }) => at + REQUEST_MS <= now)) {
    const requests = new Map([...next.group.requests].filter(([, { at }]) => at + REQUEST_MS > now));
    next = { ...next, group: { ...next.group, requests } };
  }
  return [next, effects];
}

/** Whoever a commit takes out while away has gone: lost, or come back as a new leaf, which the same commit adds. */
function afterCommit(room: Room, { offer, ...carried }: Extract<Input, { type: 'ordered' }>, now: number): Step {
  const result = ordered(room, offer, carried, now);
  if (!result) throw new ProtocolError('groupUnknown');
  let [next] = result;
  const effects = [...result[1]];
  for (const peer of offer.removed) {
    if (next.peers.get(peer)?.presence.at !== 'away') continue;
    const [after, more] = gone(next, peer, offer.added.length > 0 ? 'replaced' : 'lost', now);
    next = after;
    effects.push(...more);
  }
  return [next, effects];
}

function message(room: Room, { from, to, body, transient }: Extract<Input, { type: 'message' }>): Step {
  // Members alone have a key to seal with: whoever is not one has nothing to say to them.
  if (!room.peers.get(from)?.inGroup) throw new ProtocolError('groupUnknown', 'not a member of it');
  if (to !== null && !room.peers.has(to)) throw new ProtocolError('peerUnknown');
  const receivers = to === null ? memberPeers(room).filter((peer) => peer !== from) : [to];
  return [room, [tell(receivers, { type: 'message', from, body: body }, transient)]];
}

/** Who came by the old link and is no member yet has to come again, by the new one: told to reconnect, it finds its link refused. */
function rotated(room: Room, input: Extract<Input, { type: 'rotated' }>, now: number): Step {
  const { generation, capacity, record } = input;
  let next: Room = { ...room, generation, capacity };
  const effects = [tell(others(room, input.by), { type: 'meeting.record', record })];
  for (const { peer, inGroup } of room.peers.values()) {
    if (inGroup || peer === input.by) continue;
    const [after, more] = gone(next, peer, 'left', now);
    next = after;
    effects.push(
      ...more.map((effect) => (effect.type === 'dismiss' ? { ...effect, code: 'draining' as const } : effect)),
    );
  }
  return [next, effects];
}

function remove(room: Room, peer: PeerId, now: number): Step {
  if (!room.peers.has(peer) && !room.group?.members.has(peer)) throw new ProtocolError('peerUnknown');
  const removed = new Set([...room.removed, peer].slice(-MAX_REMOVED));
  return gone({ ...room, removed }, peer, 'removed', now);
}

function end(room: Room, { command }: Extract<Input, { type: 'end' }>): Step {
  const everybody = [...room.peers.keys()];
  const dismissals = everybody.map((peer): Effect => ({ type: 'dismiss', peer, code: 'meetingEnded' }));
  const effects = [tell(everybody, { type: 'meeting.ended', command }), ...dismissals];
  return [{ ...room, peers: new Map(), group: null }, effects];
}

function withPeer(room: Room, peer: Peer): Room {
  return { ...room, peers: new Map(room.peers).set(peer.peer, peer) };
}

function others(room: Room, self: PeerId): PeerId[] {
  return [...room.peers.keys()].filter((peer) => peer !== self);
}

function without<V>(map: ReadonlyMap<PeerId, V>, key: PeerId): ReadonlyMap<PeerId, V> {
  if (!map.has(key)) return map;
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
