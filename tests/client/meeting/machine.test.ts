import { describe, expect, test } from 'vitest';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { MemberView } from '../../../client/e2ee/messages.ts';
import { begin, initial, OFFLINE_MS, SLOW_MS, step } from '../../../client/meeting/machine.ts';
import type { DecidedNotice, Effect, Failure, Input, State } from '../../../client/meeting/state.ts';

const meeting = '0abc-def1-ghjk-mnpq' as MeetingId;
const peer = (n: number) => `peer${n}`.padEnd(22, '0') as PeerId;
const T = 1_800_000_000_000;

/** Feeds inputs one after the other; a number lets that many milliseconds pass. */
function play(...inputs: (Input | number)[]): {
  state: State;
  effects: Effect[];
  last: readonly Effect[];
  now: number;
} {
  let now = T;
  let state = initial(meeting, 'Ada', now);
  const effects: Effect[] = [];
  let last: readonly Effect[] = [];
  for (const input of inputs) {
    if (typeof input === 'number') now += input;
    else {
      [state, last] = step(state, input, now);
      effects.push(...last);
    }
  }
  return { state, effects, last, now };
}

const kinds = (effects: readonly Effect[]) => effects.map(({ type }) => type);
const server = (code: Extract<Failure, { from: 'server' }>['code'], retryAfterMs: number | null = null): Failure => ({
  from: 'server',
  code,
  retryAfterMs,
});
const up: Input = { type: 'socket.up' };
const down: Input = { type: 'socket.down', code: 1006 };
const opened = (needsPassword: boolean, attempt = 1): Input => ({
  type: 'opened',
  attempt,
  title: 'Tea',
  needsPassword,
});
const admitted = (attempt = 1): Input => ({ type: 'admitted', attempt, peers: ['Bob'] });
const joinClick: Input = { type: 'join', name: 'Ada' };
const joined = (attempt = 1, self = peer(0)): Input => ({ type: 'joined', attempt, self });
const failed = (what: 'open' | 'prove' | 'join' | 'resume', failure: Failure, attempt = 1): Input => ({
  type: 'failed',
  attempt,
  what,
  failure,
});

const member = (n: number, more: Partial<MemberView> = {}): MemberView => ({
  peer: peer(n),
  identity: `identity${n}`,
  name: `name${n}`,
  self: n === 0,
  host: false,
  unknown: true,
  pairCode: [],
  lost: false,
  ...more,
});
const members = (
  list: MemberView[],
  removed: Extract<DecidedNotice, { type: 'members' }>['removed'] = [],
  epoch = 1,
): Input => ({
  type: 'notice',
  notice: { type: 'members', epoch, members: list, code: ['12345'], authenticator: ['67890'], removed },
});
const live: Input[] = [up, opened(false), admitted(), joinClick, joined(), members([member(0), member(1)])];

