/** Invites: forms that people paste, keys that grow from them, and what is sealed with those. */
import { createHash, hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { base64url, concat, equal, hex } from '../../crypto/bytes.ts';
import {
  deriveLinkKeys,
  deriveMeetingKeys,
  formatInvite,
  meetingIdOf,
  newInviteSecret,
  openName,
  openTitle,
  parseInvite,
  parseMeetingId,
  sealName,
  sealTitle,
} from '../../crypto/invite.ts';
import { random, sign, signKeyPair, verify } from '../../crypto/primitives.ts';

const ID = '0123-4567-89ab-cdef';
const OTHER_ID = '0123-4567-89ab-cdeg';

describe('meeting ids', () => {
  test('are the first 80 bits of BLAKE2b-512 of the host key', async () => {
    const { publicKey } = await signKeyPair();
    const id = await meetingIdOf(publicKey);
    expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/);
    const digits = '0123456789abcdefghjkmnpqrstvwxyz';
    const value = BigInt(`0x${createHash('blake2b512').update(publicKey).digest().subarray(0, 10).toString('hex')}`);
    const expected = Array.from({ length: 16 }, (_, i) => digits[Number((value >> BigInt(75 - 5 * i)) & 31n)]).join('');
    expect(id.replaceAll('-', '')).toBe(expected);
    expect(await meetingIdOf((await signKeyPair()).publicKey)).not.toBe(id);
    await expect(meetingIdOf(random(31))).rejects.toMatchObject({ code: 'usage' });
  });

  test('are read as people type and dictate them', () => {
    for (const text of [
      ID,
      '0123456789abcdef',
      '0123-4567-89AB-CDEF',
      ' 0123 4567 89ab cdef\n',
      'o123-4567-89ab-cdef',
      'OI23–4567—89ab‑cdef',
      '0l23_4567.89ab cdef',
    ]) {
      expect(parseMeetingId(text), text).toBe(ID);
    }
  });

  test('are refused when too short, too long, or in foreign letters', () => {
    for (const text of [
      '',
      '0123-4567-89ab-cde',
      `${ID}0`,
      '0123-4567-89ab-cdeu',
      '0123-4567-89ab-cde!',
      '０123-4567-89ab-cdef',
    ]) {
      expect(parseMeetingId(text), text).toBeNull();
    }
  });
});

describe('links', () => {
  test('what is formatted is parsed back, with any origin', () => {
    for (const origin of ['https://meet.example.org', 'http://localhost:3000', 'https://example.org/']) {
      const secret = newInviteSecret();
      const link = formatInvite(origin, ID, secret);
      expect(link).toBe(`${origin.replace(/\/$/, '')}/m/${ID}#${base64url(secret)}`);
      const invite = parseInvite(link);
      expect(invite?.meeting).toBe(ID);
      expect(equal(invite!.secret!, secret)).toBe(true);
    }
  });

  test('are found in every form that people paste', () => {
    const secret = newInviteSecret();
    const fragment = base64url(secret);
    for (const text of [
      `https://meet.example.org/m/${ID}#${fragment}`,
      `meet.example.org/m/${ID}#${fragment}`,
      `localhost:3000/m/${ID}#${fragment}`,
      `/m/${ID}#${fragment}`,
      `${ID}#${fragment}`,
      `  ${ID.toUpperCase()}#${fragment}\n`,
      `<https://meet.example.org/m/${ID}#${fragment}>`,
      `"https://meet.example.org/m/${ID}/#${fragment}".`,
      `https://meet.example.org/m/${ID}?utm_source=chat#${fragment}`,
      `Join me at https://meet.example.org/m/${ID}#${fragment}, please!`,
      `Zoë invites you:\nhttps://meet.example.org/m/${ID}#${fragment}\n`,
    ]) {
      const invite = parseInvite(text);
      expect(invite?.meeting, text).toBe(ID);
      expect(hex(invite?.secret ?? new Uint8Array(0)), text).toBe(hex(secret));
    }
  });

  test('without a secret are an id to knock with', () => {
    for (const text of [ID, '0123 4567 89AB CDEF', `https://meet.example.org/m/${ID}`, `https://x/m/${ID}#`]) {
      expect(parseInvite(text), text).toEqual({ meeting: ID, secret: null });
    }
  });

  test('with a damaged secret are no invite, rather than an id to knock with', () => {
    const fragment = base64url(newInviteSecret());
    for (const damaged of [
      fragment.slice(0, -1),
      `${fragment}A`,
      `${fragment.slice(0, -1)}*`,
      'x',
      `${fragment}#${fragment}`,
    ]) {
      expect(parseInvite(`https://meet.example.org/m/${ID}#${damaged}`), damaged).toBeNull();
    }
  });

  test('anything else is none', () => {
    for (const text of [
      '',
      '#',
      'hello',
      'https://example.org',
      `https://example.org/x/${ID}`,
      `https://e.org/m/${ID}/more`,
      '/m/',
    ]) {
      expect(parseInvite(text), text).toBeNull();
    }
  });

  test('a secret of another length is not formatted', () => {
    expect(() => formatInvite('https://x', ID, random(31))).toThrow();
  });
});

