/**
 * Mesh or relay, decided for the whole meeting and numbered, so that a client never follows an older decision. Pure.
 *
 * Up at once: when there are more peers than a mesh carries, or two of them cannot reach each other. Down only after it has been
 * small enough for a while, and where it had grown beyond the limit by one more, so that nobody who comes and goes at the limit makes
 * it swing.
 */
import type { PeerId } from '../protocol/ids.ts';
import type { Effect, Room, Step } from './roomTypes.ts';

/** A meeting that was too large for a mesh has been small enough for this long, unless a test's server says otherwise. */
export const CALM_MS = 30_000;
/** Peers that go down to the mesh have their new path by then, or report trouble; the relay's room stays open meanwhile. */
const FAREWELL_MS = 30_000;
/** Without a relay a mesh may grow to this, whatever its limit: more pictures than a phone can send. */
const LARGEST_MESH = 6;

/** So many peers cost each of them no more in a mesh than at a relay: one copy is sent. */
const LIGHT = 2;

/** How many may be in the meeting as things are. */
export function placesIn({ capacity, hasRelay, only }: Room): number {
  const isMesh = only === 'mesh' || (only === null && !hasRelay);
  return isMesh ? Math.min(capacity, LARGEST_MESH) : capacity;
}

/** Says the topology anew where it has to change; runs after every step of the room. */
export function settleTopology([room, effects]: Step, now: number): Step {
  const troubles = room.troubles.filter(([one, other]) => room.peers.has(one) && room.peers.has(other));
  const kept = troubles.length === room.troubles.length ? room.troubles : troubles;
  const isBurden = room.peers.size > LIGHT && [...room.burdened].some((peer) => room.peers.has(peer));
  const needsRelay = room.peers.size > room.meshLimit || kept.length > 0 || isBurden;
  const { at } = room.topology;
  const settled = { ...room, troubles: kept };
  if (room.only !== null) return kept === room.troubles ? [room, effects] : [settled, effects];

  if (at === 'mesh') {
    if (needsRelay && room.hasRelay) return become(settled, 'relay', effects, now);
    return kept === room.troubles ? [room, effects] : [settled, effects];
  }
  if (!room.hasRelay) return become(settled, 'mesh', effects, now);
  const hasGrown = room.hasGrown || room.peers.size > room.meshLimit;
  const isCalm = !needsRelay && room.peers.size <= room.meshLimit - (hasGrown ? 1 : 0);
  const calmSince = isCalm ? (room.calmSince ?? now) : null;
  if (calmSince !== null && now - calmSince >= room.calmMs) return become(settled, 'mesh', effects, now);
  if (calmSince === room.calmSince && hasGrown === room.hasGrown && kept === room.troubles) return [room, effects];
  return [{ ...settled, hasGrown, calmSince }, effects];
}

/** `by` says that it cannot reach `peer`, with all that ICE has. */
export function reportTrouble(room: Room, by: PeerId, peer: PeerId): Room {
  if (by === peer || !room.peers.has(peer)) return room;
  const pair = [by, peer].sort() as [PeerId, PeerId];
  if (room.troubles.some(([one, other]) => one === pair[0] && other === pair[1])) return room;
  return { ...room, troubles: [...room.troubles, pair] };
}

/** `by` says that its uplink or its device cannot carry the mesh. */
export function reportBurden(room: Room, by: PeerId): Room {
  if (!room.peers.has(by) || room.burdened.has(by)) return room;
  // Of those who are here: who has gone need not be remembered.
  const burdened = new Set([...room.burdened, by].filter((peer) => room.peers.has(peer)));
  return { ...room, burdened };
}

/** `by` reaches `peer` after all. */
export function withdrawTrouble(room: Room, by: PeerId, peer: PeerId): Room {
  const troubles = room.troubles.filter((pair) => !(by !== peer && pair.includes(by) && pair.includes(peer)));
  return troubles.length === room.troubles.length ? room : { ...room, troubles };
}

/** The relay's room is gone: those who were there need another. */
export function relayLost(room: Room, now: number): Step {
  return room.topology.at === 'relay' ? become(room, 'relay', [], now) : [room, []];
}

/** When the clock has something to do; Infinity: nothing. */
export function topologyDueAt({ calmSince, calmMs, relayClosesAt, topology }: Room): number {
  const calm = topology.at === 'relay' && calmSince !== null ? calmSince + calmMs : Infinity;
  return Math.min(calm, relayClosesAt ?? Infinity);
}

/** @returns effects of the time that has passed */
export function tickTopology(room: Room, now: number): Step {
  if (room.relayClosesAt === null || room.relayClosesAt > now) return [room, []];
  return [{ ...room, relayClosesAt: null }, [{ type: 'closeRelay' }]];
}

function become(room: Room, at: 'mesh' | 'relay', effects: readonly Effect[], now: number): Step {
  const topology = { number: room.topology.number + 1, at };
  const tell: Effect = {
    type: 'tell',
    to: [...room.peers.keys()],
    event: { type: 'topology', topology },
    transient: false,
  };
  const relayClosesAt = at === 'mesh' ? now + FAREWELL_MS : null;
  const hasGrown = room.peers.size > room.meshLimit;
  return [{ ...room, topology, hasGrown, calmSince: null, relayClosesAt }, [...effects, tell]];
}
