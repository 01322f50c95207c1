/** Shared notes on several devices: together, apart, past whoever writes what they may not, and under what newcomers may see. */
import { beforeEach, describe, expect, test } from 'vitest';
import { toBase64UrlEncoded } from 'lib0/buffer';
import * as Y from 'yjs';
import type { DirectWay, DirectWayTerms } from '../../../client/chat/providers/direct.ts';
import { isNote } from '../../../client/chat/bodies.ts';
import type { NoteBody } from '../../../client/chat/bodies.ts';
import { ROOT } from '../../../client/notes/shape.ts';
import { clientOf } from '../../../client/notes/update.ts';
import { numbers } from '../../crypto/seeded.ts';
import { accessOf, Device, Log, person, Time, type Person } from '../chat/world.ts';

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

const settle = (): Promise<void> => time.pass(20_000);

const textOf = (one: Device): string => one.chat.notes.page.text.toArray().map(lineOf).join('|');
const lineOf = (block: unknown): string => (block as Y.XmlElement).toArray().map(String).join('');

function line(text: string): Y.XmlElement {
  const block = new Y.XmlElement('paragraph');
  block.insert(0, [new Y.XmlText(text)]);
  return block;
}

function write(one: Device, text: string, at = one.chat.notes.page.text.length): void {
  one.chat.notes.page.text.insert(at, [line(text)]);
}

async function three(): Promise<[Device, Device, Device]> {
  const devices = [await device(ada), await device(ben), await device(await person('Cy'))] as const;
  for (const one of devices) one.connect();
  await settle();
  return [...devices];
}

/** An entry of the notes as its author's client would never make it, in the author's own name. */
function forge(
  one: Device,
  make: (doc: Y.Doc) => void,
  more: Partial<NoteBody> & { client?: number } = {},
): Promise<void> {
  const { client, ...rest } = more;
  const page = rest.page ?? one.chat.notes.page.name;
  const doc = new Y.Doc();
  doc.clientID = client ?? clientOf(one.chat.self, page, 7);
  make(doc);
  const update = toBase64UrlEncoded(Y.encodeStateAsUpdate(doc));
  return one.chat.write([{ is: 'note', page, session: 7, update, ...rest }]);
}

describe('together and apart', () => {
  test('what three write at once comes to one text, also after it was written apart and through a reload', async () => {
    const [a, b, c] = await three();
    write(a, 'from Ada');
    write(b, 'from Ben');
    await settle();
    c.disconnect();
    b.disconnect();
    write(c, 'Cy, alone');
    write(a, 'Ada goes on');
    b.chat.notes.page.text.delete(0, 1);
    await time.pass(2000);
    await c.chat.settled();
    c.kill();
    const again = await device(c.person, { store: c.store });
    expect(textOf(again)).toContain('Cy, alone');
    for (const one of [b, again]) one.connect();
    await settle();
    expect(textOf(a).split('|')).toHaveLength(3);
    for (const one of [b, again]) expect([textOf(one), one.alarms]).toEqual([textOf(a), []]);
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect(textOf(late)).toBe(textOf(a));
    expect(late.chat.notes.lacks).toBe(false);
  });

  test('random writing with partitions, lost answers and snapshots converges', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = numbers(seed);
      [log, time] = [new Log(), new Time()];
      const people = [ada, ben, await person('Cy')];
      const devices = await Promise.all(people.map((who) => device(who, { random, snapshotAfter: 12, log, time })));
      for (let step = 0; step < 25; step++) {
        const one = devices[Math.floor(random() * 3)]!;
        const { text } = one.chat.notes.page;
        one.losesAnswers = random() < 0.2 ? 0.3 : 0;
        const what = random();
        if (what < 0.25) one.connect();
        else if (what < 0.35) one.disconnect();
        else if (what < 0.5 && text.length > 0) text.delete(Math.floor(random() * text.length), 1);
        else write(one, `${seed}.${step}`, Math.floor(random() * (text.length + 1)));
        await time.pass(random() * 3000);
      }
      for (const one of devices) {
        one.losesAnswers = 0;
        one.connect();
      }
      await time.pass(60_000);
      for (const one of devices) expect([seed, textOf(one), one.alarms]).toEqual([seed, textOf(devices[0]!), []]);
    }
  }, 60_000);

  test('a burst of keys is one entry, and an hour of typing is one in more than a second', async () => {
    const a = await device(ada);
    a.connect();
    await settle();
    const before = log.items.length;
    write(a, 'x');
    const letters = () => (a.chat.notes.page.text.get(0) as Y.XmlElement).get(0) as Y.XmlText;
    for (let i = 0; i < 50; i++) {
      letters().insert(0, 'y');
      await time.pass(100);
    }
    await settle();
    expect(log.items.length - before).toBeLessThanOrEqual(8);
    expect(log.items.length - before).toBeGreaterThan(2);
  });

  test('others see that something is new until they look, and who did it', async () => {
    const [a, b] = await three();
    write(a, 'news');
    await settle();
    expect([a.chat.hasNewNotes, b.chat.hasNewNotes]).toEqual([false, true]);
    expect(b.chat.notes.lastBy).toBe(a.chat.self);
    b.chat.markNotesSeen();
    await b.chat.settled();
    expect(b.chat.hasNewNotes).toBe(false);
    b.kill();
    const again = await device(ben, { store: b.store });
    expect(again.chat.hasNewNotes).toBe(false);
  });

  test('the way from browser to browser gets the chat, and nothing of the notes', async () => {
    const given: Y.Doc[] = [];
    const nothing = (): void => undefined;
    const openDirect = async ({ doc }: DirectWayTerms): Promise<DirectWay> => {
      given.push(doc);
      const calls = { changed: nothing, whisper: nothing, close: nothing, pause: nothing, resume: nothing };
      return { ...calls, setIceServers: nothing, keeps: () => false, state: 'online', ended: Promise.resolve() };
    };
    const a = await device(ada, { openDirect });
    a.connect();
    a.chat.allowDirect([]);
    await a.chat.write([{ is: 'say', text: 'hello' }]);
    write(a, 'a secret plan');
    await settle();
    await a.chat.settled();
    expect(given).toHaveLength(1);
    const entries = async (of: Uint8Array<ArrayBuffer>[]) =>
      (await a.keeper.read({ entries: of })).verdicts.map((one) => one.is === 'read' && one.entry.body);
    const lists = [...given[0]!.share.keys()].map((name) =>
      given[0]!.getArray<Uint8Array<ArrayBuffer>>(name).toArray(),
    );
    const direct = await entries(lists.flat());
    expect(direct.some((body) => body !== false && body!.includes('hello'))).toBe(true);
    expect(direct.some((body) => body !== false && isNote(body))).toBe(false);
    // As by the log, which has both.
    const b = await device(ben);
    b.connect();
    await settle();
    expect([b.texts, textOf(b)]).toEqual([['hello'], 'a secret plan']);
  });
});

