/** What is sealed to one person of a chat: by the standard, for nobody else, and nowhere else. */
import { XWing } from '@noble/post-quantum/hybrid.js';
import { gcm } from '@noble/ciphers/aes.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { shake256 } from '@noble/hashes/sha3.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { concat, equal, fromUtf8, hex, labelled, utf8 } from '../../crypto/bytes.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { PrivateKeys } from '../../crypto/chatPrivate.ts';
import {
  bodyKind,
  cardBody,
  derivePrivateKeys,
  openPrivate,
  ownContentKey,
  sealPrivate,
  triedContentKey,
} from '../../crypto/chatPrivate.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { hkdf, random, signKeyPair } from '../../crypto/primitives.ts';

const MEETING = 'abcd-efgh-jkmn-pqrs';
const TEXT = utf8('{"is":"say","text":"between us"}');

let [ada, ben, cy] = [] as unknown as [KeyPair, KeyPair, KeyPair];
let [adas, bens, cys] = [] as unknown as [PrivateKeys, PrivateKeys, PrivateKeys];
let sealed: Bytes;

beforeAll(async () => {
  [ada, ben, cy] = [await signKeyPair(), await signKeyPair(), await signKeyPair()];
  const derive = (one: KeyPair) => derivePrivateKeys(one, MEETING);
  [adas, bens, cys] = [await derive(ada), await derive(ben), await derive(cy)];
  sealed = await sealPrivate(adas, { identity: ben.publicKey, publicKey: bens.publicKey }, TEXT);
});

const between = (author = ada, recipient = ben, meetingId = MEETING) => ({
  meetingId,
  author: author.publicKey,
  recipient: recipient.publicKey,
});

test('the recipient and the author read it, and the author knows for whom it was', async () => {
  const tried = (await triedContentKey(bens, ada.publicKey, sealed))!;
  const own = await ownContentKey(adas, sealed);
  expect(equal(own.recipient, ben.publicKey)).toBe(true);
  for (const { key } of [tried, own]) expect(fromUtf8(await openPrivate(key, between(), sealed))).toBe(fromUtf8(TEXT));
});

test('an own HPKE, on other libraries, opens it', async () => {
  const seed = await hkdf(ben.privateKey, {
    salt: new Uint8Array(0),
    info: labelled('parley chat KEM key 1', utf8(MEETING)),
    length: 32,
  });
  const pair = XWing.keygen(shake256(seed, { dkLen: 32 }));
  expect(hex(pair.publicKey)).toBe(hex(bens.publicKey));
  const [enc, ct] = [sealed.slice(1, 1121), sealed.slice(1121, 1169)];
  const shared = XWing.decapsulate(enc, pair.secretKey);
  // RFC 9180 §4 and §5.1: KEM 0x647a, KDF 3 (HKDF-SHA512), AEAD 2 (AES-256-GCM); base mode.
  const suiteId = concat(utf8('HPKE'), Uint8Array.of(0x64, 0x7a, 0, 3, 0, 2));
  const ikm = (label: string, rest: Uint8Array) => concat(utf8('HPKE-v1'), suiteId, utf8(label), rest);
  const labelledExtract = (salt: Uint8Array, label: string, rest: Uint8Array) =>
    extract(sha512, ikm(label, rest), salt);
  const labelledExpand = (prk: Uint8Array, label: string, context: Uint8Array, length: number) =>
    expand(sha512, prk, concat(Uint8Array.of(0, length), ikm(label, context)), length);
  const none = new Uint8Array(0);
  const info = labelled('parley chat private key 1', ada.publicKey, ben.publicKey, utf8(MEETING));
  const context = concat(
    Uint8Array.of(0),
    labelledExtract(none, 'psk_id_hash', none),
    labelledExtract(none, 'info_hash', info),
  );
  const secret = labelledExtract(shared, 'secret', none);
  const key = labelledExpand(secret, 'key', context, 32);
  const nonce = labelledExpand(secret, 'base_nonce', context, 12);
  const content = gcm(key, nonce).decrypt(ct);
  expect(fromUtf8(await openPrivate(new Uint8Array(content), between(), sealed))).toBe(fromUtf8(TEXT));
});

describe('nobody else', () => {
  test('opens it: a third, the recipient elsewhere, or anybody who copies it into an entry of their own', async () => {
    const elsewhere = await derivePrivateKeys(ben, 'zzzz-efgh-jkmn-pqrs');
    expect(hex(elsewhere.publicKey)).not.toBe(hex(bens.publicKey));
    expect(await triedContentKey(cys, ada.publicKey, sealed)).toBeNull();
    expect(await triedContentKey(elsewhere, ada.publicKey, sealed)).toBeNull();
    expect(await triedContentKey(bens, cy.publicKey, sealed)).toBeNull();
    for (const keys of [bens, cys, await derivePrivateKeys(ada, 'zzzz-efgh-jkmn-pqrs')])
      await expect(ownContentKey(keys, sealed)).rejects.toThrow();
    // Whoever has the content key, as the two have, shows it to nobody as another's, for another, or elsewhere.
    const { key } = (await triedContentKey(bens, ada.publicKey, sealed))!;
    for (const other of [between(cy), between(ada, cy), between(ben, ada), between(ada, ben, 'zzzz-efgh-jkmn-pqrs')])
      await expect(openPrivate(key, other, sealed)).rejects.toThrow();
  });

  test('alters a byte of it that is then still read', async () => {
    for (const at of [1, 1000, 1119, 1121, 1168, 1169, 1272, 1273, 1300, sealed.length - 1]) {
      const altered = sealed.slice();
      altered[at]! ^= 1;
      const [tried, own] = [
        await triedContentKey(bens, ada.publicKey, altered),
        await ownContentKey(adas, altered).catch(() => null),
      ];
      const found = await Promise.all(
        [tried, own].map(async (one) => one && openPrivate(one.key, between(), altered).catch(() => null)),
      );
      // Of the two keys for two readers each has its own; what both read is one box.
      expect(found.filter((text) => text !== null).length, `byte ${at}`).toBe(at < 1273 ? 1 : 0);
    }
    for (const length of [0, 1, 1200, 1273, sealed.length - 1])
      expect(
        await triedContentKey(bens, ada.publicKey, sealed.slice(0, length)).then(
          (one) => one && openPrivate(one.key, between(), sealed.slice(0, length)).catch(() => null),
        ),
      ).toBeNull();
  });

  test('sees by its length more than in doublings', async () => {
    const lengthOf = async (size: number) =>
      (await sealPrivate(adas, { identity: ben.publicKey, publicKey: bens.publicKey }, random(size))).length;
    const lengths = await Promise.all([1, 100, 252, 253, 508, 509, 5000, 8000].map(lengthOf));
    const least = lengths[0]!;
    expect(lengths.map((length) => length - least + 256)).toEqual([256, 256, 256, 512, 512, 1024, 8192, 8192]);
  });
});

test('a card says a key that can be sealed to, or none', () => {
  const card = cardBody(adas, utf8('{}'));
  const kind = bodyKind(card);
  expect(kind.is === 'card' && equal(kind.publicKey, adas.publicKey) && fromUtf8(kind.text)).toBe('{}');
  expect(bodyKind(card.slice(0, 1000))).toEqual({ is: 'broken' });
  expect(bodyKind(card.slice().fill(0xff, 1, 4))).toEqual({ is: 'broken' });
  expect(bodyKind(card.slice().fill(0, 1185, 1217))).toEqual({ is: 'broken' });
  expect(bodyKind(TEXT)).toEqual({ is: 'text' });
});
