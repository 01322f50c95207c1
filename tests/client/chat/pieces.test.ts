/** A large change goes bit by bit: it comes to the same, and what has arrived does not go again. */
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { piecesOf } from '../../../client/chat/pieces.ts';
import { numbers } from '../../crypto/seeded.ts';
import { together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;
const MOST = 4000;

/** Several clients' lists, of which some is gone again. */
function randomDocument(seed: number): Y.Doc {
  const random = numbers(seed);
  const doc = new Y.Doc();
  for (let client = 1; client <= 4; client++) {
    doc.clientID = client * 1000;
    const list = doc.getArray<Uint8Array>(`e${doc.clientID}`);
    for (let i = 0; i < 40; i++) {
      list.push([new Uint8Array(Math.floor(random() * 600)).fill(i)]);
      if (random() < 0.2) list.delete(Math.floor(random() * list.length));
    }
  }
  return doc;
}

test('pieces come to the same as the whole, each after the other, and none is larger than it may be', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const doc = randomDocument(seed);
    const known = new Y.Doc();
    const first = piecesOf(Y.encodeStateAsUpdate(doc) as Uint8Array<ArrayBuffer>, MOST).slice(0, seed % 4);
    for (const piece of first) Y.applyUpdate(known, piece);
    // The whole, and what somebody lacks who has some of it.
    for (const vector of [undefined, Y.encodeStateVector(known)]) {
      const update = Y.encodeStateAsUpdate(doc, vector) as Uint8Array<ArrayBuffer>;
      const pieces = piecesOf(update, MOST);
      expect(pieces.length, String(seed)).toBeGreaterThan(3);
      const reader = new Y.Doc();
      if (vector !== undefined) Y.applyUpdate(reader, Y.encodeStateAsUpdate(known));
      for (const [i, piece] of pieces.entries()) {
        // What is removed comes with the last, and takes a little room there.
        expect(piece.length).toBeLessThan(i + 1 === pieces.length ? MOST + 2000 : MOST + 200);
        Y.applyUpdate(reader, piece);
        expect(reader.store.pendingStructs).toBeNull();
      }
      expect(Y.encodeStateAsUpdate(reader)).toEqual(Y.encodeStateAsUpdate(doc));
    }
  }
});

test('what is small, or one thing that is large, stays whole', () => {
  const doc = new Y.Doc();
  doc.getArray('e').push([new Uint8Array(10_000)]);
  const update = Y.encodeStateAsUpdate(doc) as Uint8Array<ArrayBuffer>;
  expect(piecesOf(update, 20_000)).toEqual([update]);
  const [only, ...others] = piecesOf(update, 100);
  expect(others).toEqual([]);
  expect(only).toEqual(update);
});

test('what was written in a long time without a network is given to the log bit by bit, goes on after a break where it was, and comes once', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben']);
  const [ada, ben] = devices;
  ada!.disconnect();
  const texts = Array.from({ length: 60 }, (_, i) => `${i} ${'語'.repeat(7900)}`);
  for (let i = 0; i < texts.length; i += 20) await ada!.chat.write(texts.slice(i, i + 20).map(say));
  const sealed: number[] = [];
  const seal = ada!.keeper.seal.bind(ada!.keeper);
  ada!.keeper.seal = (given) => {
    sealed.push(given.update.length);
    // In the middle of the way the network goes.
    if (sealed.length === 3) ada!.disconnect();
    return seal(given);
  };
  ada!.connect();
  await time.pass(20_000);
  const there = log.items.length;
  expect(there).toBeGreaterThan(3);
  ada!.connect();
  await time.pass(30_000);
  expect(ben!.texts).toEqual(texts);
  // Some 24 kB each: 1.4 MB, in pieces that any server takes, and hardly anything twice.
  expect(Math.max(...sealed)).toBeLessThan(300_000);
  expect(sealed.reduce((sum, size) => sum + size, 0)).toBeLessThan(60 * 24_000 + 3 * 300_000);
});
