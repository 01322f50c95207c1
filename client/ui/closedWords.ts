/** Why somebody is not in a meeting, in words. Part of the first load: everything that fails ends here. */
import type { ClosedReason } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';

/** Title and next step for everybody who is not in the meeting. `unknown`: an address that belongs to no meeting. */
export function closedWords(reason: ClosedReason | 'unknown'): { title: string; text: string } {
  switch (reason) {
    case 'left':
      return { title: m.closed_left_title(), text: m.closed_left_text() };
    case 'removed':
      return { title: m.closed_removed_title(), text: m.closed_removed_text() };
    case 'ended':
      return { title: m.closed_ended_title(), text: m.closed_ended_text() };
    case 'notFound':
      return { title: m.closed_notFound_title(), text: m.closed_notFound_text() };
    case 'oldLink':
      return { title: m.closed_oldLink_title(), text: m.closed_oldLink_text() };
    case 'locked':
      return { title: m.closed_locked_title(), text: m.closed_locked_text() };
    case 'full':
      return { title: m.closed_full_title(), text: m.closed_full_text() };
    case 'elsewhere':
      return { title: m.closed_elsewhere_title(), text: m.closed_elsewhere_text() };
    case 'serverLies':
      return { title: m.closed_serverLies_title(), text: m.closed_serverLies_text() };
    case 'needsLink':
      return { title: m.closed_needsLink_title(), text: m.closed_needsLink_text() };
    case 'unsupportedBrowser':
      return { title: m.closed_unsupportedBrowser_title(), text: m.closed_unsupportedBrowser_text() };
    case 'insecureOrigin':
      return { title: m.closed_insecureOrigin_title(), text: m.closed_insecureOrigin_text() };
    case 'noSealedFrames':
      return { title: m.closed_noSealedFrames_title(), text: m.closed_noSealedFrames_text() };
    case 'offline':
      return { title: m.closed_offline_title(), text: m.closed_offline_text() };
    case 'internal':
      return { title: m.closed_internal_title(), text: m.closed_internal_text() };
    case 'unknown':
      return { title: m.unknown_title(), text: m.unknown_text() };
  }
}