describe('from the link into the meeting', () => {
  test('without a password: the lobby opens with who is in, one click joins, the proven members make it live', () => {
    expect(kinds(begin(T))).toEqual(['start', 'wake', 'wake']);
    expect(play(up).last).toEqual([{ type: 'open', attempt: 1 }]);
    expect(play(up, opened(false)).last).toEqual([
      { type: 'know', title: 'Tea' },
      { type: 'prove', attempt: 1, password: null },
    ]);
    const lobby = play(up, opened(false), admitted()).state;
    expect(lobby).toMatchObject({
      at: 'lobby',
      password: null,
      peers: ['Bob'],
      link: { at: 'admitted' },
      joining: null,
    });
    expect(play(up, opened(false), admitted(), joinClick).last[0]).toEqual({
      type: 'join',
      attempt: 1,
      name: 'Ada',
      again: false,
      replaces: null,
    });
    const { state, last } = play(...live);
    expect(state).toMatchObject({
      at: 'live',
      title: 'Tea',
      link: { at: 'joined' },
      live: { self: peer(0), epoch: 1 },
    });
    expect(last).toEqual([
      { type: 'peers', peers: [peer(1)] },
      { type: 'greet', peers: [peer(1)] },
    ]);
  });

  test('with a password: it is asked for, passed on once, and never kept', () => {
    const secret = 'correct horse';
    const asked = play(up, opened(true));
    expect(asked.state).toMatchObject({ at: 'lobby', password: { wrong: false }, link: { at: 'linked' } });
    const given = play(up, opened(true), { type: 'password', password: secret });
    expect(given.last).toEqual([{ type: 'prove', attempt: 1, password: secret }]);
    expect(JSON.stringify(given.state)).not.toContain(secret);
    expect(play(up, opened(true), { type: 'password', password: secret }, admitted()).state).toMatchObject({
      password: null,
      peers: ['Bob'],
    });
  });

  for (const failure of [server('accessRefused', 1000), { from: 'worker', code: 'badPassword' } as const])
    test(`a wrong password (${failure.from} says so) is told, and another may be tried`, () => {
      const start = [up, opened(true), { type: 'password', password: 'x' } as const, failed('prove', failure)];
      const { state } = play(...start);
      expect(state).toMatchObject({ at: 'lobby', password: { wrong: true }, link: { at: 'linked' } });
      const wait = failure.from === 'server' ? 1000 : 0;
      if (wait) expect(play(...start, { type: 'password', password: 'y' }).last).toEqual([]);
      expect(kinds(play(...start, wait, { type: 'tick' }, { type: 'password', password: 'y' }).last)).toEqual([
        'prove',
      ]);
    });

  test('too many tries: the password waits as long as the server says', () => {
    const { state } = play(
      up,
      opened(true),
      { type: 'password', password: 'x' },
      failed('prove', server('tooMany', 9000)),
    );
    expect(state).toMatchObject({ at: 'lobby', link: { at: 'linked', until: T + 9000 } });
  });

  test('a click on join before the server answered is not forgotten', () => {
    expect(kinds(play(up, opened(false), joinClick, admitted()).last)).toContain('join');
    expect(kinds(play(joinClick, up, opened(false), admitted()).last)).toContain('join');
  });

  test('a second click on join does nothing', () => {
    expect(play(up, opened(false), admitted(), joinClick, joinClick).last).toEqual([]);
  });

  test('members before anybody wanted to join make nothing live', () => {
    expect(play(up, opened(false), admitted(), members([member(0)])).state.at).toBe('lobby');
  });

  for (const [code, reason] of [
    ['meetingNotFound', 'notFound'],
    ['meetingEnded', 'ended'],
    ['linkRefused', 'oldLink'],
    ['unsupported', 'internal'],
    ['malformed', 'serverLies'],
  ] as const)
    test(`${code} closes with ${reason}`, () => {
      const { state, last } = play(up, failed('open', server(code)));
      expect(state).toMatchObject({ at: 'closed', reason });
      expect(last).toEqual([{ type: 'end' }]);
    });

  test('a record that the host did not sign closes with "the server lies"', () => {
    expect(play(up, failed('open', { from: 'worker', code: 'forged' })).state).toMatchObject({
      at: 'closed',
      reason: 'serverLies',
    });
  });

  for (const [code, reason] of [
    ['meetingLocked', 'locked'],
    ['meetingFull', 'full'],
    ['removed', 'removed'],
  ] as const)
    test(`joining is refused with ${code}: closed with ${reason}`, () => {
      expect(play(up, opened(false), admitted(), joinClick, failed('join', server(code))).state).toMatchObject({
        at: 'closed',
        reason,
      });
    });

  test('nobody answers: the page says so in the end, and can be tried again', () => {
    expect(play(OFFLINE_MS - 1, { type: 'tick' }).state.at).toBe('opening');
    const { state } = play(OFFLINE_MS, { type: 'tick' });
    expect(state).toMatchObject({ at: 'closed', reason: 'offline' });
    const [again, effects] = step(state, { type: 'rejoin', name: 'Ada' }, T);
    expect(again).toMatchObject({ at: 'opening', joining: { step: 'connecting' } });
    expect(kinds(effects)).toContain('start');
  });

  test('a browser that cannot hold a meeting is told why', () => {
    for (const reason of ['unsupportedBrowser', 'insecureOrigin', 'noSealedFrames', 'needsLink'] as const)
      expect(play({ type: 'unfit', reason }).state).toMatchObject({ at: 'closed', reason });
  });
});

