/**
 * Tickets: what a connection that has a chat open is let in with elsewhere, at `/ws/chat` for the direct way, and as a pass at `/api/blobs` for files.
 *
 * A ticket is random, known to this process alone, and names meeting and connection. It ends, and its sockets with it, the moment the
 * connection does not have the chat open any more. A connection has one at a time.
 */
import { randomBytes } from 'node:crypto';
import type { MeetingId } from '../protocol/ids.ts';
import { Bucket, type Rate } from '../ws/limits.ts';
import type { Listener } from './listeners.ts';

const TICKET_MS = 12 * 60 * 60_000;
/** Offers, answers and candidates for all of a mesh that is built anew at once, then next to nothing. */
const MESSAGES: Rate = { burst: 240, perSecond: 20 };
/** What they become by being sent to many, in characters. */
const SPREAD: Rate = { burst: 4 * 1024 * 1024, perSecond: 256 * 1024 };

/** A socket or request that was let in with a ticket. */
export interface Guest {
  /** At once, without waiting for the other side. */
  end(): void;
}

export class Ticket {
  readonly text = randomBytes(32).toString('base64url');
  readonly meeting: MeetingId;
  /** Milliseconds since 1970. From then on it lets nobody in; whoever is in stays. */
  readonly expiresAt: number;
  /** Oldest first. */
  readonly #guests = new Set<Guest>();
  readonly #messages: Bucket;
  readonly #spread: Bucket;
  readonly #mostGuests: number;

  constructor(meeting: MeetingId, now: number, mostGuests: number) {
    this.meeting = meeting;
    this.#mostGuests = mostGuests;
    this.expiresAt = now + TICKET_MS;
    this.#messages = new Bucket(MESSAGES, now);
    this.#spread = new Bucket(SPREAD, now);
  }

  /** One too many takes the place of the oldest. */
  admit(guest: Guest): void {
    const [oldest] = this.#guests;
    if (oldest && this.#guests.size >= this.#mostGuests) {
      this.#guests.delete(oldest);
      oldest.end();
    }
    this.#guests.add(guest);
  }

  left(guest: Guest): void {
    this.#guests.delete(guest);
  }

  /** Over all of its sockets. @returns whether one more message may pass */
  mayTalk(now: number): boolean {
    return this.#messages.take(1, now) === 0;
  }

  /** @param chars  to all who get it, together */
  maySpread(chars: number, now: number): boolean {
    return this.#spread.take(chars, now) === 0;
  }

  end(): void {
    for (const guest of this.#guests) guest.end();
    this.#guests.clear();
  }
}

export class Tickets {
  readonly #now: () => number;
  readonly #mostGuests: number;
  readonly #byText = new Map<string, Ticket>();
  readonly #byHolder = new Map<Listener, Ticket>();

  constructor(now: () => number, mostGuests: number) {
    this.#now = now;
    this.#mostGuests = mostGuests;
  }

  /** Takes the place of the one that the connection had, whose sockets end. */
  issue(holder: Listener, meeting: MeetingId): Ticket {
    this.end(holder);
    const ticket = new Ticket(meeting, this.#now(), this.#mostGuests);
    this.#byText.set(ticket.text, ticket);
    this.#byHolder.set(holder, ticket);
    return ticket;
  }

  /** @returns null for one that was never issued, is over or has expired */
  find(text: string): Ticket | null {
    const ticket = this.#byText.get(text);
    return ticket && ticket.expiresAt > this.#now() ? ticket : null;
  }

  /** Idempotent. */
  end(holder: Listener): void {
    const ticket = this.#byHolder.get(holder);
    if (ticket === undefined) return;
    this.#byHolder.delete(holder);
    this.#byText.delete(ticket.text);
    ticket.end();
  }
}
