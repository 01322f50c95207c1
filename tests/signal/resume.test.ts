/** Lost sockets, lost servers, and coming back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { Client, commitParams, create, join, type Person } from './client.ts';
import { newGroupId, newLeaf, randomText, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let clock = 0;
beforeEach(async () => {
  clock = 0;
  server = await startApp({}, { now: () => Date.now() + clock });
  url = server.url;
  meeting = new TestMeeting();
  await create(url, meeting);
});
afterEach(() => server.close());

async function pair(): Promise<{ anna: Person; ben: Person; groupId: ReturnType<typeof newGroupId> }> {
  const [anna, ben] = [await join(url, meeting), await join(url, meeting)];
  const groupId = newGroupId();
  await anna.client.request('group.create', { groupId });
  await anna.client.request('group.commit', commitParams(groupId, 0, { added: [ben.peer] }));
  await ben.client.next('group.welcome');
  clock += 1000;
  return { anna, ben, groupId };
}
const away = (from: Person, peer: PeerId) =>
  from.client.next('peer.presence', (event) => event.peer === peer && event.presence === 'away');
const send = (from: Person, body: string, more: { transient?: boolean } = {}) =>
  from.client.request('message.send', { to: null, body, ...more });

describe('a lost socket', () => {
  test('is shown as away, and comes back within 30 s with everything that it missed, in order', async () => {
    const { anna, ben, groupId } = await pair();
    await ben.client.flushed();
    ben.client.cut();
    await away(anna, ben.peer);
    await send(anna, 'one');
    await anna.client.request('group.commit', commitParams(groupId, 1));
    await send(anna, 'gone', { transient: true });
    await send(anna, 'two');
    clock += 29_000;
    const back = await ben.resume(url, meeting);
    expect(await anna.client.next('peer.presence')).toMatchObject({ peer: ben.peer, presence: 'here' });
    await back.client.flushed();
    expect(back.client.heard).toEqual(['answer resume', 'message', 'group.committed', 'message', 'answer ping']);
    expect(back.client.events.flatMap((event) => (event.type === 'message' ? [event.body] : []))).toEqual([
      'one',
      'two',
    ]);
    // And it is a member as before.
    clock += 1000;
    await back.client.request('group.commit', commitParams(groupId, 2));
  });

  test('that the server has not noticed is replaced by the one that resumes; nothing is lost between them', async () => {
    const { anna, ben } = await pair();
    await ben.client.flushed();
    const seen = ben.client.received;
    await send(anna, 'one');
    await ben.client.next('message');
    // The client says that it has not seen the last one.
    const back = await ben.resume(url, meeting, seen);
    expect((await ben.client.closed).code).toBe(4409);
    await send(anna, 'two');
    expect((await back.client.next('message')).body).toBe('one');
    expect((await back.client.next('message')).body).toBe('two');
    await anna.client.flushed();
    expect(anna.client.heard).not.toContain('peer.presence');
  });

  test('comes back to servers for ICE with new credentials: the old ones expire', async () => {
    const turn = await startApp(
      { PARLEY_TURN_URLS: 'turn:turn.example.org', PARLEY_TURN_SECRET: 'hush' },
      { now: () => Date.now() + clock },
    );
    await create(turn.url, meeting);
    const anna = await join(turn.url, meeting);
    const [before] = anna.joined.iceServers;
    anna.client.cut();
    clock += 20_000;
    const client = await Client.connect(turn.url);
    const { token } = anna.joined;
    const words = { protocol: 1, meeting: meeting.id, peer: anna.peer, token, received: 0 };
    const { iceServers } = await client.request('resume', words);
    expect(iceServers[0]!.urls).toEqual(before!.urls);
    const expiry = (username: string) => Number(username.split(':')[0]);
    expect(expiry(iceServers[0]!.username!)).toBeGreaterThanOrEqual(expiry(before!.username!) + 20);
    expect(iceServers[0]!.credential).not.toBe(before!.credential);
    await turn.close();
  });

  test('is given up after 30 s: the others are told, and resuming is too late', async () => {
    const { anna, ben } = await pair();
    ben.client.cut();
    await away(anna, ben.peer);
    clock += 30_001;
    expect(await anna.client.next('peer.left')).toMatchObject({ peer: ben.peer, reason: 'lost' });
    await expect(ben.resume(url, meeting)).rejects.toThrow('resumeRefused');
  });

  test('is not taken up without its token, by another peer’s token, or in another meeting', async () => {
    const { anna, ben } = await pair();
    ben.client.cut();
    await away(anna, ben.peer);
    const other = new TestMeeting();
    await create(url, other);
    const { token } = ben.joined;
    const right = { protocol: 1, meeting: meeting.id, peer: ben.peer, token, received: 0 };
    for (const wrong of [
      { ...right, token: randomText(32) },
      { ...right, token: anna.joined.token },
      { ...right, meeting: other.id },
      { ...right, peer: newLeaf().peer },
    ]) {
      const client = await Client.connect(url);
      expect(await client.codeOf(client.request('resume', wrong))).toBe('resumeRefused');
    }
    await ben.resume(url, meeting);
  });

  test('that missed more than is kept must join again, and is a member still', async () => {
    const { anna, ben, groupId } = await pair();
    await ben.client.flushed();
    const seen = ben.client.received;
    ben.client.cut();
    await away(anna, ben.peer);
    const body = randomText(48 * 1024);
    for (let i = 0; i < 70; i++) {
      await send(anna, body);
      clock += 200;
    }
    clock -= 70 * 200;
    await expect(ben.resume(url, meeting, seen)).rejects.toThrow('resumeRefused');
    const again = await join(url, meeting, { leaf: ben.leaf, member: { id: groupId, epoch: 1 as never } });
    expect(again.joined.group).toEqual({ id: groupId, epoch: 1 });
    await again.client.request('group.commit', commitParams(groupId, 1));
  });

  test('of a member that everybody else has committed away leaves its place at once', async () => {
    const { anna, ben, groupId } = await pair();
    ben.client.cut();
    await away(anna, ben.peer);
    const newcomer = await join(url, meeting);
    const replacing = commitParams(groupId, 1, { added: [newcomer.peer], removed: [ben.peer] });
    await anna.client.request('group.commit', replacing);
    expect(await anna.client.next('peer.left')).toMatchObject({ peer: ben.peer, reason: 'replaced' });
  });
});

describe('members of a group who are all lost', () => {
  test('find it again, unless somebody has made another meanwhile', async () => {
    const { anna, ben, groupId } = await pair();
    const outsider = await join(url, meeting);
    for (const person of [anna, ben]) {
      person.client.cut();
      await away(outsider, person.peer);
    }
    clock += 31_000;
    await outsider.client.next('peer.left');
    await outsider.client.next('peer.left');
    const back = await join(url, meeting, { leaf: anna.leaf, member: { id: groupId, epoch: 1 as never } });
    expect(back.joined.group).toEqual({ id: groupId, epoch: 1 });
    back.client.cut();
    await away(outsider, anna.peer);
    clock += 31_000;
    await outsider.client.next('peer.left');
    const other = newGroupId();
    expect(await outsider.client.request('group.create', { groupId: other })).toMatchObject({ created: true });
    const late = await join(url, meeting, { leaf: ben.leaf, member: { id: groupId, epoch: 1 as never } });
    // It sees another group than its own, and is no member of that.
    expect(late.joined.group).toEqual({ id: other, epoch: 0 });
    const lobby = (await join(url, meeting)).joined.peers;
    expect(lobby.find(({ peer }) => peer === ben.peer)!.inGroup).toBe(false);
  });
});

describe('a server that stops', () => {
  test('tells everybody to connect again, closes with 1012, and needs less than five seconds', async () => {
    const { anna, ben } = await pair();
    const started = Date.now();
    const closing = server.app.close();
    for (const { client } of [anna, ben]) {
      expect((await client.next('server.draining')).retryMs).toBeGreaterThan(0);
      expect((await client.closed).code).toBe(1012);
    }
    await closing;
    expect(Date.now() - started).toBeLessThan(4000);
  });

  test('and starts again finds meeting and group; members go on in them, newcomers wait for members', async () => {
    const { anna, ben, groupId } = await pair();
    await server.restart();
    await expect(ben.resume(url, meeting)).rejects.toThrow('resumeRefused');
    const newcomer = await join(url, meeting);
    expect(newcomer.joined.group).toBeNull();
    const early = await newcomer.client.request('group.create', { groupId: newGroupId() });
    expect(early).toMatchObject({ created: false, group: null });
    expect(early.waitMs).toBeGreaterThan(20_000);

    const member = { id: groupId, epoch: 1 as never };
    const back = await join(url, meeting, { leaf: ben.leaf, member });
    expect(back.joined.group).toEqual(member);
    // Who only knows the group's id is no member of it.
    const impostor = await join(url, meeting, { member });
    const commit = commitParams(groupId, 1, { added: [newcomer.peer] });
    expect(await impostor.client.codeOf(impostor.client.request('group.commit', commit))).toBe('groupUnknown');
    await back.client.request('group.commit', commit);
    await newcomer.client.next('group.welcome');
    const first = await join(url, meeting, { leaf: anna.leaf, member });
    const log = await first.client.request('group.log', { groupId, epoch: 0 as never });
    expect(log.commits.map(({ epoch }) => epoch)).toEqual([0, 1]);
  });

  test('and starts again lets members back in although the meeting is locked and full', async () => {
    meeting = new TestMeeting();
    meeting.settings = { meshLimit: 2, capacity: 2 };
    await create(url, meeting);
    const { anna, ben, groupId } = await pair();
    await anna.client.request('host.state', { state: meeting.state({ locked: true }) });
    await server.restart();
    await expect(join(url, meeting)).rejects.toThrow('meetingLocked');
    const member = { id: groupId, epoch: 1 as never };
    for (const { leaf } of [anna, ben]) await join(url, meeting, { leaf, member });
  });

  test('and starts again lets others make a group when nobody came back in time', async () => {
    await pair();
    await server.restart();
    const newcomer = await join(url, meeting);
    clock += 31_000;
    expect(await newcomer.client.request('group.create', { groupId: newGroupId() })).toMatchObject({ created: true });
  });
});
