/**
 * The epochs whose keys we still hold, and which one we send media with.
 *
 * Receives with a new epoch at once. Sends with it when every peer is known to be in it or `PATIENCE_MS` has passed, at once
 * after a removal by a host. Older keys open for `OVERLAP_MS` more, after a host's removal for `REMOVAL_OVERLAP_MS`; then frames
 * and messages of that epoch are gone together. docs/design.md, "Changing epoch without a glitch".
 * Invariant: the epoch sent with never falls, and whoever was removed by a host never learns a key that seals afterwards.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { wipe } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { Desk } from './ports.ts';

/** Frames sent before a commit may still be in flight, or wait in a jitter buffer. */
const OVERLAP_MS = 10_000;
/** Somebody was thrown out: what they could still inject or read ends with this. */
const REMOVAL_OVERLAP_MS = 1000;
/**
 * A peer that says nothing for this long does not hold up everybody else's new key. Less than the second that is promised: timers
 * of a busy worker come late.
 */
const PATIENCE_MS = 900;

const MEDIA_LABEL = 'SFrame 1.0 Base Key';
const MESSAGE_LABEL = 'parley message';
const NO_CONTEXT = new Uint8Array();

/** What seals messages of the epoch that our staged commit leads to, 32 bytes; wipe it. */
export function stagedMessageKey(group: Group): Promise<Bytes> {
  return group.stagedExporter(MESSAGE_LABEL, NO_CONTEXT, 32);
}

/** One epoch that we were, or are, in. */
export interface LiveEpoch {
  readonly epoch: number;
  /** Seals member messages, 32 bytes. */
  readonly messageKey: Bytes;
  readonly members: ReadonlyMap<number, Member>;
}

interface Kept extends LiveEpoch {
  /** By `ports.now`. */
  diesAt: number;
  readonly peers: ReadonlySet<string>;
  /** Peers whose acknowledgement we wait for before we send with it; empty once nobody is missing. */
  readonly missing: Set<string>;
  /** When we send with it anyway. */
  readonly patienceEnds: number;
}

export interface EntryTerms {
  /** A host removed somebody: switch at once, and forget the old keys soon. */
  readonly removal: boolean;
  /** Peers that are not waited for: they show no sign of life. */
  readonly lost: (peer: PeerId) => boolean;
}

export class Epochs {
  readonly #ports: Desk;
  readonly #kept: Kept[] = [];
  readonly #acknowledged = new Map<string, number>();
  readonly #leaves = new Map<string, number>();
  #sending = -1;
  #timer: (() => void) | null = null;

  constructor(ports: Desk) {
    this.#ports = ports;
  }

  /** The newest one. @throws Error before the first */
  get current(): LiveEpoch {
    const newest = this.#kept.at(-1);
    if (newest === undefined) throw new Error('no epoch yet');
    return newest;
  }

  /** The epoch that media are sent with, -1 before the first. */
  get sending(): number {
    return this.#sending;
  }

  /** An epoch that still opens. */
  find(epoch: number): LiveEpoch | null {
    this.#sweep();
    return this.#kept.find((kept) => kept.epoch === epoch) ?? null;
  }

  /** The leaf of a peer in any epoch that still opens. A peer has one for life: its id is the hash of the leaf's key. */
  leafOf(peer: PeerId): number | null {
    return this.#leaves.get(peer) ?? null;
  }

  isLeafOf(peer: PeerId, leaf: number, epoch: number): boolean {
    return this.#kept.find((kept) => kept.epoch === epoch)?.members.get(leaf)?.peer === peer;
  }

