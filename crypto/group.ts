/**
 * One member's view of a meeting's group: MLS (RFC 9420) by ts-mls, under the rules of docs/design.md §4.
 *
 * Commits are staged, ordered by the server, and only then confirmed; others' are processed, and refused without a trace if
 * a rule is broken (commitRules.ts). External commits, public messages, proposals by reference and any proposal but Add,
 * Remove and PSK do not exist here. Secrets live in memory only, and are overwritten as soon as they are past.
 * Invariant: operations of one group run one after the other, and its standing changes in `#enter` alone.
 */
import type { ClientState } from 'ts-mls';
import type { Addition } from './addition.ts';
import type { Bytes } from './bytes.ts';
import { equal, wipe } from './bytes.ts';
import { CryptoError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Member } from './mlsState.ts';
import { membersOf, prune, secretsOf, wipeState } from './mlsState.ts';
import { exportSecret } from './mlsSuite.ts';
import type { NewLeaf, Psk } from './newMember.ts';
import { foundGroup, newLeaf, openWelcome, wipeLeaf } from './newMember.ts';
import type { KeyPair } from './primitives.ts';
import type { HostOrder, RemovalReason } from './removal.ts';
import { signBytes } from './signed.ts';
import type { CommitRefusal, Removal, Staged, Standing, Step, Transition } from './step.ts';
import { currentGeneration, receiveCommit, stageCommit } from './step.ts';

/** `removed`: the commit holds, and took us out; by whom and why. */
export type Processed =
  | { ok: true; transition: Transition }
  | { ok: false; why: CommitRefusal }
  | { ok: false; why: 'removed'; reason: RemovalReason; by: Member };

/** Keys of a meeting that a group has to know. */
export interface GroupKeys {
  readonly psk: Psk;
  readonly hostPublicKey: Bytes;
  /** Of the PSK's generation. */
  readonly admissionPublicKey: Bytes;
}

/** A leaf that waits for its Welcome. */
export interface PendingJoin {
  readonly keyPackage: Bytes;
  readonly leafKey: Bytes;
  readonly peer: string;
  sign(label: string, body: Bytes): Promise<Bytes>;
  /** Enters a group. May be tried again with another Welcome; once it succeeds, the keys are the group's. @throws as openWelcome */
  join(terms: { welcome: Bytes; groupId: Bytes } & GroupKeys): Promise<Group>;
  /**
   * A new group with this leaf alone, at epoch 0. The leaf can still join another, should the server know one already; wipe it
   * once that is settled. @param terms.groupId 32 random bytes
   */
  create(terms: { groupId: Bytes } & GroupKeys): Promise<Group>;
  /** Overwrites the private keys, unless a group has taken them over. */
  wipe(): void;
}

/** Makes a fresh leaf for one join. `identity` is only read. */
export async function prepareJoin(who: { meetingId: string; identity: KeyPair }): Promise<PendingJoin> {
  const leaf = await newLeaf(who.meetingId, who.identity);
  const [self] = await membersOf([{ nodeType: 'leaf', leaf: leaf.keyPackage.leafNode }], []);
  let state: 'waiting' | 'joined' | 'wiped' = 'waiting';
  const usable = (): NewLeaf => {
    if (state !== 'waiting') throw new CryptoError('usage', `this leaf has ${state}`);
    return leaf;
  };
  return {
    keyPackage: leaf.encoded,
    leafKey: leaf.leafKey,
    peer: self!.peer,
    sign: async (label, body) => signBytes(label, body, usable().keys.signaturePrivateKey.slice()),
    join: async ({ welcome, groupId, ...keys }) => {
      const { meetingId } = who;
      const opened = await openWelcome(welcome, usable(), { meetingId, groupId, psk: keys.psk });
      // Another Welcome may have been faster, or a wipe.
      if (state !== 'waiting') wipeState(opened.state, state === 'joined' ? Object.values(leaf.keys) : []);
      usable();
      state = 'joined';
      wipe(leaf.keys.initPrivateKey);
      return build(meetingId, opened.state, opened.ledger, keys);
    },
    create: async ({ groupId, ...keys }) => {
      if (groupId.length !== 32) throw new CryptoError('usage', 'a group id has 32 bytes');
      const begun = await foundGroup(who.meetingId, groupId, usable());
      return build(who.meetingId, begun, { floor: keys.psk.generation, hostSequence: 0, admitted: [] }, keys);
    },
    wipe: () => {
      if (state !== 'waiting') return;
      state = 'wiped';
      wipeLeaf(leaf);
    },
  };
}

