/**
 * Our commits: when it is our turn, what goes into one, and what becomes of it.
 *
 * The member with the lowest leaf of those who are there commits; after `SILENCE_MS` anybody may, the next in line first. A
 * host who removes commits at once. Adds and removes wait for each other a moment and go together. A commit of ours takes effect
 * only when the server has ordered it; until we know, nothing else is staged. docs/design.md, "The group".
 */
import { base64url, equal, fromBase64url } from '../../../crypto/bytes.ts';
import { CryptoError } from '../../../crypto/errors.ts';
import type { Group } from '../../../crypto/group.ts';
import { peerIdOf } from '../../../crypto/identity.ts';
import type { Removal, Staged, Transition } from '../../../crypto/step.ts';
import { checkRemoval } from '../../../crypto/removal.ts';
import type { GroupId, MeetingId, PeerId, Epoch } from '../../../signal/protocol/ids.ts';
import type { Host } from '../host.ts';
import type { CommitRotation } from './hosting.ts';
import type { Desk } from './ports.ts';
import { RequestFailed } from './ports.ts';
import type { AddWork, RemoveWork, Work } from './work.ts';

/** Requests that come together go into one commit. Short: a newcomer waits for it. */
const BATCH_MS = 20;
/** The designated committer has this long, … */
const SILENCE_MS = 300;
/** … and everybody after it this much more, each. */
const RANK_MS = 100;
/** Epochs start at least this far apart; a host's removal does not wait. */
const EPOCH_GAP_MS = 250;
/** A member who is not the designated committer commits at most this often. */
const MEMBER_PACE_MS = 5000;
/** After a refusal that says nothing better, doubling. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;

/** Refusals as no member: the first may come from a server that is just coming up. */
const MAX_UNKNOWN = 2;

export interface CommitterTerms {
  readonly desk: Desk;
  readonly group: Group;
  readonly meeting: MeetingId;
  readonly hostPublicKey: Uint8Array<ArrayBuffer>;
  readonly host: Host | null;
  /** Here as far as anybody knows: presence by the server is good enough to decide whose turn it is. */
  readonly isHere: (peer: PeerId) => boolean;
  readonly isLost: (peer: PeerId) => boolean;
  /** Host state: nobody comes in while it is locked, and never who is banned. */
  readonly isLocked: () => boolean;
  readonly isBanned: (identity: string) => boolean;
  /** The generation that a removal of ours starts. */
  readonly nextGeneration: () => number;
  /** That generation, to go along with the commit that is staged. */
  readonly rotation: () => Promise<CommitRotation | undefined>;
  /** Our commit was ordered, and we are in its epoch. */
  readonly entered: (transition: Transition, commit: Uint8Array<ArrayBuffer>) => Promise<void>;
  /** Another commit was ordered for this epoch: it has to come from the log if not by itself. */
  readonly behind: () => void;
  /** Only a new leaf lets us commit again. */
  readonly repair: () => void;
  /** Somebody asked to come in with a key package that is none. */
  readonly forged: (detail: string) => void;
}

export class Committer {
  readonly #terms: CommitterTerms;
  readonly #work: Work;
  #cancel: (() => void) | null = null;
  #staged: Staged | null = null;
  #rotation: CommitRotation | undefined;
  /** What we know of the staged commit: `offline`, perhaps nobody got it; `stale`, another was first, or the answer got lost. */
  #fate: 'offered' | 'offline' | 'stale' = 'offered';
  /** Since when our keys ask to be renewed, although nobody comes or goes. */
  #renewSince = Infinity;
  #lastEpochAt = -Infinity;
  #lastOwnAt = -Infinity;
  #notBefore = -Infinity;
  #retryMs = RETRY_MS;
  /** Commits in a row that the server did not take from us as from a member. */
  #unknown = 0;

  constructor(work: Work, terms: CommitterTerms) {
    this.#work = work;
    this.#terms = terms;
  }

  /** The group has come into another epoch, by whomever. What was staged is confirmed or void. */
  moved(): void {
    const now = this.#terms.desk.now();
    this.#staged = null;
    this.#renewSince = Infinity;
    this.#unknown = 0;
    this.#lastEpochAt = now;
    this.#retryMs = RETRY_MS;
    this.#work.settle(this.#terms.group.members(), now);
    this.plan();
  }

  /** The slot that we were refused is free again: what waits need not wait longer. */
  reopened(): void {
    this.#notBefore = -Infinity;
    this.plan();
  }

  /** Our keys have sealed much: a commit of whomever gives everybody new ones. */
  renew(): void {
    this.#renewSince = Math.min(this.#renewSince, this.#terms.desk.now());
    this.plan();
  }

