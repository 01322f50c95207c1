/** What is deleted is gone: for whoever reads the chat, and for whoever takes the disk. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChatTerms, Signed } from '../../signal/protocol/documents.ts';
import { createMeeting } from '../../signal/meeting/hosting.ts';
import { startApp } from '../support/startApp.ts';
import { beginning, chainFrom, clear, draft, offer, snapshotOf, write, erasing } from './chatting.ts';
import { admit, type Client, create, join, type Person } from './client.ts';
import { type Harness, startSignal } from './harness.ts';
import { labels, randomText, signed, TestMeeting } from './keys.ts';

const DAY_MS = 86_400_000;
let folder: string;
let signal: Harness;
let meeting: TestMeeting;
let anna: Person;
let ben: Person;
let clock = 0;
const terms = (keepDays: number): ChatTerms => ({ newcomers: { see: 'all' }, keepDays });

beforeEach(async () => {
  clock = 0;
  folder = await mkdtemp(joinPath(tmpdir(), 'parley-chat-'));
  signal = await startSignal({ now: () => Date.now() + clock, file: joinPath(folder, 'parley.sqlite') });
  await meet(new TestMeeting());
});
afterEach(async () => {
  await signal.close();
  await rm(folder, { recursive: true });
});

async function meet(of: TestMeeting): Promise<void> {
  meeting = of;
  await createMeeting(signal.service, meeting.terms());
  [anna, ben] = [await join(signal.url, meeting), await join(signal.url, meeting)];
  await Promise.all([anna, ben].map(({ client }) => client.request('chat.open', { after: 0 })));
}

/** Whether any file of the database holds this text, or the bytes that it stands for. */
async function isOnDisk(body: string): Promise<boolean> {
  const forms = [Buffer.from(body), Buffer.from(body, 'base64url')];
  for (const name of await readdir(folder)) {
    const bytes = await readFile(joinPath(folder, name));
    // A piece of it is as bad: a page holds 4 KiB.
    for (const form of forms)
      for (let at = 0; at + 24 <= form.length; at += 1000) if (bytes.includes(form.subarray(at, at + 24))) return true;
  }
  return false;
}
async function ticked(): Promise<void> {
  signal.service.tick();
  await signal.store.ping();
}
const read = async (client: Client) => client.request('chat.read', { after: 0 });
const order = (action: Parameters<TestMeeting['command']>[0]) =>
  anna.client.request('host.command', { command: meeting.command(action) });

/** From one that fits a row to one that fills pages of its own. */
const bodies = () => [30, 3000, 64 * 1024].map(randomText);

