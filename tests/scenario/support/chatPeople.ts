/** People of a scenario who chat: real groups, real keys, one log, and attempts at what is not theirs. */
import { ChatDocument } from '../../../client/chat/document.ts';
import type { Access } from '../../../client/e2ee/access.ts';
import { ChatInGroup } from '../../../client/e2ee/chat/group.ts';
import type { Newcomers } from '../../../client/e2ee/chat/policy.ts';
import { unpackSnapshot } from '../../../client/e2ee/chat/snapshot.ts';
import { fromBase64url, type Bytes } from '../../../crypto/bytes.ts';
import { openForward, olderIdOf } from '../../../crypto/chatForward.ts';
import { edgesOf, itemHead, wrappedRing } from '../../../crypto/chatItem.ts';
import type { RingSecret } from '../../../crypto/chatKey.ts';
import { deriveChatKey, openRing } from '../../../crypto/chatKey.ts';
import { createIdentity } from '../../../crypto/identity.ts';
import { HostState } from '../../../signal/protocol/documents.ts';
import type { ChatOfGroup } from '../../../client/e2ee/session/terms.ts';
import { Device, isAtRest, Log, MEETING } from '../../client/chat/world.ts';
import { accessTo, allSee, Scene, type JoinOptions, type Person } from './people.ts';

export const HOUR = 3_600_000;

export interface Chatter {
  readonly device: Device;
  /** Null while in the lobby. */
  person: Person | null;
}

export class ChatScene {
  readonly scene: Scene;
  readonly log = new Log();
  readonly chatters: Chatter[] = [];
  /** So many items are worth a snapshot to whoever comes from now on; null: no number is. */
  snapshotAfter: number | null = null;

  private constructor(scene: Scene) {
    this.scene = scene;
  }

  static async open(): Promise<ChatScene> {
    const scene = await Scene.open();
    scene.world.now = 1_790_000_000_000;
    scene.world.watch(isAtRest);
    return new ChatScene(scene);
  }

