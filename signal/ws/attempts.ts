/**
 * Who has guessed wrong how often, per address.
 *
 * Passwords can be guessed only by who has proven the link, so only those failures count towards a refusal, by address and
 * meeting: each doubles the wait, and after `MAX_FAILURES` there is a pause. Wrong links are counted only to slow the address
 * down: a right link is let through whatever others behind the same address do, so knowing an id locks nobody out.
 * All networks of an IPv6 site together have a limit, too: one subscriber may have 65,536 of them.
 */
import { SITE_FACTOR, siteOf } from '../address.ts';
import type { MeetingId } from '../protocol/ids.ts';
import { Bucket, type Rate } from './limits.ts';

/** 1, 2, 4 … s, then a pause: some 40 guesses an hour. */
const FIRST_WAIT_MS = 1000;
const MAX_FAILURES = 8;
const PAUSE_MS = 15 * 60_000;
/** A failure is forgotten after this long without another. */
const MEMORY_MS = 60 * 60_000;
/** More addresses than this at once are an attack by many; the oldest are forgotten. */
const MAX_ENTRIES = 50_000;
const LINK_FAILURES: Rate = { burst: 20, perSecond: 0.2 };
const SITE_LINK_FAILURES = times(LINK_FAILURES);
/** What one address comes to, times as many. */
const SITE_ACCESS_FAILURES = times({ burst: MAX_FAILURES, perSecond: 40 / 3600 });

function times({ burst, perSecond }: Rate): Rate {
  return { burst: SITE_FACTOR * burst, perSecond: SITE_FACTOR * perSecond };
}

interface Failures {
  readonly count: number;
  readonly at: number;
  /** Nothing is tried before. */
  readonly until: number;
}

export class Attempts {
  readonly #access = new Map<string, Failures>();
  readonly #siteAccess = new Map<string, Bucket>();
  readonly #links = new Map<string, Bucket>();

  /** How long this address has to wait before it may try a password again; 0: it may now. */
  accessWait(address: string, meeting: MeetingId, now: number): number {
    const own = Math.max(0, (this.#access.get(key(address, meeting))?.until ?? 0) - now);
    const site = siteOf(address);
    const all = site === null ? undefined : this.#siteAccess.get(key(site, meeting));
    return Math.max(own, all?.wait(1, now) ?? 0);
  }

  /** @returns how long to wait for the next try */
  accessFailed(address: string, meeting: MeetingId, now: number): number {
    const id = key(address, meeting);
    const before = this.#access.get(id);
    const count = before && before.at > now - MEMORY_MS ? (before.count % MAX_FAILURES) + 1 : 1;
    const wait = count === MAX_FAILURES ? PAUSE_MS : FIRST_WAIT_MS * 2 ** (count - 1);
    this.#access.delete(id);
    this.#access.set(id, { count, at: now, until: now + wait });
    shorten(this.#access);
    const site = siteOf(address);
    if (site !== null) take(this.#siteAccess, key(site, meeting), SITE_ACCESS_FAILURES, now);
    return wait;
  }

  accessProven(address: string, meeting: MeetingId): void {
    this.#access.delete(key(address, meeting));
  }

  /** @returns how long to wait, if that was one too many; else 0 */
  linkFailed(address: string, now: number): number {
    const own = take(this.#links, address, LINK_FAILURES, now);
    const site = siteOf(address);
    return Math.max(own, site === null ? 0 : take(this.#links, site, SITE_LINK_FAILURES, now));
  }

  /** Call it now and then. */
  forgetOld(now: number): void {
    for (const [id, { at }] of this.#access) if (at <= now - MEMORY_MS) this.#access.delete(id);
    for (const buckets of [this.#links, this.#siteAccess]) {
      for (const [id, bucket] of buckets) if (bucket.isFull(now)) buckets.delete(id);
    }
  }
}

function take(buckets: Map<string, Bucket>, id: string, rate: Rate, now: number): number {
  const bucket = buckets.get(id) ?? new Bucket(rate, now);
  buckets.delete(id);
  buckets.set(id, bucket);
  shorten(buckets);
  return bucket.take(1, now);
}

function key(address: string, meeting: MeetingId): string {
  return `${meeting} ${address}`;
}

/** Maps keep the order of insertion: the first is the oldest. */
function shorten(map: Map<string, unknown>): void {
  if (map.size <= MAX_ENTRIES) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
