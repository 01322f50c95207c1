/** Commits: checked by the room, ordered by the store's unique row, told to members; and the log for who missed some. */
import { checkInvalid, hashOf } from '../auth.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Epoch, MeetingId, PeerId } from '../protocol/ids.ts';
import { MAX_MESSAGE_BYTES } from '../protocol/wire.ts';
import type { Params, Result } from '../protocol/requests.ts';
import { checkOffer, groupRef, liveGroup, memberPeers, waitForMembers } from './epochs.ts';
import { openRotation } from './hosting.ts';
import { storedGroup } from './live.ts';
import type { Offer } from './roomTypes.ts';
import type { MeetingService } from './service.ts';

/** Most commits that one answer carries, and most of their text: an answer is a message, too. */
const MAX_LOG = 64;
const MAX_LOG_CHARS = MAX_MESSAGE_BYTES - 64 * 1024;

export async function createGroup(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  { groupId }: Params<'group.create'>,
): Promise<Result<'group.create'>> {
  const live = service.apply(meeting, { type: 'createGroup', by, groupId });
  // Members are told at once; the creator only when the store knows it.
  await live.settled();
  const { room } = live;
  const group = groupRef(room);
  if (group?.id === groupId && memberPeers(room).includes(by)) return { created: true, group };
  const waitMs = waitForMembers(room, service.terms.now());
  return { created: false, group, ...(waitMs === null ? {} : { waitMs }) };
}

/** @throws ProtocolError staleEpoch · groupUnknown · commitBarred · badRequest; for its rotation notAllowed · proofRefused */
export async function commit(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  params: Params<'group.commit'>,
): Promise<Result<'group.commit'>> {
  const { groupId, epoch, added, removed, welcome, rotation } = params;
  if ((welcome === undefined) !== (added.length === 0)) {
    throw new ProtocolError('badRequest', 'a welcome goes to those who are added, and to nobody else');
  }
  const takeRotation = rotation && openRotation(service, meeting, by, rotation);
  const offer: Offer = { by, groupId, epoch, hash: hashOf(params.commit), added, removed };
  const next = (epoch + 1) as Epoch;
  const live = service.live(meeting);
  return live.enqueue(async () => {
    const { store, now } = service.terms;
    const members = checkOffer(live.room, offer, now());
    if (members === null) return { epoch: next };
    const row = { meeting, groupId, epoch, by, commit: params.commit };
    const won = await store.groups.append(
      { ...row, members: storedGroup({ id: groupId, epoch, members }).members },
      now(),
    );
    if (!won) throw new ProtocolError('staleEpoch', undefined, { epoch: live.room.group?.epoch ?? epoch });
    // The host hands the terms in once more by itself: should they be lost here, the commit must not be.
    const tellRotated = await takeRotation?.().catch(() => null);
    const letter = rotation?.letter ?? null;
    live.apply({ type: 'ordered', offer, commit: params.commit, welcome: welcome ?? null, letter });
    tellRotated?.();
    return { epoch: next };
  });
}

/** @throws ProtocolError groupUnknown */
export async function log(
  service: MeetingService,
  meeting: MeetingId,
  { groupId, epoch }: Params<'group.log'>,
): Promise<Result<'group.log'>> {
  const group = liveGroup(service.live(meeting).room);
  if (group?.id !== groupId) throw new ProtocolError('groupUnknown');
  const commits = await service.terms.store.groups.log(meeting, groupId, epoch, MAX_LOG);
  let chars = 0;
  const fitting = commits.findIndex((one) => (chars += one.commit.length) > MAX_LOG_CHARS);
  return { commits: fitting === -1 ? commits : commits.slice(0, fitting), epoch: group.epoch };
}

/** @throws ProtocolError groupUnknown · proofRefused */
export async function commitInvalid(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  said: Params<'group.commitInvalid'>,
): Promise<void> {
  const live = service.live(meeting);
  const leafKey = live.seat(by)?.leafKey;
  if (leafKey === undefined || !checkInvalid(said, leafKey)) throw new ProtocolError('proofRefused');
  const { groupId, epoch, commitHash: hash } = said;
  await live.enqueue(async () => live.apply({ type: 'invalid', by, groupId, epoch, hash }));
}

/** @throws ProtocolError groupUnknown */
export async function disown(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  said: Params<'group.disown'>,
): Promise<void> {
  const live = service.live(meeting);
  await live.enqueue(async () => live.apply({ type: 'disown', by, ...said }));
}
