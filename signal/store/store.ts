/**
 * What outlives a process: meetings, their groups, and the order of commits. The interface that every store implements;
 * tests/contract/store.contract.ts says what it promises.
 *
 * Everything kept here was checked by whoever puts it in. Times are milliseconds since 1970. Each call is atomic.
 */
import type { Signed, SignedTerms } from '../protocol/documents.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../protocol/ids.ts';
import type { OrderedCommit } from '../protocol/model.ts';

export interface StoredMeeting {
  readonly meeting: MeetingId;
  /** The signed record of the present generation. */
  readonly record: Signed;
  /** The signed access key of the same generation. It never goes to a client. */
  readonly access: Signed;
  readonly generation: number;
  /** The newest, and its version. */
  readonly hostState: { version: number; signed: Signed } | null;
  /** Highest sequence of a host's commands so far; 0 before the first. */
  readonly sequence: number;
  /** The command that ended it. */
  readonly ended: Signed | null;
  readonly usedAt: number;
}

/** One member of a group: which leaf it has, as far as the server can tell. */
export interface StoredMember {
  readonly peer: PeerId;
  readonly leaf: number;
}

export interface StoredGroup {
  readonly id: GroupId;
  readonly epoch: Epoch;
  readonly members: readonly StoredMember[];
}

export interface MeetingStore {
  /** Generation 0. `same`: this very record is there already. */
  create(meeting: MeetingId, terms: SignedTerms, now: number): Promise<'created' | 'same' | 'taken'>;
  find(meeting: MeetingId): Promise<StoredMeeting | null>;
  /** Only from the generation just before. @returns whether it was taken */
  rotate(meeting: MeetingId, generation: number, terms: SignedTerms): Promise<boolean>;
  /** Only a higher version. @returns whether it was taken */
  saveHostState(meeting: MeetingId, version: number, signed: Signed): Promise<boolean>;
  /** Only a higher one: each sequence counts once. @returns whether it was taken */
  takeSequence(meeting: MeetingId, sequence: number): Promise<boolean>;
  /** Ends it for good; its group goes. */
  end(meeting: MeetingId, command: Signed): Promise<void>;
  /** Somebody uses it. */
  touch(meeting: MeetingId, now: number): Promise<void>;
  /** Forgets meetings that nobody has used since. @returns how many */
  sweep(before: number): Promise<number>;
}

export interface NewCommit extends OrderedCommit {
  readonly meeting: MeetingId;
  /** Members after this commit. */
  readonly members: readonly StoredMember[];
}

export interface GroupStore {
  find(meeting: MeetingId): Promise<StoredGroup | null>;
  /** A group at epoch 0. It takes the place of whichever the meeting had, log and all. */
  create(meeting: MeetingId, group: StoredGroup, now: number): Promise<void>;
  /** The first commit for (meeting, group, epoch) wins. @returns whether this one did */
  append(commit: NewCommit, now: number): Promise<boolean>;
  /** Withdraws the newest commit, the one that ended `epoch`; `members` are those before it. */
  reopen(meeting: MeetingId, groupId: GroupId, epoch: Epoch, members: readonly StoredMember[]): Promise<void>;
  /** Commits from `epoch` on, oldest first. */
  log(meeting: MeetingId, groupId: GroupId, epoch: Epoch, limit: number): Promise<OrderedCommit[]>;
  /** Forgets this group and its log; nothing if the meeting has another by now. */
  drop(meeting: MeetingId, groupId: GroupId): Promise<void>;
  /** Forgets groups that were last written before, those of the meetings in `except` excepted. @returns how many */
  sweep(before: number, except: ReadonlySet<MeetingId>): Promise<number>;
}

export interface Store {
  readonly meetings: MeetingStore;
  readonly groups: GroupStore;
  /** @throws if it does not answer */
  ping(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
