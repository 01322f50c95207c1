/**
 * How many bytes of an encoded frame stay readable, by codec.
 *
 * Only what forwarding needs: in VP8 the P bit, the lowest bit of the first byte (RFC 6386 §9.1, RFC 7741 §4.3), which
 * relays and Chromium's depacketizer read to tell a key frame. VP9 and Opus need nothing from inside the frame: what a
 * relay reads stands in the RTP payload descriptor. The codec comes from negotiation, never from the frame.
 */

/** The codecs that survive sealing. H.264 and AV1 do not: packetizers cut and rebuild their frames. */
export type Codec = 'opus' | 'vp8' | 'vp9';

const CLEAR_BYTES: Readonly<Record<Codec, number>> = { opus: 0, vp8: 1, vp9: 0 };

/** Bytes, counted from the first. A frame shorter than this is no frame of that codec. */
export function clearPrefix(codec: Codec): number {
  return CLEAR_BYTES[codec];
}
