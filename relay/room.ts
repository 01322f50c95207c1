/**
 * One meeting at this relay: routers on one or more workers, the peers on each, and pipes to other relays.
 *
 * Every router is a hall. A peer is in one hall; a stream that somebody in another hall wants is piped there once. Streams from
 * other relays come and go through the first hall. All of it lives and dies together: a hall that is lost is the room lost.
 */
import type { types } from 'mediasoup';
import { ProtocolError } from '../signal/protocol/errors.ts';
import type { MeetingId, PeerId } from '../signal/protocol/ids.ts';
import type { StreamId } from '../signal/protocol/model.ts';
import type { PipeEnd, RelayEvent, RelayId, RelayParams, RelayResult } from '../signal/protocol/relayControl.ts';
import { capabilitiesOf, routerCodecs } from './codecs.ts';
import { Demand } from './demand.ts';
import { Peer } from './peer.ts';
import { Pipe } from './pipe.ts';
import type { Slot } from './workers.ts';

/** What a transport may send at first, bits per second; congestion control takes over within a second. */
const FIRST_BITRATE = 1_000_000;
/** Most peers of a meeting, over all relays: as many as it has members, and some that are just being replaced. */
const MAX_PEERS = 128;
/** A worker carries about 500 consumers (mediasoup's own figure); with so many peers in a hall it has as many. */
const PEERS_PER_HALL = 20;

interface Hall {
  readonly slot: Slot;
  readonly router: types.Router;
  peers: number;
}

/** A stream of this meeting: where it is at home here, and the halls that have it by now. */
interface Stream {
  readonly home: Hall;
  readonly producer: types.Producer;
  readonly copies: Map<Hall, Promise<unknown>>;
}

export interface RoomTerms {
  /** The worker for one more hall: another one than those in `taken`, where there is any. */
  readonly pick: (taken: readonly Slot[]) => Slot;
  readonly pipes: types.TransportListenInfo;
  readonly event: (event: RelayEvent) => void;
  /** The room has ended by itself. */
  readonly lost: () => void;
}

export class Room {
  readonly meeting: MeetingId;
  readonly #terms: RoomTerms;
  readonly #halls: Hall[] = [];
  #adding: Promise<Hall> | null = null;
  readonly #peers = new Map<PeerId, { peer: Peer; hall: Hall }>();
  readonly #streams = new Map<StreamId, Stream>();
  readonly #pipes = new Map<RelayId, Pipe>();
  readonly #demand: Demand;
  #closed = false;

