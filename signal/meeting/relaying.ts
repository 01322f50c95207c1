/**
 * Meetings and the relay: who has a way to it, which tracks are sent there, and who is told.
 *
 * Signal never looks at media; it passes transport parameters on, and remembers streams only to tell newcomers of them.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { ServerEvent } from '../protocol/events.ts';
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import type { RelayStream, StreamId } from '../protocol/model.ts';
import type { RelayEvent, RelayParams, RelayPort, RelayRequestName, RelayResult } from '../protocol/relayControl.ts';
import type { Params, Result } from '../protocol/requests.ts';
import type { Input, Room } from './roomTypes.ts';

/** What this needs of the meetings that are live. */
export interface Meetings {
  find(meeting: MeetingId): { readonly room: Room; tell(to: readonly PeerId[], event: ServerEvent): void } | undefined;
  apply(meeting: MeetingId, input: Input): void;
}

type Place = { meeting: MeetingId; peer: PeerId };

export class Relaying {
  readonly #relay: RelayPort | null;
  readonly #meetings: Meetings;
  readonly #onError: (error: unknown, meeting: MeetingId) => void;
  /** Of the meetings that have a room at the relay. */
  readonly #streams = new Map<MeetingId, Map<StreamId, RelayStream>>();

  constructor(relay: RelayPort | null, meetings: Meetings, onError: (error: unknown, meeting: MeetingId) => void) {
    this.#relay = relay;
    this.#meetings = meetings;
    this.#onError = onError;
    relay?.onEvent((event) => this.#happened(event));
  }

  get isReady(): boolean {
    return this.#relay?.isReady ?? false;
  }

  /** @throws ProtocolError outOfOrder · relayUnavailable · relayFull */
  async open({ meeting, peer }: Place): Promise<Result<'relay.open'>> {
    const room = this.#meetings.find(meeting)?.room;
    if (room?.topology.at !== 'relay') throw new ProtocolError('outOfOrder', 'the meeting is in a mesh');
    this.#ended({ meeting, peer });
    if (!this.#streams.has(meeting)) this.#streams.set(meeting, new Map());
    const opened = await this.#ask('peer.open', { meeting, peer });
    // It may have left while the relay made its transports.
    if (!this.#meetings.find(meeting)?.room.peers.has(peer)) {
      this.close({ meeting, peer });
      throw new ProtocolError('outOfOrder');
    }
    const streams = [...(this.#streams.get(meeting)?.values() ?? [])].filter((stream) => stream.peer !== peer);
    return { ...opened, streams };
  }

  connect(place: Place, params: Params<'relay.connect'>): Promise<Result<'relay.connect'>> {
    return this.#ask('transport.connect', { ...place, ...params });
  }

  restartIce(place: Place, params: Params<'relay.restartIce'>): Promise<Result<'relay.restartIce'>> {
    return this.#ask('transport.restartIce', { ...place, ...params });
  }

  async produce(place: Place, params: Params<'relay.produce'>): Promise<Result<'relay.produce'>> {
    const { producer } = await this.#ask('produce', { ...place, ...params });
    const { meeting, peer } = place;
    const stream = { peer, kind: params.kind, producer };
    this.#streams.get(meeting)?.set(producer, stream);
    this.#tellOthers(place, { type: 'relay.produced', stream });
    return { producer };
  }

  consume(place: Place, params: Params<'relay.consume'>): Promise<Result<'relay.consume'>> {
    return this.#ask('consume', { ...place, ...params });
  }

  set(place: Place, params: Params<'relay.set'>): Promise<Result<'relay.set'>> {
    return this.#ask('consumer.set', { ...place, ...params });
  }

  forget(place: Place, params: Params<'relay.forget'>): Promise<Result<'relay.forget'>> {
    return this.#ask('consumer.close', { ...place, ...params });
  }

  /** The peer has left, or is back in the mesh. */
  close(place: Place): void {
    // Meetings in a mesh never come here.
    if (!this.#streams.has(place.meeting)) return;
    this.#ended(place);
    this.#let(place.meeting, this.#relay?.request('peer.close', place));
  }

  /** Nobody in the meeting needs the relay any more. */
  closeRoom(meeting: MeetingId): void {
    if (!this.#streams.delete(meeting)) return;
    this.#let(meeting, this.#relay?.request('room.close', { meeting }));
  }

  #happened(event: RelayEvent): void {
    const { meeting } = event;
    switch (event.type) {
      case 'room.lost':
        this.#streams.delete(meeting);
        return this.#meetings.apply(meeting, { type: 'relayLost' });
      case 'producer.closed':
        if (!this.#streams.get(meeting)?.delete(event.producer)) return;
        return this.#tellOthers(event, { type: 'relay.ended', producer: event.producer });
      case 'producer.wanted': {
        const { peer, producer, layer } = event;
        if (!this.#streams.get(meeting)?.has(producer)) return;
        return this.#meetings.find(meeting)?.tell([peer], { type: 'relay.wanted', producer, layer });
      }
    }
  }

  /** Forgets what a peer sent, and says so. */
  #ended({ meeting, peer }: Place): void {
    for (const [producer, stream] of this.#streams.get(meeting) ?? []) {
      if (stream.peer !== peer) continue;
      this.#streams.get(meeting)?.delete(producer);
      this.#tellOthers({ meeting, peer }, { type: 'relay.ended', producer });
    }
  }

  #tellOthers({ meeting, peer }: Place, event: ServerEvent): void {
    const live = this.#meetings.find(meeting);
    live?.tell(
      [...live.room.peers.keys()].filter((other) => other !== peer),
      event,
    );
  }

  #ask<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    if (!this.#relay?.isReady) throw new ProtocolError('relayUnavailable');
    return this.#relay.request(name, params);
  }

  #let(meeting: MeetingId, work: Promise<unknown> | undefined): void {
    work?.catch((error: unknown) => this.#onError(error, meeting));
  }
}
