/**
 * Sealed frames in RTP packets and back: Opus as it is (RFC 7587), VP8 behind a payload descriptor (RFC 7741 §4.2).
 *
 * What is sent fits one packet. What is received may have been cut by a browser, and comes in order on loopback; a frame that lacks
 * a packet is dropped here and counted, since no key could open it.
 */
import type { RtpPacket } from 'werift';
import type { RtpCapabilities } from '../../../signal/protocol/rtp.ts';

export type Codec = 'opus' | 'vp8';

/** S: the start of partition 0; no picture id. */
const DESCRIPTOR = Buffer.from([0x10]);

export function payloadOf(codec: Codec, frame: ArrayBuffer): Buffer {
  return codec === 'opus' ? Buffer.from(frame) : Buffer.concat([DESCRIPTOR, Buffer.from(frame)]);
}

/** No feedback and no header extensions: what comes is told by its SSRC alone, and nothing is estimated. */
export function plainCapabilities({ codecs }: RtpCapabilities): RtpCapabilities {
  return { codecs: codecs.map((codec) => ({ ...codec, rtcpFeedback: [] })), headerExtensions: [] };
}

/** Puts the frames of one stream together. */
export class Assembler {
  readonly #codec: Codec;
  readonly #emit: (frame: ArrayBuffer) => void;
  #parts: Buffer[] = [];
  #next: number | null = null;
  #whole = false;
  /** Frames that lacked a packet. */
  torn = 0;

  constructor(codec: Codec, emit: (frame: ArrayBuffer) => void) {
    this.#codec = codec;
    this.#emit = emit;
  }

  take({ header, payload }: RtpPacket): void {
    if (payload.length === 0) {
      // Padding alone.
      if (header.sequenceNumber === this.#next) this.#next = following(header.sequenceNumber);
      return;
    }
    if (this.#codec === 'opus') return this.#emit(copy([payload]));
    const start = descriptorLength(payload);
    const isFirst = (payload[0]! & 0x17) === 0x10;
    if (isFirst) {
      this.#parts = [];
      this.#whole = true;
    } else if (header.sequenceNumber !== this.#next) {
      this.#whole = false;
    }
    this.#next = following(header.sequenceNumber);
    this.#parts.push(payload.subarray(start));
    if (!header.marker) return;
    if (this.#whole) this.#emit(copy(this.#parts));
    else this.torn++;
    this.#parts = [];
    this.#whole = false;
  }
}

/** RFC 7741 §4.2. */
function descriptorLength(payload: Buffer): number {
  if ((payload[0]! & 0x80) === 0) return 1;
  const has = payload[1]!;
  let length = 2;
  if (has & 0x80) length += payload[length]! & 0x80 ? 2 : 1;
  if (has & 0x40) length++;
  if (has & 0x30) length++;
  return length;
}

function following(sequenceNumber: number): number {
  return (sequenceNumber + 1) & 0xffff;
}

function copy(parts: readonly Buffer[]): ArrayBuffer {
  return new Uint8Array(Buffer.concat(parts)).buffer;
}
