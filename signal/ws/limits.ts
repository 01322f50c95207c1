/**
 * How much one connection may ask, by class of request. A token bucket each, so that a burst (a join, a candidate storm) passes
 * and a stream does not. Whoever goes on regardless is disconnected.
 */
import type { RequestName } from '../protocol/requests.ts';

export interface Rate {
  /** What may come at once. */
  readonly burst: number;
  /** What may come in the long run. */
  readonly perSecond: number;
}

export class Bucket {
  readonly #rate: Rate;
  #level: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#level = rate.burst;
    this.#at = now;
  }

  /** Takes `cost` if there is that much. @returns 0, or how many milliseconds until there will be */
  take(cost: number, now: number): number {
    const { burst, perSecond } = this.#rate;
    const wait = this.wait(cost, now);
    this.#level = Math.min(burst, this.#level + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (wait === 0) this.#level -= cost;
    return wait;
  }

  /** How long until there is that much; 0: it is there. Takes nothing. */
  wait(cost: number, now: number): number {
    const { burst, perSecond } = this.#rate;
    const level = Math.min(burst, this.#level + ((now - this.#at) / 1000) * perSecond);
    return level < cost ? Math.ceil(((cost - level) / perSecond) * 1000) : 0;
  }

  /** Whether it is as good as new, and need not be remembered. */
  isFull(now: number): boolean {
    return this.#level + ((now - this.#at) / 1000) * this.#rate.perSecond >= this.#rate.burst;
  }
}

type RateClass =
  'prove' | 'talk' | 'keys' | 'host' | 'media' | 'ping' | 'chatRead' | 'chatWrite' | 'chatWhisper' | 'chatSnapshot';

export const classes: Record<RequestName, RateClass> = {
  hello: 'prove',
  resume: 'prove',
  'meeting.proveLink': 'prove',
  'meeting.proveAccess': 'prove',
  'meeting.join': 'prove',
  'group.create': 'keys',
  'group.requestAdd': 'keys',
  'group.commit': 'keys',
  'group.log': 'keys',
  'group.entered': 'keys',
  'group.commitInvalid': 'keys',
  'group.disown': 'keys',
  'message.send': 'talk',
  'meeting.leave': 'prove',
  ping: 'ping',
  'path.failed': 'media',
  'path.burdened': 'media',
  'relay.open': 'prove',
  'relay.connect': 'media',
  'relay.restartIce': 'media',
  'relay.produce': 'media',
  'relay.consume': 'media',
  'relay.set': 'media',
  'relay.forget': 'media',
  'relay.close': 'media',
  'host.state': 'host',
  'host.rotate': 'host',
  'host.command': 'host',
  'chat.open': 'chatRead',
  'chat.read': 'chatRead',
  'chat.part': 'chatRead',
  'chat.append': 'chatWrite',
  'chat.erase': 'chatWrite',
  'chat.whisper': 'chatWhisper',
  'chat.offer': 'chatSnapshot',
  'chat.offerPart': 'chatSnapshot',
  'chat.confirm': 'chatSnapshot',
  // One for each connection.
  'chat.ticket': 'prove',
  'chat.pass': 'prove',
  'chat.close': 'chatRead',
};

const rates: Record<RateClass, Rate> = {
  prove: { burst: 16, perSecond: 1 },
  // Offers, answers and candidates of a mesh that is built anew at once, then heartbeats.
  talk: { burst: 240, perSecond: 60 },
  keys: { burst: 40, perSecond: 8 },
  // Four tracks of each of a hundred members, asked for and resumed at once; then tiles that come and go.
  media: { burst: 1000, perSecond: 50 },
  host: { burst: 20, perSecond: 2 },
  ping: { burst: 20, perSecond: 2 },
  // A full chat is 128 pages or 256 parts; the first half comes at once.
  chatRead: { burst: 64, perSecond: 16 },
  // What was written offline, then a person who types.
  chatWrite: { burst: 60, perSecond: 5 },
  chatWhisper: { burst: 20, perSecond: 4 },
  // Parts of 256 KiB, 342 KiB as text: within BYTES, so that whoever keeps to these is never taken for flooding.
  chatSnapshot: { burst: 16, perSecond: 2 },
};

/** All that comes in, in bytes: a Welcome of the largest meeting at once, and more than any honest client in the long run. */
const BYTES: Rate = { burst: 8 * 1024 * 1024, perSecond: 1024 * 1024 };
/** What a request becomes by being sent to many, in characters. A Welcome for all of the largest meeting fills it. */
const SPREAD: Rate = { burst: 32 * 1024 * 1024, perSecond: 8 * 1024 * 1024 };
/** So many refusals for being too fast, faster than these fade, and the connection ends. */
const STRIKES: Rate = { burst: 100, perSecond: 2 };

/** The buckets of one connection; made when first used, because most connections are idle. */
export class Limits {
  #classes: Partial<Record<RateClass, Bucket>> | null = null;
  #bytes: Bucket | null = null;
  #spread: Bucket | null = null;
  #strikes: Bucket | null = null;

  /** @returns milliseconds to wait; 0: go on */
  request(name: RequestName, now: number): number {
    const kind = classes[name];
    this.#classes ??= {};
    return (this.#classes[kind] ??= new Bucket(rates[kind], now)).take(1, now);
  }

  bytes(count: number, now: number): number {
    return (this.#bytes ??= new Bucket(BYTES, now)).take(count, now);
  }

  spread(chars: number, now: number): number {
    return (this.#spread ??= new Bucket(SPREAD, now)).take(Math.min(chars, SPREAD.burst), now);
  }

  /** Lets go of the buckets once they are all full again, as they were at first. */
  forget(now: number): void {
    const used = [...Object.values(this.#classes ?? {}), this.#bytes, this.#spread, this.#strikes];
    if (used.some((bucket) => bucket?.isFull(now) === false)) return;
    this.#classes = this.#bytes = this.#spread = this.#strikes = null;
  }

  /** Counts a refusal. @returns whether that was one too many */
  isStruckOut(now: number): boolean {
    return (this.#strikes ??= new Bucket(STRIKES, now)).take(1, now) > 0;
  }
}
