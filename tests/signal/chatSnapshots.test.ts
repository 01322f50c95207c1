/** Snapshots of a chat: offered by one, confirmed by another, in the place of what they cover. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChatHead } from '../../signal/protocol/chat.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { beginning, chainFrom, clear, draft, erasing, offer, snapshotOf, type Draft, write } from './chatting.ts';
import { type Client, create, join } from './client.ts';
import { randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let anna: Client;
let ben: Client;
let written: Draft[];
/** The chain at each item. */
let heads: ChatHead[];
beforeAll(async () => {
  server = await startApp();
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
  [anna, ben] = [(await join(url, meeting)).client, (await join(url, meeting)).client];
  await Promise.all([anna, ben].map((one) => one.request('chat.open', { after: 0 })));
  written = await write(anna, 6);
  const { items } = await ben.request('chat.read', { after: 0 });
  heads = items.map((_, index) => chainFrom(beginning(meeting), items.slice(0, index + 1)));
  heads.unshift(beginning(meeting));
  await ben.flushed();
  ben.pushes.length = 0;
});

const code = (client: Client, name: string, params: unknown) => client.codeOf(client.ask(name, params));
const confirm = (client: Client, { id }: { id: string }) =>
  client.codeOf(client.request('chat.confirm', { snapshot: id }));

describe('a snapshot', () => {
  test('is told to the others when its last part is there, and read part by part', async () => {
    const made = snapshotOf(heads[4]!, [randomText(256 * 1024), randomText(256 * 1024), randomText(5)]);
    await offer(anna, made);
    expect(await ben.nextPush('snapshot')).toEqual({ type: 'snapshot', snapshot: made.snapshot });
    for (const [part, body] of made.parts.entries()) {
      expect(await ben.request('chat.part', { snapshot: made.snapshot.id, part })).toEqual({ body });
    }
    expect(await code(ben, 'chat.part', { snapshot: made.snapshot.id, part: 3 })).toBe('chatUnknown');
    // Nothing has gone yet.
    expect((await ben.request('chat.read', { after: 0 })).items).toHaveLength(6);
    await anna.flushed();
    expect(anna.pushes).toEqual([]);
  });

  test('takes the place of the items that it covers once another has confirmed it', async () => {
    const made = snapshotOf(heads[4]!);
    await offer(anna, made);
    expect(await confirm(ben, made.snapshot)).toBe('accepted');
    expect(await anna.nextPush('snapshot')).toEqual({
      type: 'snapshot',
      snapshot: { ...made.snapshot, confirmed: true },
    });
    const carla = (await join(url, meeting)).client;
    const opened = await carla.request('chat.open', { after: 0 });
    expect(opened).toMatchObject({ base: heads[4], head: heads[6], snapshot: { ...made.snapshot, confirmed: true } });
    expect(opened.items.map(({ seq }) => seq)).toEqual([5, 6]);
    expect(opened.used).toBe(2 * 40 + 3070);
    expect(chainFrom(opened.base, opened.items)).toEqual(opened.head);
    expect(await carla.request('chat.part', { snapshot: made.snapshot.id, part: 1 })).toEqual({ body: made.parts[1] });
    // The log goes on from there.
    expect((await anna.request('chat.append', draft().append)).seq).toBe(7);
    // What it covers is gone: no error, whatever the token.
    await anna.request('chat.erase', { items: [erasing(1, randomText(32))] });
  });

  test('is not confirmed by the connection that offered it, whatever it claims', async () => {
    const made = snapshotOf(heads[4]!);
    await offer(anna, { ...made, snapshot: { ...made.snapshot, confirmed: true } });
    expect((await ben.nextPush('snapshot')).snapshot.confirmed).toBe(false);
    expect(await confirm(anna, made.snapshot)).toBe('notAllowed');
    expect((await ben.request('chat.open', { after: 0 })).snapshot).toBeNull();
    expect(await confirm(ben, made.snapshot)).toBe('accepted');
    expect(await confirm(ben, made.snapshot)).toBe('accepted');
  });

  test('that waits to be confirmed is told right behind the answer to whoever opens the chat', async () => {
    const made = snapshotOf(heads[4]!);
    await offer(anna, made);
    const carla = (await join(url, meeting)).client;
    expect((await carla.request('chat.open', { after: 0 })).snapshot).toBeNull();
    expect((await carla.nextPush('snapshot')).snapshot).toEqual(made.snapshot);
    expect(carla.heard.slice(-2)).toEqual(['answer chat.open', 'chat snapshot']);
    expect(await confirm(carla, made.snapshot)).toBe('accepted');
  });

  test('takes the place of an older one, of one that nobody has confirmed, and of itself made smaller', async () => {
    const [first, second, third] = [snapshotOf(heads[2]!), snapshotOf(heads[4]!), snapshotOf(heads[5]!)];
    await offer(anna, first);
    expect(await confirm(ben, first.snapshot)).toBe('accepted');
    await offer(anna, second);
    await offer(ben, third);
    expect(await confirm(ben, second.snapshot)).toBe('chatUnknown');
    expect(await code(ben, 'chat.part', { snapshot: second.snapshot.id, part: 0 })).toBe('chatUnknown');
    // The confirmed one stays until then.
    await ben.request('chat.part', { snapshot: first.snapshot.id, part: 0 });
    expect(await confirm(anna, third.snapshot)).toBe('accepted');
    expect(await code(ben, 'chat.part', { snapshot: first.snapshot.id, part: 0 })).toBe('chatUnknown');
    const smaller = snapshotOf(heads[5]!, [randomText(10)]);
    await offer(anna, smaller);
    expect(await confirm(ben, smaller.snapshot)).toBe('accepted');
    const { base, items, used, snapshot } = await ben.request('chat.open', { after: 0 });
    expect({ base, used, snapshot }).toEqual({
      base: heads[5],
      used: 40 + 10,
      snapshot: { ...smaller.snapshot, confirmed: true },
    });
    expect(items.map(({ seq }) => seq)).toEqual([6]);
  });

  test('goes when one of the bodies that it holds is erased before it is confirmed', async () => {
    const made = snapshotOf(heads[4]!);
    await offer(anna, made);
    await anna.request('chat.erase', { items: [erasing(6, written[5]!.token)] });
    await ben.request('chat.part', { snapshot: made.snapshot.id, part: 0 });
    await anna.request('chat.erase', { items: [erasing(3, written[2]!.token)] });
    expect(await confirm(ben, made.snapshot)).toBe('chatUnknown');
    const half = snapshotOf(heads[4]!);
    await anna.request('chat.offer', { snapshot: half.snapshot });
    await anna.request('chat.erase', { items: [erasing(4, written[3]!.token)] });
    const part = { snapshot: half.snapshot.id, part: 0, body: half.parts[0] };
    expect(await code(anna, 'chat.offerPart', part)).toBe('chatUnknown');
  });

  test('may be confirmed by any once the connection that offered it is gone', async () => {
    const made = snapshotOf(heads[4]!);
    await offer(anna, made);
    await anna.request('chat.close', {});
    await anna.request('chat.open', { after: 0 });
    expect(await confirm(anna, made.snapshot)).toBe('accepted');
  });
});

