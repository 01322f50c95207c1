/** Verification codes: they change when people change, and only then. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { random } from '../../crypto/primitives.ts';
import { authenticatorDigits, groupCode, pairCode } from '../../crypto/verification.ts';

const host = random(32);
const [alice, bob, carol] = [random(32), random(32), random(32)];

/** The same with node:crypto, step by step. */
function digitsHere(label: string, input: Uint8Array): string {
  let digest = createHash('blake2b512').update(`${label}\0`).update(input).digest();
  for (let round = 0; round < 4096; round++) digest = createHash('blake2b512').update(digest).digest();
  const group = (i: number) =>
    String(BigInt(`0x${digest.subarray(5 * i, 5 * i + 5).toString('hex')}`) % 100_000n).padStart(5, '0');
  return [0, 1, 2, 3, 4, 5].map(group).join(' ');
}

describe('group code', () => {
  const code = (identities: Bytes[], version = 1, hostPublicKey = host) =>
    groupCode({ version, hostPublicKey, identities });

  test('is six groups of five digits, computed as documented', async () => {
    const sorted = [alice, bob].sort((a, b) => Buffer.compare(a, b));
    const input = Buffer.concat([Buffer.from([0, 1]), host, Buffer.from([0, 2]), ...sorted]);
    expect(await code([alice, bob])).toBe(digitsHere('parley group code 1', input));
    expect(await code([alice, bob])).toMatch(/^\d{5}( \d{5}){5}$/);
  });

  test('does not depend on order, nor on how many devices a person has', async () => {
    const expected = await code([alice, bob, carol]);
    expect(await code([carol, alice, bob])).toBe(expected);
    expect(await code([bob, carol, bob, alice, alice.slice()])).toBe(expected);
  });

  test('changes with each person, the host key and the version', async () => {
    const codes = await Promise.all([
      code([alice]),
      code([alice, bob]),
      code([alice, carol]),
      code([alice, bob, carol]),
      code([]),
      code([alice, bob], 2),
      code([alice, bob], 1, random(32)),
    ]);
    expect(new Set(codes).size).toBe(codes.length);
  });

  test('is not made of keys of another length', async () => {
    await expect(code([random(31)])).rejects.toMatchObject({ code: 'usage' });
    await expect(code([alice], 1, random(33))).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('pair code', () => {
  test('is the same for both and differs for each pair and host', async () => {
    const [a, b] = [alice, bob].sort((x, y) => Buffer.compare(x, y));
    const expected = digitsHere('parley pair code 1', Buffer.concat([host, a!, b!]));
    expect(await pairCode(alice, bob, host)).toBe(expected);
    expect(await pairCode(bob, alice, host)).toBe(expected);
    const others = await Promise.all([
      pairCode(alice, carol, host),
      pairCode(bob, carol, host),
      pairCode(alice, bob, random(32)),
    ]);
    expect(
      new Set([expected, ...others, await groupCode({ version: 1, hostPublicKey: host, identities: [alice, bob] })])
        .size,
    ).toBe(5);
  });
});

test('the authenticator has digits of its own', async () => {
  const authenticator = random(64);
  expect(await authenticatorDigits(authenticator)).toBe(digitsHere('parley epoch code 1', authenticator));
  expect(await authenticatorDigits(random(64))).not.toBe(await authenticatorDigits(authenticator));
});