describe('refused', () => {
  const paragraph = (doc: Y.Doc): void => doc.getXmlFragment(ROOT).insert(0, [line('evil')]);
  test.each<[string, (by: Device, of: Device) => Promise<void>]>([
    ["in another's name", (by, { chat }) => forge(by, paragraph, { client: chat.notes.page.doc.clientID })],
    ["in another's session", (by, { chat }) => forge(by, paragraph, { session: chat.notes.page.session })],
    ['on another page', (by) => forge(by, paragraph, { page: { at: 5, id: 'AAAAAAAAAAE' }, client: 77 })],
    ['that is none', (by) => forge(by, paragraph, { update: toBase64UrlEncoded(new Uint8Array(300).fill(255)) })],
    [
      'that is cut off',
      (by, { chat }) => {
        const whole = Y.encodeStateAsUpdate(chat.notes.page.doc);
        return forge(by, paragraph, { update: toBase64UrlEncoded(whole.subarray(0, 20)) });
      },
    ],
    ['with an image', (by) => forge(by, (doc) => doc.getXmlFragment(ROOT).insert(0, [new Y.XmlElement('image')]))],
    ['with text between blocks', (by) => forge(by, (doc) => doc.getArray(ROOT).insert(0, ['evil']))],
    ['beside the notes', (by) => forge(by, (doc) => doc.getText('other').insert(0, 'evil'))],
    ['with a document in it', (by) => forge(by, (doc) => void doc.getMap(ROOT).set('sub', new Y.Doc()))],
    [
      'with a mark that nobody knows',
      (by) =>
        forge(by, (doc) => {
          const block = line('evil');
          doc.getXmlFragment(ROOT).insert(0, [block]);
          (block.get(0) as Y.XmlText).format(0, 4, { onclick: 'evil()' });
        }),
    ],
    [
      'with a thousand blocks in each other',
      (by) =>
        forge(by, (doc) => {
          let inner: Y.XmlFragment = doc.getXmlFragment(ROOT);
          for (let i = 0; i < 1000; i++) {
            const quote = new Y.XmlElement('quote');
            inner.insert(0, [quote]);
            inner = quote;
          }
        }),
    ],
  ])('a change %s; what all write goes on', async (_what, act) => {
    const [a, b, c] = await three();
    write(a, 'fine');
    await settle();
    await act(c, a);
    await settle();
    expect([textOf(a), textOf(b), b.alarms]).toEqual(['fine', 'fine', ['forged']]);
    expect(b.chat.notes.pages).toHaveLength(1);
    write(b, 'and on');
    await settle();
    expect(textOf(a)).toBe('fine|and on');
  });

  test('too large a change is not even parsed', async () => {
    const [, b, c] = await three();
    await forge(c, (doc) => doc.getXmlFragment(ROOT).insert(0, [line('x'.repeat(300_000))]));
    await settle();
    expect(textOf(b)).toBe('');
  });

  test('removing what another has yet to write waits until it is there, and by then removes no more than that', async () => {
    const [a, , c] = await three();
    write(a, 'one');
    await settle();
    const { page } = a.chat.notes;
    // All that Ada will ever write.
    const bytes = [0, 1, ...varUint(page.doc.clientID), 1, 0, ...varUint(2 ** 31 - 1)];
    await forge(c, () => undefined, { update: toBase64UrlEncoded(Uint8Array.from(bytes)) });
    await settle();
    write(a, 'two');
    await settle();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect([textOf(c), textOf(late)]).toEqual(['one|two', 'one|two']);
  });

  test('an entry once more, or copied by another into their own, changes nothing', async () => {
    const [a, b, c] = await three();
    write(a, 'once');
    await settle();
    const { page } = a.chat.notes;
    const update = toBase64UrlEncoded(Y.encodeStateAsUpdate(page.doc));
    await c.chat.write([{ is: 'note', page: page.name, session: page.session, update }]);
    for (const { seq, body } of [...log.items]) {
      const item = log.append(`again ${seq}`, body!);
      b.pushed({ type: 'items', items: [item] });
    }
    await settle();
    expect(textOf(b)).toBe('once');
    expect(b.alarms).toContain('forged');
  });

  test('what a removed member writes, and what is written after they were removed, to them', async () => {
    const [a, b, c] = await three();
    write(c, 'from Cy');
    await settle();
    const next = accessOf(1);
    for (const one of [a, b]) {
      one.access = next;
      one.chat.renewed();
    }
    await settle();
    write(c, 'still here');
    write(a, 'without Cy');
    await settle();
    const late = await device(await person('Eve'), { access: next });
    late.connect();
    await settle();
    for (const one of [a, b, late]) expect(textOf(one)).toBe('from Cy|without Cy');
    expect(textOf(c)).not.toContain('without Cy');
  });

  test('a page that is dated far ahead: others go on with theirs', async () => {
    const [a, b, c] = await three();
    write(a, 'today');
    await settle();
    const page = { at: time.now + 86_400_000, id: 'AAAAAAAAAAE' };
    await forge(c, (doc) => doc.getXmlFragment(ROOT).insert(0, [line('tomorrow')]), { page });
    await settle();
    expect([textOf(a), textOf(b)]).toEqual(['today', 'today']);
  });
});

