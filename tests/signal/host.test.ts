/** What a host orders, and nobody else can. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startApp, type StartedApp } from '../support/startApp.ts';
import { admit, Client, commitParams, create, join, type Person, proveLink } from './client.ts';
import { labels, newGroupId, newKey, newLeaf, proofText, randomText, signed, TestMeeting } from './keys.ts';

let server: StartedApp;
let url: string;
let meeting: TestMeeting;
let anna: Person;
let ben: Person;
beforeAll(async () => {
  server = await startApp();
  url = server.url;
});
afterAll(() => server.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(url, meeting);
  [anna, ben] = [await join(url, meeting), await join(url, meeting)];
});

const code = (person: Person, name: string, params: unknown) => person.client.codeOf(person.client.ask(name, params));

describe('host state', () => {
  test('reaches everybody, those in the lobby included, and only ever rises', async () => {
    const state = meeting.state({ version: 5, locked: false });
    await anna.client.request('host.state', { state });
    expect((await ben.client.next('host.state')).state).toEqual(state);
    // The same again, as after a lost answer, is no mistake; another of its version is.
    expect(await code(anna, 'host.state', { state })).toBe('accepted');
    expect(await code(anna, 'host.state', { state: meeting.state({ version: 3, locked: true }) })).toBe('badRequest');
    expect(await code(anna, 'host.state', { state: meeting.state({ version: 4 }) })).toBe('badRequest');
    expect((await join(url, meeting)).joined.hostState).toEqual(state);
  });

  test('counts only if the host of this meeting has signed it, whoever hands it in', async () => {
    for (const state of [
      meeting.state({ version: 1, locked: true }, newKey()),
      new TestMeeting().state({ version: 1, locked: true }),
      signed(labels.hostCommand, JSON.parse(meeting.state({}).body), meeting.host),
      meeting.state({ meeting: new TestMeeting().id }),
    ]) {
      expect(await code(anna, 'host.state', { state })).toBe('notAllowed');
    }
    await join(url, meeting);
    expect(await code(ben, 'host.state', { state: meeting.state({}) })).toBe('accepted');
  });
});

describe('a new generation', () => {
  test('is told to members, and shuts the old link out everywhere, also where it was proven before', async () => {
    const old = { link: meeting.link, access: meeting.access };
    const linked = await Client.connect(url);
    const challenge = await proveLink(linked, meeting);
    const { client: admitted, challenge: second } = await admit(url, meeting);

    const terms = meeting.rotated();
    await anna.client.request('host.rotate', terms);
    const told = await ben.client.next('meeting.record');
    expect(told.record).toEqual(terms.record);
    expect(JSON.stringify(told)).not.toContain(meeting.access.publicKey);

    const signature = old.access.sign(labels.proveAccess, proofText(meeting.id, challenge));
    expect(await linked.codeOf(linked.request('meeting.proveAccess', { signature }))).toBe('linkRefused');
    const leaf = newLeaf();
    const params = {
      peer: leaf.peer,
      leafKey: leaf.publicKey,
      signature: leaf.sign(labels.provePeer, proofText(meeting.id, second, leaf.peer)),
      name: randomText(9),
    };
    expect(await admitted.codeOf(admitted.request('meeting.join', params))).toBe('linkRefused');
    const stale = new TestMeeting();
    Object.assign(stale, { id: meeting.id, link: old.link, access: old.access });
    await expect(join(url, stale)).rejects.toThrow('linkRefused');
    // Who is in stays in, and the new link opens.
    await anna.client.request('ping', {});
    await join(url, meeting);
  });

  test('follows the one before, under the same host key', async () => {
    const refusals: string[] = [];
    const next = meeting.terms({ generation: 1 });
    for (const terms of [
      meeting.terms({ generation: 0 }),
      meeting.terms({ generation: 2 }),
      meeting.terms({ generation: 1 }, newKey()),
      new TestMeeting().terms({ generation: 1 }),
      meeting.terms({ generation: 1, settings: { meshLimit: 4, capacity: 1 } }),
      // An access key of another generation, of another meeting, and by another hand.
      { ...next, access: meeting.terms().access },
      {
        ...next,
        access: signed(
          labels.access,
          { version: 1, meeting: new TestMeeting().id, generation: 1, accessKey: meeting.access.publicKey },
          meeting.host,
        ),
      },
      { ...next, access: meeting.terms({ generation: 1 }, newKey()).access },
    ]) {
      refusals.push(await code(anna, 'host.rotate', terms));
    }
    expect(refusals).toEqual([
      'badRequest',
      'badRequest',
      'proofRefused',
      'notAllowed',
      'badRequest',
      'badRequest',
      'badRequest',
      'proofRefused',
    ]);
    await join(url, meeting);
  });
});

describe('a removal', () => {
  test('ends the connection of the peer, who can neither resume nor join again', async () => {
    await anna.client.request('host.command', { command: meeting.command({ action: 'remove', peer: ben.peer }) });
    expect((await ben.client.closed).code).toBe(4403);
    expect(await anna.client.next('peer.left')).toMatchObject({ peer: ben.peer, reason: 'removed' });
    await expect(ben.resume(url, meeting)).rejects.toThrow('removed');
    await expect(join(url, meeting, { leaf: ben.leaf })).rejects.toThrow('removed');
  });

  test('also reaches a member that is away', async () => {
    const groupId = newGroupId();
    await anna.client.request('group.create', { groupId });
    await anna.client.request('group.commit', commitParams(groupId, 0, { added: [ben.peer] }));
    ben.client.cut();
    await anna.client.next('peer.presence');
    await anna.client.request('host.command', { command: meeting.command({ action: 'remove', peer: ben.peer }) });
    await expect(ben.resume(url, meeting)).rejects.toThrow('removed');
    const member = { id: groupId, epoch: 1 as never };
    await expect(join(url, meeting, { leaf: ben.leaf, member })).rejects.toThrow('removed');
  });

  test('is ordered by the host’s signature, each sequence once', async () => {
    const remove = { action: 'remove', peer: ben.peer } as const;
    expect(await code(anna, 'host.command', { command: meeting.command(remove, newKey()) })).toBe('notAllowed');
    expect(await code(anna, 'host.command', { command: new TestMeeting().command(remove) })).toBe('notAllowed');
    const nobody = meeting.command({ action: 'remove', peer: newLeaf().peer }, meeting.host, 50);
    expect(await code(anna, 'host.command', { command: nobody })).toBe('peerUnknown');
    expect(await code(anna, 'host.command', { command: meeting.command(remove, meeting.host, 50) })).toBe('badRequest');
    expect(await code(anna, 'host.command', { command: meeting.command(remove, meeting.host, 49) })).toBe('badRequest');
    await ben.client.flushed();
    expect(await code(anna, 'host.command', { command: meeting.command(remove, meeting.host, 51) })).toBe('accepted');
  });
});

describe('the end', () => {
  test('is told to all with its proof, the host’s answer first; nobody comes in any more, also after a restart', async () => {
    const { client: waiting } = await admit(url, meeting);
    const command = meeting.command({ action: 'end' });
    anna.client.heard.length = 0;
    await anna.client.request('host.command', { command });
    for (const { client } of [anna, ben]) {
      expect((await client.next('meeting.ended')).command).toEqual(command);
      expect((await client.closed).code).toBe(4410);
    }
    expect(anna.client.heard).toEqual(['answer host.command', 'meeting.ended']);
    expect((await waiting.closed).code).toBe(4410);
    await expect(join(url, meeting)).rejects.toThrow('meetingEnded');
    await expect(ben.resume(url, meeting)).rejects.toThrow('resumeRefused');
    await server.restart();
    await expect(join(url, meeting)).rejects.toThrow('meetingEnded');
    await expect(create(url, meeting)).rejects.toThrow('409');
  });
});
