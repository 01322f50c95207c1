/**
 * Whether the way from the relay has become too narrow for the pictures that come: then only as many cameras are asked for as it carries
 * beside the voices, in the smallest layer. Pure.
 *
 * The relay lowers layers by an estimate of its own that needs many seconds to come down from what a wide line carried. Until
 * then all that is lost is asked for and sent again, which clogs the line for the voices, too. Who receives sees it first.
 */

/** Of one camera since it came. */
export interface CameraTotals {
  decodedFrames: number;
  /** Times that lost packets were asked for again (RFC 4585 §6.2.1). */
  nacks: number;
}

/** What has come by now. */
export interface WayTotals {
  /** Those that the relay was asked to send, by anything that stays the same: of others the browser asks for old packets in vain. */
  cameras: ReadonlyMap<string, CameraTotals>;
  bytes: number;
  sound: { bytes: number; packets: number; lost: number };
}

/** Of a line that is full, what can be planned with. */
const SHARE = 0.9;
/** What the smallest layer of a camera takes, as a rule. */
const SMALL_BPS = 80_000;
/** Voices that lose more than this are hard to follow: they are worth a picture less. */
const LOST = 0.1;
/** Fewer cameras need so long to show whether they are few enough: what was lost before is still being sent again. */
const TRIAL_MS = 4000;
/** Looks over which that is judged. */
const LOOKS = 4;
/** Longer than a lost packet takes to come again, with the pictures that waited for it. */
const FEW_MS = 450;
/** Asked again while few pictures come: fewer are the loss of a good line, or of a camera that is held still. */
const ASKED = 3;
/** Pictures a second below which it stands still, however few there were before. */
const STILL = 1.5;
/** Small pictures are kept so long, and twice as long each time that more was too much soon after. */
const SMALL_MS = 8000;
const MAX_SMALL_MS = 64_000;
const SOON_MS = 10_000;

interface Seen extends CameraTotals {
  at: number;
  /** Pictures a second while all is well: rises at once, and sinks over some seconds. */
  usual: number;
  /** Packets were asked for again since the last look. */
  isAsking: boolean;
  /** What was counted when pictures became few; null: they are not. */
  few: { at: number; nacks: number } | null;
}

export class NarrowWay {
  #cameras: ReadonlyMap<string, Seen> = new Map();
  /** What had come at the last looks, the newest last. */
  #looks: (Pick<WayTotals, 'bytes' | 'sound'> & { at: number })[] = [];
  #smallMs = SMALL_MS;
  /** Small pictures until then; 0: never yet. */
  #until = 0;
  /** How many cameras fit meanwhile, and since when it is tried. */
  #fit = 0;
  #triedAt = 0;

  /**
   * To be called about twice a second.
   * @returns how many cameras fit, each in the smallest layer; null: whatever one likes
   */
  sample({ cameras, bytes, sound }: WayTotals, now: number): number | null {
    const was = this.#cameras;
    const [before, last] = [this.#looks.at(-LOOKS) ?? this.#looks[0], this.#looks.at(-1)];
    this.#cameras = new Map([...cameras].map(([id, totals]) => [id, lookAt(was.get(id), totals, now)]));
    this.#looks = [...this.#looks.slice(1 - LOOKS), { at: now, bytes, sound }];
    const isNarrow = [...this.#cameras.values()].some(
      ({ few, nacks, isAsking }) => few && isAsking && now - few.at >= FEW_MS && nacks - few.nacks >= ASKED,
    );
    if (isNarrow && before && last) {
      const bps = ((bytes - last.bytes) * SHARE - (sound.bytes - last.sound.bytes)) * (8000 / (now - last.at));
      const lost = sound.lost - before.sound.lost;
      const isHardToFollow = lost > LOST * (lost + sound.packets - before.sound.packets);
      this.#shrink(Math.max(0, Math.floor(bps / SMALL_BPS)), isHardToFollow, now);
    }
    return now < this.#until ? this.#fit : null;
  }

  /** @param fit  cameras, by what comes through at this moment */
  #shrink(fit: number, isHardToFollow: boolean, now: number): void {
    if (now >= this.#until) {
      const isSoon = this.#until > 0 && now - this.#until < SOON_MS;
      this.#smallMs = isSoon ? Math.min(MAX_SMALL_MS, this.#smallMs * 2) : SMALL_MS;
      // One is tried in any case: the line may be full of what was lost.
      this.#fit = Math.max(1, fit);
      this.#triedAt = now;
    } else if (isHardToFollow && now - this.#triedAt >= TRIAL_MS && this.#fit > 0) {
      this.#fit = Math.min(this.#fit - 1, fit);
      this.#triedAt = now;
    }
    this.#until = now + this.#smallMs;
  }
}

function lookAt(last: Seen | undefined, totals: CameraTotals, at: number): Seen {
  const pictures = totals.decodedFrames - (last?.decodedFrames ?? 0);
  if (!last || at <= last.at || pictures < 0) return { ...totals, at, usual: 0, isAsking: false, few: null };
  const rate = (pictures * 1000) / (at - last.at);
  const isFew = rate < Math.max(STILL, last.usual / 2);
  return {
    ...totals,
    at,
    usual: Math.max(rate, last.usual + (rate - last.usual) / 8),
    isAsking: totals.nacks > last.nacks,
    few: isFew ? (last.few ?? { at: last.at, nacks: last.nacks }) : null,
  };
}

type Entry = {
  type: string;
  mid?: string;
  kind?: string;
  bytesReceived?: number;
  packetsReceived?: number;
  packetsLost?: number;
  framesDecoded?: number;
  nackCount?: number;
};

/** @param report  W3C webrtc-stats of the receiving connection; cameras by `mid` */
export function wayTotalsIn(report: RTCStatsReport, isCamera: (mid: string) => boolean): WayTotals {
  const cameras = new Map<string, CameraTotals>();
  const sound = { bytes: 0, packets: 0, lost: 0 };
  let bytes = 0;
  report.forEach((entry: Entry) => {
    if (entry.type === 'transport') bytes += entry.bytesReceived ?? 0;
    if (entry.type !== 'inbound-rtp' || entry.mid === undefined) return;
    if (entry.kind === 'audio') {
      sound.bytes += entry.bytesReceived ?? 0;
      sound.packets += entry.packetsReceived ?? 0;
      sound.lost += entry.packetsLost ?? 0;
    }
    if (isCamera(entry.mid))
      cameras.set(entry.mid, { decodedFrames: entry.framesDecoded ?? 0, nacks: entry.nackCount ?? 0 });
  });
  return { cameras, bytes, sound };
}
