/** Times and days of messages, in the language of the words around them. Pure: the moment is passed in. */
import { getLocale } from '../../paraglide/runtime.js';

/** Making one takes longer than a frame has for all of them. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(kind: string, locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${kind} ${locale}`;
  const made = formats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  formats.set(key, made);
  return made;
}

/** "10:42". */
export const timeOf = (at: number, locale: string = getLocale()): string =>
  format('time', locale, { timeStyle: 'short' }).format(at);

/** Day and time, in full. */
export const momentOf = (at: number, locale: string = getLocale()): string =>
  format('moment', locale, { dateStyle: 'full', timeStyle: 'short' }).format(at);

const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0);

/** "today", "yesterday", "Monday, March 3"; with the year where it is another. */
export function dayOf(at: number, now: number, locale: string = getLocale()): string {
  const days = Math.round((midnight(at) - midnight(now)) / 86_400_000);
  if (days === 0 || days === -1) return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return isThisYear
    ? format('day', locale, { weekday: 'long', day: 'numeric', month: 'long' }).format(at)
    : format('date', locale, { dateStyle: 'long' }).format(at);
}