  /**
   * The epoch to seal frames with that go to this peer alone: the newest that it is known to have come to, at least the one
   * that everybody is sent. Null: for everybody. -1: nothing is to be sealed for it, since it is no member any more, or has said
   * nothing yet in the epoch that added it.
   */
  epochFor(peer: PeerId | null): number {
    if (peer === null) return this.#sending;
    if (!this.#kept.at(-1)?.peers.has(peer)) return -1;
    const known = Math.max(this.#sending, this.#acknowledged.get(peer) ?? -1);
    return this.#kept.findLast(({ epoch, peers }) => epoch <= known && peers.has(peer))?.epoch ?? -1;
  }

  /** The group has come into its present epoch. Opens with it at once. */
  async enter(group: Group, terms: EntryTerms): Promise<void> {
    const { now, keyring } = this.#ports;
    const members = new Map(group.members().map((member) => [member.leaf, member]));
    const others = [...members.values()].filter(({ leaf }) => leaf !== group.ownLeaf).map(({ peer }) => peer);

    const baseKey = await group.exporter(MEDIA_LABEL, NO_CONTEXT, 32);
    await keyring.install({ epoch: group.epoch, ownLeaf: group.ownLeaf, baseKey, leaves: [...members.keys()] });
    wipe(baseKey);
    const dieAt = now() + (terms.removal ? REMOVAL_OVERLAP_MS : OVERLAP_MS);
    for (const old of this.#kept) old.diesAt = Math.min(old.diesAt, dieAt);
    this.#kept.push({
      epoch: group.epoch,
      messageKey: await group.exporter(MESSAGE_LABEL, NO_CONTEXT, 32),
      members,
      peers: new Set(others),
      diesAt: Infinity,
      missing: new Set(others.filter((peer) => !terms.lost(peer as PeerId) && !this.#knows(peer, group.epoch))),
      // A newcomer has nothing older to send with, and whoever it is connected with has come as far.
      patienceEnds: terms.removal || this.#sending < 0 ? now() : now() + PATIENCE_MS,
    });
    this.#mapLeaves();
    // Whoever is gone is waited for by no epoch.
    for (const kept of this.#kept) {
      for (const peer of kept.missing) if (!others.includes(peer)) kept.missing.delete(peer);
    }
    this.advance();
    // Only now: the epoch we send with must not die before we have another.
    if (group.epoch > 0) keyring.retire(group.epoch - 1, dieAt);
    this.#ports.keysChanged('receive');
  }

  /** A peer can open whatever is sealed in `epoch` and in those before that it was in. */
  acknowledge(peer: PeerId, epoch: number): void {
    if (this.#knows(peer, epoch)) return;
    this.#acknowledged.set(peer, epoch);
    for (const kept of this.#kept) if (kept.epoch <= epoch) kept.missing.delete(peer);
    this.advance();
  }

  /**
   * Everybody is in `epoch`, by the server's word, which is good enough for this: with a lie it makes frames come to nothing for a
   * moment, as it could by holding back the commit.
   */
  settled(epoch: number): void {
    const { peers } = this.#kept.find((kept) => kept.epoch === epoch) ?? {};
    for (const peer of peers ?? []) this.acknowledge(peer as PeerId, epoch);
  }

  /** Switches to the newest epoch that nobody is missing from, or that has been waited for long enough. */
  advance(): void {
    const now = this.#ports.now();
    const ready = this.#kept.findLast((kept) => kept.missing.size === 0 || now >= kept.patienceEnds);
    if (ready !== undefined && ready.epoch > this.#sending) {
      this.#ports.keyring.sendWith(ready.epoch);
      this.#sending = ready.epoch;
      this.#ports.keysChanged('send');
    }
    this.#schedule();
  }

  wipe(): void {
    this.#timer?.();
    this.#timer = null;
    for (const { messageKey } of this.#kept) wipe(messageKey);
    this.#kept.length = 0;
    this.#leaves.clear();
    this.#ports.keyring.wipe();
  }

  #knows(peer: string, epoch: number): boolean {
    return (this.#acknowledged.get(peer) ?? -1) >= epoch;
  }

  #sweep(): void {
    const now = this.#ports.now();
    const dead = this.#kept.filter(({ diesAt }) => diesAt <= now);
    for (const kept of dead) {
      wipe(kept.messageKey);
      this.#kept.splice(this.#kept.indexOf(kept), 1);
    }
    if (dead.length > 0) this.#mapLeaves();
    this.#ports.keyring.sweep();
  }

  #mapLeaves(): void {
    this.#leaves.clear();
    for (const { members } of this.#kept) for (const { peer, leaf } of members.values()) this.#leaves.set(peer, leaf);
  }

  /** Wakes up for the next switch or the next death, whichever comes first. */
  #schedule(): void {
    this.#timer?.();
    const due = this.#kept.flatMap(({ epoch, diesAt, patienceEnds }) => [
      diesAt,
      epoch > this.#sending ? patienceEnds : Infinity,
    ]);
    const next = Math.min(Infinity, ...due);
    this.#timer =
      next === Infinity
        ? null
        : this.#ports.after(Math.max(0, next - this.#ports.now()), () => {
            this.#sweep();
            this.advance();
          });
  }
}
