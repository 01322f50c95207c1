/**
 * One meeting over the relays that it needs: who is where, which stream is at home where, and the pipes between.
 *
 * A pipe is made when the first stream has to go through it, and each stream goes through it once, on the first wish for it.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import type { Layer, StreamId, TrackKind } from '../protocol/model.ts';
import type { RelayEvent, RelayId, RelayParams, RelayRequestName, RelayResult } from '../protocol/relayControl.ts';
import type { PoolMember } from './member.ts';

interface Stream {
  readonly peer: PeerId;
  readonly kind: TrackKind;
  readonly home: PoolMember;
  /** Relays that have it through a pipe. */
  readonly piped: Map<RelayId, Promise<void>>;
  /** What is watched of it, by relay. */
  readonly wanted: Map<RelayId, Layer | null>;
}

type Handlers = { [N in RelayRequestName]: (params: RelayParams<N>) => Promise<RelayResult<N>> };

export interface SpreadTerms {
  /** The relay for the next peer. @throws ProtocolError relayUnavailable */
  readonly pick: () => PoolMember;
  readonly emit: (event: RelayEvent) => void;
  readonly onError: (error: unknown) => void;
}

export class Spread {
  readonly #meeting: MeetingId;
  readonly #terms: SpreadTerms;
  readonly #places = new Map<PeerId, PoolMember>();
  readonly #streams = new Map<StreamId, Stream>();
  /** By both ends. */
  readonly #pipes = new Map<string, Promise<void>>();

  readonly #handlers: Handlers;

  constructor(meeting: MeetingId, terms: SpreadTerms) {
    this.#meeting = meeting;
    this.#terms = terms;
    const forward =
      <N extends 'transport.connect' | 'transport.restartIce' | 'consumer.set' | 'consumer.close'>(name: N) =>
      async (params: RelayParams<N>) =>
        this.#place(params.peer).port.request(name, params);
    const ours = async (): Promise<never> => {
      throw new ProtocolError('outOfOrder', 'between relays alone');
    };
    this.#handlers = {
      'peer.open': (params) => this.#open(params),
      'peer.close': (params) => this.#close(params),
      'room.close': (params) => this.#closeRoom(params),
      'transport.connect': forward('transport.connect'),
      'transport.restartIce': forward('transport.restartIce'),
      produce: (params) => this.#produce(params),
      consume: async (params) => {
        const at = this.#place(params.peer);
        await this.#bring(params.producer, at);
        return at.port.request('consume', params);
      },
      'consumer.set': forward('consumer.set'),
      'consumer.close': forward('consumer.close'),
      'pipe.open': ours,
      'pipe.connect': ours,
      'pipe.send': ours,
      'pipe.receive': ours,
      'pipe.end': ours,
    };
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  isAt(relay: RelayId): boolean {
    return [...this.#places.values()].some(({ id }) => id === relay);
  }

  async request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    return this.#handlers[name](params);
  }

  happened(relay: RelayId, event: Exclude<RelayEvent, { type: 'room.lost' }>): void {
    const stream = this.#streams.get(event.producer);
    switch (event.type) {
      case 'producer.closed':
        if (stream?.home.id !== relay) return;
        this.#endStream(event.producer, stream);
        return this.#terms.emit(event);
      case 'producer.wanted':
        if (!stream) return;
        return this.#want(event.producer, stream, () => stream.wanted.set(relay, event.layer));
    }
  }

  /** One of its relays is lost: the others need not keep their part. */
  abandon(): void {
    const meeting = this.#meeting;
    for (const { port } of this.#relays()) if (port.isReady) this.#let(port.request('room.close', { meeting }));
    this.#places.clear();
  }

  #relays(): Set<PoolMember> {
    return new Set(this.#places.values());
  }

  #place(peer: PeerId): PoolMember {
    const at = this.#places.get(peer);
    if (!at) throw new ProtocolError('peerUnknown', 'not at a relay');
    return at;
  }

  /** Puts a peer at a relay; what it had anywhere before is closed. */
  async #open(params: RelayParams<'peer.open'>): Promise<RelayResult<'peer.open'>> {
    const { meeting, peer } = params;
    const at = this.#terms.pick();
    const before = this.#places.get(peer);
    this.#places.set(peer, at);
    this.#endStreams(peer);
    if (before && before !== at) this.#let(before.port.request('peer.close', { meeting, peer }));
    this.#forgetEmpty(before);
    try {
      return await at.port.request('peer.open', params);
    } catch (error) {
      if (this.#places.get(peer) === at) this.#places.delete(peer);
      throw error;
    }
  }

