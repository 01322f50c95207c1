/**
 * What outlives a process: meetings, their groups, and the order of commits. The interface that every store implements;
 * tests/contract/store.contract.ts says what it promises.
 *
 * Everything kept here was checked by whoever puts it in. Times are milliseconds since 1970. Each call is atomic.
 */
import type { ChatHead, ChatItem, ChatSnapshot } from '../protocol/chat.ts';
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
  /** Ends it for good; its group, its chat and its files go. */
  end(meeting: MeetingId, command: Signed): Promise<void>;
  /** Somebody uses it. */
  touch(meeting: MeetingId, now: number): Promise<void>;
  /** Forgets meetings that nobody has used since, and all that is theirs. @returns how many */
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

/** A chat's log: items after the base, up to the head. */
export interface StoredChat {
  readonly base: ChatHead;
  /** Items up to this one were deleted, as were snapshots of them alone; 0: none. */
  readonly deleted: number;
  readonly head: ChatHead;
  /** Bytes of bodies, and of the confirmed snapshot. */
  readonly used: number;
}

export interface NewItem {
  /** Drawn by its author. */
  readonly id: string;
  readonly at: number;
  /** SHA-256 of the body. */
  readonly hash: string;
  /** The chain's hash with it. */
  readonly chain: string;
  /** base64url */
  readonly body: string;
  readonly bytes: number;
  /** SHA-256 of the token that erases it. */
  readonly erase: string;
}

/** `known`: there is one with this id. `stale`: the head is another. `gone`: the meeting has ended, or was never there. */
export type Appended = { at: 'added' } | { at: 'known'; item: { seq: number; at: number } } | { at: 'stale' | 'gone' };

export interface StoredSnapshots {
  readonly confirmed: ChatSnapshot | null;
  /** Complete, and not confirmed. */
  readonly offered: ChatSnapshot | null;
}

export interface NewPart {
  readonly snapshot: string;
  readonly part: number;
  /** base64url */
  readonly body: string;
  readonly bytes: number;
  /** The snapshot is complete with it. */
  readonly isLast: boolean;
}

export interface Erasable {
  readonly erase: string;
  readonly bytes: number;
  readonly isReplaced: boolean;
}

/** `body`: what takes the place of the one that is there, of so many bytes. */
export interface Erasure {
  readonly seq: number;
  readonly body: string;
  readonly bytes: number;
}

/** Sealed items and snapshots of them. Bodies that are dropped or erased are overwritten; `Store.scrub` sees to copies. */
export interface ChatStore {
  /** Null: nothing was ever written. */
  find(meeting: MeetingId): Promise<StoredChat | null>;
  /** The item that was added under this id, while it is there. */
  findItem(meeting: MeetingId, id: string): Promise<{ seq: number; at: number } | null>;
  /** Adds the item that follows `previous`, if that is the head; `previous.seq` 0 begins the log. */
  append(meeting: MeetingId, previous: ChatHead, item: NewItem): Promise<Appended>;
  /** Items after `after`, oldest first, at most so many, and not more bytes of bodies than that after the first. */
  page(meeting: MeetingId, after: number, most: { items: number; bytes: number }): Promise<ChatItem[]>;
  /** Of those that are there: the hash of the token that erases it, its size, and whether that was done. */
  erasable(meeting: MeetingId, seqs: readonly number[]): Promise<Map<number, Erasable>>;
  /** Replaces bodies, each once, and drops a snapshot that holds one of them and is not confirmed. @returns those that were replaced now */
  erase(meeting: MeetingId, items: readonly Erasure[]): Promise<number[]>;
  /**
   * Drops all items up to there and snapshots of them, and one that is not confirmed; null: all.
   * @returns the new base; null if there was nothing, or this log does not go through there after its base
   */
  clear(meeting: MeetingId, upTo?: ChatHead | null): Promise<ChatHead | null>;
  /** Drops items taken before, a snapshot of nothing newer, and one that is not confirmed. @returns the new base; null if nothing was that old */
  dropBefore(meeting: MeetingId, before: number): Promise<ChatHead | null>;
  /** Meetings that have items or snapshots from before. */
  olderThan(before: number): Promise<MeetingId[]>;

  snapshots(meeting: MeetingId): Promise<StoredSnapshots>;
  /**
   * Begins one, in the place of one that is not confirmed. It covers items that are there, or, to make it smaller, just what the confirmed one does.
   * @returns false: it covers nothing of this log, or one with its id is confirmed
   */
  offer(meeting: MeetingId, snapshot: ChatSnapshot, now: number): Promise<boolean>;
  /** @returns false: it is not offered any more */
  addPart(meeting: MeetingId, part: NewPart): Promise<boolean>;
  /** Of a complete snapshot. */
  part(meeting: MeetingId, snapshot: string, part: number): Promise<string | null>;
  /** Drops the one that is not confirmed. */
  dropOffer(meeting: MeetingId): Promise<void>;
  /** Takes it in the place of the items that it covers, and of the one before it. @returns whether it was complete, and still the one that is offered */
  confirm(meeting: MeetingId, snapshot: string): Promise<boolean>;
  /** Drops all that were offered before and never confirmed. */
  dropOffers(before: number): Promise<void>;
}

export interface NewBlob {
  readonly id: string;
  readonly bytes: number;
  /** SHA-256 of the token that deletes it. */
  readonly erase: string;
  readonly at: number;
}

export interface StoredBlob {
  /** How long it is, or will be. */
  readonly bytes: number;
  readonly erase: string;
  readonly isWhole: boolean;
}

/** Whose sealed files there are; what is in them lies elsewhere (signal/blobs). */
export interface BlobStore {
  /** Takes room for one. `gone`: the meeting has ended, or was never there. */
  begin(meeting: MeetingId, blob: NewBlob, most: { bytes: number; count: number }): Promise<'begun' | 'full' | 'gone'>;
  /** Null: there is none, or it is another meeting's. */
  find(meeting: MeetingId, id: string): Promise<StoredBlob | null>;
  /** It is whole. */
  finish(id: string, at: number): Promise<void>;
  delete(ids: readonly string[]): Promise<void>;
  /** Deletes a meeting's from before. @returns which */
  drop(meeting: MeetingId, before: number): Promise<string[]>;
  /** Meetings that have some from before. */
  olderThan(before: number): Promise<MeetingId[]>;
  /** Those of them that are somebody's. */
  known(ids: readonly string[]): Promise<Set<string>>;
}

export interface Store {
  readonly meetings: MeetingStore;
  readonly groups: GroupStore;
  readonly chat: ChatStore;
  readonly blobs: BlobStore;
  /** Sees to it that what was deleted lies nowhere on the disk any more. @returns false: somebody is reading; ask again */
  scrub(): Promise<boolean>;
  /** @throws if it does not answer */
  ping(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
