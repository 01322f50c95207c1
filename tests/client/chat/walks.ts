/**
 * Random walks: people write, edit, erase and react while devices come and go, answers are lost, tabs are killed and snapshots take the log's
 * place. Whatever the order, all end with the same conversation.
 */
import { afterAll, expect, test } from 'vitest';
import { numbers } from '../../crypto/seeded.ts';
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
  let snapshots = 0;
  afterAll(() => expect(snapshots, 'many walks have a snapshot').toBeGreaterThan(count / 8));
  test.each(Array.from({ length: count / CHUNK }, (_, i) => [first + i * CHUNK, first + (i + 1) * CHUNK - 1]))(
    'walks %i to %i end with the same conversation for all',
    async (from, to) => {
      for (let seed = from; seed <= to; seed++) if (await walk(seed)) snapshots += 1;
    },
    process.env['PARLEY_SOAK'] ? 1_800_000 : 60_000,
  );
}

/** @returns whether it came to a snapshot @throws with the seed where one sees another conversation than the rest, or misses something */
async function walk(seed: number): Promise<boolean> {
  const { everybody, newcomer } = await (cast ??= gather());
  const random = numbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const [log, time, access] = [new Log(), new Time(), accessOf()];
  // More often few than many.
  const count = 2 + Math.floor(random() ** 3 * 7);
  const devices: Device[] = [];
  const snapshotAfter = pick([3, 6, 1000, 1000]);
  for (let i = 0; i < count; i++) {
    const device = new Device({ person: everybody[i]!, log, time, access, random, snapshotAfter });
    device.pageSize = pick([1, 3, 1000]);
    device.losesAnswers = pick([0, 0, 0.3]);
    devices.push(await device.start());
  }
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
    } else if (what < 0.5 && own.length > 0) await chat.write([{ is: 'edit', of: pick(own).id, text: `edit ${seed}` }]);
    else if (what < 0.58 && own.length > 0) await chat.erase(pick(own).id);
    else if (what < 0.68 && all.length > 0) {
      await chat.write([{ is: 'react', of: pick(all).id, emoji: pick(EMOJI), on: random() < 0.7 }]);
    } else {
      written += 1;
      await chat.write([{ is: 'say', text: `${device.person.name} ${written}` }]);
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
  expect(devices[0]!.chat.thread.said, `seed ${seed}: nothing lost or doubled`).toHaveLength(written);
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
  return log.snapshot !== null;
}
