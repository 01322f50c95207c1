/** One conversation on several devices: written together, apart, through reloads, and past a server that is not honest. */
import { beforeEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { accessOf, Device, Log, MEETING, person, Time, type Person } from './world.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { Presenter } from '../../../client/chat/present.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { base64url, equal, fromBase64url, utf8 } from '../../../crypto/bytes.ts';
import { NO_PREVIOUS, sealEntry } from '../../../crypto/chatEntry.ts';
import { itemHead, ringItem, wrappedRing } from '../../../crypto/chatItem.ts';
import { deriveChatKey, openRing, sealRing } from '../../../crypto/chatKey.ts';
import { random } from '../../../crypto/primitives.ts';
import type { ChatItem } from '../../../signal/protocol/chat.ts';

let log: Log;
let time: Time;
let ada: Person;
let ben: Person;
let access: ReturnType<typeof accessOf>;

beforeEach(async () => {
  log = new Log();
  time = new Time();
  access = accessOf();
  [ada, ben] = [await person('Ada'), await person('Ben')];
});

const device = (who: Person, more: Partial<ConstructorParameters<typeof Device>[0]> = {}): Promise<Device> =>
  new Device({ person: who, log, time, access, random: () => 0.5, ...more }).start();

const say = (text: string, reply?: string) => ({ is: 'say', text, ...(reply ? { reply } : {}) }) as const;

/** Passes the time until everybody has what everybody else has, or much longer than that takes. */
const settle = (): Promise<void> => time.pass(20_000);

/** Every entry that these changes hold. */
function entriesIn(updates: readonly (Uint8Array<ArrayBuffer> | null)[]): Uint8Array<ArrayBuffer>[] {
  const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
  for (const update of updates) if (update !== null) document.apply([update], null);
  return document.entries;
}

describe('two who are there', () => {
  test('read each other, by name, in the same order', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await settle();
    await a.chat.write([say('hello')]);
    await settle();
    await b.chat.write([say('hello yourself', a.chat.thread.said[0]!.id)]);
    await settle();
    expect(a.texts).toEqual(['hello', 'hello yourself']);
    expect(b.texts).toEqual(a.texts);
    expect(b.chat.thread.nameOf(a.chat.self)).toBe('Ada');
    expect(a.chat.thread.said[1]!.reply).toBe(a.chat.thread.said[0]!.id);
  });

  test('see what is waiting, and what is kept by the server', async () => {
    const a = await device(ada);
    await a.chat.write([say('written alone')]);
    const { id } = a.chat.thread.said[0]!;
    expect(a.chat.isKept(id)).toBe(false);
    a.connect();
    await settle();
    expect(a.chat.isKept(id)).toBe(true);
  });

  test('edit and erase what is theirs, and nothing else', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('one'), say('two')]);
    await settle();
    const [one, two] = b.chat.thread.said.map(({ id }) => id) as [string, string];
    await b.chat.write([
      { is: 'edit', of: one, text: 'forged' },
      { is: 'erase', of: two },
    ]);
    await b.chat.erase(two);
    await settle();
    expect(a.texts).toEqual(['one', 'two']);
    await a.chat.write([{ is: 'edit', of: one, text: 'uno' }]);
    await a.chat.erase(two);
    await settle();
    expect(a.texts).toEqual(['uno', '(gone)']);
    expect(b.texts).toEqual(a.texts);
    expect(b.alarms).toEqual([]);
    // Whoever comes now never gets what was erased, and sees the same: it has left the log, with its place kept.
    const { updates } = await a.keeper.peek({ items: log.items });
    const before = log.items.filter(({ replaced }) => replaced);
    expect(before).toHaveLength(1);
    expect(updates.filter((update) => update !== null).length).toBeGreaterThanOrEqual(3);
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(late.texts).toEqual(a.texts);
  });

  test('delete what was changed: neighbours in one item of the log leave a hole of their size, and nothing behind them moves', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    await a.chat.write([say('canary')]);
    await a.chat.write([{ is: 'edit', of: a.chat.thread.said[0]!.id, text: 'canary, better' }]);
    await a.chat.write([say('after')]);
    for (const one of [a, b]) one.connect();
    await settle();
    await a.chat.erase(a.chat.thread.said[0]!.id);
    await settle();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    for (const one of [a, b, late]) expect([one.texts, one.alarms]).toEqual([['(gone)', 'after'], []]);
    const { updates } = await late.keeper.peek({ items: log.items });
    const { verdicts } = await late.keeper.read({ entries: entriesIn(updates) });
    expect(JSON.stringify(verdicts)).toContain('after');
    expect(JSON.stringify(verdicts)).not.toContain('canary');
  });

  test('react, take it back, and react again', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('cake?')]);
    await settle();
    const { id } = b.chat.thread.said[0]!;
    const reactions = () => [...a.chat.thread.said[0]!.reactions].map(([emoji, who]) => [emoji, who.length]);
    for (const on of [true, false, true]) await b.chat.write([{ is: 'react', of: id, emoji: '🎂', on }]);
    await a.chat.write([{ is: 'react', of: id, emoji: '🎂', on: true }]);
    await settle();
    expect(reactions()).toEqual([['🎂', 2]]);
  });

  test('are shown typing, here, and how far they have read', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('read me')]);
    await settle();
    b.chat.markSeen(b.chat.thread.said[0]!.id);
    b.chat.presence.type();
    await time.pass(100);
    expect(a.chat.presence.typing).toEqual([b.chat.self]);
    expect(a.chat.reading.readersOf(a.chat.thread.said[0]!.id)).toEqual([b.chat.self]);
    expect(a.chat.presence.here).toContain(b.chat.self);
    await time.pass(10_000);
    expect(a.chat.presence.typing).toEqual([]);
  });

  test('are called as they say before they have written, and then as they signed it', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    const shown = new Presenter(a.chat);
    a.connect();
    b.connect();
    await a.chat.write([say('who is there?')]);
    await settle();
    b.chat.presence.type();
    await time.pass(100);
    expect(a.chat.thread.nameOf(b.chat.self)).toBeNull();
    expect(shown.person(b.chat.self).name).toBe('Ben');
    expect(shown.person(a.chat.self).name).toBe('Ada');
    await b.chat.write([{ ...say('I am'), name: 'Benjamin' }]);
    await settle();
    expect(shown.person(b.chat.self).name).toBe(a.chat.thread.nameOf(b.chat.self));
    // Of somebody who never said it there is none to mention.
    expect(shown.person('somebody else').name).toBe('');
  });
});

