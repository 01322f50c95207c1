/** How much may be written, by whom, and how fast. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMeeting } from '../../signal/meeting/hosting.ts';
import { labels, proofText } from './keys.ts';
import { sizeOf } from '../../signal/chat/chain.ts';
import { clear, draft, erasing, offer, snapshotOf, write } from './chatting.ts';
import { Client, join, proveLink, Refused } from './client.ts';
import { type Harness, startSignal } from './harness.ts';
import { randomText, TestMeeting } from './keys.ts';

const MIB = 1024 * 1024;
const LARGE = randomText(64 * 1024);
let signal: Harness;
let meeting: TestMeeting;
let clock = 0;

beforeEach(async () => {
  clock = 0;
  signal = await startSignal({ now: () => Date.now() + clock, chatQuota: MIB });
  meeting = new TestMeeting();
  await createMeeting(signal.service, meeting.terms());
});
afterEach(() => signal.close());

/** A connection from an address of its own, with the chat open. */
async function from(address: string): Promise<Client> {
  const client = await Client.connect(signal.url, { headers: { 'x-forwarded-for': address } });
  const challenge = await proveLink(client, meeting);
  const signature = meeting.access.sign(labels.proveAccess, proofText(meeting.id, challenge));
  await client.request('meeting.proveAccess', { signature });
  await client.request('chat.open', { after: 0 });
  return client;
}
const large = () => draft(LARGE);
const refusal = async (asked: Promise<unknown>) => {
  const error = await asked.then(
    () => null,
    (thrown: unknown) => thrown as Refused,
  );
  return error?.error ?? null;
};

