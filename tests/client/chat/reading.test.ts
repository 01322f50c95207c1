/** What counts as read, here and by others, whatever came late and whosever clock is wrong; as the screens have it. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MAX_TOLD } from '../../../client/chat/bodies.ts';
import type { ChatOnScreen } from '../../../client/chat/chat.svelte.ts';
import { readByAny, Reading } from '../../../client/chat/reading.ts';
import { Thread } from '../../../client/chat/thread.ts';
import { alarmWords } from '../../../client/ui/chat/chatWords.ts';
import type { ReadEntry } from '../../../client/e2ee/chat/messages.ts';
import { MAX_WHISPER_BYTES } from '../../../signal/protocol/chat.ts';
import { accessOf, Device, Log, person, screenTime, Time } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;

describe('on the screen', () => {
  let time: Time;
  let log: Log;
  let device: (name: string) => Promise<Device>;

  beforeEach(() => {
    [log, time] = [new Log(), new Time()];
    const access = accessOf();
    screenTime(time);
    device = async (name) => new Device({ person: await person(name), log, time, access, random: () => 0.5 });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  /** Two of whom one looks at a screen, and what the other wrote in a tunnel comes after what was read since. */
  async function tunnel() {
    const [ada, ben] = [await device('Ada'), await (await device('Ben')).start()];
    const screen = await ada.show();
    for (const one of [ada, ben]) one.connect();
    await time.pass(2000);
    await ben.chat.write([say('one')]);
    await time.pass(2000);
    ben.disconnect();
    await ben.chat.write([say('from the tunnel')]);
    time.now += 60_000;
    await screen.send({ text: 'two' });
    await time.pass(2000);
    const all = screen.view.messages;
    expect(all.map(({ text }) => text)).toEqual(['one', 'two']);
    screen.seen(all[0]!.id, all[1]!.id);
    await time.pass(2000);
    expect(screen.view).toMatchObject({ unread: 0, firstUnread: null });
    return { ada, ben, screen };
  }

  const texts = (screen: ChatOnScreen) => screen.view.messages.map(({ text }) => text);
  const delivered = (screen: ChatOnScreen) =>
    screen.view.messages.flatMap(({ text, delivery }) => (delivery ? [[text, delivery.at]] : []));

  test('what comes late, into the middle, is unread until it is in sight', async () => {
    const { ben, screen } = await tunnel();
    ben.connect();
    await time.pass(5000);
    expect(texts(screen)).toEqual(['one', 'from the tunnel', 'two']);
    const [one, late, two] = screen.view.messages;
    expect(screen.view).toMatchObject({ unread: 1, firstUnread: late!.id });
    // Whoever is at the end does not see it, however often they look.
    screen.seen(two!.id, two!.id);
    await time.pass(1000);
    expect(screen.view).toMatchObject({ unread: 1, firstUnread: late!.id });
    screen.seen(one!.id, late!.id);
    await time.pass(1000);
    expect(screen.view).toMatchObject({ unread: 0, firstUnread: null });
  });

  test('what somebody writes whose clock is slow is unread', async () => {
    const { ada, screen } = await tunnel();
    time.now -= 3_600_000;
    const slow = await (await device('Cy')).start();
    // Nothing of the chat is here yet by which the clock would be set.
    await slow.chat.write([say('an hour ago')]);
    time.now += 3_600_000;
    slow.connect();
    await time.pass(5000);
    expect(texts(screen)).toEqual(['an hour ago', 'one', 'two']);
    expect(screen.view.unread).toBe(1);
    // What is read stays read with the next visit, and what is not does not.
    await time.pass(1000);
    ada.kill();
    const again = await ada.show();
    await time.pass(1000);
    expect(again.view).toMatchObject({ unread: 1, firstUnread: again.view.messages[0]!.id });
  });

  test('what was passed over counts as read, where nothing behind it had been read before', async () => {
    const { ben, screen } = await tunnel();
    ben.connect();
    for (const text of ['three', 'four', 'five']) await ben.chat.write([say(text)]);
    await time.pass(5000);
    expect(screen.view.unread).toBe(4);
    const last = screen.view.messages.at(-1)!.id;
    screen.seen(last, last);
    await time.pass(1000);
    expect(screen.view).toMatchObject({ unread: 1, firstUnread: screen.view.messages[1]!.id });
  });

  test('nobody has seen what only waits, nor what came after they looked', async () => {
    const [ada, ben] = [await device('Ada'), await (await device('Ben')).start()];
    const screen = await ada.show();
    for (const one of [ada, ben]) one.connect();
    await screen.send({ text: 'one' });
    await time.pass(2000);
    ada.disconnect();
    await screen.send({ text: 'waits' });
    time.now += 60_000;
    await ben.chat.write([say('two')]);
    ben.chat.markSeen(ben.chat.thread.said[0]!.id, ben.chat.thread.said[1]!.id);
    await time.pass(2000);
    ada.connect();
    ada.mute = true;
    await time.pass(5000);
    expect(texts(screen)).toEqual(['one', 'waits', 'two']);
    expect(delivered(screen)).toEqual([
      ['one', 'seen'],
      ['waits', 'waiting'],
    ]);
    ada.mute = false;
    await time.pass(60_000);
    expect(ben.texts).toEqual(['one', 'waits', 'two']);
    expect(delivered(screen)).toEqual([
      ['one', 'seen'],
      ['waits', 'sent'],
    ]);
    ben.chat.markSeen(ben.chat.thread.said[1]!.id);
    await time.pass(1000);
    expect(delivered(screen)).toEqual([
      ['one', 'seen'],
      ['waits', 'seen'],
    ]);
  });

  test('who has seen it is known after a reload, though they are not here any more', async () => {
    const [ada, ben] = [await device('Ada'), await (await device('Ben')).start()];
    const screen = await ada.show();
    for (const one of [ada, ben]) one.connect();
    await screen.send({ text: 'one' });
    await time.pass(2000);
    ben.chat.markSeen(ben.chat.thread.said[0]!.id);
    await time.pass(2000);
    ben.kill();
    ada.kill();
    const again = await ada.show();
    ada.connect();
    await time.pass(2000);
    expect(again.view.messages[0]!.delivery).toMatchObject({ at: 'seen', by: [expect.any(String)] });
  });

  test('whoever was away hears on coming back that theirs was read, however much else was', async () => {
    const [ada, ben] = [await device('Ada'), await (await device('Ben')).start()];
    const screen = await ada.show();
    for (const one of [ada, ben]) one.connect();
    await screen.send({ text: 'mine' });
    await time.pass(2000);
    ada.disconnect();
    const others = await Promise.all(
      Array.from({ length: MAX_TOLD + 2 }, async (_, i) => (await device(`P${i}`)).start()),
    );
    for (const one of others) one.connect();
    await time.pass(2000);
    ben.chat.markSeen(ben.chat.thread.said[0]!.id);
    for (const [i, one] of others.entries()) await one.chat.write([say(`of ${i}`)]);
    await time.pass(2000);
    for (const { id } of ben.chat.thread.said) ben.chat.markSeen(id);
    await time.pass(2000);
    expect(screen.view.messages[0]!.delivery).toEqual({ at: 'sent' });
    ada.connect();
    await time.pass(2000);
    expect(screen.view.messages.find(({ text }) => text === 'mine')!.delivery).toMatchObject({ at: 'seen' });
  });

  test('a deletion or reaction that could not be kept is said, and done when tried again', async () => {
    const ada = await device('Ada');
    const screen = await ada.show();
    ada.connect();
    await screen.send({ text: 'regretted' });
    await time.pass(2000);
    const { id } = screen.view.messages[0]!;
    for (const [what, act] of [
      ['reaction', () => screen.react(id, '🎂')],
      ['deletion', () => screen.remove(id)],
    ] as const) {
      const full = vi.spyOn(ada.keeper, 'write').mockRejectedValue(new Error('the disk is full'));
      act();
      await time.pass(2000);
      expect(screen.view).toMatchObject({ undone: what, messages: [{ deleted: false, text: 'regretted' }] });
      screen.redo();
      await time.pass(2000);
      expect(screen.view.undone).toBe(what);
      full.mockRestore();
      screen.redo();
      await time.pass(2000);
      expect(screen.view.undone).toBeNull();
      if (what === 'reaction') expect(screen.view.messages[0]!.reactions).toMatchObject([{ emoji: '🎂', mine: true }]);
    }
    expect(screen.view.messages).toMatchObject([{ deleted: true, text: '' }]);
  });

  test('a log that was set back is said in the words that name it', async () => {
    const [ada, ben] = [await device('Ada'), await (await device('Ben')).start()];
    const screen = await ada.show();
    for (const one of [ada, ben]) one.connect();
    for (const text of ['one', 'two', 'three']) await ben.chat.write([say(text)]);
    await time.pass(5000);
    expect(screen.view.alarms).toEqual([]);
    ada.disconnect();
    ben.disconnect();
    log.rollBack(1);
    ada.connect();
    await time.pass(5000);
    expect(screen.view.alarms.map(alarmWords)).toEqual([
      'The server shows an older state of this chat than this browser has seen. Messages may be missing.',
    ]);
    expect(texts(screen)).toEqual(['one', 'two', 'three']);
  });

  test('what was read fits into a whisper, whatever else is in it', async () => {
    const ben = await (await device('😀'.repeat(40))).start();
    const others = await Promise.all(
      Array.from({ length: MAX_TOLD + 2 }, async (_, i) => (await device(`P${i}`)).start()),
    );
    for (const one of [ben, ...others]) one.connect();
    for (const one of others) await one.chat.write([say('x')]);
    await time.pass(5000);
    const said = ben.chat.thread.said;
    ben.chat.markSeen(said[0]!.id, said.at(-1)!.id);
    expect(ben.chat.reading.told(null)).toHaveLength(MAX_TOLD);
    const id = 'x'.repeat(86);
    ben.chat.presence.note({ page: 0, from: id, to: id } as never);
    await time.pass(1000);
    const whispers = ben.wire.filter((sent) => sent.startsWith('{"body":"') && !sent.includes('"id"'));
    const largest = Math.max(...whispers.map((sent) => (sent.length * 3) / 4));
    expect(largest).toBeGreaterThan(1000);
    expect(largest).toBeLessThan(MAX_WHISPER_BYTES);
  });
});

