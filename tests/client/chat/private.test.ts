/** What is written to one person: read by two, seen by none beside them, and never by mistake written to all. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Body } from '../../../client/chat/bodies.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { exportJson, exportText, Presenter } from '../../../client/chat/present.ts';
import { Thread } from '../../../client/chat/thread.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, concat, fromBase64url, utf8 } from '../../../crypto/bytes.ts';
import { NO_PREVIOUS, openEntry, sealEntry } from '../../../crypto/chatEntry.ts';
import { wrappedRing } from '../../../crypto/chatItem.ts';
import type { ChatKey } from '../../../crypto/chatKey.ts';
import { deriveChatKey, openRing } from '../../../crypto/chatKey.ts';
import type { ReadEntry } from '../../../client/e2ee/chat/messages.ts';
import { random } from '../../../crypto/primitives.ts';
import { accessOf, Device, Log, MEETING, person, Time, type Person } from './world.ts';

let log: Log;
let time: Time;
let access: ReturnType<typeof accessOf>;
let [ada, ben, cy] = [] as unknown as [Person, Person, Person];

beforeEach(async () => {
  log = new Log();
  time = new Time();
  access = accessOf();
  [ada, ben, cy] = [await person('Ada'), await person('Ben'), await person('Cy')];
});

const device = (who: Person, more: Partial<ConstructorParameters<typeof Device>[0]> = {}): Promise<Device> =>
  new Device({ person: who, log, time, access, random: () => 0.5, ...more }).start();
const say = (text: string, reply?: string) => ({ is: 'say', text, ...(reply ? { reply } : {}) }) as const;
const settle = (): Promise<void> => time.pass(20_000);
const idOf = (device: Device, text: string): string => device.chat.thread.said.find((one) => one.text === text)!.id;

/** Every entry that it keeps, as it lies in the document. */
async function entriesOf({ chat, keeper }: Device): Promise<Bytes[]> {
  await chat.settled();
  const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
  document.apply((await keeper.begin()).updates, null);
  return document.entries;
}

/** The key that everybody of the chat has. */
async function ringKey(): Promise<ChatKey> {
  const wrapped = wrappedRing(fromBase64url(log.items[0]!.body));
  const [ring] = await openRing(access.chatKey, { meetingId: MEETING, generation: 0 }, wrapped);
  return deriveChatKey(ring!, MEETING);
}

/** Three who have the chat open, and each other's cards. */
async function three(): Promise<[Device, Device, Device]> {
  const devices = [await device(ada), await device(ben), await device(cy)] as [Device, Device, Device];
  for (const one of devices) one.connect();
  for (const one of devices) {
    one.chat.opened();
    await settle();
  }
  return devices;
}

