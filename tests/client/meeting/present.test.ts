import { describe, expect, test } from 'vitest';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { MemberView } from '../../../client/e2ee/messages.ts';
import { initial } from '../../../client/meeting/machine.ts';
import { present } from '../../../client/meeting/present.ts';
import { presentLive, type Surroundings } from '../../../client/meeting/presentLive.ts';
import { Speaking } from '../../../client/meeting/speaking.ts';
import type { Live, State } from '../../../client/meeting/state.ts';
import type { TileState } from '../../../client/meeting/view.ts';
import type { PathState } from '../../../client/transport/transport.ts';

const meeting = '0abc-def1-ghjk-mnpq' as MeetingId;
const me = 'me'.padEnd(22, '0') as PeerId;
const bob = 'bob'.padEnd(22, '0') as PeerId;
const T = 1_800_000_000_000;
const track = (id: string) => ({ id }) as unknown as MediaStreamTrack;
const noTracks = { microphone: null, camera: null, screen: null, screenAudio: null };

const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  now: T,
  inviteUrl: 'https://x/m/y#z',
  tracks: new Map(),
  stats: new Map(),
  speaking: new Set(),
  shownSince: new Map([[bob, 0]]),
  own: { tracks: noTracks, microphoneOn: false, cameraOn: false, handRaised: false, speaking: false },
  needsGesture: false,
  only: null,
  ...more,
});

const member = (peer: PeerId, more: Partial<MemberView> = {}): MemberView => ({
  peer,
  identity: `identity of ${peer}`,
  name: peer === me ? 'Ada' : 'Bob',
  self: peer === me,
  host: peer === me,
  unknown: false,
  pairCode: ['1'],
  lost: false,
  ...more,
});

function together(live: Partial<Live> = {}, more: Partial<State & { at: 'live' }> = {}): State {
  const base: Live = {
    self: me,
    since: T - 1000,
    members: [member(me), member(bob)],
    code: ['12345'],
    authenticator: ['1'],
    epoch: 4,
    locked: false,
    paused: false,
    media: {},
    hands: [],
    speaking: {},
    paths: {},
    lostSince: {},
    announced: [],
    met: [],
    ...live,
  };
  return {
    at: 'live',
    meeting,
    attempt: 1,
    link: { at: 'joined' },
    name: 'Ada',
    title: 'Tea',
    live: base,
    renewing: false,
    ...more,
  };
}

const liveView = (state: State, surroundings = around()) => {
  if (state.at !== 'live') throw new Error(state.at);
  return presentLive(state, surroundings);
};
const on = { microphone: true, camera: true, screen: false, screenAudio: false };

