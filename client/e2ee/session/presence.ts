/** Who is connected, by the server's word: good enough to decide whose turn it is to commit, and for nothing else. */
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';

export class Presence {
  readonly #away = new Set<PeerId>();

  event(event: ServerEvent): void {
    if (event.type === 'peer.joined') this.#away.delete(event.peer.peer);
    if (event.type === 'peer.left') this.#away.add(event.peer);
    if (event.type !== 'peer.presence') return;
    if (event.presence === 'here') this.#away.delete(event.peer);
    else this.#away.add(event.peer);
  }

  seen(peer: PeerId): void {
    this.#away.delete(peer);
  }

  /** Whoever the server says nothing about is taken to be here. */
  isHere(peer: PeerId): boolean {
    return !this.#away.has(peer);
  }
}
