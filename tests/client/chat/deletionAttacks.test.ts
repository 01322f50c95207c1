/** Deletions of the chat's log beside the direct way, by a server that plays with a host's word, and again and again. */
import { expect, test } from 'vitest';
import { Air } from './air.ts';
import { accessOf, Device, Log, person, Time, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;
const MINUTES = 60_000;
const DAY = 24 * 60 * MINUTES;

/** They write to each other by the log, and directly. */
async function direct(names: readonly string[]) {
  const [log, time, access] = [new Log(), new Time(), accessOf()];
  const air = new Air(time, () => 0.5);
  const device = async (name: string) =>
    new Device({ person: await person(name), log, time, access, random: () => 0.5, openDirect: air.open }).start();
  const devices = await Promise.all(names.map(device));
  for (const one of devices) one.connect();
  await time.pass(5000);
  for (const one of devices) one.chat.allowDirect([]);
  await time.pass(5000);
  await talk(devices, time);
  await time.pass(30_000);
  return { log, time, devices, device };
}

async function talk(devices: readonly Device[], time: Time): Promise<void> {
  for (let i = 0; i < 3; i++) {
    for (const one of devices.slice(0, 2)) await one.chat.write([say(`${one.person.name} ${i}`)]);
    await time.pass(5000);
  }
}

async function talked() {
  const { log, time, devices, device } = await together(['Ada', 'Ben']);
  await talk(devices, time);
  return { log, time, ada: devices[0]!, ben: devices[1]!, device };
}

async function newcomerReads(device: (name: string) => Promise<Device>, time: Time): Promise<string[]> {
  const late = await device('Fay');
  late.connect();
  await time.pass(MINUTES);
  expect(late.alarms).toEqual([]);
  return late.texts.sort();
}

test('what came directly while the log was cut, and is in it after that, is watched over like all else', async () => {
  const { log, time, devices, device } = await direct(['Ada', 'Ben', 'Cy']);
  const [ada, ben, cy] = devices as [Device, Device, Device];
  const seen = log.head;
  for (const one of [ada, cy]) one.disconnect();
  await ben.chat.write([say('just then')]);
  await time.pass(4000);
  expect(ada.texts).toContain('just then');
  await log.decide({ cleared: seen });
  log.clear(seen.seq);
  log.tellCleared();
  await time.pass(1000);
  for (const one of [ada, cy]) one.connect();
  await time.pass(MINUTES);
  for (const one of devices) expect(one.alarms).toEqual([]);
  ben.kill();
  log.clear();
  log.tellCleared();
  await time.pass(MINUTES);
  for (const one of [ada, cy]) expect(one.alarms).toEqual(['deleted']);
  expect(await newcomerReads(device, time)).toEqual(['just then']);
});

test('what came directly and is not in the log yet when old things go is no deletion of the server’s, and is given to the log', async () => {
  const { log, time, devices, device } = await direct(['Ada', 'Ben']);
  const [ada, ben] = devices as [Device, Device];
  time.now += 31 * DAY;
  const old = log.items.length;
  await ada.chat.write([say('young')]);
  await time.pass(10_000);
  ben.mute = true;
  await ben.chat.write([say('direct')]);
  await time.pass(3000);
  expect(ada.texts).toContain('direct');
  log.clear(old);
  log.tellCleared();
  await time.pass(MINUTES);
  for (const one of devices) expect(one.alarms).toEqual([]);
  ben.kill();
  expect(await newcomerReads(device, time)).toEqual(['direct', 'young']);
});

test('who comes to a meeting soon after a host has cleared its chat brings nothing back that others give them directly', async () => {
  const { log, time, devices, device } = await direct(['Ada', 'Ben']);
  await log.hostClears();
  await time.pass(MINUTES);
  const late = await device('Eve');
  late.connect();
  await time.pass(3000);
  late.chat.allowDirect([]);
  await time.pass(2 * MINUTES);
  for (const one of [...devices, late]) {
    expect(one.alarms).toEqual([]);
    one.kill();
  }
  expect(await newcomerReads(device, time)).toEqual([]);
});

test('a host’s word that comes before what it is about is followed once that is there', async () => {
  const { log, time, ada, ben, device } = await talked();
  ben.disconnect();
  for (const text of ['more', 'still more']) await ada.chat.write([say(text)]);
  await time.pass(3000);
  await log.decide({ cleared: log.head });
  // For now the server shows less of the log.
  const { items } = log;
  log.items = items.slice(0, -1);
  ben.connect();
  await time.pass(100);
  log.items = items;
  for (const one of log.open) one.pushed({ type: 'items', items: items.slice(-1) });
  await time.pass(100);
  log.clear();
  log.tellCleared();
  await time.pass(5 * MINUTES);
  for (const one of [ada, ben]) expect([one.alarms, one.chat.isCleared]).toEqual([[], true]);
  expect(await newcomerReads(device, time)).toEqual([]);
});

test('a log that is shorter than a host has seen it is found out even by who was never there', async () => {
  const { log, time, ada, ben, device } = await talked();
  await log.decide({ cleared: log.head });
  for (const one of [ada, ben]) one.disconnect();
  log.items = [];
  log.hashes.length = 1;
  const late = await device('Eve');
  late.connect();
  await time.pass(MINUTES);
  expect(late.alarms).toEqual(['rolledBack']);
});

test('what a server deletes again and again is given back once each time, not twice as often as before', async () => {
  const { log, time, ada, ben } = await talked();
  ben.kill();
  const given: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = ada.wire.join('').length;
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    given.push(ada.wire.join('').length - before);
  }
  expect(given[4]! / given[0]!).toBeLessThan(1.5);
});

test('what was written and cleared while one was away is no gap in what its author wrote', async () => {
  const { log, time, ada, ben } = await talked();
  ben.disconnect();
  await ada.chat.write([say('cleared')]);
  await time.pass(MINUTES);
  await log.hostClears();
  await ada.chat.write([say('after')]);
  await time.pass(3 * DAY);
  ben.connect();
  await time.pass(5 * MINUTES);
  for (const one of [ada, ben]) expect(one.alarms).toEqual([]);
  expect(ben.texts).toContain('after');
});

test('a message dated far ahead makes no honest server guilty', async () => {
  const { log, time, ada, ben } = await talked();
  const { now } = time;
  time.now += 400 * DAY;
  await ben.chat.write([say('from the future')]);
  await time.pass(1000);
  time.now = now;
  ben.kill();
  for (let i = 0; i < 3; i++) {
    time.now += 31 * DAY;
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    expect(ada.alarms).toEqual([]);
    // The keys alone.
    expect(log.items.length - log.base).toBe(1);
  }
});

test.each([100, 600])('a word that is said %i messages late deletes little of what came after it', async (count) => {
  const { log, time, ada, device } = await talked();
  const seen = log.head;
  for (let i = 0; i < count; i++) {
    await ada.chat.write([say(`later ${i}`)]);
    await time.pass(500);
  }
  await log.decide({ cleared: seen });
  log.clear(seen.seq + count / 2);
  log.tellCleared();
  await time.pass(MINUTES);
  expect(ada.alarms).toEqual(['deleted']);
  // Of what lies further back fewer are told apart.
  expect((await newcomerReads(device, time)).length).toBeGreaterThan(count - count / 8);
});
