/** Browsers find each other for the chat's direct way: by tickets, within their meeting, as long as they have its chat open. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createMeeting } from '../../signal/meeting/hosting.ts';
import { DirectAnswer, MAX_DIRECT_BYTES } from '../../signal/protocol/chatDirect.ts';
import { admit, type Client, join, type Person } from './client.ts';
import { type Harness, startSignal } from './harness.ts';
import { randomText, TestMeeting } from './keys.ts';

const TOPIC = 'kTq2YtVPRW0iNnxDzQk7aA';
const DATA = 'B0FFUy1HQ00MprZ4mJ8c4gJ5r5rlOw==';
let signal: Harness;
let meeting: TestMeeting;
let anna: Person;
let ben: Person;
let clock = 0;

beforeEach(async () => {
  clock = 0;
  signal = await startSignal({ now: () => Date.now() + clock });
  meeting = new TestMeeting();
  await createMeeting(signal.service, meeting.terms());
  anna = await join(signal.url, meeting);
  ben = await join(signal.url, meeting);
  for (const { client } of [anna, ben]) await client.request('chat.open', { after: 0 });
});
afterEach(() => signal.close());

const ticketOf = async (client: Client) => (await client.request('chat.ticket', {})).ticket;

/** A socket as y-webrtc has it. */
class Direct {
  readonly socket: WebSocket;
  readonly heard: DirectAnswer[] = [];
  readonly closed: Promise<number>;

  constructor(ticket: string, options: { origin?: string } = {}) {
    const url = `${signal.url.replace('http', 'ws')}/ws/chat?ticket=${ticket}`;
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => this.heard.push(DirectAnswer.parse(JSON.parse(String(data)))));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
  }

  /** @returns whether it was let in */
  opened(): Promise<boolean> {
    return new Promise((resolve) => {
      this.socket.once('open', () => resolve(true));
      this.socket.once('close', () => resolve(false));
    });
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  publish(data = DATA, topic = TOPIC): void {
    this.say({ type: 'publish', topic, data });
  }

  /** All that was said here has been heard, and all that was on its way here has come. */
  async flushed(): Promise<void> {
    const before = this.pongs;
    this.say({ type: 'ping' });
    await expect.poll(() => this.pongs, { interval: 5 }).toBe(before + 1);
  }

  get pongs(): number {
    return this.heard.filter(({ type }) => type === 'pong').length;
  }

  get published(): string[] {
    return this.heard.flatMap((one) => (one.type === 'publish' ? [one.data] : []));
  }
}

async function directOf(client: Client, topics = [TOPIC]): Promise<Direct> {
  const direct = new Direct(await ticketOf(client));
  expect(await direct.opened()).toBe(true);
  direct.say({ type: 'subscribe', topics });
  await direct.flushed();
  return direct;
}

describe('a ticket', () => {
  test('lets two who have the chat open find each other; each hears the other, not itself', async () => {
    const [one, other] = [await directOf(anna.client), await directOf(ben.client)];
    one.publish();
    await one.flushed();
    await other.flushed();
    expect(other.published).toEqual([DATA]);
    expect(one.published).toEqual([]);
  });

  test('is given to peers who have the chat open, and to nobody else: who only holds link and password finds no browser', async () => {
    const { client } = await admit(signal.url, meeting);
    await client.request('chat.open', { after: 0 });
    expect(await client.codeOf(client.request('chat.ticket', {}))).toBe('outOfOrder');
    const peer = await join(signal.url, meeting);
    expect(await peer.client.codeOf(peer.client.request('chat.ticket', {}))).toBe('outOfOrder');
    await peer.client.request('chat.open', { after: 0 });
    expect(await peer.client.codeOf(peer.client.request('chat.ticket', {}))).toBe('accepted');
  });

  test('cannot be guessed, nor be left out, nor used from a page of others', async () => {
    const ticket = await ticketOf(anna.client);
    for (const wrong of ['', randomText(32), ticket.slice(0, -1), `${ticket}A`, `${ticket}&ticket=x`.slice(1)]) {
      expect(await new Direct(wrong).opened()).toBe(false);
    }
    expect(await new Direct(ticket, { origin: 'https://elsewhere.example' }).opened()).toBe(false);
    expect(await new Direct(ticket, { origin: signal.url }).opened()).toBe(true);
  });

  test('is good again after a lost connection, and for three at once: a fourth ends the oldest', async () => {
    const ticket = await ticketOf(anna.client);
    const first = new Direct(ticket);
    await first.opened();
    first.socket.terminate();
    await first.closed;
    const four = [];
    for (let i = 0; i < 4; i++) {
      four.push(new Direct(ticket));
      expect(await four[i]!.opened()).toBe(true);
    }
    expect(await four[0]!.closed).toBe(1006);
    for (const direct of four.slice(1)) await direct.flushed();
  });

  test('takes the place of the one before, whose sockets end', async () => {
    const before = await ticketOf(anna.client);
    const direct = new Direct(before);
    await direct.opened();
    const ticket = await ticketOf(anna.client);
    expect(await direct.closed).toBe(1006);
    expect(await new Direct(before).opened()).toBe(false);
    expect(await new Direct(ticket).opened()).toBe(true);
  });

  test('expires; whoever is in stays', async () => {
    const { ticket, expiresAt } = await anna.client.request('chat.ticket', {});
    const direct = new Direct(ticket);
    await direct.opened();
    clock = expiresAt - Date.now() + 1000;
    expect(await new Direct(ticket).opened()).toBe(false);
    await direct.flushed();
  });

  test('survives that the chat is opened once more', async () => {
    const direct = await directOf(anna.client);
    await anna.client.request('chat.open', { after: 0 });
    await direct.flushed();
  });
});

