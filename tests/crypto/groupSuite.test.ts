/** The suite under the groups: our own hashes and signatures against RFC 9420, X-Wing against a second implementation. */
import { XWing as OtherXWing } from '@noble/post-quantum/hybrid.js';

import { x25519 } from '@noble/curves/ed25519.js';
import { ciphersuites, getCiphersuiteFromName, getCiphersuiteImpl } from 'ts-mls';
import { refhash } from 'ts-mls/crypto/hash.js';
import { deriveSecret, deriveTreeSecret, expandWithLabel } from 'ts-mls/crypto/kdf.js';
import { signWithLabel, verifyWithLabel } from 'ts-mls/crypto/signature.js';
import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '../../crypto/bytes.ts';
import { KEM_KEY_BYTES, isKemKey, kemPublicKeyOf } from '../../crypto/kemKey.ts';
import { HASH_BYTES, SUITE, suite } from '../../crypto/mlsSuite.ts';
import { random } from '../../crypto/primitives.ts';
import { XWing } from '../../crypto/xWing.ts';

/**
 * From crypto-basics.json of the MLS working group's test vectors (github.com/mlswg/mls-implementations): what suite 5, which
 * shares its hash and KDF with ours, gives for one secret each; and an Ed25519 signature of suite 1.
 */
const SHA512 = {
  derive: {
    secret:
      '1cdabb996d9238bed1fc287457e587f629b0641d4f5229c22b3b456f76342bca74c512a089560940c32529b203288a0d9833c263fa65c697e2c7e27a8b1de508',
    out: '05daff5cba60076f326bf1f4e0b6debae2b2985f897dede6e63a47bb6bf1513505135cbf0e3cf2e337084966424c0c87659b000362b9c794cd03b266bdc68a48',
  },
  tree: {
    generation: 2694881440,
    secret:
      '73602e2c5229627e45a5902079b92aada93cd3d20429f23051f57c1a3ed7e42315a94416c2d2fcaa5630e638540ce0a4db3188df7dacf07fb8793bcadaa96493',
    out: '63796c6b505bf9de7cb66becd0abcfa7b240c5da83d111ac57a1936508741791ae86fddfe5d42ee04964416ed7a92563b55e9a3f4c6fbb3cca4d0647f873aca4',
  },
  expand: {
    context:
      '538b60a6bac7802b0a51923521e62811461ec0827e94034f409d6181f96f3ff312861e15ac2584d909e58ec17c73ba12f511f9a4097ddaca25bc18824d1511b7',
    length: 32,
    secret:
      '2b63ac3f45736045b679d61946d0d6ced888dce4f7cc483560df3c626d4d31521cbcbe9e5a8002124964b34e76ce5658d3c70c1a536b273f0af71c3cd70b710e',
    out: 'cdce438fea561f808f6383ec3da5dcd1c58baa456368003e13afd6c3fb191b51',
  },
  ref: {
    value:
      '95a29073ba4ef965188b22dc59bd8471117a7be24d8b9081b0f5d9484ff134eebd4c27bc270cd919ecdf6073c8da8ce5991d8320fa47af61eb4bfc67066c2faa',
    out: '9aaa7ce965b633604b6d6e2a091b19d60690de09796d09af51bf18c7d432f927ac30563c17bcff08ca87c93a998d57ca76708ec1e4b8f2c47276021e130b4960',
  },
};
const ED25519 = {
  content: 'ac833a785a00dc0a8e4d777d7b37ad403a33916334306730d4ce2e359e49169c',
  seed: '6db310bb3cb063f3fc498e048dbd33885b260a7ee606c8ebd5231d2258b6e572',
  publicKey: 'fa69d57b300537d17953e7292ceff3dd3a6b0284d1e5aa5bc35db01dd9ce78a4',
  signature:
    '8227e8cb94513227ebca109f6846c1c2d2952e11871e46bb571a9b0173e9cca9a1937e6855183e4059669167908a36614bad713f914766f5d7ea8393c995d009',
};

describe('the suite', () => {
  test('is the post-quantum one, by its number too', async () => {
    expect((await suite()).name).toBe('MLS_256_XWING_AES256GCM_SHA512_Ed25519');
    expect(ciphersuites[SUITE]).toBe(83);
    expect((await suite()).kdf.size).toBe(HASH_BYTES);
    expect((await suite()).hpke.keyLength).toBe(32);
  });

  test('derives and hashes as RFC 9420 says', async () => {
    const { kdf, hash } = await suite();
    const { derive, tree, expand, ref } = SHA512;
    expect(hex(await deriveSecret(fromHex(derive.secret), 'DeriveSecret', kdf))).toBe(derive.out);
    const secret = fromHex(tree.secret);
    expect(hex(await deriveTreeSecret(secret, 'DeriveTreeSecret', tree.generation, 64, kdf))).toBe(tree.out);
    const { length, context } = expand;
    const expanded = await expandWithLabel(fromHex(expand.secret), 'ExpandWithLabel', fromHex(context), length, kdf);
    expect(hex(expanded)).toBe(expand.out);
    expect(hex(await refhash('RefHash', fromHex(ref.value), hash))).toBe(ref.out);
  });

  test('signs and verifies as RFC 9420 says', async () => {
    const { signature } = await suite();
    const content = fromHex(ED25519.content);
    const signed = await signWithLabel(fromHex(ED25519.seed), 'SignWithLabel', content, signature);
    expect(hex(signed)).toBe(ED25519.signature);
    const publicKey = fromHex(ED25519.publicKey);
    expect(await verifyWithLabel(publicKey, 'SignWithLabel', content, signed, signature)).toBe(true);
    expect(await verifyWithLabel(publicKey, 'SignWithLabels', content, signed, signature)).toBe(false);
  });

  test("computes the same as ts-mls's own, which uses WebCrypto", async () => {
    const [ours, theirs] = [await suite(), await getCiphersuiteImpl(getCiphersuiteFromName(SUITE))];
    const [key, data] = [random(64), random(300)];
    expect(await ours.kdf.extract(key, data)).toEqual(await theirs.kdf.extract(key, data));
    expect(await ours.kdf.expand(key, data, 100)).toEqual(await theirs.kdf.expand(key, data, 100));
    expect(await ours.hash.digest(data)).toEqual(await theirs.hash.digest(data));
    const tag = await ours.hash.mac(key, data);
    expect(await theirs.hash.verifyMac(key, tag, data)).toBe(true);
    expect(await ours.hash.verifyMac(key, tag, random(300))).toBe(false);
    const seed = random(32);
    const pair = await ours.signature.keygen();
    expect(await theirs.signature.sign(seed, data)).toEqual(await ours.signature.sign(seed, data));
    expect(await theirs.signature.verify(pair.publicKey, data, await ours.signature.sign(pair.signKey, data))).toBe(
      true,
    );
  });
});

