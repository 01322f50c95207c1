/**
 * What the screens show of a meeting that one is in. Pure: tracks, levels and the link come from outside. Loaded with the meeting's screen.
 */
import { codesOf, withCode } from '../chat/namesakes.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { MemberView, TrackKind } from '../e2ee/messages.ts';
import type { PathStats } from '../transport/transport.ts';
import { CROWD } from './speaking.ts';
import type { Live, MediaState, State } from './state.ts';
import type { LiveView, Only, QualityView, ScreenShareView, TileState, TileView } from './view.ts';

/** What is not in the state, since it is no plain data or changes many times a second. */
export interface Surroundings {
  now: number;
  inviteUrl: string;
  tracks: ReadonlyMap<PeerId, Partial<Record<TrackKind, MediaStreamTrack>>>;
  stats: ReadonlyMap<PeerId, PathStats>;
  /** Who speaks, as present judges it with `isSpeaking`. */
  speaking: ReadonlySet<PeerId>;
  /** Whose camera is on the screen, and since when. */
  shownSince: ReadonlyMap<PeerId, number>;
  own: {
    tracks: Readonly<Record<TrackKind, MediaStreamTrack | null>>;
    microphoneOn: boolean;
    cameraOn: boolean;
    handRaised: boolean;
    speaking: boolean;
  };
  needsGesture: boolean;
  only: Only | null;
}

/** The camera is on and nothing came for this long: the picture on the screen is an old one. */
const FROZEN_MS = 3000;

const FLOWING_MS = 1000;

/** Who says that they speak says so again before this has passed: a word that got lost, or was held back, ends. */
const SPEAKING_MS = 10_000;

export function presentLive(state: State & { at: 'live' }, around: Surroundings): LiveView {
  const { live, title, meeting } = state;
  const { own } = around;
  const self = live.members.find((member) => member.self);
  const codes = codesOf(live.members.map(({ identity, name }) => ({ id: identity, name: name ?? '' })));
  const others = live.members
    .filter((member) => !member.self)
    .map((member) => tile(member, codes.get(member.identity), live, around));
  const selfName = self?.name ?? state.name;
  const tiles = self ? [...others, selfTile(self, selfName, live, around)] : others;
  return {
    at: 'live',
    title,
    only: around.only,
    meeting,
    inviteUrl: around.inviteUrl,
    since: live.since,
    connection: state.link.at === 'joined' ? 'online' : 'reconnecting',
    tiles,
    screens: screens(live, around, selfName),
    self: {
      microphoneOn: own.microphoneOn,
      cameraOn: own.cameraOn,
      screenOn: own.tracks.screen !== null,
      handRaised: own.handRaised,
      host: self?.host ?? false,
      speakingWhileMuted: !own.microphoneOn && own.speaking,
    },
    code: [...live.code],
    authenticator: [...live.authenticator],
    epoch: live.epoch,
    locked: live.locked,
    sendingPaused: live.paused,
    needsGesture: around.needsGesture,
  };
}

const SILENT: MediaState = { microphone: false, camera: false, screen: false, screenAudio: false };

/** @param code what tells them from others of the same name; none where nobody else has it */
function tile(member: MemberView, code: string | undefined, live: Live, around: Surroundings): TileView {
  const { peer } = member;
  const name = member.name ?? '';
  const tracks = around.tracks.get(peer) ?? {};
  const stats = around.stats.get(peer);
  // Until somebody's own word came, frames that open speak for the camera.
  const flowing = tracks.camera !== undefined && stats !== undefined && stats.cameraQuietMs < FLOWING_MS;
  const media = live.media[peer] ?? { ...SILENT, camera: flowing };
  return {
    peer,
    name: code === undefined ? name : withCode(name, code),
    self: false,
    host: member.host,
    unknown: member.unknown,
    state: tileState(member, live, stats, media, around),
    camera: media.camera ? (tracks.camera ?? null) : null,
    microphone: tracks.microphone ?? null,
    cameraOn: media.camera,
    microphoneOn: media.microphone,
    speaking: media.microphone && speaks(peer, live, around),
    handRaised: live.hands.includes(peer),
    pairCode: member.pairCode,
    path: stats?.path ?? null,
    quality: stats ? qualityOf(stats) : null,
  };
}

function qualityOf(stats: PathStats): QualityView {
  const { roundTripMs, loss, bitrateKbps = null, width = null, height = null, fps = null, codec = null } = stats;
  return { roundTripMs, loss, bitrateKbps, width, height, fps, codec };
}

function speaks(peer: PeerId, live: Live, { speaking, now }: Surroundings): boolean {
  if (live.members.length < CROWD) return speaking.has(peer);
  const said = live.speaking[peer];
  return said !== undefined && now - said < SPEAKING_MS;
}

function tileState(
  member: MemberView,
  live: Live,
  stats: PathStats | undefined,
  media: MediaState,
  { now, shownSince }: Surroundings,
): TileState {
  const path = live.paths[member.peer];
  if (path?.at === 'unsafe') return { at: 'unsafe', detail: path.detail };
  if (path?.at === 'reconnecting') return { at: 'reconnecting', since: path.since };
  const lostSince = live.lostSince[member.peer];
  if (lostSince !== undefined) return { at: 'reconnecting', since: lostSince };
  if (path === undefined || path.at === 'closed') return { at: 'joining' };
  if (path.at === 'connecting') return { at: 'connecting' };
  if (path.at === 'securing') {
    // By their own sealed word nothing comes of theirs, or only pictures of a page that nobody looks at: no frame is to be waited for.
    const said = live.media[member.peer];
    const isSeen = shownSince.has(member.peer);
    const isSilent =
      said !== undefined && !(said.microphone || said.screen || said.screenAudio || (said.camera && isSeen));
    return { at: isSilent ? 'connected' : 'securing' };
  }
  // Nobody sends the pictures of a page that nobody looks at.
  const shown = shownSince.get(member.peer);
  const quietMs = shown === undefined ? 0 : Math.min(stats?.cameraQuietMs ?? 0, now - shown);
  if (media.camera && quietMs >= FROZEN_MS) return { at: 'frozen', since: now - quietMs };
  return { at: path.poor ? 'poor' : 'connected' };
}

function selfTile(member: MemberView, name: string, live: Live, { own }: Surroundings): TileView {
  return {
    peer: member.peer,
    name,
    self: true,
    host: member.host,
    unknown: false,
    state: { at: 'connected' },
    camera: own.tracks.camera,
    // Never played here: nobody wants to hear themselves.
    microphone: null,
    cameraOn: own.cameraOn,
    microphoneOn: own.microphoneOn,
    speaking: own.microphoneOn && own.speaking,
    handRaised: own.handRaised,
    pairCode: [],
    path: null,
    quality: null,
  };
}

function screens(live: Live, { tracks, own }: Surroundings, selfName: string): ScreenShareView[] {
  const shared: ScreenShareView[] = [];
  for (const { peer, name, self } of live.members) {
    const of = tracks.get(peer);
    if (self || !live.media[peer]?.screen || !of?.screen) continue;
    shared.push({
      peer,
      name: name ?? '',
      self: false,
      video: of.screen,
      audio: live.media[peer].screenAudio ? (of.screenAudio ?? null) : null,
    });
  }
  if (own.tracks.screen)
    shared.push({ peer: live.self, name: selfName, self: true, video: own.tracks.screen, audio: null });
  return shared;
}