describe('apart', () => {
  test('what two wrote while each was offline comes together once, in one order', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('before')]);
    await settle();
    a.disconnect();
    b.disconnect();
    await a.chat.write([say('a1'), say('a2')]);
    time.now += 1000;
    await b.chat.write([say('b1')]);
    await b.chat.write([{ is: 'edit', of: b.chat.thread.said.at(-1)!.id, text: 'b1, better' }]);
    await a.chat.erase(a.chat.thread.said.find(({ text }) => text === 'before')!.id);
    b.connect();
    a.connect();
    await settle();
    expect(a.texts).toEqual(['(gone)', 'a1', 'a2', 'b1, better']);
    expect(b.texts).toEqual(a.texts);
  });

  test('a reload loses nothing that was written offline', async () => {
    const a = await device(ada);
    await a.chat.write([say('kept'), say('on disk')]);
    await a.chat.settled();
    a.kill();
    const again = await device(ada, { store: a.store });
    expect(again.texts).toEqual(['kept', 'on disk']);
    const b = await device(ben);
    again.connect();
    b.connect();
    await settle();
    expect(b.texts).toEqual(['kept', 'on disk']);
    expect(b.alarms).toEqual([]);
  });

  test('a page that ends between signing and placing an entry finds it again', async () => {
    const a = await device(ada);
    await a.chat.write([say('first')]);
    await a.chat.settled();
    // Signed and counted, and then the tab was gone.
    await a.keeper.write({ at: time.now, bodies: [JSON.stringify(say('signed only'))], to: null, card: '{}' });
    a.kill();
    const again = await device(ada, { store: a.store });
    await again.chat.settled();
    expect(again.texts).toEqual(['first', 'signed only']);
    await again.chat.write([say('after')]);
    const b = await device(ben);
    again.connect();
    b.connect();
    await settle();
    await time.pass(20_000);
    expect(b.texts).toEqual(['first', 'signed only', 'after']);
    expect(b.alarms).toEqual([]);
  });

  test('what another page has deleted from this browser is kept anew, whole, by one that has it open', async () => {
    const store = memoryChatStore();
    const a = await device(ada, { store });
    a.connect();
    await a.chat.write([say('first')]);
    await settle();
    await store.forget(MEETING);
    await a.chat.write([say('second')]);
    await settle();
    await a.chat.write([say('third')]);
    await settle();
    a.kill();
    const again = await device(ada, { store });
    expect(again.texts).toEqual(['first', 'second', 'third']);
  });

  test('an entry that a page sent and did not keep is shown once, and leaves the log wholly when it is erased', async () => {
    const store = memoryChatStore();
    let isGone = false;
    const a = await device(ada, {
      store: {
        ...store,
        add: (...args) => (isGone ? Promise.resolve(args[0].map(() => 0)) : store.add(...args)),
      },
    });
    a.connect();
    await a.chat.write([say('first')]);
    await settle();
    // It is in the chain, and goes out; the tab ends before the change of the document is on its disk.
    isGone = true;
    await a.chat.write([say('sent at once')]);
    await settle();
    a.kill();
    isGone = false;
    await a.start();
    a.connect();
    await settle();
    expect(a.texts).toEqual(['first', 'sent at once']);
    /** Item by item, so that no removal elsewhere hides what still lies in the log. */
    const inLog = async (): Promise<string[]> => {
      const { updates } = await a.keeper.peek({ items: log.items });
      const structs = updates.flatMap((update) => (update === null ? [] : Y.decodeUpdate(update).structs));
      const contents = structs.flatMap((struct) => (struct instanceof Y.Item ? [struct.content] : []));
      const bodies = contents.flatMap((one) => (one instanceof Y.ContentBinary ? [one.content.slice()] : []));
      const { verdicts } = await a.keeper.read({ entries: bodies });
      return verdicts.flatMap((one) => (one.is === 'read' && one.entry.body?.includes('say') ? [one.entry.body] : []));
    };
    expect((await inLog()).filter((body) => body.includes('sent at once'))).toHaveLength(2);
    await a.chat.erase(a.chat.thread.said[1]!.id);
    await settle();
    expect(a.texts).toEqual(['first', '(gone)']);
    expect((await inLog()).map((body) => body.includes('first'))).toEqual([true]);
  });

  test('an answer that is lost adds nothing twice', async () => {
    const a = await device(ada);
    a.losesAnswers = 1;
    await a.chat.write([say('once')]);
    for (let i = 0; i < 4; i++) {
      a.connect();
      await settle();
    }
    a.losesAnswers = 0;
    a.connect();
    await settle();
    const b = await device(ben);
    b.connect();
    await settle();
    expect(b.texts).toEqual(['once']);
    expect(a.chat.isKept(a.chat.thread.said[0]!.id)).toBe(true);
  });

  test('keys whose telling was lost are told again, and after all was deleted as well', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    await settle();
    a.losesItems = 1;
    await a.chat.write([say('one')]);
    await settle();
    a.losesItems = 0;
    a.connect();
    await settle();
    b.connect();
    await settle();
    expect(b.texts).toEqual(['one']);
    log.rollBack(0);
    a.disconnect();
    a.connect();
    // Whoever fills it draws a moment.
    await time.pass(15_000);
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(late.texts).toEqual(['one']);
  });

  test('what one tab has still to delete is done by the next visit, whatever another tab kept after it', async () => {
    const store = memoryChatStore();
    const b = await device(ben);
    const [one, other] = [await device(ada, { store }), await device(ada, { store })];
    for (const each of [b, one, other]) each.connect();
    await one.chat.write([say('regretted')]);
    await b.chat.write([say('hello')]);
    await settle();
    for (const each of [one, other]) each.disconnect();
    const [regretted, hello] = ['regretted', 'hello'].map(
      (text) => one.chat.thread.said.find((said) => said.text === text)!.id,
    );
    await one.chat.erase(regretted!);
    await one.chat.settled();
    other.chat.markSeen(hello!);
    await other.chat.settled();
    one.kill();
    other.kill();
    expect(log.items.filter(({ replaced }) => replaced)).toEqual([]);
    const next = await device(ada, { store });
    next.connect();
    await settle();
    for (const each of [next, b]) expect(each.texts.toSorted()).toEqual(['(gone)', 'hello']);
    expect(log.items.filter(({ replaced }) => replaced)).not.toEqual([]);
    // What was to be done is, and is kept as done.
    expect(await store.list(`state ${MEETING}`)).toHaveLength(1);
  });

  test('a disk that takes nothing for a while costs nothing that is there when it does again', async () => {
    const store = memoryChatStore();
    let isFull = false;
    const b = await device(ben, {
      store: { ...store, add: (...args) => (isFull ? Promise.reject(new Error('full')) : store.add(...args)) },
    });
    const a = await device(ada);
    for (const one of [a, b]) one.connect();
    for (const text of ['one', 'two', 'three', 'four']) {
      isFull = text === 'two';
      await a.chat.write([say(text)]);
      await settle();
    }
    await b.chat.settled();
    b.kill();
    await b.start();
    expect(b.texts).toEqual(['one', 'two', 'three', 'four']);
  });

  test('what the server has deleted comes back by nobody, and newcomers read what is written after it', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    for (const one of [a, b]) one.connect();
    await a.chat.write([say('old')]);
    time.now += 1000;
    await b.chat.write([say('old as well')]);
    await settle();
    b.disconnect();
    await log.hostClears();
    await settle();
    await a.chat.write([say('new')]);
    time.now += 1000;
    await b.chat.write([say('new, written offline')]);
    b.connect();
    await settle();
    await a.chat.write([{ is: 'edit', of: a.chat.thread.said[0]!.id, text: 'old, edited' }]);
    await a.chat.settled();
    a.kill();
    await a.start();
    a.connect();
    await a.chat.write([say('after a reload')]);
    await settle();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(late.texts).toEqual(['new', 'new, written offline', 'after a reload']);
    expect(a.texts).toEqual(['old, edited', 'old as well', 'new', 'new, written offline', 'after a reload']);
    expect(b.texts).toEqual(a.texts);
    expect(a.chat.thread.said.every(({ id }) => a.chat.isKept(id))).toBe(true);
    // What is told once is not told at each visit.
    const before = log.items.length;
    for (const one of [a, b]) {
      await one.chat.settled();
      one.kill();
      await one.start();
      one.connect();
      await settle();
    }
    expect(log.items).toHaveLength(before);
    const fresh = await device(await person('Fay'));
    fresh.connect();
    await settle();
    expect(fresh.texts).toEqual(late.texts);
  });

  test('what is too large for one item comes in parts, over several pages', async () => {
    const a = await device(ada);
    for (let i = 0; i < 30; i++) await a.chat.write([say(`${i} ${'x'.repeat(7000)}`)]);
    a.connect();
    await settle();
    const b = await device(ben);
    b.pageSize = 2;
    b.connect();
    await settle();
    expect(b.texts).toEqual(a.texts);
    expect(b.texts).toHaveLength(30);
  });
});

