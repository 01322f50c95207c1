/** Many entries in one, without their signatures: what whoever packs it can do to them. */
import { beforeAll, describe, expect, test } from 'vitest';
import { concat, equal } from '../../crypto/bytes.ts';
import type { Block, PackedEntry } from '../../crypto/chatBlock.ts';
import { packEntries, unpackEntries } from '../../crypto/chatBlock.ts';
import type { OpenedEntry } from '../../crypto/chatEntry.ts';
import { entryBytes, eraseEntry, NO_PREVIOUS, openEntry, sealEntry } from '../../crypto/chatEntry.ts';
import { deriveChatKey, newRingSecret, type ChatKey } from '../../crypto/chatKey.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { utf8 } from '../../crypto/bytes.ts';

const MEETING = 'abcd-efgh-jkmn-pqrs';
let key: ChatKey;
let ada: KeyPair | undefined;
let ben: KeyPair | undefined;

beforeAll(async () => {
  key = await deriveChatKey({ secret: newRingSecret(), generation: 0, closed: null }, MEETING);
  [ada, ben] = await Promise.all([signKeyPair(), signKeyPair()]);
});

/** A chain of so many entries, each in the place behind the last. */
async function chain(identity: KeyPair, count: number, list = 0): Promise<PackedEntry[]> {
  const writer = random(8);
  const entries: PackedEntry[] = [];
  let previous = NO_PREVIOUS;
  for (let sequence = 0; sequence < count; sequence++) {
    const body = utf8(`message ${sequence}`);
    const at = 1000 + 100 * sequence;
    const sealed = await sealEntry(key, MEETING, { identity, writer, sequence, at, previous, body });
    entries.push(packed(sealed.bytes, { list, clock: sequence }));
    previous = sealed.id;
  }
  return entries;
}

const packed = (bytes: Uint8Array<ArrayBuffer>, place: { list: number; clock: number }): PackedEntry => ({
  ...place,
  bytes,
  entry: openEntry(key, MEETING, bytes),
});

/** Of what comes out: bytes as they lie in a document, in order of their places. */
function unpacked(block: Block): { list: number; clock: number; bytes: Uint8Array }[] {
  const found = [...unpackEntries(key, MEETING, block)].flatMap((one) => one ?? []);
  return found
    .map(({ list, clock, ...one }) => ({
      ...{ list, clock },
      bytes: 'loose' in one ? one.loose : entryBytes(key, MEETING, one.entry),
    }))
    .sort((a, b) => a.list - b.list || a.clock - b.clock);
}

const unsigned = (entry: OpenedEntry): OpenedEntry => ({ ...entry, signature: null });
const textOf = (bytes: Uint8Array<ArrayBuffer>): string | null => {
  const { content } = openEntry(key, MEETING, bytes);
  return content.is === 'full' ? new TextDecoder().decode(content.body) : null;
};