describe('no byte of a body is on the disk', () => {
  test('after it was erased, though it was while it was there', async () => {
    const drafts = bodies().map(draft);
    for (const { append } of drafts) await anna.client.request('chat.append', append);
    const kept = await write(anna.client, 3);
    for (const { append } of drafts) expect(await isOnDisk(append.body)).toBe(true);
    // One of them leaves something in its place.
    const items = drafts.map(({ token }, index) => erasing(index + 1, token));
    await anna.client.request('chat.erase', { items: [{ ...items[0]!, body: randomText(20) }, ...items.slice(1)] });
    await ticked();
    for (const { append } of drafts) expect(await isOnDisk(append.body)).toBe(false);
    for (const { append } of kept) expect(await isOnDisk(append.body)).toBe(true);
  });

  test('after a host has cleared the chat, snapshots included; all are told, and it goes on', async () => {
    const [item, ...parts] = bodies();
    await anna.client.request('chat.append', draft(item).append);
    const { head } = await read(anna.client);
    const [confirmed, offered] = [snapshotOf(head, [parts[0]!]), snapshotOf(head, [parts[1]!])];
    await offer(anna.client, confirmed);
    await ben.client.request('chat.confirm', { snapshot: confirmed.snapshot.id });
    await offer(anna.client, offered);
    for (const body of parts) expect(await isOnDisk(body)).toBe(true);
    const state = meeting.cleared(head);
    await anna.client.request('host.state', { state });
    expect(anna.client.heard.slice(-1)).toEqual(['chat cleared']);
    expect(await ben.client.nextPush('cleared')).toEqual({ type: 'cleared', base: head, state });
    await ticked();
    for (const body of [item!, ...parts]) expect(await isOnDisk(body)).toBe(false);
    expect(await ben.client.request('chat.open', { after: 0 })).toMatchObject({
      base: head,
      deleted: head.seq,
      head,
      items: [],
      snapshot: null,
      state,
      used: 0,
    });
    expect((await anna.client.request('chat.append', draft().append)).seq).toBe(2);
  });

  test('after a snapshot has taken its place, or another that of the snapshot', async () => {
    const [item, first, second] = bodies();
    await anna.client.request('chat.append', draft(item).append);
    const { head } = await read(anna.client);
    for (const part of [first!, second!]) {
      const made = snapshotOf(head, [part]);
      await offer(anna.client, made);
      await ben.client.request('chat.confirm', { snapshot: made.snapshot.id });
    }
    await ticked();
    expect(await Promise.all([item!, first!, second!].map(isOnDisk))).toEqual([false, false, true]);
  });

  test('after it has become too old', async () => {
    const drafts = bodies().map(draft);
    for (const { append } of drafts) await anna.client.request('chat.append', append);
    clock += 31 * DAY_MS;
    await signal.service.sweep();
    await ticked();
    for (const { append } of drafts) expect(await isOnDisk(append.body)).toBe(false);
  });

  test('after the meeting has ended, which ends the connections too', async () => {
    const drafts = bodies().map(draft);
    for (const { append } of drafts) await anna.client.request('chat.append', append);
    const { client } = await admit(signal.url, meeting);
    await client.request('chat.open', { after: 0 });
    await order({ action: 'end' });
    expect((await ben.client.closed).code).toBe(4410);
    expect((await client.closed).code).toBe(4410);
    await ticked();
    for (const { append } of drafts) expect(await isOnDisk(append.body)).toBe(false);
    expect(await signal.store.chat.find(meeting.id)).toBeNull();
  });

  test('nor after the next start, where a process ended before it had scrubbed', async () => {
    const { append, token } = draft(bodies()[1]);
    await anna.client.request('chat.append', append);
    await anna.client.request('chat.erase', { items: [erasing(1, token)] });
    // As a crash leaves it: the log is there, and holds what the database does not.
    expect(await isOnDisk(append.body)).toBe(true);
    const next = await startSignal({ now: Date.now, file: joinPath(folder, 'parley.sqlite') });
    expect(await isOnDisk(append.body)).toBe(false);
    await next.close();
  });
});

describe('what is kept for so many days', () => {
  test('is dropped after that and not before; the rest stays, and the chain holds', async () => {
    await write(anna.client, 3);
    clock += 10 * DAY_MS;
    await write(anna.client, 2);
    const before = await read(ben.client);
    clock += 20 * DAY_MS - 60_000;
    await signal.service.sweep();
    expect(await read(ben.client)).toEqual(before);
    clock += 120_000;
    await signal.service.sweep();
    const { base } = await ben.client.nextPush('cleared');
    expect(base).toEqual(chainFrom(beginning(meeting), before.items.slice(0, 3)));
    const after = await read(ben.client);
    expect(after).toEqual({ base, deleted: base.seq, head: before.head, items: before.items.slice(3) });
    expect(chainFrom(base, after.items)).toEqual(after.head);
    expect((await ben.client.request('chat.open', { after: 0 })).used).toBe(80);
  });

  test('follows the hosts’ newest word, else the record', async () => {
    const other = new TestMeeting();
    other.settings = { ...other.settings, chat: terms(90) };
    await meet(other);
    expect((await anna.client.request('chat.open', { after: 0 })).keepDays).toBe(90);
    await write(anna.client, 1);
    clock += 80 * DAY_MS;
    await signal.service.sweep();
    expect((await read(anna.client)).items).toHaveLength(1);
    await anna.client.request('host.state', { state: meeting.state({ version: 2, chat: terms(7) }) });
    expect((await anna.client.request('chat.open', { after: 0 })).keepDays).toBe(7);
    await signal.service.sweep();
    expect((await read(anna.client)).items).toEqual([]);
  });

  test('a snapshot is as old as the newest that it covers', async () => {
    await write(anna.client, 2);
    const { head } = await read(anna.client);
    clock += 20 * DAY_MS;
    const made = snapshotOf(head);
    await offer(anna.client, made);
    await ben.client.request('chat.confirm', { snapshot: made.snapshot.id });
    clock += 9 * DAY_MS;
    await signal.service.sweep();
    expect((await ben.client.request('chat.open', { after: 0 })).snapshot).not.toBeNull();
    clock += 2 * DAY_MS;
    await signal.service.sweep();
    expect((await ben.client.nextPush('cleared')).base).toEqual(head);
    expect((await ben.client.request('chat.open', { after: 0 })).snapshot).toBeNull();
  });
});