describe('keys', () => {
  const empty = new Uint8Array(0);
  const expandHere = (ikm: Bytes, ...info: (string | Bytes)[]): string =>
    Buffer.from(hkdfSync('sha512', ikm, empty, Buffer.concat(info.map((part) => Buffer.from(part))), 32)).toString(
      'hex',
    );

  test('of the link follow from secret and meeting id, as drawn', async () => {
    const secret = newInviteSecret();
    const keys = await deriveLinkKeys(secret, ID);
    expect(hex(keys.titleKey)).toBe(expandHere(secret, `parley title key 1\0${ID}`));
    expect(hex(keys.linkKey.privateKey)).toBe(expandHere(secret, `parley link key 1\0${ID}`));
  });

  test('of the meeting follow from secret, password, host key and generation, as drawn', async () => {
    const [secret, stretched, groupId] = [newInviteSecret(), random(32), random(32)];
    const { publicKey: hostPublicKey } = await signKeyPair();
    const keys = await deriveMeetingKeys({ secret, stretched, hostPublicKey, generation: 258 });
    const info = Buffer.concat([Buffer.from('parley 1'), hostPublicKey]);
    const root = new Uint8Array(hkdfSync('sha512', concat(secret, stretched), empty, info, 64));
    const count = Uint8Array.of(0, 0, 1, 2);
    expect(hex(keys.accessKey.privateKey)).toBe(expandHere(root, 'parley access key 1\0', count));
    expect(hex(keys.admissionKey.privateKey)).toBe(expandHere(root, 'parley admission key 1\0', count));
    expect(hex(keys.metadataKey)).toBe(expandHere(root, 'parley metadata key 1\0', count));
    expect(hex(await keys.psk(groupId))).toBe(expandHere(root, 'parley psk 1\0', groupId, count));
  });

  test('are the same for everybody who has the same, and all differ from each other', async () => {
    const secret = newInviteSecret();
    const { publicKey: hostPublicKey } = await signKeyPair();
    const options = { secret, stretched: random(32), hostPublicKey, generation: 3 };
    const [a, b] = [await deriveMeetingKeys(options), await deriveMeetingKeys(options)];
    const link = await deriveLinkKeys(secret, ID);
    const groupId = random(32);
    const all = (keys: typeof a) => [keys.accessKey.publicKey, keys.admissionKey.publicKey, keys.metadataKey];
    const ofA = [...all(a), await a.psk(groupId)].map(hex);
    expect([...all(b), await b.psk(groupId)].map(hex)).toEqual(ofA);
    expect(new Set([...ofA, hex(link.linkKey.publicKey), hex(link.titleKey)]).size).toBe(6);
    const message = random(10);
    expect(await verify(a.accessKey.publicKey, message, await sign(b.accessKey.privateKey, message))).toBe(true);
    expect(await verify(a.admissionKey.publicKey, message, await sign(b.accessKey.privateKey, message))).toBe(false);
  });

  test('all change with secret, password, host key and generation; the PSK also with the group', async () => {
    const { publicKey: hostPublicKey } = await signKeyPair();
    const options = { secret: newInviteSecret(), stretched: random(32), hostPublicKey, generation: 3 };
    const groupId = random(32);
    const variants = [
      options,
      { ...options, secret: newInviteSecret() },
      { ...options, stretched: random(32) },
      { ...options, stretched: null },
      { ...options, hostPublicKey: (await signKeyPair()).publicKey },
      { ...options, generation: 4 },
    ];
    const seen = new Set<string>();
    for (const variant of variants) {
      const keys = await deriveMeetingKeys(variant);
      const { accessKey, admissionKey, metadataKey } = keys;
      for (const key of [
        accessKey.publicKey,
        admissionKey.publicKey,
        metadataKey,
        await keys.psk(groupId),
        await keys.psk(random(32)),
      ]) {
        seen.add(hex(key));
      }
    }
    expect(seen.size).toBe(6 * 5);
    const one = await deriveLinkKeys(options.secret, ID);
    const other = await deriveLinkKeys(options.secret, OTHER_ID);
    expect(equal(one.titleKey, other.titleKey)).toBe(false);
    expect(equal(one.linkKey.publicKey, other.linkKey.publicKey)).toBe(false);
  });

  test('are gone after wiping', async () => {
    const { publicKey: hostPublicKey } = await signKeyPair();
    const keys = await deriveMeetingKeys({ secret: newInviteSecret(), stretched: null, hostPublicKey, generation: 0 });
    keys.wipe();
    for (const key of [keys.accessKey.privateKey, keys.admissionKey.privateKey, keys.metadataKey]) {
      expect(key.every((byte) => byte === 0)).toBe(true);
    }
    await expect(keys.psk(random(32))).rejects.toMatchObject({ code: 'unknownKey' });
  });

  test('lengths that cannot be are our own mistake', async () => {
    const good = { secret: random(32), stretched: null, hostPublicKey: random(32), generation: 0 };
    const usage = { code: 'usage' };
    await expect(deriveLinkKeys(random(31), ID)).rejects.toMatchObject(usage);
    await expect(deriveMeetingKeys({ ...good, secret: random(31) })).rejects.toMatchObject(usage);
    await expect(deriveMeetingKeys({ ...good, stretched: random(31) })).rejects.toMatchObject(usage);
    await expect(deriveMeetingKeys({ ...good, hostPublicKey: random(31) })).rejects.toMatchObject(usage);
    await expect(deriveMeetingKeys({ ...good, generation: 2 ** 32 })).rejects.toMatchObject(usage);
    await expect((await deriveMeetingKeys(good)).psk(random(31))).rejects.toMatchObject(usage);
  });
});

