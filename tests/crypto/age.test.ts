/** age v1: against the files of its standard, against another implementation, and against whoever changes one. */
import { bech32 } from '@scure/base';
import { Decrypter, Encrypter } from 'age-encryption';
import * as vectors from 'cctv-age';
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  AGE_CHUNK_BYTES,
  AGE_START_BYTES,
  AgeOpener,
  ageRecipient,
  AgeSealer,
  ageSize,
  cutSealed,
  newAgeIdentity,
} from '../../crypto/age.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { random } from '../../crypto/primitives.ts';

const SEALED = AGE_CHUNK_BYTES + 16;

/** Any length: the system gives 64 KiB at a time. */
const noise = (length: number): Bytes =>
  concat(
    ...Array.from({ length: Math.ceil(length / 65_536) }, (_, i) => random(Math.min(65_536, length - i * 65_536))),
  );

/** What opens before something does not, and what that was. */
async function openAll(file: Bytes, identity: Bytes): Promise<{ text: Bytes; error: string | null }> {
  const parts: Bytes[] = [];
  try {
    const opener = await AgeOpener.open(file, identity);
    const chunks = [...cutSealed(file.slice(opener.chunksAt))];
    if (chunks.length === 0) throw new CryptoError('malformed');
    for (const [index, chunk] of chunks.entries()) parts.push(opener.open(index, index === chunks.length - 1, chunk));
    return { text: concat(...parts), error: null };
  } catch (error) {
    return { text: concat(...parts), error: (error as CryptoError).code };
  }
}

async function sealAll(content: Bytes, identity = newAgeIdentity()) {
  const sealer = await AgeSealer.create(await ageRecipient(identity));
  const count = Math.max(1, Math.ceil(content.length / AGE_CHUNK_BYTES));
  const seal = (index: number) =>
    sealer.seal(index, index === count - 1, content.slice(index * AGE_CHUNK_BYTES, (index + 1) * AGE_CHUNK_BYTES));
  const chunks = Array.from({ length: count }, (_, index) => seal(index));
  return { identity, sealer, seal, chunks, file: concat(sealer.start, ...chunks) };
}

/** One file of the standard's test kit (c2sp.org/CCTV/age): fields, an empty line, then the file. */
function parse(raw: Uint8Array) {
  const bytes = Buffer.from(raw);
  const end = bytes.indexOf('\n\n');
  const fields = bytes.subarray(0, end).toString().split('\n');
  const all = (name: string) =>
    fields.filter((field) => field.startsWith(`${name}: `)).map((field) => field.slice(name.length + 2));
  const body = bytes.subarray(end + 2);
  return { all, body: all('compressed').length > 0 ? inflateSync(body) : body };
}

describe('the files of the standard', () => {
  const kit = Object.entries(vectors)
    .map(([name, raw]) => ({ name, ...parse(raw) }))
    .filter(({ all }) => all('identity').length === 1 && all('identity')[0]!.startsWith('AGE-SECRET-KEY-1'))
    .filter(({ all }) => all('armored').length === 0 && all('passphrase').length === 0);
  const failures: Record<string, string[]> = {
    success: [],
    'no match': ['unknownKey'],
    'HMAC failure': ['forged'],
    'header failure': ['malformed'],
    'payload failure': ['forged', 'malformed'],
  };

  test('are there', () => expect(kit.length).toBeGreaterThan(50));

  test.each(kit)('$name', async ({ all, body }) => {
    const [expected] = all('expect');
    const identity = new Uint8Array(
      bech32.fromWords(bech32.decode(all('identity')[0]!.toLowerCase() as `${string}1${string}`, false).words),
    );
    const { text, error } = await openAll(new Uint8Array(body), identity);
    if (expected === 'success') expect(error).toBeNull();
    else expect(failures[expected!]).toContain(error);
    const [payload] = all('payload');
    // Others, who do not know where a file ends, show a beginning of what is broken.
    if (expected === 'success') expect(createHash('sha256').update(text).digest('hex')).toBe(payload);
  });
});

describe('another implementation', () => {
  const words = (prefix: string, bytes: Bytes) => bech32.encodeFromBytes(prefix, bytes);

  test.each([0, 1, AGE_CHUNK_BYTES - 1, AGE_CHUNK_BYTES, AGE_CHUNK_BYTES + 1, 200_000])(
    'opens what is sealed here, and what it seals opens here: %i bytes',
    async (size) => {
      const content = noise(size);
      const { identity, file } = await sealAll(content);
      expect(file.length).toBe(ageSize(size));
      const decrypter = new Decrypter();
      decrypter.addIdentity(words('age-secret-key-', identity).toUpperCase());
      expect(Buffer.from(await decrypter.decrypt(file)).equals(Buffer.from(content))).toBe(true);
      const encrypter = new Encrypter();
      encrypter.addRecipient(words('age', await ageRecipient(identity)));
      const theirs = new Uint8Array(await encrypter.encrypt(content));
      const opened = await openAll(theirs, identity);
      expect(opened.error).toBeNull();
      expect(Buffer.from(opened.text).equals(Buffer.from(content))).toBe(true);
    },
  );
});