describe('without a server', () => {
  const kept = (needsPassword: boolean): Input => ({ type: 'kept', title: 'Tea', needsPassword });
  const unlocked: Input = { type: 'unlocked' };
  const lobbyOf = ({ state }: { state: State }) => (state.at === 'lobby' ? state : expect.fail(state.at));

  test('what this browser keeps is looked for once the socket fails, and again once it says nothing', () => {
    expect(kinds(play(down).last)).toEqual(['openKept']);
    expect(kinds(play(SLOW_MS, { type: 'tick' }).last)).toEqual(['openKept']);
    expect(kinds(play(up, down, up, opened(false, 2), down).last)).toEqual([]);
  });

  test('a meeting that is kept opens without one, and is joined once there is one', () => {
    const before = play(down, kept(false), unlocked, joinClick);
    expect(lobbyOf(before)).toMatchObject({ title: 'Tea', password: null, peers: null, kept: 'open' });
    expect(before.effects).toContainEqual({ type: 'unlock', password: null });
    const after = play(down, kept(false), unlocked, joinClick, up, opened(false), admitted());
    expect(lobbyOf(after).kept).toBeNull();
    expect(kinds(after.last)).toContain('join');
  });

  test('its password is asked for, checked here, and not asked for again by the server', () => {
    const asked = play(down, kept(true));
    expect(lobbyOf(asked)).toMatchObject({ password: { wrong: false }, kept: 'locked' });
    expect(asked.effects).not.toContainEqual(expect.objectContaining({ type: 'unlock' }));
    const wrong = play(down, kept(true), { type: 'password', password: 'x' }, { type: 'unlockFailed' });
    expect(lobbyOf(wrong)).toMatchObject({ password: { wrong: true }, kept: 'locked' });
    const right = play(down, kept(true), { type: 'password', password: 'x' }, unlocked, up, opened(true));
    expect(right.last).toContainEqual({ type: 'prove', attempt: 1, password: null });
  });

  test('a password that is being checked when the server comes back is given to it, once', () => {
    const back = play(down, kept(true), { type: 'password', password: 'x' }, up, opened(true), unlocked);
    expect(back.last).toEqual([{ type: 'prove', attempt: 1, password: null }]);
    const refused = play(
      down,
      kept(true),
      { type: 'password', password: 'x' },
      unlocked,
      up,
      opened(true),
      failed('prove', server('accessRefused')),
    );
    expect(lobbyOf(refused)).toMatchObject({ password: { wrong: true }, kept: null, peers: null });
  });

  test('nothing that is kept comes before the server once it has answered', () => {
    expect(lobbyOf(play(down, up, opened(true), kept(false))).password).not.toBeNull();
    expect(play(down, up, kept(false)).state.at).toBe('opening');
    expect(lobbyOf(play(up, opened(true), unlocked)).password).not.toBeNull();
  });
});

test('a browser that turns out unfit when it was let in already says good-bye', () => {
  const { state, last } = play(...live, { type: 'unfit', reason: 'noSealedFrames' });
  expect(state).toMatchObject({ at: 'closed', reason: 'noSealedFrames' });
  expect(last).toEqual([{ type: 'leave' }]);
});

