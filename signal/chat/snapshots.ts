/**
 * Snapshots on their way in: offered, sent in parts, complete once their hash holds, confirmed by another connection.
 *
 * Called in the meeting's turn. Whose an offer is lies in memory alone: a connection that is gone sends no more parts, and what it
 * had offered whole may then be confirmed by any.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ChatSnapshot } from '../protocol/chat.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId } from '../protocol/ids.ts';
import type { Params, Result } from '../protocol/requests.ts';
import type { ChatStore } from '../store/store.ts';
import type { AuthorQuota } from './authors.ts';
import { bytesOf, isCanonical, sizeOf } from './chain.ts';
import type { Listener, Listeners } from './listeners.ts';

export interface SnapshotsTerms {
  readonly chat: ChatStore;
  readonly listeners: Listeners;
  readonly authors: AuthorQuota;
  /** Most bytes of one. */
  readonly quota: number;
  readonly now: () => number;
}

interface Offer {
  readonly snapshot: ChatSnapshot;
  readonly by: Listener;
  /** Over the parts that are here. */
  readonly hash: Hash;
  /** How many these are. */
  parts: number;
  bytes: number;
}

export class Snapshots {
  readonly #terms: SnapshotsTerms;
  /** At most one per meeting that is not confirmed. */
  readonly #offers = new Map<MeetingId, Offer>();

  constructor(terms: SnapshotsTerms) {
    this.#terms = terms;
  }

  async offer(by: Listener, meeting: MeetingId, given: ChatSnapshot): Promise<void> {
    const { chat, now } = this.#terms;
    // Whoever offers does not confirm.
    const snapshot = { ...given, confirmed: false };
    if (!(await chat.offer(meeting, snapshot, now()))) {
      throw new ProtocolError('chatUnknown', 'covers nothing of this log, or has an id that is taken');
    }
    this.#offers.set(meeting, { snapshot, by, hash: createHash('sha256'), parts: 0, bytes: 0 });
  }

  async offerPart(by: Listener, meeting: MeetingId, { snapshot: id, part, body }: Params<'chat.offerPart'>) {
    const offer = this.#offers.get(meeting);
    const { chat, authors, listeners, quota, now } = this.#terms;
    if (offer?.by !== by || offer.snapshot.id !== id) throw new ProtocolError('chatUnknown');
    const { snapshot } = offer;
    if (part !== offer.parts || part >= snapshot.parts) throw new ProtocolError('badRequest', 'part: not the next');
    if (!isCanonical(body)) throw new ProtocolError('badRequest', 'body: not as base64url is written');
    const bytes = sizeOf(body);
    if (offer.bytes + bytes > quota) throw new ProtocolError('chatFull', 'larger than a chat may be');
    const retryAfterMs = authors.take('snapshots', meeting, by.address, bytes, now());
    if (retryAfterMs > 0) throw new ProtocolError('chatFull', 'too much from this address', { retryAfterMs });
    offer.hash.update(bytesOf(body));
    offer.parts++;
    offer.bytes += bytes;
    const isLast = offer.parts === snapshot.parts;
    if (isLast && offer.hash.digest('base64url') !== snapshot.hash) {
      await this.#drop(meeting);
      throw new ProtocolError('badRequest', 'the parts do not come to the hash');
    }
    if (!(await chat.addPart(meeting, { snapshot: id, part, body, bytes, isLast }))) {
      this.#offers.delete(meeting);
      throw new ProtocolError('chatUnknown', 'what it covers was deleted meanwhile');
    }
    if (isLast) listeners.tell(meeting, { type: 'snapshot', snapshot }, by);
  }

  async part(meeting: MeetingId, { snapshot, part }: Params<'chat.part'>): Promise<Result<'chat.part'>> {
    const body = await this.#terms.chat.part(meeting, snapshot, part);
    if (body === null) throw new ProtocolError('chatUnknown');
    return { body };
  }

  async confirm(by: Listener, meeting: MeetingId, id: string): Promise<void> {
    const { chat, listeners } = this.#terms;
    const { confirmed, offered } = await chat.snapshots(meeting);
    // Another was faster: it is as it should be.
    if (confirmed?.id === id) return;
    if (offered?.id !== id) throw new ProtocolError('chatUnknown');
    const offer = this.#offers.get(meeting);
    if (offer?.by === by && offer.snapshot.id === id) throw new ProtocolError('notAllowed', 'another confirms it');
    if (!(await chat.confirm(meeting, id))) throw new ProtocolError('chatUnknown');
    this.#offers.delete(meeting);
    listeners.tell(meeting, { type: 'snapshot', snapshot: { ...offered, confirmed: true } }, by);
  }

  /** This connection is gone. */
  forget(by: Listener, meeting: MeetingId): void {
    if (this.#offers.get(meeting)?.by === by) this.#offers.delete(meeting);
  }

  async #drop(meeting: MeetingId): Promise<void> {
    this.#offers.delete(meeting);
    await this.#terms.chat.dropOffer(meeting);
  }
}
