/**
 * The group protocol of one member of one meeting, from its fresh leaf to its last word.
 *
 * Whatever comes in (events, answers, timers, calls) goes through one queue, so nothing interleaves. Time, randomness,
 * requests and notices are injected, so all of it runs in Node as it does in the worker. Once it is over it does and says
 * nothing more, and its keys are wiped. docs/design.md §4.
 */
import { fromBase64url } from '../../crypto/bytes.ts';
import type { Group } from '../../crypto/group.ts';
import { verifyText } from '../../crypto/signed.ts';
import {
  type ChatHead,
  type ChatTerms,
  HostCommand,
  labels,
  proofText,
  type Signed,
} from '../../signal/protocol/documents.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { GroupRef } from '../../signal/protocol/model.ts';
import type { Access } from './access.ts';
import { checkRecord, jsonOf, nextAccess } from './access.ts';
import type { MessageKind, Notice } from './messages.ts';
import { HostStates } from './session/hostStates.ts';
import { Joining } from './session/joining.ts';
import { Live } from './session/live.ts';
import { Outbox } from './session/outbox.ts';
import type { Alarm, Desk, Ports } from './session/ports.ts';
import { Presence } from './session/presence.ts';
import { Serial } from './session/serial.ts';
import type { SessionTerms } from './session/terms.ts';

/** The same alarm is not raised again before this has passed: a flood of them would hide the next. */
const ALARM_PACE_MS = 10_000;
/** Messages that came before the Welcome that makes them readable. */
const MAX_BEFORE = 128;

/** What a host has decided gets this long to reach the server before the host is gone. */
const LAST_WORDS_MS = 1000;

/** What a server's clock may show: 2020 to 2100. */
const EARLIEST = Date.UTC(2020);
const LATEST = Date.UTC(2100);

type OutReason = Extract<Notice, { type: 'out' }>['why'];

type Phase =
  | { readonly at: 'new' }
  | { readonly at: 'joining'; readonly joining: Joining; readonly before: string[] }
  | { readonly at: 'member'; readonly live: Live }
  | { readonly at: 'over' };

export interface Beginning {
  readonly group: GroupRef | null;
  readonly hostState: Signed | null;
  /** The server's clock, milliseconds since 1970. */
  readonly now: number;
}

export class Session {
  readonly #ports: Ports;
  readonly #terms: SessionTerms;
  readonly #serial = new Serial();
  readonly #desk: Desk;
  readonly #presence = new Presence();
  readonly #outbox: Outbox;
  readonly #alarms = new Map<string, number>();
  #states: HostStates | null = null;
  #access: Access;
  #phase: Phase = { at: 'new' };
  #clockOffset = 0;

