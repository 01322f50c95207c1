/**
 * How much each address may add to a meeting's chat in an hour, so that nobody alone fills it for all.
 *
 * In memory: a server that starts anew has forgotten, and the chat's own quota holds on.
 */
import { SITE_FACTOR, siteOf } from '../address.ts';
import type { MeetingId } from '../protocol/ids.ts';
import { Bucket, type Rate } from '../ws/limits.ts';

/** Of the chat's quota: three others can still write when one has flooded it for an hour, and a host can see who came and clear it. */
const ITEMS_PART = 1 / 4;
/** Of the quota: snapshots replace each other, so that they cost writing, not room. */
const SNAPSHOTS_PART = 4;
/** More than these at once are an attack by many; the oldest are forgotten. */
const MAX_BUCKETS = 50_000;

export class AuthorQuota {
  readonly #rates: Record<'items' | 'snapshots', Rate>;
  readonly #buckets = new Map<string, Bucket>();

  /** @param quota  of a chat, in bytes */
  constructor(quota: number) {
    this.#rates = { items: hourly(quota * ITEMS_PART), snapshots: hourly(quota * SNAPSHOTS_PART) };
  }

  /** Takes so many bytes if there is that much. @returns 0, or how many milliseconds until there will be */
  take(kind: 'items' | 'snapshots', meeting: MeetingId, address: string, bytes: number, now: number): number {
    const site = siteOf(address);
    const rate = this.#rates[kind];
    const buckets = [this.#bucket(`${kind} ${meeting} ${address}`, rate, now)];
    if (site !== null) buckets.push(this.#bucket(`${kind} ${meeting} ${site}`, times(rate), now));
    const wait = Math.max(...buckets.map((bucket) => bucket.wait(bytes, now)));
    if (wait === 0) for (const bucket of buckets) bucket.take(bytes, now);
    return wait;
  }

  /** Call it now and then. */
  forgetOld(now: number): void {
    for (const [id, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(id);
  }

  #bucket(id: string, rate: Rate, now: number): Bucket {
    const bucket = this.#buckets.get(id) ?? new Bucket(rate, now);
    this.#buckets.delete(id);
    this.#buckets.set(id, bucket);
    // Maps keep the order of insertion: the first has been quiet for longest.
    for (const quiet of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_BUCKETS) break;
      this.#buckets.delete(quiet);
    }
    return bucket;
  }
}

function hourly(bytes: number): Rate {
  return { burst: bytes, perSecond: bytes / 3600 };
}

function times({ burst, perSecond }: Rate): Rate {
  return { burst: SITE_FACTOR * burst, perSecond: SITE_FACTOR * perSecond };
}
