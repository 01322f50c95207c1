/**
 * Codes that people compare aloud to know that nobody stands between them.
 *
 * The group code changes only when people change: it is over the host key and the identities in the tree, not over leaf
 * keys or epochs. The pair code is over two identities, so that others' joins leave it alone. The authenticator's digits
 * change with each commit (RFC 9420 §8.7) and are for experts. Thirty digits hold 99 bits.
 * A code is stretched a little: somebody who wants two groups with one code has to find a collision, and each try costs
 * ROUNDS hashes.
 */
import type { Bytes } from './bytes.ts';
import { hex, labelled } from './bytes.ts';
import { Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { blake2bRounds } from './primitives.ts';

/** Makes a collision (2^50 tries for 99 bits) 2^62 hashes of work; costs us a few milliseconds per change. */
const ROUNDS = 4096;
const GROUPS = 6;
/** Five bytes, modulo 100,000: no digit is more likely than another by more than 1 in 10 million. */
const BYTES_PER_GROUP = 5;

/**
 * @param options.version     of the protocol, 0 to 65,535: people on other versions see another code
 * @param options.identities  public keys of all members, 32 bytes each, in any order, repetitions ignored
 * @returns six groups of five digits, separated by spaces
 */
export async function groupCode(options: {
  version: number;
  hostPublicKey: Bytes;
  identities: readonly Bytes[];
}): Promise<string> {
  const sorted = new Map(options.identities.map((identity) => [hex(checked(identity)), identity]));
  const writer = new Writer().u16(options.version).fixed(checked(options.hostPublicKey)).u16(sorted.size);
  for (const [, identity] of [...sorted].sort(byKey)) writer.fixed(identity);
  return digits('parley group code 1', writer.done());
}

/** The same for both sides: the order of `a` and `b` does not matter. @returns six groups of five digits */
export async function pairCode(a: Bytes, b: Bytes, hostPublicKey: Bytes): Promise<string> {
  const writer = new Writer().fixed(checked(hostPublicKey));
  for (const identity of hex(checked(a)) < hex(checked(b)) ? [a, b] : [b, a]) writer.fixed(identity);
  return digits('parley pair code 1', writer.done());
}

/** @param authenticator the epoch authenticator of RFC 9420 §8.7 @returns six groups of five digits */
export async function authenticatorDigits(authenticator: Bytes): Promise<string> {
  return digits('parley epoch code 1', authenticator);
}

async function digits(label: string, input: Bytes): Promise<string> {
  const digest = await blake2bRounds(labelled(label, input), ROUNDS);
  const groups: string[] = [];
  for (let group = 0; group < GROUPS; group++) {
    let value = 0;
    for (let i = 0; i < BYTES_PER_GROUP; i++) value = value * 256 + digest[group * BYTES_PER_GROUP + i]!;
    groups.push(String(value % 100_000).padStart(5, '0'));
  }
  return groups.join(' ');
}

function byKey(a: [string, Bytes], b: [string, Bytes]): number {
  return a[0] < b[0] ? -1 : 1;
}

function checked(publicKey: Bytes): Bytes {
  if (publicKey.length !== 32) throw new CryptoError('usage', 'a public key has 32 bytes');
  return publicKey;
}