describe('ticket and sockets end the moment that', () => {
  test.each([
    ['the chat is closed', () => anna.client.request('chat.close', {})],
    ['its holder leaves', () => anna.client.request('meeting.leave', {})],
    ['its connection is gone', async () => anna.client.cut()],
    [
      'a host removes its holder',
      () => ben.client.request('host.command', { command: meeting.command({ action: 'remove', peer: anna.peer }) }),
    ],
    ['the meeting ends', () => ben.client.request('host.command', { command: meeting.command({ action: 'end' }) })],
  ])('%s', async (_, happen) => {
    const ticket = await ticketOf(anna.client);
    const direct = new Direct(ticket);
    await direct.opened();
    await happen();
    expect(await direct.closed).toBe(1006);
    expect(await new Direct(ticket).opened()).toBe(false);
  });
});

describe('nothing is heard', () => {
  test('of the same topic in another meeting', async () => {
    const other = new TestMeeting();
    await createMeeting(signal.service, other.terms());
    const stranger = await join(signal.url, other);
    await stranger.client.request('chat.open', { after: 0 });
    const [here, there] = [await directOf(anna.client), await directOf(stranger.client)];
    here.publish();
    there.publish();
    for (const direct of [here, there]) await direct.flushed();
    for (const direct of [here, there]) await direct.flushed();
    expect([here.published, there.published]).toEqual([[], []]);
  });

  test('of topics that one has not subscribed to, or no more; nor is anything published there', async () => {
    const [one, other] = [await directOf(anna.client), await directOf(ben.client, ['elsewhere'])];
    one.publish();
    await one.flushed();
    other.publish();
    await other.flushed();
    other.say({ type: 'subscribe', topics: [TOPIC] });
    other.say({ type: 'unsubscribe', topics: [TOPIC] });
    await other.flushed();
    one.publish();
    await one.flushed();
    await other.flushed();
    expect([one.published, other.published]).toEqual([[], []]);
  });
});

describe('a socket is closed', () => {
  test.each([
    ['for no JSON', '{', 4400],
    ['for bytes', Buffer.from('{"type":"ping"}'), 4400],
    ['for what is no message', '{"type":"announce"}', 4400],
    ['for what is not sealed', JSON.stringify({ type: 'publish', topic: TOPIC, data: { from: 'me' } }), 4400],
    ['for an odd topic', JSON.stringify({ type: 'subscribe', topics: ['../other'] }), 4400],
    ['for too many topics at once', JSON.stringify({ type: 'subscribe', topics: ['a', 'b', 'c', 'd', 'e'] }), 4400],
    ['for a huge message', JSON.stringify({ type: 'publish', topic: TOPIC, data: 'A'.repeat(MAX_DIRECT_BYTES) }), 1009],
  ])('%s', async (_, data, code) => {
    const direct = await directOf(anna.client);
    direct.socket.send(data);
    expect(await direct.closed).toBe(code);
    await anna.client.flushed();
  });

  test('for topics that become too many', async () => {
    const direct = await directOf(anna.client, ['a', 'b', 'c', 'd']);
    direct.say({ type: 'subscribe', topics: ['a'] });
    await direct.flushed();
    direct.say({ type: 'subscribe', topics: ['e'] });
    expect(await direct.closed).toBe(4429);
  });

  test('for a flood, over all sockets of its ticket together', async () => {
    const ticket = await ticketOf(anna.client);
    const [one, other] = [new Direct(ticket), new Direct(ticket)];
    await Promise.all([one.opened(), other.opened()]);
    for (let i = 0; i < 120; i++) for (const direct of [one, other]) direct.say({ type: 'ping' });
    await expect.poll(() => one.pongs + other.pongs).toBe(240);
    for (let i = 0; i < 10; i++) one.say({ type: 'ping' });
    expect(await one.closed).toBe(4429);
    clock += 1000;
    await other.flushed();
  });

  test('for what it becomes by being sent to many', async () => {
    const all = [anna.client, ben.client];
    for (let i = 0; i < 2; i++) {
      all.push((await join(signal.url, meeting)).client);
      await all.at(-1)!.request('chat.open', { after: 0 });
    }
    const [loud, ...others] = await Promise.all(all.map((client) => directOf(client)));
    const large = 'A'.repeat(30_000);
    for (let i = 0; i < 70; i++) loud!.publish(large);
    expect(await loud!.closed).toBe(4429);
    for (const other of others) await other.flushed();
    expect(others[0]!.published.length).toBeGreaterThan(40);
    expect(others[0]!.published.length).toBeLessThan(60);
  });
});
