/** The chat's log over real sockets: written, read, chained, erased. */
import { numbers } from '../crypto/seeded.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { beginning, chainFrom, draft, write, erasing } from './chatting.ts';
import { admit, type Client, create, join } from './client.ts';
import { hashOfBytes, randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let anna: Client;
let ben: Client;
beforeAll(async () => {
  server = await startApp();
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
  [anna, ben] = [(await join(url, meeting)).client, (await join(url, meeting)).client];
});

const openBoth = () => Promise.all([anna, ben].map((one) => one.request('chat.open', { after: 0 })));

describe('a chat', () => {
  test('begins empty, at the hash that its meeting begins with, and says the server’s terms', async () => {
    expect(await anna.request('chat.open', { after: 0 })).toEqual({
      base: beginning(meeting),
      deleted: 0,
      head: beginning(meeting),
      items: [],
      snapshot: null,
      state: null,
      keepDays: 30,
      used: 0,
      quota: 64 * 1024 * 1024,
    });
  });

  test('tells an item to everybody else who has it open, and its author the number alone', async () => {
    await openBoth();
    const before = Date.now();
    const { append } = draft();
    const { seq, at } = await anna.request('chat.append', append);
    expect(seq).toBe(1);
    expect(at).toBeGreaterThanOrEqual(before);
    const hash = hashOfBytes(append.body);
    expect(await ben.nextPush('items')).toEqual({ type: 'items', items: [{ seq, at, hash, body: append.body }] });
    await anna.flushed();
    expect(anna.pushes).toEqual([]);
  });

  test('has one order for all, and the chain that anybody can work out', async () => {
    await openBoth();
    const both = [anna, ben].map(async (one) => write(one, 20));
    const written = (await Promise.all(both)).flat();
    await Promise.all([anna.flushed(), ben.flushed()]);
    const carla = (await join(url, meeting)).client;
    const { items, head, used } = await carla.request('chat.open', { after: 0 });
    expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(items.map(({ body }) => body).sort()).toEqual(written.map(({ append }) => append.body).sort());
    for (const { body, hash } of items) expect(hash).toBe(hashOfBytes(body!));
    expect(head).toEqual(chainFrom(beginning(meeting), items));
    expect(used).toBe(40 * 40);
    for (const [one, other] of [
      [anna, 'ben'],
      [ben, 'anna'],
    ] as const) {
      const heard = one.pushes.flatMap((push) => (push.type === 'items' ? push.items : []));
      expect(heard, `what ${other} wrote`).toHaveLength(20);
      for (const item of heard) expect(items[item.seq - 1]).toEqual(item);
    }
  });

  test('gives whoever opens it in the middle of writing every item once', async () => {
    await openBoth();
    const writing = write(anna, 40);
    const carla = (await join(url, meeting)).client;
    const { items, head } = await carla.request('chat.open', { after: 0 });
    expect(items.at(-1)?.seq ?? 0).toBe(head.seq);
    await writing;
    await anna.flushed();
    await carla.flushed();
    const pushed = carla.pushes.flatMap((push) => (push.type === 'items' ? push.items : []));
    const seqs = [...items, ...pushed].map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });

  test('is answered as before where the same id comes again, and has the item once', async () => {
    await openBoth();
    const { append } = draft();
    const first = await anna.request('chat.append', append);
    await write(anna, 1);
    expect(await anna.request('chat.append', append)).toEqual(first);
    // Over another connection, as after a lost answer.
    expect(await ben.request('chat.append', append)).toEqual(first);
    const { head } = await ben.request('chat.read', { after: 0 });
    expect(head.seq).toBe(2);
    await ben.flushed();
    expect(ben.heard.filter((one) => one === 'chat items')).toHaveLength(2);
  });

  test('adds an item once whose answer is lost on the way', async () => {
    await openBoth();
    const { append } = draft();
    void anna.request('chat.append', append).catch(() => undefined);
    anna.socket.close();
    await anna.closed;
    const again = (await join(url, meeting)).client;
    await again.request('chat.open', { after: 0 });
    await again.request('chat.append', append);
    expect((await ben.request('chat.read', { after: 0 })).head.seq).toBe(1);
  });

  test('is read in pages of at most 1,000 items and 512 KiB', async () => {
    await openBoth();
    const large = randomText(64 * 1024);
    await write(anna, 20, () => draft(large));
    const first = await ben.request('chat.read', { after: 0 });
    expect(first.items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect((await ben.request('chat.read', { after: 8 })).items).toHaveLength(8);
    const last = await ben.request('chat.read', { after: 16 });
    expect(last.items.map(({ seq }) => seq)).toEqual([17, 18, 19, 20]);
    expect(last.head).toEqual(chainFrom(beginning(meeting), Array(20).fill(first.items[0])));
    expect((await ben.request('chat.read', { after: 20 })).items).toEqual([]);
    expect((await ben.request('chat.read', { after: 1_000_000 })).items).toEqual([]);
    expect((await ben.request('chat.open', { after: 19 })).items).toHaveLength(1);
  });

  test('is of one meeting alone', async () => {
    await openBoth();
    await write(anna, 1);
    const other = new TestMeeting();
    await create(url, other);
    const dora = (await join(url, other)).client;
    expect((await dora.request('chat.open', { after: 0 })).items).toEqual([]);
    await write(anna, 1);
    await write(dora, 1);
    await Promise.all([ben.flushed(), dora.flushed()]);
    expect(dora.pushes).toEqual([]);
    expect((await dora.request('chat.read', { after: 0 })).head).not.toEqual(
      (await ben.request('chat.read', { after: 0 })).head,
    );
  });
});

describe('a whisper', () => {
  test('goes to the others who have the chat open, and is not kept', async () => {
    await openBoth();
    const body = randomText(100);
    await anna.request('chat.whisper', { body });
    expect(await ben.nextPush('whisper')).toEqual({ type: 'whisper', body });
    await anna.flushed();
    expect(anna.pushes).toEqual([]);
    expect((await ben.request('chat.open', { after: 0 })).items).toEqual([]);
    await ben.flushed();
    expect(ben.pushes).toEqual([]);
  });
});

describe('erasing', () => {
  test('takes the body and leaves hash and chain; the others are told', async () => {
    await openBoth();
    const [one, two] = await write(anna, 3);
    const before = await ben.request('chat.read', { after: 0 });
    await anna.request('chat.erase', { items: [erasing(1, one!.token)] });
    await anna.request('chat.erase', { items: [erasing(2, two!.token)] });
    expect(await ben.nextPush('erased')).toEqual({ type: 'erased', seqs: [1] });
    expect(await ben.nextPush('erased')).toEqual({ type: 'erased', seqs: [2] });
    const after = await ben.request('chat.open', { after: 0 });
    expect(after.head).toEqual(before.head);
    expect(after.items.map(({ body }, i) => body === before.items[i]!.body)).toEqual([false, false, true]);
    expect(after.items.map(({ hash }) => hash)).toEqual(before.items.map(({ hash }) => hash));
    expect(after.used).toBe(60);
    expect(chainFrom(after.base, after.items)).toEqual(after.head);
  });

  test('leaves what the author puts in the place of it, which is no larger, and only once', async () => {
    await openBoth();
    const [one] = await write(anna, 2);
    const [{ hash } = { hash: '' }] = (await ben.request('chat.read', { after: 0 })).items;
    const erase = (body: string) => anna.request('chat.erase', { items: [{ ...erasing(1, one!.token), body }] });
    expect(await anna.codeOf(erase(randomText(41)))).toBe('badRequest');
    expect(await anna.codeOf(erase(`${randomText(20)}AA`))).toBe('badRequest');
    const rest = randomText(20);
    await erase(rest);
    await erase(randomText(20));
    const after = await ben.request('chat.open', { after: 0 });
    expect(after.items[0]).toMatchObject({ body: rest, hash, replaced: true });
    expect(after.items[1]).not.toHaveProperty('replaced');
    expect(chainFrom(after.base, after.items)).toEqual(after.head);
  });

  test('is done by whoever has the token, over any connection, and again it is no error', async () => {
    await openBoth();
    const [{ token } = { token: '' }] = await write(anna, 1);
    await ben.request('chat.erase', { items: [erasing(1, token)] });
    await anna.nextPush('erased');
    await anna.request('chat.erase', { items: [erasing(1, token)] });
    await ben.flushed();
    expect(ben.heard).not.toContain('chat erased');
  });

  test('erases nothing where one of the tokens does not fit', async () => {
    await openBoth();
    const [one, two] = await write(anna, 2);
    const right = [one, two].map((item, index) => erasing(index + 1, item!.token));
    const refused = [
      [erasing(1, randomText(32))],
      [erasing(1, two!.token)],
      [erasing(1, one!.append.erase)],
      [erasing(3, one!.token)],
      [...right, erasing(2, one!.token)],
    ];
    for (const items of refused) {
      expect(await ben.codeOf(ben.request('chat.erase', { items }))).toBe('chatUnknown');
    }
    expect((await ben.request('chat.read', { after: 0 })).items.every(({ replaced }) => !replaced)).toBe(true);
    await ben.request('chat.erase', { items: right });
    expect((await anna.nextPush('erased')).seqs).toEqual([1, 2]);
  });

  test('leaves an item with the same id known: it is not added again', async () => {
    await openBoth();
    const [{ append, token } = draft()] = await write(anna, 1);
    await anna.request('chat.erase', { items: [erasing(1, token)] });
    expect((await anna.request('chat.append', append)).seq).toBe(1);
    expect((await ben.request('chat.read', { after: 0 })).items).toMatchObject([{ seq: 1, replaced: true }]);
  });
});

describe('what does not fit', () => {
  test('is refused, and the connection goes on', async () => {
    await openBoth();
    const good = draft().append;
    const bad: [string, unknown][] = [
      ['chat.append', { ...good, body: '' }],
      ['chat.append', { ...good, body: 'A'.repeat(87_383) }],
      ['chat.append', { ...good, body: 'not base64url!' }],
      // Ends in bits that stand for nothing, or in half a byte.
      ['chat.append', { ...good, body: 'AB' }],
      ['chat.append', { ...good, body: 'AAAAA' }],
      ['chat.append', { ...good, id: randomText(15) }],
      ['chat.append', { ...good, erase: randomText(33) }],
      ['chat.append', { body: good.body }],
      ['chat.read', { after: -1 }],
      ['chat.read', { after: 0.5 }],
      ['chat.read', { after: '0' }],
      ['chat.read', { after: 2 ** 60 }],
      ['chat.erase', { items: [] }],
      ['chat.erase', { items: Array(65).fill(erasing(1, randomText(32))) }],
      ['chat.erase', { items: [erasing(0, randomText(32))] }],
      ['chat.whisper', { body: 'A'.repeat(2732) }],
      ['chat.part', { snapshot: randomText(16), part: -1 }],
      ['chat.confirm', { snapshot: '' }],
    ];
    for (const [name, params] of bad) {
      expect(await anna.codeOf(anna.ask(name, params)), `${name} ${JSON.stringify(params).slice(0, 60)}`).toBe(
        'badRequest',
      );
    }
    expect((await anna.request('chat.append', good)).seq).toBe(1);
  });

  test('whatever it is, ends neither server nor chat', async () => {
    await openBoth();
    const seed = Number(process.env['PARLEY_SEED'] ?? Date.now() % 1_000_000);
    // Drawn anew each time: the line is what makes a failure repeatable.
    console.log(`chat messages, seed ${seed}`);
    const next = numbers(seed);
    const random = (below: number) => Math.floor(next() * below);
    const names = ['open', 'read', 'part', 'append', 'erase', 'whisper', 'offer', 'offerPart', 'confirm', 'close'];
    const fields = ['after', 'id', 'body', 'erase', 'items', 'snapshot', 'part', 'seq', 'token', 'covers', '__proto__'];
    const leaves = [0, -1, 1, 2 ** 53, null, '', randomText(16), randomText(32), 'é', true, [], {}];
    const value = (depth: number): unknown =>
      depth === 0 || random(3) > 0
        ? leaves[random(leaves.length)]
        : Object.fromEntries([0, 1, 2].map(() => [fields[random(fields.length)], value(depth - 1)]));
    const codes = new Set<string>();
    const fresh = async () => {
      const { client } = await admit(url, meeting);
      await client.request('chat.open', { after: 0 });
      return client;
    };
    let fuzzer = await fresh();
    for (let i = 0; i < 250; i++) {
      const params = Object.fromEntries([0, 1, 2, 3].map(() => [fields[random(fields.length)], value(3)]));
      const name = `chat.${names[random(names.length)]}`;
      codes.add(await fuzzer.codeOf(fuzzer.ask(name, params)));
      if (i % 50 === 49) fuzzer = await fresh();
    }
    const expected = ['accepted', 'badRequest', 'outOfOrder', 'tooMany', 'chatUnknown'];
    expect([...codes].filter((code) => !expected.includes(code))).toEqual([]);
    await write(anna, 1);
    await ben.nextPush('items');
  });
});
