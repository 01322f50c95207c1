import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { ChatStore } from '../../../client/e2ee/chat/shelf.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { CallDesk } from '../../../client/e2ee/calls.ts';
import type { CallName, Calls, FromWorker, Notice } from '../../../client/e2ee/messages.ts';
import { memoryStore, type Store } from '../../../client/e2ee/store.ts';
import { Vault } from '../../../client/e2ee/vault.ts';
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import { peerIdOf } from '../../../crypto/identity.ts';
import { meetingIdOf } from '../../../crypto/invite.ts';
import { signKeyPair } from '../../../crypto/primitives.ts';
import { signText, verifyText } from '../../../crypto/signed.ts';
import {
  AccessDocument,
  type ChatTerms,
  labels,
  MeetingRecord,
  proofText,
  type Signed,
} from '../../../signal/protocol/documents.ts';
import type { GroupId, MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import { requests } from '../../../signal/protocol/requests.ts';

const accessKeyOf = ({ access }: { access: Signed }) =>
  fromBase64url(AccessDocument.parse(JSON.parse(access.body)).accessKey);
const CHALLENGE = 'C'.repeat(42) + 'A';
const SETTINGS = { meshLimit: 4, capacity: 10 };

/** The worker's inside, driven as the page does, without a worker. */
class Page {
  readonly desk: CallDesk;
  readonly notices: Notice[] = [];
  /** All that ever came out of it, as text. */
  readonly said: string[] = [];
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #id = 1;

  constructor(store: Store = memoryStore(), aheadMs = 0, chats: ChatStore = memoryChatStore()) {
    this.desk = new CallDesk({
      chatStore: () => chats,
      alone: (_name, act) => act(),
      hold: async () => () => undefined,
      store,
      now: () => performance.timeOrigin + performance.now() + aheadMs,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        timer.unref();
        return () => clearTimeout(timer);
      },
      post: (message) => this.#receive(structuredClone(message)),
    });
  }

  call<N extends CallName>(name: N, params: Calls[N]['in']): Promise<Calls[N]['out']> {
    return new Promise((resolve, reject) => {
      const id = this.#id++;
      this.#waiting.set(id, { resolve: resolve as never, reject });
      this.desk.receive({ type: 'call', id, name, params } as never);
    });
  }

  /** The way into a meeting, up to the first words of the group. */
  async enter(
    meeting: MeetingId,
    secret: string,
    record: Signed,
    password: string | null,
    before: PeerId | null = null,
  ) {
    const { host } = await this.call('invite.open', { meeting, secret, before });
    const link = await this.call('invite.proveLink', { challenge: CHALLENGE });
    const accepted = await this.call('invite.acceptRecord', { record });
    const access = await this.call('invite.proveAccess', { challenge: CHALLENGE, password });
    return { host, link, accepted, access };
  }

  /** The codes that people compare, of a meeting that has just begun. */
  async codes(): Promise<string[]> {
    this.notices.length = 0;
    await this.call('peer.prepare', { name: 'Ann', challenge: CHALLENGE, replaces: null });
    await this.call('group.begin', { group: null, hostState: null, now: Date.now() });
    const { request } = await this.request('group.create');
    await this.call('request.settled', { request, result: { created: true, group: null } });
    for (;;) {
      const members = this.notices.find((notice) => notice.type === 'members' && notice.code.length > 0);
      if (members?.type === 'members') return members.code;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async request(name: string): Promise<Extract<Notice, { type: 'request' }>> {
    for (;;) {
      const found = this.notices.find((notice) => notice.type === 'request' && notice.name === name);
      if (found?.type === 'request') return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #receive(message: FromWorker): void {
    this.said.push(JSON.stringify(message));
    if (message.type === 'notice') {
      this.notices.push(message.notice);
      return;
    }
    const waiting = this.#waiting.get(message.id)!;
    if (message.type === 'answer') waiting.resolve(message.result as never);
    else waiting.reject(Object.assign(new Error(message.detail), { code: message.code }));
  }
}

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    if (tries > 1000) throw new Error('it never was');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let store: Store;
let made: Calls['meeting.create']['out'];
let record: MeetingRecord;

beforeAll(async () => {
  store = memoryStore();
  made = await new Page(store).call('meeting.create', { title: 'Tea', password: 'tortoise', settings: SETTINGS });
  record = MeetingRecord.parse(JSON.parse(made.record.body));
});

describe('making a meeting', () => {
  test('its id is the hash of the host key that signed the record', async () => {
    expect(await meetingIdOf(fromBase64url(record.hostKey))).toBe(made.meeting);
    const signature = fromBase64url(made.record.signature);
    expect(await verifyText(labels.record, made.record.body, signature, fromBase64url(record.hostKey))).toBe(true);
    expect(record).toMatchObject({ generation: 0, settings: SETTINGS });
    expect(made.record.body).not.toContain('Tea');
  });

  test('without a password there is no salt, and none is asked for', async () => {
    const page = new Page();
    const plain = await page.call('meeting.create', { title: 'Open', password: null, settings: SETTINGS });
    const { accepted, access } = await page.enter(plain.meeting, plain.secret, plain.record, null);
    expect(accepted).toMatchObject({ title: 'Open', needsPassword: false });
    expect(access.signature).toHaveLength(86);
  });

  test('where nothing can be stored, no meeting is made that would have no host', async () => {
    const broken: Store = { get: async () => undefined, update: async () => Promise.reject(new Error('full')) };
    const making = new Page(broken).call('meeting.create', { title: 'Tea', password: null, settings: SETTINGS });
    await expect(making).rejects.toMatchObject({ code: 'storage' });
  });
});

describe('opening an invite', () => {
  test('both proofs hold against the keys of the record, and the browser that made it is host', async () => {
    const { host, link, accepted, access } = await new Page(store).enter(
      made.meeting,
      made.secret,
      made.record,
      'tortoise',
    );
    expect(host).toBe(true);
    expect(accepted).toMatchObject({ title: 'Tea', needsPassword: true });
    const text = proofText(made.meeting, CHALLENGE);
    expect(await verifyText(labels.proveLink, text, fromBase64url(link.signature), fromBase64url(record.linkKey))).toBe(
      true,
    );
    const accessKey = accessKeyOf(made);
    expect(await verifyText(labels.proveAccess, text, fromBase64url(access.signature), accessKey)).toBe(true);
  });

  test('another browser opens it too, but is not host', async () => {
    const page = new Page();
    expect((await page.enter(made.meeting, made.secret, made.record, 'tortoise')).host).toBe(false);
    await expect(page.call('host.lock', { locked: true })).rejects.toMatchObject({ code: 'notHost' });
  });

  test('a wrong password proves nothing, and the worker does not say so: the server has to count the tries', async () => {
    const { access } = await new Page().enter(made.meeting, made.secret, made.record, 'turtle');
    const text = proofText(made.meeting, CHALLENGE);
    const accessKey = accessKeyOf(made);
    expect(await verifyText(labels.proveAccess, text, fromBase64url(access.signature), accessKey)).toBe(false);
  });

  test('the same password typed with other code points is the same password', async () => {
    const page = new Page();
    const spelt = await page.call('meeting.create', { title: 'x', password: 'caf\u00e9', settings: SETTINGS });
    const key = accessKeyOf(spelt);
    const { access } = await page.enter(spelt.meeting, spelt.secret, spelt.record, 'cafe\u0301');
    const text = proofText(spelt.meeting, CHALLENGE);
    expect(await verifyText(labels.proveAccess, text, fromBase64url(access.signature), key)).toBe(true);
  });

  test('a record of another meeting, changed, or of another link is forged', async () => {
    const page = new Page();
    const other = await page.call('meeting.create', { title: 'Other', password: null, settings: SETTINGS });
    await page.call('invite.open', { meeting: made.meeting, secret: made.secret, before: null });
    const bad = [
      other.record,
      { ...made.record, body: made.record.body.replace('"generation":0', '"generation":1') },
      { ...made.record, signature: other.record.signature },
    ];
    for (const one of bad) {
      await expect(page.call('invite.acceptRecord', { record: one })).rejects.toMatchObject({ code: 'forged' });
    }
    await page.call('invite.open', { meeting: made.meeting, secret: other.secret, before: null });
    await expect(page.call('invite.acceptRecord', { record: made.record })).rejects.toMatchObject({ code: 'forged' });
  });

  test('after a lost socket the password need not be typed again', async () => {
    const page = new Page();
    const first = await page.enter(made.meeting, made.secret, made.record, 'tortoise');
    await page.call('invite.acceptRecord', { record: made.record });
    const again = await page.call('invite.proveAccess', { challenge: CHALLENGE, password: null });
    expect(again).toEqual(first.access);
  });

  test('a password that is needed and was never given is asked for', async () => {
    await expect(new Page().enter(made.meeting, made.secret, made.record, null)).rejects.toMatchObject({
      code: 'badPassword',
    });
  });

  test('calls out of order are refused, and the next ones work', async () => {
    const page = new Page();
    await expect(page.call('invite.proveLink', { challenge: CHALLENGE })).rejects.toMatchObject({ code: 'notReady' });
    await expect(page.call('message.send', { to: null, kind: 'hand', body: '{}' })).rejects.toMatchObject({
      code: 'notReady',
    });
    expect(await page.call('ping', {})).toEqual({});
  });
});

describe('becoming a peer', () => {
  const prepared = async (page: Page, replaces: PeerId | null = null) =>
    page.call('peer.prepare', { name: 'Ann', challenge: CHALLENGE, replaces });

  test('the peer id is the hash of the leaf key, which signed the challenge', async () => {
    const page = new Page();
    await page.enter(made.meeting, made.secret, made.record, 'tortoise');
    const { peer, leafKey, signature } = await prepared(page);
    expect(await peerIdOf(fromBase64url(leafKey))).toBe(peer);
    const text = proofText(made.meeting, CHALLENGE, peer);
    expect(await verifyText(labels.provePeer, text, fromBase64url(signature), fromBase64url(leafKey))).toBe(true);
    expect((await prepared(page)).peer).not.toBe(peer);
  });

  test('the name is sealed for those who know link and password', async () => {
    const page = new Page();
    await page.enter(made.meeting, made.secret, made.record, 'tortoise');
    const { name, peer } = await prepared(page);
    expect(Buffer.from(name, 'base64url').includes('Ann')).toBe(false);
    const peers = [
      { peer, name, presence: 'here', inGroup: true } as const,
      { peer, name: name.slice(0, -4) + 'AAAA', presence: 'here', inGroup: true } as const,
    ];
    const friend = new Page();
    await friend.enter(made.meeting, made.secret, made.record, 'tortoise');
    expect(await friend.call('lobby.open', { peers, hostState: null })).toEqual({ names: ['Ann', null], chat: null });
    const guesser = new Page();
    await guesser.enter(made.meeting, made.secret, made.record, 'turtle');
    expect((await guesser.call('lobby.open', { peers, hostState: null })).names).toEqual([null, null]);
  });

  test('what hosts have decided of the chat is known before joining, by their signature alone, and is not forgotten', async () => {
    const { seed } = (await new Vault(store).host(made.meeting))!;
    const host = await signKeyPair(seed.slice());
    const decided = async (keepDays: number, version: number, by = host): Promise<Signed> => {
      const chat: ChatTerms = { newcomers: { see: 'nothing' }, keepDays };
      const body = JSON.stringify({ version, meeting: made.meeting, generation: 0, locked: false, bans: [], chat });
      return { body, signature: base64url(await signText(labels.hostState, body, by.privateKey)) };
    };
    const disk = memoryStore();
    const heard = async (hostState: Signed | null): Promise<number | undefined> => {
      const page = new Page(disk);
      await page.enter(made.meeting, made.secret, made.record, 'tortoise');
      return (await page.call('lobby.open', { peers: [], hostState })).chat?.keepDays;
    };
    expect(await heard(await decided(1, 9, await signKeyPair()))).toBeUndefined();
    const older = await decided(5, 5);
    expect(await heard(older)).toBe(5);
    expect(await heard(await decided(7, 6))).toBe(7);
    // Withheld, rolled back, or another's of the same number: the newest that this browser has heard counts.
    for (const told of [null, older, await decided(8, 6), await decided(9, 7, await signKeyPair())])
      expect(await heard(told)).toBe(7);
  });

  test('a group begins, by requests that fit the catalogue; leaving ends everything', async () => {
    const page = new Page(store);
    await page.enter(made.meeting, made.secret, made.record, 'tortoise');
    const { peer } = await prepared(page);
    await page.call('group.begin', { group: null, hostState: null, now: 1_700_000_000_000 });
    const create = await page.request('group.create');
    const { groupId } = requests['group.create'].params.parse(create.params);
    await page.call('request.settled', { request: create.request, result: { created: true, group: null } });
    const beat = await page.request('message.send');
    requests['message.send'].params.parse(beat.params);
    const members = page.notices.findLast((notice) => notice.type === 'members');
    expect(members).toMatchObject({ epoch: 0, members: [{ peer, name: 'Ann', self: true, host: true }] });
    const again = await page.call('peer.proveAgain', { challenge: CHALLENGE });
    expect(again.member).toEqual({ id: groupId satisfies GroupId, epoch: 0 });

    await page.call('meeting.leave', {});
    const said = page.notices.length;
    await expect(page.call('peer.proveAgain', { challenge: CHALLENGE })).rejects.toMatchObject({ code: 'notReady' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(page.notices.length).toBe(said);
  });

  test('the identity of a browser lasts, its leaves do not', async () => {
    const shared = memoryStore();
    const keys = new Set<unknown>();
    for (let visit = 0; visit < 2; visit++) {
      const page = new Page(shared);
      await page.enter(made.meeting, made.secret, made.record, 'tortoise');
      await prepared(page);
      keys.add(JSON.stringify(await shared.get('identity')));
    }
    expect(keys.size).toBe(1);
  });
});

test('a rehearsal goes through a whole join, says nothing, keeps nothing, and holds nobody up', async () => {
  const memory = memoryStore();
  const put = vi.spyOn(memory, 'update');
  const page = new Page(memory);
  const rehearsal = page.call('rehearse', {});
  // Nothing is open yet: refused, and not after the rehearsal.
  let isOver = false;
  void rehearsal.then(() => (isOver = true));
  await expect(page.call('invite.proveLink', { challenge: CHALLENGE })).rejects.toMatchObject({ code: 'notReady' });
  expect(isOver).toBe(false);
  expect(await rehearsal).toEqual({});
  expect(page.notices).toEqual([]);
  expect(put).not.toHaveBeenCalled();
});

describe('another identity', () => {
  test('makes a stranger of this browser: codes change, also after a reload, and the old one is gone', async () => {
    const memory = memoryStore();
    const page = new Page(memory);
    const plain = await page.call('meeting.create', { title: 'Tea', password: null, settings: SETTINGS });
    const codes = async (on: Page): Promise<string[]> => {
      await on.enter(plain.meeting, plain.secret, plain.record, null);
      return on.codes();
    };
    const before = await codes(page);
    const old = structuredClone(await memory.get('identity')) as { privateKey: Uint8Array };
    await expect(page.call('identity.replace', {})).rejects.toMatchObject({ code: 'usage' });
    await page.call('meeting.leave', {});
    expect(await codes(page)).toEqual(before);
    await page.call('meeting.leave', {});
    await page.call('identity.replace', {});
    const after = await codes(page);
    expect(after).not.toEqual(before);
    expect(await codes(new Page(memory))).toEqual(after);
    const kept = JSON.stringify([await memory.get('identity'), await memory.get('leaves')]);
    expect(kept).not.toContain(JSON.stringify([...old.privateKey]).slice(1, -1));
    expect(kept).not.toContain(JSON.stringify(old.privateKey));
  });

  test('is not promised where it cannot be stored: the old one would come back', async () => {
    const memory = memoryStore();
    await new Page(memory).call('meeting.create', { title: 'Tea', password: null, settings: SETTINGS });
    const full: Store = { ...memory, update: async () => Promise.reject(new Error('full')) };
    await expect(new Page(full).call('identity.replace', {})).rejects.toMatchObject({ code: 'storage' });
  });
});

describe('a host whose tab died with a removal under way', () => {
  /** The vault as it is then: a rotation that went along with a commit, of whose fate nobody here knows. */
  async function interrupted(offered: boolean): Promise<{ page: Page; memory: Store; next: typeof made }> {
    const memory = memoryStore();
    const page = new Page(memory);
    const plain = await page.call('meeting.create', { title: 'Tea', password: null, settings: SETTINGS });
    const next = await new Page().call('meeting.create', { title: 'Tea', password: null, settings: SETTINGS });
    const { record, access, secret } = next;
    const before = fromBase64url(plain.secret);
    const rotation = { record, access, secret: fromBase64url(secret), offered, before, tried: false };
    await memory.update(`host ${plain.meeting}`, (host) => ({ ...(host as object), rotation }));
    await page.enter(plain.meeting, plain.secret, plain.record, null);
    await page.call('peer.prepare', { name: 'Ann', challenge: CHALLENGE, replaces: null });
    await page.call('group.begin', { group: null, hostState: null, now: Date.now() });
    return { page, memory: { ...memory, get: () => memory.get(`host ${plain.meeting}`) }, next };
  }

  test('begins no generation that the server has not seen begin', async () => {
    const { page, memory } = await interrupted(true);
    await page.request('group.create');
    expect(page.notices.filter((notice) => notice.type === 'request' && notice.name === 'host.rotate')).toEqual([]);
    expect(await memory.get('')).toMatchObject({ rotation: null });
  });

  test('tells the server of one that the members know', async () => {
    const { page, next } = await interrupted(false);
    expect((await page.request('host.rotate')).params).toEqual({ record: next.record, access: next.access });
  });
});

describe('a tab that was reloaded', () => {
  /** In the meeting, as far as the worker knows: the server has taken the password. */
  async function joined(memory: Store): Promise<{ page: Page; peer: PeerId }> {
    const page = new Page(memory);
    await page.enter(made.meeting, made.secret, made.record, 'tortoise');
    const { peer } = await page.call('peer.prepare', { name: 'Ann', challenge: CHALLENGE, replaces: null });
    await page.call('group.begin', { group: null, hostState: null, now: Date.now() });
    return { page, peer };
  }

  const accept = async (page: Page, before: PeerId | null) => {
    await page.call('invite.open', { meeting: made.meeting, secret: made.secret, before });
    return page.call('invite.acceptRecord', { record: made.record });
  };

  test('needs no password, and proves the same access', async () => {
    const memory = memoryStore();
    const { peer } = await joined(memory);
    const page = new Page(memory);
    await waitFor(async () => !(await accept(page, peer)).needsPassword);
    const { signature } = await page.call('invite.proveAccess', { challenge: CHALLENGE, password: null });
    const text = proofText(made.meeting, CHALLENGE);
    const key = accessKeyOf(made);
    expect(await verifyText(labels.proveAccess, text, fromBase64url(signature), key)).toBe(true);
  });

  test('leaves nothing in the store that could be read or tried', async () => {
    const memory = memoryStore();
    const { peer } = await joined(memory);
    await waitFor(async () => !(await accept(new Page(memory), peer)).needsPassword);
    const [kept] = (await memory.get('tabs')) as { key: CryptoKey }[];
    expect(kept!.key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', kept!.key)).rejects.toThrow();
  });

  test('is another than one that never was that peer, left, or comes back the next day', async () => {
    const memory = memoryStore();
    const { page, peer } = await joined(memory);
    await waitFor(async () => !(await accept(new Page(memory), peer)).needsPassword);
    expect((await accept(new Page(memory), null)).needsPassword).toBe(true);
    expect((await accept(new Page(memory), 'A'.repeat(22) as PeerId)).needsPassword).toBe(true);
    expect((await accept(new Page(memory, 13 * 3_600_000), peer)).needsPassword).toBe(true);
    await page.call('meeting.leave', {});
    await waitFor(async () => (await accept(new Page(memory), peer)).needsPassword);
    expect(await memory.get('tabs')).toEqual([]);
  });
});

test('signs of life are given even while a password is being stretched', async () => {
  const page = new Page();
  const making = page.call('meeting.create', { title: 'x', password: 'slow', settings: SETTINGS });
  await page.call('ping', {});
  await making;
});

test('nothing secret is ever said but the invite itself', async () => {
  const shared = memoryStore();
  const page = new Page(shared);
  const mine = await page.call('meeting.create', { title: 'Tea', password: 'tortoise', settings: SETTINGS });
  await page.enter(mine.meeting, mine.secret, mine.record, 'tortoise');
  await page.call('peer.prepare', { name: 'Ann', challenge: CHALLENGE, replaces: null });
  await page.call('group.begin', { group: null, hostState: null, now: 1_700_000_000_000 });
  const create = await page.request('group.create');
  await page.call('request.settled', { request: create.request, result: { created: true, group: null } });
  await page.request('message.send');
  await page.call('meeting.leave', {});
  const host = (await shared.get(`host ${mine.meeting}`)) as { seed: Uint8Array };
  const identity = (await shared.get('identity')) as { privateKey: Uint8Array };
  const said = page.said.join('\n');
  for (const secret of [host.seed, identity.privateKey]) {
    expect(secret.some((byte) => byte !== 0)).toBe(true);
    expect(said).not.toContain(Buffer.from(secret).toString('base64url'));
  }
  expect(said).not.toContain('tortoise');
});

describe('without a server', () => {
  const keepOne = async (password: string | null) => {
    const [store, chats] = [memoryStore(), memoryChatStore()];
    const made = await new Page(store).call('meeting.create', { title: 'Tea', password, settings: SETTINGS });
    const first = new Page(store, 0, chats);
    await first.enter(made.meeting, made.secret, made.record, password);
    await first.call('chat.begin', {});
    return { ...made, open: () => new Page(store, 0, chats), store, chats };
  };

  test('a chat that was open here opens again, with the password', async () => {
    const { meeting, secret, open, access, chats } = await keepOne('tea time');
    const page = open();
    await page.call('invite.open', { meeting, secret, before: null });
    const { kept } = await page.call('invite.openKept', {});
    expect(kept).toMatchObject({ title: 'Tea', needsPassword: true });
    await expect(page.call('chat.begin', {})).rejects.toThrow('no password');
    await expect(page.call('invite.unlockKept', { password: 'coffee time' })).rejects.toThrow('another password');
    await expect(page.call('chat.begin', {})).rejects.toThrow('no password');
    // By what lies there nobody tries passwords.
    const lying = Buffer.from((await chats.get(`access ${meeting}`))!.sealed);
    expect(lying.length).toBeGreaterThan(100);
    expect(lying.includes(Buffer.from(accessKeyOf({ access })))).toBe(false);
    await page.call('invite.unlockKept', { password: 'tea time' });
    await page.call('chat.begin', {});
    await page.call('chat.write', { at: 1, bodies: ['{}'], to: null, card: '{}' });
  });

  test('a meeting that is forgotten leaves nothing of its chat in this browser, and others stay', async () => {
    const { meeting, secret, record, store, chats, open } = await keepOne(null);
    const made = await new Page(store).call('meeting.create', { title: 'Two', password: null, settings: SETTINGS });
    for (const one of [made, { meeting, secret, record }]) {
      const page = open();
      await page.enter(one.meeting, one.secret, one.record, null);
      await page.call('chat.begin', {});
      await page.call('chat.write', { at: 1, bodies: ['{}'], to: null, card: '{}' });
      await page.call('chat.seal', { update: new Uint8Array([0, 0]) });
      await page.call('chat.keep', { update: new Uint8Array([0, 0]), state: '{}', all: false });
    }
    const identity = ((await store.get('identity')) as { publicKey: Uint8Array }).publicKey;
    const own = Buffer.from(identity).toString('base64url');
    const left = async (of: string) => {
      const names = ['access', 'ring', 'erase', 'chain'].map((what) => `${what} ${of}`);
      names[3] += ` ${own}`;
      const values = await Promise.all(names.map((name) => chats.get(name)));
      const lists = await Promise.all(['updates', 'state'].map((what) => chats.list(`${what} ${of}`)));
      return [...values.map((one) => one !== null), ...lists.map(({ length }) => length)];
    };
    expect(await left(meeting)).toEqual([true, true, true, true, 1, 1]);
    await new Page(store, 0, chats).call('meeting.forget', { meeting });
    expect(await left(meeting)).toEqual([false, false, false, false, 0, 0]);
    expect(await left(made.meeting)).toEqual([true, true, true, true, 1, 1]);
    const page = open();
    await page.call('invite.open', { meeting, secret, before: null });
    expect(await page.call('invite.openKept', {})).toEqual({ kept: null });
  });

  test('nothing opens with another link, in another browser, or before it was open', async () => {
    const { meeting, secret, open, store } = await keepOne(null);
    const attempt = async (page: Page, link: string) => {
      await page.call('invite.open', { meeting, secret: link, before: null });
      const { kept } = await page.call('invite.openKept', {});
      await expect(page.call('invite.unlockKept', { password: null })).rejects.toThrow();
      return kept;
    };
    expect(await attempt(open(), 'B'.repeat(42) + 'A')).toBeNull();
    expect(await attempt(new Page(), secret)).toBeNull();
    expect(await attempt(new Page(store), secret)).toBeNull();
    // What was kept of one invite unlocks no other.
    const page = open();
    await page.call('invite.open', { meeting, secret, before: null });
    await page.call('invite.openKept', {});
    const other = await page.call('meeting.create', { title: 'x', password: null, settings: SETTINGS });
    await page.call('invite.open', { meeting: other.meeting, secret: other.secret, before: null });
    await expect(page.call('invite.unlockKept', { password: null })).rejects.toThrow();
  });
});
