/** What a member with a changed program can do to others' changes of the document. */
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { base64url } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';
import { Device, Log, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;

const takings: [string, (doc: Y.Doc) => void][] = [
  ['something that is no entry of a list', (doc) => void doc.getMap('nothing').set('a', 1)],
  ['bytes in a list of their own', (doc) => mine(doc).push([new Uint8Array(200)])],
  ['something that is gone again', (doc) => (mine(doc).push([new Uint8Array(9)]), taken(doc))],
];

/** The list that goes with the number. */
const mine = (doc: Y.Doc) => doc.getArray(`e${doc.clientID}`);

/** Takes out what was put in last. */
function taken(doc: Y.Doc): void {
  mine(doc).delete(mine(doc).length - 1);
}

/** What an honest browser never makes: the next change of Ada's browser, by somebody else, seen by all but her. */
async function takePlace(log: Log, { by, from, act }: { by: Device; from: Device; act: (doc: Y.Doc) => void }) {
  const { updates } = await by.keeper.peek({ items: log.items });
  const doc = new Y.Doc();
  for (const update of updates) if (update !== null) Y.applyUpdate(doc, update);
  const before = Y.encodeStateVector(doc);
  const [[client, clock]] = [...Y.decodeStateVector(before)] as [[number, number]];
  doc.clientID = client;
  act(doc);
  expect(Y.getState(doc.store, client)).toBe(clock + 1);
  from.deaf = true;
  const { items } = await by.keeper.seal({ update: Y.encodeStateAsUpdate(doc, before) as Uint8Array<ArrayBuffer> });
  for (const { body, erase } of items) {
    const item = log.append('x'.repeat(22), body, erase);
    for (const one of log.open) one.pushed({ type: 'items', items: [item] });
  }
}

describe('who takes the next number of another browser with', () => {
  test.each(takings)('%s drops nothing of what that one writes', async (_what, act) => {
    const { log, time, devices, device } = await together(['Ada', 'Ben', 'Mal']);
    const [ada, ben, mal] = devices as [Device, Device, Device];
    await ada.chat.write([say('first')]);
    await time.pass(3000);
    await takePlace(log, { by: mal, from: ada, act });
    await time.pass(3000);
    ada.deaf = false;
    await ada.chat.write([say('and what I said then')]);
    await time.pass(30_000);
    await ada.chat.write([say('and later')]);
    await time.pass(60_000);
    const all = ['first', 'and what I said then', 'and later'];
    expect(ben.texts).toEqual(all);
    expect(ada.texts).toEqual(all);
    // It is given to the log by somebody, once, under a number that nobody has taken.
    const length = log.items.length;
    for (const one of devices) one.kill();
    const late = await device('Eve');
    late.connect();
    await time.pass(60_000);
    expect(late.texts).toEqual(all);
    expect(late.chat.thread.said.every(({ id }) => late.chat.isKept(id))).toBe(true);
    expect(log.items.length).toBeLessThan(length + 3);
  });

  test('a number, and is alone with the log until a newcomer comes, drops nothing either', async () => {
    const { log, time, devices, device } = await together(['Ada', 'Mal']);
    const [ada, mal] = devices as [Device, Device];
    await ada.chat.write([say('first')]);
    await time.pass(3000);
    await takePlace(log, { by: mal, from: ada, act: takings[1]![1] });
    mal.kill();
    await ada.chat.write([say('and what I said then')]);
    await time.pass(3000);
    ada.kill();
    const late = await device('Eve');
    late.connect();
    await time.pass(20_000);
    expect(late.texts).toEqual(['first', 'and what I said then']);
  });
});

test('what an author has erased is not found again by who hears of it late', async () => {
  const { time, devices, device } = await together(['Ada', 'Ben']);
  const [ada, ben] = devices as [Device, Device];
  await ada.chat.write([say('never mind')]);
  await time.pass(3000);
  ben.disconnect();
  await ada.chat.erase(ada.chat.thread.said[0]!.id);
  await time.pass(3000);
  ada.kill();
  ben.connect();
  await time.pass(20_000);
  const late = await device('Eve');
  late.connect();
  await time.pass(20_000);
  expect([ben.texts, late.texts]).toEqual([['(gone)'], ['(gone)']]);
});

test('one who takes everything out of the document again and again does not fill the log with copies of it', async () => {
  const { log, time, devices, device } = await together(['Ada', 'Ben', 'Mal']);
  const [ada, ben, mal] = devices as [Device, Device, Device];
  for (let i = 0; i < 10; i++) await ada.chat.write([say(`message ${i}`)]);
  await time.pass(5000);
  const size = () => log.items.reduce((sum, { body }) => sum + body!.length, 0);
  const before = size();
  for (let round = 0; round < 5; round++) {
    const { updates } = await mal.keeper.peek({ items: log.items });
    const doc = new Y.Doc();
    for (const update of updates) if (update !== null) Y.applyUpdate(doc, update);
    const vector = Y.encodeStateVector(doc);
    for (const name of [...doc.share.keys()]) doc.getArray(name).delete(0, doc.getArray(name).length);
    const { items } = await mal.keeper.seal({ update: Y.encodeStateAsUpdate(doc, vector) as Uint8Array<ArrayBuffer> });
    for (const { body, erase } of items) {
      const item = log.append(base64url(random(16)), body, erase);
      for (const one of [ada, ben]) one.pushed({ type: 'items', items: [item] });
    }
    await time.pass(30_000);
  }
  for (const one of devices) one.kill();
  const late = await device('Eve');
  late.connect();
  await time.pass(20_000);
  expect([ada, ben, late].map(({ texts }) => texts.length)).toEqual([10, 10, 10]);
  expect(size()).toBeLessThan(2 * before);
});
