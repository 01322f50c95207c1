/**
 * A member's life in a group: what each part of it hears, and what each new epoch sets going.
 *
 * It decides nothing by itself. Commits are made in committing.ts, followed in following.ts; keys change in epochs.ts; signs
 * of life are heartbeat.ts, messages mail.ts and letters.ts; what the server hands us comes by intake.ts; the host's doings are
 * hosting.ts.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import { signLeave } from '../../../crypto/removal.ts';
import type { Transition } from '../../../crypto/step.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { Epoch, GroupId, PeerId } from '../../../signal/protocol/ids.ts';
import type { GroupRef } from '../../../signal/protocol/model.ts';
import type { Access } from '../access.ts';
import type { MessageKind, Notice } from '../messages.ts';
import { Committer } from './committing.ts';
import { Epochs } from './epochs.ts';
import type { Expulsion } from './following.ts';
import { Follower } from './following.ts';
import { Heartbeat } from './heartbeat.ts';
import { Hosting } from './hosting.ts';
import type { HostStates } from './hostStates.ts';
import { Intake } from './intake.ts';
import { Letters } from './letters.ts';
import { Mail } from './mail.ts';
import { Outbox } from './outbox.ts';
import type { Alarm, Desk } from './ports.ts';
import type { Presence } from './presence.ts';
import { Roster } from './roster.ts';
import type { ChatGroupLine, SessionTerms } from './terms.ts';
import { Work } from './work.ts';

/** A lock is not known everywhere at once: what is committed within this after we heard of it may be honest. */
const LOCK_GRACE_MS = 5000;

const FAREWELL_MS = 400;

/** A commit renews our keys when one of them has this many frames left: days before it would run dry. */
const FRAMES_TO_SPARE = 2 ** 22;

export interface LiveEvents {
  alarm: Alarm;
  out: (why: Extract<Notice, { type: 'out' }>['why']) => void;
  access: () => Access;
  renewed: (access: Access) => Promise<void>;
}

export class Live {
  readonly group: Group;
  readonly #desk: Desk;
  readonly #terms: SessionTerms;
  readonly #events: LiveEvents;
  readonly #states: HostStates;
  readonly #presence: Presence;
  readonly #epochs: Epochs;
  readonly #mail: Mail;
  readonly #roster: Roster;
  readonly #work = new Work();
  readonly #committer: Committer;
  readonly #follower: Follower;
  readonly #heartbeat: Heartbeat;
  readonly #outbox: Outbox;
  readonly #letters: Letters;
  readonly #intake: Intake;
  readonly hosting: Hosting | null;
  #cancelFarewell: (() => void) | null = null;
  /** By `desk.now`; Infinity while it is not locked. */
  #lockedSince = Infinity;

