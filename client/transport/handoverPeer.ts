/** One peer between two ways: what comes by which, what is shown, what was said. Pure. */
import type { Topology } from '../../signal/protocol/model.ts';
import type { TrackKind } from '../e2ee/messages.ts';
import type { PathState } from './transport.ts';

export type WayName = Topology['at'];
/** `before`: through a room of the relay that the server has forgotten. */
export type Source = WayName | 'before';
type ByKind<T> = Partial<Record<TrackKind, T>>;

export interface Other {
  /** Of each kind of which a frame was opened. */
  tracks: Record<Source, ByKind<MediaStreamTrack>>;
  /** Of which more has come than what senders begin with. */
  real: Record<Source, Set<TrackKind>>;
  states: Partial<Record<Source, PathState>>;
  shown: ByKind<{ way: Source; track: MediaStreamTrack }>;
  /** The topology in which we told it that all comes by the new way, and when; and in which it told us. */
  told: number;
  toldAt: number;
  moved: number;
  /** It was connected once: since when it is not, or null. */
  lostSince: number | null;
  wasConnected: boolean;
}

export const otherWay = (way: WayName): WayName => (way === 'mesh' ? 'relay' : 'mesh');

export function newOther(): Other {
  return {
    tracks: { mesh: {}, relay: {}, before: {} },
    real: { mesh: new Set(), relay: new Set(), before: new Set() },
    states: {},
    shown: {},
    told: -1,
    toldAt: 0,
    moved: -1,
    lostSince: null,
    wasConnected: false,
  };
}

/** By which way a kind is to be shown: the wanted one once it delivers, else the one that shows it now, else any that has it. */
export function pick({ tracks, real, shown }: Other, wanted: WayName, kind: TrackKind): Source | null {
  if (tracks[wanted][kind] && real[wanted].has(kind)) return wanted;
  const present = shown[kind]?.way;
  if (present && tracks[present][kind]) return present;
  return ([otherWay(wanted), 'before', wanted] as const).find((way) => tracks[way][kind]) ?? null;
}

/** What comes by the relay is from before, from now on. */
export function setBack(other: Other): void {
  other.tracks.before = other.tracks.relay;
  other.real.before = other.real.relay;
  other.tracks.relay = {};
  other.real.relay = new Set();
  if (other.states.relay) other.states.before = other.states.relay;
  delete other.states.relay;
  for (const shown of Object.values(other.shown)) if (shown.way === 'relay') shown.way = 'before';
}

/** Whether the wanted way brings all that comes by the former. A camera that is off comes by neither. */
export function takes(other: Other, wanted: WayName, byFormer: ReadonlySet<TrackKind>): boolean {
  const at = other.states[wanted]?.at;
  if (at !== 'securing' && at !== 'connected') return false;
  return [...byFormer].every((kind) => other.real[wanted].has(kind));
}

/**
 * What people see of the path. As long as the former way delivers, the new one is nobody's concern; who was there once is
 * reconnecting and not new.
 * @param now  milliseconds since 1970
 */
export function stateOf(other: Other, wanted: WayName, now: number): PathState {
  const state = bestOf(other, wanted);
  if (state.at === 'connected') other.wasConnected = true;
  if (state.at === 'connected' || state.at === 'securing') other.lostSince = null;
  if (!other.wasConnected || state.at !== 'connecting') return state;
  other.lostSince ??= now;
  return { at: 'reconnecting', since: other.lostSince };
}

function bestOf({ states }: Other, at: WayName): PathState {
  const wanted = states[at];
  const formers = [states[otherWay(at)], states.before].filter((state) => state !== undefined);
  const former = formers.find((state) => state.at === 'connected') ?? formers[0];
  const isGood = wanted?.at === 'connected' || wanted?.at === 'unsafe' || former?.at !== 'connected';
  return (isGood ? wanted : former) ?? former ?? { at: 'connecting' };
}