  /** The log shows nothing that was ordered instead of what we staged. */
  async unopposed(): Promise<void> {
    if (this.#staged === null || this.#fate === 'offered') return;
    // It never arrived: the same commit may be offered again.
    if (this.#fate === 'offline') this.#offer(this.#staged);
    else await this.#giveUp(undefined);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Sets the clock for the next commit, if there is something to do. Call it whenever work or presence changes. */
  plan(): void {
    this.stop();
    const { desk } = this.#terms;
    if (this.#staged !== null) return;
    const at = this.#dueAt();
    if (at === Infinity) return;
    this.#cancel = desk.after(Math.max(0, at - desk.now()), () => {
      this.#cancel = null;
      desk.post(() => this.#commit());
    });
  }

  #dueAt(): number {
    const removes = this.#dueRemoves();
    if (removes.some(({ cause }) => cause.kind === 'host')) return this.#notBefore;
    const since = Math.min(this.#renewSince, ...[...removes, ...this.#dueAdds()].map((work) => work.since));
    if (since === Infinity) return Infinity;
    const rank = this.#rank();
    const floor = Math.max(this.#notBefore, this.#lastEpochAt + EPOCH_GAP_MS);
    if (rank === 0) return Math.max(since + BATCH_MS, floor);
    // Silence is counted from the last epoch: who has just committed was not silent.
    const silence = Math.max(since, this.#lastEpochAt) + SILENCE_MS + RANK_MS * (rank - 1);
    return Math.max(silence, floor, this.#lastOwnAt + MEMBER_PACE_MS);
  }

  /** How many of those who are there come before us. */
  #rank(): number {
    const { group, isHere, isLost } = this.#terms;
    const leaving = (leafKey: Uint8Array) => this.#work.removes.some((work) => equal(work.leafKey, leafKey));
    return group
      .members()
      .filter(
        ({ leaf, peer, leafKey }) =>
          leaf < group.ownLeaf && isHere(peer as PeerId) && !isLost(peer as PeerId) && !leaving(leafKey),
      ).length;
  }

  #dueAdds(): AddWork[] {
    const { group, isLocked } = this.#terms;
    // Between a host's removal and the generation that it starts, nobody is added by anybody.
    return group.generation === null || isLocked() ? [] : this.#work.adds;
  }

  #dueRemoves(): RemoveWork[] {
    const { group, isLost } = this.#terms;
    const members = group.members();
    return this.#work.removes.filter(({ leafKey, cause }) => {
      const member = members.find((one) => equal(one.leafKey, leafKey));
      if (member === undefined || member.leaf === group.ownLeaf) return false;
      return cause.kind !== 'lost' || isLost(member.peer as PeerId);
    });
  }

  async #commit(): Promise<void> {
    if (this.#staged !== null) return;
    // What a host's removal ends must not admit in the same breath: who waits comes in by the next generation.
    const removing = this.#dueRemoves().some(({ cause }) => cause.kind === 'host');
    const staged = await this.#stage(removing ? [] : this.#dueAdds());
    if (staged === null) {
      // Nothing to do, or nothing that can be done: then not again at once.
      if (this.#dueAt() !== Infinity) this.#backOff(undefined);
      this.plan();
      return;
    }
    this.#staged = staged;
    this.#rotation = removing ? await this.#terms.rotation() : undefined;
    this.#lastOwnAt = this.#terms.desk.now();
    this.#offer(staged);
  }

  /** Stages what may be; requests that may not are dropped. Null if nothing is left to do. */
  async #stage(adds: readonly AddWork[]): Promise<Staged | null> {
    const { desk, group, forged, isBanned } = this.#terms;
    const removes = [...(await this.#removals()), ...(await this.#replacements(adds))];
    if (adds.length === 0 && removes.length === 0 && this.#renewSince === Infinity) return null;
    const change = {
      adds: adds.map(({ keyPackage, request }) => ({ keyPackage, admission: request.admission })),
      removes,
    };
    let staged: Staged;
    try {
      staged = await group.stage(change, desk.serverNow());
    } catch (error) {
      if (isExhausted(error)) {
        // Nothing can be staged in this epoch any more, and we cannot leave it either.
        this.#terms.repair();
        return null;
      }
      if (adds.length === 0) return null;
      // One of the requests is bad in a way that spoils all: a replacement, if there is any. Who asks honestly asks again.
      const suspects = adds.some(({ request }) => request.replaces)
        ? adds.filter(({ request }) => request.replaces)
        : adds;
      for (const { peer } of suspects) this.#work.dropAdd(peer);
      return this.#stage(adds.filter((add) => !suspects.includes(add)));
    }
    for (const { index, why } of staged.refused) {
      if (why !== 'full') this.#work.dropAdd(adds[index]!.peer);
      if (why === 'malformed' || why === 'keyPackage') forged(`a request to come in was ${why}`);
    }
    const banned = staged.added.filter(({ identity }) => isBanned(base64url(identity)));
    if (banned.length === 0) return staged;
    await group.discard();
    for (const { peer } of banned) this.#work.dropAdd(peer as PeerId);
    return this.#stage(adds.filter(({ peer }) => !banned.some((member) => member.peer === peer)));
  }

  async #removals(): Promise<Removal[]> {
    const { desk, group, meeting, host, nextGeneration } = this.#terms;
    const place = { meetingId: meeting, groupId: group.groupId, epoch: group.epoch };
    const removals: Removal[] = [];
    for (const { leafKey, cause } of this.#dueRemoves()) {
      const { leaf } = group.members().find((member) => equal(member.leafKey, leafKey))!;
      if (cause.kind === 'leave') removals.push({ leaf, reason: cause.reason });
      if (cause.kind === 'lost') removals.push({ leaf, reason: { kind: 'lost' } });
      if (cause.kind !== 'host' || host === null) continue;
      // Good for this epoch alone: after a lost race it is signed anew.
      const sequence = await host.nextSequence(desk.serverNow(), group.hostSequence);
      const order = { sequence, generation: nextGeneration() };
      removals.push({ leaf, reason: await host.signRemoval(place, leafKey, order) });
    }
    return removals;
  }

  /** Old leaves that their owners have left behind, removed by the commit that adds the new ones. */
  async #replacements(adds: readonly AddWork[]): Promise<Removal[]> {
    const { group, meeting, hostPublicKey } = this.#terms;
    const place = { meetingId: meeting, groupId: group.groupId, epoch: group.epoch };
    const leaving = new Set(this.#dueRemoves().map(({ leafKey }) => base64url(leafKey)));
    const removals: Removal[] = [];
    for (const { peer, request } of adds) {
      const { replaces } = request;
      // A word for another leaf than the one that asks would make the whole commit invalid.
      if (replaces && (await peerIdOf(replaces.reason.newLeafKey)) !== peer) continue;
      const old = replaces && group.members().find(({ leafKey }) => equal(leafKey, replaces.oldLeafKey));
      if (!replaces || !old || old.leaf === group.ownLeaf || leaving.has(base64url(old.leafKey))) continue;
      leaving.add(base64url(old.leafKey));
      const added = [{ leafKey: replaces.reason.newLeafKey, identity: old.identity }];
      if (!(await checkRemoval(replaces.reason, old, { place, hostPublicKey, added }))) continue;
      removals.push({ leaf: old.leaf, reason: replaces.reason });
    }
    return removals;
  }

  #offer(staged: Staged): void {
    const { desk, group } = this.#terms;
    this.#fate = 'offered';
    desk
      .send('group.commit', {
        groupId: base64url(group.groupId) as GroupId,
        epoch: staged.epoch as Epoch,
        commit: base64url(staged.commit),
        ...(staged.welcome === null ? {} : { welcome: base64url(staged.welcome) }),
        added: staged.added.map(({ peer }) => peer as PeerId),
        removed: staged.removed.map(({ peer }) => peer as PeerId),
        ...(this.#rotation === undefined ? {} : { rotation: this.#rotation }),
      })
      .then(
        () => desk.post(() => this.#ordered(staged)),
        (error: unknown) => desk.post(() => this.#refused(staged, error)),
      );
  }

  async #ordered(staged: Staged): Promise<void> {
    // The event may have been faster than the answer.
    if (this.#staged !== staged) return;
    const { group, entered } = this.#terms;
    await entered(await group.confirm(), staged.commit);
  }

  async #refused(staged: Staged, error: unknown): Promise<void> {
    if (this.#staged !== staged) return;
    const failure = error instanceof RequestFailed ? error : new RequestFailed('internal');
    if (failure.code === 'offline') {
      this.#fate = 'offline';
    } else if (failure.code === 'staleEpoch') {
      this.#fate = 'stale';
      this.#terms.behind();
    } else if (failure.code === 'groupUnknown' && ++this.#unknown >= MAX_UNKNOWN) {
      // The server does not count us among the members: we could neither remove nor add anybody.
      this.#terms.repair();
    } else {
      await this.#giveUp(failure.retryAfterMs);
    }
  }

  async #giveUp(retryAfterMs: number | undefined): Promise<void> {
    await this.#terms.group.discard();
    this.#staged = null;
    this.#backOff(retryAfterMs);
    this.plan();
  }

  #backOff(retryAfterMs: number | undefined): void {
    this.#notBefore = this.#terms.desk.now() + (retryAfterMs ?? this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, 2 * this.#retryMs);
  }
}

function isExhausted(error: unknown): boolean {
  return error instanceof CryptoError && error.code === 'exhausted';
}

/** Reads bytes of the wire. @returns null if they are none */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return fromBase64url(text);
  } catch {
    return null;
  }
}
