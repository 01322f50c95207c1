/**
 * RTP as somebody reads it who sits on the wire: headers, extensions, VP8 payload descriptors, and frames put together again.
 *
 * Sources: RTP RFC 3550 §5.1, header extensions RFC 8285 §4.2 and §4.3, RTCP on the same port RFC 5761 §4, VP8 RFC 7741 §4.2, Opus
 * (one packet a frame) RFC 7587 §4.2. Of SRTP the header and its extensions can be read just as well (RFC 3711 §3.1).
 */

export interface RtpHeader {
  /** Padding follows the payload, or stands in its place. */
  padded: boolean;
  marker: boolean;
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
  extensions: { id: number; bytes: Uint8Array }[];
  /** Where the payload begins. */
  length: number;
}

/** Null for STUN, DTLS, RTCP, and what is cut off. */
export function parseRtpHeader(bytes: Uint8Array): RtpHeader | null {
  const [first = 0, second = 0] = bytes;
  if (bytes.length < 12 || first >> 6 !== 2) return null;
  const payloadType = second & 0x7f;
  if (payloadType >= 64 && payloadType <= 95) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let length = 12 + 4 * (first & 0x0f);
  let extensions: RtpHeader['extensions'] = [];
  if ((first & 0x10) !== 0) {
    if (length + 4 > bytes.length) return null;
    const profile = view.getUint16(length);
    const end = length + 4 + 4 * view.getUint16(length + 2);
    if (end > bytes.length) return null;
    extensions = parseExtensions(profile, bytes.subarray(length + 4, end));
    length = end;
  }
  return {
    padded: (first & 0x20) !== 0,
    marker: second >> 7 === 1,
    payloadType,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    extensions,
    length,
  };
}

/** An extension in no form of RFC 8285 counts as one of id 0, which nobody negotiates. */
function parseExtensions(profile: number, bytes: Uint8Array): RtpHeader['extensions'] {
  const isLong = profile >> 4 === 0x100;
  if (profile !== 0xbede && !isLong) return [{ id: 0, bytes }];
  const found: RtpHeader['extensions'] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]!;
    // A zero byte fills up.
    if (first === 0) {
      at++;
      continue;
    }
    if (!isLong && first >> 4 === 15) break;
    const id = isLong ? first : first >> 4;
    const size = isLong ? (bytes[at + 1] ?? 0) : (first & 0x0f) + 1;
    at += isLong ? 2 : 1;
    found.push({ id, bytes: bytes.subarray(at, at + size) });
    at += size;
  }
  return found;
}

/** Payload of a packet in the clear, without padding. */
export function payloadOf(packet: Uint8Array, { length, padded }: RtpHeader): Uint8Array {
  const padding = padded ? packet.at(-1)! : 0;
  return packet.subarray(length, Math.max(length, packet.length - padding));
}

/** Length of the descriptor before a piece of a VP8 frame, and whether the frame begins here. Null if it is cut off. */
function parseVp8Descriptor(payload: Uint8Array): { length: number; begins: boolean } | null {
  const first = payload[0];
  if (first === undefined) return null;
  let length = 1;
  if ((first & 0x80) !== 0) {
    const has = payload[length++] ?? 0;
    // I: a picture id of 7 bits, or 15 behind a bit that says so; L: TL0PICIDX; T or K: one byte for both.
    if ((has & 0x80) !== 0) length += (payload[length] ?? 0) & 0x80 ? 2 : 1;
    if ((has & 0x40) !== 0) length++;
    if ((has & 0x30) !== 0) length++;
  }
  if (length > payload.length) return null;
  return { length, begins: (first & 0x10) !== 0 && (first & 0x07) === 0 };
}

export type Media = 'audio' | 'video';

export interface RtpFrame {
  ssrc: number;
  timestamp: number;
  bytes: Uint8Array<ArrayBuffer>;
}

interface Piece {
  sequence: number;
  begins: boolean;
  ends: boolean;
  bytes: Uint8Array;
}

/**
 * Frames of packets in the clear, in the order in which they began.
 * @param mediaOf  of a stream, by SSRC; undefined for one that is not known (yet)
 * @returns        `incomplete`: frames of which a packet is missing; `padding`: packets that carry nothing; `unknown`: of no known stream
 */
export function framesOf(
  packets: readonly Uint8Array[],
  mediaOf: (ssrc: number) => Media | undefined,
): { frames: RtpFrame[]; incomplete: number; padding: number; unknown: number } {
  const begun = new Map<string, { ssrc: number; timestamp: number; pieces: Map<number, Piece> }>();
  let [padding, unknown] = [0, 0];
  for (const packet of packets) {
    const header = parseRtpHeader(packet);
    // A pipe sends reports, too.
    if (header === null) continue;
    const media = mediaOf(header.ssrc);
    if (media === undefined) {
      unknown++;
      continue;
    }
    const payload = payloadOf(packet, header);
    const piece = payload.length === 0 ? null : pieceOf(payload, header, media);
    if (piece === null || piece.bytes.length === 0) {
      padding++;
      continue;
    }
    const { ssrc, timestamp } = header;
    const key = `${ssrc} ${timestamp}`;
    const frame = begun.get(key) ?? { ssrc, timestamp, pieces: new Map<number, Piece>() };
    begun.set(key, frame);
    // Lost packets are sent again in the stream itself: the same piece may come twice.
    frame.pieces.set(piece.sequence, piece);
  }
  const frames: RtpFrame[] = [];
  for (const { ssrc, timestamp, pieces } of begun.values()) {
    const bytes = whole([...pieces.values()]);
    if (bytes !== null) frames.push({ ssrc, timestamp, bytes });
  }
  return { frames, incomplete: begun.size - frames.length, padding, unknown };
}

function pieceOf(payload: Uint8Array, { sequence, marker }: RtpHeader, media: Media): Piece | null {
  if (media === 'audio') return { sequence, begins: true, ends: true, bytes: payload };
  const descriptor = parseVp8Descriptor(payload);
  if (descriptor === null) return null;
  return { sequence, begins: descriptor.begins, ends: marker, bytes: payload.subarray(descriptor.length) };
}

function whole(pieces: Piece[]): Uint8Array<ArrayBuffer> | null {
  const origin = pieces[0]!.sequence;
  // Sequence numbers start again after 65535.
  const place = ({ sequence }: Piece): number => ((sequence - origin + 0x18000) & 0xffff) - 0x8000;
  pieces.sort((a, b) => place(a) - place(b));
  const [first, last] = [pieces[0]!, pieces.at(-1)!];
  if (!first.begins || !last.ends || place(last) - place(first) !== pieces.length - 1) return null;
  return new Uint8Array(Buffer.concat(pieces.map(({ bytes }) => bytes)));
}
