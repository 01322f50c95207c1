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
  /** How far each meeting's chat goes; no row: nothing was ever written. */
  chat_logs: {
    meeting: string;
    base_seq: Integer;
    base_hash: string;
    /** Up to here items were deleted; from here to the base a snapshot has taken their place. */
    deleted_seq: Integer;
    head_seq: Integer;
    head_hash: string;
    /** Bytes of bodies, and of the confirmed snapshot. */
    used: Integer;
  };
  /** Primary key: (meeting, seq). Bodies are base64url, as they came and as they go out: text is the one type that both databases spell alike. */
  chat_items: {
    meeting: string;
    seq: Integer;
    /** Drawn by the client; unique in its meeting. */
    id: string;
    at: Integer;
    hash: string;
    /** The chain's hash here. */
    chain: string;
    body: string;
    /** Of the body. */
    bytes: Integer;
    /** 1: the body is what its author has put in the place of the first. */
    replaced: Integer;
    /** SHA-256 of the token that erases it. */
    erase: string;
  };
  /** Unique: (meeting, confirmed), so that there is one of each at most. */
  chat_snapshots: {
    meeting: string;
    id: string;
    covers_seq: Integer;
    covers_hash: string;
    /** When the newest item that it covers was taken. */
    covers_at: Integer;
    parts: Integer;
    hash: string;
    bytes: Integer;
    offered_at: Integer;
    /** 1: all parts are here. Numbers, because SQLite has no truth values. */
    complete: Integer;
    confirmed: Integer;
  };
  /** What lies in the folder of blobs, and whose it is. */
  blobs: {
    id: string;
    meeting: string;
    bytes: Integer;
    /** SHA-256 of the token that deletes it. */
    erase: string;
    /** When it was whole; before that, when it was begun. */
    at: Integer;
    complete: Integer;
  };
  /** Primary key: (meeting, snapshot, part). */
  chat_parts: {
    meeting: string;
    snapshot: string;
    part: Integer;
    body: string;
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
