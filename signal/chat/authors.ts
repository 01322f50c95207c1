/**
 * How much each address may add to a meeting's chat in an hour, so that nobody alone fills it for all.
 *
 * In memory: a server that starts anew has forgotten, and the chat's own quota holds on.
 */
import { SITE_FACTOR, siteOf } from '../address.ts';
import type { MeetingId } from '../protocol/ids.ts';
import { Bucket, type Rate } from '../ws/limits.ts';

/** Kinds of what is added, each with an hourly part of its own. */
type Kind = 'items' | 'snapshots' | 'files';

/** Of the chat's quota: three others can still write when one has flooded it for an hour, and a host can see who came and clear it. */
const ITEMS_PART = 1 / 4;
/** Of the quota: snapshots replace each other, so that they cost writing, not room. */
const SNAPSHOTS_PART = 4;
/** More than these at once are an attack by many; the oldest are forgotten. */
const MAX_BUCKETS = 50_000;

export class AuthorQuota {
  readonly #rates: ReadonlyMap<Kind, Rate>;
  readonly #buckets = new Map<string, Bucket>();

  /** @param hourly  how many bytes of each kind an address may add in an hour, and at once */
  constructor(hourly: Partial<Record<Kind, number>>) {
    this.#rates = new Map(
      Object.entries(hourly).map(([kind, bytes]) => [kind as Kind, { burst: bytes, perSecond: bytes / 3600 }]),
    );
  }

  /** @param quota  of a chat, in bytes */
  static ofChat(quota: number): AuthorQuota {
    return new AuthorQuota({ items: quota * ITEMS_PART, snapshots: quota * SNAPSHOTS_PART });
  }

  /** Takes so many bytes if there is that much. @returns 0, or how many milliseconds until there will be */
  take(kind: Kind, meeting: MeetingId, address: string, bytes: number, now: number): number {
    const site = siteOf(address);
    const rate = this.#rates.get(kind)!;
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

function times({ burst, perSecond }: Rate): Rate {
  return { burst: SITE_FACTOR * burst, perSecond: SITE_FACTOR * perSecond };
}
