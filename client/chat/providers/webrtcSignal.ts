/**
 * What browsers say to each other to connect for the direct way, as y-webrtc seals it, and as we believe it.
 *
 *     base64( varString("AES-GCM") ‖ varBytes(iv) ‖ varBytes(ciphertext ‖ tag) )      plain: an `any` of lib0
 *
 * It comes from members, who can write anything: no more is taken than connecting takes, and descriptions with anything but data
 * channels are none.
 */
import { createDecoder, readAny, readVarString, readVarUint8Array } from 'lib0/decoding';
import * as z from 'zod/mini';

/** Of media: there are none between people who chat. */
const MEDIA_LINE = /^m=(?!application )/m;

const Id = z.string().check(z.minLength(1), z.maxLength(64));
const Description = z.object({
  type: z.enum(['offer', 'answer']),
  sdp: z.string().check(
    z.maxLength(16 * 1024),
    z.refine((sdp) => !MEDIA_LINE.test(sdp)),
  ),
});
const Candidate = z.object({
  type: z.literal('candidate'),
  candidate: z.object({
    candidate: z.string().check(z.maxLength(1024)),
    sdpMLineIndex: z.nullish(z.number()),
    sdpMid: z.nullish(z.string()),
  }),
});

const Signal = z.discriminatedUnion('type', [
  /** "I am here": whoever hears it and has room connects. */
  z.object({ type: z.literal('announce'), from: Id }),
  /** `token`: of two who offer at once the one with the larger stays with its own. */
  z.object({
    type: z.literal('signal'),
    from: Id,
    to: Id,
    token: z.optional(z.number()),
    signal: z.discriminatedUnion('type', [Description, Candidate]),
  }),
]);
export type Signal = z.infer<typeof Signal>;

/** @returns null for what another key sealed, or what is none of these */
export async function openSignal(key: CryptoKey, data: string): Promise<Signal | null> {
  try {
    const decoder = createDecoder(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
    if (readVarString(decoder) !== 'AES-GCM') return null;
    const iv = readVarUint8Array(decoder).slice();
    const sealed = readVarUint8Array(decoder).slice();
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed);
    return Signal.safeParse(readAny(createDecoder(new Uint8Array(plain)))).data ?? null;
  } catch {
    return null;
  }
}
