/** One meeting at the relay: a router on one worker, and its peers. */
import type { types } from 'mediasoup';
import { ProtocolError } from '../signal/protocol/errors.ts';
import type { MeetingId, PeerId } from '../signal/protocol/ids.ts';
import type { StreamId } from '../signal/protocol/model.ts';
import type { RelayEvent, RelayParams, RelayResult } from '../signal/protocol/relayControl.ts';
import type { RtpCapabilities } from '../signal/protocol/rtp.ts';
import { capabilitiesOf, routerCodecs } from './codecs.ts';
import { Peer } from './peer.ts';
import type { Slot } from './workers.ts';

/** What a transport may send at first, bits per second; congestion control takes over within a second. */
const FIRST_BITRATE = 1_000_000;
/** Most peers: as many as a meeting has members, and some that are just being replaced. */
const MAX_PEERS = 128;

export class Room {
  readonly meeting: MeetingId;
  readonly #slot: Slot;
  readonly #router: types.Router;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #producers = new Map<StreamId, types.Producer>();
  readonly #emit: (event: RelayEvent) => void;

  private constructor(meeting: MeetingId, slot: Slot, router: types.Router, emit: (event: RelayEvent) => void) {
    this.meeting = meeting;
    this.#slot = slot;
    this.#router = router;
    this.#emit = emit;
  }

  /** @param lost the room has ended by itself */
  static async open(
    meeting: MeetingId,
    slot: Slot,
    on: { event: (event: RelayEvent) => void; lost: () => void },
  ): Promise<Room> {
    slot.rooms++;
    try {
      const router = await slot.worker.createRouter({ mediaCodecs: routerCodecs });
      router.on('workerclose', on.lost);
      return new Room(meeting, slot, router, on.event);
    } catch (error) {
      slot.rooms--;
      throw error;
    }
  }

  get isEmpty(): boolean {
    return this.#peers.size === 0;
  }

  async openPeer(id: PeerId): Promise<RelayResult<'peer.open'>> {
    this.closePeer(id);
    if (this.#peers.size >= MAX_PEERS) throw new ProtocolError('relayFull');
    const [send, receive] = await Promise.all([this.#transport(), this.#transport()]);
    // Asked for twice at once: the later one stays.
    this.closePeer(id);
    const peer = new Peer(id, { send, receive }, (producer) => {
      this.#producers.delete(producer);
      this.#emit({ type: 'producer.closed', meeting: this.meeting, peer: id, producer });
    });
    this.#peers.set(id, peer);
    return { capabilities: capabilitiesOf(this.#router), send: peer.offer('send'), receive: peer.offer('receive') };
  }

  closePeer(id: PeerId): void {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
  }

  /** @throws ProtocolError peerUnknown */
  peer(id: PeerId): Peer {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new ProtocolError('peerUnknown', 'not at this relay');
    return peer;
  }

  async produce(params: RelayParams<'produce'>): Promise<RelayResult<'produce'>> {
    const producer = await this.peer(params.peer).produce(params);
    this.#producers.set(producer.id as StreamId, producer);
    return { producer: producer.id as StreamId };
  }

  async consume(peer: PeerId, producer: StreamId, capabilities: RtpCapabilities): Promise<RelayResult<'consume'>> {
    // Of this meeting alone, whatever other meetings the worker has.
    if (!this.#producers.has(producer)) throw new ProtocolError('streamUnknown');
    return this.peer(peer).consume(producer, capabilities);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#router.closed) this.#router.close();
    this.#peers.clear();
    this.#slot.rooms--;
  }

  #transport(): Promise<types.WebRtcTransport> {
    return this.#router.createWebRtcTransport({
      webRtcServer: this.#slot.server,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      initialAvailableOutgoingBitrate: FIRST_BITRATE,
    });
  }
}