/** The constructor, for this file alone: a group begins by `create` or by a Welcome. */
let build: (meetingId: string, state: ClientState, ledger: Ledger, keys: GroupKeys) => Promise<Group>;

export class Group {
  readonly meetingId: string;
  readonly groupId: Bytes;
  /** Null once wiped. */
  #standing: Standing | null;
  #staged: { told: Staged; step: Step } | null = null;
  /** Orders everything that makes a state from a state. */
  #queue: Promise<unknown> = Promise.resolve();

  static {
    build = async (meetingId, state, ledger, keys) => {
      const groupId = new Uint8Array(state.groupContext.groupId);
      const members = await membersOf(state.ratchetTree, []);
      const hostPublicKey = keys.hostPublicKey.slice();
      const group = new Group({
        meetingId,
        groupId,
        hostPublicKey,
        state: prune(state),
        ledger,
        members,
        generations: new Map(),
      });
      group.setGeneration({ ...keys.psk, admissionPublicKey: keys.admissionPublicKey });
      return group;
    };
  }

  private constructor(standing: Standing) {
    this.meetingId = standing.meetingId;
    this.groupId = standing.groupId;
    this.#standing = standing;
  }

  /** A new group with a fresh leaf of ours alone. */
  static async create(terms: { meetingId: string; identity: KeyPair; groupId: Bytes } & GroupKeys): Promise<Group> {
    const pending = await prepareJoin(terms);
    const group = await pending.create(terms);
    pending.wipe();
    return group;
  }

