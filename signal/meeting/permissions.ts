/** Who may ask for what: the phase a connection must be in, and when a member may commit. Nothing else decides. */
import { ProtocolError } from '../protocol/errors.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { Phase } from '../protocol/phases.ts';
import type { RequestName } from '../protocol/requests.ts';
import { catalogue } from '../protocol/catalogue.ts';
import type { Group, Offer, Room } from './roomTypes.ts';

/** Epochs start at least this far apart, so that members keep up; removals do not wait. */
const EPOCH_GAP_MS = 250;
/** Removals do not wait, but so many of one member do: else whoever is to be removed could outrun its removal for ever. */
const HURRIED_COMMITS = 3;
const HURRIED_MS = 6000;
/** A member who is not the designated committer commits at most this often: one alone must not keep everybody busy. */
const MEMBER_PACE_MS = 5000;

const ranks: Record<Phase, number> = { new: 0, linked: 1, admitted: 2, joined: 3 };

/** These make a phase of the one before; said again, or by who is further, they are out of order. */
const steps: Partial<Record<RequestName, Phase>> = {
  hello: 'new',
  resume: 'new',
  'meeting.proveLink': 'new',
  'meeting.proveAccess': 'linked',
  'meeting.join': 'admitted',
};

export function mayAsk(phase: Phase, name: RequestName): boolean {
  const step = steps[name];
  return step === undefined ? ranks[phase] >= ranks[catalogue[name].phase] : phase === step;
}

/** The connected member with the lowest leaf: it commits for all while it is there. */
export function designatedCommitter(room: Room, group: Group): PeerId | null {
  let designated: PeerId | null = null;
  let lowest = Infinity;
  for (const { peer, presence, inGroup } of room.peers.values()) {
    const leaf = group.members.get(peer) ?? Infinity;
    if (inGroup && presence.at === 'here' && leaf < lowest) [designated, lowest] = [peer, leaf];
  }
  return designated;
}

/** @throws ProtocolError commitBarred, with the time to wait */
export function assertMayCommit(room: Room, group: Group, offer: Offer, now: number): void {
  const barred = (until: number, why: string) => {
    if (until > now) throw new ProtocolError('commitBarred', why, { retryAfterMs: until - now });
  };
  barred(group.barredUntil.get(offer.by) ?? -Infinity, 'a commit of this member was withdrawn');
  if (offer.removed.some((peer) => group.members.has(peer))) {
    const hurried = group.hurriedAt.get(offer.by) ?? [];
    const oldest = hurried.length < HURRIED_COMMITS ? -Infinity : hurried[0]!;
    return barred(oldest + HURRIED_MS, 'too many removals');
  }
  barred(group.epochBeganAt + EPOCH_GAP_MS, 'the epoch has only begun');
  if (designatedCommitter(room, group) === offer.by) return;
  barred((group.committedAt.get(offer.by) ?? -Infinity) + MEMBER_PACE_MS, 'this member has committed just now');
}

/** The group's note of members' newest commits that did not wait, with this one. */
export function noteHurry(group: Group, by: PeerId, now: number): Group['hurriedAt'] {
  const newest = [...(group.hurriedAt.get(by) ?? []), now].slice(-HURRIED_COMMITS);
  return new Map(group.hurriedAt).set(by, newest);
}