describe('X-Wing', () => {
  test('agrees with a second implementation on keys and secrets', async () => {
    const seed = random(32);
    const [ours, theirs] = [await kemPublicKeyOf(seed), OtherXWing.keygen(seed)];
    expect(hex(ours)).toBe(hex(theirs.publicKey));
    const { cipherText, sharedSecret } = OtherXWing.encapsulate(ours.slice());
    const kem = new XWing();
    const recipientKey = await kem.deserializePrivateKey(seed.slice().buffer);
    const opened = await kem.decap({ recipientKey, enc: new Uint8Array(cipherText).buffer });
    expect(hex(new Uint8Array(opened))).toBe(hex(sharedSecret));
    const recipientPublicKey = await kem.deserializePublicKey(ours.slice().buffer);
    const sent = await kem.encap({ recipientPublicKey });
    const theirSecret = OtherXWing.decapsulate(new Uint8Array(sent.enc), seed);
    expect(hex(theirSecret)).toBe(hex(new Uint8Array(sent.sharedSecret)));
  });

  test('by HPKE seals for the one that ts-mls brings, and opens what that seals; what was changed is refused', async () => {
    const { hpke } = await suite();
    const { hpke: other } = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE));
    const [info, aad, text] = [random(5), random(7), random(64)];
    const seed = random(32);
    const [ours, theirs] = [await hpke.deriveKeyPair(seed), await other.deriveKeyPair(seed)];
    expect(await hpke.exportPrivateKey(ours.privateKey)).toEqual(await other.exportPrivateKey(theirs.privateKey));
    const [sent, got] = [
      await hpke.seal(theirs.publicKey, text, info, aad),
      await other.seal(ours.publicKey, text, info, aad),
    ];
    expect(await other.open(theirs.privateKey, sent.enc, sent.ct, info, aad)).toEqual(new Uint8Array(text));
    expect(await hpke.open(ours.privateKey, got.enc, got.ct, info, aad)).toEqual(new Uint8Array(text));
    for (const changed of [got.enc, got.ct]) {
      changed[0]! ^= 1;
      await expect(hpke.open(ours.privateKey, got.enc, got.ct, info, aad)).rejects.toMatchObject({ code: 'forged' });
      changed[0]! ^= 1;
    }
    // A point of small order as the X25519 half: the same for everybody.
    got.enc.set(new Uint8Array(32), got.enc.length - 32);
    await expect(hpke.open(ours.privateKey, got.enc, got.ct, info, aad)).rejects.toMatchObject({ code: 'forged' });
  });

  test('a fresh public key may enter a tree', async () => {
    for (let i = 0; i < 20; i++) expect(isKemKey(await kemPublicKeyOf(random(32)))).toBe(true);
  });

  test('one of another length, or with a coefficient at or above the modulus, may not', async () => {
    const kem = new XWing();
    const key = new Uint8Array(await kemPublicKeyOf(random(32)));
    expect(isKemKey(key.slice(1))).toBe(false);
    expect(isKemKey(new Uint8Array(KEM_KEY_BYTES + 1))).toBe(false);
    // 3329 = 0xd01, as the first coefficient of a pair and as the second.
    for (const at of [0, 3, 1149]) {
      const [low, high] = [key.slice(), key.slice()];
      low.set([0x01, (low[at + 1]! & 0xf0) | 0x0d], at);
      high.set([(high[at + 1]! & 0x0f) | 0x10, 0xd0], at + 1);
      expect([isKemKey(low), isKemKey(high)]).toEqual([false, false]);
      for (const broken of [low, high]) {
        const recipientPublicKey = await kem.deserializePublicKey(broken.slice().buffer);
        await expect(kem.encap({ recipientPublicKey })).rejects.toThrow('invalid encapsulation key');
      }
    }
  });

  test('one whose X25519 half gives the same secret to everybody may not', async () => {
    const key = await kemPublicKeyOf(random(32));
    const low = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ];
    for (const point of low.map(fromHex)) {
      expect(() => x25519.getSharedSecret(random(32), point)).toThrow();
      for (const top of [0, 0x80]) {
        const broken = key.slice();
        broken.set(point, 1184);
        broken[1215]! |= top;
        expect(isKemKey(broken)).toBe(false);
      }
    }
  });
});
