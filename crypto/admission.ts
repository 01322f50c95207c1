/**
 * Admissions: the signed word that a key package may be added to one group.
 *
 * By the admission key, which follows from link and password, or by the host. They travel in the authenticated data of the
 * commit that adds (commitData.ts). The committer checks time and reuse; members check everything else, so that a commit
 * is as valid for who reads it late. docs/design.md §4, "Admission".
 *
 *   key package hash(32) ‖ group id(32) ‖ generation(4) ‖ expires(8) ‖ by(1) ‖ signature(64)
 *
 * The signature covers the label and everything before it.
 */
import type { Bytes } from './bytes.ts';
import { concat, equal } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { sha256 } from './primitives.ts';
import { signBytes, verifyBytes } from './signed.ts';

/** How long an admission lasts, from signing to the commit that uses it. */
export const ADMISSION_MS = 120_000;
/** Clocks of two members may differ by this much (both follow the server's, roughly). */
const CLOCK_SKEW_MS = 30_000;
export const ADMISSION_BYTES = 141;

const LABEL = 'parley admission 1';
const SIGNERS = { link: 1, host: 2 } as const;

/** Who admits: `link`, somebody with link and password (usually the newcomer), or `host`, who let somebody in by hand. */
export type AdmittedBy = keyof typeof SIGNERS;

interface Terms {
  readonly keyPackageHash: Bytes;
  readonly groupId: Bytes;
  readonly generation: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
  readonly by: AdmittedBy;
}

/** What an admission has to say to be good for one key package in one group. */
export interface AdmissionTerms {
  /** The key package exactly as it was sent. */
  readonly keyPackage: Bytes;
  readonly groupId: Bytes;
  readonly generation: number;
  readonly admissionPublicKey: Bytes;
  readonly hostPublicKey: Bytes;
  /** Milliseconds since 1970; left out, time is not looked at. */
  readonly now?: number;
}

/** `other`: honest perhaps, but for another key package, group or generation. */
export type AdmissionFault = 'malformed' | 'other' | 'expired' | 'forged';

/**
 * @param admission.privateKey  the admission key's seed, or the host key's with `by: 'host'`
 * @param admission.now         milliseconds since 1970; the admission lasts `ADMISSION_MS` from there
 * @returns ADMISSION_BYTES bytes
 */
export async function signAdmission(admission: {
  keyPackage: Bytes;
  groupId: Bytes;
  generation: number;
  now: number;
  by: AdmittedBy;
  privateKey: Bytes;
}): Promise<Bytes> {
  const keyPackageHash = await hashOfKeyPackage(admission.keyPackage);
  const body = encodeTerms({ ...admission, keyPackageHash, expires: admission.now + ADMISSION_MS });
  return concat(body, await signBytes(LABEL, body, admission.privateKey));
}

/** @returns null if the admission holds */
export async function checkAdmission(admission: Bytes, terms: AdmissionTerms): Promise<AdmissionFault | null> {
  const said = decodeTerms(admission);
  if (said === null) return 'malformed';
  const fits =
    said.generation === terms.generation &&
    equal(said.groupId, terms.groupId) &&
    equal(said.keyPackageHash, await hashOfKeyPackage(terms.keyPackage));
  if (!fits) return 'other';
  if (terms.now !== undefined) {
    // One that lasts longer than any honest one was not made to be used soon.
    const left = said.expires - terms.now;
    if (left < -CLOCK_SKEW_MS || left > ADMISSION_MS + CLOCK_SKEW_MS) return 'expired';
  }
  const signer = said.by === 'host' ? terms.hostPublicKey : terms.admissionPublicKey;
  const body = admission.slice(0, ADMISSION_BYTES - 64);
  return (await verifyBytes(LABEL, body, admission.slice(ADMISSION_BYTES - 64), signer)) ? null : 'forged';
}

/** SHA-256 over the key package as it was sent: what an admission names, and what is never admitted twice. */
export function hashOfKeyPackage(keyPackage: Bytes): Promise<Bytes> {
  return sha256(keyPackage);
}

function encodeTerms(terms: Terms): Bytes {
  return new Writer()
    .fixed(terms.keyPackageHash)
    .fixed(terms.groupId)
    .u32(terms.generation)
    .u64(terms.expires)
    .u8(SIGNERS[terms.by])
    .done();
}

function decodeTerms(admission: Bytes): Terms | null {
  if (admission.length !== ADMISSION_BYTES) return null;
  const reader = new Reader(admission);
  const keyPackageHash = reader.fixed(32);
  const groupId = reader.fixed(32);
  const generation = reader.u32();
  // Read by hand: a time that does not fit is a fault of the sender, not an exception of ours.
  const high = reader.u32();
  const expires = high * 2 ** 32 + reader.u32();
  const by = reader.u8();
  if (high >= 2 ** 21 || (by !== SIGNERS.link && by !== SIGNERS.host)) return null;
  return { keyPackageHash, groupId, generation, expires, by: by === SIGNERS.host ? 'host' : 'link' };
}