  constructor(
    desk: Desk,
    group: Group,
    parts: { terms: SessionTerms; states: HostStates; presence: Presence; outbox: Outbox },
    events: LiveEvents,
  ) {
    const { terms, states, presence, outbox } = parts;
    const { alarm } = events;
    const self = terms.pending.peer as PeerId;
    this.#desk = desk;
    this.group = group;
    this.#terms = terms;
    this.#events = events;
    this.#states = states;
    this.#presence = presence;
    this.#outbox = outbox;
    this.#epochs = new Epochs(desk);
    this.#mail = new Mail(desk, group, this.#epochs, self);
    this.#heartbeat = new Heartbeat(desk, {
      beat: () => this.#beat(),
      changed: () => this.#lostChanged(),
      gone: (peers) => this.#gone(peers),
      paused: (paused) => {
        desk.emit({ type: 'paused', paused });
        if (paused && this.#intake.isWithdrawn) events.out('repair');
      },
    });
    const isLost = (peer: PeerId) => this.#heartbeat.isLost(peer);
    const { identity, name, host, meeting, access } = terms;
    this.#roster = new Roster(group, {
      identity: identity.publicKey,
      hostPublicKey: access.hostPublicKey,
      name,
      host: host !== null,
      meet: terms.meet,
      isLost,
      desk,
    });
    this.hosting =
      host &&
      new Hosting({
        desk,
        meeting,
        group,
        host,
        title: terms.title,
        mail: this.#mail,
        outbox,
        states,
        access: events.access,
        keepRotation: terms.keepRotation,
        accept: (next) => this.#accept(next, group.epoch),
        decided: () => this.hostStateChanged(),
      });
    this.#committer = new Committer(this.#work, {
      desk,
      group,
      meeting,
      hostPublicKey: access.hostPublicKey,
      host,
      isHere: (peer) => presence.isHere(peer),
      isLost,
      isLocked: () => states.locked,
      isBanned: (banned) => states.isBanned(banned),
      nextGeneration: () => this.hosting?.nextGeneration() ?? 0,
      rotation: async () => this.hosting?.rotation(),
      entered: (transition, commit) => this.#entered(transition, commit),
      behind: () => this.#follower.askSoon(),
      repair: () => events.out('repair'),
      forged: (detail) => alarm('forged', detail),
    });
    this.#follower = new Follower(desk, group, {
      entered: (transition, commit) => this.#entered(transition, commit),
      removed: (how) => this.#expelled(how),
      missing: () => this.#heartbeat.missing(),
      repair: () => events.out('repair'),
      alarm,
      unopposed: () => this.#committer.unopposed(),
    });
    this.#letters = new Letters({
      desk,
      group,
      meeting,
      hostPublicKey: access.hostPublicKey,
      host,
      name,
      mail: this.#mail,
      epochs: this.#epochs,
      roster: this.#roster,
      states,
      work: this.#work,
      chat: terms.chat,
      access: events.access,
      accept: (next, epoch) => this.#accept(next, epoch),
      isLost,
      heardOf: (epoch, by) => this.#follower.heardOf(epoch, by),
      planned: () => this.#committer.plan(),
      hostStateChanged: () => this.hostStateChanged(),
      forged: (detail) => alarm('forged', detail),
    });
    this.#intake = new Intake({
      desk,
      group,
      self,
      mail: this.#mail,
      epochs: this.#epochs,
      work: this.#work,
      committer: this.#committer,
      follower: this.#follower,
      access: events.access,
      read: (letter) => this.#read(letter),
      alarm,
      out: events.out,
    });
  }

  get ref(): GroupRef {
    return { id: base64url(this.group.groupId) as GroupId, epoch: this.group.epoch as Epoch };
  }

  leafOf(peer: PeerId): number | null {
    return this.#epochs.leafOf(peer);
  }

  isLeafOf(peer: PeerId, leaf: number, epoch: number): boolean {
    return this.#epochs.isLeafOf(peer, leaf, epoch);
  }

  epochFor(peer: PeerId | null): number {
    return this.#epochs.epochFor(peer);
  }

  /** A frame or message of this peer opened. */
  heard(peer: PeerId): void {
    if (!this.#heartbeat.heard(peer)) return;
    const member = this.group.members().find((one) => one.peer === peer);
    if (member !== undefined) this.#work.found(member.leafKey);
  }

  async begin(): Promise<void> {
    await this.#epochs.enter(this.group, { removal: false, lost: () => false });
    this.#heartbeat.setPeers(this.#others());
    this.#roster.update(null);
    this.#terms.chat.begin(this.#chatLine(), { epoch: this.group.epoch, isBack: this.#terms.replaces !== null });
    this.hostStateChanged();
    // The leaf before this one may have been paused: the page holds its tracks until it is told otherwise.
    this.#desk.emit({ type: 'paused', paused: false });
    this.#sayEntered();
    await this.#letters.introduce(null);
    this.#planFarewell();
    this.#heartbeat.start();
    for (const letter of await this.#mail.openEarly()) await this.#read(letter);
  }

  event(event: ServerEvent): Promise<void> {
    return this.#intake.event(event);
  }

  /** A sealed message, over whichever path. */
  receive(body: string): Promise<void> {
    return this.#intake.message(body, null);
  }

  async send(to: PeerId | null, kind: MessageKind, body: string): Promise<void> {
    await this.#mail.send(to, kind, body);
  }

  /** The socket is back. */
  async resumed(group: GroupRef | null): Promise<void> {
    this.#heartbeat.resumed();
    if (group !== null && group.id !== this.ref.id) {
      this.#events.alarm('split', 'the server names another group');
    } else {
      this.#follower.askSoon();
    }
    this.#outbox.resumed();
    await this.#letters.introduce(null);
    await this.#beat();
  }

  async remove(peer: PeerId): Promise<void> {
    if (this.hosting === null) return;
    const member = this.group.members().find((one) => one.peer === peer);
    if (member === undefined) return this.hosting.turnOut(peer);
    this.#work.remove({ leafKey: member.leafKey, cause: { kind: 'host' }, since: this.#desk.now() });
    this.#committer.plan();
  }

  goOn(): void {
    this.#heartbeat.goOn();
  }

  /** Says that we go, so that the others can show the commit why. */
  async leave(): Promise<void> {
    const word = await this.#leaveWord();
    if (word !== null) await this.#mail.send(null, 'leave', word);
  }

  /** Soon, not now: in the first moments of an epoch there is more urgent work, and the farewell of the last one is still good. */
  #planFarewell(): void {
    this.#cancelFarewell?.();
    this.#cancelFarewell = this.#desk.after(FAREWELL_MS, () => this.#desk.post(() => this.#prepareFarewell()));
  }

  /** Our word that we leave, sealed ahead: a page that is closed cannot wait for us. */
  async #prepareFarewell(): Promise<void> {
    const word = await this.#leaveWord();
    if (word !== null) this.#desk.emit({ type: 'farewell', body: await this.#mail.prepare('leave', word) });
  }

  async #leaveWord(): Promise<string | null> {
    const { groupId, ownLeafKey } = this.group;
    const place = { meetingId: this.#terms.meeting, groupId };
    const reason = await signLeave(place, ownLeafKey, (label, body) => this.group.sign(label, body));
    return reason.kind === 'leave' ? JSON.stringify({ signature: base64url(reason.signature) }) : null;
  }

  hostStateChanged(): void {
    if (!this.#states.locked) this.#lockedSince = Infinity;
    else this.#lockedSince = Math.min(this.#lockedSince, this.#desk.now());
    this.#desk.emit({ type: 'hostState', locked: this.#states.locked, chat: this.#states.state?.chat ?? null });
    this.#committer.plan();
    this.#terms.chat.changed();
  }

  stop(): void {
    this.#terms.chat.end();
    this.#heartbeat.stop();
    this.#committer.stop();
    this.#follower.stop();
    this.#epochs.wipe();
    this.group.wipe();
  }

  /** Locks and bans are kept by whoever commits; whoever does not keep them is named. */
  #checkAdded({ added, by }: Transition): void {
    const isLocked = this.#desk.now() - this.#lockedSince > LOCK_GRACE_MS;
    const isBanned = added.some(({ identity }) => this.#states.isBanned(base64url(identity)));
    if (by.leaf === this.group.ownLeaf || added.length === 0 || !(isLocked || isBanned)) return;
    this.#events.alarm(
      'letIn',
      `a commit adds somebody who is ${isBanned ? 'banned' : 'locked out'}`,
      by.peer as PeerId,
    );
  }

  /** So that the others need not wait for us longer than they must: the server counts, and tells when nobody is missing. */
  #sayEntered(): void {
    const { id: groupId, epoch } = this.ref;
    this.#desk.send('group.entered', { groupId, epoch }).catch(() => undefined);
  }

  /** The group is in another epoch. Everything that hangs on it follows, in this order. */
  async #entered(transition: Transition, commit: Bytes): Promise<void> {
    await this.#follower.remember(transition.epoch - 1, commit);
    this.#checkAdded(transition);
    for (const { peer } of transition.added) this.#presence.seen(peer as PeerId);
    const removal = transition.removed.some(({ reason }) => reason.kind === 'host');
    await this.#epochs.enter(this.group, { removal, lost: (peer) => this.#heartbeat.isLost(peer) });
    this.#heartbeat.setPeers(this.#others());
    this.#terms.chat.entered({ epoch: transition.epoch, isStranger: this.#bringsStranger(transition) });
    this.#sayEntered();
    this.#roster.update(transition);
    this.#committer.moved();
    await this.#letters.greet(transition);
    await this.hosting?.entered(transition);
    for (const letter of await this.#mail.openEarly()) await this.#read(letter);
    this.#planFarewell();
    await this.#follower.applyEarly();
  }

  async #read(letter: Parameters<Letters['read']>[0]): Promise<void> {
    this.heard(letter.from.peer as PeerId);
    // Who seals in an epoch opens what is sealed in it.
    this.#epochs.acknowledge(letter.from.peer as PeerId, letter.epoch);
    await this.#letters.read(letter);
  }

  /** @param epoch from which on the generation's secret may be told */
  async #accept(next: Access, epoch: number): Promise<void> {
    await this.#events.renewed(next);
    const { psk, admissionPublicKey } = await next.groupKeys(this.group.groupId);
    this.group.setGeneration({ ...psk, admissionPublicKey });
    this.#letters.generationSince(epoch);
    this.#desk.emit({ type: 'invite', secret: base64url(next.secret), generation: next.generation });
    await this.#follower.generationCame();
    this.#committer.plan();
    this.#terms.chat.changed();
  }

  #chatLine(): ChatGroupLine {
    return {
      send: (kind, body, epoch) =>
        this.#desk.post(() => this.#mail.send(null, kind, JSON.stringify(body), epoch === null ? {} : { epoch })),
      serverNow: () => this.#desk.serverNow(),
    };
  }

  /** A reload is none: that identity was here before. */
  #bringsStranger({ added, removed }: Transition): boolean {
    const came = new Set(added.map(({ peer }) => peer));
    const were = [
      ...this.group.members().filter(({ peer }) => !came.has(peer)),
      ...removed.filter(({ reason }) => reason.kind === 'replaced').map(({ member }) => member),
    ];
    const known = new Set(were.map(({ identity }) => base64url(identity)));
    return added.some(({ identity }) => !known.has(base64url(identity)));
  }

  async #beat(): Promise<void> {
    await this.#letters.beat();
    if (this.#desk.keyring.framesLeft() < FRAMES_TO_SPARE && this.#epochs.sending >= 0) this.#committer.renew();
  }

  #lostChanged(): void {
    this.#roster.tell();
    this.#committer.plan();
  }

  #gone(peers: readonly PeerId[]): void {
    for (const { peer, leafKey } of this.group.members()) {
      if (!peers.includes(peer as PeerId)) continue;
      this.#work.remove({ leafKey, cause: { kind: 'lost' }, since: this.#desk.now() });
    }
    this.#committer.plan();
  }

  #expelled({ reason }: Expulsion): void {
    if (reason.kind === 'host') this.#events.out('removed');
    else if (reason.kind === 'replaced') this.#events.out('elsewhere');
    // Called lost, or committed away by an old word of ours: we are here, and come back by a new leaf.
    else this.#events.out('repair');
  }

  #others(): PeerId[] {
    const { group } = this;
    return group
      .members()
      .filter(({ leaf }) => leaf !== group.ownLeaf)
      .map(({ peer }) => peer as PeerId);
  }
}
