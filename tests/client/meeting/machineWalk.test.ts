/**
 * Random walks of the meeting machine: against a model of server and worker that breaks sockets, forgets peers and refuses now and
 * then, and against pure noise. The seed is printed with a failure; PARLEY_SEED repeats it.
 */
import { expect, test } from 'vitest';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { ErrorCode } from '../../../signal/protocol/errors.ts';
import { errorCodes } from '../../../signal/protocol/errors.ts';
import type { MemberView } from '../../../client/e2ee/messages.ts';
import { initial, OFFLINE_MS, step } from '../../../client/meeting/machine.ts';
import type { Effect, Input, State } from '../../../client/meeting/state.ts';

const meeting = '0abc-def1-ghjk-mnpq' as MeetingId;
const peer = (n: number) => `peer${n}`.padEnd(22, '0') as PeerId;
const member = (n: number, self: boolean): MemberView => ({
  peer: peer(n),
  identity: `identity${n}`,
  name: `n${n}`,
  self,
  host: false,
  unknown: false,
  pairCode: [],
  lost: false,
});

/** mulberry32: small, seeded, good enough to choose paths. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seeds = process.env['PARLEY_SEED']
  ? [Number(process.env['PARLEY_SEED'])]
  : Array.from({ length: 60 }, (_, n) => 1000 + n);

/** What must hold of every step. */
function check(before: State, input: Input, after: State, effects: readonly Effect[]): void {
  const walks = effects.filter(({ type }) => ['open', 'prove', 'join', 'resume'].includes(type));
  expect(walks.length).toBeLessThanOrEqual(1);
  for (const walk of walks) if ('attempt' in walk && after.at !== 'closed') expect(walk.attempt).toBe(after.attempt);
  if (before.at === 'live') expect(['live', 'closed']).toContain(after.at);
  if (before.at === 'lobby') expect(after.at).not.toBe('opening');
  if (before.at !== 'closed' && after.at === 'closed')
    expect(effects.map(({ type }) => type)).toEqual([
      input.type === 'leave' || input.type === 'unfit' ? 'leave' : 'end',
    ]);
  if (before.at === 'closed' && input.type !== 'rejoin') expect(effects).toEqual([]);
  expect(JSON.stringify(after)).not.toContain('secret words');
  for (const effect of effects)
    if (effect.type === 'join') {
      expect(effect.again).toBe(after.at === 'live' && !after.renewing);
      expect(effect.replaces === null).toBe(!(after.at === 'live' && after.renewing));
    }
}

test('whatever breaks on the way, once it stops breaking the person is in the meeting, or told why not', () => {
  const reached = { live: 0, closed: 0, repairs: 0, forgot: 0, unlocked: 0 };
  for (const seed of seeds) {
    const random = seeded(seed);
    const chance = (share: number) => random() < share;
    let now = 1_800_000_000_000;
    let state = initial(meeting, 'Ada', now);
    // The model: what answers are under way, whether a socket is up, whether the server knows our peer.
    let queue: Input[] = [];
    let isUp = false;
    let serverKnows: PeerId | null = null;
    let ownPeer: PeerId | null = null;
    let leaves = 0;
    const accepted = { password: false };
    // What this browser keeps of the meeting, from an earlier visit.
    const isKept = chance(0.7);
    const needsPassword = chance(0.5);
    let stormy = true;

    const feed = (input: Input) => {
      const [after, effects] = step(state, input, now);
      check(state, input, after, effects);
      state = after;
      for (const effect of effects) act(effect);
    };
    const fail = (what: 'open' | 'prove' | 'join' | 'resume', attempt: number, code: ErrorCode) =>
      queue.push({ type: 'failed', attempt, what, failure: { from: 'server', code, retryAfterMs: 100 } });
    const act = (effect: Effect) => {
      if (effect.type === 'reconnect') {
        if (isUp) queue.push({ type: 'socket.down', code: 1006 });
        isUp = false;
      } else if (effect.type === 'open') {
        if (stormy && chance(0.1)) fail('open', effect.attempt, chance(0.5) ? 'internal' : 'tooMany');
        else queue.push({ type: 'opened', attempt: effect.attempt, title: 'Tea', needsPassword });
      } else if (effect.type === 'openKept') {
        if (isKept) queue.push({ type: 'kept', title: 'Tea', needsPassword });
      } else if (effect.type === 'unlock') {
        reached.unlocked++;
        accepted.password ||= effect.password === 'right';
        queue.push({ type: !needsPassword || accepted.password ? 'unlocked' : 'unlockFailed' });
      } else if (effect.type === 'prove') {
        if (!needsPassword || accepted.password || effect.password === 'right') {
          accepted.password = true;
          queue.push({ type: 'admitted', attempt: effect.attempt, peers: [] });
        } else fail('prove', effect.attempt, 'accessRefused');
      } else if (effect.type === 'join') {
        if (stormy && chance(0.1)) return fail('join', effect.attempt, 'internal');
        if (!effect.again) ownPeer = peer(++leaves);
        serverKnows = ownPeer;
        queue.push({ type: 'joined', attempt: effect.attempt, self: ownPeer! });
        if (!effect.again)
          queue.push({
            type: 'notice',
            notice: {
              type: 'members',
              epoch: leaves,
              members: [member(leaves, true), member(90, false)],
              code: [],
              authenticator: [],
              removed: [],
            },
          });
      } else if (effect.type === 'resume') {
        if (serverKnows === ownPeer) queue.push({ type: 'resumed', attempt: effect.attempt });
        else {
          reached.forgot++;
          fail('resume', effect.attempt, 'resumeRefused');
        }
      }
    };

    for (let turn = 0; turn < 400 && state.at !== 'closed'; turn++) {
      stormy = turn < 250;
      now += 50;
      if (stormy && isUp && chance(0.05)) {
        isUp = false;
        // What was asked over it is never answered; the worker's own words still come.
        queue = queue.filter(({ type }) => /^(notice|kept|unlocked|unlockFailed)$/.test(type));
        feed({ type: 'socket.down', code: 1006 });
      } else if (stormy && chance(0.02)) serverKnows = null;
      else if (stormy && state.at === 'live' && chance(0.03)) {
        reached.repairs++;
        feed({ type: 'notice', notice: { type: 'out', why: 'repair' } });
      } else if (stormy && !isUp && chance(0.2)) feed({ type: 'socket.down', code: 1006 });
      else if (!isUp && chance(0.5)) {
        isUp = true;
        feed({ type: 'socket.up' });
      } else if (queue.length > 0) feed(queue.shift()!);
      else if (state.at === 'lobby' && state.password && (state.link.at === 'linked' || state.kept === 'locked'))
        feed({ type: 'password', password: chance(0.7) ? 'right' : 'secret words' });
      else if (state.at === 'lobby' && state.link.at === 'admitted' && !state.joining)
        feed({ type: 'join', name: 'Ada' });
      else feed({ type: 'tick' });
    }
    const where = state.at as State['at'];
    expect(where === 'live' || where === 'closed', `seed ${seed}: ended ${JSON.stringify(state)}`).toBe(true);
    if (state.at === 'live') {
      expect(state.link.at, `seed ${seed}`).toBe('joined');
      expect(state.live.self, `seed ${seed}`).toBe(ownPeer);
      reached.live++;
    } else if (state.at === 'closed') {
      expect(state.reason, `seed ${seed}`).toBe('offline');
      reached.closed++;
    }
  }
  if (seeds.length > 1) {
    expect(reached.live).toBeGreaterThan(50);
    expect(Math.min(reached.repairs, reached.forgot, reached.unlocked)).toBeGreaterThan(5);
  }
});

