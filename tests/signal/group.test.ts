/** Groups are born, grow and heal, over real sockets. The commits are bytes: the server knows nothing else either. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GroupId } from '../../signal/protocol/ids.ts';
import { FakeRelay } from '../support/fakeRelay.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { commitParams, create, join, type Person, Refused } from './client.ts';
import { newGroupId, newLeaf, objection, randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let clock = 0;
beforeAll(async () => {
  server = await startApp({}, { now: () => Date.now() + clock, relay: new FakeRelay() });
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
});

const epochAt = (epoch: number) => epoch as ReturnType<typeof commitParams>['epoch'];
const request = () => ({ keyPackage: randomText(100), admission: randomText(60) });

/** A group of so many; the first one has made it and added the others, one commit each. */
async function groupOf(count: number): Promise<{ people: Person[]; groupId: GroupId; epoch: number }> {
  const people = await Promise.all(Array.from({ length: count }, () => join(url, meeting)));
  const [first, ...rest] = people as [Person, ...Person[]];
  const groupId = newGroupId();
  await first.client.request('group.create', { groupId });
  for (const [epoch, person] of rest.entries()) {
    clock += 300;
    await first.client.request('group.commit', commitParams(groupId, epoch, { added: [person.peer] }));
    await person.client.next('group.welcome');
  }
  clock += 6000;
  await Promise.all(people.map(({ client }) => client.flushed()));
  for (const { client } of people) client.events.length = 0;
  return { people, groupId, epoch: count - 1 };
}

const refusal = async (asked: Promise<unknown>) =>
  (await asked.catch((error: unknown) => (error as Refused).error)) as Refused['error'];

describe('the next generation, with the commit that removes somebody', () => {
  const along = (of = meeting) => ({ ...of.rotated(), letter: randomText(200) });

  test('begins when that is ordered: a letter behind it, and only the new link opens', async () => {
    const { people, groupId, epoch } = await groupOf(3);
    const [anna, ben, carla] = people as [Person, Person, Person];
    const old = { link: meeting.link, access: meeting.access };
    const rotation = along();
    const params = { ...commitParams(groupId, epoch, { removed: [carla.peer] }), rotation };
    await anna.client.request('group.commit', params);
    await Promise.all([anna, ben].map(({ client }) => client.flushed()));
    const heard = ({ client }: Person) => client.events.map(({ type }) => type);
    expect(heard(ben)).toEqual(['group.committed', 'message', 'meeting.record']);
    expect(heard(anna)).not.toContain('message');
    expect(await ben.client.next('message')).toMatchObject({ from: anna.peer, body: rotation.letter });
    expect((await ben.client.next('meeting.record')).record).toEqual(rotation.record);
    // The host hands them in once more, in case; nothing happens twice.
    expect((await refusal(anna.client.request('host.rotate', rotation))).code).toBe('badRequest');
    await join(url, meeting);
    Object.assign(meeting, old);
    expect((await refusal(join(url, meeting))).code).toBe('linkRefused');
  });

  test('does not begin with a commit that is not ordered, and without the host no commit takes it along', async () => {
    const { people, groupId, epoch } = await groupOf(3);
    const [anna, ben, carla] = people as [Person, Person, Person];
    await anna.client.request('group.commit', commitParams(groupId, epoch, { removed: [carla.peer] }));
    const keys = { link: meeting.link, access: meeting.access };
    const late = { ...commitParams(groupId, epoch, { removed: [carla.peer] }), rotation: along() };
    expect((await refusal(ben.client.request('group.commit', late))).code).toBe('staleEpoch');
    Object.assign(meeting, keys);
    await join(url, meeting);
    clock += 6000;
    const stranger = new TestMeeting();
    const foreign = { ...commitParams(groupId, epoch + 1), rotation: along(stranger) };
    expect((await refusal(anna.client.request('group.commit', foreign))).code).toBe('notAllowed');
    expect(await anna.client.request('group.commit', commitParams(groupId, epoch + 1))).toEqual({ epoch: epoch + 2 });
  });
});

