/** Items that open for nobody, or for nobody yet: what they cost, and that none is lost. */
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { base64url, concat, type Bytes } from '../../../crypto/bytes.ts';
import { sealItem } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { newRingSecret } from '../../../crypto/chatKey.ts';
import { Writer } from '../../../crypto/codec.ts';
import { random } from '../../../crypto/primitives.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { Device, MEETING, together, type Log, type Time } from './world.ts';

const SILENT = { added: () => undefined, removed: () => undefined, updated: () => undefined };
const say = (text: string) => ({ is: 'say', text }) as const;
const MINUTE = 60_000;

function give(log: Log, item: Bytes): void {
  const appended = log.append(base64url(random(16)), base64url(item));
  for (const one of log.open) one.pushed({ type: 'items', items: [appended] });
}

const u32 = (value: number) => new Writer().u32(value).done();
/** A change that builds upon what nobody has. */
function groundless(): Bytes {
  const doc = new Y.Doc();
  doc.getArray(`e${doc.clientID}`).push([random(100)]);
  const before = Y.encodeStateVector(doc);
  doc.getArray(`e${doc.clientID}`).push([random(100)]);
  return Y.encodeStateAsUpdate(doc, before) as Bytes;
}
/** An entry under a key that nobody has, in a list that is as it should be. */
function ofNobody(): Bytes {
  const document = new ChatDocument(SILENT);
  document.add([new Uint8Array([1, ...random(300)])]);
  return document.changes();
}

const nobodys: [string, (key: ChatKey) => Bytes | Promise<Bytes>, string[]][] = [
  ['a change under a key that nobody has', () => new Uint8Array([1, ...random(200)]), []],
  ['the keys of a link that will never be', () => concat(Uint8Array.of(2), u32(999), random(100)), []],
  ['a part that no other follows', (key) => sealItem(key, MEETING, 'part', concat(random(8), u32(3), random(50))), []],
  ['a change that builds upon what nobody has', (key) => sealItem(key, MEETING, 'update', groundless()), ['gap']],
  ['an entry under a key that nobody has', (key) => sealItem(key, MEETING, 'update', ofNobody()), []],
];

describe.each(nobodys)('%s', (_what, make, alarms) => {
  test('keeps nobody from making snapshots, or from reading them', async () => {
    const { log, time, devices, device } = await together(['Ada', 'Ben'], 8);
    await devices[0]!.chat.write([say('first')]);
    await time.pass(5000);
    give(log, await make(devices[0]!.keys.current!));
    for (let i = 0; i < 20; i++) {
      await devices[i % 2]!.chat.write([say(`message ${i}`)]);
      await time.pass(50);
    }
    await time.pass(2 * MINUTE);
    expect(log.snapshot).not.toBeNull();
    const [first] = [log.snapshot!.id];
    const late = await device('Eve');
    late.connect();
    await time.pass(MINUTE);
    expect(late.texts).toEqual(devices[0]!.texts);
    expect(late.texts).toHaveLength(21);
    for (let i = 0; i < 20; i++) await late.chat.write([say(`more ${i}`)]);
    await time.pass(3 * MINUTE);
    expect(log.snapshot!.id).not.toBe(first);
    expect([...devices, late].map((one) => one.alarms)).toEqual([alarms, alarms, late.alarms]);
    for (const one of late.alarms) expect(alarms).toContain(one);
  });

  test('is read once: each visit begins where the last one ended', async () => {
    const { log, time, devices } = await together(['Ada']);
    const [ada] = devices as [Device];
    await ada.chat.write([say('one')]);
    await time.pass(5000);
    give(log, await make(ada.keys.current!));
    const junk = log.head.seq;
    // What may be going on is waited for, within limits.
    for (let i = 0; i < 1100; i++) log.append(base64url(random(16)), base64url(Uint8Array.of(2)));
    ada.disconnect();
    ada.connect();
    await time.pass(5000);
    ada.kill();
    const asked = ada.wire.length;
    await ada.start();
    ada.connect();
    await time.pass(5000);
    const opened = ada.wire.slice(asked).filter((text) => text.startsWith('{"after":'));
    expect(opened[0]).toBe(`{"after":${log.head.seq}}`);
    expect(log.head.seq).toBeGreaterThan(junk);
  });
});

