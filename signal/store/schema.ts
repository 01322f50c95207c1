/** Rows as they lie in the tables, and how their columns are written: portable between SQLite and PostgreSQL. */
import type { ColumnType } from 'kysely';
import * as z from 'zod/mini';
import { Signed } from '../protocol/documents.ts';
import { PeerId } from '../protocol/ids.ts';
import type { StoredMember } from './store.ts';

/** Integers of up to 53 bits. PostgreSQL's driver hands 64-bit ones over as text unless told otherwise. */
type Integer = ColumnType<number, number, number>;

export interface Tables {
  meetings: {
    id: string;
    /** `Signed` as JSON. */
    record: string;
    /** `Signed` as JSON; for the server alone. */
    access: string;
    generation: Integer;
    host_state: string | null;
    /** −1 before the first. */
    host_state_version: Integer;
    sequence: Integer;
    ended: string | null;
    used_at: Integer;
  };
  /** At most one per meeting. */
  groups: {
    meeting: string;
    group_id: string;
    epoch: Integer;
    /** `StoredMember[]` as JSON. */
    members: string;
    touched_at: Integer;
  };
  /** Primary key: (meeting, group_id, epoch). That row is what orders commits. */
  commits: {
    meeting: string;
    group_id: string;
    /** The epoch that it ends. */
    epoch: Integer;
    author: string;
    /** base64url */
    commit_text: string;
  };
}

const Members = z.array(z.object({ peer: PeerId, leaf: z.int() }));

export function signedFrom(text: string): Signed {
  return Signed.parse(JSON.parse(text));
}

export function membersFrom(text: string): StoredMember[] {
  return Members.parse(JSON.parse(text));
}

export function jsonOf(value: Signed | readonly StoredMember[]): string {
  return JSON.stringify(value);
}