describe('between two of three', () => {
  test('one writes, both read on, edit, react and answer; the third sees nothing, and nothing amiss', async () => {
    const [a, b, c] = await three();
    await a.chat.write([say('for all')]);
    await a.chat.write([say('canary one')], b.chat.self);
    await settle();
    const id = idOf(b, 'canary one');
    await b.chat.write([say('canary two', id), { is: 'react', of: id, emoji: '🎂', on: true }], a.chat.self);
    await a.chat.write([{ is: 'edit', of: id, text: 'canary one, better' }], b.chat.self);
    await settle();
    for (const one of [a, b]) {
      expect(one.texts).toEqual(['for all', 'canary one, better', 'canary two']);
      expect(one.chat.thread.said.map(({ to }) => to)).toEqual([null, b.chat.self, a.chat.self]);
      expect([...one.chat.thread.said[1]!.reactions]).toEqual([['🎂', [b.chat.self]]]);
      expect(one.chat.thread.quoted(one.chat.thread.said[2]!)).toMatchObject({ id });
    }
    await c.chat.write([say('from Cy')]);
    await settle();
    expect(c.texts).toEqual(['for all', 'from Cy']);
    expect(c.chat.hidden).toBe(0);
    expect([a, b, c].flatMap(({ alarms }) => alarms)).toEqual([]);
    expect(c.chat.thread.gaps).toEqual([]);
  });

  test('nobody but the two can open it, with every key that they hold', async () => {
    const [a, b, c] = await three();
    await a.chat.write([say('canary for Ben')], b.chat.self);
    await settle();
    for (const one of [b, c]) await one.chat.settled();
    // All that Cy ever received, opened by every key of the ring; and what lies on Cy's disk, as its own worker reads it.
    const key = await ringKey();
    const { updates, last } = await c.keeper.begin();
    const { opened } = await c.keeper.items({ head: null, items: log.items });
    const all = opened.flatMap((one) => (one.is === 'update' ? [one.update] : []));
    const again = await device(cy, { store: c.store });
    const entries = await entriesOf(c);
    const bodies = entries.map((entry) => bodyOf(openEntry(key, MEETING, entry)));
    const { verdicts } = await again.keeper.read({ entries, unlock: true });
    const seen = [concat(...all, ...updates, ...last, ...bodies.flatMap((body) => body ?? []))].map((bytes) =>
      Buffer.from(bytes).toString('latin1'),
    );
    seen.push(JSON.stringify(verdicts), JSON.stringify(log.items), JSON.stringify([a.wire, b.wire, c.wire]));
    for (const text of seen) expect(text).not.toContain('canary');
    // It is there, and Ben's worker reads it from the very same bytes.
    expect(JSON.stringify(await b.keeper.read({ entries, unlock: true }))).toContain('canary for Ben');
    // Nor does what is open of it name him.
    const foreign = bodies.filter((body) => body?.[0] === 1);
    expect(foreign).toHaveLength(1);
    expect(Buffer.from(foreign[0]!).includes(Buffer.from(ben.identity.publicKey))).toBe(false);
  });

  test('a member who copies it into an entry of their own shows it to nobody, and hides the true one from nobody', async () => {
    const [a, b, c] = await three();
    b.disconnect();
    await a.chat.write([say('canary')], b.chat.self);
    await settle();
    const key = await ringKey();
    const bodies = (await entriesOf(c)).map((entry) => bodyOf(openEntry(key, MEETING, entry)));
    const body = bodies.find((one) => one?.[0] === 1)!;
    const link = { writer: random(8), sequence: 0, at: time.now, previous: NO_PREVIOUS };
    const copy = await sealEntry(key, MEETING, { identity: cy.identity, ...link, body });
    // The copy is tried first.
    const { verdicts } = await b.keeper.read({ entries: [copy.bytes], unlock: true });
    expect(verdicts).toMatchObject([{ is: 'read', entry: { body: '', to: null }, isLocked: false }]);
    b.connect();
    await settle();
    expect(b.texts).toEqual(['canary']);
    expect(b.chat.thread.said[0]!.author).toBe(a.chat.self);
  });

  test('it is gone when its author deletes it, for both, from the log, and leaves no sign with others', async () => {
    const [a, b, c] = await three();
    await a.chat.write([say('canary gone')], b.chat.self);
    await settle();
    await a.chat.write([{ is: 'edit', of: idOf(a, 'canary gone'), text: 'canary edited' }], b.chat.self);
    await settle();
    await a.chat.erase(a.chat.thread.said[0]!.id);
    await settle();
    const late = await device(await person('Eve'));
    late.connect();
    const again = await device(ben);
    again.connect();
    await settle();
    for (const one of [a, b, again]) {
      expect(one.texts, one.person.name + String(one === again)).toEqual(['(gone)']);
      expect(one.chat.thread.said[0]!.to).toBe(b.chat.self);
    }
    expect([c.texts, late.texts]).toEqual([[], []]);
    expect([a, b, c, late, again].flatMap(({ alarms }) => alarms)).toEqual([]);
    // The edit has left the log, too.
    expect(log.items.filter(({ replaced }) => replaced)).toHaveLength(2);
    const left = await again.keeper.read({ entries: await entriesOf(late), unlock: true });
    expect(JSON.stringify(left)).not.toContain('canary');
  });

  test('how far one has read tells nobody for whom it was', async () => {
    const [a, b, c] = await three();
    await a.chat.write([say('for all')]);
    await a.chat.write([say('canary')], b.chat.self);
    await settle();
    b.chat.markSeen(idOf(b, 'for all'));
    await settle();
    const before = b.wire.length;
    b.chat.markSeen(idOf(b, 'canary'));
    await settle();
    expect(b.wire.slice(before)).toEqual([]);
    expect(a.chat.reading.readersOf(idOf(a, 'for all'))).toEqual([b.chat.self]);
    expect(a.chat.reading.readersOf(idOf(a, 'canary'))).toEqual([]);
    // What Cy has read says nothing of what Cy cannot read.
    await a.chat.write([say('later')]);
    await settle();
    c.chat.markSeen(idOf(c, 'later'));
    await settle();
    const views = new Presenter(a.chat).messages(false);
    expect(views.map(({ text, delivery }) => [text, delivery?.at])).toEqual([
      ['for all', 'seen'],
      ['canary', 'sent'],
      ['later', 'seen'],
    ]);
    expect(exportText(views, { timeOf: String, onlyTo: (name) => `only to ${name}`, unnamed: '?' })).toContain(
      'Ada (only to Ben)\n  canary',
    );
    expect(exportJson(views)).toContain(`"onlyTo": {\n      "identity": "${b.chat.self}"`);
  });

  test('after a reload it is there at once, without being tried again', async () => {
    const store = memoryChatStore();
    const [a, b] = [await device(ada), await device(ben, { store })];
    for (const one of [a, b]) {
      one.connect();
      one.chat.opened();
      await settle();
    }
    await a.chat.write([say('canary')], b.chat.self);
    await settle();
    await b.chat.settled();
    const entries = await entriesOf(b);
    b.kill();
    const again = await device(ben, { store });
    expect(again.texts).toEqual(['canary']);
    const { verdicts } = await again.keeper.read({ entries });
    expect(verdicts.some((one) => one.is === 'read' && one.isLocked)).toBe(false);
  });
});

