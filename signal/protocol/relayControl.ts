/**
 * What signal asks of a relay, and what a relay tells signal. One catalogue, whether the relay runs in signal's process or on
 * another host.
 *
 * The relay learns ids, ICE and RTP parameters, and the kind of each track: never a name, a key, or what a frame holds. One pair of
 * transports per peer, named by their direction as the peer sees it.
 */
import * as z from 'zod/mini';
import { MeetingId, PeerId } from './ids.ts';
import { StreamId, TrackKind } from './model.ts';
import { DtlsParameters, IceParameters, RtpCapabilities, RtpParameters, TransportOffer } from './rtp.ts';

export const Direction = z.enum(['send', 'receive']);
export type Direction = z.infer<typeof Direction>;

const nothing = z.object({});
const place = { meeting: MeetingId, peer: PeerId };

export const relayRequests = {
  /** A peer's two transports; opens the meeting's room where there is none yet. What the peer had before is closed. Errors: relayFull, relayUnavailable. */
  'peer.open': {
    params: z.object(place),
    result: z.object({ capabilities: RtpCapabilities, send: TransportOffer, receive: TransportOffer }),
  },
  /** Ends the peer's transports, and the room with its last peer. */
  'peer.close': { params: z.object(place), result: nothing },
  'room.close': { params: z.object({ meeting: MeetingId }), result: nothing },
  /** The peer's DTLS parameters, once per transport. */
  'transport.connect': {
    params: z.object({ ...place, direction: Direction, dtlsParameters: DtlsParameters }),
    result: nothing,
  },
  /** New ICE credentials for the same transport: the peer's network changed. */
  'transport.restartIce': {
    params: z.object({ ...place, direction: Direction }),
    result: z.object({ iceParameters: IceParameters }),
  },
  /** One stream of the peer, at most one of a kind. */
  produce: {
    params: z.object({ ...place, kind: TrackKind, rtpParameters: RtpParameters }),
    result: z.object({ producer: StreamId }),
  },
  /** Hands another peer's stream on to this one. Paused until `consumer.set`: packets sent before the peer is ready would be lost. */
  consume: {
    params: z.object({ ...place, producer: StreamId, capabilities: RtpCapabilities }),
    result: z.object({ consumer: StreamId, rtpParameters: RtpParameters }),
  },
  /** Whether it flows, and the highest spatial layer wanted (0 is the smallest picture). */
  'consumer.set': {
    params: z.object({
      ...place,
      consumer: StreamId,
      paused: z.boolean(),
      layer: z.optional(z.int().check(z.minimum(0), z.maximum(2))),
    }),
    result: nothing,
  },
} as const satisfies Record<string, { params: z.ZodMiniType; result: z.ZodMiniType }>;

export type RelayRequestName = keyof typeof relayRequests;
export type RelayParams<N extends RelayRequestName> = z.infer<(typeof relayRequests)[N]['params']>;
export type RelayResult<N extends RelayRequestName> = z.infer<(typeof relayRequests)[N]['result']>;

export const RelayEvent = z.discriminatedUnion('type', [
  /** The meeting's room is gone, with everything in it: its worker died, or it was closed. */
  z.object({ type: z.literal('room.lost'), meeting: MeetingId }),
  /** A peer's stream ended. */
  z.object({ type: z.literal('producer.closed'), ...place, producer: StreamId }),
]);
export type RelayEvent = z.infer<typeof RelayEvent>;

/** A relay, wherever it runs. Requests reject with ProtocolError. */
export interface RelayPort {
  request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>>;
  onEvent(listener: (event: RelayEvent) => void): void;
  /** Whether it takes new meetings. */
  readonly isReady: boolean;
  close(): Promise<void>;
}
