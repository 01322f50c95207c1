/**
 * From what a forwarded packet costs to how many meetings a core carries. Pure; docs/benchmarks.md says it in words.
 *
 * Bitrates and sizes are the product's (client/transport/bitrate.ts). Assumed: pictures 30 times a second, as much as the bitrate
 * allows, in as few packets as they fit; a sound every 20 ms of whoever talks, and every 400 ms of whoever is silent (Opus with DTX).
 */
import { encodingsOf, layerFor } from '../../client/transport/bitrate.ts';
import type { Report } from './measure.ts';

/** µs of one core. */
export interface Cost {
  /** Of taking a packet in. */
  perIn: number;
  /** Of each copy that is sent on. */
  perOut: number;
}

export interface Traffic {
  /** Packets a second. */
  in: number;
  out: number;
  /** Of what is sent on. */
  megabitsOut: number;
}

const FRAMES = 30;
/** What Chromium puts in a packet behind the headers. */
const PAYLOAD_BYTES = 1150;
const SEALED_BYTES = 20;
const TALKING = 50;
const SILENT = 2.5;
const SOUND_BITRATE = 40_000;
/** Tiles of a page (client/meeting/layout.ts). */
const MOST_SHOWN = 49;
/** Of a core: what is left takes bursts. */
export const SHARE = 0.7;

const LAYERS = encodingsOf('camera', 'vp8').map(({ maxBitrate = 0 }) => maxBitrate);

/** Of a camera's one layer. */
export function picturePackets(bitrate: number): number {
  return FRAMES * Math.ceil((bitrate / 8 / FRAMES + SEALED_BYTES) / PAYLOAD_BYTES);
}

/**
 * Least squares of: microseconds for a packet out = perOut + perIn / subscribers. Errors are about as large with many as with few.
 * @param measured µs per forwarded packet, what came in included, by number of subscribers
 */
export function costOf(measured: readonly { subscribers: number; us: number }[]): Cost {
  const points = measured.map(({ subscribers, us }) => ({ x: 1 / subscribers, y: us }));
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const perIn = mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
  const perOut = y - perIn * x;
  // Nothing is less than free: then all of it is in the copies.
  return perIn >= 0 && perOut > 0 ? { perIn, perOut } : { perIn: 0, perOut: y };
}

/** One meeting in which everybody has a camera, and sees as many others as a page holds. */
export function trafficOf(people: number, talking: number): Traffic {
  const others = people - 1;
  const shown = Math.min(others, MOST_SHOWN);
  const layer = layerFor(others);
  const sound = talking * TALKING + (people - talking) * SILENT;
  // Smaller layers than the one that is watched are sent, too.
  const sent = LAYERS.slice(0, layer + 1).reduce((sum, bitrate) => sum + picturePackets(bitrate), 0);
  return {
    in: sound + people * sent,
    out: sound * others + people * shown * picturePackets(LAYERS[layer]!),
    megabitsOut: (talking * others * SOUND_BITRATE + people * shown * LAYERS[layer]!) / 1e6,
  };
}

export function meetingsPerCore(cost: Cost, traffic: Traffic): number {
  return (SHARE * 1e6) / (traffic.in * cost.perIn + traffic.out * cost.perOut);
}

/** For docs/benchmarks.md. */
export function capacityTable(cost: Cost): NonNullable<Report['tables']>[0] {
  const count = (meetings: number): string => (meetings >= 10 ? meetings.toFixed(0) : meetings.toPrecision(2));
  return {
    title: `What one core carries, at ${SHARE * 100} % of it: a packet in costs ${cost.perIn.toFixed(1)} µs, each copy ${cost.perOut.toFixed(1)} µs`,
    head: [
      'people',
      'packets/s out, all talk',
      'Mbit/s out',
      'meetings a core',
      'packets/s out, two talk',
      'meetings a core',
    ],
    rows: [5, 10, 30, 100].map((people) => {
      const [all, two] = [trafficOf(people, people), trafficOf(people, 2)];
      return [
        String(people),
        Math.round(all.out).toLocaleString('en'),
        all.megabitsOut.toFixed(0),
        count(meetingsPerCore(cost, all)),
        Math.round(two.out).toLocaleString('en'),
        count(meetingsPerCore(cost, two)),
      ];
    }),
  };
}
