/** What a new meeting is signed with, by what its maker chose. Pure. */
import type { ChatTerms, Settings } from '../../signal/protocol/documents.ts';
import type { Only } from './view.ts';

/** Up to four connect directly; more go through the relay, up to what a server of ours takes at most. */
const SETTINGS: Settings = { meshLimit: 4, capacity: 100 };
/** In a mesh alone: more pictures, one for each other, no phone can send. */
const LARGEST_MESH = 6;

export function settingsOf(only: Only | null, chat: ChatTerms | null): Settings {
  return { ...limitsOf(only), ...(chat && { chat }) };
}

function limitsOf(only: Only | null): Settings {
  switch (only) {
    case null:
      return SETTINGS;
    case 'relay':
      return { ...SETTINGS, only };
    case 'mesh':
      return { meshLimit: LARGEST_MESH, capacity: LARGEST_MESH, only };
  }
}