describe('what is kept until everybody has left', () => {
  beforeEach(async () => {
    const other = new TestMeeting();
    other.settings = { ...other.settings, chat: terms(0) };
    await meet(other);
  });

  test('stays while one is there, however long, and goes with the last one', async () => {
    await write(anna.client, 2);
    const { client } = await admit(signal.url, meeting);
    await client.request('chat.open', { after: 0 });
    await anna.client.request('meeting.leave', {});
    clock += 3 * DAY_MS;
    signal.service.tick();
    await signal.service.sweep();
    expect((await read(client)).items).toHaveLength(2);
    ben.client.cut();
    await expect.poll(() => signal.service.live(meeting.id).room.peers.get(ben.peer)?.presence.at).toBe('away');
    clock += 31_000;
    signal.service.tick();
    signal.service.tick();
    const { base } = await client.nextPush('cleared');
    expect(base.seq).toBe(2);
    expect(await read(client)).toEqual({ base, deleted: 2, head: base, items: [] });
  });

  test('stays for a day where only the lobby writes', async () => {
    for (const { client } of [anna, ben]) await client.request('meeting.leave', {});
    signal.service.tick();
    const { client } = await admit(signal.url, meeting);
    await client.request('chat.open', { after: 0 });
    await write(client, 1);
    clock += DAY_MS - 60_000;
    await signal.service.sweep();
    expect((await read(client)).items).toHaveLength(1);
    clock += 120_000;
    await signal.service.sweep();
    expect((await read(client)).items).toEqual([]);
  });

  test('goes in no other meeting when everybody leaves', async () => {
    const other = new TestMeeting();
    await meet(other);
    await write(anna.client, 1);
    for (const { client } of [anna, ben]) await client.request('meeting.leave', {});
    signal.service.tick();
    const { client } = await admit(signal.url, other);
    expect((await client.request('chat.open', { after: 0 })).items).toHaveLength(1);
  });
});

