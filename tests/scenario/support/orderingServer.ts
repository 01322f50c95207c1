/**
 * A fast double of signal's group part: it orders commits and passes everything on, in fake time.
 *
 * Honest by itself. `deliver` lets a test delay, drop, change or add what a peer gets (maliciousServer.ts does). It holds no
 * key and imports no crypto, like the real one.
 */
import type { ErrorCode } from '../../../signal/protocol/errors.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { Epoch, GroupId, PeerId } from '../../../signal/protocol/ids.ts';
import type { GroupRef, OrderedCommit } from '../../../signal/protocol/model.ts';
import type { Params, RequestName } from '../../../signal/protocol/requests.ts';
import type { World } from './world.ts';

export class Refusal extends Error {
  readonly code: ErrorCode | 'offline';

  constructor(code: ErrorCode | 'offline') {
    super(code);
    this.code = code;
  }
}

export interface Client {
  readonly peer: PeerId;
  event(event: ServerEvent): void;
}

interface Connection {
  client: Client;
  /** Answers and events arrive in the order they were sent, this much later. */
  latencyMs: () => number;
  clearAt: number;
  online: boolean;
  missed: ServerEvent[];
}

export class OrderingServer {
  readonly world: World;
  readonly connections = new Map<PeerId, Connection>();
  group: { id: GroupId; members: Set<PeerId> } | null = null;
  log: OrderedCommit[] = [];
  /** Requests seen, for tests that ask who did what. */
  readonly seen: { from: PeerId; name: RequestName; params: unknown }[] = [];
  /** What becomes of an event on its way: itself, nothing, or others. */
  deliver: (event: ServerEvent, to: PeerId) => ServerEvent[] = (event) => [event];
  /** Refuses or answers a request in the server's place; undefined leaves it to the server. */
  intercept: (from: PeerId, name: RequestName, params: unknown) => unknown = () => undefined;
  readonly #arrived = new Set<PeerId>();
  readonly #complaints = new Map<number, Set<PeerId>>();

  constructor(world: World) {
    this.world = world;
  }

  get epoch(): number {
    return this.log.length;
  }

  get ref(): GroupRef | null {
    return this.group && { id: this.group.id, epoch: this.epoch as Epoch };
  }

  connect(client: Client, latencyMs: () => number = () => 0): void {
    this.connections.set(client.peer, { client, latencyMs, clearAt: 0, online: true, missed: [] });
    const peer = { peer: client.peer, name: 'AAAA', presence: 'here', inGroup: false } as const;
    this.#tellOthers(client.peer, { type: 'peer.joined', peer });
  }

  /** The socket is gone for good. */
  disconnect(peer: PeerId, reason: 'left' | 'lost' | 'removed' = 'left'): void {
    this.connections.delete(peer);
    this.group?.members.delete(peer);
    this.#tellOthers(peer, { type: 'peer.left', peer, reason });
  }

  /** The socket is away; events wait. */
  cut(peer: PeerId): void {
    this.connections.get(peer)!.online = false;
    this.#tellOthers(peer, { type: 'peer.presence', peer, presence: 'away' });
  }

  resume(peer: PeerId): void {
    const connection = this.connections.get(peer)!;
    connection.online = true;
    this.#tellOthers(peer, { type: 'peer.presence', peer, presence: 'here' });
    for (const event of connection.missed.splice(0)) this.push(peer, event);
  }

  setLatency(peer: PeerId, latencyMs: () => number): void {
    this.connections.get(peer)!.latencyMs = latencyMs;
  }

