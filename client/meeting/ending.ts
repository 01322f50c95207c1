/** How every state of the meeting machine becomes `closed`. Pure. */
import type { State, Step } from './state.ts';
import type { ClosedReason } from './view.ts';

export type Alive = Exclude<State, { at: 'closed' }>;

export function closed(state: Alive, reason: ClosedReason, code: string): State {
  const title = state.at === 'opening' ? null : state.title;
  const people = state.at === 'live' ? state.live.met : [];
  return { at: 'closed', meeting: state.meeting, name: state.name, reason, title, code, people };
}

/** Closed, and everything ends with it. `code` is what people may quote. */
export function end(state: Alive, reason: ClosedReason, code: string): Step {
  return [closed(state, reason, code), [{ type: 'end' }]];
}
