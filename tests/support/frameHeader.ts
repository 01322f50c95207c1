/** What a sealed frame says of itself to whoever taps the wire. */
import { clearPrefix } from '../../crypto/clearPrefix.ts';
import { partsOfKid } from '../../crypto/mediaKeys.ts';
import { parseHeader } from '../../crypto/sframeHeader.ts';
import type { TappedFrame } from './wiretap.ts';

/** The key that a frame names (RFC 9605 §4.3) and its counter; null for what is no sealed frame. */
export function headerOf({ kind, data }: Pick<TappedFrame, 'kind' | 'data'>): { kid: number; counter: number } | null {
  const frame = Uint8Array.from(data, (character) => character.charCodeAt(0));
  const header = parseHeader(frame, clearPrefix(kind === 'camera' || kind === 'screen' ? 'vp8' : 'opus'));
  if (header === null || typeof header.kid !== 'number' || typeof header.counter !== 'number') return null;
  return { kid: header.kid, counter: header.counter };
}

/** The low six bits of the epoch, as the KID has them; null for what is no sealed frame. */
export function epochSlotOf(frame: Pick<TappedFrame, 'kind' | 'data'>): number | null {
  const header = headerOf(frame);
  return header === null ? null : partsOfKid(header.kid).epochSlot;
}
