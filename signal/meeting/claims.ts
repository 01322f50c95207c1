/**
 * Who is a member by a commit's word alone. Pure.
 *
 * The server opens no commit, so whom one adds is what its author says. Members see it in their tree, and disown whom they do
 * not find there: where more than half of those who were members before say so, the claim is void. Until it has stood for
 * `SETTLE_MS`, whoever came by it has no say in withdrawing commits while somebody older is there.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { GroupId, PeerId } from '../protocol/ids.ts';
import type { Claim, Group, Offer, Room, Step } from './roomTypes.ts';

/** Long enough for everybody who is connected to have applied the commit and looked. */
const SETTLE_MS = 10_000;

export function isClaimed(group: Group, peer: PeerId, now: number): boolean {
  const claim = group.claims.get(peer);
  return claim !== undefined && claim.at + SETTLE_MS > now;
}

/** The group's late claims with those of this commit. Whoever was a member before it is so by no word of this author's. */
export function claimsAfter(
  group: Group,
  { by, epoch }: Offer,
  added: readonly PeerId[],
  now: number,
): Group['claims'] {
  const claims = new Map([...group.claims].filter(([peer]) => isClaimed(group, peer, now)));
  for (const peer of added) {
    if (!group.members.has(peer)) claims.set(peer, { by, epoch, at: now, disownedBy: new Set() });
  }
  return claims;
}

/** Those peers, and whoever came lately by their word, or by the word of one of these. */
export function wardsOf(group: Group, peers: readonly PeerId[]): ReadonlySet<PeerId> {
  const wards = new Set(peers);
  // Oldest first: who vouches for somebody was there before.
  for (const [peer, { by }] of group.claims) if (wards.has(by)) wards.add(peer);
  return wards;
}

/** A member does not find these peers in its tree. Voids the claims that more than half of the older members disown. */
export function disown(
  room: Room,
  { by, groupId, peers }: { by: PeerId; groupId: GroupId; peers: readonly PeerId[] },
  now: number,
): Step {
  const { group } = room;
  if (group?.id !== groupId || !room.peers.get(by)?.inGroup) throw new ProtocolError('groupUnknown');
  const claims = new Map(group.claims);
  const out = new Set<PeerId>();
  for (const peer of peers) {
    const claim = claims.get(peer);
    if (!claim || !isClaimed(group, peer, now)) continue;
    const disownedBy = new Set(claim.disownedBy).add(by);
    const elders = eldersOf(room, group, claim);
    if (2 * elders.filter((elder) => disownedBy.has(elder)).length > elders.length) out.add(peer);
    else claims.set(peer, { ...claim, disownedBy });
  }
  if (out.size === 0) return [{ ...room, group: { ...group, claims } }, []];
  const isOut = (peer: PeerId) => out.has(peer);
  const { last } = group;
  const next: Group = {
    ...group,
    members: without(group.members, isOut),
    claims: without(claims, isOut),
    // Nor do they come back by its withdrawal.
    last: last && {
      ...last,
      membersBefore: without(last.membersBefore, isOut),
      witnesses: new Set([...last.witnesses].filter((peer) => !isOut(peer))),
    },
  };
  const roomPeers = new Map(room.peers);
  for (const peer of out) {
    const known = roomPeers.get(peer);
    if (known) roomPeers.set(peer, { ...known, inGroup: false });
  }
  return [{ ...room, group: next, peers: roomPeers }, [{ type: 'reopen', group: next }]];
}

/** Who was a member before that claim and is here; its author has said what it says. */
function eldersOf(room: Room, group: Group, { by, epoch }: Claim): PeerId[] {
  return [...room.peers.values()]
    .filter(({ peer, presence, inGroup }) => inGroup && presence.at === 'here' && peer !== by)
    .map(({ peer }) => peer)
    .filter((peer) => (group.claims.get(peer)?.epoch ?? -1) < epoch);
}

function without<V>(map: ReadonlyMap<PeerId, V>, isOut: (peer: PeerId) => boolean): ReadonlyMap<PeerId, V> {
  return new Map([...map].filter(([peer]) => !isOut(peer)));
}
