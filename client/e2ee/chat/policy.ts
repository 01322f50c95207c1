/**
 * What newcomers see of the chat, as rules on keys. Pure.
 *
 * Each closed secret carries what was promised when it was begun: the hour, and for how many hours from then on whoever comes is given it
 * (`reach`; 0: never). So a policy holds from now on, and none makes an earlier promise wider.
 */
import type { Closed, RingSecret } from '../../../crypto/chatKey.ts';
import type { ChatTerms } from '../../../signal/protocol/documents.ts';

export type Newcomers = ChatTerms['newcomers'];

export const hourOf = (ms: number): number => Math.floor(ms / 3_600_000);

/** Of secrets that are begun under a policy; null: they are open. */
export function reachOf(newcomers: Newcomers): number | null {
  if (newcomers.see === 'all') return null;
  return newcomers.see === 'hours' ? newcomers.hours : 0;
}

/**
 * Whether a newcomer is given a secret. A clock that was wrong when it was begun makes it no younger: when we first held it counts, too.
 * @param heard  the hour in which we first held it
 */
export function isGiven(
  { closed, heard }: { closed: Closed | null; heard: number },
  now: { hour: number; newcomers: Newcomers },
): boolean {
  const reach = reachOf(now.newcomers);
  if (closed === null || reach === null || closed.reach === 0 || reach === 0) return false;
  return now.hour - Math.min(closed.begun, heard) <= Math.min(closed.reach, reach);
}

/**
 * Whether everybody who holds a secret, or may be given it one day, may have another that was begun after it. An open one is everybody's, and
 * what was promised to be seen for longer is given to people who must not see what was promised to be seen for less.
 */
export function mayLeadTo(older: RingSecret, newer: RingSecret): boolean {
  return older.closed !== null && newer.closed !== null && older.closed.reach <= newer.closed.reach;
}
