/** Who may use a chat, and from when on no more. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMeeting } from '../../signal/meeting/hosting.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { draft, write, erasing } from './chatting.ts';
import { admit, Client, create, join, type Person, proveLink } from './client.ts';
import { startSignal } from './harness.ts';
import { labels, newLeaf, proofText, randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let anna: Person;
beforeAll(async () => {
  server = await startApp();
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
  anna = await join(url, meeting);
  await anna.client.request('chat.open', { after: 0 });
});

const open = (client: Client) => client.request('chat.open', { after: 0 });
const order = (action: Parameters<TestMeeting['command']>[0]) =>
  anna.client.request('host.command', { command: meeting.command(action) });

describe('a connection', () => {
  test('that has proven the link alone gets nothing of the chat', async () => {
    const client = await Client.connect(url);
    expect(await client.codeOf(client.ask('chat.open', { after: 0 }))).toBe('outOfOrder');
    await proveLink(client, meeting);
    for (const [name, params] of [
      ['chat.open', { after: 0 }],
      ['chat.append', draft().append],
      ['chat.close', {}],
    ] as const) {
      expect(await client.codeOf(client.ask(name, params))).toBe('outOfOrder');
    }
  });

  test('that has proven link and password reads and writes without joining, and nobody sees it there', async () => {
    const { client } = await admit(url, meeting);
    await open(client);
    await write(client, 1);
    expect((await anna.client.nextPush('items')).items).toHaveLength(1);
    await write(anna.client, 1);
    expect((await client.nextPush('items')).items[0]!.seq).toBe(2);
    await anna.client.flushed();
    expect(anna.client.events).toEqual([]);
  });

  test('that only reads and writes keeps its meeting from being forgotten', async () => {
    let clock = 0;
    const signal = await startSignal({ now: () => Date.now() + clock });
    await createMeeting(signal.service, meeting.terms());
    const { client } = await admit(signal.url, meeting);
    clock = 300 * 86_400_000;
    await open(client);
    clock = 600 * 86_400_000;
    await signal.service.sweep();
    expect(await client.codeOf(client.request('chat.read', { after: 0 }))).toBe('accepted');
    clock = 701 * 86_400_000;
    await signal.service.sweep();
    expect(await client.codeOf(client.request('chat.read', { after: 0 }))).toBe('meetingNotFound');
    await signal.close();
  });

  test('opens it before it reads or writes', async () => {
    const { client } = await admit(url, meeting);
    await write(anna.client, 1);
    const snapshot = randomText(16);
    const asked: [string, unknown][] = [
      ['chat.read', { after: 0 }],
      ['chat.append', draft().append],
      ['chat.erase', { items: [erasing(1, randomText(32))] }],
      ['chat.whisper', { body: 'AAAA' }],
      ['chat.part', { snapshot, part: 0 }],
      ['chat.offerPart', { snapshot, part: 0, body: 'AAAA' }],
      ['chat.confirm', { snapshot }],
    ];
    for (const [name, params] of asked) expect(await client.codeOf(client.ask(name, params)), name).toBe('outOfOrder');
    await client.request('chat.close', {});
    expect(client.heard).not.toContain('chat items');
  });

  test('hears nothing any more once it has closed it, and may open it again', async () => {
    const { client } = await admit(url, meeting);
    await open(client);
    await client.request('chat.close', {});
    await write(anna.client, 1);
    await client.flushed();
    expect(client.pushes).toEqual([]);
    expect(await client.codeOf(client.request('chat.read', { after: 0 }))).toBe('outOfOrder');
    expect((await open(client)).items).toHaveLength(1);
    await write(anna.client, 1);
    await client.nextPush('items');
  });

  test('keeps the chat open when it joins', async () => {
    const { client, challenge } = await admit(url, meeting);
    await open(client);
    const leaf = newLeaf();
    await client.request('meeting.join', {
      peer: leaf.peer,
      leafKey: leaf.publicKey,
      signature: leaf.sign(labels.provePeer, proofText(meeting.id, challenge, leaf.peer)),
      name: randomText(24),
    });
    await write(anna.client, 1);
    await client.nextPush('items');
    await write(client, 1);
    // Nor does a new link end it: a peer needs none.
    await anna.client.request('host.state', { state: meeting.state({ version: 3 }) });
    expect((await client.request('chat.read', { after: 0 })).head.seq).toBe(2);
  });

  test('that was lost and is resumed opens it again from where it was', async () => {
    const ben = await join(url, meeting);
    await open(ben.client);
    await write(anna.client, 1);
    await ben.client.nextPush('items');
    ben.client.cut();
    await anna.client.next('peer.presence');
    await write(anna.client, 2);
    const back = await ben.resume(url, meeting);
    await back.client.flushed();
    expect(back.client.pushes).toEqual([]);
    expect(await back.client.codeOf(back.client.request('chat.read', { after: 0 }))).toBe('outOfOrder');
    const { items } = await back.client.request('chat.open', { after: 1 });
    expect(items.map(({ seq }) => seq)).toEqual([2, 3]);
    await write(anna.client, 1);
    await back.client.nextPush('items');
  });
});

describe('a new link', () => {
  test('ends the chat of who has proven the old one and not joined, and of nobody else', async () => {
    const { client: stale } = await admit(url, meeting);
    await open(stale);
    const { client: late } = await admit(url, meeting);
    const ben = await join(url, meeting);
    await open(ben.client);
    await anna.client.request('host.rotate', meeting.rotated());
    await stale.nextPush('closed');
    // Who is no member yet has to come again; anna has handed the order in.
    expect((await ben.client.closed).code).toBe(1012);
    await write(anna.client, 2);
    const asked: [string, unknown][] = [
      ['chat.open', { after: 0 }],
      ['chat.read', { after: 0 }],
      ['chat.append', draft().append],
      [
        'chat.offer',
        {
          snapshot: {
            id: randomText(16),
            covers: { seq: 1, hash: randomText(32) },
            parts: 1,
            hash: randomText(32),
            confirmed: false,
          },
        },
      ],
    ];
    for (const client of [stale, late]) {
      for (const [name, params] of asked) {
        expect(await client.codeOf(client.ask(name, params)), name).toBe('linkRefused');
      }
      expect(await client.codeOf(client.ask('chat.whisper', { body: 'AAAA' }))).toBe('outOfOrder');
      expect(client.pushes).toEqual([]);
    }
    const { client: fresh } = await admit(url, meeting);
    expect((await open(fresh)).items).toHaveLength(2);
  });

  test('that comes while the chat is being opened leaves nobody listening by the old one', async () => {
    for (let i = 0; i < 10; i++) {
      const { client } = await admit(url, meeting);
      const opening = client.codeOf(open(client));
      await anna.client.request('host.rotate', meeting.rotated());
      const code = await opening;
      await client.flushed();
      const isOver = client.pushes.some(({ type }) => type === 'closed');
      expect([code, isOver].join()).toMatch(/^linkRefused,false$|^accepted,true$/);
      const { length } = client.pushes;
      await write(anna.client, 1);
      await client.flushed();
      expect(client.pushes).toHaveLength(length);
      client.close();
    }
  });
});

describe('whoever is out', () => {
  test('by a host’s order hears nothing from then on, and can say nothing', async () => {
    const ben = await join(url, meeting);
    await open(ben.client);
    const writing = ben.client.codeOf(ben.client.request('chat.append', draft().append));
    await Promise.all([writing, order({ action: 'remove', peer: ben.peer })]);
    const { head } = await anna.client.request('chat.read', { after: 0 });
    await write(anna.client, 1);
    expect((await ben.client.closed).code).toBe(4403);
    expect(ben.client.heard.filter((one) => one.startsWith('chat'))).toEqual([]);
    expect((await anna.client.request('chat.read', { after: 0 })).head.seq).toBe(head.seq + 1);
  });

  test('by leaving, too, though the connection stays', async () => {
    const ben = await join(url, meeting);
    await open(ben.client);
    await ben.client.request('meeting.leave', {});
    await write(anna.client, 1);
    await ben.client.flushed();
    expect(ben.client.pushes).toEqual([]);
    expect(await ben.client.codeOf(ben.client.request('chat.read', { after: 0 }))).toBe('outOfOrder');
    // And it may come back.
    await proveLink(ben.client, meeting);
  });
});
