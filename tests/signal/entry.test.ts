/** From a link to a place in the meeting, over real sockets. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeRelay } from '../support/fakeRelay.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { admit, Client, create, join, proveLink, Refused } from './client.ts';
import { labels, newKey, newLeaf, proofText, randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let clock = 0;

beforeAll(async () => {
  server = await startApp(
    { PARLEY_PROXIES: '1', PARLEY_STUN_URLS: 'stun:stun.example.org' },
    { now: () => Date.now() + clock, relay: new FakeRelay() },
  );
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
});

/** A client at an address of its own. */
let hosts = 0;
const fromElsewhere = () =>
  Client.connect(url, { headers: { 'x-forwarded-for': `10.0.${hosts >> 8}.${hosts++ & 255}` } });
const from = (address: string) => Client.connect(url, { headers: { 'x-forwarded-for': address } });
const wrong = newKey();
const greet = (client: Client) => client.request('hello', { protocol: 1, meeting: meeting.id });
const linkProof = (challenge: string, key = meeting.link) => ({
  signature: key.sign(labels.proveLink, proofText(meeting.id, challenge)),
});
const accessProof = (challenge: string, key = meeting.access) => ({
  signature: key.sign(labels.proveAccess, proofText(meeting.id, challenge)),
});

describe('the first challenge', () => {
  test('gives who holds the link the record and a second challenge, and nothing before', async () => {
    const client = await fromElsewhere();
    const hello = await greet(client);
    expect(Object.keys(hello).sort()).toEqual(['challenge', 'now']);
    const { record, challenge } = await client.request('meeting.proveLink', linkProof(hello.challenge));
    expect(JSON.parse(record.body)).toMatchObject({ hostKey: meeting.host.publicKey, generation: 0 });
    expect(challenge).not.toBe(hello.challenge);
  });

  test('is another one for each connection, so that an answer cannot be replayed', async () => {
    const [one, two] = [await fromElsewhere(), await fromElsewhere()];
    const { challenge } = await greet(one);
    await greet(two);
    expect(await two.codeOf(two.request('meeting.proveLink', linkProof(challenge)))).toBe('linkRefused');
  });

  test('refuses another key, and a right key under another label or for another meeting', async () => {
    const client = await fromElsewhere();
    const { challenge } = await greet(client);
    const { link, id } = meeting;
    const proofs = [
      wrong.sign(labels.proveLink, proofText(id, challenge)),
      link.sign(labels.proveAccess, proofText(id, challenge)),
      link.sign(labels.proveLink, proofText(new TestMeeting().id, challenge)),
      meeting.access.sign(labels.proveLink, proofText(id, challenge)),
    ];
    for (const signature of proofs) {
      expect(await client.codeOf(client.request('meeting.proveLink', { signature }))).toBe('linkRefused');
    }
  });

  test('lets a right link through however often others behind the same address were wrong', async () => {
    const address = '192.0.2.7';
    let last = '';
    for (let i = 0; i < 4; i++) {
      const client = await from(address);
      const { challenge } = await greet(client);
      for (let j = 0; j < 10; j++)
        last = await client.codeOf(client.request('meeting.proveLink', linkProof(challenge, wrong)));
    }
    expect(last).toBe('tooMany');
    const honest = await from(address);
    const { challenge } = await greet(honest);
    expect(await honest.codeOf(honest.request('meeting.proveLink', linkProof(challenge)))).toBe('accepted');
  });

  test('is not given for a meeting that nobody has made', async () => {
    const client = await fromElsewhere();
    const asked = client.request('hello', { protocol: 1, meeting: new TestMeeting().id });
    expect(await client.codeOf(asked)).toBe('meetingNotFound');
  });

  test('is not given to another version of the protocol', async () => {
    const client = await fromElsewhere();
    expect(await client.codeOf(client.request('hello', { protocol: 2, meeting: meeting.id }))).toBe('unsupported');
  });
});

