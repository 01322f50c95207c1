/** What is measured of somebody's connection, as words. */
import type { TileView } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';
import { pathWords } from './words.ts';

type Measured = Pick<TileView, 'path' | 'quality'>;

const percent = (share: number): string => (share * 100).toLocaleString('en', { maximumFractionDigits: 1 });

/** In one line, for the list of people; empty before anything is measured. */
export function qualityWords({ path, quality }: Measured): string {
  return [
    path === null ? null : pathWords(path),
    typeof quality?.roundTripMs !== 'number' ? null : m.quality_round_trip({ ms: quality.roundTripMs }),
    // A packet now and then is nothing to speak of.
    (quality?.loss ?? 0) < 0.01 ? null : m.quality_loss({ percent: percent(quality?.loss ?? 0) }),
  ]
    .filter((part) => part !== null)
    .join(', ');
}

/** Every figure with its name; a dash where there is none. */
export function figuresOf({ path, quality }: Measured): [name: string, figure: string][] {
  const or = <T>(value: T | null | undefined, words: (value: T) => string): string =>
    value === null || value === undefined ? m.statistics_none() : words(value);
  const { width = null, height = null, fps = null } = quality ?? {};
  const picture = width !== null && height !== null ? { width, height, fps: Math.round(fps ?? 0) } : null;
  return [
    [m.statistics_path(), or(path, pathWords)],
    [m.statistics_round_trip(), or(quality?.roundTripMs, (ms) => m.statistics_ms({ ms }))],
    [m.statistics_loss(), or(quality?.loss, (loss) => m.statistics_percent({ percent: percent(loss) }))],
    [m.statistics_bitrate(), or(quality?.bitrateKbps, (kbps) => m.statistics_kbps({ kbps }))],
    [m.statistics_picture(), or(picture, (given) => m.statistics_size(given))],
    [m.statistics_codec(), or(quality?.codec, (codec) => codec)],
  ];
}
