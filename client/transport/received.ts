/** What comes of a peer, for people who look at statistics: rate, size of the picture, codec. Reads W3C webrtc-stats; pure. */
import type { PathStats } from './transport.ts';

type Entry = { type: string; [name: string]: unknown };
interface Report {
  forEach(visit: (entry: Entry) => void): void;
}

export type Received = Pick<PathStats, 'bitrateKbps' | 'width' | 'height' | 'fps' | 'codec'>;

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Turns totals into rates: one for each connection or peer, one call per interval. */
export class ReceivedRate {
  #bytes: number | null = null;
  #at = 0;

  /** @param mine  whether a media section, by its `mid`, is of this peer · @param now  milliseconds */
  sample(report: Report, mine: (mid: string) => boolean, now: number): Received {
    let bytes = 0;
    let video: Entry | undefined;
    const codecs = new Map<unknown, Entry>();
    report.forEach((entry) => {
      if (entry.type === 'codec') codecs.set(entry['id'], entry);
      if (entry.type !== 'inbound-rtp' || !mine(String(entry['mid']))) return;
      bytes += numberOf(entry['bytesReceived']) ?? 0;
      // The larger picture, where a screen comes beside the camera.
      if (entry['kind'] === 'video' && pixels(entry) >= pixels(video)) video = entry;
    });
    const before = this.#bytes;
    const passedMs = now - this.#at;
    this.#bytes = bytes;
    this.#at = now;
    const mime = codecs.get(video?.['codecId'])?.['mimeType'];
    return {
      // A total that shrinks is one of other streams.
      bitrateKbps:
        before === null || bytes < before || passedMs <= 0 ? null : Math.round(((bytes - before) * 8) / passedMs),
      width: numberOf(video?.['frameWidth']),
      height: numberOf(video?.['frameHeight']),
      fps: numberOf(video?.['framesPerSecond']),
      codec: typeof mime === 'string' ? mime.replace(/^\w+\//, '') : null,
    };
  }
}

function pixels(entry: Entry | undefined): number {
  return (numberOf(entry?.['frameWidth']) ?? 0) * (numberOf(entry?.['frameHeight']) ?? 0);
}
