/** What a join is waiting for, in words. */
import type { MeetingView } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';

type JoiningStep = NonNullable<Extract<MeetingView, { at: 'lobby' }>['joining']>['step'];

/** What a join is waiting for; in full where it takes long. */
export function joiningWords(step: JoiningStep, slow: boolean): string {
  switch (step) {
    case 'connecting':
      return slow ? m.lobby_joining_connecting_slow() : m.lobby_joining_connecting();
    case 'securing':
      return slow ? m.lobby_joining_securing_slow() : m.lobby_joining_securing();
    case 'waitingForOthers':
      return slow ? m.lobby_joining_waitingForOthers_slow() : m.lobby_joining_waitingForOthers();
  }
}
