/** Sealed messages between members: who said it, to whom, in which epoch, and only once. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, equal, hex, labelled, utf8 } from '../../crypto/bytes.ts';
import { Writer } from '../../crypto/codec.ts';
import { ENVELOPE_LABEL, SequenceGuard, open, parseEnvelopeHeader, seal } from '../../crypto/envelope.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { aeadSeal, random, signKeyPair } from '../../crypto/primitives.ts';
import { signBytes } from '../../crypto/signed.ts';

let key: Bytes;
let groupId: Bytes;
let leafPair: KeyPair;
const BOB = 'bob-peer-id-xxxxxxxxxx';

beforeEach(async () => {
  key = random(32);
  groupId = random(32);
  leafPair = await signKeyPair();
});

const signWith = (pair: KeyPair) => (label: string, bytes: Bytes) => signBytes(label, bytes, pair.privateKey);

function sealed(change: Partial<Parameters<typeof seal>[0]> = {}): Promise<Bytes> {
  const sign = signWith(leafPair);
  const message = { to: BOB, kind: 'offer', sequence: 7, body: utf8('v=0') };
  return seal({ key, groupId, epoch: 5, leaf: 3, senderLeafKey: leafPair.publicKey, sign, ...message, ...change });
}

function opened(bytes: Bytes, change: Partial<Parameters<typeof open>[0]> = {}) {
  return open({ key, groupId, epoch: 5, senderLeafKey: leafPair.publicKey, expectTo: BOB, ...change }, bytes);
}

describe('round trip', () => {
  test('recipient, kind, sequence and body come back', async () => {
    for (const [to, kind, sequence, size] of [
      [BOB, 'offer', 7, 3000],
      ['', 'hand', 0, 0],
      [BOB, '', 2 ** 53 - 1, 100_000],
    ] as const) {
      const body = concat(...Array.from({ length: Math.ceil(size / 65_536) }, () => random(65_536))).subarray(0, size);
      const message = await opened(await sealed({ to, kind, sequence, body }));
      expect(message).toMatchObject({ to, kind, sequence });
      expect(equal(message.body, body)).toBe(true);
    }
  });

  test('epoch and leaf can be read before opening', async () => {
    expect(parseEnvelopeHeader(await sealed())).toEqual({ epoch: 5, leaf: 3 });
    expect(parseEnvelopeHeader(await sealed({ epoch: 2 ** 40, leaf: 65_535 }))).toEqual({
      epoch: 2 ** 40,
      leaf: 65_535,
    });
  });

  test('nothing else can be read, and lengths come in steps of 256', async () => {
    const text = hex(await sealed({ body: utf8('fingerprint') }));
    for (const part of [BOB, 'offer', 'fingerprint']) expect(text).not.toContain(hex(utf8(part)));
    expect(text).not.toContain(hex(groupId));
    const sizes = new Set<number>();
    for (let size = 0; size < 400; size += 7) sizes.add((await sealed({ body: random(size) })).length);
    expect([...sizes]).toEqual([256, 512].map((content) => 11 + 40 + content));
  });
});

describe('must reject', () => {
  const forged = { code: 'forged' };
  const malformed = { code: 'malformed' };

  test('another key, group, epoch, sender or recipient', async () => {
    const bytes = await sealed();
    await expect(opened(bytes, { key: random(32) })).rejects.toMatchObject(forged);
    await expect(opened(bytes, { groupId: random(32) })).rejects.toMatchObject(forged);
    await expect(opened(bytes, { epoch: 6 })).rejects.toMatchObject(forged);
    await expect(opened(bytes, { senderLeafKey: (await signKeyPair()).publicKey })).rejects.toMatchObject(forged);
    await expect(opened(bytes, { expectTo: 'carol-peer-id-xxxxxxxx' })).rejects.toMatchObject(forged);
    expect((await opened(bytes)).kind).toBe('offer');
  });

  test('any flipped bit, any truncation, anything added', async () => {
    const bytes = await sealed();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const code = bit < 8 || (bit < 72 && parses(flipped) === null) ? 'malformed' : 'forged';
      await expect(opened(flipped), `bit ${bit}`).rejects.toMatchObject({ code });
    }
    for (let length = 0; length < bytes.length; length += 5) {
      const code = length < 11 + 40 ? 'malformed' : 'forged';
      await expect(opened(bytes.slice(0, length))).rejects.toMatchObject({ code });
    }
    await expect(opened(concat(bytes, random(1)))).rejects.toMatchObject(forged);
  });

  test('another member, who has the key, speaking for the sender', async () => {
    const mallory = await signKeyPair();
    const bytes = await sealed({ sign: signWith(mallory) });
    await expect(opened(bytes)).rejects.toMatchObject(forged);
  });

  test("the sender's signature moved to another recipient, kind, sequence, body, epoch or group by a member", async () => {
    // A member can take content apart and seal it anew under the key that all members have.
    const genuine = { to: BOB, kind: 'offer', sequence: 7, body: utf8('v=0') };
    let signature: Bytes = random(64);
    await sealed({
      ...genuine,
      sign: async (label, bytes) => (signature = await signWith(leafPair)(label, bytes)),
    });
    const replayWith = (change: object) => sealed({ ...genuine, ...change, sign: async () => signature });
    expect((await opened(await replayWith({}))).sequence).toBe(7);
    for (const change of [{ to: '' }, { kind: 'answer' }, { sequence: 8 }, { body: utf8('v=1') }]) {
      await expect(opened(await replayWith(change)), JSON.stringify(change)).rejects.toMatchObject(forged);
    }
    await expect(opened(await replayWith({ epoch: 6 }), { epoch: 6 })).rejects.toMatchObject(forged);
    const elsewhere = random(32);
    await expect(opened(await replayWith({ groupId: elsewhere }), { groupId: elsewhere })).rejects.toMatchObject(
      forged,
    );
  });

  test('padding that is not zero, or a whole step too long', async () => {
    const header = new Writer().u8(1).u64(5).u16(3).done();
    const aad = labelled(ENVELOPE_LABEL, new Writer().opaque8(groupId).fixed(header).done());
    const content = new Writer().fixed(random(64)).text8('').text8('hand').u64(1).opaque32(random(0)).done();
    const bad = async (padding: Bytes) => concat(header, await aeadSeal(key, concat(content, padding), aad));
    await expect(opened(await bad(Uint8Array.of(0, 1)))).rejects.toMatchObject(malformed);
    await expect(opened(await bad(new Uint8Array(256)))).rejects.toMatchObject(malformed);
    await expect(opened(await bad(new Uint8Array(10)))).rejects.toMatchObject(forged);
  });

  test('another version, and a signature of another length from our own signer', async () => {
    const bytes = await sealed();
    bytes[0] = 2;
    expect(parses(bytes)).toBeNull();
    await expect(sealed({ sign: async () => random(63) })).rejects.toMatchObject({ code: 'usage' });
    await expect(sealed({ leaf: 65_536 })).rejects.toMatchObject({ code: 'usage' });
    await expect(sealed({ kind: 'x'.repeat(256) })).rejects.toMatchObject({ code: 'usage' });
  });

  function parses(bytes: Bytes) {
    try {
      return parseEnvelopeHeader(bytes);
    } catch {
      return null;
    }
  }
});

describe('sequences', () => {
  test('rise per sender and kind; a repeated or older one is refused, a gap is not', () => {
    const guard = new SequenceGuard();
    expect(guard.accept('a', 'offer', 5)).toBe(true);
    expect(guard.accept('a', 'offer', 5)).toBe(false);
    expect(guard.accept('a', 'offer', 4)).toBe(false);
    expect(guard.accept('a', 'answer', 4)).toBe(true);
    expect(guard.accept('b', 'offer', 0)).toBe(true);
    expect(guard.accept('a', 'offer', 900)).toBe(true);
    expect(guard.accept('a', 'offer', 6)).toBe(false);
  });

  test('of steps may come in any order, each once, up to 64 of them late', () => {
    const guard = new SequenceGuard(new Set(['step']));
    expect([9, 3, 5, 9, 3, 5, 4].map((sequence) => guard.accept('a', 'step', sequence))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      true,
    ]);
    expect(guard.accept('b', 'step', 9)).toBe(true);
    expect(guard.accept('a', 'news', 9)).toBe(true);
    expect(guard.accept('a', 'news', 3)).toBe(false);
    // 3, 4, 5 and 9 give way to the newest 64, and nothing comes again that has.
    for (let sequence = 100; sequence < 164; sequence++) expect(guard.accept('a', 'step', sequence)).toBe(true);
    for (let sequence = 0; sequence < 164; sequence++)
      expect(guard.accept('a', 'step', sequence)).toBe(sequence > 9 && sequence < 100);
  });

  test('a member who invents kinds does not fill our memory, and does not lose the ones it had', () => {
    const guard = new SequenceGuard();
    guard.accept('a', 'offer', 1);
    const accepted = Array.from({ length: 1000 }, (_, i) => guard.accept('a', `kind ${i}`, 1)).filter(Boolean);
    expect(accepted).toHaveLength(63);
    expect(guard.accept('a', 'offer', 1)).toBe(false);
    expect(guard.accept('a', 'offer', 2)).toBe(true);
  });

  test('are forgotten only when told', () => {
    const guard = new SequenceGuard();
    guard.accept('a', 'offer', 1);
    guard.forget('b');
    expect(guard.accept('a', 'offer', 1)).toBe(false);
    guard.forget('a');
    expect(guard.accept('a', 'offer', 1)).toBe(true);
  });
});
