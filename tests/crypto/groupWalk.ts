/**
 * A meeting's group lived at random: members come, go, fall behind and race, and a server in the middle orders their commits.
 *
 * Choices follow from the seed (keys do not). After every step all members that are up to date must agree on everything;
 * whoever was taken out must have nothing. Throws with the step's story where that fails.
 */
import { createIdentity } from '../../crypto/identity.ts';
import { exportSecret, pskIdOf } from '../../crypto/mlsSuite.ts';
import { equal, hex } from '../../crypto/bytes.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import type { Addition } from '../../crypto/addition.ts';
import type { Group, PendingJoin } from '../../crypto/group.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { signLeave, signReplacement } from '../../crypto/removal.ts';
import type { Removal, Staged } from '../../crypto/step.ts';
import { numbers } from './seeded.ts';
import type { RawLeaf, Rogue, World } from './groupWorld.ts';
import { NOTHING, NOW, rawLeaf, rogueOf, viewOf, world } from './groupWorld.ts';
import { KeyHoard, openedPathSecrets } from './pathThief.ts';

interface Person {
  readonly identity: KeyPair;
  group: Group;
  /** Steps for which nothing reaches it. */
  away: number;
}

/** Somebody on bare ts-mls, who follows while it is a member and keeps all it ever had when it no longer is. */
interface Spy {
  readonly rogue: Rogue;
  readonly hoard: KeyHoard;
  isOut: boolean;
}

type Change = { adds: Addition[]; removes: Removal[] };

export interface WalkCounts {
  steps: number;
  commits: number;
  races: number;
  joins: number;
  removals: number;
  caughtUp: number;
  /** Commits that spies who were taken out failed to follow. */
  spied: number;
  /** Commits that took a spy out, and of which it opened nothing with all its keys. */
  shutOut: number;
  largest: number;
  /** The fewest members after the most. */
  smallestSince: number;
}

export class Walk {
  readonly counts: WalkCounts = {
    steps: 0,
    commits: 0,
    races: 0,
    joins: 0,
    removals: 0,
    caughtUp: 0,
    spied: 0,
    shutOut: 0,
    largest: 1,
    smallestSince: 1,
  };
  readonly #next: () => number;
  readonly #here: World;
  /** Commits by the epoch that they ended: the server's log. */
  readonly #log: Bytes[] = [];
  #people: Person[];
  readonly #spies: Spy[] = [];
  #story: string[] = [];

  static async begin(seed: number): Promise<Walk> {
    const here = await world();
    const identity = await createIdentity();
    return new Walk(seed, here, { identity, group: await here.create(identity), away: 0 });
  }

  private constructor(seed: number, here: World, founder: Person) {
    this.#next = numbers(seed);
    this.#here = here;
    this.#people = [founder];
  }

  /** One step. @param size how many members there should be, about */
  async step(size: number): Promise<void> {
    this.#story = [`step ${this.counts.steps}`];
    try {
      await this.#act(size);
      await this.#deliver();
      await this.#check();
    } catch (cause) {
      throw new Error(`${this.#story.join(' · ')}: ${String(cause)}`, { cause });
    }
    this.counts.steps++;
    const members = this.#online()[0]!.group.members().length;
    const { largest, smallestSince } = this.counts;
    this.counts.smallestSince = members > largest ? members : Math.min(smallestSince, members);
    this.counts.largest = Math.max(largest, members);
  }

  /** Brings everybody up to date. */
  async settle(): Promise<void> {
    for (const person of this.#people) person.away = 0;
    await this.#deliver();
    await this.#check();
  }

  async #act(size: number): Promise<void> {
    const members = this.#online()[0]!.group.members().length;
    const dice = this.#next();
    if (members < size * 0.7 || (members < size && dice < 0.55)) return this.#grow(size - members);
    if (members > size || dice < 0.2) return this.#commit(await this.#removal(1 + this.#below(2)));
    if (dice < 0.35) return this.#race();
    if (dice < 0.45) return this.#fallBehind();
    if (dice < 0.6) return this.#reload();
    if (dice < 0.7) return this.#stumble();
    return this.#commit({ adds: [], removes: [] });
  }

