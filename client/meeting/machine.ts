/**
 * The meeting as one person lives it: from the link to leaving. Pure: `(state, input, now) → [state, effects]`.
 *
 * It decides what is done next with server, worker and media, and never does it. Media go on whatever becomes of the socket. Who is in
 * the meeting is what the worker proves; the server's roster is not even an input.
 */
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { closed, end, type Alive } from './ending.ts';
import { closedBy, closedByCode, codeOf, isWrongPassword } from './failures.ts';
import { hear, listen, movePath } from './liveSteps.ts';
import type { Common, Effect, Failure, Input, State, Step } from './state.ts';

/** From then on a screen says what it waits for (docs: "slow"). */
export const SLOW_MS = 3000;
/** Nobody is kept before an empty screen for longer: the page says that there is no connection, and offers to try again. */
export const OFFLINE_MS = 15_000;
/** When the server asks for patience without saying how much. */
const LATER_MS = 2000;

export function initial(meeting: MeetingId, name: string, now: number): State {
  const link = { at: 'down', since: now } as const;
  return { at: 'opening', meeting, attempt: 0, link, name, since: now, joining: null };
}

/** The first effects of a meeting, and of every new beginning. */
export function begin(now: number): Effect[] {
  return [{ type: 'start' }, wake(now), { type: 'wake', at: now + OFFLINE_MS }];
}

export function step(state: State, input: Input, now: number): Step {
  if (state.at === 'closed') return input.type === 'rejoin' ? reopen(state, input.name, now) : [state, []];
  switch (input.type) {
    case 'socket.up':
      return connect(state, now);
    case 'socket.down':
      return disconnect(state, input.code, now);
    case 'opened':
    case 'admitted':
    case 'joined':
    case 'resumed':
    case 'failed':
      return input.attempt === state.attempt ? progress(state, input, now) : [state, []];
    case 'password':
      return password(state, input.password, now);
    case 'kept':
      return kept(state, input);
    case 'unlocked':
      return unlocked(state);
    case 'unlockFailed':
      if (state.at !== 'lobby' || state.kept !== 'unlocking') return [state, []];
      return [{ ...state, kept: 'locked', password: { wrong: true } }, []];
    case 'join':
      return join(state, input.name, now);
    case 'leave':
      return [closed(state, 'left', ''), [{ type: 'leave' }]];
    case 'unfit':
      // Whoever was let in already says good-bye.
      return [closed(state, input.reason, input.reason), [{ type: 'leave' }]];
    case 'draining':
      return [{ ...state, link: { at: 'down', since: now } }, [{ type: 'reconnect', afterMs: input.retryMs }]];
    case 'network.changed':
      return [state, state.at === 'live' ? [{ type: 'refresh' }] : []];
    case 'notice':
      return hear(state, input.notice, now);
    case 'message': {
      if (state.at !== 'live') return [state, []];
      const { live, told } = listen(state.live, input, now);
      return [{ ...state, live }, told];
    }
    case 'path':
      return state.at === 'live' ? [{ ...state, live: movePath(state.live, input.peer, input.path) }, []] : [state, []];
    case 'tick':
      return tick(state, now);
    case 'rejoin':
      return [state, []];
  }
}

function reopen(state: State & { at: 'closed' }, name: string, now: number): Step {
  const fresh = initial(state.meeting, name, now) as State & { at: 'opening' };
  return [{ ...fresh, joining: { step: 'connecting', since: now } }, begin(now)];
}

/** A socket is up: take up the lost session, or introduce ourselves. */
function connect(state: Alive, now: number): Step {
  const attempt = state.attempt + 1;
  const next = { ...state, attempt };
  if (state.at === 'live' && !state.renewing) {
    const since = state.link.at === 'down' ? state.link.since : now;
    return [{ ...next, link: { at: 'resuming', since } }, [{ type: 'resume', attempt }]];
  }
  return [{ ...next, link: { at: 'opening' } }, [{ type: 'open', attempt }]];
}

