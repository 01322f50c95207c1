/** People for scenario tests: a meeting with its host, and members whose sessions are real in everything but time and wire. */
import { Session } from '../../../client/e2ee/session.ts';
import type { Access } from '../../../client/e2ee/access.ts';
import { checkRecord, deriveAccess } from '../../../client/e2ee/access.ts';
import { Host, makeTerms } from '../../../client/e2ee/host.ts';
import type { MemberView, MessageKind, Notice } from '../../../client/e2ee/messages.ts';
import { RequestFailed, type Ports } from '../../../client/e2ee/session/ports.ts';
import type { ChatOfGroup, Rotation } from '../../../client/e2ee/session/terms.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import type { PendingJoin } from '../../../crypto/group.ts';
import { prepareJoin } from '../../../crypto/group.ts';
import { clearPrefix } from '../../../crypto/clearPrefix.ts';
import { createIdentity } from '../../../crypto/identity.ts';
import { meetingIdOf } from '../../../crypto/invite.ts';
import { Keyring } from '../../../crypto/keyring.ts';
import { partsOfKid } from '../../../crypto/mediaKeys.ts';
import { random, signKeyPair, type KeyPair } from '../../../crypto/primitives.ts';
import { parseHeader } from '../../../crypto/sframeHeader.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import { OrderingServer, Refusal } from './orderingServer.ts';
import { World } from './world.ts';

export interface Meeting {
  id: MeetingId;
  hostKey: KeyPair;
  /** Stands for a password's Argon2id output, which takes half a second to make. */
  stretched: Bytes;
  record: Signed;
  secret: Bytes;
}

export async function newMeeting(): Promise<Meeting> {
  const hostKey = await signKeyPair();
  const id = (await meetingIdOf(hostKey.publicKey)) as MeetingId;
  const stretched = random(32);
  const { record, secret } = await makeTerms(hostKey, {
    meeting: id,
    generation: 0,
    title: 'Tea',
    settings: { meshLimit: 4, capacity: 100 },
    password: { stretched, salt: 'AAAAAAAAAAAAAAAAAAAAAA' },
    createdAt: 1_000_000,
  });
  return { id, hostKey, stretched, record, secret };
}

export async function accessTo(meeting: Meeting): Promise<Access> {
  const checked = await checkRecord(meeting.id, meeting.record);
  return deriveAccess(meeting.id, checked, { secret: meeting.secret.slice(), stretched: meeting.stretched });
}

/** Keeps every media key it was ever given, as somebody might who changed the program. */
class UnsafeHoardingKeyring extends Keyring {
  readonly hoard: Bytes[] = [];

  /** Set by tests that wear a key out. */
  left: number | null = null;

  override framesLeft(): number {
    return this.left ?? super.framesLeft();
  }

  override async install(entry: Parameters<Keyring['install']>[0]): Promise<void> {
    this.hoard.push(entry.baseKey.slice());
    await super.install(entry);
  }
}

export interface JoinOptions {
  host?: boolean;
  identity?: KeyPair;
  replaces?: Person;
  access?: Access;
  hostState?: Signed;
  rotation?: Rotation | null;
  latencyMs?: () => number;
  /** Made once it is known who asks. */
  chat?: (self: Person) => ChatOfGroup;
}

const NO_CHAT: ChatOfGroup = {
  begin: () => undefined,
  entered: () => undefined,
  changed: () => undefined,
  read: () => undefined,
  head: () => null,
  heard: () => undefined,
  end: () => undefined,
};

export class Person {
  readonly name: string;
  readonly peer: PeerId;
  readonly session: Session;
  readonly keyring: UnsafeHoardingKeyring;
  readonly identity: KeyPair;
  readonly pending: PendingJoin;
  readonly notices: Notice[] = [];
  readonly errors: unknown[] = [];
  /** Everything that this person was ever given to keep. */
  access: Access;
  rotation: Rotation | null = null;
  hostState: Signed | null = null;
  /** Data channels: sealed heartbeats go to these people, past the server. */
  readonly channels = new Set<Person>();
  readonly switches: { epoch: number; side: 'send' | 'receive' }[] = [];
  /** How long whatever comes in lies in a queue before this person's busy thread gets to it. */
  lagMs = 0;

