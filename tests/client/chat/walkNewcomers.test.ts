/**
 * Random walks of chats, with notes, whose newcomers see nothing of before, or the last hours: keys go from member to member of a group that people join and
 * leave, and in the log. Whoever was there from the start ends with the whole conversation; whoever came later with what was written since,
 * and with no more than was promised.
 */
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { ChatInGroup } from '../../../client/e2ee/chat/group.ts';
import type { Newcomers } from '../../../client/e2ee/chat/policy.ts';
import type { ChatGroupLine } from '../../../client/e2ee/session/terms.ts';
import { base64url } from '../../../crypto/bytes.ts';
import { numbers } from '../../crypto/seeded.ts';
import { EMOJI } from './walks.ts';
import { accessOf, Device, Log, meanwhile, person, Time } from './world.ts';

const RUNS = process.env['PARLEY_SOAK'] ? 2000 : 60;
const HOUR = 3_600_000;
/** Whoever has come has keys by then, or is told so: three are asked for, five seconds apart. */
const SETTLED_MS = 20_000;

/** What is written into the notes is an entry by then. */
const NOTED_MS = 10_000;

/** Whom letters of a meeting come to: all who are in it, in the order in which they were written. */
class Meeting {
  readonly #time: Time;
  readonly #random: () => number;
  readonly #members = new Map<Device, { group: ChatInGroup; since: number }>();
  #epoch = 0;

  constructor(time: Time, random: () => number) {
    this.#time = time;
    this.#random = random;
  }

  /** When it came; null: it is not in the meeting. */
  since(device: Device): number | null {
    return this.#members.get(device)?.since ?? null;
  }