  private constructor(meeting: MeetingId, terms: RoomTerms) {
    this.meeting = meeting;
    this.#terms = terms;
    this.#demand = new Demand((producer, peer, layer) =>
      terms.event({ type: 'producer.wanted', meeting, peer, producer, layer }),
    );
  }

  /** @throws ProtocolError relayUnavailable */
  static async open(meeting: MeetingId, terms: RoomTerms): Promise<Room> {
    const room = new Room(meeting, terms);
    await room.#addHall();
    return room;
  }

  get isEmpty(): boolean {
    return this.#peers.size === 0;
  }

  async openPeer(id: PeerId): Promise<RelayResult<'peer.open'>> {
    this.closePeer(id);
    if (this.#peers.size >= MAX_PEERS) throw new ProtocolError('relayFull');
    const hall = await this.#placeForOne();
    try {
      const [send, receive] = await Promise.all([this.#transport(hall), this.#transport(hall)]);
      // Asked for twice at once: the later one stays.
      this.closePeer(id);
      const peer = new Peer(id, { send, receive }, (producer) => this.#ended(producer, id));
      this.#peers.set(id, { peer, hall });
      return { capabilities: capabilitiesOf(hall.router), send: peer.offer('send'), receive: peer.offer('receive') };
    } catch (error) {
      this.#count(hall, -1);
      throw error;
    }
  }

  closePeer(id: PeerId): void {
    const known = this.#peers.get(id);
    if (!known) return;
    this.#peers.delete(id);
    this.#count(known.hall, -1);
    known.peer.close();
    this.#demand.look();
  }

  /** @throws ProtocolError peerUnknown */
  peer(id: PeerId): Peer {
    return this.#place(id).peer;
  }

  async produce(params: RelayParams<'produce'>): Promise<RelayResult<'produce'>> {
    const { peer, hall } = this.#place(params.peer);
    const producer = await peer.produce(params);
    this.#streams.set(producer.id as StreamId, { home: hall, producer, copies: new Map() });
    this.#demand.begin(producer.id as StreamId, params.peer);
    return { producer: producer.id as StreamId };
  }

  async consume({ peer: id, producer, capabilities }: RelayParams<'consume'>): Promise<RelayResult<'consume'>> {
    const { peer, hall } = this.#place(id);
    await this.#bring(producer, hall);
    const consumed = await peer.consume(producer, capabilities);
    this.#demand.consumed(producer, consumed.consumer, () => peer.wants(consumed.consumer));
    return consumed;
  }

  async set(params: RelayParams<'consumer.set'>): Promise<void> {
    await this.peer(params.peer).set(params);
    this.#demand.look();
  }

  endConsumer(peer: PeerId, consumer: StreamId): void {
    this.#peers.get(peer)?.peer.endConsumer(consumer);
    this.#demand.look();
  }

  /** This end of a pipe to another relay. What there was is closed: the other side begins anew, too. */
  async openPipe(relay: RelayId): Promise<PipeEnd> {
    this.#pipes.get(relay)?.close();
    const pipe = await Pipe.open(this.#halls[0]!.router, this.#terms.pipes);
    this.#pipes.get(relay)?.close();
    this.#pipes.set(relay, pipe);
    return pipe.end;
  }

  async connectPipe({ relay, end }: RelayParams<'pipe.connect'>): Promise<void> {
    await this.#pipe(relay).connect(end);
  }

  async sendThrough({ relay, producer }: RelayParams<'pipe.send'>): Promise<RelayResult<'pipe.send'>> {
    const pipe = this.#pipe(relay);
    await this.#bring(producer, this.#halls[0]!);
    return { rtpParameters: await pipe.send(producer, this.#streams.get(producer)!.producer) };
  }

  async receiveThrough(params: RelayParams<'pipe.receive'>): Promise<void> {
    const { relay, producer: id, peer } = params;
    if (this.#streams.has(id)) return;
    const producer = await this.#pipe(relay).receive(params);
    this.#streams.set(id, { home: this.#halls[0]!, producer, copies: new Map() });
    this.#demand.begin(id, peer);
    producer.observer.once('close', () => this.#forget(id));
  }

  /** A stream of another relay has ended there. */
  endPiped(producer: StreamId): void {
    this.#streams.get(producer)?.producer.close();
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#demand.close();
    for (const id of [...this.#peers.keys()]) this.closePeer(id);
    for (const { router, slot } of this.#halls) {
      slot.rooms--;
      if (!router.closed) router.close();
    }
  }

  #place(id: PeerId): { peer: Peer; hall: Hall } {
    const known = this.#peers.get(id);
    if (known === undefined) throw new ProtocolError('peerUnknown', 'not at this relay');
    return known;
  }

  #pipe(relay: RelayId): Pipe {
    const pipe = this.#pipes.get(relay);
    if (pipe === undefined) throw new ProtocolError('outOfOrder', 'no pipe to that relay');
    return pipe;
  }

  async #addHall(): Promise<Hall> {
    const slot = this.#terms.pick(this.#halls.map((hall) => hall.slot));
    slot.rooms++;
    try {
      const router = await slot.worker.createRouter({ mediaCodecs: routerCodecs });
      router.on('workerclose', () => this.#terms.lost());
      const hall = { slot, router, peers: 0 };
      this.#halls.push(hall);
      return hall;
    } catch (error) {
      slot.rooms--;
      throw error;
    }
  }

  /** A place in the emptiest hall, taken before the transports are there: many may come at once. */
  async #placeForOne(): Promise<Hall> {
    for (;;) {
      const emptiest = this.#halls.reduce((least, hall) => (hall.peers < least.peers ? hall : least));
      const slot = this.#terms.pick(this.#halls.map((hall) => hall.slot));
      // On a worker that this meeting is at already, one more hall is only one more pipe.
      if (emptiest.peers < PEERS_PER_HALL || this.#halls.some((hall) => hall.slot === slot)) {
        this.#count(emptiest, 1);
        return emptiest;
      }
      // One for all who found the others full: two halls on one worker could not both have a stream of a third.
      this.#adding ??= this.#addHall().finally(() => (this.#adding = null));
      await this.#adding;
    }
  }

  #count(hall: Hall, by: 1 | -1): void {
    hall.peers += by;
    hall.slot.peers += by;
  }

  /** @throws ProtocolError streamUnknown of this meeting alone, whatever other meetings the workers have */
  async #bring(id: StreamId, hall: Hall): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) throw new ProtocolError('streamUnknown');
    if (stream.home === hall) return;
    const coming = stream.copies.get(hall) ?? stream.home.router.pipeToRouter({ producerId: id, router: hall.router });
    stream.copies.set(hall, coming);
    try {
      await coming;
    } catch (error) {
      stream.copies.delete(hall);
      if (stream.producer.closed) throw new ProtocolError('streamUnknown');
      throw error;
    }
  }

  #ended(producer: StreamId, peer: PeerId): void {
    this.#forget(producer);
    this.#terms.event({ type: 'producer.closed', meeting: this.meeting, peer, producer });
  }

  #forget(producer: StreamId): void {
    this.#streams.delete(producer);
    this.#demand.end(producer);
  }

  #transport({ router, slot }: Hall): Promise<types.WebRtcTransport> {
    return router.createWebRtcTransport({
      webRtcServer: slot.server,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      initialAvailableOutgoingBitrate: FIRST_BITRATE,
    });
  }
}