function disconnect(state: Alive, code: number, now: number): Step {
  const reason = closedByCode(code);
  if (reason) return end(state, reason, `close.${code}`);
  const since = state.link.at === 'down' || state.link.at === 'resuming' ? state.link.since : now;
  return [{ ...state, link: { at: 'down', since } }, state.at === 'opening' ? [{ type: 'openKept' }] : []];
}

/** No server, but a meeting whose chat was open here before: it can be read and written, and joined once there is a way. */
function kept(state: Alive, { title, needsPassword }: Extract<Input, { type: 'kept' }>): Step {
  if (state.at !== 'opening' || state.link.at !== 'down') return [state, []];
  const { since: _since, ...rest } = state;
  const lobby: State = { ...rest, at: 'lobby', title, password: null, peers: null, self: null, kept: 'unlocking' };
  if (needsPassword) return [{ ...lobby, kept: 'locked', password: { wrong: false } }, []];
  return [lobby, [{ type: 'unlock', password: null }]];
}

function unlocked(state: Alive): Step {
  if (state.at !== 'lobby' || state.kept !== 'unlocking') return [state, []];
  const open = { ...state, kept: 'open', password: null } as const;
  // The server has come back meanwhile, and waits for the same password.
  if (state.link.at !== 'linked') return [open, []];
  return [{ ...open, link: { at: 'proving' } }, [{ type: 'prove', attempt: state.attempt, password: null }]];
}

function password(state: Alive, given: string, now: number): Step {
  if (state.at !== 'lobby') return [state, []];
  const { link, attempt } = state;
  if (link.at === 'down' && state.kept === 'locked')
    return [{ ...state, kept: 'unlocking' }, [{ type: 'unlock', password: given }]];
  if (link.at !== 'linked' || (link.until ?? 0) > now) return [state, []];
  return [{ ...state, link: { at: 'proving' } }, [{ type: 'prove', attempt, password: given }]];
}

type Progress = Extract<Input, { type: 'opened' | 'admitted' | 'joined' | 'resumed' | 'failed' }>;

function progress(state: Alive, input: Progress, now: number): Step {
  switch (input.type) {
    case 'opened':
      return opened(state, input.title, input.needsPassword);
    case 'admitted':
      return admitted(state, input.peers, now);
    case 'joined':
      if (state.at === 'live') {
        const live = state.renewing ? { ...state.live, self: input.self, paths: {} } : state.live;
        return [{ ...state, link: { at: 'joined' }, live }, []];
      }
      if (state.at === 'opening') return [state, []];
      return [
        { ...state, link: { at: 'joined' }, self: input.self, joining: { step: 'securing', since: now } },
        [wake(now)],
      ];
    case 'resumed':
      return resumed(state, now);
    case 'failed':
      return failed(state, input.what, input.failure, now);
  }
}

function opened(state: Alive, title: string, needsPassword: boolean): Step {
  const { attempt } = state;
  const prove: Effect = { type: 'prove', attempt, password: null };
  if (state.at === 'live') return [{ ...state, title, link: { at: 'proving' } }, [prove]];
  const common: Common = { meeting: state.meeting, attempt, link: state.link, name: state.name };
  const before =
    state.at === 'lobby' ? state : { password: null, peers: null, joining: state.joining, self: null, kept: null };
  const lobby: State & { at: 'lobby' } = { ...before, ...common, at: 'lobby', title };
  // The worker keeps what a password that was right once turned into: nobody types it twice.
  const open = !needsPassword || lobby.peers !== null || lobby.kept === 'open';
  const password = open ? null : { wrong: lobby.password?.wrong ?? false };
  const link = open ? ({ at: 'proving' } as const) : ({ at: 'linked', until: null } as const);
  // Who clicked "join again" still has to give the password; the click is not forgotten.
  return [{ ...lobby, password, link }, open ? [{ type: 'know', title }, prove] : [{ type: 'know', title }]];
}

