/** The same stories over real sockets, with the real server and real time. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { EncodedFrame } from '../../client/e2ee/frameTransform.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { RealPerson, until, type RealMeeting, ServerRefused } from './support/realPerson.ts';

let app: StartedApp;
let people: RealPerson[] = [];

beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());
afterEach(async () => {
  await Promise.all(people.map((person) => person.vanish()));
  people = [];
});

function person(name: string, like?: RealPerson): RealPerson {
  const made = new RealPerson(app.url, name, like?.store);
  people.push(made);
  return made;
}

const shows = (one: RealPerson, ...names: string[]) => one.names.join() === names.sort().join();
const allShow = (some: RealPerson[]) => some.every((one) => shows(one, ...some.map(({ name }) => name)));

/** Ann makes a meeting and everybody enters it, one after the other. */
async function gather(...names: string[]): Promise<{ meeting: RealMeeting; all: RealPerson[] }> {
  const all = names.map((name) => person(name));
  const meeting = await all[0]!.makeMeeting('Tea', null);
  for (const [index, one] of all.entries()) {
    await one.enter(meeting, null);
    await until(() => allShow(all.slice(0, index + 1)));
  }
  return { meeting, all };
}

/** Sends frames from one to the other until stopped; counts what came out. */
function stream(from: RealPerson, to: RealPerson, id: string): { arrived: () => number; stop: () => void } {
  const sender = from.sender(`${id} out`);
  const receiver = to.receiver(`${id} in`, from.peer!);
  void sender.readable.pipeTo(receiver.writable).catch(() => undefined);
  let arrived = 0;
  const reader = receiver.readable.getReader();
  void (async () => {
    while (!(await reader.read()).done) arrived++;
  })().catch(() => undefined);
  const writer = sender.writable.getWriter();
  const timer = setInterval(() => {
    const frame: EncodedFrame = { data: new Uint8Array([1, 2, 3, 4]).buffer };
    void writer.write(frame).catch(() => undefined);
  }, 20);
  return { arrived: () => arrived, stop: () => clearInterval(timer) };
}

function unopened(one: RealPerson, id: string): number {
  const counts = one.counts(`${id} in`);
  if (counts === null) throw new Error('nothing was counted');
  return Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
}

test('two meet by link and password, and each opens what the other seals', async () => {
  const [ann, ben] = [person('Ann'), person('Ben')];
  const meeting = await ann.makeMeeting('Tea', 'tortoise');
  await ann.enter(meeting, 'tortoise');
  await until(() => shows(ann, 'Ann'));
  await ben.enter(meeting, 'tortoise');
  await until(() => allShow([ann, ben]));
  const [there, back] = [stream(ann, ben, 'there'), stream(ben, ann, 'back')];
  await until(() => there.arrived() > 20 && back.arrived() > 20);
  there.stop();
  back.stop();
  await ann.call('message.send', { to: null, kind: 'reaction', body: '"hello"' });
  await until(() => ben.notices.some((notice) => notice.type === 'message' && notice.body === '"hello"'));
  expect([ann.alarms, ben.alarms]).toEqual([[], []]);
});

test('a wrong password is refused by the server, the right one is taken after it', async () => {
  const [ann, ben] = [person('Ann'), person('Ben')];
  const meeting = await ann.makeMeeting('Tea', 'tortoise');
  await ann.enter(meeting, 'tortoise');
  await expect(ben.enter(meeting, 'turtle')).rejects.toMatchObject({ code: 'accessRefused' });
  // Tries are slowed down, and the answer says by how much; a slow machine may stretch the password for longer than that.
  const early = await ben.enter(meeting, 'tortoise').catch((error: unknown) => error);
  if (early instanceof ServerRefused) {
    expect(early).toMatchObject({ code: 'tooMany' });
    await new Promise((resolve) => setTimeout(resolve, early.retryAfterMs));
    await ben.enter(meeting, 'tortoise');
  } else expect(early).toBeUndefined();
  await until(() => allShow([ann, ben]));
});

