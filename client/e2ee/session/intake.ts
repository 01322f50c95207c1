/**
 * What the server hands a member: each event led to the part that judges it.
 *
 * No event is believed about membership or keys. What shows that the server, or somebody behind it, is not honest is said
 * aloud; nothing of it makes us leave a live group by itself.
 */
import { base64url } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { Access } from '../access.ts';
import { addWork } from './admitting.ts';
import type { Committer } from './committing.ts';
import type { Epochs } from './epochs.ts';
import type { Follower } from './following.ts';
import type { Letter, Mail } from './mail.ts';
import type { Alarm, Desk } from './ports.ts';
import { Suspicion } from './suspicion.ts';
import type { Work } from './work.ts';

type Event<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

export interface IntakeTerms {
  readonly desk: Desk;
  readonly group: Group;
  readonly self: PeerId;
  readonly mail: Mail;
  readonly epochs: Epochs;
  readonly work: Work;
  readonly committer: Committer;
  readonly follower: Follower;
  readonly access: () => Access;
  readonly read: (letter: Letter) => Promise<void>;
  readonly alarm: Alarm;
  readonly out: (why: 'repair') => void;
}

export class Intake {
  readonly #terms: IntakeTerms;
  readonly #groupId: string;
  readonly #suspicion: Suspicion;
  #withdrawn = false;

  constructor(terms: IntakeTerms) {
    this.#terms = terms;
    this.#groupId = base64url(terms.group.groupId);
    this.#suspicion = new Suspicion(terms.desk.now);
  }

  /** The server says that a commit which we have applied was withdrawn. */
  get isWithdrawn(): boolean {
    return this.#withdrawn;
  }

  async event(event: ServerEvent): Promise<void> {
    const { alarm, committer, follower } = this.#terms;
    switch (event.type) {
      case 'group.committed':
        return follower.ordered(event);
      case 'message':
        return this.message(event.body, event.from);
      case 'group.addRequested':
        return this.#addRequested(event);
      case 'group.created':
        if (event.group.id !== this.#groupId) alarm('split', 'another group in this meeting');
        return;
      case 'group.reopened':
        return this.#reopened(event);
      case 'group.settled':
        if (event.groupId === this.#groupId) this.#terms.epochs.settled(event.epoch);
        return;
      case 'peer.joined':
      case 'peer.presence':
      case 'peer.left':
        // Perhaps it is our turn to commit now.
        return committer.plan();
      case 'group.welcome':
      case 'host.state':
      case 'meeting.record':
      case 'meeting.ended':
      case 'server.draining':
      case 'topology':
      case 'relay.produced':
      case 'relay.ended':
      case 'relay.wanted':
        return;
    }
  }

  /** A sealed message, over whichever path. @param from who sent it, by the server's word; null where it is not said */
  async message(body: string, from: PeerId | null): Promise<void> {
    const { alarm, epochs, follower, mail, read } = this.#terms;
    const letter = await mail.open(body);
    if (!('why' in letter)) {
      this.#suspicion.opened(letter.epoch, letter.from.leaf);
      return read(letter);
    }
    if (letter.why === 'early' || letter.why === 'ahead') follower.heardOf(letter.epoch, from);
    if (letter.why === 'malformed') alarm('forged', 'a message that is none');
    if (letter.why !== 'unopened') return;
    const { members } = epochs.find(letter.epoch) ?? { members: new Map<number, Member>() };
    const { leaf, epoch } = letter;
    const verdict = this.#suspicion.unopened(epoch, leaf, members.has(leaf), members.size - 1);
    const peer = from ?? (members.get(leaf)?.peer as PeerId | undefined) ?? null;
    alarm(verdict, `messages of leaf ${leaf} do not open in epoch ${epoch}`, peer);
  }

  async #addRequested(event: Event<'group.addRequested'>): Promise<void> {
    const { desk, group, access, work, committer, alarm } = this.#terms;
    if (event.groupId !== this.#groupId) return;
    const clocks = { now: desk.now(), serverNow: desk.serverNow() };
    const asked = await addWork(event, { group, access: access(), ...clocks });
    if (asked === 'forged') alarm('forged', 'somebody asked to come in without proof');
    if (typeof asked === 'string') return;
    work.add(asked);
    committer.plan();
  }

  /**
   * Most members could not apply a commit. If it was ours, we are alone in our epoch and need a new leaf. Otherwise the server's
   * word is not enough to leave a live group by: only if most others are lost as well.
   */
  #reopened({ groupId, epoch, author }: Event<'group.reopened'>): void {
    const { group, self, committer, follower, alarm, out } = this.#terms;
    if (groupId !== this.#groupId) return;
    if (epoch === group.epoch) committer.reopened();
    if (!follower.hasApplied(epoch)) return;
    alarm('commitRefused', 'a commit that we have applied was withdrawn');
    this.#withdrawn = true;
    if (author === self) out('repair');
  }
}
