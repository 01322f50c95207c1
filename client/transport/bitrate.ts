/**
 * How much each sender may use, by how many others the mesh has. Pure.
 *
 * A mesh encodes and uploads once per peer, so the share shrinks as peers come: the sums stay near 1.2 to 1.6 Mbit/s up for the
 * camera, which a bad hotel network and two cores can carry.
 */
import type { TrackKind } from '../e2ee/messages.ts';
import type { Codec } from './sealPort.ts';

export interface Budget {
  maxBitrate: number;
  /** Video only: the picture is scaled down to at most this many lines. */
  maxHeight?: number;
  maxFramerate?: number;
}

const CAMERA: readonly Budget[] = [
  { maxBitrate: 1_200_000, maxHeight: 720, maxFramerate: 30 },
  { maxBitrate: 800_000, maxHeight: 540, maxFramerate: 30 },
  { maxBitrate: 500_000, maxHeight: 360, maxFramerate: 30 },
];
const SCREEN: readonly Budget[] = [
  { maxBitrate: 2_500_000, maxFramerate: 15 },
  { maxBitrate: 1_800_000, maxFramerate: 15 },
  { maxBitrate: 1_200_000, maxFramerate: 10 },
];

/** @param others  peers that are sent to; 0 counts as 1 */
export function budgetOf(kind: TrackKind, others: number): Budget {
  if (kind === 'microphone') return { maxBitrate: 40_000 };
  if (kind === 'screenAudio') return { maxBitrate: 96_000 };
  const table = kind === 'camera' ? CAMERA : SCREEN;
  return table[Math.min(Math.max(others, 1), table.length) - 1]!;
}

/**
 * What a sender sends to the relay: the camera in three sizes, of which each receiver gets the one that its tile needs.
 * Smallest first: layer 0, 1, 2.
 */
export function encodingsOf(
  kind: TrackKind,
  codec: Codec,
): (RTCRtpEncodingParameters & { scalabilityMode?: string })[] {
  if (kind !== 'camera') {
    const { maxBitrate, maxFramerate } = budgetOf(kind, 1);
    return [{ maxBitrate, ...(maxFramerate === undefined ? {} : { maxFramerate }) }];
  }
  // One stream of three layers, each of which a receiver can be cut down to (W3C webrtc-svc §5).
  if (codec === 'vp9') return [{ scalabilityMode: 'L3T3_KEY', maxBitrate: 1_200_000 }];
  return [
    { rid: 'r0', scaleResolutionDownBy: 4, maxBitrate: 120_000 },
    { rid: 'r1', scaleResolutionDownBy: 2, maxBitrate: 400_000 },
    { rid: 'r2', scaleResolutionDownBy: 1, maxBitrate: 1_200_000 },
  ];
}

/** The smallest of a camera's three sizes that fills a tile so high: of 720 lines there are 180, 360 and all. */
export function layerOfHeight(height: number): 0 | 1 | 2 {
  if (height <= 200) return 0;
  return height <= 420 ? 1 : 2;
}

/** The largest of a camera's three sizes that a tile among so many others can show. */
export function layerFor(others: number): 0 | 1 | 2 {
  if (others <= 4) return 2;
  return others <= 12 ? 1 : 0;
}

/** @returns factor ≥ 1 for `scaleResolutionDownBy` */
export function scaleDown(height: number | undefined, maxHeight: number | undefined): number {
  if (!height || !maxHeight || height <= maxHeight) return 1;
  return height / maxHeight;
}