describe('the second challenge', () => {
  test('gives who holds link and password the lobby: who is in, and the host’s state', async () => {
    const inside = await join(url, meeting);
    const client = await fromElsewhere();
    const challenge = await proveLink(client, meeting);
    const lobby = await client.request('meeting.proveAccess', accessProof(challenge));
    expect(lobby).toMatchObject({ group: null, hostState: null });
    expect(lobby.peers).toEqual([expect.objectContaining({ peer: inside.peer, presence: 'here', inGroup: false })]);
  });

  test('slows guesses down, 1, 2, 4 … seconds, then refuses for a quarter of an hour', async () => {
    const client = await from('198.51.100.1');
    const challenge = await proveLink(client, meeting);
    const guess = async (key = wrong) => {
      try {
        await client.request('meeting.proveAccess', accessProof(challenge, key));
        return 'accepted';
      } catch (error) {
        const { code, retryAfterMs } = (error as Refused).error;
        return `${code} ${Math.round(retryAfterMs! / 1000)}`;
      }
    };
    const waits: string[] = [];
    for (let i = 0; i < 8; i++) {
      waits.push(await guess());
      // Too early, even with the right password, and it counts for nothing.
      if (i < 2) expect(await guess(meeting.access)).toMatch(/^tooMany/);
      clock += 65_000;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 900].map((wait) => `accessRefused ${wait}`));
    expect(await guess(meeting.access)).toMatch(/^tooMany/);

    // Somebody elsewhere is not held up by that, nor is the same address in another meeting.
    const elsewhere = await from('198.51.100.2');
    const theirs = await proveLink(elsewhere, meeting);
    expect(await elsewhere.codeOf(elsewhere.request('meeting.proveAccess', accessProof(theirs)))).toBe('accepted');
    const other = new TestMeeting();
    await create(url, other);
    const { client: again } = await admit(url, other);
    again.close();

    clock += 900_000;
    expect(await guess(meeting.access)).toBe('accepted');
  });

  test('counts guesses across connections of one address', async () => {
    const first = await from('198.51.100.9');
    const challenge = await proveLink(first, meeting);
    await first.codeOf(first.request('meeting.proveAccess', accessProof(challenge, wrong)));
    const second = await from('198.51.100.9');
    const next = await proveLink(second, meeting);
    expect(await second.codeOf(second.request('meeting.proveAccess', accessProof(next)))).toBe('tooMany');
  });

  test('cannot be answered before the first', async () => {
    const client = await fromElsewhere();
    const { challenge } = await greet(client);
    expect(await client.codeOf(client.request('meeting.proveAccess', accessProof(challenge)))).toBe('outOfOrder');
  });
});

describe('joining', () => {
  test('gives roster, servers for ICE and a token; the others hear of it', async () => {
    const anna = await join(url, meeting);
    const ben = await join(url, meeting);
    expect(ben.joined.peers.map(({ peer }) => peer)).toEqual([anna.peer]);
    expect(ben.joined.iceServers).toEqual([{ urls: ['stun:stun.example.org'] }]);
    expect(ben.joined.token).not.toBe(anna.joined.token);
    expect((await anna.client.next('peer.joined')).peer).toMatchObject({ peer: ben.peer, presence: 'here' });
  });

  test('needs the leaf key that the peer id is the hash of', async () => {
    const { client, challenge } = await admit(url, meeting);
    const [leaf, other] = [newLeaf(), newLeaf()];
    const text = proofText(meeting.id, challenge, leaf.peer);
    const params = {
      peer: leaf.peer,
      leafKey: leaf.publicKey,
      signature: leaf.sign(labels.provePeer, text),
      name: randomText(9),
    };
    for (const wrongly of [
      { ...params, leafKey: other.publicKey },
      { ...params, leafKey: other.publicKey, signature: other.sign(labels.provePeer, text) },
      { ...params, signature: other.sign(labels.provePeer, text) },
      { ...params, signature: leaf.sign(labels.provePeer, proofText(meeting.id, challenge)) },
    ]) {
      expect(await client.codeOf(client.request('meeting.join', wrongly))).toBe('proofRefused');
    }
    expect(await client.codeOf(client.request('meeting.join', params))).toBe('accepted');
    expect(await client.codeOf(client.request('meeting.join', params))).toBe('outOfOrder');
  });

  test('is refused beyond the capacity, and possible again when somebody leaves', async () => {
    const small = new TestMeeting();
    small.settings = { meshLimit: 2, capacity: 2 };
    await create(url, small);
    const anna = await join(url, small);
    const ben = await join(url, small);
    await expect(join(url, small)).rejects.toThrow('meetingFull');
    await ben.client.request('meeting.leave', {});
    expect(await anna.client.next('peer.left')).toMatchObject({ peer: ben.peer, reason: 'left' });
    expect((await join(url, small)).joined.peers).toHaveLength(1);
  });

  test('is refused beyond what the operator allows, also in a meeting that was made for more', async () => {
    const narrow = await startApp({ PARLEY_MAX_CAPACITY: '2' }, { relay: new FakeRelay() });
    try {
      const large = new TestMeeting();
      large.settings = { meshLimit: 4, capacity: 100 };
      await create(narrow.url, large);
      await join(narrow.url, large);
      await join(narrow.url, large);
      await expect(join(narrow.url, large)).rejects.toThrow('meetingFull');
    } finally {
      await narrow.close();
    }
  });

  test('is refused while the host has locked the meeting', async () => {
    const anna = await join(url, meeting);
    await anna.client.request('host.state', { state: meeting.state({ locked: true }) });
    await expect(join(url, meeting)).rejects.toThrow('meetingLocked');
    await anna.client.request('host.state', { state: meeting.state({ version: 2, locked: false }) });
    await join(url, meeting);
  });

  test('with the leaf of a connected peer takes its place over and ends the older connection', async () => {
    const anna = await join(url, meeting);
    const again = await join(url, meeting, { leaf: anna.leaf });
    expect((await anna.client.closed).code).toBe(4409);
    expect(again.joined.peers).toEqual([]);
  });

  test('at the same time for the first time puts everybody into one room', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => join(url, meeting)));
    const last = await join(url, meeting);
    expect(last.joined.peers.map(({ peer }) => peer).sort()).toEqual(people.map(({ peer }) => peer).sort());
  });
});

