/** The primitives against published vectors and against node:crypto, an independent implementation. */
import {
  argon2Sync,
  createHash,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, equal, fromHex, hex, utf8 } from '../../crypto/bytes.ts';
import {
  AEAD_OVERHEAD,
  aeadOpen,
  aeadSeal,
  blake2b,
  hkdf,
  random,
  ready,
  sha256,
  sign,
  signKeyPair,
  stretch,
  verify,
} from '../../crypto/primitives.ts';

const empty = new Uint8Array(0);

/** PKCS #8 and SPKI of RFC 8410 around raw Ed25519 keys. */
const nodePrivate = (seed: Bytes) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
const nodePublic = (key: Bytes) =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]),
    format: 'der',
    type: 'spki',
  });

describe('vectors', () => {
  test('BLAKE2b-512 of "abc", RFC 7693 Appendix A', async () => {
    expect(hex(await blake2b(utf8('abc'), 64))).toBe(
      'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1' +
        '7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    );
  });

  test('Ed25519, RFC 8032 §7.1, TEST 1 to 3', async () => {
    const tests = [
      {
        seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        message: '',
        signature:
          'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      },
      {
        seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        message: '72',
        signature:
          '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      },
      {
        seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        message: 'af82',
        signature:
          '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      },
    ];
    for (const vector of tests) {
      const pair = await signKeyPair(fromHex(vector.seed));
      expect(hex(pair.publicKey)).toBe(vector.publicKey);
      const message = fromHex(vector.message);
      expect(hex(await sign(pair.privateKey, message))).toBe(vector.signature);
      expect(await verify(pair.publicKey, message, fromHex(vector.signature))).toBe(true);
    }
  });

  test('XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03 Appendix A.3.1', async () => {
    const key = fromHex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
    const nonce = fromHex('404142434445464748494a4b4c4d4e4f5051525354555657');
    const ciphertext = fromHex(
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39' +
        'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9' +
        '21f9664c97637da9768812f615c68b13b52e',
    );
    const tag = fromHex('c0875924c1c7987947deafd8780acf49');
    const opened = await aeadOpen(key, concat(nonce, ciphertext, tag), fromHex('50515253c0c1c2c3c4c5c6c7'));
    expect(new TextDecoder().decode(opened)).toBe(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
  });
});

describe('agrees with node:crypto', () => {
  test('BLAKE2b-512 and SHA-256 at many lengths', async () => {
    for (const length of [0, 1, 63, 64, 65, 127, 128, 129, 1000]) {
      const data = random(length);
      expect(hex(await blake2b(data, 64))).toBe(createHash('blake2b512').update(data).digest('hex'));
      expect(hex(await sha256(data))).toBe(createHash('sha256').update(data).digest('hex'));
    }
  });

  test('HKDF-SHA-512, RFC 5869, with and without salt and info', async () => {
    for (const [saltBytes, infoBytes, length] of [
      [0, 0, 32],
      [16, 40, 64],
      [64, 0, 1],
      [128, 200, 255],
      [0, 1000, 1000],
    ] as const) {
      const [ikm, salt, info] = [random(32), random(saltBytes), random(infoBytes)];
      const expected = Buffer.from(hkdfSync('sha512', ikm, salt, info, length)).toString('hex');
      expect(hex(await hkdf(ikm, { salt, info, length }))).toBe(expected);
    }
  });

  test('Ed25519, both ways', async () => {
    for (let round = 0; round < 20; round++) {
      const pair = await signKeyPair();
      const message = random(round * 7);
      const ours = await sign(pair.privateKey, message);
      expect(nodeVerify(null, message, nodePublic(pair.publicKey), ours)).toBe(true);
      const theirs = new Uint8Array(nodeSign(null, message, nodePrivate(pair.privateKey)));
      expect(hex(theirs)).toBe(hex(ours));
      expect(await verify(pair.publicKey, message, theirs)).toBe(true);
    }
  });

  test('Argon2id with 64 MiB and 3 passes', async () => {
    const salt = random(16);
    const expected = argon2Sync('argon2id', {
      message: Buffer.from('pässword'),
      nonce: salt,
      parallelism: 1,
      tagLength: 32,
      memory: 65_536,
      passes: 3,
    });
    expect(hex(await stretch('pässword', salt))).toBe(expected.toString('hex'));
  });
});

describe('passwords', () => {
  test('the same word typed in another Unicode form is the same password, another word is not', async () => {
    const salt = random(16);
    const [composed, decomposed, wide, other, otherSalt] = await Promise.all([
      stretch('caf\u00e9 1', salt),
      stretch('cafe\u0301 1', salt),
      stretch('cafe\u0301 \uff11', salt),
      stretch('cafe 1', salt),
      stretch('caf\u00e9 1', random(16)),
    ]);
    expect(equal(composed, decomposed)).toBe(true);
    expect(equal(composed, wide)).toBe(true);
    expect(equal(composed, other)).toBe(false);
    expect(equal(composed, otherSalt)).toBe(false);
  });

  test('a salt of another length is our own mistake', async () => {
    await expect(stretch('password', random(15))).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('sealing', () => {
  test('round trip, with nonces that differ', async () => {
    const key = random(32);
    const aad = utf8('what for');
    const seen = new Set<string>();
    for (const length of [0, 1, 100, 100_000]) {
      const plaintext = concat(...Array.from({ length: Math.ceil(length / 65_536) }, () => random(65_536))).subarray(
        0,
        length,
      );
      const sealed = await aeadSeal(key, plaintext, aad);
      expect(sealed).toHaveLength(length + AEAD_OVERHEAD);
      expect(equal(await aeadOpen(key, sealed, aad), plaintext)).toBe(true);
      seen.add(hex(sealed.subarray(0, 24)));
    }
    expect(seen.size).toBe(4);
  });

  test('any flipped bit, lost or added byte, other key or aad is refused', async () => {
    const key = random(32);
    const aad = utf8('what for');
    const sealed = await aeadSeal(key, random(20), aad);
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const flipped = sealed.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expect(aeadOpen(key, flipped, aad)).rejects.toMatchObject({ code: 'forged' });
    }
    for (let length = 0; length < sealed.length; length++) {
      const code = length < AEAD_OVERHEAD ? 'malformed' : 'forged';
      await expect(aeadOpen(key, sealed.slice(0, length), aad)).rejects.toMatchObject({ code });
    }
    await expect(aeadOpen(key, concat(sealed, Uint8Array.of(0)), aad)).rejects.toMatchObject({ code: 'forged' });
    await expect(aeadOpen(random(32), sealed, aad)).rejects.toMatchObject({ code: 'forged' });
    await expect(aeadOpen(key, sealed, empty)).rejects.toMatchObject({ code: 'forged' });
    await expect(aeadOpen(random(31), sealed, aad)).rejects.toMatchObject({ code: 'usage' });
    await expect(aeadSeal(random(33), sealed, aad)).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('signing', () => {
  test('any flipped bit of signature or key, and any other message, is refused', async () => {
    const pair = await signKeyPair();
    const message = random(40);
    const signature = await sign(pair.privateKey, message);
    expect(await verify(pair.publicKey, message, signature)).toBe(true);
    for (let bit = 0; bit < 512; bit++) {
      const flipped = signature.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(await verify(pair.publicKey, message, flipped)).toBe(false);
    }
    for (let bit = 0; bit < 256; bit++) {
      const flipped = pair.publicKey.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(await verify(flipped, message, signature)).toBe(false);
    }
    expect(await verify(pair.publicKey, message.subarray(1), signature)).toBe(false);
    expect(await verify((await signKeyPair()).publicKey, message, signature)).toBe(false);
  });

  test('wrong lengths are false, not an error: they come from outside', async () => {
    const pair = await signKeyPair();
    const signature = await sign(pair.privateKey, empty);
    for (const length of [0, 31, 33, 64]) expect(await verify(random(length), empty, signature)).toBe(false);
    for (const length of [0, 63, 65]) expect(await verify(pair.publicKey, empty, random(length))).toBe(false);
  });

  test('a key of small order signs nothing, and a signature has no second form', async () => {
    // The neutral element as key and R, and 0 as S: holds for every message where nobody checks.
    const neutral = fromHex(`01${'00'.repeat(31)}`);
    expect(await verify(neutral, random(5), concat(neutral, new Uint8Array(32)))).toBe(false);
    // S + L is the same number modulo L, so a lax verifier takes it.
    const pair = await signKeyPair();
    const signature = await sign(pair.privateKey, empty);
    const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
    let scalar = 0n;
    for (let i = 63; i >= 32; i--) scalar = (scalar << 8n) | BigInt(signature[i]!);
    scalar += order;
    const second = signature.slice();
    for (let i = 32; i < 64; i++, scalar >>= 8n) second[i] = Number(scalar & 0xffn);
    expect(await verify(pair.publicKey, empty, second)).toBe(false);
  });

  test('the pair of a seed keeps a copy of it', async () => {
    const seed = random(32);
    const pair = await signKeyPair(seed);
    const before = hex(seed);
    seed.fill(0);
    expect(hex(pair.privateKey)).toBe(before);
    await expect(signKeyPair(random(31))).rejects.toMatchObject({ code: 'usage' });
    await expect(sign(random(64), empty)).rejects.toMatchObject({ code: 'usage' });
  });
});

test('lengths that a primitive does not have are our own mistake', async () => {
  await ready();
  for (const length of [0, 15, 65]) await expect(blake2b(empty, length)).rejects.toMatchObject({ code: 'usage' });
  for (const length of [0, 255 * 64 + 1]) {
    await expect(hkdf(random(32), { salt: empty, info: empty, length })).rejects.toMatchObject({ code: 'usage' });
  }
});
