/**
 * What signal asks of a relay, and what a relay tells signal. One catalogue, whether the relay runs in signal's process or on
 * another host.
 *
 * The relay learns ids, ICE and RTP parameters, and the kind of each track: never a name, a key, or what a frame holds. One pair of
 * transports per peer, named by their direction as the peer sees it.
 */
import * as z from 'zod/mini';
import { MeetingId, PeerId } from './ids.ts';
import { Layer, StreamId, TrackKind } from './model.ts';
import { DtlsParameters, IceParameters, RtpCapabilities, RtpParameters, TransportOffer } from './rtp.ts';

export const Direction = z.enum(['send', 'receive']);
export type Direction = z.infer<typeof Direction>;

/** A relay, as signal names it: `embedded`, or what the relay calls itself. */
export const RelayId = z
  .string()
  .check(z.regex(/^[A-Za-z0-9._-]{1,64}$/))
  .brand<'RelayId'>();
export type RelayId = z.infer<typeof RelayId>;

/** One end of a pipe between two relays. The keys protect RTP between the hosts; frames are sealed all the same. RFC 7714, 8723. */
export const PipeEnd = z.object({
  ip: z.string().check(z.minLength(1), z.maxLength(256)),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  srtpParameters: z.object({
    cryptoSuite: z.enum(['AEAD_AES_256_GCM', 'AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32']),
    keyBase64: z.string().check(z.minLength(1), z.maxLength(256)),
  }),
});
export type PipeEnd = z.infer<typeof PipeEnd>;

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
  /**
   * Whether it flows, the highest spatial layer wanted, and who goes first where the way is narrow (1 … 255, higher first; sound is
   * never held back).
   */
  'consumer.set': {
    params: z.object({
      ...place,
      consumer: StreamId,
      paused: z.boolean(),
      layer: z.optional(Layer),
      priority: z.optional(z.int().check(z.minimum(1), z.maximum(255))),
    }),
    result: nothing,
  },
  /** The peer does not want this one any more. */
  'consumer.close': { params: z.object({ ...place, consumer: StreamId }), result: nothing },
  /** This relay's end of a pipe to another, for one meeting; what there was is closed. */
  'pipe.open': { params: z.object({ meeting: MeetingId, relay: RelayId }), result: PipeEnd },
  /** The other's end of it. */
  'pipe.connect': { params: z.object({ meeting: MeetingId, relay: RelayId, end: PipeEnd }), result: nothing },
  /** Lets a stream into the pipe. */
  'pipe.send': {
    params: z.object({ meeting: MeetingId, relay: RelayId, producer: StreamId }),
    result: z.object({ rtpParameters: RtpParameters }),
  },
  /** Takes it out at the other end, where it has the same id. */
  'pipe.receive': {
    params: z.object({ ...place, relay: RelayId, kind: TrackKind, producer: StreamId, rtpParameters: RtpParameters }),
    result: nothing,
  },
  /** A stream that came through a pipe has ended where it is at home. */
  'pipe.end': { params: z.object({ meeting: MeetingId, producer: StreamId }), result: nothing },
} as const satisfies Record<string, { params: z.ZodMiniType; result: z.ZodMiniType }>;

export type RelayRequestName = keyof typeof relayRequests;
export type RelayParams<N extends RelayRequestName> = z.infer<(typeof relayRequests)[N]['params']>;
export type RelayResult<N extends RelayRequestName> = z.infer<(typeof relayRequests)[N]['result']>;

export const RelayEvent = z.discriminatedUnion('type', [
  /** The meeting's room is gone, with everything in it: its worker died, or it was closed. */
  z.object({ type: z.literal('room.lost'), meeting: MeetingId }),
  /** A peer's stream ended. */
  z.object({ type: z.literal('producer.closed'), ...place, producer: StreamId }),
  /** The largest layer that anybody at this relay watches of a peer's stream; null: nobody watches it. */
  z.object({ type: z.literal('producer.wanted'), ...place, producer: StreamId, layer: z.nullable(Layer) }),
]);
export type RelayEvent = z.infer<typeof RelayEvent>;

/** A relay, wherever it runs. Requests reject with ProtocolError. */
export interface RelayPort {
  request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>>;
  onEvent(listener: (event: RelayEvent) => void): void;
  /** Whether it takes new meetings. */
  readonly isReady: boolean;
  /** Peers that it has, as a share of what it can carry; above 1 it is too much. */
  readonly load: number;
  close(): Promise<void>;
}
