/**
 * What a client and the relay's mediasoup tell each other about transports and streams, as mediasoup and mediasoup-client take it
 * (names after ORTC and RFC 8839, 8122, 8866). Bounded, since every client can send it; nothing in it is secret from the server.
 */
import * as z from 'zod/mini';

const token = z.string().check(z.minLength(1), z.maxLength(256));
const mediaKind = z.enum(['audio', 'video']);
/** Codec parameters (`a=fmtp`): flat. */
const parameters = z.record(
  z.string().check(z.maxLength(64)),
  z.union([z.string().check(z.maxLength(256)), z.number()]),
);
const rtcpFeedback = z
  .array(z.object({ type: token, parameter: z.exactOptional(z.string().check(z.maxLength(64))) }))
  .check(z.maxLength(16));
/**
 * Header extensions that may be used, and no others. Audio levels would tell the relay who speaks. The capture time would be declared
 * and not sent by Chromium, and mediasoup then waits for it for ever before it switches a layer.
 */
export const extensionUris = [
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:3gpp:video-orientation',
] as const;
const extensionUri = z.enum(extensionUris);
const payloadType = z.int().check(z.minimum(0), z.maximum(127));
const ssrc = z.int().check(z.minimum(0), z.maximum(0xffff_ffff));

/** RFC 8122 §5: of DTLS certificates. `role` is the sender's own. */
export const DtlsParameters = z.object({
  role: z.exactOptional(z.enum(['auto', 'client', 'server'])),
  fingerprints: z
    .array(
      z.object({
        algorithm: z.enum(['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512']),
        value: z.string().check(z.maxLength(256), z.regex(/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+$/)),
      }),
    )
    .check(z.minLength(1), z.maxLength(8)),
});
export type DtlsParameters = z.infer<typeof DtlsParameters>;

/** RFC 8839 §5.4. */
export const IceParameters = z.object({
  usernameFragment: token,
  password: token,
  iceLite: z.exactOptional(z.boolean()),
});
export type IceParameters = z.infer<typeof IceParameters>;

const IceCandidate = z.object({
  foundation: token,
  priority: ssrc,
  ip: token,
  address: token,
  protocol: z.enum(['udp', 'tcp']),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  type: z.literal('host'),
  tcpType: z.exactOptional(z.literal('passive')),
});

/** One way between a peer and the relay, as the relay offers it. */
export const TransportOffer = z.object({
  id: token,
  iceParameters: IceParameters,
  iceCandidates: z.array(IceCandidate).check(z.maxLength(16)),
  dtlsParameters: DtlsParameters,
});
export type TransportOffer = z.infer<typeof TransportOffer>;

/** What somebody can receive. */
export const RtpCapabilities = z.object({
  codecs: z
    .array(
      z.object({
        kind: mediaKind,
        mimeType: token,
        preferredPayloadType: payloadType,
        clockRate: z.int(),
        channels: z.exactOptional(z.int()),
        parameters: z.exactOptional(parameters),
        rtcpFeedback: z.exactOptional(rtcpFeedback),
      }),
    )
    .check(z.maxLength(64)),
  headerExtensions: z
    .array(
      z.object({
        kind: mediaKind,
        uri: extensionUri,
        preferredId: z.int().check(z.minimum(1), z.maximum(255)),
        preferredEncrypt: z.exactOptional(z.boolean()),
        direction: z.exactOptional(z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive'])),
      }),
    )
    .check(z.maxLength(64)),
});
export type RtpCapabilities = z.infer<typeof RtpCapabilities>;

/** One stream as it is sent. */
export const RtpParameters = z.object({
  mid: z.exactOptional(z.string().check(z.maxLength(32))),
  msid: z.exactOptional(z.string().check(z.maxLength(256))),
  codecs: z
    .array(
      z.object({
        mimeType: token,
        payloadType,
        clockRate: z.int(),
        channels: z.exactOptional(z.int()),
        parameters: z.exactOptional(parameters),
        rtcpFeedback: z.exactOptional(rtcpFeedback),
      }),
    )
    .check(z.minLength(1), z.maxLength(8)),
  headerExtensions: z
    .array(
      z.object({
        uri: extensionUri,
        id: z.int().check(z.minimum(1), z.maximum(255)),
        encrypt: z.exactOptional(z.boolean()),
        parameters: z.exactOptional(parameters),
      }),
    )
    .check(z.maxLength(32)),
  encodings: z
    .array(
      z.object({
        ssrc: z.exactOptional(ssrc),
        rid: z.exactOptional(z.string().check(z.maxLength(16))),
        codecPayloadType: z.exactOptional(payloadType),
        rtx: z.exactOptional(z.object({ ssrc })),
        dtx: z.exactOptional(z.boolean()),
        scalabilityMode: z.exactOptional(z.string().check(z.maxLength(16))),
        maxBitrate: z.exactOptional(z.int()),
      }),
    )
    .check(z.minLength(1), z.maxLength(4)),
  rtcp: z.object({
    cname: z.exactOptional(z.string().check(z.maxLength(256))),
    reducedSize: z.exactOptional(z.boolean()),
  }),
});
export type RtpParameters = z.infer<typeof RtpParameters>;
