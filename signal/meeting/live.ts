/**
 * A meeting with somebody in it: the pure room, and what its effects touch: connections, outboxes, the store.
 *
 * Steps of the room and what they tell happen at once and in order. Writes to the store go through one queue, the ordering of
 * commits included, because a commit is checked, stored and told in three steps that nothing may come between.
 */
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { ServerEvent } from '../protocol/events.ts';
import type { Store } from '../store/store.ts';
import { type Budget, Outbox } from './outbox.ts';
import { dueAt, step } from './room.ts';
import type { Effect, Group, Input, Room } from './roomTypes.ts';

/** A connection as a meeting sees it. */
export interface Line {
  readonly isOpen: boolean;
  /** It speaks for this peer from now on. */
  seated(meeting: MeetingId, peer: PeerId): void;
  send(text: string): void;
  /** Ends it, by the close code of this error. */
  close(code: ErrorCode): void;
  /** Its peer has no place in the meeting any more; the connection stays. */
  dismissed(): void;
}

/** The place of one peer, kept while its connection is lost. */
export interface Seat {
  readonly token: string;
  readonly leafKey: string;
  readonly outbox: Outbox;
  line: Line | null;
}

export interface LiveTerms {
  readonly store: Store;
  readonly budget: Budget;
  readonly now: () => number;
  /** The relay's side of the meeting. */
  readonly media: { close(place: { meeting: MeetingId; peer: PeerId }): void; closeRoom(meeting: MeetingId): void };
  /** A write failed after members were told. */
  readonly onError: (error: unknown, meeting: MeetingId) => void;
}

export class Live {
  readonly #terms: LiveTerms;
  readonly #seats = new Map<PeerId, Seat>();
  #room: Room;
  #queue: Promise<unknown> = Promise.resolve();
  #queued = 0;
  /** When `tick` is due. */
  dueAt = Infinity;

  constructor(room: Room, terms: LiveTerms) {
    this.#room = room;
    this.#terms = terms;
  }

  get room(): Room {
    return this.#room;
  }

  get isIdle(): boolean {
    return this.#room.peers.size === 0 && this.#queued === 0;
  }

  seat(peer: PeerId): Seat | undefined {
    return this.#seats.get(peer);
  }

  get seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  /** Gives a peer that the room has taken its place; what somebody with the same leaf had before ends. */
  place(peer: PeerId, leafKey: string, token: string, line: Line): void {
    const before = this.#seats.get(peer);
    this.#seats.set(peer, { token, leafKey, outbox: new Outbox(this.#terms.budget), line });
    before?.outbox.close();
    before?.line?.close('replaced');
    line.seated(this.#room.meeting, peer);
  }

  /** @throws ProtocolError as the room refuses; nothing has happened then */
  apply(input: Input): void {
    const [room, effects] = step(this.#room, input, this.#terms.now());
    if (room !== this.#room) {
      this.#room = room;
      this.dueAt = dueAt(room);
    }
    for (const effect of effects) this.#run(effect);
  }

  /** Runs after everything that was queued before. What it throws is its caller's. */
  enqueue<T>(task: () => Promise<T>): Promise<T> {
    this.#queued++;
    const result = this.#queue.then(task);
    this.#queue = result
      .catch(() => undefined)
      .then(() => {
        this.#queued--;
      });
    return result;
  }

  /** Tells everybody who is here something that does not come from the room. */
  announce(event: () => ServerEvent): void {
    for (const { outbox, line } of this.#seats.values()) {
      line?.send(outbox.push(JSON.stringify(event()), this.#terms.now()));
    }
  }

  /** Tells some of them something that does not come from the room. */
  tell(to: readonly PeerId[], event: ServerEvent): void {
    this.#tell({ type: 'tell', to, event, transient: false });
  }

  /** Resolves once everything that is queued now is done. */
  settled(): Promise<void> {
    return this.enqueue(async () => undefined);
  }

  #run(effect: Effect): void {
    const { store } = this.#terms;
    const { meeting } = this.#room;
    switch (effect.type) {
      case 'tell':
        return this.#tell(effect);
      case 'dismiss':
        return this.#dismiss(effect);
      case 'saveGroup':
        return this.#write(() => store.groups.create(meeting, storedGroup(effect.group), this.#terms.now()));
      case 'closeRelay':
        return this.#terms.media.closeRoom(meeting);
      case 'dropGroup':
        return this.#write(() => store.groups.drop(meeting, effect.groupId));
      case 'reopen': {
        const { id, epoch, members } = storedGroup(effect.group);
        return this.#write(() => store.groups.reopen(meeting, id, epoch, members));
      }
    }
  }

  #tell({ to, event, transient }: Extract<Effect, { type: 'tell' }>): void {
    if (to.length === 0) return;
    const text = JSON.stringify(event);
    const now = this.#terms.now();
    for (const peer of to) {
      const seat = this.#seats.get(peer);
      if (!seat || (transient && !seat.line)) continue;
      const wire = seat.outbox.push(text, now, to.length);
      seat.line?.send(wire);
    }
  }

  #dismiss({ peer, code }: Extract<Effect, { type: 'dismiss' }>): void {
    const seat = this.#seats.get(peer);
    const line = seat?.line;
    this.#seats.delete(peer);
    seat?.outbox.close();
    line?.dismissed();
    this.#terms.media.close({ meeting: this.#room.meeting, peer });
    if (code !== null) line?.close(code);
  }

  #write(task: () => Promise<void>): void {
    this.enqueue(task).catch((error: unknown) => this.#terms.onError(error, this.#room.meeting));
  }
}

export function storedGroup({ id, epoch, members }: Pick<Group, 'id' | 'epoch' | 'members'>) {
  return { id, epoch, members: [...members].map(([peer, leaf]) => ({ peer, leaf })) };
}
