/** What a host deletes is gone without a complaint; what a server deletes on its own is said aloud, and given back. */
import { describe, expect, test } from 'vitest';
import { ChatDocument } from '../../../client/chat/document.ts';
import { signKeyPair } from '../../../crypto/primitives.ts';
import type { HostState } from '../../../signal/protocol/documents.ts';
import { type Device, HOST, type Log, plant, signState, type Time, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;
const MINUTES = 60_000;
const DAY = 24 * 60 * MINUTES;

/** Ada and Ben have written three each, and both know of it. */
async function talked(more: readonly string[] = [], snapshotAfter?: number) {
  const { log, time, devices, device } = await together(['Ada', 'Ben', ...more], snapshotAfter);
  const [ada, ben] = devices as [Device, Device];
  for (let i = 0; i < 3; i++) {
    await ada.chat.write([say(`Ada ${i}`)]);
    await ben.chat.write([say(`Ben ${i}`)]);
    await time.pass(1000);
  }
  await time.pass(3000);
  return { log, time, ada, ben, devices, device };
}
const all = ['Ada 0', 'Ada 1', 'Ada 2', 'Ben 0', 'Ben 1', 'Ben 2'];

/** What somebody reads who has nothing but link and password. */
async function newcomerReads(device: (name: string) => Promise<Device>, time: Time): Promise<string[]> {
  const late = await device('Eve');
  late.connect();
  await time.pass(MINUTES);
  expect(late.alarms).toEqual([]);
  const { texts } = late;
  late.kill();
  return texts.sort();
}

async function again(one: Device): Promise<void> {
  await one.chat.settled();
  one.kill();
  await one.start();
  one.connect();
}

describe('what a host deletes', () => {
  test('is gone for newcomers, stays with those who have it, and is said quietly, whether they were there or away', async () => {
    const { log, time, ada, ben, device } = await talked();
    ben.disconnect();
    await log.hostClears();
    await time.pass(MINUTES);
    expect([ada.alarms, ada.chat.isCleared]).toEqual([[], true]);
    expect(await newcomerReads(device, time)).toEqual([]);
    await ada.chat.write([say('after')]);
    ben.connect();
    await time.pass(MINUTES);
    expect([ben.alarms, ben.chat.isCleared]).toEqual([[], true]);
    // Nor at the next visit, when it is no news any more.
    for (const one of [ada, ben]) {
      await again(one);
      await time.pass(MINUTES);
      expect([one.alarms, one.chat.isCleared]).toEqual([[], false]);
      expect(one.texts.sort()).toEqual([...all.slice(0, 3), ...all.slice(3), 'after'].sort());
    }
    expect(await newcomerReads(device, time)).toEqual(['after']);
  });

  test('is no news to who was not there, and no complaint on another device of theirs', async () => {
    const { log, time, ben, device } = await talked();
    await log.hostClears();
    await ben.chat.write([say('after')]);
    await time.pass(MINUTES);
    const late = await device('Eve');
    late.connect();
    await time.pass(MINUTES);
    expect([late.texts, late.alarms, late.chat.isCleared]).toEqual([['after'], [], false]);
  });

  test('may be heard from members before the server obeys', async () => {
    const { log, time, ada, ben } = await talked();
    await log.decide({ cleared: log.head });
    for (const one of [ada, ben]) {
      await one.states.accept(log.state!);
      one.chat.termsMoved();
    }
    await time.pass(MINUTES);
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    for (const one of [ada, ben]) expect([one.alarms, one.chat.isCleared]).toEqual([[], true]);
    // The keys alone are told once more, to whoever comes.
    expect(log.items.length - log.base).toBe(1);
  });

  test('stops where the host saw the log end: what others wrote in that moment stays, and is still watched over', async () => {
    const { log, time, ada, ben, device } = await talked(['Cy']);
    const seen = log.head;
    await ada.chat.write([say('just then')]);
    await time.pass(3000);
    ben.disconnect();
    await log.decide({ cleared: seen });
    log.clear(seen.seq);
    log.tellCleared();
    await time.pass(MINUTES);
    ben.connect();
    await time.pass(MINUTES);
    for (const one of [ada, ben]) expect([one.alarms, one.chat.isCleared]).toEqual([[], true]);
    expect(await newcomerReads(device, time)).toEqual(['just then']);
    // The server takes that as well, under the same word.
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    expect(ada.alarms).toEqual(['deleted']);
    expect(await newcomerReads(device, time)).toEqual(['just then']);
  });

  test('is kept out of a snapshot that the server could not cut it out of', async () => {
    const { log, time, ada, ben, device } = await talked(['Cy']);
    const seen = log.head;
    await ada.chat.write([say('just then')]);
    await time.pass(3000);
    const { id } = await plant(log, ada, await outlineOf(ada, log));
    const snapshot = log.confirm(id, ben)!;
    for (const one of log.open) one.pushed({ type: 'snapshot', snapshot });
    await log.decide({ cleared: seen });
    for (const one of log.open) {
      await one.states.accept(log.state!);
      one.chat.termsMoved();
    }
    await time.pass(5 * MINUTES);
    for (const one of [ada, ben]) expect(one.alarms).toEqual([]);
    expect(log.snapshot!.id).not.toBe(id);
    expect(await newcomerReads(device, time)).toEqual(['just then']);
  });
});

describe('what terms delete', () => {
  test.each([
    ['shorter ones', { chat: { newcomers: { see: 'all' }, keepDays: 1 } }],
    ['shorter ones, which are long again by now', { expired: true }],
  ] as const)('by %s, is quiet, and nobody brings it back', async (_what, changes) => {
    const { log, time, ada, ben, device } = await talked();
    ben.disconnect();
    time.now += 5 * DAY;
    await ada.chat.write([say('young')]);
    await time.pass(3000);
    const decided: Partial<HostState> = 'expired' in changes ? { expired: time.now - 2 * DAY } : (changes as never);
    await log.decide(decided);
    log.clear(log.items.length - 1);
    log.tellCleared();
    await time.pass(MINUTES);
    ben.connect();
    await time.pass(MINUTES);
    for (const one of [ada, ben]) expect([one.alarms, one.chat.isCleared]).toEqual([[], false]);
    expect(await newcomerReads(device, time)).toEqual(['young']);
  });

  test('by age, is quiet, and nobody brings it back', async () => {
    const { log, time, ada, ben, device } = await talked();
    time.now += 31 * DAY;
    await ada.chat.write([say('young')]);
    await time.pass(3000);
    log.clear(log.items.length - 1);
    log.tellCleared();
    await time.pass(MINUTES);
    for (const one of [ada, ben]) expect(one.alarms).toEqual([]);
    expect(await newcomerReads(device, time)).toEqual(['young']);
  });

  test('is all, when everybody has left, and quiet', async () => {
    const { log, time, ada } = await talked();
    await log.decide({ chat: { newcomers: { see: 'all' }, keepDays: 0 } });
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    expect(ada.alarms).toEqual([]);
  });
});

describe('a server that deletes on its own', () => {
  type Forge = (given: { log: Log; ada: Device; ben: Device; time: Time }) => Promise<void>;
  const cleared = (log: Log) => ({ ...log.decided, version: log.decided.version + 1, cleared: log.head });

  test.each<[string, Forge, string[]]>([
    ['shows no word of a host', async () => undefined, ['deleted']],
    [
      'shows a word that it has signed itself',
      async ({ log }) => void (log.state = await signState(cleared(log), await signKeyPair())),
      ['deleted', 'forged'],
    ],
    [
      'shows a host’s word with another number in it',
      async ({ log }) => {
        const { body, signature } = await signState({ ...cleared(log), cleared: { ...log.head, seq: 1 } });
        log.state = { body: body.replace('"seq":1', `"seq":${log.head.seq}`), signature };
      },
      ['deleted', 'forged'],
    ],
    [
      'shows this host’s word about another meeting',
      async ({ log }) => void (log.state = await signState(cleared(log), HOST, 'zzzz-zzzz-zzzz-zzzz')),
      ['deleted', 'forged'],
    ],
    [
      'shows a word about a log that is not this one',
      async ({ log }) => {
        const { cleared: upTo, ...rest } = cleared(log);
        log.state = await signState({ ...rest, cleared: { ...upTo, hash: log.hashes[0]! } });
      },
      ['deleted'],
    ],
    ['shows a word about something else', async ({ log }) => log.decide({ locked: true }), ['deleted']],
    [
      'shows a word about less',
      async ({ log }) => log.decide({ cleared: { seq: 2, hash: log.hashes[2]! } }),
      ['deleted'],
    ],
    [
      'says that an older word of other terms is good',
      async ({ log, time }) => {
        time.now += 5 * DAY;
        await log.decide({ chat: { newcomers: { see: 'all' }, keepDays: 1 } });
        const older = log.state!;
        await log.decide({ chat: { newcomers: { see: 'all' }, keepDays: 30 } });
        for (const one of log.open) await one.states.accept(log.state!);
        // Whoever has heard the newer one is not taken back.
        log.state = older;
      },
      ['deleted'],
    ],
  ])('and %s, is found out by who was there, or who comes back, and it is given back', async (_what, forge, alarms) => {
    for (const isThere of [true, false]) {
      const { log, time, ada, ben, device } = await talked();
      await forge({ log, time, ada, ben });
      const isLess = log.state !== null && log.state.body.includes('"seq":2');
      (isThere ? ben : ada).kill();
      const one = isThere ? ada : ben;
      if (!isThere) one.disconnect();
      log.clear();
      log.tellCleared();
      if (!isThere) one.connect();
      await time.pass(MINUTES);
      expect(one.alarms.sort()).toEqual(alarms);
      expect(one.chat.isCleared).toBe(isLess);
      const late = await device('Eve');
      late.connect();
      await time.pass(MINUTES);
      // What the host did delete stays gone.
      if (isLess) expect(late.texts).toEqual(expect.not.arrayContaining(['Ada 0']));
      expect(late.texts.sort()).toEqual(all.filter((text) => !isLess || text !== 'Ada 0'));
      late.kill();
      // Once said, and once given back: nobody does so at each visit.
      const { length } = log.items;
      await again(one);
      await time.pass(5 * MINUTES);
      expect(one.alarms).not.toContain('deleted');
      expect(log.items.length - length).toBeLessThanOrEqual(1);
    }
  });

  test('and uses an older word for what came later, is found out', async () => {
    const { log, time, ada, ben, device } = await talked();
    await log.hostClears();
    await time.pass(MINUTES);
    await ada.chat.write([say('later')]);
    await ben.chat.write([say('later still')]);
    await time.pass(3000);
    ben.disconnect();
    log.clear();
    log.tellCleared();
    await time.pass(MINUTES);
    ben.connect();
    await time.pass(MINUTES);
    expect([ada.alarms, ben.alarms]).toEqual([['deleted'], []]);
    expect(await newcomerReads(device, time)).toEqual(['later', 'later still']);
  });

  test.each([true, false])('in part, ahead of time, is found out, by who was there (%s)', async (isThere) => {
    const { log, time, ada, ben, device } = await talked();
    time.now += 10 * DAY;
    ben.disconnect();
    if (!isThere) ada.kill();
    log.clear(4);
    log.tellCleared();
    await time.pass(MINUTES);
    ben.connect();
    await time.pass(MINUTES);
    expect([ada.alarms, ben.alarms]).toEqual([isThere ? ['deleted'] : [], isThere ? [] : ['deleted']]);
    expect(await newcomerReads(device, time)).toEqual(all);
  });

  test('and began another log before, cannot use a word about the former one', async () => {
    const { log, time, ada, ben, device } = await talked();
    await log.hostClears();
    await time.pass(MINUTES);
    for (const one of [ada, ben]) one.disconnect();
    // Nothing of it is left, and somebody comes who has never seen it.
    log.items = [];
    log.hashes.length = 1;
    log.clear();
    const cy = await device('Cy');
    cy.connect();
    await cy.chat.write([say('in the other log')]);
    await time.pass(MINUTES);
    // A host has seen more of it.
    expect(cy.alarms).toEqual(['rolledBack']);
    for (let i = 0; i < 12; i++) {
      await cy.chat.write([say(`more ${i}`)]);
      await time.pass(100);
    }
    const { seq } = JSON.parse(log.state!.body).cleared;
    expect(log.items.length).toBeGreaterThan(seq);
    log.clear(seq);
    log.tellCleared();
    await time.pass(MINUTES);
    expect([cy.alarms, cy.chat.isCleared]).toEqual([['rolledBack', 'deleted'], false]);
    expect(await newcomerReads(device, time)).toContain('in the other log');
  });
});

/** What the log comes to, as a document. */
async function outlineOf(by: Device, log: Log) {
  const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
  const { updates } = await by.keeper.peek({ items: log.items });
  document.apply(
    updates.flatMap((update) => update ?? []),
    null,
  );
  return document.outline();
}