describe('a group', () => {
  test('is born once: who comes second is told which one lives', async () => {
    const [anna, ben] = [await join(url, meeting), await join(url, meeting)];
    const [one, two] = [newGroupId(), newGroupId()];
    const results = await Promise.all([
      anna.client.request('group.create', { groupId: one }),
      ben.client.request('group.create', { groupId: two }),
    ]);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    const winner = results[0]!.created ? one : two;
    for (const { group } of results) expect(group).toEqual({ id: winner, epoch: 0 });
    // Asked again after a lost answer, its maker hears the same.
    expect(await anna.client.request('group.create', { groupId: one })).toEqual(results[0]);
    const loser = results[0]!.created ? ben : anna;
    expect((await loser.client.next('group.created')).group.id).toBe(winner);
  });

  test('takes a newcomer in: the request goes to members, the welcome to the newcomer alone', async () => {
    const { people, groupId } = await groupOf(2);
    const [anna, ben] = people as [Person, Person];
    const [carla, dan] = [await join(url, meeting), await join(url, meeting)];
    const asked = request();
    await carla.client.request('group.requestAdd', { groupId, ...asked });
    for (const member of [anna, ben]) {
      expect(await member.client.next('group.addRequested')).toEqual({
        type: 'group.addRequested',
        peer: carla.peer,
        groupId,
        ...asked,
      });
    }
    const params = commitParams(groupId, 1, { added: [carla.peer] });
    expect(await anna.client.request('group.commit', params)).toEqual({ epoch: 2 });
    const { commit, added } = params;
    const committed = { type: 'group.committed', groupId, epoch: 1, by: anna.peer, commit, added };
    expect(await ben.client.next('group.committed')).toEqual(committed);
    expect(await anna.client.next('group.committed')).toEqual(committed);
    const welcome = await carla.client.next('group.welcome');
    expect(welcome).toEqual({ type: 'group.welcome', groupId, epoch: 2, by: anna.peer, welcome: params.welcome });
    await dan.client.flushed();
    expect(dan.client.heard).not.toContain('group.addRequested');
    expect(dan.client.heard).not.toContain('group.welcome');
    expect(dan.client.heard).not.toContain('group.committed');
    expect(carla.client.heard).not.toContain('group.committed');
    const late = await join(url, meeting);
    expect(late.joined.group).toEqual({ id: groupId, epoch: 2 });
    expect(late.joined.peers.map(({ inGroup }) => inGroup)).toEqual([true, true, true, false]);
  });

  test('orders the first of two commits for one epoch; the other hears which epoch it is, and finds the commit in the log', async () => {
    const { people, groupId } = await groupOf(3);
    const [anna, ben] = people as [Person, Person, Person];
    const offers = [anna, ben].map(({ client }) => client.request('group.commit', commitParams(groupId, 2)));
    const results = await Promise.allSettled(offers);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const lost = results.find((result) => result.status === 'rejected') as PromiseRejectedResult;
    expect((lost.reason as Refused).error).toMatchObject({ code: 'staleEpoch', epoch: 3 });
    const log = await ben.client.request('group.log', { groupId, epoch: epochAt(1) });
    expect(log.epoch).toBe(3);
    expect(log.commits.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(log.commits[1]!.commit).toBe((await ben.client.next('group.committed')).commit);
  });

  test('tells a commit’s author first that it was ordered, then everybody the commit', async () => {
    const { people, groupId } = await groupOf(2);
    const { client } = people[0]!;
    client.heard.length = 0;
    await client.request('group.commit', commitParams(groupId, 1));
    await client.next('group.committed');
    expect(client.heard).toEqual(['answer group.commit', 'group.committed']);
  });

  test('answers a commit that was ordered and offered again as ordered, and does not order it twice', async () => {
    const { people, groupId } = await groupOf(2);
    const { client } = people[0]!;
    const params = commitParams(groupId, 1);
    expect(await client.request('group.commit', params)).toEqual({ epoch: 2 });
    expect(await client.request('group.commit', params)).toEqual({ epoch: 2 });
    expect((await client.request('group.log', { groupId, epoch: epochAt(0) })).commits).toHaveLength(2);
  });

  test('takes commits from its members only, and requests for itself only', async () => {
    const { people, groupId } = await groupOf(2);
    const outsider = await join(url, meeting);
    const code = (person: Person, name: string, params: unknown) =>
      person.client.codeOf(person.client.ask(name, params));
    expect(await code(outsider, 'group.commit', commitParams(groupId, 1))).toBe('groupUnknown');
    expect(await code(people[0]!, 'group.commit', commitParams(newGroupId(), 1))).toBe('groupUnknown');
    expect(await code(outsider, 'group.requestAdd', { groupId: newGroupId(), ...request() })).toBe('groupUnknown');
    expect(await code(outsider, 'group.log', { groupId: newGroupId(), epoch: 0 })).toBe('groupUnknown');
    expect(await code(people[0]!, 'group.commit', commitParams(groupId, 7))).toBe('staleEpoch');
    const { welcome: _, ...withoutWelcome } = commitParams(groupId, 1, { added: [outsider.peer] });
    expect(await code(people[0]!, 'group.commit', withoutWelcome)).toBe('badRequest');
    expect(await code(people[0]!, 'group.commit', commitParams(groupId, 1, { removed: [people[0]!.peer] }))).toBe(
      'badRequest',
    );
  });

  test('sends requests that wait to a member that has just been added', async () => {
    const { people, groupId } = await groupOf(2);
    const [carla, dan] = [await join(url, meeting), await join(url, meeting)];
    await dan.client.request('group.requestAdd', { groupId, ...request() });
    await people[0]!.client.request('group.commit', commitParams(groupId, 1, { added: [carla.peer] }));
    expect((await carla.client.next('group.addRequested')).peer).toBe(dan.peer);
  });

  test('ends when its last member leaves, and the next one may be born', async () => {
    const { people, groupId } = await groupOf(2);
    const waiting = await join(url, meeting);
    for (const { client } of people) await client.request('meeting.leave', {});
    expect(await waiting.client.codeOf(waiting.client.request('group.log', { groupId, epoch: epochAt(0) }))).toBe(
      'groupUnknown',
    );
    const next = newGroupId();
    expect(await waiting.client.request('group.create', { groupId: next })).toMatchObject({ created: true });
  });
});

describe('the pace of commits', () => {
  test('leaves 250 ms between epochs, unless somebody is removed', async () => {
    const { people, groupId } = await groupOf(3);
    const { client } = people[0]!;
    await client.request('group.commit', commitParams(groupId, 2));
    const { code, retryAfterMs } = await refusal(client.request('group.commit', commitParams(groupId, 3)));
    expect(code).toBe('commitBarred');
    expect(retryAfterMs).toBeLessThanOrEqual(250);
    const removal = commitParams(groupId, 3, { removed: [people[2]!.peer] });
    expect(await client.request('group.commit', removal)).toEqual({ epoch: 4 });
    clock += 250;
    expect(await client.request('group.commit', commitParams(groupId, 4))).toEqual({ epoch: 5 });
  });

  test('is one commit in five seconds for a member that is not the designated committer', async () => {
    const { people, groupId } = await groupOf(3);
    const [anna, ben] = people as [Person, Person];
    await ben.client.request('group.commit', commitParams(groupId, 2));
    clock += 1000;
    expect((await refusal(ben.client.request('group.commit', commitParams(groupId, 3)))).code).toBe('commitBarred');
    expect(await anna.client.request('group.commit', commitParams(groupId, 3))).toEqual({ epoch: 4 });
    clock += 4000;
    expect(await ben.client.request('group.commit', commitParams(groupId, 4))).toEqual({ epoch: 5 });
    // Once the one before it is away, it is the designated committer.
    anna.client.cut();
    await ben.client.next('peer.presence');
    clock += 300;
    expect(await ben.client.request('group.commit', commitParams(groupId, 5))).toEqual({ epoch: 6 });
  });
});

describe('a commit that most members cannot apply', () => {
  test('is withdrawn once more than half of the others say so; its author may not commit for a minute', async () => {
    const { people, groupId } = await groupOf(5);
    const [anna, ben, carla, dan] = people as [Person, Person, Person, Person];
    const newcomer = await join(url, meeting);
    const bad = commitParams(groupId, 4, { added: [newcomer.peer], removed: [people[4]!.peer] });
    await anna.client.request('group.commit', bad);
    const object = (person: Person) =>
      person.client.request('group.commitInvalid', objection(person.leaf, groupId, 4, bad.commit) as never);
    await object(ben);
    await object(ben);
    await dan.client.flushed();
    expect(dan.client.heard).not.toContain('group.reopened');
    await object(carla);
    for (const { client } of [anna, dan, newcomer, people[4]!]) {
      expect(await client.next('group.reopened')).toEqual({
        type: 'group.reopened',
        groupId,
        epoch: 4,
        author: anna.peer,
      });
    }
    clock += 300;
    const again = await anna.client.request('group.commit', commitParams(groupId, 4)).catch((error: unknown) => error);
    expect((again as Refused).error).toMatchObject({ code: 'commitBarred' });
    expect((again as Refused).error.retryAfterMs).toBeGreaterThan(50_000);
    const good = commitParams(groupId, 4);
    expect(await ben.client.request('group.commit', good)).toEqual({ epoch: 5 });
    const log = await dan.client.request('group.log', { groupId, epoch: epochAt(4) });
    expect(log.commits.map(({ commit }) => commit)).toEqual([good.commit]);
    // Membership is as it was before it.
    expect((await join(url, meeting)).joined.peers.filter(({ inGroup }) => inGroup)).toHaveLength(5);
  });

  test('stands as long as the objections are forged, of outsiders, or about another commit', async () => {
    const { people, groupId } = await groupOf(3);
    const [anna, ben, carla] = people as [Person, Person, Person];
    const outsider = await join(url, meeting);
    const fine = commitParams(groupId, 2);
    await anna.client.request('group.commit', fine);
    const say = (person: Person, params: unknown) =>
      person.client.codeOf(person.client.ask('group.commitInvalid', params));
    expect(await say(ben, objection(newLeaf(), groupId, 2, fine.commit))).toBe('proofRefused');
    expect(await say(ben, objection(carla.leaf, groupId, 2, fine.commit))).toBe('proofRefused');
    expect(await say(ben, objection(ben.leaf, groupId, 2, randomText(300)))).toBe('accepted');
    expect(await say(carla, objection(carla.leaf, groupId, 1, fine.commit))).toBe('accepted');
    expect(await say(outsider, objection(outsider.leaf, groupId, 2, fine.commit))).toBe('accepted');
    expect(await say(anna, objection(anna.leaf, groupId, 2, fine.commit))).toBe('accepted');
    expect((await carla.client.request('group.log', { groupId, epoch: epochAt(2) })).epoch).toBe(3);
  });

  test('cannot be undone by the one person whom it removes', async () => {
    const { people, groupId } = await groupOf(2);
    const [anna, ben] = people as [Person, Person];
    const removal = commitParams(groupId, 1, { removed: [ben.peer] });
    await anna.client.request('group.commit', removal);
    await ben.client.request('group.commitInvalid', objection(ben.leaf, groupId, 1, removal.commit) as never);
    expect((await anna.client.request('group.log', { groupId, epoch: epochAt(0) })).epoch).toBe(2);
  });
});

test('who is said to be added, and is disowned by most of the older members, may neither commit nor come back as one', async () => {
  const { people, groupId } = await groupOf(4);
  const [anna, ben, , mallory] = people as [Person, Person, Person, Person];
  const friend = await join(url, meeting);
  await mallory.client.request('group.commit', commitParams(groupId, 3, { added: [friend.peer] }));
  await friend.client.next('group.welcome');
  for (const { client } of [anna, ben]) await client.request('group.disown', { groupId, peers: [friend.peer] });
  clock += 300;
  const refused = friend.client.request('group.commit', commitParams(groupId, 4));
  expect(await friend.client.codeOf(refused)).toBe('groupUnknown');
  const again = await join(url, meeting, { leaf: friend.leaf, member: { id: groupId, epoch: epochAt(4) } });
  const back = again.client.request('group.disown', { groupId, peers: [anna.peer] });
  expect(await again.client.codeOf(back)).toBe('groupUnknown');
  await anna.client.request('group.commit', commitParams(groupId, 4));
});

describe('what is sent on to many', () => {
  /** Eight members, on a clock that stands still: nothing is granted anew. */
  async function crowd() {
    let at = Date.now();
    const still = await startApp({}, { now: () => at, relay: new FakeRelay() });
    await create(still.url, meeting);
    const people = await Promise.all(Array.from({ length: 8 }, () => join(still.url, meeting)));
    const [first, ...rest] = people as [Person, ...Person[]];
    const groupId = newGroupId();
    await first.client.request('group.create', { groupId });
    await first.client.request('group.commit', commitParams(groupId, 0, { added: rest.map(({ peer }) => peer) }));
    return { still, people, groupId, pass: (ms: number) => (at += ms) };
  }
  const waits = async (asked: Promise<unknown>) => ((await asked.catch((error: unknown) => error)) as Refused).error;

  test('as a commit, with its Welcome, counts as often as it is sent', async () => {
    const { still, people, groupId, pass } = await crowd();
    const { client } = people[0]!;
    const commit = randomText(384 * 1024 - 3);
    const codes: string[] = [];
    for (let i = 0; i < 8; i++) {
      codes.push(await client.codeOf(client.request('group.commit', { ...commitParams(groupId, 1), commit })));
    }
    expect(codes.slice(-2)).toEqual(['commitBarred', 'tooMany']);
    pass(4000);
    const added = Array.from({ length: 100 }, () => newLeaf().peer);
    const big = { ...commitParams(groupId, 1, { added }), welcome: randomText(300 * 1024) };
    // More than all that is granted at once: it goes when all is there, and then nothing more does.
    expect(await client.request('group.commit', big)).toEqual({ epoch: 2 });
    const { code, retryAfterMs } = (await waits(client.request('message.send', { to: null, body: 'aa' })))!;
    expect([code, retryAfterMs! < 10]).toEqual(['tooMany', true]);
    await still.close();
  });

  test('as a request to be added counts as often as it is sent', async () => {
    const { still, people, groupId } = await crowd();
    const { client } = people[0]!;
    const body = randomText(48 * 1024);
    for (let i = 0; i < 64; i++) await client.codeOf(client.request('message.send', { to: null, body }));
    const asked = { groupId, keyPackage: randomText(12 * 1024), admission: 'aa' };
    const codes: string[] = [];
    for (let i = 0; i < 5; i++) codes.push(await client.codeOf(client.request('group.requestAdd', asked)));
    expect(codes).toContain('tooMany');
    await still.close();
  });
});

describe('sealed messages', () => {
  test('go to one peer, or to all members but the sender, in order', async () => {
    const { people } = await groupOf(3);
    const [anna, ben, carla] = people as [Person, Person, Person];
    const outsider = await join(url, meeting);
    const bodies = Array.from({ length: 20 }, () => randomText(50));
    for (const body of bodies) await anna.client.request('message.send', { to: null, body });
    await anna.client.request('message.send', { to: ben.peer, body: 'only-Ben' });
    for (const { client } of [ben, carla]) {
      for (const body of bodies) expect((await client.next('message')).body).toBe(body);
    }
    expect(await ben.client.next('message')).toEqual({ type: 'message', from: anna.peer, body: 'only-Ben' });
    await Promise.all([anna, carla, outsider].map(({ client }) => client.flushed()));
    for (const { client } of [anna, carla, outsider])
      expect(client.events.filter(({ type }) => type === 'message')).toEqual([]);
  });

  test('to nobody who is there are refused', async () => {
    const { people } = await groupOf(2);
    const { client } = people[0]!;
    expect(await client.codeOf(client.request('message.send', { to: newLeaf().peer, body: 'aa' }))).toBe('peerUnknown');
  });

  test('beyond the rate are refused with the time to wait, and the connection goes on', async () => {
    const { people } = await groupOf(2);
    const { client } = people[0]!;
    const codes = await Promise.all(
      // Fewer above the rate than end a connection, and more than it gives back on a busy machine meanwhile.
      Array.from({ length: 320 }, () => client.codeOf(client.request('message.send', { to: null, body: 'aa' }))),
    );
    expect(codes.filter((code) => code === 'accepted').length).toBeGreaterThanOrEqual(240);
    expect(codes).toContain('tooMany');
    await client.flushed();
  });
});
