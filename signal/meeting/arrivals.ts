/**
 * Who has come into the group's present epoch. Told to all once nobody is missing, so that members need not tell each other:
 * that would be as many messages as pairs, at every commit. A hint about speed, and nothing else: members switch without it, too.
 */
import { memberPeers, tell } from './epochs.ts';
import type { Epoch, GroupId, PeerId } from '../protocol/ids.ts';
import type { Group, Room, Step } from './roomTypes.ts';

/** `by` says that it opens what is sealed in `epoch`. Nothing follows where that is past, or not begun. */
export function entered(room: Room, said: { by: PeerId; groupId: GroupId; epoch: Epoch }): Step {
  const { group } = room;
  const isNews = group?.id === said.groupId && group.epoch === said.epoch && room.peers.get(said.by)?.inGroup;
  if (!group || !isNews || group.arrived === 'all') return [room, []];
  return [withArrived(room, group, new Set(group.arrived).add(said.by)), []];
}

/** After whatever has happened: if nobody is missing any more, says so, once in an epoch. Who is away may be back at once, and media may reach it. */
export function settleEpoch([room, effects]: Step): Step {
  const { group } = room;
  if (!group || group.arrived === 'all' || group.arrived.size === 0) return [room, effects];
  const { arrived } = group;
  const members = memberPeers(room);
  if (members.length < 2 || !members.every((peer) => arrived.has(peer))) return [room, effects];
  const event = { type: 'group.settled', groupId: group.id, epoch: group.epoch } as const;
  return [withArrived(room, group, 'all'), [...effects, tell(members, event, true)]];
}

function withArrived(room: Room, group: Group, arrived: Group['arrived']): Room {
  return { ...room, group: { ...group, arrived } };
}
