/**
 * Bodies of `mesh.signal` messages: what two peers tell each other to get connected. Sealed and signed before they leave, so the
 * DTLS fingerprints in them are the member's own.
 *
 * `connection` counts the attempts between two peers. The one that makes offers (the smaller peer id) counts it up; what belongs
 * to an older attempt is dropped.
 */
import * as z from 'zod/mini';
import { PeerId } from '../../signal/protocol/ids.ts';

const Sdp = z.string().check(z.minLength(1), z.maxLength(48 * 1024));

/** As simple-peer emits them, and two of our own. */
const SignalData = z.union([
  z.object({ type: z.enum(['offer', 'answer']), sdp: Sdp }),
  z.object({
    type: z.literal('candidate'),
    candidate: z.object({
      candidate: z.string().check(z.maxLength(1024)),
      sdpMLineIndex: z.optional(z.nullable(z.int())),
      sdpMid: z.optional(z.nullable(z.string().check(z.maxLength(64)))),
    }),
  }),
  z.object({ type: z.literal('renegotiate'), renegotiate: z.literal(true) }),
  /** To the one that makes offers: restart ICE. */
  z.object({ type: z.literal('restart') }),
  /** To the one that makes offers: this attempt is dead here, begin another. */
  z.object({ type: z.literal('rebuild') }),
  /** All that comes from you comes by the relay now, in the topology numbered `connection`: the mesh may close. */
  z.object({ type: z.literal('moved') }),
]);
export type SignalData = z.infer<typeof SignalData>;

export const MeshSignal = z.object({
  connection: z.int().check(z.nonnegative(), z.maximum(0xffff_ffff)),
  data: SignalData,
});
export type MeshSignal = z.infer<typeof MeshSignal>;

/** @returns null for what a member should not have sent */
export function readSignal(body: string): MeshSignal | null {
  try {
    const parsed = MeshSignal.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Of two peers the one with the smaller id makes the offers, so offers never cross. */
export function offers(self: PeerId, other: PeerId): boolean {
  return self < other;
}