test('four at once; one leaves, one reloads, one comes late: no frame fails to open', async () => {
  const all = ['Ann', 'Ben', 'Cem', 'Dua'].map((name) => person(name));
  const [ann, ben, cem, dua] = all as [RealPerson, RealPerson, RealPerson, RealPerson];
  const meeting = await ann.makeMeeting('Tea', null);
  await Promise.all(all.map((one) => one.enter(meeting, null)));
  await until(() => allShow(all));
  const streams = [stream(ann, ben, 'ann to ben'), stream(ben, ann, 'ben to ann')];

  await dua.leave();
  await until(() => allShow([ann, ben, cem]));
  const old = cem.peer;
  await cem.vanish();
  const again = person('Cem', cem);
  await again.enter(meeting, null, old);
  await until(() => allShow([ann, ben, again]));
  const eve = person('Eve');
  await eve.enter(meeting, null);
  await until(() => allShow([ann, ben, again, eve]));
  streams.push(stream(ann, eve, 'ann to eve'), stream(eve, again, 'eve to cem'));
  await until(() => streams.every(({ arrived }) => arrived() > 30));
  for (const { stop } of streams) stop();
  await new Promise((resolve) => setTimeout(resolve, 600));
  const counted = [
    unopened(ben, 'ann to ben'),
    unopened(ann, 'ben to ann'),
    unopened(eve, 'ann to eve'),
    unopened(again, 'eve to cem'),
  ];
  expect(counted).toEqual([0, 0, 0, 0]);
  expect([ann.alarms, ben.alarms]).toEqual([[], []]);
  expect(new Set(ann.members.map(({ peer }) => peer)).has(old!)).toBe(false);
});

test('whom the host removes is out; the old link is refused, the new one is good', async () => {
  const { meeting, all } = await gather('Ann', 'Ben', 'Cem');
  const [ann, ben, cem] = all as [RealPerson, RealPerson, RealPerson];
  await ann.call('host.remove', { peer: cem.peer! });
  await until(() => allShow([ann, ben]));
  await until(() => cem.out === 'removed');
  const invite = () => ben.notices.findLast((notice) => notice.type === 'invite');
  await until(() => invite() !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await expect(person('Cem', cem).enter(meeting, null)).rejects.toMatchObject({ code: 'linkRefused' });
  const dua = person('Dua');
  await dua.enter({ id: meeting.id, secret: invite()!.secret }, null);
  await until(() => allShow([ann, ben, dua]));
});

test('a member without the host key removes nobody', async () => {
  const { all } = await gather('Ann', 'Ben');
  await expect(all[1]!.call('host.remove', { peer: all[0]!.peer! })).rejects.toMatchObject({ code: 'notHost' });
});

test('a broken socket is resumed without anybody noticing', async () => {
  const { all } = await gather('Ann', 'Ben');
  const [ann, ben] = all as [RealPerson, RealPerson];
  const flow = stream(ann, ben, 'flow');
  await until(() => flow.arrived() > 10);
  ben.cut();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await ben.resume();
  await ann.call('message.send', { to: ben.peer, kind: 'reaction', body: '"back"' });
  await until(() => ben.notices.some((notice) => notice.type === 'message' && notice.body === '"back"'));
  const before = flow.arrived();
  await until(() => flow.arrived() > before + 10);
  flow.stop();
  expect(allShow([ann, ben])).toBe(true);
  expect(ben.out).toBeNull();
});

test('the server is restarted in mid-call, and the call goes on', async () => {
  const { meeting, all } = await gather('Ann', 'Ben');
  const [ann, ben] = all as [RealPerson, RealPerson];
  const flow = stream(ann, ben, 'flow');
  await app.restart();
  await Promise.all([ann.joinAgain(), ben.joinAgain()]);
  const cem = person('Cem');
  await cem.enter(meeting, null);
  await until(() => allShow([ann, ben, cem]));
  const before = flow.arrived();
  await until(() => flow.arrived() > before + 10);
  flow.stop();
  expect([ann.out, ben.out]).toEqual([null, null]);
});

test('a new leaf in the same worker takes the place of the old one', async () => {
  const { all } = await gather('Ann', 'Ben');
  const [ann, ben] = all as [RealPerson, RealPerson];
  const old = ben.peer;
  await ben.repair();
  await until(() => ann.members.some(({ peer }) => peer === ben.peer) && !ann.members.some(({ peer }) => peer === old));
  await until(() => allShow([ann, ben]));
});

test('locked, nobody comes in; ended, everybody is out', async () => {
  const { meeting, all } = await gather('Ann', 'Ben');
  const [ann, ben] = all as [RealPerson, RealPerson];
  await ann.call('host.lock', { locked: true });
  await until(() => ben.notices.some((notice) => notice.type === 'hostState' && notice.locked));
  await expect(person('Cem').enter(meeting, null)).rejects.toMatchObject({ code: 'meetingLocked' });
  await ann.call('host.end', {});
  await until(() => ann.out === 'ended' && ben.out === 'ended');
});
