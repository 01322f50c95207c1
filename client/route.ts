/** Where an address leads. The fragment holds the invite's secret and stays in the browser. */
import type { MeetingId } from '../signal/protocol/ids.ts';
import { readMeetingId, readSecret } from './net/links.ts';

export type Route =
  | { at: 'home' }
  /** `secret` is null where the link is only an id, or was cut off. */
  | { at: 'meeting'; meeting: MeetingId; secret: string | null }
  | { at: 'unknown' };

/** @param address path and fragment, as `location` gives them */
export function routeOf(address: { pathname: string; hash: string }): Route {
  const path = address.pathname.replace(/\/+$/, '');
  if (path === '' || path === '/index.html') return { at: 'home' };
  const id = /^\/m\/([^/]+)$/.exec(path)?.[1];
  const meeting = id === undefined ? null : readMeetingId(id);
  return meeting === null ? { at: 'unknown' } : { at: 'meeting', meeting, secret: readSecret(address.hash) };
}