  join(device: Device): void {
    if (this.#members.has(device)) return;
    this.#epoch += 1;
    const at = { epoch: this.#epoch };
    for (const { group } of this.#members.values()) this.#do(group, () => group.entered({ ...at, isStranger: true }));
    const group: ChatInGroup = new ChatInGroup({
      keys: device.keys,
      now: () => this.#time.now,
      after: (ms, run) => this.#time.after(ms, () => this.#do(group, run)),
      random: this.#random,
    });
    this.#members.set(device, { group, since: this.#time.now });
    this.#do(group, () => group.begin(this.#line(device), { ...at, isBack: false }));
    this.#do(group, () => group.changed());
  }

  leave(device: Device): void {
    const member = this.#members.get(device);
    if (member === undefined) return;
    this.#members.delete(device);
    this.#epoch += 1;
    this.#do(member.group, () => member.group.end());
    for (const { group } of this.#members.values())
      this.#do(group, () => group.entered({ epoch: this.#epoch, isStranger: false }));
  }

  #line(from: Device): ChatGroupLine {
    const identity = base64url(from.person.identity.publicKey);
    return {
      serverNow: () => this.#time.now,
      send: (kind, body, epoch) => {
        if (epoch !== null && epoch !== this.#epoch) return;
        const letter = { identity, epoch: this.#epoch, kind, body } as Parameters<ChatInGroup['read']>[0];
        for (const [other, member] of this.#members) {
          if (other === from) continue;
          this.#time.after(20, () => {
            if (this.#members.get(other) === member) this.#do(member.group, () => member.group.read(letter));
          });
        }
      },
    };
  }

  #do(group: ChatInGroup, act: () => void): void {
    act();
    void meanwhile(group.idle);
  }
}

interface Said {
  readonly id: string;
  readonly at: number;
  /** By somebody who was in the meeting long enough to have keys that all in it hold. */
  readonly isForAll: boolean;
}

const linesOf = ({ chat }: Device): string[] =>
  chat.notes.page.text.toArray().map((block) => (block as Y.XmlElement).toArray().map(String).join(''));

async function walk(seed: number, newcomers: Newcomers): Promise<{ seen: number; unseen: number }> {
  const random = numbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const [log, time, access] = [new Log(), new Time(), accessOf()];
  const meeting = new Meeting(time, random);
  const snapshotAfter = pick([6, 1000, 1000]);
  const come = async (name: string): Promise<Device> => {
    const given = { person: await person(name), log, time, access, random, snapshotAfter, newcomers: () => newcomers };
    const device = await new Device(given).start();
    device.pageSize = pick([1, 3, 1000]);
    device.connect();
    await time.pass(1000);
    meeting.join(device);
    await time.pass(SETTLED_MS);
    return device;
  };
  const founders = [await come('Ada'), await come('Ben')];
  if (random() < 0.5) founders.push(await come('Cy'));
  const late = new Map<Device, number>();
  const said: Said[] = [];
  const notes: { line: string; at: number }[] = [];
  for (let at = 0; at < 14; at++) {
    const device = pick([...founders, ...late.keys()]);
    const { chat } = device;
    const what = random();
    const since = meeting.since(device);
    const own = chat.thread.said.filter(({ author, erased }) => author === chat.self && !erased);
    if (what < 0.1 && late.size < 2) {
      const came = time.now;
      late.set(await come(`Late ${late.size}`), came);
    } else if (what < 0.2) device.disconnect();
    else if (what < 0.25) meeting.leave(device);
    else if (what < 0.4) {
      device.connect();
      meeting.join(device);
      await time.pass(SETTLED_MS);
    } else if (what < 0.45) {
      await chat.settled();
      meeting.leave(device);
      device.kill();
      await device.start();
    } else if (what < 0.53) await time.pass(HOUR * (1 + 4 * random()));
    else if (what < 0.57 && own.length > 0) await chat.write([{ is: 'edit', of: pick(own).id, text: `edit ${at}` }]);
    else if (what < 0.61 && chat.thread.said.length > 0)
      await chat.write([{ is: 'react', of: pick(chat.thread.said).id, emoji: pick(EMOJI), on: true }]);
    else if (what < 0.72 && chat.canWrite) {
      const { text } = chat.notes.page;
      const block = new Y.XmlElement('paragraph');
      const line = `${device.person.name} ${at}`;
      block.insert(0, [new Y.XmlText(line)]);
      text.insert(Math.floor(random() * (text.length + 1)), [block]);
      notes.push({ line, at: time.now });
    } else if (chat.canWrite) {
      const text = `${device.person.name} ${at}`;
      await chat.write([{ is: 'say', text }]);
      const id = chat.thread.said.find((one) => one.text === text)!.id;
      said.push({ id, at: time.now, isForAll: since !== null && time.now - since >= SETTLED_MS && device.online });
    }
    await time.pass(Math.floor(random() * 3000));
  }
  const all = [...founders, ...late.keys()];
  for (const device of all) {
    device.connect();
    meeting.join(device);
    await time.pass(SETTLED_MS);
  }
  await time.pass(60_000);

  const viewOf = ({ chat }: Device, ids: ReadonlySet<string>) =>
    chat.thread.said
      .filter(({ id }) => ids.has(id))
      .map(({ id, text, edited, reactions }) => [
        id,
        text,
        edited,
        [...reactions].map(([sign, by]) => [sign, [...by]]),
      ]);
  const idsOf = ({ chat }: Device): Set<string> => new Set(chat.thread.said.map(({ id }) => id));
  const whole = new Set(said.map(({ id }) => id));
  for (const one of founders) {
    expect([...idsOf(one)].sort(), `seed ${seed}: ${one.person.name} has all`).toEqual([...whole].sort());
    expect(viewOf(one, whole), `seed ${seed}: one conversation`).toEqual(viewOf(founders[0]!, whole));
  }
  for (const one of founders) {
    expect(linesOf(one), `seed ${seed}: one page of notes`).toEqual(linesOf(founders[0]!));
    expect(linesOf(one).sort(), `seed ${seed}: all that was noted`).toEqual(notes.map(({ line }) => line).sort());
  }
  const counts = { seen: 0, unseen: 0 };
  for (const [one, came] of late) {
    const ids = idsOf(one);
    const name = `seed ${seed}: ${one.person.name}`;
    const reach = newcomers.see === 'hours' ? newcomers.hours : 0;
    const earliest = newcomers.see === 'hours' ? (Math.floor(came / HOUR) - reach) * HOUR : came;
    expect(
      said.filter(({ id, at }) => at < earliest && ids.has(id)),
      `${name} has nothing from before`,
    ).toEqual([]);
    expect(
      said.filter(({ id, at, isForAll }) => isForAll && at >= came + SETTLED_MS && !ids.has(id)),
      `${name} misses nothing that was said to it`,
    ).toEqual([]);
    expect(viewOf(one, ids), `${name}: the same of what it has`).toEqual(viewOf(founders[0]!, ids));
    const noted = new Set(linesOf(one));
    expect(linesOf(one), `${name}: the same notes, as far as it has them`).toEqual(
      linesOf(founders[0]!).filter((line) => noted.has(line)),
    );
    expect(
      notes.filter(({ line, at }) => at < earliest - NOTED_MS && noted.has(line)),
      `${name} has no notes from before`,
    ).toEqual([]);
    counts.seen += ids.size;
    counts.unseen += whole.size - ids.size;
  }
  expect(
    all.flatMap(({ chat }) => chat.alarms),
    `seed ${seed}: nothing to complain of`,
  ).toEqual([]);
  for (const device of all) device.kill();
  return counts;
}

test.each<Newcomers>([{ see: 'nothing' }, { see: 'hours', hours: 1 }])(
  'newcomers see %o: all who were there have one conversation, and who came later what is theirs of it',
  async (newcomers) => {
    const counts = { seen: 0, unseen: 0 };
    for (let seed = 1; seed <= RUNS; seed++) {
      const { seen, unseen } = await walk(seed, newcomers);
      counts.seen += seen;
      counts.unseen += unseen;
    }
    expect(counts.seen, 'newcomers see something').toBeGreaterThan(RUNS);
    expect(counts.unseen, 'and something is kept from them').toBeGreaterThan(RUNS / 4);
  },
  process.env['PARLEY_SOAK'] ? 1_800_000 : 60_000,
);
