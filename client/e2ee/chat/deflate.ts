/** Raw DEFLATE (RFC 1951), by the browser. */
import type { Bytes } from '../../../crypto/bytes.ts';
import { concat } from '../../../crypto/bytes.ts';

export async function deflate(bytes: Bytes): Promise<Bytes> {
  return through(bytes, new CompressionStream('deflate-raw'), Infinity);
}

/** @throws TypeError for what is none · RangeError for more than `most` bytes, before they are all there */
export async function inflate(bytes: Bytes, most: number): Promise<Bytes> {
  return through(bytes, new DecompressionStream('deflate-raw'), most);
}

async function through(bytes: Bytes, stream: CompressionStream | DecompressionStream, most: number): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(...parts);
    length += value.length;
    parts.push(value);
    if (length <= most) continue;
    void reader.cancel().catch(() => undefined);
    throw new RangeError('more than it said');
  }
}
