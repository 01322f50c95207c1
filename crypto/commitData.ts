/**
 * What a commit carries beside its proposals: its authenticated data (RFC 9420 §6), readable by the server, changed by nobody.
 *
 *   version(1) ‖ generation(4) ‖ adds(1) ‖ admission(141) · adds ‖ removals(1) ‖ reason · removals ‖ renewal
 *   renewal = 0(1)  or  1(1) ‖ order (removal.ts)
 *
 * Admissions stand in the order of the commit's Adds, reasons in the order of its Removes.
 */
import type { Bytes } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { ADMISSION_BYTES } from './admission.ts';
import type { HostOrder, RemovalReason } from './removal.ts';
import { readOrder, readReason, writeOrder, writeReason } from './removal.ts';

const VERSION = 1;
/** Adds, and removals, of one commit: what the server takes, and far more than come at one moment. */
export const MAX_BATCH = 100;

export interface CommitData {
  /** Of the PSK and of all admissions in this commit; without adds it says nothing. */
  readonly generation: number;
  readonly admissions: readonly Bytes[];
  readonly removals: readonly RemovalReason[];
  /** The host ends the generations below `renewal.generation`. */
  readonly renewal: HostOrder | null;
}

/**
 * @param data.admissions of ADMISSION_BYTES each, in the order of the commit's Adds; data.removals in that of its Removes
 * @returns at most 255 admissions and reasons: who reads refuses more than MAX_BATCH
 */
export function encodeCommitData(data: CommitData): Bytes {
  const writer = new Writer().u8(VERSION).u32(data.generation).u8(data.admissions.length);
  for (const admission of data.admissions) writer.fixed(admission);
  writer.u8(data.removals.length);
  for (const reason of data.removals) writeReason(writer, reason);
  if (data.renewal === null) writer.u8(0);
  else writeOrder(writer.u8(1), data.renewal);
  return writer.done();
}

/** @throws CryptoError 'malformed' */
export function decodeCommitData(bytes: Bytes): CommitData {
  const reader = new Reader(bytes);
  if (reader.u8() !== VERSION) throw new CryptoError('malformed', 'commit data of another version');
  const generation = reader.u32();
  const admissions = batch(reader, () => reader.fixed(ADMISSION_BYTES));
  const removals = batch(reader, () => readReason(reader));
  const renewed = reader.u8();
  if (renewed > 1) throw new CryptoError('malformed', 'neither renewal nor none');
  const renewal = renewed === 1 ? readOrder(reader) : null;
  reader.end();
  return { generation, admissions, removals, renewal };
}

function batch<T>(reader: Reader, read: () => T): T[] {
  const count = reader.u8();
  if (count > MAX_BATCH) throw new CryptoError('malformed', 'more than a commit may hold');
  return Array.from({ length: count }, read);
}