describe('a host’s word to clear', () => {
  const say = (client: Client, state: Signed) => client.codeOf(client.request('host.state', { state }));

  test('counts by the host’s signature alone, whoever hands it in, and again changes nothing', async () => {
    await write(anna.client, 1);
    const { head } = await read(anna.client);
    const other = new TestMeeting();
    // Of another host, of another meeting by this host's name, and by another key.
    for (const state of [
      other.cleared(head),
      signed(labels.hostState, { ...JSON.parse(meeting.cleared(head).body), meeting: other.id }, meeting.host),
      meeting.cleared(head, other.host),
    ])
      expect(await say(ben.client, state)).toBe('notAllowed');
    expect((await read(anna.client)).items).toHaveLength(1);
    const state = meeting.cleared(head);
    expect(await say(ben.client, state)).toBe('accepted');
    expect((await read(anna.client)).items).toEqual([]);
    await write(anna.client, 1);
    expect(await say(ben.client, state)).toBe('accepted');
    // A later one that says the same of the log.
    expect(await say(ben.client, meeting.cleared(head))).toBe('accepted');
    expect(await say(ben.client, state)).toBe('badRequest');
    expect((await read(anna.client)).items).toHaveLength(1);
    await anna.client.flushed();
    expect(anna.client.heard.filter((one) => one === 'chat cleared')).toHaveLength(1);
  });

  test('deletes what the host has seen, and nothing that came after it', async () => {
    await write(anna.client, 5);
    const { items, head } = await read(anna.client);
    await offer(anna.client, snapshotOf(head));
    const seen = chainFrom(beginning(meeting), items.slice(0, 3));
    await anna.client.request('host.state', { state: meeting.cleared(seen) });
    const after = await ben.client.request('chat.open', { after: 0 });
    expect(after).toMatchObject({ base: seen, deleted: 3, head, items: items.slice(3), used: 80 });
    expect(chainFrom(after.base, after.items)).toEqual(head);
    // What was offered held what is gone.
    expect(await ben.client.codeOf(ben.client.request('chat.confirm', { snapshot: 'A'.repeat(22) }))).toBe(
      'chatUnknown',
    );
    expect((await signal.store.chat.snapshots(meeting.id)).offered).toBeNull();
  });

  test('about another log, or one that goes further, deletes nothing', async () => {
    await write(anna.client, 3);
    const before = await read(anna.client);
    const { seq, hash } = before.head;
    for (const upTo of [
      { seq, hash: randomText(32) },
      { seq: seq - 1, hash },
      { seq: seq + 1, hash },
      { seq: 0, hash: randomText(32) },
    ])
      await anna.client.request('host.state', { state: meeting.cleared(upTo) });
    expect(await read(anna.client)).toEqual(before);
  });

  test('that a process could not carry out before it ended is carried out when the chat is opened, or within the hour', async () => {
    for (const isOpened of [true, false]) {
      await write(anna.client, 2);
      const { head } = await read(anna.client);
      const state = meeting.cleared(head);
      await signal.store.meetings.saveHostState(meeting.id, JSON.parse(state.body).version, state);
      if (isOpened) await ben.client.request('chat.open', { after: 0 });
      else {
        clock += DAY_MS + 60_000;
        await signal.service.sweep();
      }
      expect(await read(anna.client)).toMatchObject({ base: head, deleted: head.seq, items: [] });
      expect(await ben.client.nextPush('cleared')).toEqual({ type: 'cleared', base: head, state });
    }
  });

  test('is shown to whoever comes later, after a restart too, and dies with the meeting', async () => {
    const file = joinPath(folder, 'restarted.sqlite');
    const first = await startSignal({ now: () => Date.now() + clock, file });
    await createMeeting(first.service, meeting.terms());
    const host = await join(first.url, meeting);
    await host.client.request('chat.open', { after: 0 });
    await write(host.client, 2);
    const upTo = await clear(host.client, meeting);
    await first.close();
    const second = await startSignal({ now: () => Date.now() + clock, file });
    const { client } = await admit(second.url, meeting);
    const { state, deleted } = await client.request('chat.open', { after: 0 });
    expect([JSON.parse(state!.body).cleared, deleted]).toEqual([upTo, 2]);
    const again = await join(second.url, meeting);
    await again.client.request('host.command', { command: meeting.command({ action: 'end' }) });
    expect((await client.closed).code).toBe(4410);
    expect(await admit(second.url, meeting).catch((error: unknown) => error)).toBeInstanceOf(Error);
    await second.close();
  });
});

test('a server that starts anew has all that was written, erased and confirmed', async () => {
  const server = await startApp();
  await create(server.url, meeting);
  const open = async () => {
    const { client } = await admit(server.url, meeting);
    return { client, opened: await client.request('chat.open', { after: 0 }) };
  };
  const [one, two] = [(await open()).client, (await open()).client];
  const drafts = await write(one, 5);
  await one.request('chat.erase', { items: [erasing(4, drafts[3]!.token)] });
  const { items } = await read(one);
  const [confirmed, offered] = [1, 2].map((count) => snapshotOf(chainFrom(beginning(meeting), items.slice(0, count))));
  await offer(one, confirmed!);
  await two.request('chat.confirm', { snapshot: confirmed!.snapshot.id });
  await offer(one, offered!);
  const before = (await open()).opened;
  await server.restart();
  const { client, opened } = await open();
  expect(opened).toEqual(before);
  expect((await client.nextPush('snapshot')).snapshot).toEqual(offered!.snapshot);
  expect(await client.request('chat.append', drafts[4]!.append)).toMatchObject({ seq: 5 });
  const { seq } = await client.request('chat.append', draft().append);
  const after = await read(client);
  expect(seq).toBe(6);
  expect(chainFrom(after.base, after.items)).toEqual(after.head);
  await server.close();
});
