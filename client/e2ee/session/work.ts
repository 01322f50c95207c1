/**
 * What the next commit has to do: who asks to come in, and who has to go.
 *
 * Work stays until the group's tree shows it done, whoever did it: so a commit that lost its race is rebased by itself, and a
 * removal is never dropped. Only "lost" is taken back, when the lost one shows a sign of life.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { equal } from '../../../crypto/bytes.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import type { RemovalReason } from '../../../crypto/removal.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { JoinRequest } from '../joinRequest.ts';

export interface AddWork {
  readonly peer: PeerId;
  readonly keyPackage: Bytes;
  readonly request: JoinRequest;
  /** First and last time that it was asked for, by `ports.now`. */
  readonly since: number;
  readonly askedAt: number;
}

/** Why somebody has to go. `host`: we are the host, and sign when it is clear which epoch the removal ends. */
export type Cause =
  { readonly kind: 'leave'; readonly reason: RemovalReason } | { readonly kind: 'lost' } | { readonly kind: 'host' };

export interface RemoveWork {
  readonly leafKey: Bytes;
  readonly cause: Cause;
  readonly since: number;
}

/** An admission lasts 2 minutes; who still wants to come in asks again every few seconds. */
const FORGET_ADD_MS = 15_000;
/** More than the capacity of any meeting. */
const MAX_ADDS = 128;

export class Work {
  readonly #adds = new Map<PeerId, AddWork>();
  readonly #removes: RemoveWork[] = [];

  get adds(): AddWork[] {
    return [...this.#adds.values()];
  }

  get removes(): readonly RemoveWork[] {
    return this.#removes;
  }

  add(work: AddWork): void {
    const before = this.#adds.get(work.peer);
    if (before === undefined && this.#adds.size >= MAX_ADDS) return;
    // Asking again does not put anybody to the end of the line.
    this.#adds.set(work.peer, { ...work, since: before?.since ?? work.since });
  }

  dropAdd(peer: PeerId): void {
    this.#adds.delete(peer);
  }

  remove(work: RemoveWork): void {
    const at = this.#removes.findIndex(({ leafKey }) => equal(leafKey, work.leafKey));
    if (at < 0) this.#removes.push(work);
    // A word of the host or of the member itself replaces our guess; nothing replaces the host's.
    else if (rank(work.cause) > rank(this.#removes[at]!.cause)) this.#removes[at] = work;
  }

  /** The lost one is back. */
  found(leafKey: Bytes): void {
    const at = this.#removes.findIndex(({ leafKey: key, cause }) => cause.kind === 'lost' && equal(key, leafKey));
    if (at >= 0) this.#removes.splice(at, 1);
  }

  /** Drops what the tree shows to be done, and requests of people who gave up. */
  settle(members: readonly Member[], now: number): void {
    for (const { peer, askedAt } of this.#adds.values()) {
      if (members.some((member) => member.peer === peer) || now - askedAt > FORGET_ADD_MS) this.#adds.delete(peer);
    }
    const left = this.#removes.filter(({ leafKey }) => members.some((member) => equal(member.leafKey, leafKey)));
    this.#removes.splice(0, this.#removes.length, ...left);
  }
}

function rank(cause: Cause): number {
  return ['lost', 'leave', 'host'].indexOf(cause.kind);
}
