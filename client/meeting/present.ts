/** What the screens show of a state outside of the meeting itself, which presentLive.ts shows. Pure. */
import { SLOW_MS } from './machine.ts';
import type { State } from './state.ts';
import type { ClosedReason, LiveView, MeetingView, Only } from './view.ts';

/** After these a person may try again as they are. */
const REJOINABLE: ReadonlySet<ClosedReason> = new Set([
  'left',
  'locked',
  'full',
  'elsewhere',
  'offline',
  'internal',
  'noSealedFrames',
]);

export function present(
  state: Exclude<State, { at: 'live' }>,
  now: number,
  only: Only | null = null,
): Exclude<MeetingView, LiveView> {
  switch (state.at) {
    case 'opening':
      return { at: 'opening', slow: now - state.since >= SLOW_MS };
    case 'lobby': {
      const { title, meeting, joining } = state;
      const waiting = joining !== null && state.password === null;
      return {
        at: 'lobby',
        title,
        only,
        meeting,
        access: access(state),
        offline: state.link.at === 'down',
        kept: state.kept !== null,
        joining: waiting ? joiningView(joining, now) : null,
      };
    }
    case 'closed':
      return {
        at: 'closed',
        reason: state.reason,
        title: state.title,
        rejoin: REJOINABLE.has(state.reason),
        code: state.code,
        people: [...state.people],
      };
  }
}

function access(state: State & { at: 'lobby' }): Extract<MeetingView, { at: 'lobby' }>['access'] {
  const { password, link, peers, kept } = state;
  if (!password) return { at: 'open', peers: peers && [...peers] };
  const waitUntil = link.at === 'linked' ? link.until : null;
  const checking = link.at === 'proving' || link.at === 'opening' || kept === 'unlocking';
  return { at: 'password', wrong: password.wrong, checking, waitUntil };
}

function joiningView(joining: { step: 'connecting' | 'securing'; since: number }, now: number) {
  const slow = now - joining.since >= SLOW_MS;
  // Keys take a blink: who waits longer waits for people whose devices are away.
  const step = joining.step === 'securing' && slow ? ('waitingForOthers' as const) : joining.step;
  return { step, slow };
}