describe('a hostile offer', () => {
  test('that covers nothing of this log is refused', async () => {
    await anna.request('chat.erase', { items: [erasing(2, written[1]!.token)] });
    for (const covers of [
      heads[0]!,
      { seq: 3, hash: heads[4]!.hash },
      { seq: 7, hash: randomText(32) },
      { seq: 4, hash: randomText(32) },
      { seq: Number.MAX_SAFE_INTEGER, hash: heads[6]!.hash },
    ]) {
      expect(await code(anna, 'chat.offer', { snapshot: snapshotOf(covers).snapshot })).toBe('chatUnknown');
    }
    const done = snapshotOf(heads[4]!);
    await offer(anna, done);
    expect(await confirm(ben, done.snapshot)).toBe('accepted');
    // Behind the base, or with the id of the one that is there.
    for (const snapshot of [
      snapshotOf(heads[3]!).snapshot,
      { ...snapshotOf(heads[6]!).snapshot, id: done.snapshot.id },
    ]) {
      expect(await code(ben, 'chat.offer', { snapshot })).toBe('chatUnknown');
    }
  });

  test('does not bring back what was cleared', async () => {
    const [half, before] = [snapshotOf(heads[6]!), snapshotOf(heads[6]!)];
    await anna.request('chat.offer', { snapshot: half.snapshot });
    await clear(anna, meeting);
    const part = { snapshot: half.snapshot.id, part: 0, body: half.parts[0] };
    expect(await code(anna, 'chat.offerPart', part)).toBe('chatUnknown');
    expect(await code(anna, 'chat.offer', { snapshot: before.snapshot })).toBe('chatUnknown');
  });

  test('whose parts do not come to its hash is gone', async () => {
    const made = snapshotOf(heads[4]!);
    const snapshot = { ...made.snapshot, hash: randomText(32) };
    expect(await anna.codeOf(offer(anna, { ...made, snapshot }))).toBe('badRequest');
    expect(await confirm(ben, snapshot)).toBe('chatUnknown');
    await ben.flushed();
    expect(ben.pushes).toEqual([]);
  });

  test('of parts out of order, twice, too many, or by another connection, is refused, and the right one still counts', async () => {
    const made = snapshotOf(heads[4]!, [randomText(10), randomText(11)]);
    const { id } = made.snapshot;
    const part = (number: number, body = made.parts[number] ?? 'AAAA') => ({ snapshot: id, part: number, body });
    expect(await code(anna, 'chat.offerPart', part(0))).toBe('chatUnknown');
    await anna.request('chat.offer', { snapshot: made.snapshot });
    expect(await code(ben, 'chat.offerPart', part(0))).toBe('chatUnknown');
    expect(await code(anna, 'chat.offerPart', part(1))).toBe('badRequest');
    await anna.request('chat.offerPart', part(0));
    expect(await code(anna, 'chat.offerPart', part(0))).toBe('badRequest');
    expect(await code(anna, 'chat.offerPart', part(2))).toBe('badRequest');
    expect(await code(anna, 'chat.offerPart', part(1, 'AB'))).toBe('badRequest');
    // Not whole: nobody gets it.
    expect(await code(ben, 'chat.part', { snapshot: id, part: 0 })).toBe('chatUnknown');
    expect(await confirm(ben, { id })).toBe('chatUnknown');
    await anna.request('chat.offerPart', part(1));
    expect(await code(anna, 'chat.offerPart', part(2))).toBe('badRequest');
    expect(await confirm(ben, { id })).toBe('accepted');
  });
});
