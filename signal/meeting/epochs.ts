/**
 * The group's life as the server orders it: born once, one commit per epoch, the newest withdrawn where most members could not
 * apply it. Pure; it never sees what is in a commit.
 *
 * RFC 9420 §14: of several commits for one epoch the first wins. Here that is checked before the store is asked, whose unique
 * row has the last word. Invariant: `epoch` rises by one with each commit, and falls by one only with a withdrawal.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { ServerEvent } from '../protocol/events.ts';
import type { Epoch, GroupId, PeerId } from '../protocol/ids.ts';
import type { GroupRef } from '../protocol/model.ts';
import { claimsAfter, isClaimed, wardsOf } from './claims.ts';
import { assertMayCommit, noteHurry } from './permissions.ts';
import type { AddRequest, Effect, Group, LastCommit, Offer, Room, Step } from './roomTypes.ts';

/** An admission is good for two minutes: a request is of no use after it. */
export const REQUEST_MS = 120_000;
const BARRED_MS = 60_000;
/** A KID has 8 bits for the leaf (docs/design.md, "Frames"). */
const MAX_LEAVES = 256;

export function newGroup(
  id: GroupId,
  members: ReadonlyMap<PeerId, number>,
  epoch: Epoch,
  expectedUntil: number,
): Group {
  return {
    id,
    epoch,
    members,
    expectedUntil,
    requests: new Map(),
    claims: new Map(),
    last: null,
    arrived: new Set(),
    epochBeganAt: -Infinity,
    committedAt: new Map(),
    hurriedAt: new Map(),
    barredUntil: new Map(),
  };
}

/** The group that somebody connected is in; null where there is none, or its members are all away. */
export function liveGroup(room: Room): Group | null {
  return memberPeers(room).length > 0 ? room.group : null;
}

export function groupRef(room: Room): GroupRef | null {
  const group = liveGroup(room);
  return group && { id: group.id, epoch: group.epoch };
}

/** Connected peers, and those whose place is kept, that count as members. */
export function memberPeers(room: Room): PeerId[] {
  return [...room.peers.values()].filter(({ inGroup }) => inGroup).map(({ peer }) => peer);
}

export function withGroup(room: Room, group: Group | null, inGroup: (peer: PeerId, now: boolean) => boolean): Room {
  const peers = new Map(room.peers);
  for (const [id, peer] of peers) {
    const becomes = inGroup(id, peer.inGroup);
    if (becomes !== peer.inGroup) peers.set(id, { ...peer, inGroup: becomes });
  }
  return { ...room, group, peers };
}

/** How long until somebody else may make a group; 0: now. Null where the group is live. */
export function waitForMembers(room: Room, now: number): number | null {
  if (liveGroup(room)) return null;
  return Math.max(0, (room.group?.expectedUntil ?? now) - now);
}

/** Only while nobody connected has a group and nobody is expected back with one; otherwise nothing changes. */
export function createGroup(room: Room, by: PeerId, groupId: GroupId, now: number): Step {
  if (waitForMembers(room, now) !== 0 || room.group?.id === groupId) return [room, []];
  const group = newGroup(groupId, new Map([[by, 0]]), 0 as Epoch, now);
  const next = withGroup(room, group, (peer) => peer === by);
  const event: ServerEvent = { type: 'group.created', group: { id: groupId, epoch: group.epoch }, by };
  const others = [...room.peers.keys()].filter((peer) => peer !== by);
  return [next, [{ type: 'saveGroup', group }, tell(others, event)]];
}

export function requestAdd(room: Room, by: PeerId, groupId: GroupId, request: AddRequest): Step {
  const group = liveGroup(room);
  if (group?.id !== groupId) throw new ProtocolError('groupUnknown');
  const requests = new Map(group.requests);
  requests.delete(by);
  requests.set(by, request);
  const members = memberPeers(room).filter((peer) => peer !== by);
  return [{ ...room, group: { ...group, requests } }, [tell(members, addRequested(group.id, by, request))]];
}

