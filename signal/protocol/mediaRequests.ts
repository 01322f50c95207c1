/**
 * Requests about the relay, beside those of `requests.ts`. Apart from them because of their weight: RTP parameters are
 * most of the protocol's schemas, and a client in a mesh never needs them.
 */
import * as z from 'zod/mini';
import { Layer, RelayStream, StreamId, TrackKind } from './model.ts';
import { Direction } from './relayControl.ts';
import type { RequestSpec } from './phases.ts';
import { DtlsParameters, IceParameters, RtpCapabilities, RtpParameters, TransportOffer } from './rtp.ts';

const nothing = z.object({});

export const mediaRequests = {
  /** A way each to and from the relay, while the topology is `relay`, and what others send there. What was open before is closed. Errors: outOfOrder, relayUnavailable, relayFull. */
  'relay.open': {
    phase: 'joined',
    params: nothing,
    result: z.object({
      capabilities: RtpCapabilities,
      send: TransportOffer,
      receive: TransportOffer,
      streams: z.array(RelayStream),
    }),
  },
  /** Our DTLS parameters, once for each direction. */
  'relay.connect': {
    phase: 'joined',
    params: z.object({ direction: Direction, dtlsParameters: DtlsParameters }),
    result: nothing,
  },
  /** Our network changed: new ICE credentials. */
  'relay.restartIce': {
    phase: 'joined',
    params: z.object({ direction: Direction }),
    result: z.object({ iceParameters: IceParameters }),
  },
  /** A track that we send; the others are told (`relay.produced`). One of a kind. */
  'relay.produce': {
    phase: 'joined',
    params: z.object({ kind: TrackKind, rtpParameters: RtpParameters }),
    result: z.object({ producer: StreamId }),
  },
  /** Asks for another's track. Paused until `relay.set`. Errors: streamUnknown. */
  'relay.consume': {
    phase: 'joined',
    params: z.object({ producer: StreamId, capabilities: RtpCapabilities }),
    result: z.object({ consumer: StreamId, rtpParameters: RtpParameters }),
  },
  /** Whether a track flows to us, the largest picture that is wanted of it, and what goes first where our way is narrow (higher first). */
  'relay.set': {
    phase: 'joined',
    params: z.object({
      consumer: StreamId,
      paused: z.boolean(),
      layer: z.optional(Layer),
      priority: z.optional(z.int().check(z.minimum(1), z.maximum(255))),
    }),
    result: nothing,
  },
  /** A track that we do not want any more. */
  'relay.forget': { phase: 'joined', params: z.object({ consumer: StreamId }), result: nothing },
  /** We are back in the mesh. */
  'relay.close': { phase: 'joined', params: nothing, result: nothing },
} as const satisfies Record<string, RequestSpec>;