describe('fails closed', () => {
  test('to whoever has no card here, to oneself, and to nobody’s key nothing is written', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    for (const one of [a, b]) one.connect();
    await settle();
    const before = a.chat.thread.size;
    for (const to of [b.chat.self, a.chat.self, base64url(random(32)), ''])
      await expect(a.chat.write([say('canary')], to)).rejects.toMatchObject({ code: 'noCard' });
    await settle();
    expect([a.texts, b.texts, a.chat.thread.size]).toEqual([[], [], before]);
    // And it goes on.
    await a.chat.write([say('for all')]);
    await settle();
    expect(b.texts).toEqual(['for all']);
  });

  test('what the disk refuses is refused, and the next is written', async () => {
    const store = memoryChatStore();
    let isFull = true;
    const a = await device(ada, {
      store: {
        ...store,
        put: (name, record) =>
          isFull && name.startsWith('chain') ? Promise.reject(new Error('full')) : store.put(name, record),
      },
    });
    await expect(a.chat.write([say('refused')])).rejects.toThrow('full');
    isFull = false;
    await a.chat.write([say('taken')]);
    expect(a.texts).toEqual(['taken']);
  });

  test('a card is written once, again under another key, and not by whoever only looks in', async () => {
    const [a, b] = [await device(ada), await device(ben)];
    for (const one of [a, b]) one.connect();
    await settle();
    expect(log.items).toHaveLength(0);
    a.chat.opened();
    await settle();
    const cards = async () => {
      const { verdicts } = await a.keeper.read({ entries: await entriesOf(a) });
      return verdicts.filter((one) => one.is === 'read' && one.entry.body?.startsWith('{"is":"card"')).length;
    };
    expect(await cards()).toBe(1);
    await a.chat.write([say('one')]);
    a.chat.opened();
    const c = await device(cy);
    c.connect();
    await settle();
    expect(await cards()).toBe(1);
    const next = accessOf(1);
    for (const one of [a, b]) {
      one.access = next;
      one.chat.renewed();
    }
    await settle();
    expect(await cards()).toBe(1);
    // Ben writes under the next key, and says with it who he is; Ada has to only once somebody comes.
    await b.chat.write([say('two')]);
    await settle();
    expect(await cards()).toBe(2);
    const late = await device(await person('Eve'), { access: a.access });
    late.connect();
    await settle();
    expect(await cards()).toBe(3);
    expect(late.chat.thread.hasCard(a.chat.self)).toBe(true);
    expect(late.chat.thread.nameOf(a.chat.self)).toBe('Ada');
  });
});

