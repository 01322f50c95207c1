/** Sealed frames of a recording: what they say of themselves, and who can open them. */
import type { Bytes } from '../../crypto/bytes.ts';
import { clearPrefix } from '../../crypto/clearPrefix.ts';
import { Keyring } from '../../crypto/keyring.ts';
import { EPOCH_SLOTS, type Kind, partsOfKid } from '../../crypto/mediaKeys.ts';
import { parseHeader } from '../../crypto/sframeHeader.ts';
import type { EpochEntry } from './keyLog.ts';
import type { TappedStream } from './relayTap.ts';
import type { RtpFrame } from './rtp.ts';

/** By the number that a KID has for them. */
export const KINDS = ['microphone', 'camera', 'screen', 'screenAudio'] as const;

export interface SealedFrame {
  readonly bytes: Bytes;
  readonly stream: TappedStream;
  readonly ssrc: number;
  readonly kid: number;
  readonly counter: number;
  readonly kind: Kind;
  readonly leaf: number;
  readonly epochSlot: number;
  /** Where the ciphertext begins: behind clear prefix and header. */
  readonly begins: number;
}

export const codecOf = ({ media }: TappedStream): 'opus' | 'vp8' => (media === 'audio' ? 'opus' : 'vp8');

/** Null for what is no sealed frame of a member: then somebody has sent something else. */
export function sealedFrame({ bytes, ssrc }: RtpFrame, stream: TappedStream): SealedFrame | null {
  const clear = clearPrefix(codecOf(stream));
  const header = parseHeader(bytes, clear);
  if (header === null || typeof header.kid !== 'number' || typeof header.counter !== 'number') return null;
  const { kid, counter, length } = header;
  if (kid > 0xffff || bytes.length < clear + length + 16) return null;
  const { kind, leaf, epochSlot } = partsOfKid(kid);
  // Sounds are of kinds 0 and 3, pictures of 1 and 2.
  if ((kind === 0 || kind === 3) !== (stream.media === 'audio')) return null;
  return { bytes, stream, ssrc, kid, counter, kind: kind as Kind, leaf, epochSlot, begins: clear + length };
}

/** Frames that share key and counter with another: each would be the end of its key. */
export function repeatedNonces(frames: readonly Pick<SealedFrame, 'kid' | 'counter'>[]): string[] {
  const seen = new Set<string>();
  return frames
    .map(({ kid, counter }) => `key ${kid}, counter ${counter}`)
    .filter((nonce) => seen.size === seen.add(nonce).size);
}

export interface OpenedFrame extends SealedFrame {
  readonly opened: Bytes;
}

/** Opens what these keys open, with the product's own keyring. */
export async function openAll(frames: readonly SealedFrame[], entries: readonly EpochEntry[]): Promise<OpenedFrame[]> {
  const keyring = new Keyring({ now: () => 0 });
  for (const entry of entries) await keyring.install(entry);
  const opened: OpenedFrame[] = [];
  for (const frame of frames) {
    const result = await keyring.open({ kind: frame.kind, leaf: frame.leaf }, codecOf(frame.stream), frame.bytes);
    if (result.ok) opened.push({ ...frame, opened: result.frame });
  }
  return opened;
}

/** A value taken for the base key of every epoch and every leaf. */
export function entriesOfValue(baseKey: Bytes): EpochEntry[] {
  const leaves = Array.from({ length: 255 }, (_, leaf) => leaf);
  return Array.from({ length: EPOCH_SLOTS }, (_, epoch) => ({ epoch, ownLeaf: 255, baseKey, leaves }));
}

/** Some of each key: whether a key is right, one frame tells as well as all. */
export function someOfEachKey(frames: readonly SealedFrame[], count: number): SealedFrame[] {
  const taken = new Map<number, number>();
  return frames.filter(({ kid }) => {
    const before = taken.get(kid) ?? 0;
    taken.set(kid, before + 1);
    return before < count;
  });
}