test('noise in any order never breaks an invariant', () => {
  for (const seed of seeds) {
    const random = seeded(seed ^ 0xabcdef);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    let now = 1_800_000_000_000;
    let state = initial(meeting, 'Ada', now);
    const attempt = () => (state.at === 'closed' ? 1 : Math.max(1, state.attempt - (random() < 0.2 ? 1 : 0)));
    const noise: (() => Input)[] = [
      () => ({ type: 'socket.up' }),
      () => ({ type: 'socket.down', code: pick([1006, 1012, 1011, 4400, 4403, 4410]) }),
      () => ({ type: 'opened', attempt: attempt(), title: 'Tea', needsPassword: random() < 0.5 }),
      () => ({ type: 'admitted', attempt: attempt(), peers: ['x', null] }),
      () => ({ type: 'joined', attempt: attempt(), self: peer(pick([0, 1, 2])) }),
      () => ({ type: 'resumed', attempt: attempt() }),
      () => ({ type: 'kept', title: 'Tea', needsPassword: random() < 0.5 }),
      () => pick([{ type: 'unlocked' } as const, { type: 'unlockFailed' } as const]),
      () => ({
        type: 'failed',
        attempt: attempt(),
        what: pick(['open', 'prove', 'join', 'resume'] as const),
        failure: pick([
          { from: 'network' } as const,
          { from: 'worker', code: pick(['badPassword', 'notReady', 'forged'] as const) } as const,
          { from: 'server', code: pick(errorCodes), retryAfterMs: pick([null, 500]) } as const,
        ]),
      }),
      () => ({
        type: 'notice',
        notice: {
          type: 'members',
          epoch: 1,
          members: [member(0, random() < 0.8), ...(random() < 0.5 ? [member(1, false)] : [])],
          code: [],
          authenticator: [],
          removed:
            random() < 0.3
              ? [
                  {
                    peer: peer(2),
                    name: null,
                    reason: pick(['leave', 'host', 'lost', 'replaced'] as const),
                    by: peer(1),
                  },
                ]
              : [],
        },
      }),
      () => ({
        type: 'notice',
        notice: { type: 'out', why: pick(['removed', 'repair', 'ended', 'elsewhere'] as const) },
      }),
      () => ({ type: 'notice', notice: { type: 'paused', paused: random() < 0.5 } }),
      () => ({ type: 'notice', notice: { type: 'hostState', locked: random() < 0.5, chat: null } }),
      () => ({ type: 'notice', notice: { type: 'alarm', alarm: 'forged', detail: '' } }),
      () => ({
        type: 'message',
        from: peer(pick([0, 1, 9])),
        kind: pick(['media.state', 'hand', 'speaking', 'reaction'] as const),
        body: pick(['{}', '{', '{"raised":true}']),
      }),
      () => ({ type: 'path', peer: peer(1), path: { at: 'securing' } }),
      () => ({ type: 'draining', retryMs: 100 }),
      () => (random() < 0.1 ? { type: 'unfit', reason: 'noSealedFrames' } : { type: 'tick' }),
      () => ({ type: 'network.changed' }),
      () => ({ type: 'tick' }),
      () => ({ type: 'password', password: 'secret words' }),
      () => ({ type: 'join', name: 'Ada' }),
      () => (random() < 0.1 ? { type: 'leave' } : { type: 'tick' }),
      () => ({ type: 'rejoin', name: 'Ada' }),
    ];
    for (let turn = 0; turn < 500; turn++) {
      now += Math.floor(random() * (OFFLINE_MS / 20));
      const input = pick(noise)();
      try {
        const [after, effects] = step(state, input, now);
        check(state, input, after, effects);
        state = after;
      } catch (error) {
        throw new Error(`seed ${seed}, turn ${turn}, ${JSON.stringify(input)}`, { cause: error });
      }
    }
  }
});