function admitted(state: Alive, peers: readonly (string | null)[], now: number): Step {
  if (state.at === 'opening') return [state, []];
  if (state.at === 'live') return startJoin(state, now);
  const lobby = { ...state, peers, password: null, kept: null, link: { at: 'admitted' } as const };
  return lobby.joining ? startJoin(lobby, now) : [lobby, []];
}

function join(state: Alive, name: string, now: number): Step {
  if (state.at === 'live' || state.joining) return [state, []];
  const wanting = { ...state, name, joining: { step: 'connecting', since: now } as const };
  if (wanting.at === 'lobby' && wanting.link.at === 'admitted') return startJoin(wanting, now);
  return [wanting, [wake(now)]];
}

function startJoin(state: State & { at: 'lobby' | 'live' }, now: number): Step {
  const again = state.at === 'live' && !state.renewing;
  const replaces = state.at === 'live' && state.renewing ? state.live.self : null;
  const effect: Effect = { type: 'join', attempt: state.attempt, name: state.name, again, replaces };
  return [{ ...state, link: { at: 'joining' } }, [effect, wake(now)]];
}

function resumed(state: Alive, now: number): Step {
  if (state.at !== 'live') return [state, []];
  const since = state.link.at === 'resuming' ? state.link.since : now;
  const late: Effect[] = now - since >= SLOW_MS ? [{ type: 'notice', key: 'serverBack', tone: 'info' }] : [];
  return [{ ...state, link: { at: 'joined' } }, late];
}

function failed(state: Alive, what: 'open' | 'prove' | 'join' | 'resume', failure: Failure, now: number): Step {
  // The socket says so itself, and the next one begins anew.
  if (failure.from === 'network') return [state, []];
  if (isWrongPassword(failure) && state.at !== 'opening') {
    if (state.at === 'live') return end(state, 'oldLink', codeOf(failure));
    const pause = failure.from === 'server' ? failure.retryAfterMs : null;
    const until = pause === null ? null : now + pause;
    const wake: Effect[] = until === null ? [] : [{ type: 'wake', at: until }];
    const again = { link: { at: 'linked', until }, password: { wrong: true }, peers: null, kept: null } as const;
    return [{ ...state, ...again }, wake];
  }
  if (
    what === 'prove' &&
    failure.from === 'server' &&
    failure.code === 'tooMany' &&
    state.at === 'lobby' &&
    state.password
  ) {
    const until = now + (failure.retryAfterMs ?? LATER_MS);
    return [{ ...state, link: { at: 'linked', until } }, [{ type: 'wake', at: until }]];
  }
  // A server that forgot us: introduce ourselves again, over the same socket, with the leaf that we have.
  if (what === 'resume' && failure.from === 'server' && failure.code === 'resumeRefused') {
    return [{ ...state, link: { at: 'opening' } }, [{ type: 'open', attempt: state.attempt }]];
  }
  const reason = closedBy(failure);
  if (reason) return end(state, reason, codeOf(failure));
  const afterMs = (failure.from === 'server' ? failure.retryAfterMs : null) ?? LATER_MS;
  return [{ ...state, link: { at: 'down', since: now } }, [{ type: 'reconnect', afterMs }]];
}

function tick(state: Alive, now: number): Step {
  if (state.at === 'opening' && state.link.at === 'down') {
    if (now - state.since >= OFFLINE_MS) return end(state, 'offline', 'offline');
    // A network that swallows everything says nothing either.
    return [state, now - state.since >= SLOW_MS ? [{ type: 'openKept' }] : []];
  }
  if (state.at !== 'lobby' || state.link.at !== 'linked' || state.link.until === null || state.link.until > now)
    return [state, []];
  return [{ ...state, link: { at: 'linked', until: null } }, []];
}

function wake(now: number): Effect {
  return { type: 'wake', at: now + SLOW_MS };
}
