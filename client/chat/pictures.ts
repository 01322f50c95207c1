/**
 * Pictures on their way out: drawn anew, so that nothing goes along that a camera wrote into them (place, time, device), and a small
 * one of each. All of it on this device.
 */
import { MAX_THUMBNAIL_BYTES } from './bodies.ts';
import { pictureType } from './fileNames.ts';
import { MAX_THUMBNAIL } from './thumbnails.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Larger ones go as files: to draw them takes four bytes a pixel. */
const MAX_PIXELS = 50_000_000;
const MAX_PICTURE_BYTES = 40 * 1024 * 1024;
const QUALITY = 0.92;
/** What is drawn anew keeps its kind: a photograph stays small, a screenshot sharp. One that moves would stand still. */
const REDRAWN = new Set(['image/jpeg', 'image/png', 'image/webp']);

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** JPEG. */
  readonly thumbnail: Bytes;
  /** Without what the camera wrote; null where it goes as it is. */
  readonly redrawn: Blob | null;
}

/** @returns null for what is no picture that is shown, or cannot be read as one */
export async function readPicture(file: Blob): Promise<Picture | null> {
  const type = pictureType(file.type);
  if (type === null || file.size > MAX_PICTURE_BYTES) return null;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) return null;
    const redrawn = REDRAWN.has(type) ? await drawn(bitmap, { width, height, type, quality: QUALITY }) : null;
    const thumbnail = await thumbnailOf(bitmap);
    // A browser that does not write this kind writes another.
    return thumbnail && { width, height, thumbnail, redrawn: redrawn?.type === type ? redrawn : null };
  } catch {
    return null;
  } finally {
    bitmap.close();
  }
}

async function thumbnailOf(bitmap: ImageBitmap): Promise<Bytes | null> {
  const scale = Math.min(1, MAX_THUMBNAIL / Math.max(bitmap.width, bitmap.height));
  for (const [factor, quality] of [
    [1, 0.6],
    [1, 0.35],
    [0.6, 0.35],
    [0.3, 0.3],
    [0.1, 0.3],
  ] as const) {
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale * factor)));
    const small = await drawn(bitmap, { width: width!, height: height!, type: 'image/jpeg', quality });
    if (small.size <= MAX_THUMBNAIL_BYTES) return new Uint8Array(await small.arrayBuffer());
  }
  return null;
}

function drawn(
  bitmap: ImageBitmap,
  { width, height, type, quality }: { width: number; height: number; type: string; quality: number },
): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d')!;
  if (type === 'image/jpeg') {
    // Else what shines through is black.
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
  }
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type, quality });
}
