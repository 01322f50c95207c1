/** Times and lists, written in the language of the words around them unless another is passed in. Pure: the moment is passed in. */
import { getLocale } from '../paraglide/runtime.js';

/** Seconds below a minute ("12 s"), else minutes and seconds as a clock shows them ("2:05"). */
export function elapsed(ms: number, locale: string = getLocale()): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) {
    return new Intl.NumberFormat(locale, { style: 'unit', unit: 'second', unitDisplay: 'narrow' }).format(seconds);
  }
  return clock(ms, locale);
}

/** Making one takes milliseconds, the first of a page many. */
const clocks = new Map<string, { plain: Intl.NumberFormat; two: Intl.NumberFormat }>();

/** A stopwatch: "0:07", "12:30", "1:02:03". */
export function clock(ms: number, locale: string = getLocale()): string {
  const total = Math.max(0, Math.floor(ms / 1_000));
  const { plain, two } = clocks.get(locale) ?? {
    plain: new Intl.NumberFormat(locale),
    two: new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 }),
  };
  clocks.set(locale, { plain, two });
  const [hours, minutes, seconds] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60];
  return hours > 0
    ? `${plain.format(hours)}:${two.format(minutes)}:${two.format(seconds)}`
    : `${plain.format(minutes)}:${two.format(seconds)}`;
}

const STEPS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** "in 12 seconds", "yesterday", "3 hours ago": the largest unit that fits. */
export function relative(then: number, now: number, locale: string = getLocale()): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const distance = then - now;
  const [unit, size] = STEPS.find(([, step]) => Math.abs(distance) >= step) ?? (['second', 1_000] as const);
  return format.format(Math.round(distance / size), unit);
}

/** "Ada, Ben and Cleo". */
export function listOf(items: readonly string[], locale: string = getLocale()): string {
  return new Intl.ListFormat(locale, { style: 'long', type: 'conjunction' }).format(items);
}
