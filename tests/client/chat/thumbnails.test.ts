/** Small pictures as members may have made them: shown is a small JPEG, and nothing else. */
import { expect, test } from 'vitest';
import { thumbnailAddress } from '../../../client/chat/thumbnails.ts';

const addressOf = (bytes: Uint8Array | string): string | null =>
  thumbnailAddress({ width: 4, height: 3, thumbnail: Buffer.from(bytes).toString('base64url') });

/** Up to its frame, and some bytes of it. */
function jpeg([width, height]: [number, number], marker = 0xc0, before: number[] = []): Uint8Array {
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  return Uint8Array.of(0xff, 0xd8, ...before, 0xff, marker, 0, 17, 8, ...size, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1);
}

test('a small JPEG is shown as what it is', () => {
  const jfif = [0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xdb, 0, 3, 0];
  for (const bytes of [jpeg([320, 200]), jpeg([1, 1], 0xc2), jpeg([200, 320], 0xc1, jfif)])
    expect(addressOf(bytes)).toBe(
      `data:image/jpeg;base64,${Buffer.from(bytes).toString('base64').replaceAll('=', '')}`,
    );
});

test.each<[string, Uint8Array | string]>([
  ['larger than ours are', jpeg([321, 200])],
  ['of gigabytes', jpeg([65_535, 65_535])],
  ['of no height', jpeg([200, 0])],
  ['with another frame than browsers show', jpeg([4, 3], 0xc3)],
  ['with a scan before its frame', jpeg([4, 3], 0xc0, [0xff, 0xda, 0, 2])],
  ['that ends before its frame', jpeg([4, 3]).slice(0, 10)],
  ['whose parts lead nowhere', jpeg([4, 3], 0xc0, [0xff, 0xe0, 0xff, 0xff])],
  ['whose parts have no length', jpeg([4, 3], 0xc0, [0xff, 0xe0, 0, 0])],
  ['that is a PNG', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ', 'base64')],
  [
    'that is an SVG',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="window.broken=1"><script>window.broken=1</script></svg>',
  ],
  ['that is a page', '<!doctype html><script>window.broken=1</script>'],
  ['that is nothing', ''],
])('one %s is not', (_what, bytes) => {
  expect(addressOf(bytes)).toBeNull();
});