describe('connecting', () => {
  const connectFrom = (origin: string) =>
    Client.connect(url, { origin }).then(
      () => 'connected',
      (error: Error) => error.message,
    );

  test('is for pages of this origin only', async () => {
    expect(await connectFrom(url)).toBe('connected');
    expect(await connectFrom('https://elsewhere.example')).toMatch(/403/);
    expect(await connectFrom('null')).toMatch(/403/);
  });

  test('is for pages of the public address and the development server, too', async () => {
    const proxied = await startApp({
      PARLEY_PUBLIC_URL: 'https://meet.example.org',
      PARLEY_DEV_ORIGIN: 'http://localhost:5173',
    });
    for (const origin of ['https://meet.example.org', 'http://localhost:5173']) {
      (await Client.connect(proxied.url, { origin })).close();
    }
    await expect(Client.connect(proxied.url, { origin: 'http://meet.example.org:81' })).rejects.toThrow('403');
    await proxied.close();
  });

  test('is limited per address, and others are not held up', async () => {
    const limited = await startApp({
      PARLEY_CONNECTIONS_PER_ADDRESS: '2',
      PARLEY_CONNECTIONS: '4',
      PARLEY_PROXIES: '1',
    });
    const at = (address: string) => Client.connect(limited.url, { headers: { 'x-forwarded-for': address } });
    const first = await at('203.0.113.1');
    await at('203.0.113.1');
    await expect(at('203.0.113.1')).rejects.toThrow('429');
    // What a client writes into the header itself stands further left.
    await expect(at('10.9.9.9, 203.0.113.1')).rejects.toThrow('429');
    await at('2001:db8:1:2::1');
    await at('2001:db8:1:2:ffff::9');
    await expect(at('2001:db8:1:2:3::')).rejects.toThrow('429');
    await expect(at('203.0.113.2')).rejects.toThrow('503');
    first.close();
    await first.closed;
    await at('203.0.113.1');
    await limited.close();
  });

  test('is limited for all networks of one IPv6 site together, too', async () => {
    const limited = await startApp({ PARLEY_CONNECTIONS_PER_ADDRESS: '1', PARLEY_PROXIES: '1' });
    const at = (address: string) => Client.connect(limited.url, { headers: { 'x-forwarded-for': address } });
    const held = await Promise.all(Array.from({ length: 16 }, (_, index) => at(`2001:db8:1:${index}::1`)));
    await expect(at('2001:db8:1:99::1')).rejects.toThrow('429');
    await at('2001:db8:2::1');
    held[0]!.close();
    await held[0]!.closed;
    await at('2001:db8:1:99::1');
    await limited.close();
  });
});
