/**
 * Others' commits: applied in the order of the log, each once, and refused in the open.
 *
 * Missing ones are fetched from the server's log, first soon, then at most every 5 s, doubling; if the log does not lead to
 * where other members are known to be, only a new leaf helps (`repair`). Whatever the server shows that cannot be true of one
 * group (two commits for one epoch, another group) is a split: said aloud, and never followed. docs/design.md, "The group".
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat } from '../../../crypto/bytes.ts';
import { Writer } from '../../../crypto/codec.ts';
import type { Group, Processed } from '../../../crypto/group.ts';
import { sha256 } from '../../../crypto/primitives.ts';
import type { Transition } from '../../../crypto/step.ts';
import type { Epoch, GroupId, PeerId } from '../../../signal/protocol/ids.ts';
import type { OrderedCommit } from '../../../signal/protocol/model.ts';
import { bytesOf } from './committing.ts';
import type { Alarm, Desk } from './ports.ts';
import { RequestFailed } from './ports.ts';

const INVALID_LABEL = 'parley commit invalid 1';
/** Other members' paths may be faster than the server's: what is on its way needs no log. */
const GRACE_MS = 500;
const PACE_MS = 5000;
const MAX_PACE_MS = 60_000;
/** Logs that did not help, after which a new leaf is made. */
const MAX_TRIES = 2;
/** Commits whose hashes are remembered, to tell a repeated one from a second one for the same epoch. */
const MAX_HISTORY = 128;
/** Commits that came before their turn. */
const MAX_EARLY = 64;

export type Expulsion = Extract<Processed, { why: 'removed' }>;

export interface FollowerEvents {
  entered: (transition: Transition, commit: Bytes) => Promise<void>;
  /** We were taken out, validly. */
  removed: (how: Expulsion) => void;
  /** How many members have fallen silent in our epoch: perhaps they are ahead of us. */
  missing: () => 'nobody' | 'some' | 'most';
  /** Only a new leaf leads back to the others. */
  repair: () => void;
  alarm: Alarm;
  /** The log has nothing against a commit of ours whose fate was unknown. */
  unopposed: () => Promise<void>;
}

export class Follower {
  readonly #desk: Desk;
  readonly #group: Group;
  readonly #events: FollowerEvents;
  /** Epoch → hash of the commit that ended it, as far as we saw it. */
  readonly #history = new Map<number, string>();
  readonly #early = new Map<number, Bytes>();
  /** Waits for its generation's secret. */
  #waiting: Bytes | null = null;
  /** Highest epoch that somebody is said to be in. A hint: it may be a lie, and costs a look into the log. */
  #heardOf = -1;
  /** By whom, as far as anybody says. */
  #heardFrom: PeerId | null = null;
  #tries = 0;
  #nextAt = -Infinity;
  #paceMs = PACE_MS;
  #cancel: (() => void) | null = null;
  #asking = false;
  /** Something happened since the log was asked that its answer cannot know. */
  #again = false;
  #refused = new Set<string>();