  constructor(ports: Ports, terms: SessionTerms) {
    this.#ports = ports;
    this.#terms = terms;
    this.#access = terms.access;
    this.#desk = {
      now: () => ports.now(),
      // Behind what came in before: time must not pass for us faster than what we hear.
      after: (ms, run) => ports.after(ms, () => ports.turn(() => this.#post(run))),
      turn: (run) => ports.turn(run),
      arrivedAt: () => ports.arrivedAt(),
      send: (name, params) => ports.send(name, params),
      emit: (notice) => {
        if (this.#phase.at !== 'over') ports.emit(notice);
      },
      failed: (error) => ports.failed(error),
      keyring: ports.keyring,
      keysChanged: (side) => ports.keysChanged(side),
      post: (task) => this.#post(task),
      serverNow: () => Math.floor(ports.now() + this.#clockOffset),
    };
    this.#outbox = new Outbox(this.#desk);
  }

  get isIdle(): boolean {
    return this.#serial.isIdle;
  }

  /** The join was answered. */
  begin({ group, hostState, now }: Beginning): Promise<void> {
    return this.#run(async () => {
      if (this.#phase.at !== 'new') return;
      // A server that lies about the time beyond all reason is not followed.
      if (now > EARLIEST && now < LATEST) this.#clockOffset = now - this.#ports.now();
      const { meeting, access, identity, pending, replaces } = this.#terms;
      this.#states = await HostStates.open({
        meeting,
        hostPublicKey: access.hostPublicKey,
        known: this.#terms.hostState,
        keep: this.#terms.keepHostState,
      });
      if (hostState !== null) await this.#hostState(hostState);
      const joining = new Joining({
        desk: this.#desk,
        identity,
        pending,
        access: () => this.#access,
        replaces,
        joined: (joined) => this.#joined(joined),
        forged: (detail) => this.#alarm('forged', detail),
      });
      this.#phase = { at: 'joining', joining, before: [] };
      if (this.#terms.rotation === null) await joining.begin(group);
      else this.#finishRotation(this.#terms.rotation, () => joining.begin(group));
    });
  }

  /** The socket is back. */
  resumed(group: GroupRef | null): Promise<void> {
    return this.#run(async () => {
      const { at } = this.#phase;
      if (at === 'joining') {
        this.#outbox.resumed();
        await this.#phase.joining.begin(group);
      } else if (at === 'member') await this.#phase.live.resumed(group);
    });
  }

  event(event: ServerEvent): Promise<void> {
    return this.#run(async () => {
      this.#presence.event(event);
      if (event.type === 'host.state') return this.#hostState(event.state);
      if (event.type === 'meeting.record') return this.#record(event.record);
      if (event.type === 'meeting.ended') return this.#ended(event.command);
      const phase = this.#phase;
      if (phase.at === 'member') await phase.live.event(event);
      if (phase.at !== 'joining') return;
      if (event.type === 'message' && phase.before.length < MAX_BEFORE) phase.before.push(event.body);
      await phase.joining.event(event);
    });
  }

  /** A sealed message that came over a data channel. */
  data(body: string): Promise<void> {
    return this.#run(async () => {
      if (this.#phase.at === 'member') await this.#phase.live.receive(body);
    });
  }

  /** @returns false while there is no group to say it in */
  send(to: PeerId | null, kind: MessageKind, body: string): Promise<boolean> {
    return this.#asMember((live) => live.send(to, kind, body));
  }

  /** Needs the host key. @returns false while there is no group */
  remove(peer: PeerId): Promise<boolean> {
    return this.#asMember((live) => live.remove(peer));
  }

  lock(locked: boolean): Promise<boolean> {
    return this.#asMember((live) => live.hosting?.lock(locked));
  }

  chatTerms(terms: ChatTerms): Promise<boolean> {
    return this.#asMember((live) => live.hosting?.chatTerms(terms));
  }

  clearChat(upTo: ChatHead): Promise<boolean> {
    return this.#asMember((live) => live.hosting?.clearChat(upTo));
  }

  end(): Promise<boolean> {
    return this.#asMember((live) => live.hosting?.end(() => this.#out('ended')));
  }

  goOn(): Promise<boolean> {
    return this.#asMember((live) => live.goOn());
  }

  /** Says that we go, and wipes every key. Idempotent. */
  async leave(): Promise<void> {
    // A host who removes somebody and goes at once: the new link has to reach the server, or it would open nothing.
    await Promise.race([
      this.#outbox.drained(),
      new Promise<void>((resolve) => this.#ports.after(LAST_WORDS_MS, resolve)),
    ]);
    return this.#run(async () => {
      if (this.#phase.at === 'member') await this.#phase.live.leave();
      this.#stop();
    });
  }

  /** Wipes every key at once, without a word. Idempotent. */
  stop(): void {
    this.#stop();
  }

  /** Proves our leaf to a server that forgot us. @returns null when the leaf is gone */
  async proveAgain(challenge: string): Promise<{ signature: Uint8Array<ArrayBuffer>; member: GroupRef | null } | null> {
    const { meeting, pending } = this.#terms;
    const text = new TextEncoder().encode(proofText(meeting, challenge, pending.peer as PeerId));
    return this.#run(async () => {
      const phase = this.#phase;
      if (phase.at === 'over') return null;
      if (phase.at !== 'member') return { signature: await pending.sign(labels.provePeer, text), member: null };
      return { signature: await phase.live.group.sign(labels.provePeer, text), member: phase.live.ref };
    });
  }

  /** For frames: the leaf of a peer in any epoch that still opens. */
  leafOf(peer: PeerId): number | null {
    return this.#phase.at === 'member' ? this.#phase.live.leafOf(peer) : null;
  }

  epochFor(peer: PeerId | null): number {
    return this.#phase.at === 'member' ? this.#phase.live.epochFor(peer) : -1;
  }

  isLeafOf(peer: PeerId, leaf: number, epoch: number): boolean {
    return this.#phase.at === 'member' && this.#phase.live.isLeafOf(peer, leaf, epoch);
  }

  /** A frame of this peer opened. */
  heard(peer: PeerId): void {
    if (this.#phase.at === 'member') this.#phase.live.heard(peer);
  }

  async #joined(group: Group): Promise<void> {
    if (this.#phase.at !== 'joining' || this.#states === null) return group.wipe();
    const { before } = this.#phase;
    const parts = { terms: this.#terms, states: this.#states, presence: this.#presence, outbox: this.#outbox };
    const live = new Live(this.#desk, group, parts, {
      alarm: (alarm, detail, peer) => this.#alarm(alarm, detail, peer),
      out: (why) => this.#out(why),
      access: () => this.#access,
      renewed: async (access) => this.#renewed(access),
    });
    this.#phase = { at: 'member', live };
    await live.begin();
    for (const body of before) await live.receive(body);
  }

  /** A rotation that a reload interrupted: the members know it, the server has to. */
  #finishRotation({ record, access, secret }: NonNullable<SessionTerms['rotation']>, then: () => Promise<void>): void {
    this.#outbox.put('host.rotate', { record, access }, async () => {
      await this.#terms.keepRotation(null);
      this.#renewed(await nextAccess(this.#access, record, secret));
      await then();
    });
  }

  #renewed(access: Access): void {
    this.#access = access;
    this.#terms.renewed(access);
  }

  async #hostState(signed: Signed): Promise<void> {
    const verdict = await this.#states?.accept(signed);
    if (verdict === 'forged') this.#alarm('forged', 'a host state that no host has signed');
    if (verdict === 'older') this.#alarm('forged', 'a host state older than one that we know');
    if (verdict === 'newer' && this.#phase.at === 'member') this.#phase.live.hostStateChanged();
  }

  async #record(signed: Signed): Promise<void> {
    const { meeting } = this.#terms;
    try {
      const { record } = await checkRecord(meeting, signed);
      // Members wait for its secret, which comes sealed. Who is not in yet asks with keys of the past: only the new link helps.
      if (record.generation > this.#access.generation && this.#phase.at === 'joining') this.#out('repair');
    } catch {
      this.#alarm('forged', 'a record that no host has signed');
    }
  }

  async #ended({ body, signature }: Signed): Promise<void> {
    const { meeting, access } = this.#terms;
    const command = HostCommand.safeParse(jsonOf(body));
    const isSigned = await verifyText(labels.hostCommand, body, fromBase64url(signature), access.hostPublicKey);
    if (isSigned && command.success && command.data.action === 'end' && command.data.meeting === meeting)
      this.#out('ended');
    else this.#alarm('forged', 'an end that no host has ordered');
  }

  #alarm(...[alarm, detail, peer = null]: Parameters<Alarm>): void {
    const key = `${alarm} ${detail}`;
    const now = this.#ports.now();
    if (now - (this.#alarms.get(key) ?? -Infinity) < ALARM_PACE_MS) return;
    this.#alarms.set(key, now);
    this.#desk.emit(
      alarm === 'unreadable' || alarm === 'letIn'
        ? { type: 'alarm', alarm, detail, peer }
        : { type: 'alarm', alarm, detail },
    );
  }

  #out(why: OutReason): void {
    if (this.#phase.at === 'over') return;
    this.#ports.emit({ type: 'out', why });
    this.#stop();
  }

  #stop(): void {
    const phase = this.#phase;
    this.#phase = { at: 'over' };
    if (phase.at === 'joining') phase.joining.stop();
    if (phase.at === 'member') phase.live.stop();
    this.#terms.pending.wipe();
    this.#terms.host?.wipe();
    this.#ports.keyring.wipe();
    this.#outbox.stop();
  }

  async #asMember(act: (live: Live) => void | Promise<void> | undefined): Promise<boolean> {
    return this.#run(async () => {
      if (this.#phase.at !== 'member') return false;
      await act(this.#phase.live);
      return true;
    });
  }

  /** Puts a task into the queue for whoever waits for its result. */
  #run<T>(task: () => Promise<T>): Promise<T> {
    return this.#serial.run(task).catch((error: unknown) => {
      this.#broke(error);
      throw error;
    });
  }

  /** Puts a task into the queue that nobody waits for. */
  #post(task: () => void | Promise<void>): void {
    this.#serial
      .run(async () => {
        if (this.#phase.at !== 'over') await task();
      })
      .catch((error: unknown) => this.#broke(error));
  }

  /** What fails after the end fails because keys are gone. Before it, we cannot trust our state: a new leaf can. */
  #broke(error: unknown): void {
    if (this.#phase.at === 'over') return;
    this.#ports.failed(error);
    this.#out('repair');
  }
}
