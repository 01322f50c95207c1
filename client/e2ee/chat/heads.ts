/**
 * Where members see the log end, by their heartbeats.
 *
 * Whispers say it, too, but the server can keep these back with the items that they speak of. A heartbeat goes over every path between two
 * members, and nobody keeps it back without being seen to be gone.
 */
import type { ChatHead } from '../../../signal/protocol/chat.ts';

/** Members are fewer. */
const MOST = 256;

export class Heads {
  /** Where we see it end; null before anything was read. */
  own: ChatHead | null = null;
  readonly #heard = new Map<string, ChatHead>();

  /** @param author  identity of the member who says so */
  heard(author: string, head: ChatHead): void {
    if (this.#heard.size < MOST || this.#heard.has(author)) this.#heard.set(author, head);
  }

  /** What was said since the last call, the newest of each. */
  take(): { author: string; head: ChatHead }[] {
    const heard = [...this.#heard].map(([author, head]) => ({ author, head }));
    this.#heard.clear();
    return heard;
  }
}