/** What waits to be added, for a member that missed the asking. */
export function pendingRequests(group: Group, to: readonly PeerId[], now: number): Effect[] {
  return [...group.requests]
    .filter(([, { at }]) => at + REQUEST_MS > now)
    .map(([peer, request]) =>
      tell(
        to.filter((one) => one !== peer),
        addRequested(group.id, peer, request),
      ),
    );
}

/**
 * Whether this commit may be given to the store.
 * @returns the members after it; null: it is the very commit that was ordered last, offered again
 * @throws ProtocolError groupUnknown · staleEpoch · commitBarred · badRequest
 */
export function checkOffer(room: Room, offer: Offer, now: number): ReadonlyMap<PeerId, number> | null {
  const group = liveGroup(room);
  if (group?.id !== offer.groupId) throw new ProtocolError('groupUnknown');
  if (!room.peers.get(offer.by)?.inGroup) throw new ProtocolError('groupUnknown', 'not a member of it');
  const { last } = group;
  if (last?.author === offer.by && last.hash === offer.hash && last.epoch === offer.epoch) return null;
  if (offer.epoch !== group.epoch) {
    const detail = `commit for epoch ${offer.epoch}, current is ${group.epoch}`;
    throw new ProtocolError('staleEpoch', detail, { epoch: group.epoch });
  }
  assertMayCommit(room, group, offer, now);
  return membersAfter(group.members, { ...offer, added: newcomers(room, offer) });
}

/** Of those whom a commit says it adds, the ones that are here: names that nobody bears would only fill the tree. */
function newcomers(room: Room, { added }: Offer): PeerId[] {
  return added.filter((peer) => room.peers.has(peer));
}

/** The store has ordered it. Null where its group is gone meanwhile. */
export function ordered(
  room: Room,
  offer: Offer,
  { commit, welcome, letter }: { commit: string; welcome: string | null; letter: string | null },
  now: number,
): Step | null {
  const { group } = room;
  if (group?.id !== offer.groupId || group.epoch !== offer.epoch) return null;
  const witnesses = memberPeers(room);
  const added = newcomers(room, offer);
  const requests = new Map(group.requests);
  for (const peer of added) requests.delete(peer);
  const last: LastCommit = {
    epoch: offer.epoch,
    author: offer.by,
    hash: offer.hash,
    removed: [...wardsOf(group, offer.removed)],
    membersBefore: group.members,
    requestsBefore: group.requests,
    witnesses: new Set(witnesses.filter((peer) => peer !== offer.by)),
    claimed: new Set(witnesses.filter((peer) => isClaimed(group, peer, now))),
    objections: new Set(),
  };
  const epoch = (group.epoch + 1) as Epoch;
  const next: Group = {
    ...group,
    epoch,
    members: membersAfter(group.members, { ...offer, added }),
    requests,
    claims: claimsAfter(group, offer, added, now),
    last,
    arrived: new Set(),
    epochBeganAt: now,
    committedAt: new Map(group.committedAt).set(offer.by, now),
    hurriedAt: offer.removed.length > 0 ? noteHurry(group, offer.by, now) : group.hurriedAt,
  };
  const { epoch: ended, by } = offer;
  const claims = added.length > 0 ? { added } : {};
  const effects: Effect[] = [
    tell(witnesses, { type: 'group.committed', groupId: group.id, epoch: ended, by, commit, ...claims }),
  ];
  if (letter !== null) {
    const others = witnesses.filter((peer) => peer !== by);
    effects.push(tell(others, { type: 'message', from: by, body: letter }));
  }
  if (welcome !== null) {
    effects.push(tell(added, { type: 'group.welcome', groupId: group.id, epoch, by: offer.by, welcome }));
  }
  effects.push(...pendingRequests(next, added, now));
  // That a commit removes somebody is its author's word. Whoever is here stays a member until it goes, or is told to by a host:
  // else one lie would take a host's right to commit. What somebody really removed still gets, it cannot open.
  const isHere = (peer: PeerId) => room.peers.get(peer)?.presence.at === 'here';
  const isIn = (peer: PeerId, was: boolean) =>
    (was || added.includes(peer)) && (!offer.removed.includes(peer) || isHere(peer));
  return [withGroup(room, next, isIn), effects];
}

