/**
 * A relay: rooms on workers, behind the control catalogue. The same object answers within signal's process and behind a socket.
 *
 * Rooms exist while somebody is in them: a meeting in a mesh costs nothing here.
 */
import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import { existsSync } from 'node:fs';
import { ProtocolError } from '../signal/protocol/errors.ts';
import type { MeetingId } from '../signal/protocol/ids.ts';
import type {
  RelayEvent,
  RelayParams,
  RelayPort,
  RelayRequestName,
  RelayResult,
} from '../signal/protocol/relayControl.ts';
import { Room } from './room.ts';
import type { WorkersTerms } from './workers.ts';
import { Workers } from './workers.ts';

/** People in a room that signal has forgotten see each other through it until they have come back to signal, and opened another. */
const RETIRED_MS = 30_000;

type Handlers = { [N in RelayRequestName]: (params: RelayParams<N>) => Promise<RelayResult<N>> };

export interface Relay extends RelayPort {
  /** Rooms and workers, for health and tests. */
  status(): { rooms: number; workers: number[] };
  readonly peers: number;
  /** Peers that it is meant for. */
  readonly capacity: number;
  /** Nobody is left who would close them. */
  closeRooms(): Promise<void>;
  /** Whoever asks from now on knows nothing of the rooms there are: they go on for a moment, and none of them is found any more. */
  retireRooms(): void;
}

/** Whether mediasoup's program is there; the set-up may still be building it. */
export function hasWorker(): boolean {
  return existsSync(mediasoup.workerBin);
}

export interface RelayTerms extends WorkersTerms {
  /** Peers that it is meant for; more are taken only where no other relay is. */
  readonly capacity: number;
  /** Where pipes to other relays end. */
  readonly pipes: types.TransportListenInfo;
}

/** @throws Error where no worker starts */
export async function startRelay(terms: RelayTerms): Promise<Relay> {
  return new WorkersRelay(await Workers.start(terms), terms);
}

class WorkersRelay implements Relay {
  readonly #workers: Workers;
  readonly #terms: RelayTerms;
  readonly #rooms = new Map<MeetingId, Promise<Room>>();
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  readonly #handlers: Handlers;

  constructor(workers: Workers, terms: RelayTerms) {
    this.#workers = workers;
    this.#terms = terms;
    const done = {};
    this.#handlers = {
      'peer.open': async ({ meeting, peer }) => {
        await this.#workers.soon();
        return (await this.#open(meeting)).openPeer(peer);
      },
      'peer.close': async ({ meeting, peer }) => {
        const room = await this.#rooms.get(meeting);
        room?.closePeer(peer);
        if (room?.isEmpty) this.#close(meeting, room);
        return done;
      },
      'room.close': async ({ meeting }) => {
        const room = await this.#rooms.get(meeting);
        if (room) this.#close(meeting, room);
        return done;
      },
      'transport.connect': async (params) => {
        await (await this.#room(params.meeting)).peer(params.peer).connect(params);
        return done;
      },
      'transport.restartIce': async ({ meeting, peer, direction }) =>
        (await this.#room(meeting)).peer(peer).restartIce(direction),
      produce: async (params) => (await this.#room(params.meeting)).produce(params),
      consume: async (params) => (await this.#room(params.meeting)).consume(params),
      'consumer.set': async (params) => {
        await (await this.#room(params.meeting)).set(params);
        return done;
      },
      'consumer.close': async ({ meeting, peer, consumer }) => {
        (await this.#room(meeting)).endConsumer(peer, consumer);
        return done;
      },
      'pipe.open': async ({ meeting, relay }) => (await this.#room(meeting)).openPipe(relay),
      'pipe.connect': async (params) => {
        await (await this.#room(params.meeting)).connectPipe(params);
        return done;
      },
      'pipe.send': async (params) => (await this.#room(params.meeting)).sendThrough(params),
      'pipe.receive': async (params) => {
        await (await this.#room(params.meeting)).receiveThrough(params);
        return done;
      },
      'pipe.end': async ({ meeting, producer }) => {
        (await this.#rooms.get(meeting))?.endPiped(producer);
        return done;
      },
    };
  }

  get isReady(): boolean {
    return this.#workers.isReady;
  }

  get load(): number {
    return this.peers / this.capacity;
  }

  get peers(): number {
    return this.#workers.peers;
  }

  get capacity(): number {
    return this.#terms.capacity;
  }

  request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    return this.#handlers[name](params);
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  status(): { rooms: number; workers: number[] } {
    return { rooms: this.#rooms.size, workers: this.#workers.pids };
  }

  async closeRooms(): Promise<void> {
    for (const [meeting, opening] of [...this.#rooms]) this.#close(meeting, await opening);
  }

  retireRooms(): void {
    const rooms = [...this.#rooms.values()];
    this.#rooms.clear();
    if (rooms.length === 0) return;
    const timer = setTimeout(() => {
      for (const opening of rooms) void opening.then((room) => room.close()).catch(() => undefined);
    }, RETIRED_MS);
    timer.unref();
  }

  async close(): Promise<void> {
    this.#rooms.clear();
    this.#workers.close();
  }

  #open(meeting: MeetingId): Promise<Room> {
    const known = this.#rooms.get(meeting);
    if (known) return known;
    const opening = Promise.resolve().then(() =>
      Room.open(meeting, {
        pick: (taken) => this.#workers.pick(taken),
        pipes: this.#terms.pipes,
        event: (event) => this.#emit(event),
        lost: () => this.#lost(meeting, opening),
      }),
    );
    this.#rooms.set(meeting, opening);
    opening.catch(() => this.#forget(meeting, opening));
    return opening;
  }

  async #room(meeting: MeetingId): Promise<Room> {
    const room = await this.#rooms.get(meeting);
    if (!room) throw new ProtocolError('peerUnknown', 'not at this relay');
    return room;
  }

  #close(meeting: MeetingId, room: Room): void {
    this.#rooms.delete(meeting);
    room.close();
  }

  #lost(meeting: MeetingId, opening: Promise<Room>): void {
    if (!this.#forget(meeting, opening)) return;
    // Of a room on several workers the others go, too: it opens anew as a whole.
    void opening.then((room) => room.close()).catch(() => undefined);
    this.#emit({ type: 'room.lost', meeting });
  }

  #forget(meeting: MeetingId, opening: Promise<Room>): boolean {
    return this.#rooms.get(meeting) === opening && this.#rooms.delete(meeting);
  }

  #emit(event: RelayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