  constructor(
    begin: { name: string; identity: KeyPair; pending: PendingJoin; access: Access; keyring: UnsafeHoardingKeyring },
    session: (person: Person) => Session,
  ) {
    this.name = begin.name;
    this.identity = begin.identity;
    this.pending = begin.pending;
    this.peer = begin.pending.peer as PeerId;
    this.access = begin.access;
    this.keyring = begin.keyring;
    this.session = session(this);
  }

  get view(): Extract<Notice, { type: 'members' }> | undefined {
    return this.notices.findLast((notice) => notice.type === 'members');
  }

  get members(): MemberView[] {
    return this.view?.members ?? [];
  }

  /** All who went, as the page was told. */
  get gone(): Extract<Notice, { type: 'members' }>['removed'] {
    return this.notices.flatMap((notice) => (notice.type === 'members' ? notice.removed : []));
  }

  get names(): string[] {
    return this.members.map(({ name }) => name ?? '?').sort();
  }

  get epoch(): number {
    return this.view?.epoch ?? -1;
  }

  get out(): string | null {
    return this.notices.find((notice) => notice.type === 'out')?.why ?? null;
  }

  get alarms(): string[] {
    return this.notices.flatMap((notice) => (notice.type === 'alarm' ? [notice.alarm] : []));
  }

  get paused(): boolean {
    return this.notices.findLast((notice) => notice.type === 'paused')?.paused ?? false;
  }

  get messages(): string[] {
    return this.notices.flatMap((notice) => (notice.type === 'message' ? [notice.body] : []));
  }

  sees(...people: Person[]): boolean {
    const shown = this.members.map(({ peer }) => peer).sort();
    return JSON.stringify(shown) === JSON.stringify([this, ...people].map(({ peer }) => peer).sort());
  }

  say(to: Person | null, body: string, kind: MessageKind = 'reaction'): Promise<boolean> {
    return this.session.send(to?.peer ?? null, kind, body);
  }
}

export class Scene {
  readonly world: World;
  readonly server: OrderingServer;
  readonly meeting: Meeting;
  readonly people: Person[] = [];

  private constructor(world: World, server: OrderingServer, meeting: Meeting) {
    this.world = world;
    this.server = server;
    this.meeting = meeting;
  }

  static async open(seed = 1, makeServer = (world: World) => new OrderingServer(world)): Promise<Scene> {
    const world = new World(seed);
    return new Scene(world, makeServer(world), await newMeeting());
  }

  /** Makes a leaf, connects, and begins. It is a member some time later. */
  async arrive(name: string, options: JoinOptions = {}): Promise<Person> {
    const person = await this.prepare(name, options);
    const event = (event: ServerEvent): void => this.#behind(person, () => void person.session.event(event));
    this.server.connect({ peer: person.peer, event }, options.latencyMs);
    await person.session.begin({ group: this.server.ref, hostState: options.hostState ?? null, now: this.world.now });
    return person;
  }