describe('a chat’s quota', () => {
  test('holds for all together; what is erased or cleared makes room', async () => {
    const all = [await from('192.0.2.1'), await from('192.0.2.2'), await from('192.0.2.3'), await from('192.0.2.4')];
    const drafts = [];
    for (const client of all) drafts.push(...(await write(client, 4, large)));
    const late = await from('192.0.2.5');
    const full = await refusal(late.request('chat.append', draft('AAAA').append));
    expect(full).toMatchObject({ code: 'chatFull' });
    expect(full!.retryAfterMs).toBeUndefined();
    // The same again, after a lost answer, is answered however full it is.
    expect((await late.request('chat.append', drafts[7]!.append)).seq).toBe(8);
    const { used, quota } = await late.request('chat.open', { after: 16 });
    expect([used, quota]).toEqual([MIB, MIB]);
    const small = erasing(3, drafts[2]!.token);
    await late.request('chat.erase', { items: [small] });
    await late.request('chat.append', draft(randomText(64 * 1024 - sizeOf(small.body))).append);
    expect(await late.codeOf(late.request('chat.append', draft('AAAA').append))).toBe('chatFull');
    const anna = await join(signal.url, meeting);
    await clear(anna.client, meeting);
    await late.request('chat.append', large().append);
    expect((await late.request('chat.open', { after: 0 })).used).toBe(64 * 1024);
  });

  test('leaves a quarter to an address in an hour, and more comes with time', async () => {
    const [one, same, other] = [await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')];
    await write(one, 3, large);
    await write(same, 1, large);
    for (const client of [one, same]) {
      const error = await refusal(client.request('chat.append', large().append));
      expect(error).toMatchObject({ code: 'chatFull' });
      expect(error!.retryAfterMs).toBeGreaterThan(14 * 60_000);
      expect(error!.retryAfterMs).toBeLessThanOrEqual(15 * 60_000);
    }
    await write(other, 1, large);
    clock += 15 * 60_000;
    await write(one, 1, large);
  });

  test('counts an IPv6 site as sixteen addresses', async () => {
    const quota = 4 * MIB;
    await signal.close();
    signal = await startSignal({ now: () => Date.now() + clock, chatQuota: quota });
    await createMeeting(signal.service, meeting.terms());
    const anna = await join(signal.url, meeting);
    let taken = 0;
    for (let net = 0; net < 40; net++) {
      const client = await from(`2001:db8:1:${net.toString(16)}::1`);
      // Cleared each time, so that the quota of the whole is not what refuses.
      await clear(anna.client, meeting);
      clock += 1000;
      for (let i = 0; i < 16; i++) {
        if ((await client.codeOf(client.request('chat.append', large().append))) === 'accepted') taken++;
      }
      client.close();
      if (taken < 16 * (net + 1)) break;
    }
    expect(taken).toBeGreaterThanOrEqual(16 * 16);
    expect(taken).toBeLessThan(16 * 18);
  }, 30_000);

  test('bounds a snapshot, which does not need room beside what it replaces', async () => {
    const all = ['1', '2', '3', '4'].map((host) => from(`192.0.2.${host}`));
    const [anna, ben] = await Promise.all(all);
    for (const client of await Promise.all(all)) await write(client, 4, large);
    const { head } = await anna!.request('chat.read', { after: 16 });
    const part = randomText(256 * 1024);
    const made = snapshotOf(head, [part, part, part]);
    await offer(anna!, made);
    await ben!.request('chat.confirm', { snapshot: made.snapshot.id });
    expect((await ben!.request('chat.open', { after: 0 })).used).toBe(3 * 256 * 1024);
    const larger = snapshotOf(head, [part, part, part, part, 'AAAA']);
    expect(await anna!.codeOf(offer(anna!, larger))).toBe('chatFull');
  });

  test('leaves an address four times that in snapshots an hour', async () => {
    const [anna, ben] = [await from('192.0.2.1'), await from('192.0.2.2')];
    await write(anna, 1);
    const { head } = await anna.request('chat.read', { after: 0 });
    const part = randomText(256 * 1024);
    for (let i = 0; i < 4; i++) {
      await offer(anna, snapshotOf(head, [part, part, part, part]));
      clock += 10_000;
    }
    const error = await refusal(offer(anna, snapshotOf(head, [part, part, part, part])));
    expect(error).toMatchObject({ code: 'chatFull' });
    expect(error!.retryAfterMs).toBeGreaterThan(0);
    await offer(ben, snapshotOf(head, [part]));
  });
});

describe('faster than', () => {
  const codesOf = async (client: Client, count: number, ask: () => Promise<unknown>) => {
    const codes = await Promise.all(Array.from({ length: count }, () => client.codeOf(ask())));
    return { accepted: codes.filter((code) => code === 'accepted').length, codes: new Set(codes) };
  };

  test('a person writes is refused, and passes later', async () => {
    const client = await from('192.0.2.1');
    const { accepted, codes } = await codesOf(client, 80, () => client.request('chat.append', draft('AAAA').append));
    expect(accepted).toBeGreaterThanOrEqual(60);
    expect(accepted).toBeLessThan(70);
    expect(codes).toEqual(new Set(['accepted', 'tooMany']));
    clock += 1000;
    await write(client, 5);
  });

  test('anybody whispers or reads is refused, which leaves the rest alone', async () => {
    const client = await from('192.0.2.1');
    const whispers = await codesOf(client, 40, () => client.request('chat.whisper', { body: 'AAAA' }));
    expect(whispers.accepted).toBeGreaterThanOrEqual(20);
    expect(whispers.accepted).toBeLessThan(30);
    const reads = await codesOf(client, 100, () => client.request('chat.read', { after: 0 }));
    expect(reads.accepted).toBeGreaterThanOrEqual(60);
    expect(reads.accepted).toBeLessThan(80);
    expect(reads.codes).toEqual(new Set(['accepted', 'tooMany']));
    await write(client, 5);
  });

  test('many can be told is refused, as long as they are there', async () => {
    await signal.close();
    signal = await startSignal({ now: () => Date.now() + clock });
    await createMeeting(signal.service, meeting.terms());
    const author = await from('192.0.2.1');
    const others = await Promise.all(Array.from({ length: 40 }, () => from('192.0.2.2')));
    const { accepted, codes } = await codesOf(author, 14, () => author.request('chat.append', large().append));
    expect(accepted).toBeLessThan(14);
    expect(codes).toEqual(new Set(['accepted', 'tooMany']));
    for (const other of others) other.close();
    await Promise.all(others.map(({ closed }) => closed));
    const alone = await codesOf(author, 14, () => author.request('chat.append', large().append));
    expect(alone.accepted).toBe(14);
  });

  test('a snapshot comes is refused before it counts as flooding', async () => {
    const client = await from('192.0.2.1');
    await write(client, 1);
    const { head } = await client.request('chat.read', { after: 0 });
    const made = snapshotOf(head, Array<string>(3).fill(randomText(256 * 1024)));
    await client.request('chat.offer', { snapshot: made.snapshot });
    const part = { snapshot: made.snapshot.id, part: 0, body: made.parts[0]! };
    const { codes } = await codesOf(client, 20, () => client.request('chat.offerPart', part));
    expect(codes).toEqual(new Set(['accepted', 'badRequest', 'tooMany']));
    await client.flushed();
  });
});