describe('a block', () => {
  test('gives back every entry byte for byte, without all signatures but the last of each run', async () => {
    const entries = [...(await chain(ada!, 20)), ...(await chain(ben!, 5, 1))];
    const block = packEntries(entries);
    const found = unpacked(block);
    expect(found.map(({ list, clock }) => [list, clock])).toEqual(entries.map(({ list, clock }) => [list, clock]));
    for (const [i, { bytes }] of found.entries()) {
      const { entry, bytes: before } = entries[i]!;
      const isLast = i === 19 || i === 24;
      expect(equal(bytes, isLast ? before : entryBytes(key, MEETING, unsigned(entry!)))).toBe(true);
    }
    const perEntry = (block.plain.length + block.rest.length) / 25;
    expect(perEntry).toBeLessThan(45);
  });

  test('keeps what was erased as a link of the chain, without a trace of what it said', async () => {
    const entries = await chain(ada!, 6);
    const { bytes } = entries[2]!;
    entries[2] = packed(eraseEntry(key, MEETING, bytes), { list: 4, clock: 9 });
    const block = packEntries(entries);
    expect(Buffer.from(block.plain).includes('message 1')).toBe(true);
    expect(Buffer.from(block.plain).includes('message 2')).toBe(false);
    const found = unpacked(block);
    expect(found.map(({ bytes }) => textOf(bytes as never))).toEqual(
      [0, 1, 3, 4, 5, null].map((n) => n && `message ${n}`).with(0, 'message 0'),
    );
    expect(found.at(-1)).toMatchObject({ list: 4, clock: 9 });
  });

  test('of a block goes on from it: one signature is enough once more', async () => {
    const entries = await chain(ada!, 9);
    const first = unpacked(packEntries(entries.slice(0, 5)));
    const again = [...first.map(({ bytes, ...place }) => packed(bytes as never, place)), ...entries.slice(5)];
    const found = unpacked(packEntries(again));
    expect(found).toHaveLength(9);
    expect(found.map(({ bytes }) => bytes[0])).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 1]);
  });

  test('carries entries of forks, gaps, and two places of one entry; what nobody signed comes as it is', async () => {
    const entries = await chain(ada!, 8);
    const { entry } = entries[3]!;
    const terms = {
      identity: ada!,
      writer: entry!.writer,
      sequence: 4,
      at: 1,
      previous: entry!.id,
      body: utf8('fork'),
    };
    const fork = await sealEntry(key, MEETING, terms);
    const lonely = packed(entryBytes(key, MEETING, unsigned(entries[6]!.entry!)), { list: 0, clock: 6 });
    const given = [
      ...entries.slice(0, 5),
      packed(fork.bytes, { list: 1, clock: 0 }),
      packed(entries[1]!.bytes, { list: 2, clock: 7 }),
      lonely,
      { list: 3, clock: 0, bytes: random(50), entry: null },
    ];
    const found = unpacked(packEntries(given));
    expect(found).toHaveLength(given.length);
    for (const place of given) {
      const other = found.find(({ list, clock }) => list === place.list && clock === place.clock)!;
      if (place.entry === null || place === lonely) expect(equal(other.bytes, place.bytes)).toBe(true);
      else expect(equal(openEntry(key, MEETING, other.bytes as never).id, place.entry.id)).toBe(true);
    }
  });
});

