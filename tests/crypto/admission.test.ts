/** The signed words that commits carry: what they say, and what they never say. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ADMISSION_BYTES,
  ADMISSION_MS,
  checkAdmission,
  hashOfKeyPackage,
  signAdmission,
} from '../../crypto/admission.ts';
import type { AdmissionTerms } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, utf8 } from '../../crypto/bytes.ts';
import type { CommitData } from '../../crypto/commitData.ts';
import { MAX_BATCH, decodeCommitData, encodeCommitData } from '../../crypto/commitData.ts';
import { createIdentity } from '../../crypto/identity.ts';
import type { Ledger } from '../../crypto/ledger.ts';
import { advance, decodeLedger, encodeLedger } from '../../crypto/ledger.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import type { RemovalReason } from '../../crypto/removal.ts';
import {
  checkRemoval,
  checkRenewal,
  signHostRemoval,
  signLeave,
  signRenewal,
  signReplacement,
} from '../../crypto/removal.ts';
import { signBytes } from '../../crypto/signed.ts';

const MEETING = 'h3kd-92mz-qx07-v5tn';
const NOW = 1_800_000_000_000;

describe('an admission', () => {
  let link: KeyPair;
  let host: KeyPair;
  let terms: AdmissionTerms;
  let admission: Bytes;

  beforeAll(async () => {
    [link, host] = [await signKeyPair(), await signKeyPair()];
    const keyPackage = random(2900);
    const groupId = random(32);
    terms = {
      keyPackage,
      groupId,
      generation: 3,
      admissionPublicKey: link.publicKey,
      hostPublicKey: host.publicKey,
      now: NOW,
    };
    admission = await signAdmission({
      keyPackage,
      groupId,
      generation: 3,
      now: NOW,
      by: 'link',
      privateKey: link.privateKey,
    });
  });

  test('holds for what it was signed for', async () => {
    expect(admission).toHaveLength(ADMISSION_BYTES);
    expect(await checkAdmission(admission, terms)).toBe(null);
  });

  test('holds by the host in place of the link', async () => {
    const { keyPackage, groupId } = terms;
    const byHost = await signAdmission({
      keyPackage,
      groupId,
      generation: 3,
      now: NOW,
      by: 'host',
      privateKey: host.privateKey,
    });
    expect(await checkAdmission(byHost, terms)).toBe(null);
    expect(await checkAdmission(byHost, { ...terms, hostPublicKey: link.publicKey })).toBe('forged');
  });

  test('does not hold for another key package, group or generation', async () => {
    expect(await checkAdmission(admission, { ...terms, keyPackage: random(2900) })).toBe('other');
    expect(await checkAdmission(admission, { ...terms, groupId: random(32) })).toBe('other');
    expect(await checkAdmission(admission, { ...terms, generation: 4 })).toBe('other');
  });

  test('does not hold under another key', async () => {
    expect(await checkAdmission(admission, { ...terms, admissionPublicKey: host.publicKey })).toBe('forged');
  });

  test('does not hold with any bit of it changed, or with another length', async () => {
    for (let at = 0; at < ADMISSION_BYTES; at++) {
      const forged = admission.slice();
      forged[at]! ^= 1 << (at % 8);
      expect(await checkAdmission(forged, { ...terms, now: NOW })).not.toBe(null);
    }
    expect(await checkAdmission(admission.slice(0, -1), terms)).toBe('malformed');
    expect(await checkAdmission(concat(admission, Uint8Array.of(0)), terms)).toBe('malformed');
    expect(await checkAdmission(new Uint8Array(), terms)).toBe('malformed');
  });

  test('lasts two minutes, with half a minute of grace for clocks that differ', async () => {
    const at = (now: number) => checkAdmission(admission, { ...terms, now });
    expect(await at(NOW + ADMISSION_MS)).toBe(null);
    expect(await at(NOW + ADMISSION_MS + 29_000)).toBe(null);
    expect(await at(NOW + ADMISSION_MS + 31_000)).toBe('expired');
    expect(await at(NOW - 29_000)).toBe(null);
    // Signed to last longer than any may.
    expect(await at(NOW - 31_000)).toBe('expired');
  });

  test('is as valid for members whenever they read it', async () => {
    const { now: _now, ...timeless } = terms;
    expect(await checkAdmission(admission, timeless)).toBe(null);
  });

  test('signed under another label is worth nothing', async () => {
    const body = admission.slice(0, ADMISSION_BYTES - 64);
    const other = concat(body, await signBytes('parley credential 1', body, link.privateKey));
    expect(await checkAdmission(other, terms)).toBe('forged');
  });
});

describe('a removal', () => {
  let host: KeyPair;
  let leaf: KeyPair;
  let identity: KeyPair;
  const groupId = random(32);
  const place = { meetingId: MEETING, groupId, epoch: 7 };
  const order = { sequence: 2, generation: 5 };

  beforeAll(async () => {
    [host, leaf, identity] = [await signKeyPair(), await signKeyPair(), await createIdentity()];
  });

  function holds(
    reason: RemovalReason,
    change: { place?: typeof place; added?: { leafKey: Bytes; identity: Bytes }[] } = {},
  ) {
    const target = { leafKey: leaf.publicKey, identity: identity.publicKey };
    return checkRemoval(reason, target, { place, hostPublicKey: host.publicKey, added: [], ...change });
  }

  test('is a leave by the leaf itself, in any epoch of that group', async () => {
    const reason = await signLeave(place, leaf.publicKey, (label, body) => signBytes(label, body, leaf.privateKey));
    expect(await holds(reason)).toBe(true);
    expect(await holds(reason, { place: { ...place, epoch: 8 } })).toBe(true);
    expect(await holds(reason, { place: { ...place, groupId: random(32) } })).toBe(false);
    const forged = await signLeave(place, leaf.publicKey, (label, body) => signBytes(label, body, identity.privateKey));
    expect(await holds(forged)).toBe(false);
  });

  test("is the host's, in one epoch", async () => {
    const reason = await signHostRemoval(place, leaf.publicKey, order, host.privateKey);
    expect(await holds(reason)).toBe(true);
    expect(await holds(reason, { place: { ...place, epoch: 8 } })).toBe(false);
    expect(await holds(reason, { place: { ...place, meetingId: 'other' } })).toBe(false);
  });

  test("is a replacement by the same identity's next leaf, which the same commit adds", async () => {
    const next = await signKeyPair();
    const reason = await signReplacement({ oldLeafKey: leaf.publicKey, newLeafKey: next.publicKey, groupId }, identity);
    const added = { leafKey: next.publicKey, identity: identity.publicKey };
    expect(await holds(reason, { added: [added] })).toBe(true);
    expect(await holds(reason)).toBe(false);
    expect(await holds(reason, { added: [{ ...added, identity: host.publicKey }] })).toBe(false);
    expect(await holds(reason, { added: [{ ...added, leafKey: leaf.publicKey }] })).toBe(false);
  });

  test('and a renewal never pass for each other', async () => {
    const renewal = await signRenewal(place, order, host.privateKey);
    expect(await checkRenewal(renewal, place, host.publicKey)).toBe(true);
    expect(await checkRenewal(renewal, { ...place, epoch: 8 }, host.publicKey)).toBe(false);
    expect(await checkRenewal({ ...renewal, generation: 6 }, place, host.publicKey)).toBe(false);
    expect(await holds({ kind: 'host', ...renewal })).toBe(false);
    const removal = await signHostRemoval(place, leaf.publicKey, order, host.privateKey);
    if (removal.kind === 'host') expect(await checkRenewal(removal, place, host.publicKey)).toBe(false);
  });
});

describe("a commit's data", () => {
  const signature = () => random(64);
  const full = (): CommitData => ({
    generation: 4,
    admissions: [random(ADMISSION_BYTES), random(ADMISSION_BYTES)],
    removals: [
      { kind: 'leave', signature: signature() },
      { kind: 'host', sequence: 2 ** 45, generation: 5, signature: signature() },
      { kind: 'lost' },
      { kind: 'replaced', newLeafKey: random(32), signature: signature() },
    ],
    renewal: { sequence: 9, generation: 6, signature: signature() },
  });

  test('comes back as it was written', () => {
    const data = full();
    expect(decodeCommitData(encodeCommitData(data))).toEqual(data);
    const empty: CommitData = { generation: 0, admissions: [], removals: [], renewal: null };
    expect(decodeCommitData(encodeCommitData(empty))).toEqual(empty);
  });

  test('is refused cut short anywhere, with anything behind it, or with values that mean nothing', () => {
    const bytes = encodeCommitData(full());
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeCommitData(bytes.slice(0, length))).toThrow();
    expect(() => decodeCommitData(concat(bytes, Uint8Array.of(0)))).toThrow();
    const reasonless = encodeCommitData({ generation: 0, admissions: [], removals: [{ kind: 'lost' }], renewal: null });
    for (const [at, value] of [
      [0, 2],
      [5, MAX_BATCH + 1],
      [7, 0],
      [7, 5],
      [8, 2],
    ] as const) {
      const bad = reasonless.slice();
      bad[at] = value;
      expect(() => decodeCommitData(bad)).toThrow();
    }
  });
});

describe('the ledger', () => {
  const empty: Ledger = { floor: 0, hostSequence: 0, admitted: [] };
  const nothing: CommitData = { generation: 0, admissions: [], removals: [], renewal: null };
  const by = (sequence: number, generation: number): RemovalReason => ({
    kind: 'host',
    sequence,
    generation,
    signature: random(64),
  });

  test('comes back as it was written, and is refused broken', () => {
    const ledger: Ledger = {
      floor: 3,
      hostSequence: 2 ** 45,
      admitted: [{ generation: 3, keyPackageHash: random(32) }],
    };
    const bytes = encodeLedger(ledger);
    expect(decodeLedger(bytes)).toEqual(ledger);
    for (let length = 0; length < bytes.length; length++) expect(() => decodeLedger(bytes.slice(0, length))).toThrow();
    expect(() => decodeLedger(concat(bytes, Uint8Array.of(0)))).toThrow();
    expect(() => decodeLedger(concat(bytes.slice(0, 12), Uint8Array.of(0xff, 0xff)))).toThrow();
  });

  test('admits a key package once, in one commit as in many', async () => {
    const hash = await hashOfKeyPackage(utf8('a key package'));
    const once = advance(empty, nothing, [hash]);
    if (typeof once === 'string') throw new Error(once);
    expect(advance(once, nothing, [hash])).toBe('replayed');
    expect(advance(empty, nothing, [hash, hash])).toBe('replayed');
  });

  test("counts the host's orders up, and lets each end generations", () => {
    const after = advance(empty, { ...nothing, removals: [by(1, 1), by(2, 1)] }, []);
    expect(after).toMatchObject({ floor: 1, hostSequence: 2 });
    if (typeof after === 'string') return;
    expect(advance(after, { ...nothing, removals: [by(2, 2)] }, [])).toBe('order');
    expect(advance(after, { ...nothing, removals: [by(3, 1)] }, [])).toBe('order');
    expect(advance(after, { ...nothing, removals: [by(4, 2), by(3, 2)] }, [])).toBe('order');
    const renewal = { sequence: 3, generation: 9, signature: random(64) };
    expect(advance(after, { ...nothing, renewal }, [])).toMatchObject({ floor: 9, hostSequence: 3 });
  });

  test('lets nobody in by a generation that has ended, not even in the commit that ends it', () => {
    const hash = random(32);
    expect(advance({ ...empty, floor: 2 }, { ...nothing, generation: 1 }, [hash])).toBe('oldGeneration');
    expect(advance(empty, { ...nothing, removals: [by(1, 1)] }, [hash])).toBe('oldGeneration');
    expect(advance(empty, { ...nothing, generation: 1, removals: [by(1, 1)] }, [hash])).toMatchObject({ floor: 1 });
  });

  test('forgets what can come no more: older generations, and all but the last 1,024', () => {
    const old = { generation: 0, keyPackageHash: random(32) };
    const kept = { generation: 1, keyPackageHash: random(32) };
    const after = advance({ ...empty, admitted: [old, kept] }, { ...nothing, removals: [by(1, 1)] }, []);
    expect(after).toMatchObject({ admitted: [kept] });
    const many = Array.from({ length: 1024 }, () => ({ generation: 0, keyPackageHash: random(32) }));
    const full = advance({ ...empty, admitted: many }, nothing, [random(32)]);
    if (typeof full === 'string') throw new Error(full);
    expect(full.admitted).toHaveLength(1024);
    expect(full.admitted[0]).toEqual(many[1]);
  });
});