describe('what entries come to', () => {
  let count = 0;
  const entry = (author: string, body: Body, more: Partial<ReadEntry> = {}): ReadEntry => {
    count += 1;
    const id = base64url(utf8(String(count).padStart(32, '0')));
    const place = { writer: author, sequence: count, previous: '', at: 1000 + count };
    return { id, author, ...place, body: JSON.stringify(body), to: null, ...more };
  };
  /** In every order of some, the same. */
  const threadOf = (...entries: ReadEntry[]): Thread => {
    const threads = [entries, entries.toReversed(), [...entries.slice(1), entries[0]!]].map((order) => {
      const thread = new Thread();
      for (const one of order) thread.add(one);
      return thread;
    });
    const views = threads.map(({ said }) =>
      JSON.stringify(said.map((one) => ({ ...one, reactions: [...one.reactions] }))),
    );
    expect(new Set(views).size).toBe(1);
    return threads[0]!;
  };

  test('edits and signs count between the same two alone, and none of a private one for all', () => {
    const open = entry('A', say('open'));
    const secret = entry('A', say('secret'), { to: 'B' });
    const edit = (of: ReadEntry, text: string): Body => ({ is: 'edit', of: of.id, text });
    const react = (of: ReadEntry, emoji: string): Body => ({ is: 'react', of: of.id, emoji, on: true });
    const { said } = threadOf(
      open,
      secret,
      entry('A', edit(secret, 'for all')),
      entry('A', edit(secret, 'to another'), { to: 'C' }),
      entry('B', edit(secret, 'by another'), { to: 'A' }),
      entry('A', edit(open, 'to one'), { to: 'B' }),
      entry('B', react(secret, '👍'), { to: 'A' }),
      entry('A', react(secret, '🎂'), { to: 'B' }),
      entry('B', react(secret, '😀')),
      entry('C', react(secret, '😀'), { to: 'A' }),
      entry('A', react(secret, '😀'), { to: 'C' }),
      entry('B', react(open, '🎂')),
      entry('B', { ...react(open, '🎂'), on: false } as Body, { to: 'A' }),
    );
    expect(said.map(({ text, to }) => [text, to])).toEqual([
      ['open', null],
      ['secret', 'B'],
    ]);
    expect([...said[0]!.reactions]).toEqual([['🎂', ['B']]]);
    expect([...said[1]!.reactions]).toEqual([
      ['👍', ['B']],
      ['🎂', ['A']],
    ]);
  });

  test('an answer for all, or to another, quotes nothing of it', () => {
    const secret = entry('A', say('secret'), { to: 'B' });
    const foreign = entry('A', say(''), { body: '' });
    const answers = [
      entry('B', say('to A', secret.id), { to: 'A' }),
      entry('B', say('to all', secret.id)),
      entry('B', say('to C', secret.id), { to: 'C' }),
      entry('B', say('of others', foreign.id)),
      entry('B', say('of what is not here', base64url(random(32)))),
    ];
    const thread = threadOf(secret, foreign, ...answers);
    const quotes = answers.map(({ id }) => thread.quoted(thread.one(id)!));
    expect(quotes.map((one) => (typeof one === 'object' ? one?.text : one))).toEqual([
      'secret',
      'hidden',
      'hidden',
      'hidden',
      'unknown',
    ]);
  });

  test('a name that is said to one is no name, and a deletion that is said to one is none', () => {
    const open = entry('A', { ...say('open'), name: 'Ada' });
    const thread = threadOf(
      open,
      entry('A', { ...say('psst'), name: 'Mallory' }, { to: 'B' }),
      entry('A', { is: 'erase', of: open.id }, { to: 'B' }),
      entry('C', { is: 'card' }, { to: 'B' }),
    );
    expect(thread.nameOf('A')).toBe('Ada');
    expect(thread.said.map(({ text }) => text)).toEqual(['open', 'psst']);
    expect(thread.hasCard('C')).toBe(false);
  });

  test('what a clock that ran ahead has written stands before what its writer wrote afterwards', () => {
    const far = 9_000_000;
    const first = entry('A', say('one'));
    const ahead = entry('A', { ...say('ahead'), name: 'Early' }, { at: far });
    const react = (on: boolean, at: number): ReadEntry =>
      entry('A', { is: 'react', of: first.id, emoji: '🎂', on }, { at });
    const entries = [first, ahead, react(true, far), entry('B', say('two'))];
    expect(threadOf(...entries).said.map(({ text }) => text)).toEqual(['one', 'two', 'ahead']);
    const thread = threadOf(
      ...entries,
      entry('B', say('three'), { at: 4000 }),
      entry('A', { ...say('set right'), name: 'Late' }, { at: 3000 }),
      react(false, 3001),
    );
    expect(thread.said.map(({ text }) => text)).toEqual(['one', 'two', 'ahead', 'set right', 'three']);
    expect(thread.said[2]!.at).toBe(3000);
    expect(thread.said[0]!.reactions.size).toBe(0);
    expect(thread.nameOf('A')).toBe('Late');
    // Nobody else's word moves it, and nobody else's is moved.
    expect(threadOf(ahead, entry('B', say('four', ahead.id), { at: 1 })).said.map(({ text }) => text)).toEqual([
      'four',
      'ahead',
    ]);
  });
});

test('a card of garbage, or a private entry of garbage, harms nobody', async () => {
  const [a, b] = await three();
  await a.chat.write([say('before')]);
  await settle();
  const key = await ringKey();
  const garbage = [
    Uint8Array.of(1),
    Uint8Array.of(2),
    concat(Uint8Array.of(1), random(3000)),
    random(1500).fill(2, 0, 1),
  ];
  const entries = await Promise.all(
    garbage.map((body, i) => {
      const link = { writer: random(8), sequence: i, at: time.now, previous: NO_PREVIOUS };
      return sealEntry(key, MEETING, { identity: cy.identity, ...link, body });
    }),
  );
  const { verdicts } = await b.keeper.read({ entries: entries.map(({ bytes }) => bytes), unlock: true });
  expect(verdicts.map((one) => one.is === 'read' && one.entry.body)).toEqual(['', '', '', '']);
  expect(b.alarms).toEqual([]);
});

function bodyOf({ content }: ReturnType<typeof openEntry>): Uint8Array<ArrayBuffer> | null {
  return content.is === 'full' ? content.body : null;
}
