/** Labelled signatures, credentials and peer ids. */
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { concat, equal, utf8 } from '../../crypto/bytes.ts';
import { createIdentity, credentialFor, openCredential, peerIdOf } from '../../crypto/identity.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import { signBytes, signText, verifyBytes, verifyText } from '../../crypto/signed.ts';

const MEETING = 'abcd-efgh-jkmn-pqrs';

describe('labelled signatures', () => {
  test('hold for the very label and text, and the server checks them with node:crypto', async () => {
    const pair = await signKeyPair();
    const body = '{"version":1,"name":"Zoë"}';
    const signature = await signText('parley test 1', body, pair.privateKey);
    expect(await verifyText('parley test 1', body, signature, pair.publicKey)).toBe(true);
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), pair.publicKey]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    expect(nodeVerify(null, Buffer.from(`parley test 1\0${body}`), key, signature)).toBe(true);
  });

  test('never pass under another label, text, key, or with the border between label and text moved', async () => {
    const pair = await signKeyPair();
    const signature = await signBytes('parley test 1', utf8('body'), pair.privateKey);
    expect(await verifyBytes('parley test 1', utf8('body'), signature, pair.publicKey)).toBe(true);
    expect(await verifyBytes('parley test 2', utf8('body'), signature, pair.publicKey)).toBe(false);
    expect(await verifyBytes('parley test 1', utf8('Body'), signature, pair.publicKey)).toBe(false);
    expect(await verifyBytes('parley test 1b', utf8('ody'), signature, pair.publicKey)).toBe(false);
    expect(await verifyBytes('parley test 1', utf8('body'), signature, (await signKeyPair()).publicKey)).toBe(false);
    await expect(signText('', 'body', pair.privateKey)).rejects.toMatchObject({ code: 'usage' });
    await expect(signText('a\0b', 'body', pair.privateKey)).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('credentials', () => {
  test('give the identity to whoever checks them against the same leaf and meeting', async () => {
    const identity = await createIdentity();
    const leaf = await signKeyPair();
    const credential = await credentialFor(identity, leaf.publicKey, MEETING);
    expect(credential).toHaveLength(96);
    expect(equal(await openCredential(credential, leaf.publicKey, MEETING), identity.publicKey)).toBe(true);
  });

  test('must reject: another leaf, meeting or identity, any flipped bit, any other length', async () => {
    const identity = await createIdentity();
    const leaf = await signKeyPair();
    const other = await createIdentity();
    const credential = await credentialFor(identity, leaf.publicKey, MEETING);
    const forged = { code: 'forged' };
    await expect(openCredential(credential, other.publicKey, MEETING)).rejects.toMatchObject(forged);
    await expect(openCredential(credential, leaf.publicKey, 'abcd-efgh-jkmn-pqrt')).rejects.toMatchObject(forged);
    const stolen = concat(other.publicKey, credential.subarray(32));
    await expect(openCredential(stolen, leaf.publicKey, MEETING)).rejects.toMatchObject(forged);
    for (let bit = 0; bit < 8 * credential.length; bit += 3) {
      const flipped = credential.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expect(openCredential(flipped, leaf.publicKey, MEETING), `bit ${bit}`).rejects.toMatchObject(forged);
    }
    for (const bytes of [credential.slice(0, 95), credential.slice(1), concat(credential, random(1)), random(0)]) {
      await expect(openCredential(bytes, leaf.publicKey, MEETING)).rejects.toMatchObject({ code: 'malformed' });
    }
  });

  test('a leaf key of another length is our own mistake', async () => {
    const identity = await createIdentity();
    await expect(credentialFor(identity, random(31), MEETING)).rejects.toMatchObject({ code: 'usage' });
    await expect(peerIdOf(random(33))).rejects.toMatchObject({ code: 'usage' });
  });
});

test('a peer id is the base64url of 16 bytes of SHA-256 over the leaf key', async () => {
  const { publicKey } = await signKeyPair();
  const peer = await peerIdOf(publicKey);
  expect(peer).toHaveLength(22);
  expect(peer).toBe(createHash('sha256').update(publicKey).digest().subarray(0, 16).toString('base64url'));
});