  /** One to eight newcomers in one commit, sometimes with a removal, sometimes one of them a spy. */
  async #grow(room: number): Promise<void> {
    const count = Math.max(1, Math.min(room, 1 + this.#below(room > 6 ? 8 : 4)));
    const generation = this.#online()[0]!.group.generation!;
    const removes = this.#next() < 0.2 && this.#online().length > 3 ? (await this.#removal(1, ['lost'])).removes : [];
    if (this.#next() < 0.15 && this.#spies.filter(({ isOut }) => !isOut).length < 2) {
      const leaf = await rawLeaf();
      await this.#commit({ adds: [await this.#here.addition(leaf, generation)], removes }, { spy: leaf });
      return;
    }
    const identities = await Promise.all(Array.from({ length: count }, () => createIdentity()));
    const pending = await Promise.all(identities.map((identity) => this.#here.prepare(identity)));
    const adds = await Promise.all(pending.map((one) => this.#here.addition(one, generation)));
    await this.#commit({ adds, removes }, { pending, identities, generation });
  }

  async #removal(count: number, kinds: readonly string[] = ['lost', 'leave', 'host']): Promise<Change> {
    const by = this.#online()[0]!.group;
    // The first two stay, so that somebody is there to go on.
    const gone = by
      .members()
      .slice(2)
      .sort(() => this.#next() - 0.5)
      .slice(0, count);
    const kind = kinds[this.#below(kinds.length)];
    const removes: Removal[] = [];
    for (const [index, { leaf, leafKey }] of gone.entries()) {
      const person = this.#people.find(({ group }) => equal(group.ownLeafKey, leafKey));
      if (kind === 'host') {
        removes.push({
          leaf,
          reason: await this.#here.hostRemoval(by, leaf, { sequence: by.hostSequence + 1 + index }),
        });
      } else if (kind === 'leave' && person !== undefined) {
        const { group } = person;
        const signer = (label: string, body: Bytes) => group.sign(label, body);
        removes.push({ leaf, reason: await signLeave(this.#here.placeOf(group), leafKey, signer) });
      } else removes.push({ leaf, reason: { kind: 'lost' } });
    }
    return { adds: [], removes };
  }

  /** Somebody comes back with a new leaf in the place of the old. */
  async #reload(): Promise<void> {
    const members = this.#online()[0]!.group.members();
    const isIn = ({ group }: Person) => members.some(({ leafKey }) => equal(leafKey, group.ownLeafKey));
    // Whoever is away may be out already, and not know it.
    const person = this.#pick(this.#people.slice(2).filter(isIn));
    if (person === undefined) return;
    const generation = this.#online()[0]!.group.generation!;
    const pending = await this.#here.prepare(person.identity);
    const leaves = { oldLeafKey: person.group.ownLeafKey, newLeafKey: pending.leafKey, groupId: this.#here.groupId };
    const reason = await signReplacement(leaves, person.identity);
    const removes = [{ leaf: person.group.ownLeaf, reason }];
    const adds = [await this.#here.addition(pending, generation)];
    await this.#commit({ adds, removes }, { pending: [pending], identities: [person.identity], generation }, [person]);
  }

  /** Two commits for one epoch: the server takes one, and the loser makes its own again on top. */
  async #race(): Promise<void> {
    const [one, two] = this.#online().sort(() => this.#next() - 0.5);
    if (one === undefined || two === undefined) return;
    this.counts.races++;
    this.#tell(`${one.group.ownLeaf} and ${two.group.ownLeaf} race`);
    const removal = await this.#removal(1, ['lost']);
    const change = removal.removes.some(({ leaf }) => leaf === two.group.ownLeaf) ? { adds: [], removes: [] } : removal;
    const winner = await one.group.stage({ adds: [], removes: [] }, NOW);
    await two.group.stage(change, NOW);
    await this.#order(winner.commit);
    await one.group.confirm();
    this.#expect(await two.group.process(winner.commit), 'ok');
    const rebased = await two.group.stage(change, NOW);
    await this.#order(rebased.commit);
    this.counts.removals += change.removes.length;
    // Its own commit comes back to it in the log, as after a lost socket.
  }

  /** Somebody hears nothing for a while. */
  async #fallBehind(): Promise<void> {
    const person = this.#pick(this.#online().slice(2));
    if (person !== undefined) person.away = 1 + this.#below(5);
    await this.#commit({ adds: [], removes: [] });
  }

  /** A commit is prepared and dropped, twice, before one is ordered; broken ones come in between. */
  async #stumble(): Promise<void> {
    const person = this.#pick(this.#online())!;
    for (let i = 0; i < 2; i++) {
      const { commit } = await person.group.stage({ adds: [], removes: [] }, NOW);
      await person.group.discard();
      commit[this.#below(commit.length)]! ^= 1 + this.#below(255);
      const other = this.#online().find((one) => one !== person);
      if (other !== undefined && (await other.group.process(commit)).ok) throw new Error('a broken commit passed');
    }
    await this.#commit({ adds: [], removes: [] }, {}, [], person);
  }

  /** Somebody who is up to date commits `change`, and newcomers open their Welcome, some of them late. */
  async #commit(
    change: Change,
    coming: { pending?: PendingJoin[]; identities?: KeyPair[]; spy?: RawLeaf; generation?: number } = {},
    going: readonly Person[] = [],
    chosen?: Person,
  ): Promise<void> {
    const isOut = (person: Person) => change.removes.some(({ leaf }) => leaf === person.group.ownLeaf);
    const able = this.#online().filter((person) => !isOut(person) && !going.includes(person));
    const by = chosen ?? this.#pick(able)!;
    this.#tell(
      `${by.group.ownLeaf} commits +${change.adds.length} -${change.removes.map(({ leaf, reason }) => `${leaf} ${reason.kind}`).join()}`,
    );
    const staged: Staged = await by.group.stage(change, NOW);
    if (staged.refused.length > 0) throw new Error(`refused: ${staged.refused[0]!.why}`);
    await this.#order(staged.commit);
    await by.group.confirm();
    this.counts.joins += change.adds.length;
    this.counts.removals += change.removes.length;
    await this.#renew(by.group);
    const { pending = [], identities = [], spy, generation = 0 } = coming;
    for (const [index, one] of pending.entries()) {
      const group = await this.#here.join(one, staged, generation);
      this.#people.push({ identity: identities[index]!, group, away: this.#next() < 0.2 ? 1 + this.#below(3) : 0 });
    }
    if (spy !== undefined) {
      const { floor } = by.group;
      const rogue = await rogueOf(this.#here, spy, staged.welcome!, floor);
      const hoard = new KeyHoard();
      hoard.keep(rogue.state);
      this.#spies.push({ rogue, hoard, isOut: false });
    }
  }

  /** After a host's removal: the next generation, to everybody who is still in and hears it. */
  async #renew(group: Group): Promise<void> {
    if (group.generation !== null) return;
    const { psk, admissionPublicKey } = await this.#here.keys(group.floor);
    group.setGeneration({ ...psk, admissionPublicKey });
  }

  async #order(commit: Bytes): Promise<void> {
    this.#log.push(commit);
    this.counts.commits++;
    // Those who were taken out long ago have no new way to try.
    const out = this.#spies.filter(({ isOut }) => isOut).slice(-3);
    for (const spy of [...this.#spies.filter(({ isOut }) => !isOut), ...out]) await this.#spy(spy, commit);
  }

  async #deliver(): Promise<void> {
    for (const person of this.#people) {
      if (person.away > 0 && --person.away > 0) continue;
      if (this.#log.length - person.group.epoch > 1) await this.#shuffle(person);
      let isOut = false;
      while (!isOut && person.group.epoch < this.#log.length) isOut = await this.#apply(person);
      if (isOut) this.#people = this.#people.filter((one) => one !== person);
      else await this.#renew(person.group);
    }
  }

  /** Applies the next commit of the log. @returns whether it took this member out */
  async #apply({ group }: Person): Promise<boolean> {
    const { epoch } = group;
    const commit = this.#log[epoch]!;
    let processed = await group.process(commit);
    if (!processed.ok && processed.why === 'unknownGeneration') {
      for (let number = group.floor; number <= this.#newest(); number++) {
        const { psk, admissionPublicKey } = await this.#here.keys(number);
        group.setGeneration({ ...psk, admissionPublicKey });
      }
      processed = await group.process(commit);
    }
    if (!processed.ok && processed.why === 'removed') return true;
    this.#expect(processed, 'ok');
    // What comes twice is refused, and harmless.
    if (this.#next() < 0.1) this.#expect(await group.process(commit), 'staleEpoch');
    return false;
  }

  /** The newest first, and some that are past: none of it may do anything. */
  async #shuffle({ group }: Person): Promise<void> {
    this.counts.caughtUp++;
    this.#expect(await group.process(this.#log.at(-1)!), 'unknownEpoch');
    if (group.epoch > 0) this.#expect(await group.process(this.#log[group.epoch - 1]!), 'staleEpoch');
  }

  /** A spy that is in follows; one that is out must not be able to, with all it ever had. */
  async #spy(spy: Spy, commit: Bytes): Promise<void> {
    const { rogue, hoard } = spy;
    if (spy.isOut) {
      for (let back = 0; back < 3; back++) {
        const failed = await rogue.follow(commit, Math.max(0, this.#newest() - back)).then(
          () => false,
          () => true,
        );
        if (!failed) throw new Error('somebody who was taken out could follow');
        this.counts.spied++;
      }
      return;
    }
    const before = rogue.state;
    await rogue.follow(commit, this.#newest());
    spy.isOut = rogue.state.groupActiveState.kind === 'removedFromGroup';
    const keys = spy.isOut ? hoard.keys : Object.values(before.privatePath.privateKeys);
    const { opened, sealed } = await this.#openedBy(before, commit, keys);
    if (!spy.isOut) {
      // What opens nothing for whoever is out has to open something for whoever is in.
      if (opened === 0 && sealed > 0) throw new Error('a spy who is in opened nothing');
      hoard.keep(rogue.state);
      return;
    }
    if (opened > 0) throw new Error('the commit that took somebody out opened for it');
    if (sealed > 0) this.counts.shutOut++;
  }

  /** All generations' PSKs, past and present: a thief who has every link there is. */
  async #openedBy(state: Rogue['state'], commit: Bytes, keys: Uint8Array[]): ReturnType<typeof openedPathSecrets> {
    const psks = new Map<string, Bytes>();
    for (let number = 0; number <= this.#newest(); number++) {
      psks.set(hex(pskIdOf(number, this.#here.groupId)), (await this.#here.keys(number)).psk.secret);
    }
    return openedPathSecrets(state, commit, keys, (id) => psks.get(hex(id)));
  }

  async #check(): Promise<void> {
    const current = this.#online();
    const [first, ...rest] = await Promise.all(current.map(({ group }) => viewOf(group)));
    for (const view of rest) {
      if (JSON.stringify(view) !== JSON.stringify(first))
        throw new Error(`they disagree: ${JSON.stringify([first, view])}`);
    }
    const members = current[0]!.group.members().map(({ leafKey }) => hex(leafKey));
    for (const { rogue, isOut } of this.#spies) {
      const secret = hex(
        await exportSecret(rogue.state.keySchedule.exporterSecret, 'SFrame 1.0 Base Key', NOTHING, 32),
      );
      if ((secret === first!.exporter) === isOut) throw new Error(isOut ? 'a spy has the key' : 'a spy fell out');
      if (members.includes(hex(rogue.leaf.leaf.publicKey)) === isOut) throw new Error('a spy is counted wrongly');
    }
    const known = this.#people.length + this.#spies.filter(({ isOut }) => !isOut).length;
    if (members.length > known) throw new Error(`${members.length} members, ${known} people`);
  }

  #online(): Person[] {
    return this.#people.filter(({ away, group }) => away === 0 && group.epoch === this.#log.length);
  }

  /** The generation that the meeting is at: each one begins by a host's removal. */
  #newest(): number {
    return Math.max(...this.#people.map(({ group }) => group.floor));
  }

  #expect(processed: { ok: boolean; why?: string }, expected: string): void {
    const got = processed.ok ? 'ok' : processed.why;
    if (got !== expected) throw new Error(`expected ${expected}, got ${got}`);
  }

  #tell(what: string): void {
    this.#story.push(what);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#below(list.length)];
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }
}
