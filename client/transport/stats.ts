/**
 * Reads the browser's statistics (W3C webrtc-stats) into the few numbers that we use. Pure, but for the types.
 */
import type { PathStats } from './transport.ts';

/** Totals of one media section, by `mid`. */
export interface SectionTotals {
  sentPackets: number;
  encodedFrames: number | null;
  receivedPackets: number;
  lostPackets: number;
  assembledFrames: number | null;
  /** What holds the encoder down: `none`, `cpu`, `bandwidth`, `other`; null where nothing is encoded. */
  limitedBy: string | null;
  sentFps: number | null;
  /** Bits per second that the encoder is allowed. */
  targetBitrate: number | null;
}

export interface ReportTotals {
  sections: Map<string, SectionTotals>;
  /** Packets that have come, of media and about media: a browser that receives says so, also while it sends nothing itself. */
  arrived: number;
  path: PathStats['path'] | null;
  roundTripMs: number | null;
}

type Entry = Record<string, unknown> & { id: string; type: string };
type Report = { forEach(visit: (entry: Entry) => void): void };

const numberOr = <T>(value: unknown, otherwise: T): number | T => (typeof value === 'number' ? value : otherwise);

export function readReport(report: Report): ReportTotals {
  const sections = new Map<string, SectionTotals>();
  const byId = new Map<string, Entry>();
  report.forEach((entry) => {
    byId.set(entry.id, entry);
    if (entry.type !== 'outbound-rtp' && entry.type !== 'inbound-rtp') return;
    const mid = String(entry.mid);
    const totals = sections.get(mid) ?? {
      sentPackets: 0,
      encodedFrames: null,
      receivedPackets: 0,
      lostPackets: 0,
      assembledFrames: null,
      limitedBy: null,
      sentFps: null,
      targetBitrate: null,
    };
    if (entry.type === 'outbound-rtp') {
      totals.sentPackets += numberOr(entry.packetsSent, 0);
      // Simulcast has one entry for each size: the worker seals them all.
      if (entry.kind === 'video') totals.encodedFrames = (totals.encodedFrames ?? 0) + numberOr(entry.framesEncoded, 0);
      if (typeof entry.qualityLimitationReason === 'string') totals.limitedBy = entry.qualityLimitationReason;
      totals.sentFps = numberOr(entry.framesPerSecond, totals.sentFps);
      totals.targetBitrate = numberOr(entry.targetBitrate, totals.targetBitrate);
    } else {
      totals.receivedPackets += numberOr(entry.packetsReceived, 0);
      totals.lostPackets += Math.max(0, numberOr(entry.packetsLost, 0));
      if (entry.kind === 'video')
        totals.assembledFrames =
          (totals.assembledFrames ?? 0) + numberOr(entry.framesReceived, numberOr(entry.framesDecoded, 0));
    }
    sections.set(mid, totals);
  });
  const pair = selectedPair(byId);
  const seconds = numberOr(pair?.currentRoundTripTime, null);
  return {
    sections,
    arrived: arrivedIn(byId),
    path: pathOf(pair, byId),
    roundTripMs: seconds === null ? null : Math.round(seconds * 1000),
  };
}

/** By the transport; Firefox has no entry of it, and counts media alone. */
function arrivedIn(byId: Map<string, Entry>): number {
  const entries = [...byId.values()];
  const of = (type: string) => entries.filter((entry) => entry.type === type);
  const transports = of('transport').filter(({ packetsReceived }) => typeof packetsReceived === 'number');
  const counted = transports.length > 0 ? transports : of('inbound-rtp');
  return counted.reduce((sum, { packetsReceived }) => sum + numberOr(packetsReceived, 0), 0);
}

function selectedPair(byId: Map<string, Entry>): Entry | undefined {
  for (const entry of byId.values()) {
    if (entry.type === 'transport' && typeof entry.selectedCandidatePairId === 'string') {
      return byId.get(entry.selectedCandidatePairId);
    }
  }
  // Firefox has no transport entry; it marks the pair itself.
  for (const entry of byId.values()) if (entry.type === 'candidate-pair' && entry.selected === true) return entry;
  return undefined;
}

function pathOf(pair: Entry | undefined, byId: Map<string, Entry>): PathStats['path'] | null {
  if (!pair) return null;
  const ends = [byId.get(String(pair.localCandidateId)), byId.get(String(pair.remoteCandidateId))];
  return ends.some((end) => end?.candidateType === 'relay') ? 'turn' : 'direct';
}

/** Loss and round trip at which people hear it; twice in a row makes a connection poor, one good sample ends it. */
const POOR_LOSS = 0.05;
const POOR_ROUND_TRIP_MS = 500;

/** Turns totals into rates, one call per interval. */
export class Quality {
  #received = 0;
  #lost = 0;
  #bad = 0;

  sample(totals: ReportTotals): { loss: number | null; poor: boolean } {
    let received = 0;
    let lost = 0;
    for (const section of totals.sections.values()) {
      received += section.receivedPackets;
      lost += section.lostPackets;
    }
    const came = received - this.#received;
    const missed = Math.max(0, lost - this.#lost);
    this.#received = received;
    this.#lost = lost;
    const loss = came + missed > 0 ? missed / (came + missed) : null;
    const bad = (loss ?? 0) > POOR_LOSS || (totals.roundTripMs ?? 0) > POOR_ROUND_TRIP_MS;
    this.#bad = bad ? this.#bad + 1 : 0;
    return { loss, poor: this.#bad >= 2 };
  }
}