describe('ranges', () => {
  const [ME, ADA, BEN] = ['me', 'ada', 'ben'];
  const entry = (
    author: string,
    sequence: number,
    body: object | string | null,
    more: Partial<ReadEntry> = {},
  ): ReadEntry => ({
    id: `${author} ${sequence}`,
    author,
    writer: 'w',
    sequence,
    previous: sequence === 0 ? '' : `${author} ${sequence - 1}`,
    at: sequence,
    body: typeof body === 'object' && body !== null ? JSON.stringify(body) : body,
    to: null,
    ...more,
  });
  const reaction = { is: 'react', of: 'x'.repeat(43), emoji: '👍', on: true };
  const world = (entries: ReadEntry[]) => {
    const thread = new Thread();
    for (const one of entries) thread.add(one);
    return { thread, reading: new Reading(thread, { self: ME, memory: null }) };
  };
  const unread = (reading: Reading) => reading.unread.map(({ id }) => id);

  test('take in what is nothing to be read, and never what is missing or may still be opened', () => {
    const { thread, reading } = world([
      entry(ADA, 0, say('a')),
      entry(ADA, 1, reaction),
      entry(ADA, 3, say('b')),
      entry(ADA, 4, null),
      entry(ADA, 5, say('c')),
      entry(ADA, 6, '', { to: ME }),
      entry(ADA, 7, say('d')),
    ]);
    reading.see('ada 0', 'ada 7');
    const ranges = () => reading.memory.all.flatMap(([, , of]) => of);
    // The reaction waits for what it follows upon.
    expect(ranges()).toEqual([
      [0, 0],
      [3, 3],
      [5, 7],
    ]);
    // They come after all.
    thread.add(entry(ADA, 2, say('missing')));
    thread.add(entry(ADA, 4, say('whose words were taken out')));
    thread.add(entry(ADA, 6, say('for me alone'), { to: ME }));
    expect(unread(reading)).toEqual(['ada 2', 'ada 4', 'ada 6']);
    for (const id of unread(reading)) reading.see(id, id);
    expect(ranges()).toEqual([[0, 7]]);
    expect(unread(new Reading(thread, { self: ME, memory: reading.memory }))).toEqual([]);
  });

  test('say nothing to others of what was between two', () => {
    const open = world([entry(ADA, 0, say('a')), entry(ADA, 1, say('for me'), { to: ME }), entry(ADA, 2, say('b'))]);
    const closed = world([entry(ADA, 0, say('a')), entry(ADA, 1, ''), entry(ADA, 2, say('b'))]);
    for (const { reading } of [open, closed]) reading.see('ada 0', 'ada 2');
    expect(open.reading.told(null)).toEqual(closed.reading.told(null));
    expect(open.reading.told(null)).toEqual([['ada 2', 2]]);
  });

  test('of others count where they name an entry of ours', () => {
    const { reading } = world([entry(ME, 0, say('mine')), entry(ME, 1, say('later')), entry(ADA, 0, say('hers'))]);
    expect(
      reading.heard(BEN, [
        ['ada 0', 5],
        ['unknown', 5],
      ]),
    ).toBe(false);
    expect(reading.memory.others).toEqual([]);
    expect(reading.heard(BEN, [['me 0', 1_000_000]])).toBe(true);
    expect(['me 0', 'me 1'].map((id) => reading.readersOf(id))).toEqual([[BEN], []]);
  });

  test('of several tabs are joined', () => {
    const { thread, reading } = world([
      entry(ADA, 0, say('a')),
      entry(ADA, 1, say('b')),
      entry(BEN, 0, say('c'), { at: 5 }),
    ]);
    const other = new Reading(thread, { self: ME, memory: null });
    reading.see('ada 0', 'ada 0');
    other.see('ada 1', 'ada 1');
    const both = readByAny([reading.memory, other.memory]);
    expect(unread(new Reading(thread, { self: ME, memory: both }))).toEqual(['ben 0']);
    expect(both.all).toEqual([[ADA, 'w', [[0, 1]]]]);
  });

  test('have an end: the oldest join, and chains go that nothing came to for long', () => {
    const { reading } = world([]);
    const thread = world([...Array(200).keys()].map((i) => entry(ADA, 2 * i, say('x')))).thread;
    const many = new Reading(thread, { self: ME, memory: null });
    for (const { id } of thread.said) many.see(id, id);
    expect(many.memory.all[0]![2]).toHaveLength(64);
    expect(unread(many)).toEqual([]);
    expect(reading.unread).toEqual([]);
    const own = new Thread();
    own.add(entry(ME, 0, say('mine')));
    const heard = new Reading(own, { self: ME, memory: null });
    for (let i = 0; i < 1200; i++) heard.heard(`reader ${i}`, [['me 0', 0]]);
    expect(heard.memory.others).toHaveLength(1000);
    expect(heard.readersOf('me 0')).toContain('reader 1199');
  });
});