describe('a sealed file', () => {
  test('opens anywhere, for its identity alone', async () => {
    const content = noise(3 * AGE_CHUNK_BYTES + 5);
    const { identity, sealer, chunks, file } = await sealAll(content);
    expect(sealer.start.length).toBe(AGE_START_BYTES);
    const opener = await AgeOpener.open(file.slice(0, AGE_START_BYTES), identity);
    expect(opener.chunksAt).toBe(AGE_START_BYTES);
    expect(opener.open(2, false, chunks[2]!)).toEqual(content.slice(2 * AGE_CHUNK_BYTES, 3 * AGE_CHUNK_BYTES));
    expect((await openAll(file, newAgeIdentity())).error).toBe('unknownKey');
    expect(Buffer.from(file).includes(Buffer.from(content.slice(0, 32)))).toBe(false);
  });

  test('does not open where a byte of it is another', async () => {
    const { identity, file } = await sealAll(noise(AGE_CHUNK_BYTES + 100));
    for (const at of [
      0,
      25,
      40,
      100,
      150,
      AGE_START_BYTES - 1,
      AGE_START_BYTES,
      AGE_START_BYTES + SEALED - 1,
      file.length - 1,
    ]) {
      const flipped = file.slice();
      flipped[at]! ^= 1;
      expect((await openAll(flipped, identity)).error, `byte ${at}`).not.toBeNull();
    }
  });

  test('shows that it was cut short, wherever that is, also between two chunks', async () => {
    const content = noise(3 * AGE_CHUNK_BYTES);
    const { identity, file } = await sealAll(content);
    for (const length of [
      10,
      100,
      AGE_START_BYTES,
      AGE_START_BYTES + 16,
      AGE_START_BYTES + SEALED,
      AGE_START_BYTES + 2 * SEALED,
      file.length - 1,
    ])
      expect((await openAll(file.slice(0, length), identity)).error, `${length} bytes`).not.toBeNull();
    expect((await openAll(concat(file, random(20)), identity)).error).not.toBeNull();
  });

  test('shows chunks in another order, twice, or of another file, also under the same identity', async () => {
    const identity = newAgeIdentity();
    const [one, other] = [
      await sealAll(noise(2 * AGE_CHUNK_BYTES), identity),
      await sealAll(noise(2 * AGE_CHUNK_BYTES), identity),
    ];
    const { start } = one.sealer;
    const [a, b] = one.chunks;
    const [c, d] = other.chunks;
    for (const chunks of [[b, a], [a, a], [c, b], [a, d], [b]])
      expect((await openAll(concat(start, ...chunks.map((chunk) => chunk!)), identity)).error).toBe('forged');
    expect((await openAll(concat(other.sealer.start, ...one.chunks), identity)).error).toBe('forged');
  });

  test('is made again byte for byte, and never of anything else', async () => {
    const content = noise(2 * AGE_CHUNK_BYTES + 9);
    const { sealer, seal, chunks } = await sealAll(content);
    for (const index of [2, 0, 1, 1]) expect(seal(index)).toEqual(chunks[index]);
    const changed = content.slice();
    changed[AGE_CHUNK_BYTES]! ^= 1;
    const refused = (index: number, isLast: boolean, chunk: Bytes) =>
      expect(() => sealer.seal(index, isLast, chunk)).toThrow(expect.objectContaining({ code: 'usage' }));
    refused(1, false, changed.slice(AGE_CHUNK_BYTES, 2 * AGE_CHUNK_BYTES));
    refused(2, true, new Uint8Array(10));
    // No second end, and nothing that is no chunk of its place.
    refused(1, true, content.slice(AGE_CHUNK_BYTES, 2 * AGE_CHUNK_BYTES));
    refused(2, false, content.slice(0, AGE_CHUNK_BYTES));
    refused(0, false, new Uint8Array(9));
    refused(2, true, new Uint8Array(0));
    expect(seal(1)).toEqual(chunks[1]);
  });

  test('is not made under zeros once its key is wiped', async () => {
    const sealer = await AgeSealer.create(await ageRecipient(newAgeIdentity()));
    sealer.wipe();
    expect(() => sealer.seal(0, true, noise(9))).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