/** One member could not apply the newest commit. Withdraws it once more than half of those connected say so. */
export function invalid(
  room: Room,
  said: { by: PeerId; groupId: GroupId; epoch: Epoch; hash: string },
  now: number,
): Step {
  const { group } = room;
  if (group?.id !== said.groupId) throw new ProtocolError('groupUnknown');
  const { last } = group;
  if (last?.epoch !== said.epoch || last.hash !== said.hash || !last.witnesses.has(said.by)) return [room, []];
  const objections = new Set(last.objections).add(said.by);
  const voters = votersOn(room, last);
  const against = voters.filter((peer) => objections.has(peer)).length;
  if (2 * against <= voters.length) return [{ ...room, group: { ...group, last: { ...last, objections } } }, []];
  const reopened: Group = {
    ...group,
    epoch: last.epoch,
    members: last.membersBefore,
    requests: last.requestsBefore,
    claims: new Map([...group.claims].filter(([, { epoch }]) => epoch !== last.epoch)),
    last: null,
    arrived: new Set(),
    barredUntil: new Map(group.barredUntil).set(last.author, now + BARRED_MS),
  };
  const everybody = new Set([...memberPeers(room), ...last.witnesses, last.author]);
  const to = [...everybody].filter((peer) => room.peers.has(peer));
  const event: ServerEvent = { type: 'group.reopened', groupId: group.id, epoch: last.epoch, author: last.author };
  const wasIn = (peer: PeerId) => last.witnesses.has(peer) || peer === last.author;
  return [withGroup(room, reopened, wasIn), [{ type: 'reopen', group: reopened }, tell(to, event)]];
}

/**
 * Who has a say on the newest commit. Those whom it removes have none, or one person thrown out of a meeting of two could undo
 * it; unless it removes everybody else, which no honest commit of several does. Nor has who is a member by a late claim alone,
 * where anybody else is there: connections cost nothing, and a commit that adds them in words is soon made.
 */
function votersOn(room: Room, last: LastCommit): PeerId[] {
  const here = [...last.witnesses].filter((peer) => room.peers.get(peer)?.presence.at === 'here');
  const staying = here.filter((peer) => !last.removed.includes(peer));
  const voters = staying.length === 0 && here.length >= 2 ? here : staying;
  const settled = voters.filter((peer) => !last.claimed.has(peer));
  return settled.length > 0 ? settled : voters;
}

/**
 * Who has which leaf after the commit: removals first, then each newcomer in the leftmost empty leaf (RFC 9420 §7.7, §12.4.2).
 * @throws ProtocolError badRequest where no commit can be like that
 */
export function membersAfter(before: ReadonlyMap<PeerId, number>, offer: Offer): ReadonlyMap<PeerId, number> {
  if (offer.removed.includes(offer.by)) throw new ProtocolError('badRequest', 'nobody commits its own removal');
  const members = new Map(before);
  for (const peer of offer.removed) members.delete(peer);
  const taken = new Set(members.values());
  let leaf = 0;
  for (const peer of offer.added) {
    if (members.has(peer)) continue;
    while (taken.has(leaf)) leaf++;
    taken.add(leaf);
    members.set(peer, leaf);
  }
  if (members.size > MAX_LEAVES) throw new ProtocolError('badRequest', 'the group is full');
  return members;
}

export function tell(to: readonly PeerId[], event: ServerEvent, transient = false): Effect {
  return { type: 'tell', to, event, transient };
}

function addRequested(groupId: GroupId, peer: PeerId, { keyPackage, admission }: AddRequest): ServerEvent {
  return { type: 'group.addRequested', peer, groupId, keyPackage, admission };
}
