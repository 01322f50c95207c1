/** What a log holds that others had to fill, and what is erased from it. */
import { expect, test } from 'vitest';
import { fromBase64url, type Bytes } from '../../../crypto/bytes.ts';
import { Device, Log, person, Time, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;

/** Changes that the log still gives to whoever has the keys. */
async function changesIn(log: Log, by: Device): Promise<Bytes[]> {
  const { updates, large } = await by.keeper.peek({ items: log.items });
  return [...updates.flatMap((update) => update ?? []), ...large.map(({ update }) => update)];
}

const holds = (updates: Bytes[], entry: Bytes): boolean =>
  updates.some((one) => Buffer.from(one).includes(Buffer.from(entry)));

/** Bytes of the first entry that somebody wrote, as they left the worker. */
async function firstEntry(of: Device, text: string): Promise<Bytes> {
  const write = of.keeper.write.bind(of.keeper);
  const seen: Bytes[] = [];
  of.keeper.write = async (params) => {
    const result = await write(params);
    seen.push(...result.written.map(({ bytes }) => bytes));
    return result;
  };
  await of.chat.write([say(text)]);
  return seen.at(-1)!;
}

test('a log that was rolled back is filled once, not once by each', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben', 'Cy', 'Di']);
  for (let i = 0; i < 20; i++) {
    await devices[i % 4]!.chat.write([say(`message ${i}`)]);
    await time.pass(1000);
  }
  const size = () => log.items.reduce((sum, { body }) => sum + fromBase64url(body).length, 0);
  const whole = size();
  for (const one of devices) one.disconnect();
  log.rollBack(4);
  const left = size();
  for (const one of devices) one.connect();
  await time.pass(60_000);
  expect(devices.every(({ alarms }) => alarms.includes('rolledBack'))).toBe(true);
  expect(size() - left).toBeLessThan(1.3 * (whole - left));
  const late = await (await meetingOf(log, time, devices[0]!)).start();
  late.connect();
  await time.pass(20_000);
  expect(late.texts).toHaveLength(20);
});

async function meetingOf(log: Log, time: Time, like: Device): Promise<Device> {
  return new Device({ person: await person('Eve'), log, time, access: like.access, random: () => 0.5 });
}

test('what its author erases leaves the log, whoever gave it to the log', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben']);
  const [ada, ben] = devices as [Device, Device];
  const entry = await firstEntry(ada, 'better not');
  await time.pass(3000);
  for (const one of devices) one.disconnect();
  log.rollBack(0);
  ben.connect();
  await time.pass(30_000);
  ada.connect();
  await time.pass(30_000);
  expect(holds(await changesIn(log, ben), entry)).toBe(true);
  await ada.chat.erase(ada.chat.thread.said[0]!.id);
  await time.pass(60_000);
  expect(holds(await changesIn(log, ben), entry)).toBe(false);
  expect([ada.texts, ben.texts]).toEqual([['(gone)'], ['(gone)']]);
});

test('what lay in a change of several items leaves the log, and what lay beside it stays', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben']);
  const [ada, ben] = devices as [Device, Device];
  ada.disconnect();
  const entry = await firstEntry(ada, 'better not');
  for (let i = 0; i < 20; i++) await ada.chat.write([say(`${i} ${'long '.repeat(1500)}`)]);
  ada.connect();
  await time.pass(30_000);
  expect(log.items.length).toBeGreaterThan(3);
  expect(holds(await changesIn(log, ben), entry)).toBe(true);
  await ada.chat.erase(ada.chat.thread.said[0]!.id);
  await time.pass(60_000);
  expect(holds(await changesIn(log, ben), entry)).toBe(false);
  const late = await (await meetingOf(log, time, ada)).start();
  late.connect();
  await time.pass(30_000);
  expect(late.texts).toEqual(ada.texts);
  expect(late.texts).toHaveLength(21);
  expect(late.alarms).toEqual([]);
});