  /** @returns resolves or rejects (Refusal) when the answer has arrived */
  request(from: PeerId, name: RequestName, params: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const connection = this.connections.get(from);
      if (connection === undefined || !connection.online) {
        reject(new Refusal('offline'));
        return;
      }
      this.world.after(connection.latencyMs(), () => {
        let settle: () => void;
        try {
          this.seen.push({ from, name, params });
          const answer = this.intercept(from, name, params) ?? this.#answer(from, name, params as never);
          settle = () => resolve(answer);
        } catch (error) {
          settle = () => reject(error instanceof Error ? error : new Error(String(error)));
        }
        // Answers go before the events that the request causes, as on a socket.
        this.#later(from, settle);
        for (const event of this.#after.splice(0)) event();
      });
    });
  }

  /** Sends an event to one peer, through `deliver`. */
  push(to: PeerId, event: ServerEvent): void {
    for (const one of this.deliver(event, to)) this.raw(to, one);
  }

  /** Sends an event to one peer as it is. */
  raw(to: PeerId, event: ServerEvent): void {
    const connection = this.connections.get(to);
    if (connection === undefined) return;
    if (!connection.online) {
      connection.missed.push(event);
      return;
    }
    this.#later(to, () => connection.client.event(event));
  }

  readonly #after: (() => void)[] = [];

  #answer(from: PeerId, name: RequestName, params: never): unknown {
    switch (name) {
      case 'group.create':
        return this.#create(from, params);
      case 'group.requestAdd': {
        const { groupId, keyPackage, admission } = params as Params<'group.requestAdd'>;
        // As the real one: a group that nobody who is connected belongs to is none, and who asks may begin another.
        if (this.group?.id !== groupId || !this.#isAlive()) throw new Refusal('groupUnknown');
        const event = { type: 'group.addRequested', peer: from, groupId, keyPackage, admission } as const;
        for (const member of this.group.members) this.#soon(() => this.push(member, event));
        return {};
      }
      case 'group.commit':
        return this.#commit(from, params);
      case 'group.log': {
        const { groupId, epoch } = params as Params<'group.log'>;
        if (this.group?.id !== groupId) throw new Refusal('groupUnknown');
        return { commits: this.log.slice(epoch, epoch + 64), epoch: this.epoch };
      }
      case 'group.entered': {
        const { groupId, epoch } = params as Params<'group.entered'>;
        if (this.group?.id !== groupId || epoch !== this.epoch) return {};
        this.#arrived.add(from);
        const members = [...this.group.members].filter((peer) => this.connections.has(peer));
        if (members.length < 2 || !members.every((peer) => this.#arrived.has(peer))) return {};
        for (const peer of members) this.#soon(() => this.push(peer, { type: 'group.settled', groupId, epoch }));
        return {};
      }
      case 'group.commitInvalid':
        return this.#complain(from, params);
      case 'message.send': {
        const { to, body } = params as Params<'message.send'>;
        const event: ServerEvent = { type: 'message', from, body };
        if (to === null) this.#soon(() => this.#tellOthers(from, event));
        else this.#soon(() => this.push(to, event));
        return {};
      }
      case 'host.state': {
        const { state } = params as Params<'host.state'>;
        this.#soon(() => this.#tellOthers(from, { type: 'host.state', state }));
        return {};
      }
      case 'host.rotate': {
        const { record } = params as Params<'host.rotate'>;
        this.#soon(() => this.#tellOthers(from, { type: 'meeting.record', record }));
        return {};
      }
      case 'host.command': {
        const { command } = params as Params<'host.command'>;
        const said = JSON.parse(command.body) as { action: string; peer: PeerId };
        if (said.action === 'end') this.#soon(() => this.#tellOthers('' as PeerId, { type: 'meeting.ended', command }));
        else this.#soon(() => this.disconnect(said.peer, 'removed'));
        return {};
      }
      default:
        return {};
    }
  }

  #isAlive(): boolean {
    return [...(this.group?.members ?? [])].some((peer) => this.connections.has(peer));
  }

  #create(from: PeerId, { groupId }: Params<'group.create'>): unknown {
    if (this.#isAlive()) {
      return { created: false, group: this.ref };
    }
    this.group = { id: groupId, members: new Set([from]) };
    this.log = [];
    this.#soon(() => this.#tellOthers(from, { type: 'group.created', group: this.ref!, by: from }));
    return { created: true, group: this.ref };
  }

  #commit(from: PeerId, params: Params<'group.commit'>): unknown {
    const { groupId, epoch, commit, welcome, added, removed, rotation } = params;
    if (this.group?.id !== groupId) throw new Refusal('groupUnknown');
    if (epoch !== this.epoch) throw new Refusal('staleEpoch');
    const ordered: OrderedCommit = { groupId, epoch, by: from, commit };
    this.log.push(ordered);
    this.#arrived.clear();
    this.#soon(() => this.#tellOthers('' as PeerId, { type: 'group.committed', ...ordered, added }));
    if (rotation !== undefined) {
      const { letter, record } = rotation;
      this.#soon(() => this.#tellOthers(from, { type: 'message', from, body: letter }));
      this.#soon(() => this.#tellOthers(from, { type: 'meeting.record', record }));
    }
    for (const peer of removed) this.group.members.delete(peer);
    for (const peer of added) {
      this.group.members.add(peer);
      const event = { type: 'group.welcome', groupId, epoch: (epoch + 1) as Epoch, by: from } as const;
      if (welcome !== undefined) this.#soon(() => this.push(peer, { ...event, welcome }));
    }
    return { epoch: epoch + 1 };
  }

  #complain(from: PeerId, { epoch, groupId }: Params<'group.commitInvalid'>): unknown {
    const said = this.#complaints.get(epoch) ?? new Set();
    this.#complaints.set(epoch, said.add(from));
    const withdrawn = this.log[epoch];
    if (withdrawn === undefined || said.size * 2 <= this.group!.members.size) return {};
    this.log = this.log.slice(0, epoch);
    this.#complaints.clear();
    const event = { type: 'group.reopened', groupId, epoch, author: withdrawn.by } as const;
    this.#soon(() => this.#tellOthers('' as PeerId, event));
    return {};
  }

  #tellOthers(from: PeerId, event: ServerEvent): void {
    for (const peer of this.connections.keys()) if (peer !== from) this.push(peer, event);
  }

  #soon(run: () => void): void {
    this.#after.push(run);
  }

  #later(to: PeerId, run: () => void): void {
    const connection = this.connections.get(to);
    if (connection === undefined) return;
    const { world } = this;
    // Never before what was sent before: a socket keeps its order.
    connection.clearAt = Math.max(connection.clearAt, world.now + connection.latencyMs());
    world.after(connection.clearAt - world.now, run);
  }
}