describe('what newcomers see', () => {
  test('nothing of before: what builds upon it waits, is told, and a copy is theirs whole', async () => {
    const newcomers = () => ({ see: 'nothing' }) as const;
    const [a, n] = [await device(ada, { newcomers }), await device(ben, { newcomers })];
    const members = [a];
    const enter = (one: Device, epoch: number): void =>
      one.keys.enter((secrets, at) => {
        for (const other of members) if (other !== one) void other.keys.take(secrets, at, true);
      }, epoch);
    enter(a, 1);
    a.connect();
    write(a, 'before Ned');
    await settle();
    members.push(n);
    enter(n, 2);
    Object.assign(a.keys.circle!, { epoch: 2, stranger: 2 });
    n.connect();
    await settle();
    write(a, 'after Ned came');
    await settle();
    expect(textOf(n)).toBe('');
    expect(n.chat.notes.lacks).toBe(true);
    expect(textOf(a)).toBe('before Ned|after Ned came');
    a.chat.notes.copy();
    await settle();
    expect(n.chat.notes.lacks).toBe(false);
    write(n, 'thanks');
    await settle();
    for (const one of [a, n]) expect(textOf(one)).toBe('before Ned|after Ned came|thanks');
    // The former page is still there for who could read it.
    expect(a.chat.notes.pages.map(({ page }) => page.text.length)).toEqual([2, 3]);
  });

  test('everything: whoever comes later has all of it from the log alone', async () => {
    const [a] = await three();
    write(a, 'long ago');
    await settle();
    a.kill();
    const late = await device(await person('Eve'));
    late.connect();
    await settle();
    expect([textOf(late), late.chat.notes.lacks]).toEqual(['long ago', false]);
  });
});

function varUint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}