describe('after a removal', () => {
  test('nothing that is written opens to the removed, with all that the server has; newcomers read everything', async () => {
    const cy = await person('Cy');
    const [a, b, c] = [await device(ada), await device(ben), await device(cy)];
    for (const one of [a, b, c]) one.connect();
    await a.chat.write([say('for all three')]);
    await settle();
    await c.chat.write([say('from Cy')]);
    await settle();
    // A host removes Cy: a new generation, which Cy does not learn.
    const next = accessOf(1);
    for (const one of [a, b]) {
      one.access = next;
      one.chat.renewed();
    }
    await settle();
    const late = await device(await person('Eve'), { access: next });
    late.connect();
    await settle();
    expect(late.texts).toEqual(['for all three', 'from Cy']);

    await b.chat.write([say('without Cy')]);
    await a.chat.write([{ is: 'edit', of: a.chat.thread.said[0]!.id, text: 'for us two' }]);
    a.chat.presence.type();
    await settle();
    // Cy is still given everything: by the server, or by a member of its own choice.
    expect(c.texts).toEqual(['for all three', 'from Cy']);
    expect(c.chat.presence.typing).toEqual([]);
    const { opened } = await c.keeper.items({ head: null, items: log.items });
    expect(opened.filter(({ is }) => is === 'hidden').length).toBeGreaterThanOrEqual(3);
    expect(late.texts).toEqual(['for us two', 'from Cy', 'without Cy']);
    expect(a.texts).toEqual(late.texts);
  });

  test('keys that the removed has planted for later are none', async () => {
    const [a, c] = [await device(ada), await device(await person('Cy'))];
    for (const one of [a, c]) one.connect();
    await a.chat.write([say('before')]);
    await settle();
    // Cy knows which generation comes next, and that of several keys the one with the smallest name is taken.
    const planted = Array.from({ length: 40 }, () => ({ secret: random(32), generation: 1, closed: null }));
    const wrapped = await sealRing(access.chatKey, { meetingId: MEETING, generation: 0 }, planted);
    const item = log.append(base64url(random(16)), base64url(ringItem(0, wrapped)));
    a.pushed({ type: 'items', items: [item] });
    await settle();
    a.access = accessOf(1);
    a.chat.renewed();
    await a.chat.write([say('after')]);
    await settle();
    const keys = await Promise.all(planted.map((one) => deriveChatKey(one, MEETING)));
    const used = log.items.map(({ body }) => itemHead(fromBase64url(body)));
    for (const head of used) {
      if (head !== null && 'keyId' in head) expect(keys.some(({ id }) => equal(id, head.keyId))).toBe(false);
    }
    expect(a.texts).toEqual(['before', 'after']);
    // Nor does it do harm to give a key another generation: that is another key.
    const [own] = await openRing(
      access.chatKey,
      { meetingId: MEETING, generation: 0 },
      wrappedRing(fromBase64url(log.items[0]!.body)),
    );
    expect((await deriveChatKey(own!, MEETING)).name).not.toBe(
      (await deriveChatKey({ ...own!, generation: 1 }, MEETING)).name,
    );
  });

  test('nobody who was removed shows typing', async () => {
    const [a, c] = [await device(ada), await device(await person('Cy'))];
    for (const one of [a, c]) one.connect();
    await a.chat.write([say('before')]);
    await settle();
    a.access = accessOf(1);
    a.chat.renewed();
    await settle();
    c.chat.presence.type();
    await time.pass(100);
    expect(a.chat.presence.typing).toEqual([]);
  });

  test('what the removed writes under keys of the past is refused by all', async () => {
    const cy = await person('Cy');
    const [a, c] = [await device(ada), await device(cy)];
    for (const one of [a, c]) one.connect();
    await a.chat.write([say('before')]);
    await settle();
    a.access = accessOf(1);
    a.chat.renewed();
    await settle();
    await c.chat.write([say('still here')]);
    await settle();
    const late = await device(await person('Eve'), { access: a.access });
    late.connect();
    await settle();
    expect([a.texts, late.texts]).toEqual([['before'], ['before']]);
  });

  test('what a member writes that has not heard of it yet is not lost', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    for (const one of [a, b]) one.connect();
    await a.chat.write([say('before')]);
    await settle();
    a.access = accessOf(1);
    a.chat.renewed();
    await settle();
    await b.chat.write([say('has not heard yet')]);
    await settle();
    expect(a.texts).toEqual(['before']);
    b.access = a.access;
    b.chat.renewed();
    await settle();
    const late = await device(await person('Eve'), { access: a.access });
    late.connect();
    await settle();
    const all = ['before', 'has not heard yet'];
    expect([a.texts, b.texts, late.texts]).toEqual([all, all, all]);
    expect(b.chat.isKept(b.chat.thread.said.at(-1)!.id)).toBe(true);
    expect([...a.alarms, ...b.alarms, ...late.alarms]).toEqual([]);
  });

  test('a browser that was away, and comes back by the new link, reads on', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    for (const one of [a, b]) one.connect();
    await a.chat.write([say('before')]);
    await settle();
    a.access = accessOf(1);
    a.chat.renewed();
    await a.chat.write([say('after')]);
    await settle();
    await b.chat.settled();
    b.kill();
    b.access = a.access;
    await b.start();
    b.connect();
    await settle();
    expect(b.texts).toEqual(['before', 'after']);
  });
});

