/** Messages that members leave out of a snapshot while those who have them are away, and deletions that look like it. */
import { describe, expect, test } from 'vitest';
import { base64url } from '../../../crypto/bytes.ts';
import { packEntries } from '../../../crypto/chatBlock.ts';
import { deriveChatKey, newRingSecret } from '../../../crypto/chatKey.ts';
import { random } from '../../../crypto/primitives.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { packSnapshot } from '../../../client/e2ee/chat/snapshot.ts';
import type { ChatSnapshot } from '../../../signal/protocol/chat.ts';
import { Device, Log, MEETING, opened, plant, Time, together } from './world.ts';

const SILENT = { added: () => undefined, removed: () => undefined, updated: () => undefined };
const say = (text: string) => ({ is: 'say', text }) as const;
const MINUTES = 60_000;
const DAY = 24 * 60 * MINUTES;

type Outline = ReturnType<ChatDocument['outline']>;

/** Confirmed past all checks by another connection of theirs. */
async function plantConfirmed(
  log: Log,
  [by, again]: readonly [Device, Device],
  outline: Outline,
): Promise<ChatSnapshot> {
  const { id } = await plant(log, by, outline);
  return log.confirm(id, again)!;
}

/** With nothing in it but a section under a key of their own invention. */
async function plantHidden(log: Log, [by, again]: readonly [Device, Device]): Promise<ChatSnapshot> {
  const { id } = await plant(log, by, await nothing());
  const key = await deriveChatKey({ secret: newRingSecret(), generation: 0, closed: null }, MEETING);
  const { ring, generation } = by.keys;
  const { snapshot } = log.offered!;
  const packed = await packSnapshot(ring.openOf(generation)!.key, MEETING, {
    covers: snapshot.covers,
    keys: await by.keys.told(),
    sections: [{ key, lists: [], block: packEntries([]) }],
    unread: [],
  });
  log.parts.set(id, packed!.parts);
  log.offered!.snapshot = { ...snapshot, hash: packed!.hash, parts: packed!.parts.length };
  return log.confirm(id, again)!;
}

/** What the log comes to, as a document, in an outline that leaves out some. */
async function outlineOf(log: Log, by: Device, isLeftOut: (text: string) => boolean): Promise<Outline> {
  const document = new ChatDocument(SILENT);
  const { updates } = await by.keeper.peek({ items: log.items });
  document.apply(
    updates.flatMap((update) => update ?? []),
    null,
  );
  const whole = document.outline();
  const { verdicts } = await by.keeper.read({ entries: whole.entries.map(({ bytes }) => bytes) });
  const entries = whole.entries.filter((_, i) => {
    const verdict = verdicts[i]!;
    return verdict.is !== 'read' || !isLeftOut(verdict.entry.body ?? '');
  });
  return { ...whole, entries };
}

const nothing = async (): Promise<Outline> => new ChatDocument(SILENT).outline();