describe('a lost socket', () => {
  test('in the lobby: everything is proven again, and nobody types the password twice', () => {
    const typed = [up, opened(true), { type: 'password', password: 'x' } as const, admitted()];
    const again = play(...typed, down, up, opened(true, 2));
    expect(again.last).toContainEqual({ type: 'prove', attempt: 2, password: null });
    expect(again.state).toMatchObject({ at: 'lobby', peers: ['Bob'] });
  });

  test('while joining: the join is tried again by itself', () => {
    const { last } = play(up, opened(false), admitted(), joinClick, down, up, opened(false, 2), admitted(2));
    expect(kinds(last)).toContain('join');
  });

  test('in the meeting: it is resumed, and media are not touched', () => {
    const { effects, state } = play(...live, down, 500, up, { type: 'resumed', attempt: 2 });
    expect(kinds(effects.slice(-2))).not.toContain('hold');
    expect(effects.at(-1)).toEqual({ type: 'resume', attempt: 2 });
    expect(state).toMatchObject({ at: 'live', link: { at: 'joined' } });
  });

  test('that was away long is told when it is back', () => {
    expect(play(...live, down, SLOW_MS, up, { type: 'resumed', attempt: 2 }).last).toMatchObject([
      { type: 'notice', key: 'serverBack' },
    ]);
    expect(play(...live, down, 500, down, up, down, SLOW_MS, up, { type: 'resumed', attempt: 3 }).last).toMatchObject([
      { key: 'serverBack' },
    ]);
  });

  test('to a server that forgot us: the same leaf joins again, over the same socket', () => {
    const { effects, state } = play(
      ...live,
      down,
      up,
      failed('resume', server('resumeRefused'), 2),
      opened(true, 2),
      admitted(2),
      joined(2),
    );
    expect(effects.filter(({ type }) => type !== 'wake').slice(-3)).toEqual([
      { type: 'open', attempt: 2 },
      { type: 'prove', attempt: 2, password: null },
      { type: 'join', attempt: 2, name: 'Ada', again: true, replaces: null },
    ]);
    expect(state).toMatchObject({ at: 'live', link: { at: 'joined' }, live: { members: [{}, {}] } });
  });

  for (const [code, reason] of [
    [4403, 'removed'],
    [4409, 'elsewhere'],
    [4410, 'ended'],
  ] as const)
    test(`with close code ${code} is the end: ${reason}`, () => {
      expect(play(...live, { type: 'socket.down', code }).state).toMatchObject({ at: 'closed', reason });
    });

  test('a server that is stopping: the socket is opened anew when it says', () => {
    expect(play(...live, { type: 'draining', retryMs: 700 }).last).toEqual([{ type: 'reconnect', afterMs: 700 }]);
  });

  test('what answers an older socket is dropped', () => {
    const before = play(up, opened(false), down, up);
    const after = play(up, opened(false), down, up, admitted(1));
    expect(after.state).toEqual(before.state);
    expect(play(up, down, up, failed('open', server('meetingEnded'), 1)).state.at).toBe('opening');
  });
});

