/**
 * Random walks: people write, edit, erase and react while devices come and go, answers are lost, tabs are killed, snapshots take the log's
 * place, and changes also go from browser to browser, late, in another order and some of them twice. Whatever the order, all end with the same
 * conversation: that which was written.
 */
import { afterAll, expect, test } from 'vitest';
import { numbers } from '../../crypto/seeded.ts';
import { Air } from './air.ts';
import { accessOf, Device, Log, person, Time, type Person } from './world.ts';

/** Of a test, which has a minute: also on a machine that is busy elsewhere. */
const CHUNK = 100;
export const EMOJI = ['👍', '🎂', '😀'];

let cast: ReturnType<typeof gather> | undefined;

async function gather(): Promise<{ everybody: Person[]; newcomer: Person }> {
  const everybody = await Promise.all(['Ada', 'Ben', 'Cy', 'Dee', 'Eve', 'Fay', 'Gus', 'Hal'].map(person));
  return { everybody, newcomer: await person('Ivy') };
}

/** Walks of these seeds, so many to a test. */
export function walks(first: number, count: number): void {
  let [snapshots, carried] = [0, 0];
  afterAll(() => {
    expect(snapshots, 'many walks have a snapshot').toBeGreaterThan(count / 8);
    expect(carried, 'much comes from browser to browser').toBeGreaterThan(count);
  });
  test.each(Array.from({ length: count / CHUNK }, (_, i) => [first + i * CHUNK, first + (i + 1) * CHUNK - 1]))(
    'walks %i to %i end with the same conversation for all',
    async (from, to) => {
      for (let seed = from; seed <= to; seed++) {
        const came = await walk(seed);
        snapshots += came.hasSnapshot ? 1 : 0;
        carried += came.carried;
      }
    },
    process.env['PARLEY_SOAK'] ? 1_800_000 : 60_000,
  );
}

/** What a message has to come to. */
interface Expected {
  text: string;
  edited: boolean;
  erased: boolean;
  /** By emoji and whose it is. */
  readonly reactions: Set<string>;
}

/** @returns whether it came to a snapshot, and how many changes came directly @throws with the seed where one sees another conversation than the rest, or misses something */
async function walk(seed: number): Promise<{ hasSnapshot: boolean; carried: number }> {
  const { everybody, newcomer } = await (cast ??= gather());
  const random = numbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const [log, time, access] = [new Log(), new Time(), accessOf()];
  // More often few than many.
  const count = 2 + Math.floor(random() ** 3 * 7);
  const devices: Device[] = [];
  const snapshotAfter = pick([3, 6, 1000, 1000]);
  const air = new Air(time, random);
  const isMesh = random() < 0.5;
  for (let i = 0; i < count; i++) {
    const device = new Device({
      person: everybody[i]!,
      log,
      time,
      access,
      random,
      snapshotAfter,
      openDirect: air.open,
    });
    device.pageSize = pick([1, 3, 1000]);
    device.losesAnswers = pick([0, 0, 0.3]);
    devices.push(await device.start());
    if (isMesh) device.chat.allowDirect([]);
  }
  const expected = new Map<string, Expected>();
  let written = 0;
  for (let at = 0; at < 10; at++) {
    const device = pick(devices);
    const { chat } = device;
    const own = chat.thread.said.filter(({ author, erased }) => author === chat.self && !erased);
    const all = chat.thread.said;
    const what = random();
    if (what < 0.25) device.connect();
    else if (what < 0.35) device.disconnect();
    else if (what < 0.42) {
      // What a tab shows is on its disk; what is under way there may be lost, and then nobody has seen it.
      if (random() < 0.5) await chat.settled();
      device.kill();
      await device.start();
      if (isMesh) device.chat.allowDirect([]);
    } else if (what < 0.5 && own.length > 0) {
      const [of, text] = [pick(own).id, `edit ${at}`];
      Object.assign(expected.get(of)!, { text, edited: true });
      await chat.write([{ is: 'edit', of, text }]);
    } else if (what < 0.58 && own.length > 0) {
      const of = pick(own).id;
      Object.assign(expected.get(of)!, { text: '', edited: false, erased: true });
      await chat.erase(of);
    } else if (what < 0.68 && all.length > 0) {
      const [of, emoji, on] = [pick(all).id, pick(EMOJI), random() < 0.7];
      expected.get(of)!.reactions[on ? 'add' : 'delete'](`${emoji} ${chat.self}`);
      await chat.write([{ is: 'react', of, emoji, on }]);
    } else {
      written += 1;
      const text = `${device.person.name} ${written}`;
      await chat.write([{ is: 'say', text }]);
      const { id } = chat.thread.said.find((one) => one.text === text)!;
      expected.set(id, { text, edited: false, erased: false, reactions: new Set() });
    }
    await time.pass(Math.floor(random() * 500));
  }
  for (const device of devices) device.losesAnswers = 0;
  for (const device of devices) device.connect();
  // A snapshot of the last moment is made, looked at and confirmed within this.
  await time.pass(snapshotAfter === 1000 ? 20_000 : 40_000);
  if (log.snapshot !== null) {
    const late = new Device({ person: newcomer, log, time, access, random });
    devices.push(await late.start());
    late.connect();
    await time.pass(10_000);
  }
  const views = devices.map(({ chat }) =>
    JSON.stringify(chat.thread.said.map(({ id, text, edited, reactions }) => [id, text, edited, [...reactions]])),
  );
  expect(new Set(views).size, `seed ${seed}: one conversation`).toBe(1);
  const said = devices[0]!.chat.thread.said.map(({ id, text, edited, erased, reactions }) => {
    const signs = [...reactions].flatMap(([emoji, by]) => by.map((one) => `${emoji} ${one}`));
    return [id, { text, edited, erased, reactions: new Set(signs) }] as const;
  });
  expect(said, `seed ${seed}: nothing lost or doubled`).toHaveLength(written);
  for (const one of expected.values()) if (one.erased) one.reactions.clear();
  expect(new Map(said), `seed ${seed}: what was written last`).toEqual(expected);
  expect(
    devices.flatMap(({ chat }) => chat.alarms),
    `seed ${seed}: nothing to complain of`,
  ).toEqual([]);
  for (const { chat } of devices) {
    expect(
      chat.thread.said.every(({ id }) => chat.isKept(id)),
      `seed ${seed}: all is kept`,
    ).toBe(true);
    chat.close();
  }
  return { hasSnapshot: log.snapshot !== null, carried: air.carried };
}
