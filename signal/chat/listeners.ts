/** Who has which chat open. A connection has one at most: that of the meeting it has proven. */
import type { ChatPush } from '../protocol/chat.ts';
import type { MeetingId } from '../protocol/ids.ts';

/** A connection as the chat sees it. */
export interface Listener {
  /** Whose chat it may use now; null: none, or none any more. */
  readonly meeting: MeetingId | null;
  /** Of the link that it has proven; null: it is a peer of the meeting, whatever the link is now. */
  readonly generation: number | null;
  /** Where it comes from: limits hold per address. */
  readonly address: string;
  send(text: string): void;
}

export class Listeners {
  readonly #all = new Map<MeetingId, Set<Listener>>();
  readonly #places = new Map<Listener, MeetingId>();
  readonly #gone: (listener: Listener) => void;

  /** @param gone  called for each that does not have its chat open any more, at once */
  constructor(gone: (listener: Listener) => void) {
    this.#gone = gone;
  }

  add(meeting: MeetingId, listener: Listener): void {
    if (this.has(meeting, listener)) return;
    this.delete(listener);
    this.#places.set(listener, meeting);
    const there = this.#all.get(meeting);
    if (there) there.add(listener);
    else this.#all.set(meeting, new Set([listener]));
  }

  /** Idempotent. @returns the meeting whose chat it had open */
  delete(listener: Listener): MeetingId | null {
    const meeting = this.#places.get(listener);
    if (meeting === undefined) return null;
    this.#places.delete(listener);
    const there = this.#all.get(meeting);
    there?.delete(listener);
    if (there?.size === 0) this.#all.delete(meeting);
    this.#gone(listener);
    return meeting;
  }

  has(meeting: MeetingId, listener: Listener): boolean {
    return this.#places.get(listener) === meeting;
  }

  /** How many others hear what this one says. */
  besides(listener: Listener): number {
    const meeting = this.#places.get(listener);
    return meeting === undefined ? 0 : this.#all.get(meeting)!.size - 1;
  }

  /** @param except  who has said it, and hears it in the answer */
  tell(meeting: MeetingId, push: ChatPush, except: Listener | null = null): void {
    const there = this.#all.get(meeting);
    if (!there || (there.size === 1 && except !== null && there.has(except))) return;
    const text = wireText(push);
    for (const listener of there) if (listener !== except) listener.send(text);
  }

  /** Ends it for those whose link was replaced. */
  shutOut(meeting: MeetingId, generation: number): void {
    const closed = wireText({ type: 'closed' });
    for (const listener of [...(this.#all.get(meeting) ?? [])]) {
      if (listener.generation === null || listener.generation >= generation) continue;
      this.delete(listener);
      listener.send(closed);
    }
  }
}

/** As it goes over the wire. */
export function wireText(push: ChatPush): string {
  return JSON.stringify({ chat: push });
}