  async #close(params: RelayParams<'peer.close'>): Promise<RelayResult<'peer.close'>> {
    const at = this.#places.get(params.peer);
    if (!at) return {};
    this.#places.delete(params.peer);
    this.#endStreams(params.peer);
    const closed = await at.port.request('peer.close', params);
    this.#forgetEmpty(at);
    return closed;
  }

  async #closeRoom(params: RelayParams<'room.close'>): Promise<RelayResult<'room.close'>> {
    const relays = this.#relays();
    this.#places.clear();
    this.#streams.clear();
    this.#pipes.clear();
    await Promise.all([...relays].map(({ port }) => port.request('room.close', params)));
    return {};
  }

  async #produce(params: RelayParams<'produce'>): Promise<RelayResult<'produce'>> {
    const { peer, kind } = params;
    const home = this.#place(peer);
    const produced = await home.port.request('produce', params);
    // It has begun anew meanwhile, and what it had is closed.
    if (this.#places.get(peer) !== home) throw new ProtocolError('outOfOrder', 'not at that relay any more');
    // Until the relay says otherwise it is wanted whole, as it takes it to be, too.
    const wanted = new Map<RelayId, Layer | null>([[home.id, 2]]);
    this.#streams.set(produced.producer, { peer, kind, home, piped: new Map(), wanted });
    return produced;
  }

  async #bring(producer: StreamId, at: PoolMember): Promise<void> {
    const stream = this.#streams.get(producer);
    if (!stream) throw new ProtocolError('streamUnknown');
    if (stream.home === at) return;
    let coming = stream.piped.get(at.id);
    if (!coming) {
      coming = this.#pipe(producer, stream, at);
      stream.piped.set(at.id, coming);
      coming.catch(() => stream.piped.delete(at.id));
    }
    await coming;
  }

  async #pipe(producer: StreamId, stream: Stream, at: PoolMember): Promise<void> {
    const meeting = this.#meeting;
    const { home, peer, kind } = stream;
    const key = [home.id, at.id].sort().join(' ');
    let pipe = this.#pipes.get(key);
    if (!pipe) {
      pipe = this.#connect(home, at);
      this.#pipes.set(key, pipe);
      pipe.catch(() => this.#pipes.delete(key));
    }
    await pipe;
    // The other relay takes it to be watched whole, too, until it says less; at home perhaps nobody watches it at all.
    this.#want(producer, stream, () => stream.wanted.set(at.id, 2));
    const { rtpParameters } = await home.port.request('pipe.send', { meeting, relay: at.id, producer });
    await at.port.request('pipe.receive', { meeting, peer, relay: home.id, kind, producer, rtpParameters });
  }

  async #connect(one: PoolMember, other: PoolMember): Promise<void> {
    const meeting = this.#meeting;
    const [here, there] = await Promise.all([
      one.port.request('pipe.open', { meeting, relay: other.id }),
      other.port.request('pipe.open', { meeting, relay: one.id }),
    ]);
    await Promise.all([
      one.port.request('pipe.connect', { meeting, relay: other.id, end: there }),
      other.port.request('pipe.connect', { meeting, relay: one.id, end: here }),
    ]);
  }

  #endStreams(peer: PeerId): void {
    for (const [producer, stream] of this.#streams) if (stream.peer === peer) this.#endStream(producer, stream);
  }

  #endStream(producer: StreamId, { piped }: Stream): void {
    this.#streams.delete(producer);
    for (const { id, port } of this.#relays()) {
      if (piped.has(id)) this.#let(port.request('pipe.end', { meeting: this.#meeting, producer }));
    }
  }

  /** The relay has closed the room with its last peer, and every pipe of it. */
  #forgetEmpty(relay: PoolMember | undefined): void {
    if (!relay || this.isAt(relay.id)) return;
    for (const key of [...this.#pipes.keys()]) if (key.split(' ').includes(relay.id)) this.#pipes.delete(key);
    for (const [producer, stream] of this.#streams) {
      stream.piped.delete(relay.id);
      this.#want(producer, stream, () => stream.wanted.delete(relay.id));
    }
  }

  /** Tells what is watched of a stream, over all relays, if `change` changes that. */
  #want(producer: StreamId, { peer, wanted }: Stream, change: () => void): void {
    const before = largest(wanted);
    change();
    const layer = largest(wanted);
    if (layer === before) return;
    this.#terms.emit({ type: 'producer.wanted', meeting: this.#meeting, peer, producer, layer });
  }

  #let(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#terms.onError(error));
  }
}

function largest(wanted: ReadonlyMap<RelayId, Layer | null>): Layer | null {
  let most: Layer | null = null;
  for (const layer of wanted.values()) if ((layer ?? -1) > (most ?? -1)) most = layer;
  return most;
}