describe('in the meeting', () => {
  test('somebody who comes is connected with, greeted and told by name, once', () => {
    const three = [member(0), member(1), member(2)];
    const { last } = play(...live, members(three, [], 2));
    expect(last).toEqual([
      { type: 'peers', peers: [peer(1), peer(2)] },
      { type: 'greet', peers: [peer(2)] },
      { type: 'notice', key: 'joined', name: 'name2', tone: 'info' },
    ]);
    expect(kinds(play(...live, members(three), members(three)).last)).toEqual(['peers']);
  });

  test('whose name comes later is told then', () => {
    const nameless = play(...live, members([member(0), member(1), member(2, { name: null })]));
    expect(kinds(nameless.last)).toEqual(['peers', 'greet']);
    const named = play(
      ...live,
      members([member(0), member(1), member(2, { name: null })]),
      members([member(0), member(1), member(2)]),
    );
    expect(named.last).toContainEqual({ type: 'notice', key: 'joined', name: 'name2', tone: 'info' });
  });

  test('who goes is told with the reason, and everything of them is forgotten', () => {
    const gone = (reason: 'leave' | 'host' | 'lost') =>
      play(
        ...live,
        { type: 'path', peer: peer(1), path: { at: 'connected', poor: false } },
        { type: 'message', from: peer(1), kind: 'hand', body: '{"raised":true}' },
        members([member(0)], [{ peer: peer(1), name: 'Bob', reason, by: peer(0) }], 2),
      );
    expect(gone('leave').last).toContainEqual({ type: 'notice', key: 'left', name: 'Bob', tone: 'info' });
    expect(gone('host').last).toContainEqual({
      type: 'notice',
      key: 'removedByHost',
      name: 'Bob',
      by: 'name0',
      tone: 'warning',
    });
    expect(gone('lost').last).toContainEqual({
      type: 'notice',
      key: 'lost',
      name: 'Bob',
      by: 'name0',
      tone: 'warning',
    });
    expect(gone('leave').state).toMatchObject({ live: { paths: {}, hands: [], members: [{ peer: peer(0) }] } });
  });

  test('somebody who reloads neither leaves nor joins', () => {
    const { last } = play(
      ...live,
      members([member(0), member(2)], [{ peer: peer(1), name: 'Bob', reason: 'replaced', by: peer(0) }], 2),
    );
    expect(last.filter(({ type }) => type === 'notice')).toEqual([]);
  });

  test('tiles keep their places', () => {
    const { state } = play(...live, members([member(2), member(1), member(0)]));
    expect(state.at === 'live' && state.live.members.map((one) => one.peer)).toEqual([peer(0), peer(1), peer(2)]);
  });

  test('what members say of their tracks and hands is heard; what strangers say, or garbage, is not', () => {
    const say = (from: PeerId, kind: 'media.state' | 'hand' | 'speaking', body: string) =>
      play(...live, { type: 'message', from, kind, body }).state;
    const media = { microphone: true, camera: false, screen: false, screenAudio: false };
    expect(say(peer(1), 'media.state', JSON.stringify(media))).toMatchObject({ live: { media: { [peer(1)]: media } } });
    expect(say(peer(1), 'hand', '{"raised":true}')).toMatchObject({ live: { hands: [peer(1)] } });
    expect(say(peer(1), 'speaking', '{"on":true}')).toMatchObject({
      live: { speaking: { [peer(1)]: expect.any(Number) } },
    });
    expect(say(peer(1), 'speaking', '{"on":false}')).toMatchObject({ live: { speaking: {} } });
    expect(say(peer(1), 'speaking', '{"on":"loud"}')).toEqual(play(...live).state);
    for (const body of ['', '{', '[]', '{"microphone":1}', 'null'])
      expect(say(peer(1), 'media.state', body)).toEqual(play(...live).state);
    expect(say(peer(9), 'media.state', JSON.stringify(media))).toEqual(play(...live).state);
  });

  test('a hand that goes up and a screen that starts are told by name, once; a screen that was there before us is not', () => {
    const hand = (raised: boolean): Input => ({
      type: 'message',
      from: peer(1),
      kind: 'hand',
      body: JSON.stringify({ raised }),
    });
    const screen = (on: boolean): Input => ({
      type: 'message',
      from: peer(1),
      kind: 'media.state',
      body: JSON.stringify({ microphone: true, camera: true, screen: on, screenAudio: false }),
    });
    const told = (key: string) => [{ type: 'notice', key, name: 'name1', tone: 'info' }];
    expect(play(...live, hand(true)).last).toEqual(told('handRaised'));
    expect(play(...live, hand(true), hand(true)).last).toEqual([]);
    expect(play(...live, hand(true), hand(false)).last).toEqual([]);
    expect(play(...live, screen(false), screen(true)).last).toEqual(told('screenStarted'));
    expect(play(...live, screen(false), screen(true), screen(true)).last).toEqual([]);
    expect(play(...live, screen(true)).last).toEqual([]);
  });

  test('hands keep their order while their owners repeat themselves', () => {
    const three = [member(0), member(1), member(2)];
    const hand = (n: number): Input => ({ type: 'message', from: peer(n), kind: 'hand', body: '{"raised":true}' });
    expect(play(...live, members(three), hand(1), hand(2), hand(1)).state).toMatchObject({
      live: { hands: [peer(1), peer(2)] },
    });
  });

  test('who was there is known afterwards, those who left before us too', () => {
    const met = play(...live, members([member(0), member(1), member(2)]), members([member(0), member(2)]), {
      type: 'leave',
    });
    expect(met.state).toMatchObject({ at: 'closed', people: ['name1', 'name2'] });
  });

  test('sending pauses and goes on with the worker', () => {
    const paused: Input = { type: 'notice', notice: { type: 'paused', paused: true } };
    expect(play(...live, paused).last).toEqual([{ type: 'hold', held: true }]);
    expect(play(...live, paused).state).toMatchObject({ live: { paused: true } });
  });

  test('a new generation gives the page a new link', () => {
    expect(play(...live, { type: 'notice', notice: { type: 'invite', secret: 'new', generation: 1 } }).last).toEqual([
      { type: 'address', secret: 'new' },
      { type: 'notice', key: 'linkChanged', tone: 'info' },
    ]);
  });

  test('a changed network restarts ICE', () => {
    expect(play(...live, { type: 'network.changed' }).last).toEqual([{ type: 'refresh' }]);
    expect(play(up, { type: 'network.changed' }).last).toEqual([]);
  });

  for (const why of ['removed', 'ended', 'elsewhere'] as const)
    test(`our leaf is gone (${why}): the end`, () => {
      const { state, last } = play(...live, { type: 'notice', notice: { type: 'out', why } });
      expect(state).toMatchObject({ at: 'closed', reason: why, title: 'Tea' });
      expect(last).toEqual([{ type: 'end' }]);
    });

  test('repair: a new leaf joins in place of ours, and the page stays as it is', () => {
    const repair: Input = { type: 'notice', notice: { type: 'out', why: 'repair' } };
    const start = play(...live, repair);
    expect(start.last).toEqual([{ type: 'reconnect', afterMs: 0 }]);
    expect(start.state).toMatchObject({ at: 'live', live: { members: [{}, {}] } });
    const rejoin = play(...live, repair, down, up, opened(true, 2), admitted(2));
    expect(rejoin.last[0]).toEqual({ type: 'join', attempt: 2, name: 'Ada', again: false, replaces: peer(0) });
    const back = play(
      ...live,
      repair,
      down,
      up,
      opened(true, 2),
      admitted(2),
      joined(2, peer(7)),
      members([member(7, { self: true }), member(1)], [], 3),
    );
    expect(back.state).toMatchObject({ at: 'live', renewing: false, live: { self: peer(7), epoch: 3 } });
    expect(back.last).toContainEqual({ type: 'peers', peers: [peer(1)] });
  });

  test('leaving says good-bye and ends; joining again is one click', () => {
    const { state, last } = play(...live, { type: 'leave' });
    expect(state).toMatchObject({ at: 'closed', reason: 'left', title: 'Tea' });
    expect(last).toEqual([{ type: 'leave' }]);
    const again = play(...live, { type: 'leave' }, { type: 'rejoin', name: 'Ada' }, up, opened(false), admitted());
    expect(kinds(again.last)).toContain('join');
  });

  test('closed means closed: nothing but a rejoin is heard', () => {
    const { state } = play(...live, { type: 'leave' });
    for (const input of [
      up,
      down,
      opened(false),
      admitted(),
      joined(),
      joinClick,
      { type: 'tick' } as const,
      members([member(0)]),
    ])
      expect(step(state, input, T)).toEqual([state, []]);
  });
});
