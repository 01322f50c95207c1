/** How a meeting's media go, where its host has fixed it, in words. Apart from the meeting's own: the lobby says it too. */
import type { Only } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';

export function wayWords(only: Only): string {
  switch (only) {
    case 'relay':
      return m.way_relay();
    case 'mesh':
      return m.way_mesh();
  }
}