describe('a server, a member, a stranger that is not honest', () => {
  test('a log that was rolled back is noticed, said, and filled again', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('one')]);
    await a.chat.write([say('two')]);
    await settle();
    a.disconnect();
    b.disconnect();
    log.rollBack(log.items.length - 1);
    b.connect();
    await settle();
    expect(b.alarms).toEqual(['rolledBack']);
    expect(b.texts).toEqual(['one', 'two']);
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(late.texts).toEqual(['one', 'two']);
  });

  test.each<[string, (items: ChatItem[]) => ChatItem[]]>([
    ['reordered', ([one, two, ...rest]) => [{ ...two!, seq: one!.seq }, { ...one!, seq: two!.seq }, ...rest]],
    ['with one left out', ([one, , ...rest]) => [one!, ...rest.map((item) => ({ ...item, seq: item.seq - 1 }))]],
    ['with one altered', ([one, ...rest]) => [{ ...one!, body: base64url(random(200)) }, ...rest]],
    ['with one in another’s place', ([one, two, ...rest]) => [one!, { ...one!, seq: two!.seq }, ...rest]],
  ])('a log %s is noticed, and loses nobody what they have', async (_what, tamper) => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('known')]);
    await settle();
    b.disconnect();
    const known = log.items.length;
    for (const text of ['one', 'two', 'three']) await a.chat.write([say(text)]);
    await settle();
    log.items = [...log.items.slice(0, known), ...tamper(log.items.slice(known))];
    b.connect();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(b.alarms).toContain('rolledBack');
    expect(b.texts).toContain('known');
    expect(late.alarms.length).toBeGreaterThan(0);
    expect(a.texts).toEqual(['known', 'one', 'two', 'three']);
  });

  test('two logs, each whole in itself: who talks to another notices', async () => {
    const other = new Log();
    const [a, b] = [await device(ada), await device(ben, { log: other })];
    a.connect();
    await a.chat.write([say('to Ada alone')]);
    await settle();
    for (const item of log.items) other.append(base64url(random(16)), item.body);
    b.connect();
    await b.chat.write([say('to Ben alone')]);
    await a.chat.write([say('to Ada alone again')]);
    await settle();
    expect([a.alarms, b.alarms]).toEqual([[], []]);
    // A whisper passes between them, as it must if anybody is to be shown typing.
    log.open.add(b);
    a.chat.presence.type();
    await settle();
    expect(b.chat.alarms).toEqual([{ is: 'split', by: [a.chat.self] }]);
  });

  test('items that are kept from one: it hears that there are more', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('one')]);
    await settle();
    b.deaf = true;
    await a.chat.write([say('two')]);
    await time.pass(5000);
    a.chat.presence.type();
    await settle();
    expect(b.chat.alarms).toEqual([{ is: 'withheld', by: [a.chat.self] }]);
  });

  test('another than the author: not shown, whatever it names', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('genuine')]);
    await settle();
    const wrapped = wrappedRing(fromBase64url(log.items[0]!.body));
    const [ring] = await openRing(access.chatKey, { meetingId: MEETING, generation: 0 }, wrapped);
    const key = await deriveChatKey(ring!, MEETING);
    // Ben holds every key. He seals in Ada's name, and vouches for it with a real entry of his own.
    const forged = await sealEntry(key, MEETING, {
      identity: { publicKey: ada.identity.publicKey, privateKey: ben.identity.privateKey },
      writer: random(8),
      sequence: 0,
      at: time.now,
      previous: NO_PREVIOUS,
      body: utf8(JSON.stringify(say('forged'))),
    });
    const vouching = await sealEntry(key, MEETING, {
      identity: ben.identity,
      writer: random(8),
      sequence: 1,
      at: time.now,
      previous: forged.id,
      body: utf8(JSON.stringify(say('vouched'))),
    });
    const { verdicts } = await a.keeper.read({ entries: [forged.bytes, vouching.bytes] });
    expect(verdicts.map(({ is }) => is)).toEqual(['forged', 'read']);
    const altered = forged.bytes.slice();
    altered[altered.length - 1]! ^= 1;
    expect((await a.keeper.read({ entries: [altered] })).verdicts).toEqual([{ is: 'forged' }]);
  });

  test('somebody who takes others’ entries out of the document: they come back', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('stays')]);
    await settle();
    const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
    const { opened } = await b.keeper.items({ head: null, items: log.items });
    document.apply(
      opened.flatMap((one) => (one.is === 'update' ? [one.update] : [])),
      null,
    );
    document.replace(document.entries, []);
    const { items } = await b.keeper.seal({ update: document.changes() });
    for (const { body } of items) {
      const item = log.append(base64url(random(16)), body);
      for (const device of [a, b]) device.pushed({ type: 'items', items: [item] });
    }
    await settle();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect([a.texts, b.texts, late.texts]).toEqual([['stays'], ['stays'], ['stays']]);
  });

  test('nothing that goes out or lies on disk can be read', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    a.connect();
    b.connect();
    await a.chat.write([say('canary seventeen')]);
    await settle();
    b.chat.markSeen(b.chat.thread.said[0]!.id);
    await settle();
    const all = JSON.stringify([a.wire, b.wire, await a.store.list(`updates ${MEETING}`)]);
    const plain = ['canary', 'seventeen', '"Ada', '"Ben'];
    const encoded = plain.slice(0, 2).map((text) => base64url(utf8(text)).slice(1, -2));
    const keys = [ada.identity.publicKey, access.chatKey].map(base64url);
    for (const secret of [...plain, ...encoded, ...keys]) expect(all).not.toContain(secret);
  });
});