describe('whoever packs a block', () => {
  type Lie = (entries: PackedEntry[]) => PackedEntry[];
  const told = (i: number, change: (entry: OpenedEntry) => OpenedEntry): Lie => {
    return (entries) => entries.map((one, at) => (at === i ? { ...one, entry: change(one.entry!) } : one));
  };
  const says = (text: string) => (entry: OpenedEntry) => ({
    ...entry,
    content: { is: 'full' as const, salt: random(16), body: utf8(text) },
  });

  /** As an honest packer lays it out, past what it checks: entries follow each other by what they say of themselves. */
  function forced(entries: PackedEntry[]): Block {
    const ids = entries.map(() => random(32));
    const linked = entries.map((one, i) => ({
      ...one,
      entry: { ...one.entry!, sequence: i, id: ids[i]!, previous: i === 0 ? NO_PREVIOUS : ids[i - 1]! },
    }));
    return packEntries(linked);
  }

  test('can force nothing by laying it out in that way that is not so', async () => {
    expect(unpacked(forced(await chain(ada!, 6)))).toHaveLength(6);
  });

  test.each<[string, Lie]>([
    ['alters what one says', told(2, says('altered'))],
    [
      'alters the salt of one',
      told(2, (entry) => ({
        ...entry,
        content: { ...(entry.content as { is: 'full'; salt: never; body: never }), salt: random(16) as never },
      })),
    ],
    ['alters what the last one says', told(5, says('altered'))],
    ['alters when one was written', told(3, (entry) => ({ ...entry, at: entry.at + 1 }))],
    [
      'erases one that its author has not',
      told(1, (entry) => ({ ...entry, content: { is: 'erased', commitment: random(32) } })),
    ],
    ['drops one from the middle', (entries) => entries.filter((_, i) => i !== 2)],
    ['drops the first', (entries) => entries.slice(1)],
    ['reorders two', (entries) => [entries[1]!, entries[0]!, ...entries.slice(2)]],
    [
      'inserts one',
      (entries) => [...entries.slice(0, 3), ...told(0, says('inserted'))([entries[2]!]), ...entries.slice(3)],
    ],
    [
      'leaves out the end, with no signature of before it',
      (entries) => [
        ...entries.slice(0, 4),
        { ...entries[4]!, entry: { ...entries[4]!.entry!, signature: random(64) } },
      ],
    ],
    [
      'gives all of it to somebody else',
      (entries) => entries.map((one) => ({ ...one, entry: { ...one.entry!, author: ben!.publicKey } })),
    ],
    [
      'gives it to another browser of its author’s',
      (entries) => {
        const writer = random(8);
        return entries.map((one) => ({ ...one, entry: { ...one.entry!, writer } }));
      },
    ],
  ])('%s: then nothing of it opens', async (_what, lie) => {
    const entries = await chain(ada!, 6);
    expect(() => unpacked(forced(lie(entries)))).toThrow(expect.objectContaining({ code: 'forged' }));
  });

  test('signs somebody else’s words with their own name, and they are their own words', async () => {
    const entries = await chain(ada!, 3);
    const { entry } = entries[2]!;
    const terms = { ...entry!, identity: ben!, body: utf8('message 2') };
    const own = await sealEntry(key, MEETING, terms);
    // Ben’s entry may name Ada’s as the one before: it vouches for nothing of hers.
    const lie = [
      ...entries.slice(0, 2).map((one) => ({ ...one, entry: unsigned(one.entry!) })),
      packed(own.bytes, { list: 0, clock: 2 }),
    ];
    const found = [...unpackEntries(key, MEETING, packEntries(lie))].flatMap((one) => one ?? []);
    const proven = found.flatMap((one) => ('entry' in one ? [one.entry] : []));
    expect(proven.map(({ author }) => author)).toEqual([ben!.publicKey]);
  });

  test('under another key, of another meeting, cut short or gone on: nothing opens', async () => {
    const block = packEntries(await chain(ada!, 4));
    const other = await deriveChatKey({ secret: newRingSecret(), generation: 0, closed: null }, MEETING);
    expect(() => [...unpackEntries(other, MEETING, block)]).toThrow();
    expect(() => [...unpackEntries(key, 'abcd-efgh-jkmn-pqrt', block)]).toThrow();
    for (const part of ['plain', 'rest'] as const) {
      for (let length = 0; length < block[part].length; length++)
        expect(() => unpacked({ ...block, [part]: block[part].slice(0, length) })).toThrow();
      expect(() => unpacked({ ...block, [part]: concat(block[part], Uint8Array.of(0)) })).toThrow();
    }
  });

  test('any bit turned in what is random, and any in what is not: never is anything shown that was not written', async () => {
    const entries = await chain(ada!, 4);
    const block = packEntries(entries);
    const genuine = new Set(entries.map(({ entry }) => Buffer.from(entry!.id).toString('hex')));
    let opened = 0;
    for (const part of ['plain', 'rest'] as const) {
      for (let at = 0; at < block[part].length; at++) {
        const turned = block[part].slice();
        turned[at]! ^= 1 << (at % 8);
        try {
          for (const one of unpackEntries(key, MEETING, { ...block, [part]: turned }))
            if (one !== null && 'entry' in one) {
              opened += 1;
              expect(genuine.has(Buffer.from(one.entry.id).toString('hex'))).toBe(true);
            }
        } catch (error) {
          expect(error).toMatchObject({ name: 'CryptoError' });
        }
      }
    }
    // Where one lies nobody signs: that is compared by everybody who has it (client/chat/providers/snapshots.ts).
    expect(opened).toBeLessThan(100);
  });

  test('a count of more than there is takes no memory', () => {
    const plain = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(() => [...unpackEntries(key, MEETING, { plain, rest: new Uint8Array() })]).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    );
  });
});
