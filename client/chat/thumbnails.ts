/** Small pictures that others have put into their entries, before any browser decodes them. Pure. */
import type { FileBody } from './bodies.ts';

/** Longer side, in pixels: twice that of its place on the screen. */
export const MAX_THUMBNAIL = 320;

/**
 * @returns its address, `data:`; null for what is no JPEG, or a larger one than ours are: a few bytes may say that they come to gigabytes
 */
export function thumbnailAddress({ thumbnail }: NonNullable<FileBody['picture']>): string | null {
  const text = thumbnail.replaceAll('-', '+').replaceAll('_', '/');
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
  const longer = longerSide(bytes);
  return longer > 0 && longer <= MAX_THUMBNAIL ? `data:image/jpeg;base64,${text}` : null;
}

/** As the frame header of a JPEG says (ITU-T T.81, B.2.2), in pixels; 0 where there is none. */
function longerSide(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer);
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return 0;
  for (let at = 2; at + 9 <= bytes.length;) {
    const marker = view.getUint16(at);
    // Baseline, extended and progressive; what browsers show of any other kind is nothing.
    if (marker >= 0xffc0 && marker <= 0xffc2) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return height === 0 ? 0 : Math.max(height, width);
    }
    // Tables and what programs have noted; the picture itself never comes before its frame.
    if (!((marker >= 0xffe0 && marker <= 0xffef) || [0xffdb, 0xffc4, 0xffdd, 0xfffe].includes(marker))) return 0;
    at += 2 + view.getUint16(at + 2);
  }
  return 0;
}