describe('a tile', () => {
  const cases: [string, { path?: PathState; quietMs?: number; lost?: number; camera?: boolean }, TileState][] = [
    ['before the transport knows the peer', {}, { at: 'joining' }],
    ['while ICE looks for a way', { path: { at: 'connecting' } }, { at: 'connecting' }],
    ['before a frame opened', { path: { at: 'securing' } }, { at: 'securing' }],
    ['when all is well', { path: { at: 'connected', poor: false } }, { at: 'connected' }],
    ['on a bad network', { path: { at: 'connected', poor: true } }, { at: 'poor' }],
    ['while the path is lost', { path: { at: 'reconnecting', since: 5 } }, { at: 'reconnecting', since: 5 }],
    [
      'whose member is silent',
      { path: { at: 'connected', poor: false }, lost: T - 9 },
      { at: 'reconnecting', since: T - 9 },
    ],
    [
      'whose picture stands still',
      { path: { at: 'connected', poor: false }, quietMs: 4000 },
      { at: 'frozen', since: T - 4000 },
    ],
    [
      'whose camera is off',
      { path: { at: 'connected', poor: false }, quietMs: 4000, camera: false },
      { at: 'connected' },
    ],
    [
      'that the watchdog closed',
      { path: { at: 'unsafe', detail: 'clearFrames' }, lost: T },
      { at: 'unsafe', detail: 'clearFrames' },
    ],
  ];
  test('bears the beginning of the identity where somebody else has the same name, as in the chat, and not for being here twice', () => {
    const other = 'carl'.padEnd(22, '0') as PeerId;
    const namesOf = (...others: MemberView[]): string[] =>
      liveView(together({ members: [member(me), ...others] }))
        .tiles.filter(({ self }) => !self)
        .map(({ name }) => name);
    const [one, two] = [member(bob, { identity: 'abcdef' }), member(other, { name: 'bob', identity: 'ghijkl' })];
    expect(namesOf(one, two)).toEqual(['Bob · abcd', 'bob · ghij']);
    expect(namesOf(one, { ...two, identity: 'abcdef' })).toEqual(['Bob', 'bob']);
  });

  test('of somebody who says that nothing is on waits for no frame', () => {
    const off = { microphone: false, camera: false, screen: false, screenAudio: false };
    const stateWith = (media: Live['media']) =>
      liveView(together({ paths: { [bob]: { at: 'securing' } }, media })).tiles[0]?.state;
    expect(stateWith({ [bob]: off })).toEqual({ at: 'connected' });
    expect(stateWith({ [bob]: { ...off, screen: true } })).toEqual({ at: 'securing' });
    expect(stateWith({})).toEqual({ at: 'securing' });
    const camera = together({ paths: { [bob]: { at: 'securing' } }, media: { [bob]: { ...off, camera: true } } });
    const onPage = (shownSince: Map<PeerId, number>) => liveView(camera, around({ shownSince })).tiles[0]?.state;
    expect(onPage(new Map([[bob, 0]]))).toEqual({ at: 'securing' });
    expect(onPage(new Map())).toEqual({ at: 'connected' });
  });

  for (const [what, { path, quietMs = 0, lost, camera = true }, expected] of cases)
    test(`${what}: ${expected.at}`, () => {
      const state = together({
        paths: path ? { [bob]: path } : {},
        media: { [bob]: { ...on, camera } },
        lostSince: lost === undefined ? {} : { [bob]: lost },
      });
      const stats = new Map([
        [bob, { path: 'direct' as const, roundTripMs: 1, loss: 0, level: 0, cameraQuietMs: quietMs }],
      ]);
      expect(liveView(state, around({ stats })).tiles[0]?.state).toEqual(expected);
    });

  test('of a picture that nobody looked at lately is not frozen for that', () => {
    const state = together({ paths: { [bob]: { at: 'connected', poor: false } }, media: { [bob]: on } });
    const stats = new Map([
      [bob, { path: 'relay' as const, roundTripMs: 1, loss: 0, level: 0, cameraQuietMs: 60_000 }],
    ]);
    const stateSince = (since: [PeerId, number][]) =>
      liveView(state, around({ stats, shownSince: new Map(since) })).tiles[0]?.state;
    expect(stateSince([])).toEqual({ at: 'connected' });
    expect(stateSince([[bob, T - 1000]])).toEqual({ at: 'connected' });
    expect(stateSince([[bob, T - 5000]])).toEqual({ at: 'frozen', since: T - 5000 });
  });

  test('shows a camera only of somebody who says it is on, but plays the microphone always', () => {
    const tracks = new Map([[bob, { camera: track('c'), microphone: track('m') }]]);
    const off = liveView(together(), around({ tracks })).tiles[0];
    expect(off).toMatchObject({ camera: null, cameraOn: false, microphone: { id: 'm' }, microphoneOn: false });
    const shown = liveView(together({ media: { [bob]: on } }), around({ tracks })).tiles[0];
    expect(shown).toMatchObject({ camera: { id: 'c' }, cameraOn: true, microphoneOn: true });
  });

  test('shows a camera whose frames open although its owner’s word was lost, not one that stands still', () => {
    const tracks = new Map([[bob, { camera: track('c') }]]);
    const quiet = (cameraQuietMs: number) =>
      new Map([[bob, { path: 'direct' as const, roundTripMs: 1, loss: 0, level: 0, cameraQuietMs }]]);
    expect(liveView(together(), around({ tracks, stats: quiet(100) })).tiles[0]).toMatchObject({
      cameraOn: true,
      camera: { id: 'c' },
    });
    expect(liveView(together(), around({ tracks, stats: quiet(2000) })).tiles[0]).toMatchObject({
      cameraOn: false,
      camera: null,
    });
    const off = together({ media: { [bob]: { ...on, camera: false } } });
    expect(liveView(off, around({ tracks, stats: quiet(100) })).tiles[0]).toMatchObject({ cameraOn: false });
  });

  test('of our own comes last, and never plays our own voice', () => {
    const own = {
      tracks: { ...noTracks, camera: track('c'), microphone: track('m') },
      microphoneOn: true,
      cameraOn: true,
      handRaised: true,
      speaking: true,
    };
    const tiles = liveView(together(), around({ own })).tiles;
    expect(tiles.map(({ self }) => self)).toEqual([false, true]);
    expect(tiles[1]).toMatchObject({
      camera: { id: 'c' },
      microphone: null,
      speaking: true,
      handRaised: true,
      host: true,
    });
  });
});

test('a shared screen shows when it is said to be on and its frames open, ours at once', () => {
  const tracks = new Map([[bob, { screen: track('s'), screenAudio: track('a') }]]);
  const media = { ...on, screen: true, screenAudio: true };
  expect(liveView(together(), around({ tracks })).screens).toEqual([]);
  expect(liveView(together({ media: { [bob]: media } })).screens).toEqual([]);
  expect(liveView(together({ media: { [bob]: media } }), around({ tracks })).screens).toMatchObject([
    { peer: bob, name: 'Bob', self: false, video: { id: 's' }, audio: { id: 'a' } },
  ]);
  const own = {
    tracks: { ...noTracks, screen: track('o') },
    microphoneOn: false,
    cameraOn: false,
    handRaised: false,
    speaking: false,
  };
  expect(liveView(together(), around({ own }))).toMatchObject({
    self: { screenOn: true },
    screens: [{ peer: me, self: true, audio: null }],
  });
});