describe('what waits for a key', () => {
  /** Ada holds a key that Ben and Cy lack, and says something under it. */
  async function begun(snapshotAfter?: number) {
    const { log, time, devices, device } = await together(['Ada', 'Ben', 'Cy'], snapshotAfter);
    const [ada] = devices as [Device];
    await ada.chat.write([say('for all')]);
    await time.pass(3000);
    const secret = { secret: newRingSecret(), generation: 0, closed: { begun: 0, reach: 0 } };
    const hold = (one: Device) => one.keys.ring.add(secret, { heard: 0, place: 1, told: false, from: null });
    const { name } = (await hold(ada))!;
    await ada.keys.keep();
    const given = { at: time.now, bodies: [JSON.stringify(say('for few'))], to: null, card: '{"is":"card"}' };
    const { written } = await ada.keeper.write(given);
    const document = new ChatDocument(SILENT);
    document.add(written.map(({ bytes }) => bytes));
    give(log, await sealItem(ada.keys.ring.get(name)!.key, MEETING, 'update', document.changes()));
    await time.pass(5000);
    return { log, time, devices, device, hold };
  }
  const again = async (one: Device, time: Time) => {
    await one.chat.settled();
    one.kill();
    await one.start();
    one.connect();
    await time.pass(10_000);
  };

  test('is read when that comes, in the same visit or in another', async () => {
    const { log, time, devices, hold } = await begun();
    const [ada, ben, cy] = devices as [Device, Device, Device];
    expect([ada.texts, ben.texts]).toEqual([['for all', 'for few'], ['for all']]);
    await again(cy, time);
    const asked = cy.wire.length;
    await again(cy, time);
    expect(cy.wire.slice(asked).find((text) => text.startsWith('{"after":'))).toBe(`{"after":${log.head.seq}}`);
    for (const one of [ben, cy]) {
      await hold(one);
      one.chat.keysMoved();
    }
    await time.pass(10_000);
    for (const one of devices) expect([one.texts, one.alarms]).toEqual([['for all', 'for few'], []]);
  });

  test('is read when that came between two visits', async () => {
    const { time, devices, hold } = await begun();
    const cy = devices[2]!;
    await again(cy, time);
    await hold(cy);
    await cy.keys.keep();
    await again(cy, time);
    expect(cy.texts).toEqual(['for all', 'for few']);
  });

  test('goes along in snapshots of those who lack it, and those who get it read it there', async () => {
    const { log, time, devices, device, hold } = await begun(8);
    const [ada, ben, cy] = devices as [Device, Device, Device];
    ada.kill();
    for (let i = 0; i < 24; i++) {
      await [ben, cy][i % 2]!.chat.write([say(`message ${i}`)]);
      await time.pass(5000);
    }
    await time.pass(3 * MINUTE);
    expect(log.base).toBeGreaterThan(10);
    const late = await device('Eve');
    await hold(late);
    late.connect();
    await time.pass(MINUTE);
    expect([late.texts.includes('for few'), late.texts.length, late.alarms]).toEqual([true, 26, []]);
    // Of those who come without it, too, once they have it.
    const last = await device('Fay');
    last.connect();
    await time.pass(MINUTE);
    await again(last, time);
    expect(last.texts).not.toContain('for few');
    await hold(last);
    last.chat.keysMoved();
    await time.pass(MINUTE);
    expect([last.texts.includes('for few'), last.alarms]).toEqual([true, []]);
    await ada.start();
    ada.connect();
    await time.pass(2 * MINUTE);
    for (const one of [ada, ben, cy, late]) expect(one.alarms).toEqual([]);
  });

  test('is not left out by one who makes a snapshot and says that it has all', async () => {
    const { log, time, devices } = await begun(1_000_000);
    const [, ben, cy] = devices as [Device, Device, Device];
    const covers = log.head;
    const document = new ChatDocument(SILENT);
    const { updates } = await ben.keeper.peek({ items: log.items });
    document.apply(
      updates.flatMap((update) => update ?? []),
      null,
    );
    const { packed } = await ben.keeper.pack({ covers, unread: [], ...document.outline() });
    const { id, hash, parts } = packed!;
    const snapshot = { id, covers, parts: parts.length, hash, confirmed: false };
    log.parts.set(id, parts);
    log.offered = { snapshot, by: ben, isWhole: true };
    devices[0]!.disconnect();
    cy.pushed({ type: 'snapshot', snapshot });
    await time.pass(2 * MINUTE);
    expect(log.snapshot).toBeNull();
  });
});
