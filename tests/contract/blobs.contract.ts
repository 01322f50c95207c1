/** What every place for blobs promises (signal/blobs/blobs.ts). */
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BlobNotFound, type Blobs } from '../../signal/blobs/blobs.ts';

export interface BlobsUnderTest {
  readonly blobs: Blobs;
  /** As a process that starts on the same data. */
  again(): Promise<Blobs>;
  /** Every byte that lies there, for what must not. */
  everything(): Promise<Buffer>;
  close(): Promise<void>;
}

async function* pieces(...all: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const one of all) {
    if (one instanceof Error) throw one;
    yield Buffer.from(one);
  }
}

const text = async (blobs: Blobs, id: string, first: number, last: number): Promise<string> =>
  String(await buffer(await blobs.read(id, { first, last })));

export function blobsContract(name: string, open: () => Promise<BlobsUnderTest>): void {
  describe(`blobs, ${name}`, () => {
    let held: BlobsUnderTest;
    beforeEach(async () => {
      held = await open();
    });
    afterEach(() => held.close());

    test('grow by what is appended, and are read by ranges once they are finished', async () => {
      const { blobs } = held;
      await blobs.begin('one');
      expect(await blobs.size('one')).toBe(0);
      expect(await blobs.append('one', 0, pieces('abc', 'def'))).toBe(6);
      expect(await blobs.append('one', 6, pieces('ghi'))).toBe(9);
      await expect(blobs.read('one', { first: 0, last: 1 })).rejects.toThrow(BlobNotFound);
      await blobs.finish('one');
      await blobs.finish('one');
      expect(await blobs.size('one')).toBe(9);
      expect(await text(blobs, 'one', 0, 8)).toBe('abcdefghi');
      expect(await text(blobs, 'one', 2, 4)).toBe('cde');
      await expect(blobs.append('one', 9, pieces('more'))).rejects.toThrow(BlobNotFound);
    });

    test('keep what came before a source broke off, also for the next process', async () => {
      const { blobs } = held;
      await blobs.begin('cut');
      await expect(blobs.append('cut', 0, pieces('abc', 'de', new Error('gone')))).rejects.toThrow('gone');
      const next = await held.again();
      expect(await next.size('cut')).toBe(5);
      await next.append('cut', 5, pieces('f'));
      await next.finish('cut');
      expect(await text(next, 'cut', 0, 5)).toBe('abcdef');
    });

    test('are begun once, and none is made by appending, finishing or reading', async () => {
      const { blobs } = held;
      await blobs.begin('one');
      await expect(blobs.begin('one')).rejects.toThrow();
      for (const id of ['none', '../one', 'a/b', '']) {
        expect(await blobs.size(id).catch(() => null)).toBeNull();
        await expect(blobs.append(id, 0, pieces('x'))).rejects.toThrow(BlobNotFound);
        await expect(blobs.finish(id)).rejects.toThrow(BlobNotFound);
        await expect(blobs.read(id, { first: 0, last: 0 })).rejects.toThrow(BlobNotFound);
      }
    });

    test('are gone when deleted, finished or not', async () => {
      const { blobs } = held;
      for (const id of ['part', 'whole']) {
        await blobs.begin(id);
        await blobs.append(id, 0, pieces('canary'));
      }
      await blobs.finish('whole');
      expect((await blobs.list()).sort()).toEqual(['part', 'whole']);
      expect(String(await held.everything())).toContain('canary');
      for (const id of ['part', 'whole', 'whole']) await blobs.delete(id);
      expect(await blobs.list()).toEqual([]);
      expect(String(await held.everything())).not.toContain('canary');
      expect(await blobs.size('whole')).toBeNull();
    });

    test('that nobody went on with are named, and no others', async () => {
      const { blobs } = held;
      for (const id of ['part', 'whole']) await blobs.begin(id);
      await blobs.finish('whole');
      expect(await blobs.stale(Date.now() - 60_000)).toEqual([]);
      expect(await blobs.stale(Date.now() + 60_000)).toEqual(['part']);
    });
  });
}