  /** In the lobby, by the link of now, with the chat open. */
  async visitor(name: string, more: { access?: Access; identity?: Chatter['device']['person']['identity'] } = {}) {
    const { world, meeting } = this.scene;
    const access = more.access ?? (await accessTo(meeting));
    const identity = more.identity ?? (await createIdentity());
    const device = new Device({
      person: { identity, name },
      log: this.log,
      time: world,
      access,
      random: () => world.random(),
      ...(this.snapshotAfter === null ? {} : { snapshotAfter: this.snapshotAfter }),
    });
    const chatter: Chatter = { device, person: null };
    device.newcomers = () => newcomersOf(chatter.person ?? this.#knowing());
    await device.start();
    device.connect();
    this.chatters.push(chatter);
    await world.advance(5000);
    return chatter;
  }

  /** Joins the meeting, seen by all. @param ms  to settle in */
  async join(chatter: Chatter, options: JoinOptions = {}, ms = 8000): Promise<Person> {
    const { world } = this.scene;
    const { device } = chatter;
    const { identity, name } = device.person;
    const isHost = this.#members().length === 0;
    const person = await this.scene.arrive(name, {
      host: isHost,
      identity,
      access: device.access,
      chat: () => this.#inGroup(device),
      ...options,
    });
    chatter.person = person;
    device.access = accessOfPerson(person);
    await world.until(() => allSee(this.#members()));
    await world.advance(ms);
    return person;
  }

  async come(name: string): Promise<Chatter> {
    const chatter = await this.visitor(name);
    await this.join(chatter);
    return chatter;
  }

  async leave(chatter: Chatter): Promise<void> {
    await this.scene.leave(chatter.person!);
    chatter.person = null;
    await this.scene.world.until(() => allSee(this.#members()));
  }

  async decide(host: Chatter, newcomers: Newcomers): Promise<void> {
    await host.person!.session.chatTerms({ newcomers, keepDays: 30 });
    await this.scene.world.advance(6000);
    for (const { device } of this.chatters) device.chat.termsMoved();
    await this.scene.world.advance(1000);
  }

  async write({ device }: Chatter, text: string): Promise<void> {
    await device.chat.write([{ is: 'say', text }]);
    await this.scene.world.advance(5000);
  }

  /** A sign under the first message. */
  async react({ device }: Chatter): Promise<void> {
    await device.chat.write([{ is: 'react', of: device.chat.thread.said[0]!.id, emoji: '👍', on: true }]);
    await this.scene.world.advance(5000);
  }

  /** To another hour. */
  async pass(hours: number): Promise<void> {
    this.scene.world.now += hours * HOUR;
    await this.scene.world.advance(6000);
  }

  end(): void {
    this.scene.end();
    for (const { device } of this.chatters) device.kill();
  }

  /**
   * Texts of all entries whose bodies open with what this browser holds, or comes to by trying every secret that it holds, and every one that
   * it finds on the way, on all that the log has, with the keys of `links`. `full` opens everything, so it says what there is.
   */
  async opens({ device }: Chatter, full: Chatter, links: readonly Access[] = [device.access]): Promise<string[]> {
    const found = new Map<string, RingSecret>(device.keys.ring.all.map((one) => [one.key.name, one]));
    for (let before = -1; before < found.size;) {
      before = found.size;
      for (const item of [...this.log.items.map(({ body }) => fromBase64url(body)), ...(await this.#snapshotKeys())]) {
        for (const one of await hoarded(item, [...found.values()], links))
          found.set((await deriveChatKey(one, MEETING)).name, one);
      }
    }
    const thief = await new Device({
      person: device.person,
      log: new Log(),
      time: this.scene.world,
      access: device.access,
      random: () => 0.5,
    }).start();
    for (const one of found.values()) await thief.keys.ring.add(one, { heard: 0, place: 0, told: false, from: null });
    const { verdicts } = await thief.keeper.read({ entries: await this.#entries(full) });
    thief.kill();
    return verdicts.flatMap((one) => {
      const body = one.is === 'read' ? (JSON.parse(one.entry.body!) as { text?: string }) : {};
      return body.text ?? [];
    });
  }

  /** What the snapshot tells of keys. */
  async #snapshotKeys(): Promise<readonly Bytes[]> {
    const { snapshot, parts } = this.log;
    return snapshot === null ? [] : (await unpackSnapshot(parts.get(snapshot.id)!, snapshot.hash))!.keys;
  }

  async #entries({ device }: Chatter): Promise<Bytes[]> {
    const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
    const { updates } = await device.keeper.peek({ items: this.log.items });
    document.apply(
      updates.flatMap((update) => update ?? []),
      null,
    );
    return document.entries;
  }

  #inGroup(device: Device): ChatOfGroup {
    const { world } = this.scene;
    let [asked, done] = [0, 0];
    world.watch(() => asked === done);
    const counted = <A extends unknown[]>(act: (...args: A) => void) => {
      return (...args: A) => {
        asked += 1;
        act(...args);
        void group.idle.then(() => (done += 1));
      };
    };
    const group: ChatInGroup = new ChatInGroup({
      keys: device.keys,
      now: () => world.now,
      // What it does later is waited for, too: time must not pass while other threads make keys.
      after: (ms, run) => world.after(ms, counted(run)),
      random: () => world.random(),
    });
    return {
      begin: counted((...args) => group.begin(...args)),
      entered: counted((...args) => group.entered(...args)),
      changed: counted(() => group.changed()),
      read: counted((...args) => group.read(...args)),
      end: counted(() => group.end()),
      head: () => device.keeper.heads.own,
      heard: (identity, head) => device.keeper.heads.heard(identity, head),
    };
  }

  #members(): Person[] {
    return this.chatters.flatMap(({ person }) => (person === null || person.out !== null ? [] : person));
  }

  /** Whoever is not in the meeting has heard what is true: withholding it is another test's. */
  #knowing(): Person | null {
    return this.#members()[0] ?? null;
  }
}

function newcomersOf(person: Person | null): Newcomers {
  const state = person?.hostState ? HostState.parse(JSON.parse(person.hostState.body)) : null;
  return state?.chat?.newcomers ?? { see: 'all' };
}

/** As the person's session renews it. */
function accessOfPerson(person: Person): Access {
  return new Proxy(person.access, { get: (_target, name) => Reflect.get(person.access, name) as unknown });
}

/** Every secret that an item gives away to whoever holds these secrets and links, whatever the item says of itself. */
async function hoarded(item: Bytes, held: readonly RingSecret[], links: readonly Access[]): Promise<RingSecret[]> {
  const head = itemHead(item);
  const found: RingSecret[] = [];
  if (head?.kind !== 'ring' && head?.kind !== 'forward') return found;
  const { kind, generation } = head;
  for (const { chatKey } of links) {
    const place = { meetingId: MEETING, generation, chatKey };
    if (kind === 'ring') found.push(...(await openRing(chatKey, place, wrappedRing(item)).catch(() => [])));
    for (const edge of kind === 'forward' ? edgesOf(item) : []) {
      for (const { secret } of held) {
        const newer = await openForward(place, { secret, id: olderIdOf(edge) }, edge).catch(() => null);
        if (newer !== null) found.push(newer);
      }
    }
  }
  return found;
}
