/** Whether a meeting that may take no other way has lost the relay, or never found it. Pure. */
import type { LiveView } from '../meeting/view.ts';

/** Joining and short outages take less. */
const PATIENCE_MS = 6000;

/** @param now  milliseconds since 1970 */
export function waitsForRelay(view: Pick<LiveView, 'only' | 'connection' | 'since' | 'tiles'>, now: number): boolean {
  // Without the server there is no relay either, and that is said already.
  if (view.only !== 'relay' || view.connection === 'reconnecting') return false;
  const others = view.tiles.filter(({ self, state }) => !self && state.at !== 'joining');
  return others.length > 0 && others.every(({ state }) => now - unreachedSince(state, view.since) >= PATIENCE_MS);
}

function unreachedSince(state: LiveView['tiles'][number]['state'], joined: number): number {
  switch (state.at) {
    case 'connecting':
      return joined;
    case 'reconnecting':
      return state.since;
    case 'joining':
    case 'securing':
    case 'connected':
    case 'poor':
    case 'frozen':
    case 'unsafe':
      return Infinity;
  }
}
