/**
 * What a group remembers beside its tree, the same for every member: the lowest generation that admits, the host's last
 * sequence number, and which key packages were admitted.
 *
 * It follows from the commits alone. Newcomers are handed it in the GroupInfo of their Welcome, signed by who adds them, so
 * that the next commit is as valid for them as for everybody else.
 *
 *   floor(4) ‖ host sequence(8) ‖ count(2) ‖ (generation(4) ‖ key package hash(32)) · count
 */
import type { Bytes } from './bytes.ts';
import { equal } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import type { CommitData } from './commitData.ts';

/** The oldest are forgotten first; by then their admissions have expired at every committer. 36 kB in a Welcome at most. */
const MAX_ADMITTED = 1024;

export interface Ledger {
  /** Lowest generation that still admits. Only what the host signed raises it. */
  readonly floor: number;
  /** Of the host's last order; 0 before the first. */
  readonly hostSequence: number;
  /** Of generations from the floor on, oldest first. */
  readonly admitted: readonly Admitted[];
}

interface Admitted {
  readonly generation: number;
  readonly keyPackageHash: Bytes;
}

/**
 * The ledger after a commit, or the rule that the commit breaks: the host's orders must count up and each raise the floor,
 * adds must be of a generation that still admits *after* those orders, and admit no key package a second time.
 * @param added hashes of the key packages added, in the order of the Adds
 */
export function advance(
  ledger: Ledger,
  data: CommitData,
  added: readonly Bytes[],
): Ledger | 'order' | 'oldGeneration' | 'replayed' {
  let { floor, hostSequence } = ledger;
  const orders = [...data.removals.filter((reason) => reason.kind === 'host'), ...(data.renewal ? [data.renewal] : [])];
  for (const order of orders) {
    if (order.sequence <= hostSequence || order.generation <= ledger.floor) return 'order';
    hostSequence = order.sequence;
    floor = Math.max(floor, order.generation);
  }
  if (added.length > 0 && data.generation < floor) return 'oldGeneration';
  const admitted = ledger.admitted.filter(({ generation }) => generation >= floor);
  for (const keyPackageHash of added) {
    if (isAdmitted(admitted, keyPackageHash)) return 'replayed';
    admitted.push({ generation: data.generation, keyPackageHash });
  }
  return { floor, hostSequence, admitted: admitted.slice(-MAX_ADMITTED) };
}

/** True if that key package has been admitted before. @param keyPackageHash 32 bytes */
export function isAdmitted(admitted: readonly Admitted[], keyPackageHash: Bytes): boolean {
  return admitted.some((entry) => equal(entry.keyPackageHash, keyPackageHash));
}

/** @returns 14 bytes and 36 for each admitted key package, as drawn above */
export function encodeLedger(ledger: Ledger): Bytes {
  const writer = new Writer().u32(ledger.floor).u64(ledger.hostSequence).u16(ledger.admitted.length);
  for (const { generation, keyPackageHash } of ledger.admitted) writer.u32(generation).fixed(keyPackageHash);
  return writer.done();
}

/** @throws CryptoError 'malformed' */
export function decodeLedger(bytes: Bytes): Ledger {
  const reader = new Reader(bytes);
  const floor = reader.u32();
  const hostSequence = reader.u64();
  const count = reader.u16();
  if (count > MAX_ADMITTED) throw new CryptoError('malformed', 'a ledger too long');
  const admitted = Array.from({ length: count }, () => ({
    generation: reader.u32(),
    keyPackageHash: reader.fixed(32),
  }));
  reader.end();
  return { floor, hostSequence, admitted };
}