  /** The same without a connection. */
  async prepare(name: string, options: JoinOptions = {}): Promise<Person> {
    const { world, meeting } = this;
    const identity = options.identity ?? options.replaces?.identity ?? (await createIdentity());
    const pending = await prepareJoin({ meetingId: meeting.id, identity });
    const access = options.access ?? (await accessTo(meeting));
    const keyring = new UnsafeHoardingKeyring({ now: () => world.now });
    const met = new Set<string>();
    const person = new Person({ name, identity, pending, access, keyring }, (self) => {
      const host = options.host
        ? new Host({ ...meeting.hostKey, privateKey: meeting.hostKey.privateKey.slice() }, meeting.id, {
            lastSequence: 0,
            keep: async () => undefined,
          })
        : null;
      return new Session(this.#ports(self), {
        meeting: meeting.id,
        title: 'Tea',
        identity,
        name,
        pending,
        replaces: options.replaces?.pending.leafKey ?? null,
        access,
        host,
        rotation: options.rotation ?? null,
        keepRotation: async (rotation) => void (self.rotation = rotation),
        hostState: options.hostState ?? null,
        keepHostState: (state) => void (self.hostState = state),
        renewed: (next) => void (self.access = next),
        chat: options.chat?.(self) ?? NO_CHAT,
        meet: (key) => !met.has(key) && (met.add(key), false),
      });
    });
    this.people.push(person);
    world.watch(() => person.session.isIdle);
    return person;
  }

  /** People who arrive one after the other, each seen by all before the next. */
  async gather(...names: string[]): Promise<Person[]> {
    const people: Person[] = [];
    for (const name of names) {
      people.push(await this.arrive(name, { host: people.length === 0 }));
      await this.world.until(() => allSee(people));
    }
    await this.world.advance(300);
    return people;
  }

  /** Leaves in good order. */
  async leave(person: Person): Promise<void> {
    await person.session.leave();
    await this.world.settle();
    this.server.disconnect(person.peer);
  }

  /** Closes the tab: no word, no socket. */
  crash(person: Person): void {
    person.session.stop();
    this.server.disconnect(person.peer, 'lost');
  }

  end(): void {
    for (const person of this.people) person.session.stop();
  }

  #behind({ lagMs }: Person, run: () => void): void {
    if (lagMs === 0) run();
    else this.world.after(lagMs, run);
  }

  #ports(self: Person): Ports {
    const { world, server } = this;
    return {
      now: () => world.now,
      after: (ms, run) => world.after(ms, run),
      turn: (run) => this.#behind(self, run),
      arrivedAt: () => world.now - self.lagMs,
      send: async (name, params) => {
        try {
          // The double answers what the catalogue says; the real server's answers are parsed by the page.
          return (await server.request(self.peer, name, params)) as never;
        } catch (error) {
          throw error instanceof Refusal ? new RequestFailed(error.code) : error;
        }
      },
      emit: (notice) => {
        self.notices.push(structuredClone(notice));
        if (notice.type !== 'broadcast') return;
        for (const other of self.channels) world.after(1, () => void other.session.data(notice.body));
      },
      failed: (error) => {
        self.errors.push(error);
      },
      keyring: self.keyring,
      keysChanged: (side) => {
        self.switches.push({ epoch: server.epoch, side });
      },
    };
  }
}

/** Every one of them shows all of them, and nobody else. */
export function allSee(people: Person[]): boolean {
  return people.every((person) => person.sees(...people.filter((other) => other !== person)));
}

/**
 * True if a frame that `from` seals now opens with any key that any of the thieves was ever given, whichever epoch each was
 * meant for.
 */
export async function opensWithHoard(from: Person, leaf: number, ...thieves: Person[]): Promise<boolean> {
  const sealed = await from.keyring.seal(1, 'vp8', new Uint8Array([1, 2, 3]));
  if (!sealed.ok) throw new Error('nothing sealed');
  const { kid } = parseHeader(sealed.frame, clearPrefix('vp8'))!;
  const { epochSlot } = partsOfKid(Number(kid));
  for (const baseKey of thieves.flatMap(({ keyring }) => keyring.hoard)) {
    const keyring = new Keyring({ now: () => 0 });
    await keyring.install({ epoch: epochSlot, ownLeaf: 255, baseKey, leaves: [leaf] });
    if ((await keyring.open({ kind: 1, leaf }, 'vp8', sealed.frame)).ok) return true;
  }
  return false;
}

/** True if a frame that `from` seals now opens for `to`. */
export async function opens(from: Person, to: Person, kind: 0 | 1 | 2 | 3 = 1): Promise<boolean> {
  const frame = new Uint8Array([1, 2, 3, 4, 5]);
  const sealed = await from.keyring.seal(kind, 'vp8', frame, from.session.epochFor(to.peer));
  if (!sealed.ok) return false;
  const leaf = to.session.leafOf(from.peer);
  if (leaf === null) return false;
  const opened = await to.keyring.open({ kind, leaf }, 'vp8', sealed.frame);
  return opened.ok && opened.frame.every((byte, index) => byte === frame[index]);
}

/** Every one of them opens what every other seals. */
export async function allOpen(people: Person[]): Promise<boolean> {
  for (const from of people) {
    for (const to of people) if (from !== to && !(await opens(from, to))) return false;
  }
  return true;
}