describe('titles and names', () => {
  test('come back, whatever people write', async () => {
    const key = random(32);
    for (const text of ['', 'Zoë', 'Weekly 👩‍🚀', '日本語'.repeat(40), 'a\0b']) {
      expect(await openTitle(key, ID, await sealTitle(key, ID, text))).toBe(text);
      expect(await openName(key, ID, await sealName(key, ID, text))).toBe(text);
    }
  });

  test('tell their length only in steps of 32 bytes', async () => {
    const key = random(32);
    const lengths = new Set<number>();
    for (let length = 0; length <= 94; length++) lengths.add((await sealName(key, ID, 'x'.repeat(length))).length);
    expect([...lengths]).toEqual([72, 104, 136]);
  });

  test('must reject: another key, meeting or purpose, any flipped bit, any other length', async () => {
    const key = random(32);
    const sealed = await sealName(key, ID, 'Zoë');
    const forged = { code: 'forged' };
    await expect(openName(random(32), ID, sealed)).rejects.toMatchObject(forged);
    await expect(openName(key, OTHER_ID, sealed)).rejects.toMatchObject(forged);
    await expect(openTitle(key, ID, sealed)).rejects.toMatchObject(forged);
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const flipped = sealed.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expect(openName(key, ID, flipped)).rejects.toMatchObject(forged);
    }
    await expect(openName(key, ID, sealed.slice(0, -1))).rejects.toMatchObject(forged);
    await expect(openName(key, ID, sealed.slice(0, 39))).rejects.toMatchObject({ code: 'malformed' });
    await expect(openName(key, ID, concat(sealed, random(1)))).rejects.toMatchObject(forged);
  });
});
