/**
 * Who has guessed wrong how often, per address.
 *
 * Passwords can be guessed only by who has proven the link, so only those failures count towards a refusal, by address and
 * meeting: each doubles the wait, and after `MAX_FAILURES` there is a pause. Wrong links are counted only to slow the address
 * down: a right link is let through whatever others behind the same address do, so knowing an id locks nobody out.
 */
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

interface Failures {
  readonly count: number;
  readonly at: number;
  /** Nothing is tried before. */
  readonly until: number;
}

export class Attempts {
  readonly #access = new Map<string, Failures>();
  readonly #links = new Map<string, Bucket>();

  /** How long this address has to wait before it may try a password again; 0: it may now. */
  accessWait(address: string, meeting: MeetingId, now: number): number {
    return Math.max(0, (this.#access.get(key(address, meeting))?.until ?? 0) - now);
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
    return wait;
  }

  accessProven(address: string, meeting: MeetingId): void {
    this.#access.delete(key(address, meeting));
  }

  /** @returns how long to wait, if that was one too many; else 0 */
  linkFailed(address: string, now: number): number {
    const bucket = this.#links.get(address) ?? new Bucket(LINK_FAILURES, now);
    this.#links.delete(address);
    this.#links.set(address, bucket);
    shorten(this.#links);
    return bucket.take(1, now);
  }

  /** Call it now and then. */
  forgetOld(now: number): void {
    for (const [id, { at }] of this.#access) if (at <= now - MEMORY_MS) this.#access.delete(id);
    for (const [address, bucket] of this.#links) if (bucket.isFull(now)) this.#links.delete(address);
  }
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