  constructor(desk: Desk, group: Group, events: FollowerEvents) {
    this.#desk = desk;
    this.#group = group;
    this.#events = events;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Our group has moved on by this commit. */
  async remember(epoch: number, commit: Bytes): Promise<void> {
    this.#history.set(epoch, await hashOf(commit));
    this.#history.delete(epoch - MAX_HISTORY);
    this.#tries = 0;
    this.#paceMs = PACE_MS;
    this.#waiting = null;
  }

  /**
   * A commit that the server says it has ordered, from an event or from its log.
   * @param added whom it adds, as the server was told
   */
  async ordered({
    groupId,
    epoch,
    commit: text,
    added = [],
  }: OrderedCommit & { added?: PeerId[] | undefined }): Promise<void> {
    const commit = bytesOf(text);
    if (commit === null) return;
    if (groupId !== base64url(this.#group.groupId)) {
      this.#events.alarm('split', 'a commit of another group');
      return;
    }
    if (epoch < this.#group.epoch) return this.#repeated(epoch, commit);
    if (epoch > this.#group.epoch) {
      if (this.#early.size < MAX_EARLY) this.#early.set(epoch, commit);
      this.heardOf(epoch, null);
      return;
    }
    await this.#apply(commit, added);
  }

  /** The commit that ended `epoch` took us out of it. */
  hasApplied(epoch: number): boolean {
    return this.#history.has(epoch);
  }

  /** Somebody is said to be in that epoch. @param by who says so; null: the server */
  heardOf(epoch: number, by: PeerId | null): void {
    if (epoch <= this.#group.epoch || epoch <= this.#heardOf) return;
    this.#heardOf = epoch;
    this.#heardFrom = by;
    this.#plan(GRACE_MS);
  }

  /** Asks the log at once: the socket was away, or a commit of ours came too late. */
  askSoon(): void {
    this.stop();
    this.#nextAt = -Infinity;
    if (this.#asking) this.#again = true;
    else this.#plan(0, true);
  }

  /** A generation came: a commit that waited for it may pass now. */
  async generationCame(): Promise<void> {
    const commit = this.#waiting;
    if (commit === null) return;
    this.#waiting = null;
    await this.#apply(commit);
  }

  async #repeated(epoch: number, commit: Bytes): Promise<void> {
    const known = this.#history.get(epoch);
    // Of what was before our time we know nothing.
    if (known === undefined || known === (await hashOf(commit))) return;
    this.#events.alarm('split', `two commits end epoch ${epoch}`);
  }

  async #apply(commit: Bytes, added: readonly PeerId[] = []): Promise<void> {
    const { epoch } = this.#group;
    const result = await this.#group.process(commit);
    if (result.ok) {
      this.#compare(added);
      await this.#events.entered(result.transition, commit);
      return;
    }
    switch (result.why) {
      case 'removed':
        this.#events.removed(result);
        return;
      case 'unknownGeneration':
        this.#waiting = commit;
        return;
      case 'own':
        // Ordered after all, when we had given it up.
        this.#events.repair();
        return;
      case 'staleEpoch':
      case 'unknownEpoch':
        return;
      default:
        await this.#refuse(epoch, commit, result.why);
    }
  }

  /** Whom a commit adds, the server has from its author, who may lie to have friends counted as members. The tree does not. */
  #compare(added: readonly PeerId[]): void {
    const members = new Set(this.#group.members().map(({ peer }) => peer));
    const peers = added.filter((peer) => !members.has(peer));
    if (peers.length === 0) return;
    this.#events.alarm('forged', 'a commit is said to add somebody whom it does not');
    const groupId = base64url(this.#group.groupId) as GroupId;
    this.#desk.send('group.disown', { groupId, peers }).catch(() => undefined);
  }

  /** A commit that came too early may have its turn now. */
  async applyEarly(): Promise<void> {
    const { epoch } = this.#group;
    for (const early of this.#early.keys()) if (early < epoch) this.#early.delete(early);
    const next = this.#early.get(epoch);
    if (next === undefined) return;
    this.#early.delete(epoch);
    await this.#apply(next);
  }

  /** Says so, signed: if most members do, the slot reopens. */
  async #refuse(epoch: number, commit: Bytes, why: string): Promise<void> {
    const hash = await sha256(commit);
    const key = `${epoch} ${base64url(hash)}`;
    if (this.#refused.has(key)) return;
    this.#refused.add(key);
    this.#events.alarm('commitRefused', why);
    const groupId = this.#group.groupId;
    const said = concat(groupId, new Writer().u64(epoch).done(), hash);
    const signature = await this.#group.sign(INVALID_LABEL, said);
    this.#desk
      .send('group.commitInvalid', {
        groupId: base64url(groupId) as GroupId,
        epoch: epoch as Epoch,
        commitHash: base64url(hash),
        signature: base64url(signature),
      })
      .catch(() => undefined);
  }

  #plan(graceMs: number, always = false): void {
    if (this.#cancel !== null || this.#asking) return;
    const { now, after } = this.#desk;
    const wait = Math.max(graceMs, this.#nextAt - now());
    this.#cancel = after(wait, () => {
      this.#cancel = null;
      if (always || this.#heardOf > this.#group.epoch) this.#ask();
    });
  }

  #ask(): void {
    const { epoch } = this.#group;
    const groupId = base64url(this.#group.groupId) as GroupId;
    this.#asking = true;
    this.#nextAt = this.#desk.now() + this.#paceMs;
    this.#desk.send('group.log', { groupId, epoch: epoch as Epoch }).then(
      (log) => this.#desk.post(() => this.#read(log.commits, log.epoch, epoch)),
      (error: unknown) => this.#desk.post(() => this.#failed(error)),
    );
  }

  async #read(commits: readonly OrderedCommit[], head: number, from: number): Promise<void> {
    this.#asking = false;
    for (const commit of commits) await this.ordered(commit);
    const { epoch } = this.#group;
    // It came in pages, or was asked too early.
    if (this.#again || (epoch > from && head > epoch)) {
      this.#again = false;
      this.askSoon();
      return;
    }
    await this.#events.unopposed();
    if (this.#heardOf <= epoch) return;
    this.#paceMs = Math.min(MAX_PACE_MS, 2 * this.#paceMs);
    if (++this.#tries < MAX_TRIES) {
      this.#plan(0);
      return;
    }
    this.#tries = 0;
    const heardOf = this.#heardOf;
    this.#heardOf = -1;
    const missing = this.#events.missing();
    // Headers can be made up, and whoever makes them up can fall silent too: one member must not drive the others out.
    const isAhead = head > epoch || missing === 'most';
    // Where everybody speaks to us in our own epoch, the hint was a lie, or a flaw of somebody's.
    if (!isAhead && missing === 'nobody') return;
    if (isAhead) {
      this.#events.alarm('withheld', `others are in epoch ${heardOf}, the server leads to ${epoch}`);
      this.#events.repair();
    } else {
      // Some are silent, and somebody speaks of an epoch that nothing leads to: true only if they are cut off from us.
      this.#events.alarm('unreadable', `epoch ${heardOf} is spoken of, the server leads to ${epoch}`, this.#heardFrom);
    }
  }

  #failed(error: unknown): void {
    this.#asking = false;
    // Without a connection there is nothing to ask; a resumed one begins with the log.
    if (error instanceof RequestFailed && error.code === 'offline') return;
    this.#paceMs = Math.min(MAX_PACE_MS, 2 * this.#paceMs);
    this.#plan(0, true);
  }
}

async function hashOf(commit: Bytes): Promise<string> {
  return base64url(await sha256(commit));
}