test('who speaks while muted is told so', () => {
  const own = { tracks: noTracks, microphoneOn: false, cameraOn: false, handRaised: false, speaking: true };
  expect(liveView(together(), around({ own })).self.speakingWhileMuted).toBe(true);
  expect(liveView(together(), around({ own: { ...own, microphoneOn: true } })).self.speakingWhileMuted).toBe(false);
});

test('a lost socket shows, and nothing else changes', () => {
  const { connection, ...rest } = liveView(together({}, { link: { at: 'down', since: T } }));
  const { connection: online, ...same } = liveView(together());
  expect([connection, online]).toEqual(['reconnecting', 'online']);
  expect(rest).toEqual(same);
});

test('the lobby says what it waits for', () => {
  const lobby = (more: object) =>
    ({
      at: 'lobby',
      meeting,
      attempt: 1,
      link: { at: 'admitted' },
      name: '',
      title: 'Tea',
      password: null,
      peers: ['Bob'],
      joining: null,
      self: null,
      kept: null,
      ...more,
    }) as State & { at: 'lobby' };
  expect(present(lobby({}), T)).toMatchObject({ access: { at: 'open', peers: ['Bob'] }, joining: null });
  expect(present(lobby({ password: { wrong: true }, link: { at: 'linked', until: T + 5 } }), T)).toMatchObject({
    access: { at: 'password', wrong: true, checking: false, waitUntil: T + 5 },
  });
  expect(present(lobby({ password: { wrong: false }, link: { at: 'proving' } }), T)).toMatchObject({
    access: { checking: true },
  });
  expect(present(lobby({ joining: { step: 'securing', since: T - 100 } }), T)).toMatchObject({
    joining: { step: 'securing', slow: false },
  });
  expect(present(lobby({ joining: { step: 'securing', since: T - 5000 } }), T)).toMatchObject({
    joining: { step: 'waitingForOthers', slow: true },
  });
  expect(present(lobby({ link: { at: 'down', since: T } }), T)).toMatchObject({ offline: true });
  expect(present(lobby({}), T)).toMatchObject({ offline: false });
  // Rejoining with a password: it comes first.
  expect(present(lobby({ password: { wrong: false }, joining: { step: 'connecting', since: T } }), T)).toMatchObject({
    joining: null,
  });
});

test('an empty screen says after three seconds that it is slow', () => {
  const state = initial(meeting, '', T);
  if (state.at !== 'opening') throw new Error(state.at);
  expect(present(state, T + 2999)).toEqual({ at: 'opening', slow: false });
  expect(present(state, T + 3000)).toEqual({ at: 'opening', slow: true });
});

describe('speaking', () => {
  test('is judged by what is heard in a small meeting, and by the senders’ own sealed word in a large one', () => {
    const crowd = (count: number) => [member(me), member(bob), ...others(count - 2)];
    const others = (count: number) => Array.from({ length: count }, (_, index) => member(`${index}` as PeerId));
    const speaks = (count: number, said: number | null, heard: boolean, microphone = true) => {
      const speaking = said === null ? {} : { [bob]: said };
      const state = together({ members: crowd(count), media: { [bob]: { ...on, microphone } }, speaking });
      return liveView(state, around({ speaking: new Set(heard ? [bob] : []) })).tiles[0]?.speaking;
    };
    expect([speaks(8, null, true), speaks(8, T, false)]).toEqual([true, false]);
    expect([speaks(9, null, true), speaks(9, T, false)]).toEqual([false, true]);
    // A word that was not said again, and one of somebody whose microphone is off.
    expect([speaks(9, T - 11_000, false), speaks(9, T, false, false)]).toEqual([false, false]);
  });

  test('starts with a voice, goes on over pauses between words, and ends in silence', () => {
    const speaking = new Speaking();
    expect([speaking.heard(0.001, 0), speaking.heard(0.05, 250), speaking.heard(0.001, 500)]).toEqual([
      false,
      true,
      true,
    ]);
    expect(speaking.heard(0.001, 1000)).toBe(false);
  });

  test('does not start with a murmur, but goes on with one', () => {
    const speaking = new Speaking();
    expect(speaking.heard(0.01, 0)).toBe(false);
    speaking.heard(0.05, 250);
    for (const at of [500, 1000, 1500, 2000]) expect(speaking.heard(0.01, at)).toBe(true);
  });
});
