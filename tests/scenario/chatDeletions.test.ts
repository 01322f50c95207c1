/** A host deletes the chat, and a server does so on its own: real workers, the real server, its real database. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Chat } from '../../client/chat/chat.ts';
import { openDatabase } from '../../signal/store/open.ts';
import { numbers } from '../crypto/seeded.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { RealPerson, until, type RealMeeting } from './support/realPerson.ts';

/** Pages wait for seconds, so that not all do the same at once: here they wait for less. */
const FASTER = 50;
/** Each waits for another while, and in each run for the same. */
const random = numbers(20);

let app: StartedApp;
let open: { person: RealPerson; chat: Chat }[] = [];

beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());
afterEach(async () => {
  for (const { chat } of open) chat.close();
  await Promise.all(open.map(({ person }) => person.vanish()));
  open = [];
});

/** As a page opens it. */
async function chatOf(person: RealPerson): Promise<Chat> {
  const chat = await Chat.open({
    port: person,
    line: person,
    name: () => person.name,
    changed: () => undefined,
    now: Date.now,
    after: (ms, run) => {
      const timer = setTimeout(run, ms / FASTER);
      return () => clearTimeout(timer);
    },
    random,
    openDirect: null,
  });
  person.onPush = (push) => chat.signal.pushed(push);
  chat.up();
  open.push({ person, chat });
  return chat;
}

const textsOf = (chat: Chat) => chat.thread.said.map(({ text }) => text).sort();
const kinds = (chat: Chat) => chat.alarms.map(({ is }) => is);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ann, the host, and Ben are in, Cy looks on from the lobby; Ann and Ben have written. */
async function talk() {
  const [ann, ben, cy] = ['Ann', 'Ben', 'Cy'].map((name) => new RealPerson(app.url, name)) as RealPerson[];
  const meeting = await ann!.makeMeeting('Tea', null);
  await ann!.enter(meeting, null);
  await until(() => ann!.names.length === 1);
  await ben!.enter(meeting, null);
  await until(() => ben!.names.length === 2);
  await cy!.visit(meeting);
  const chats: Chat[] = [];
  for (const one of [ann, ben, cy]) chats.push(await chatOf(one!));
  await chats[0]!.write([{ is: 'say', text: 'from Ann' }]);
  await chats[1]!.write([{ is: 'say', text: 'from Ben' }]);
  await until(() => chats.every((chat) => textsOf(chat).length === 2 && chat.signal.isLevel));
  return { meeting, ann: ann!, people: [ann!, ben!, cy!], chats };
}

/** What somebody reads who comes by the link alone. */
async function newcomerReads(meeting: RealMeeting): Promise<string[]> {
  const late = new RealPerson(app.url, 'Eve');
  await late.visit(meeting);
  const chat = await chatOf(late);
  await until(() => chat.signal.state === 'online');
  await pause(300);
  expect([kinds(chat), chat.isCleared]).toEqual([[], false]);
  return textsOf(chat);
}

/** Connections are lost, and come again. */
async function comeBack(
  people: readonly RealPerson[],
  chats: readonly Chat[],
  connect: (person: RealPerson) => Promise<void>,
): Promise<void> {
  for (const [i, person] of people.entries()) {
    chats[i]!.down();
    person.cut();
    await connect(person);
    chats[i]!.up();
  }
}

test('what the host deletes is gone, and nobody is alarmed: in the meeting, in the lobby, or back again', async () => {
  const { meeting, ann, people, chats } = await talk();
  await ann.call('host.clearChat', { upTo: chats[0]!.signal.head! });
  await until(() => chats.every((chat) => chat.isCleared));
  expect(await newcomerReads(meeting)).toEqual([]);
  await chats[1]!.write([{ is: 'say', text: 'after' }]);
  await until(() => chats.every((chat) => textsOf(chat).length === 3));
  await app.restart();
  await comeBack(people, chats, (person) => (person.peer === null ? person.visit(meeting) : person.joinAgain()));
  await until(() => chats.every((chat) => chat.signal.isLevel));
  await pause(500);
  expect(chats.map(kinds)).toEqual([[], [], []]);
  expect(await newcomerReads(meeting)).toEqual(['after']);
  expect(people.flatMap(({ alarms }) => alarms)).toEqual([]);
});

test('that newcomers have seen less stays said when they see everything again', async () => {
  const { ann, people } = await talk();
  const told: (boolean | undefined)[] = [];
  for (const newcomers of [{ see: 'all' }, { see: 'hours', hours: 2 }, { see: 'all' }] as const) {
    await ann.call('host.chatTerms', { terms: { newcomers, keepDays: 30 } });
    const { see } = newcomers;
    const isHeard = () => people[1]!.notices.findLast((one) => one.type === 'hostState')?.chat?.newcomers.see === see;
    await until(isHeard);
    const { state } = await people[2]!.request('chat.open', { after: 0 });
    told.push((JSON.parse(state!.body) as { narrowed?: boolean }).narrowed);
  }
  expect(told).toEqual([undefined, true, true]);
});

test('what may have gone by shorter terms stays said when they are long again, by the host’s own clock', async () => {
  const { ann, people } = await talk();
  const told = async (keepDays: number) => {
    await ann.call('host.chatTerms', { terms: { newcomers: { see: 'all' }, keepDays } });
    await until(() => people[1]!.notices.some((one) => one.type === 'hostState' && one.chat?.keepDays === keepDays));
    const { state } = await people[2]!.request('chat.open', { after: 0 });
    return (JSON.parse(state!.body) as { expired: number }).expired;
  };
  const day = 86_400_000;
  for (const [days, gone] of [
    [60, 30],
    [1, 1],
    [30, 1],
    [90, 1],
    [0, 0],
  ] as const) {
    const before = Date.now();
    const expired = await told(days);
    expect(expired).toBeGreaterThanOrEqual(Math.floor(before - gone * day) - 60_000);
    expect(expired).toBeLessThanOrEqual(Date.now() - gone * day);
  }
});

test('what the server deletes on its own is said aloud, and is there again; what the host had deleted is not', async () => {
  const { meeting, ann, people, chats } = await talk();
  await ann.call('host.clearChat', { upTo: chats[0]!.signal.head! });
  await until(() => chats.every((chat) => chat.isCleared));
  await chats[0]!.write([{ is: 'say', text: 'later' }]);
  await until(() => chats.every((chat) => textsOf(chat).length === 3 && chat.signal.isLevel));
  const store = await openDatabase(join(app.dataDir, 'parley.sqlite'));
  expect(await store.chat.clear(meeting.id)).not.toBeNull();
  await store.close();
  await comeBack(people, chats, (person) => (person.peer === null ? person.visit(meeting) : person.resume()));
  await until(() => chats.some((chat) => kinds(chat).includes('deleted')));
  await until(() => chats.every((chat) => chat.signal.isLevel));
  await pause(500);
  for (const chat of chats) expect(['deleted', '']).toContain(kinds(chat).join());
  expect(await newcomerReads(meeting)).toEqual(['later']);
});