describe('one who confirms their own snapshot while others are away', () => {
  /** Ada and Ben have written, Ada goes; Mal, with two connections, makes and confirms what `made` gives. */
  async function away(made: (log: Log, mal: Device) => Promise<Outline>, planted = plantConfirmed) {
    const { log, time, devices, device } = await together(['Ada', 'Ben', 'Mal', 'Mal again']);
    const [ada, ben, mal, again] = devices as [Device, Device, Device, Device];
    await ada.chat.write([say('Mal owes me ten')]);
    await ben.chat.write([say('me too')]);
    await time.pass(3000);
    for (const one of [ada, ben]) one.disconnect();
    await mal.chat.write([say('hello')]);
    await time.pass(3000);
    await planted(log, [mal, again], await made(log, mal));
    for (const one of [mal, again]) one.kill();
    return { log, time, ada, ben, device };
  }
  const all = ['Mal owes me ten', 'me too', 'hello'];

  test.each<[string, (log: Log, mal: Device) => Promise<Outline>, string[]]>([
    ['with nothing in it', nothing, all.slice(0, 2)],
    ['with a hole where another’s message was', (log, mal) => outlineOf(log, mal, (text) => text.includes('ten')), all],
    ['without the end of a list', (log, mal) => outlineOf(log, mal, (text) => text.includes('me too')), all],
  ])('%s, drops nothing without a word', async (_what, made, expected) => {
    const { time, ada, device } = await away(made);
    ada.connect();
    await time.pass(2 * MINUTES);
    const late = await device('Eve');
    late.connect();
    await time.pass(MINUTES);
    expect(ada.alarms).toEqual(['dropped']);
    expect(late.texts.sort()).toEqual(expected.sort());
    expect(late.alarms).toEqual([]);
  });

  test('is found out by the one who comes first, and what each has is put back once', async () => {
    const { log, time, ada, ben, device } = await away(nothing);
    const before = log.items.length;
    for (const one of [ada, ben]) one.connect();
    await time.pass(5 * MINUTES);
    for (const one of [ada, ben]) expect(one.alarms).toEqual(['dropped']);
    // The ring, what one puts back, and what the other has besides.
    expect(log.items.length - before).toBeLessThanOrEqual(4);
    const late = await device('Eve');
    late.connect();
    await time.pass(MINUTES);
    expect(late.texts.sort()).toEqual(['Mal owes me ten', 'me too']);
    // Another snapshot, of the two of them, has taken its place: nobody complains a second time.
    const again = await device('Fay');
    for (const one of [ada, ben]) {
      await one.chat.settled();
      one.kill();
      await one.start();
      one.connect();
    }
    again.connect();
    await time.pass(5 * MINUTES);
    for (const one of [ada, ben, again]) expect(one.alarms).toEqual([]);
    expect(again.texts.sort()).toEqual(['Mal owes me ten', 'me too']);
  });

  test('hides nothing under a key that nobody has, where newcomers have always seen everything', async () => {
    const { time, ada, ben, device } = await away(nothing, plantHidden);
    for (const one of [ada, ben]) one.connect();
    await time.pass(5 * MINUTES);
    for (const one of [ada, ben]) expect(one.alarms).toEqual(['dropped']);
    const late = await device('Eve');
    late.connect();
    await time.pass(MINUTES);
    expect([late.texts.sort(), late.alarms]).toEqual([['Mal owes me ten', 'me too'], []]);
    // And another snapshot takes its place.
    await time.pass(10 * MINUTES);
    const again = await device('Fay');
    again.connect();
    await time.pass(5 * MINUTES);
    expect([again.texts.sort(), again.alarms]).toEqual([['Mal owes me ten', 'me too'], []]);
  });

  test('is found out though something in the log opens for nobody', async () => {
    const { time, ada } = await away((log) => {
      log.append('j'.repeat(22), junk());
      return nothing();
    });
    ada.connect();
    await time.pass(2 * MINUTES);
    expect(ada.alarms).toEqual(['dropped']);
  });

  test('is found out though the server says that older things were deleted by age', async () => {
    const { log, time, ada } = await away(nothing);
    log.deleted = 1;
    ada.connect();
    await time.pass(2 * MINUTES);
    expect(ada.alarms).toEqual(['dropped']);
  });

  test('and whose server says that all of it was deleted, has that said', async () => {
    const { log, time, ada } = await away(nothing);
    log.deleted = log.base;
    ada.connect();
    await time.pass(2 * MINUTES);
    expect(ada.alarms).toEqual(['deleted']);
    expect(ada.texts).toContain('Mal owes me ten');
  });
});

describe('what is honestly gone', () => {
  /** Two go on for long enough to make a snapshot; Ada, who was away, comes back. */
  async function comesBack(act: (given: { time: Time; log: Log; ben: Device; cy: Device }) => Promise<void>) {
    const { log, time, devices } = await together(['Ada', 'Ben', 'Cy'], 8);
    const [ada, ben, cy] = devices as [Device, Device, Device];
    await ada.chat.write([say('of Ada')]);
    await ben.chat.write([say('of Ben')]);
    await time.pass(3000);
    ada.disconnect();
    await ada.chat.write([say('written offline')]);
    await act({ time, log, ben, cy });
    for (let i = 0; i < 12; i++) {
      await cy.chat.write([say(`more ${i}`)]);
      await time.pass(50);
    }
    await time.pass(2 * MINUTES);
    expect(log.snapshot).not.toBeNull();
    ada.connect();
    await time.pass(2 * MINUTES);
    return { log, ada, ben, cy };
  }

  test('is no complaint where an author has erased it meanwhile, and it stays gone', async () => {
    const { ada, cy } = await comesBack(async ({ time, ben }) => {
      await ben.chat.erase(ben.chat.thread.said.find(({ text }) => text === 'of Ben')!.id);
      await time.pass(MINUTES);
    });
    for (const one of [ada, cy]) expect([one.alarms, one.texts.includes('of Ben')]).toEqual([[], false]);
    expect(cy.texts).toContain('written offline');
  });

  test('is no complaint where it is older than the server keeps it, and nobody brings it back', async () => {
    const { log, ada, cy } = await comesBack(async ({ time, log }) => {
      time.now += 31 * DAY;
      log.clear();
      log.tellCleared();
    });
    expect([ada.alarms, cy.alarms]).toEqual([[], []]);
    const { document } = (await opened(cy, log.parts.get(log.snapshot!.id)!, log.snapshot!))!;
    const { verdicts } = await cy.keeper.read({ entries: document.entries });
    const texts = verdicts.flatMap((one) => (one.is === 'read' ? [one.entry.body] : []));
    expect(texts.some((text) => text?.includes('more 11'))).toBe(true);
    expect(texts.some((text) => text?.includes('of Ben'))).toBe(false);
  });

  test('is no complaint where a host has deleted it, and said plainly', async () => {
    const { ada, ben, cy } = await comesBack(({ log }) => log.hostClears());
    for (const one of [ada, ben, cy]) expect([one.alarms, one.chat.isCleared]).toEqual([[], true]);
    expect(cy.texts).toContain('written offline');
  });
});

const junk = () => base64url(new Uint8Array([1, ...random(200)]));