  get epoch(): number {
    return Number(this.#alive().state.groupContext.epoch);
  }

  get ownLeaf(): number {
    return this.#alive().state.privatePath.leafIndex;
  }

  get ownLeafKey(): Bytes {
    const { ownLeaf } = this;
    return this.#alive().members.find(({ leaf }) => leaf === ownLeaf)!.leafKey;
  }

  /** By rising leaf. */
  members(): Member[] {
    return [...this.#alive().members];
  }

  /** Of the host's last order in this group, 0 before the first; the next has to be greater. */
  get hostSequence(): number {
    return this.#alive().ledger.hostSequence;
  }

  /** The lowest generation that admits. What a host signs next has to name a higher one. */
  get floor(): number {
    return this.#alive().ledger.floor;
  }

  /** The generation that we add by: the newest one given, or null while the host has ended it and the next is yet to come. */
  get generation(): number | null {
    return currentGeneration(this.#alive())?.number ?? null;
  }

  /**
   * Takes a generation's PSK and admission key. We add by the newest alone; others' adds pass by any that the host has not
   * ended (a removal by a host ends those before the one it names; so does a renewal), the same for every member.
   * One that has been ended is ignored.
   */
  setGeneration(given: Psk & { admissionPublicKey: Bytes }): void {
    const { generation, secret, admissionPublicKey } = given;
    if (secret.length !== 32 || admissionPublicKey.length !== 32)
      throw new CryptoError('usage', 'PSK and key have 32 bytes');
    const { ledger, generations } = this.#alive();
    if (generation < ledger.floor || generations.has(generation)) return;
    generations.set(generation, {
      number: generation,
      secret: secret.slice(),
      admissionPublicKey: admissionPublicKey.slice(),
    });
  }

  /**
   * Prepares a commit, to be ordered by the server. Adds that may not be are left out and told in `refused`; without adds and
   * removes it renews our own keys. At most one is staged at a time; it takes effect by `confirm`.
   * @param now milliseconds since 1970, by the clock that admissions were made by
   * @throws CryptoError 'usage' if one is staged already, or a removal has no reason that holds; 'exhausted' after too many in
   *   one epoch; if nothing remains of the adds, what is wrong with the first: 'malformed', 'forged', 'replayed', 'unknownKey', 'exhausted'
   */
  stage(
    change: { adds: readonly Addition[]; removes: readonly Removal[]; renewal?: HostOrder },
    now: number,
  ): Promise<Staged> {
    return this.#inOrder(async () => {
      const standing = this.#alive();
      if (this.#staged !== null) throw new CryptoError('usage', 'a commit is staged already');
      const { told, step, secretTree } = await stageCommit(standing, change, now);
      // The key that sealed this commit never seals another, also if this one is dropped.
      this.#standing = { ...this.#still(standing, step), state: { ...standing.state, secretTree } };
      this.#staged = { told, step };
      return told;
    });
  }

  /**
   * A secret of the epoch that the staged commit leads to, for what travels with that commit. Nobody has it before the commit is
   * ordered, and whom it removes never. @param length 1 to 16,320 bytes @throws CryptoError 'usage' if none is staged
   */
  async stagedExporter(label: string, context: Bytes, length: number): Promise<Bytes> {
    if (this.#staged === null) throw new CryptoError('usage', 'no commit is staged');
    return exportSecret(this.#staged.step.state.keySchedule.exporterSecret, label, context, length);
  }

  /** Enters the epoch of the staged commit: call it when the server has ordered that commit, and only then. */
  confirm(): Promise<Transition> {
    return this.#inOrder(async () => this.#confirm());
  }

  /** Drops the staged commit, if any: call it when the server has taken another for this epoch. */
  discard(): Promise<void> {
    return this.#inOrder(async () => this.#discard());
  }

  /**
   * Applies a commit that the server has ordered. A staged one of ours is dropped, unless it is this very one: then it is
   * confirmed. A refused commit leaves no trace, except where it took us out: then the group is wiped.
   */
  process(commit: Bytes): Promise<Processed> {
    return this.#inOrder(async () => {
      const standing = this.#alive();
      if (this.#staged !== null && equal(this.#staged.told.commit, commit))
        return { ok: true, transition: this.#confirm() };
      const step = await receiveCommit(standing, commit);
      if (typeof step === 'string') return { ok: false, why: step };
      this.#still(standing, step);
      const out = step.transition.removed.find(({ member }) => member.leaf === standing.state.privatePath.leafIndex);
      if (out !== undefined) {
        // ts-mls has moved ratchets on in a state that leads nowhere.
        wipeState(step.state);
        this.wipe();
        return { ok: false, why: 'removed', reason: out.reason, by: step.transition.by };
      }
      this.#discard();
      return { ok: true, transition: this.#enter(step) };
    });
  }

  /** A secret of this epoch for one purpose (RFC 9420 §8.5). @param length 1 to 16,320 bytes */
  async exporter(label: string, context: Bytes, length: number): Promise<Bytes> {
    return exportSecret(this.#alive().state.keySchedule.exporterSecret, label, context, length);
  }

  /** 64 bytes that all members of this epoch share, to be compared in public (RFC 9420 §8.7). */
  authenticator(): Bytes {
    return new Uint8Array(this.#alive().state.keySchedule.epochAuthenticator);
  }

  /** Signs with our leaf's key, as signed.ts does. */
  async sign(label: string, body: Bytes): Promise<Bytes> {
    return signBytes(label, body, new Uint8Array(this.#alive().state.signaturePrivateKey));
  }

  /** Overwrites every secret. Whatever is called afterwards throws CryptoError 'usage'. */
  wipe(): void {
    if (this.#standing === null) return;
    this.#discard();
    wipeState(this.#standing.state);
    for (const { secret } of this.#standing.generations.values()) wipe(secret);
    this.#standing.generations.clear();
    this.#standing = null;
  }

  #alive(): Standing {
    if (this.#standing === null) throw new CryptoError('usage', 'the group was wiped');
    return this.#standing;
  }

  /** The standing that `step` began from, if it still is ours: a wipe does not wait its turn. */
  #still(began: Standing, step: Step): Standing {
    if (this.#standing === began) return began;
    wipeState(step.state);
    return this.#alive();
  }

  #confirm(): Transition {
    if (this.#staged === null) throw new CryptoError('usage', 'no commit is staged');
    const { step } = this.#staged;
    this.#staged = null;
    return this.#enter(step);
  }

  #discard(): void {
    if (this.#staged === null) return;
    wipeState(this.#staged.step.state, secretsOf(this.#alive().state));
    this.#staged = null;
  }

  #enter({ state, ledger, members, transition }: Step): Transition {
    const standing = this.#alive();
    const entered = prune(state);
    wipeState(standing.state, secretsOf(entered));
    wipeState(state, secretsOf(entered));
    for (const [number, { secret }] of standing.generations) {
      if (number >= ledger.floor) continue;
      wipe(secret);
      standing.generations.delete(number);
    }
    this.#standing = { ...standing, state: entered, ledger, members };
    return transition;
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}
