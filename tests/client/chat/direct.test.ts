/** When the direct way is open, between whom, and what comes of what it brings. The way itself is a fake; the real one is tried by browsers. */
import { beforeEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import type { DirectWay, DirectWayTerms } from '../../../client/chat/providers/direct.ts';
import { accessOf, Device, Log, person, Time, type Person } from './world.ts';
import { random } from '../../../crypto/primitives.ts';

let log: Log;
let time: Time;
let ada: Person;
let ben: Person;
let air: FakeWay[];

/** Connects whoever has the same room and password, at once. */
class FakeWay implements DirectWay {
  readonly terms: DirectWayTerms;
  readonly state = 'online';
  readonly ended = Promise.resolve();
  tickets: string[];
  isPaused = false;
  isOpen = true;

  constructor(terms: DirectWayTerms) {
    this.terms = terms;
    this.tickets = [terms.ticket];
    air.push(this);
    terms.doc.on('update', this.#updated);
    for (const other of this.others) {
      Y.applyUpdate(terms.doc, Y.encodeStateAsUpdate(other.terms.doc), this);
      Y.applyUpdate(other.terms.doc, Y.encodeStateAsUpdate(terms.doc), other);
    }
  }

  get others(): FakeWay[] {
    const { room, password } = this.terms;
    return air.filter((one) => one !== this && one.terms.room === room && one.terms.password === password);
  }

  readonly #updated = (update: Uint8Array) => {
    for (const other of this.others) Y.applyUpdate(other.terms.doc, update, other);
  };
  changed(): void {}
  keeps(): boolean {
    return false;
  }
  whisper(): void {}
  setIceServers(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(ticket: string): void {
    this.isPaused = false;
    this.tickets.push(ticket);
  }
  close(): void {
    this.isOpen = false;
    air = air.filter((one) => one !== this);
    this.terms.doc.off('update', this.#updated);
  }
}

beforeEach(async () => {
  log = new Log();
  time = new Time();
  air = [];
  [ada, ben] = [await person('Ada'), await person('Ben')];
});

const say = (text: string) => ({ is: 'say', text }) as const;
const settle = (): Promise<void> => time.pass(20_000);
const access = accessOf();

async function device(who: Person, given = access): Promise<Device> {
  const openDirect = async (terms: DirectWayTerms) => new FakeWay(terms);
  return new Device({ person: who, log, time, access: given, random: () => 0.5, openDirect }).start();
}

/** Two who have written, in a meeting that goes from person to person. */
async function twoInMesh(): Promise<[Device, Device]> {
  const [a, b] = [await device(ada), await device(ben)];
  for (const one of [a, b]) {
    one.connect();
    one.chat.allowDirect([]);
  }
  await a.chat.write([say('first')]);
  await settle();
  return [a, b];
}

describe('the direct way', () => {
  test('opens once there is a key, and carries what the server withholds and does not take', async () => {
    const [a, b] = await twoInMesh();
    expect(air).toHaveLength(2);
    b.deaf = true;
    a.mute = true;
    await a.chat.write([say('past the server')]);
    await time.pass(10);
    expect(b.texts).toEqual(['first', 'past the server']);
    expect(b.alarms).toEqual([]);
  });

  test('leaves the log to its author; if the author is gone, whoever heard it adds it, once', async () => {
    const [a, b] = await twoInMesh();
    await a.chat.write([say('taken')]);
    await settle();
    const { length } = log.items;
    await settle();
    expect(log.items).toHaveLength(length);
    a.mute = true;
    await a.chat.write([say('never taken')]);
    await time.pass(10);
    a.kill();
    await settle();
    expect(log.items.length).toBeGreaterThan(length);
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(late.texts).toEqual(['first', 'taken', 'never taken']);
    expect(b.texts).toEqual(late.texts);
  });

  test('is not there before the sealed way was up once, nor before there is a key', async () => {
    const a = await device(ada);
    a.chat.allowDirect([]);
    await a.chat.write([say('alone')]);
    await settle();
    expect(air).toEqual([]);
    a.connect();
    await settle();
    expect(air).toHaveLength(1);
    const quiet = await device(ben, accessOf(1));
    quiet.connect();
    quiet.chat.allowDirect([]);
    await settle();
    expect(air).toHaveLength(1);
  });

  test('ends at once when the meeting goes by a relay, and comes again with the mesh: nothing is lost, nothing doubled', async () => {
    const [a, b] = await twoInMesh();
    const texts = ['first'];
    for (let i = 0; i < 6; i++) {
      const isMesh = i % 2 === 1;
      for (const one of [a, b]) one.chat.allowDirect(isMesh ? [] : null);
      if (!isMesh) expect(air).toEqual([]);
      for (const [who, one] of [a, b].entries()) {
        texts.push(`${who} ${i}`);
        await one.chat.write([say(`${who} ${i}`)]);
        await time.pass(i * 7);
      }
    }
    await settle();
    expect(air).toHaveLength(2);
    expect(a.texts.toSorted()).toEqual(texts.toSorted());
    expect(b.texts).toEqual(a.texts);
  });

  test('is another with another link: whoever was removed has no part in it, and hears nothing', async () => {
    const [a, b] = await twoInMesh();
    const eve = await device(await person('Eve'));
    eve.connect();
    eve.chat.allowDirect([]);
    await settle();
    const [{ terms: before }] = air as [FakeWay];
    expect(air).toHaveLength(3);
    const renewed = accessOf(1, random(32));
    for (const one of [a, b]) {
      one.access = renewed;
      one.chat.renewed();
    }
    // Eve's browser keeps its end open.
    expect(air).toHaveLength(1);
    await a.chat.write([say('without Eve')]);
    await settle();
    expect(air).toHaveLength(3);
    expect(air.filter(({ terms }) => terms.room === before.room)).toHaveLength(1);
    expect(new Set(air.map(({ terms }) => terms.password)).size).toBe(2);
    expect(b.texts).toEqual(['first', 'without Eve']);
    expect(eve.texts).toEqual(['first']);
  });

  test('stays while the server is away, and gets a new ticket when it is back', async () => {
    const [a, b] = await twoInMesh();
    a.disconnect();
    b.disconnect();
    expect(air.map(({ isPaused }) => isPaused)).toEqual([true, true]);
    await a.chat.write([say('without a server')]);
    await time.pass(10);
    expect(b.texts).toEqual(['first', 'without a server']);
    a.connect();
    b.connect();
    await settle();
    expect(air.map(({ isPaused, tickets }) => [isPaused, tickets.length])).toEqual([
      [false, 2],
      [false, 2],
    ]);
    expect(log.items.length).toBeGreaterThan(1);
  });

  test('gets another ticket before its own expires', async () => {
    await twoInMesh();
    await time.pass(12 * 3_600_000);
    expect(air.map(({ tickets }) => tickets.length)).toEqual([2, 2]);
  });

  test('ends with the chat', async () => {
    const [a] = await twoInMesh();
    a.kill();
    await settle();
    expect(air).toHaveLength(1);
  });
});
