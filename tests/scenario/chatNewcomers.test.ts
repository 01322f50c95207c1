/** What newcomers see of the chat, asserted on keys: in real groups, and with whoever tries to come to more. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isGiven } from '../../client/e2ee/chat/policy.ts';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { sealForward } from '../../crypto/chatForward.ts';
import { forwardItem, itemHead, ringItem } from '../../crypto/chatItem.ts';
import { deriveChatKey, sealRing, writeSecret, type RingSecret } from '../../crypto/chatKey.ts';
import { Writer } from '../../crypto/codec.ts';
import { random } from '../../crypto/primitives.ts';
import { MEETING } from '../client/chat/world.ts';
import { ChatScene, HOUR, type Chatter } from './support/chatPeople.ts';

let chat: ChatScene;
let anna: Chatter;
beforeEach(async () => {
  chat = await ChatScene.open();
});
afterEach(() => {
  for (const { errors } of chat.scene.people) expect(errors).toEqual([]);
  chat.end();
});

/** Anna is host, Ben is there, and this holds for newcomers. */
async function begin(newcomers: Parameters<ChatScene['decide']>[1]): Promise<Chatter> {
  anna = await chat.come('Anna');
  const ben = await chat.come('Ben');
  await chat.decide(anna, newcomers);
  return ben;
}

const noAlarms = () => expect(chat.chatters.flatMap(({ device }) => device.chat.alarms)).toEqual([]);

describe('newcomers see nothing from before', () => {
  test('a late joiner reads what follows, and holds no key for what was before; those who were there read all', async () => {
    const ben = await begin({ see: 'nothing' });
    await chat.write(anna, 'one');
    await chat.write(ben, 'two');
    const cem = await chat.come('Cem');
    await chat.write(anna, 'three');
    await chat.write(cem, 'four');
    await chat.write(ben, 'five');
    const dora = await chat.come('Dora');
    await chat.write(ben, 'six');
    const all = ['one', 'two', 'three', 'four', 'five', 'six'];
    expect(anna.device.texts).toEqual(all);
    expect(ben.device.texts).toEqual(all);
    expect(cem.device.texts).toEqual(all.slice(2));
    expect(dora.device.texts).toEqual(all.slice(5));
    expect((await chat.opens(anna, anna)).sort()).toEqual([...all].sort());
    expect((await chat.opens(cem, anna)).sort()).toEqual(all.slice(2).sort());
    expect(await chat.opens(dora, anna)).toEqual(all.slice(5));
    await chat.scene.world.advance(20_000);
    noAlarms();
  });

  test('what is written in the very moment in which somebody comes is for them, too', async () => {
    const ben = await begin({ see: 'nothing' });
    await chat.write(ben, 'before');
    const cem = await chat.visitor('Cem');
    await chat.join(cem, {}, 0);
    await chat.write(ben, 'welcome');
    expect(cem.device.texts).toEqual(['welcome']);
    expect(await chat.opens(cem, anna)).toEqual(['welcome']);
  });

  test('whoever has the link and was never let in holds no key, and can write nothing that would be lost', async () => {
    await begin({ see: 'nothing' });
    await chat.write(anna, 'secret');
    const eve = await chat.visitor('Eve');
    expect(await chat.opens(eve, anna)).toEqual([]);
    expect(eve.device.chat.canWrite).toBe(false);
    await expect(eve.device.chat.write([{ is: 'say', text: 'lost' }])).rejects.toThrow();
    await chat.join(eve);
    expect(eve.device.chat.canWrite).toBe(true);
  });

  test('whoever was there and went reads on from the lobby, and writes; all read it', async () => {
    const ben = await begin({ see: 'nothing' });
    await chat.write(anna, 'one');
    await chat.leave(ben);
    const cem = await chat.come('Cem');
    await chat.write(cem, 'two');
    expect(ben.device.texts).toEqual(['one', 'two']);
    await chat.write(ben, 'three');
    expect(anna.device.texts).toEqual(['one', 'two', 'three']);
    expect(cem.device.texts).toEqual(['two', 'three']);
    noAlarms();
  });
});

describe('newcomers see the last hours', () => {
  test('a late joiner holds keys of exactly these hours', async () => {
    const ben = await begin({ see: 'hours', hours: 2 });
    for (const text of ['five hours ago', 'three hours ago', 'two hours ago', 'an hour ago']) {
      await chat.write(ben, text);
      await chat.pass(text.startsWith('five') ? 2 : 1);
    }
    const cem = await chat.come('Cem');
    await chat.write(anna, 'now');
    expect(cem.device.texts).toEqual(['two hours ago', 'an hour ago', 'now']);
    expect((await chat.opens(cem, anna)).sort()).toEqual(['an hour ago', 'now', 'two hours ago']);
    expect(anna.device.texts).toHaveLength(5);
    noAlarms();
  });

  test('more hours than were promised when it was written are given to nobody: by asking, by a wrong clock, or by a later word', async () => {
    const ben = await begin({ see: 'hours', hours: 1 });
    await chat.write(ben, 'old');
    await chat.pass(3);
    await chat.decide(anna, { see: 'hours', hours: 720 });
    await chat.write(ben, 'new');
    const cem = await chat.come('Cem');
    // It asks as often as it likes, for whatever a changed program would ask.
    for (let i = 0; i < 3; i++) {
      await chat.scene.world.advance(4000);
      await cem.person!.session.send(null, 'chatAsk' as never, JSON.stringify({ hours: 1000 }));
    }
    await chat.scene.world.advance(5000);
    expect(await chat.opens(cem, anna)).toEqual(['new']);
    expect(cem.device.texts).toEqual(['new']);
  });
});

describe('a snapshot took the place of the log', () => {
  const opensOf = async (who: Chatter) => (await chat.opens(who, anna)).sort();

  test.each<[string, Parameters<ChatScene['decide']>[1], { late: string[]; stranger: string[] }]>([
    ['all', { see: 'all' }, { late: ['one', 'two', 'three', 'now'], stranger: ['one', 'two', 'three', 'now'] }],
    ['nothing', { see: 'nothing' }, { late: ['now'], stranger: [] }],
    ['the last two hours', { see: 'hours', hours: 2 }, { late: ['two', 'three', 'now'], stranger: [] }],
  ])(
    'newcomers see %s: a late joiner reads that of it, and holds no key for the rest',
    async (_name, newcomers, seen) => {
      chat.snapshotAfter = 6;
      const ben = await begin(newcomers);
      await chat.write(ben, 'one');
      await chat.pass(3);
      await chat.write(anna, 'two');
      await chat.write(ben, 'three');
      const { seq } = chat.log.head;
      for (let i = 0; i < 9 && chat.log.base < seq; i++) {
        await chat.react(i % 2 ? anna : ben);
        await chat.scene.world.advance(30_000);
      }
      expect(chat.log.base).toBeGreaterThanOrEqual(seq);
      const eve = await chat.visitor('Eve');
      const cem = await chat.come('Cem');
      await chat.write(anna, 'now');
      await chat.scene.world.advance(20_000);
      expect(cem.device.texts).toEqual(seen.late);
      expect(await opensOf(cem)).toEqual([...seen.late].sort());
      expect(await opensOf(eve)).toEqual([...seen.stranger].sort());
      expect(anna.device.texts).toEqual(['one', 'two', 'three', 'now']);
      // What they cannot open is not lost: whoever gives them the keys gives them that.
      for (const one of anna.device.keys.ring.all)
        await cem.device.keys.ring.add(one, { heard: one.heard, place: one.place, told: false, from: one.from });
      cem.device.chat.keysMoved();
      await chat.scene.world.advance(20_000);
      expect(cem.device.texts).toEqual(['one', 'two', 'three', 'now']);
    },
  );
});

describe('the host thinks again', () => {
  test('from everything to nothing and back: each time holds for what is written in it', async () => {
    const ben = await begin({ see: 'all' });
    await chat.write(ben, 'open');
    await chat.decide(anna, { see: 'nothing' });
    await chat.write(ben, 'closed');
    await chat.decide(anna, { see: 'all' });
    await chat.write(ben, 'open again');
    const cem = await chat.come('Cem');
    expect(cem.device.texts).toEqual(['open', 'open again']);
    expect((await chat.opens(cem, anna)).sort()).toEqual(['open', 'open again']);
    expect(anna.device.texts).toEqual(['open', 'closed', 'open again']);
    const eve = await chat.visitor('Eve');
    expect((await chat.opens(eve, anna)).sort()).toEqual(['open', 'open again']);
    noAlarms();
  });

  test('from some hours to nothing and back: nobody comes from the hours to what was between', async () => {
    const ben = await begin({ see: 'hours', hours: 24 });
    await chat.write(ben, 'hourly');
    await chat.decide(anna, { see: 'nothing' });
    await chat.write(ben, 'closed');
    await chat.decide(anna, { see: 'hours', hours: 24 });
    await chat.write(ben, 'hourly again');
    const cem = await chat.come('Cem');
    expect((await chat.opens(cem, anna)).sort()).toEqual(['hourly', 'hourly again']);
    expect(anna.device.texts).toEqual(['hourly', 'closed', 'hourly again']);
  });
});

describe('somebody was removed', () => {
  test('opens nothing that follows, with every key it held and all that the log has; whoever is away comes by the new link', async () => {
    const ben = await begin({ see: 'nothing' });
    const cem = await chat.come('Cem');
    await chat.write(cem, 'with Cem');
    await chat.leave(ben);
    const links = [{ ...cem.device.access, generation: 0, chatKey: cem.device.access.chatKey.slice() }];
    await anna.person!.session.remove(cem.person!.peer);
    await chat.scene.world.advance(8000);
    anna.device.chat.renewed();
    await chat.write(anna, 'without Cem');
    expect(await chat.opens(cem, anna, links as never)).toEqual(['with Cem']);
    ben.device.access = anna.device.access;
    ben.device.chat.renewed();
    await chat.scene.world.advance(8000);
    expect(ben.device.texts).toEqual(['with Cem', 'without Cem']);
    await chat.write(ben, 'from the lobby');
    expect(anna.device.texts).toEqual(['with Cem', 'without Cem', 'from the lobby']);
  });
});

describe('members and strangers who are not honest', () => {
  const given = (secrets: RingSecret[], isNew: boolean) => {
    const writer = new Writer();
    for (const one of secrets) writeSecret(writer, one);
    return JSON.stringify({ isNew, keys: base64url(writer.done()) });
  };
  const names = ({ device }: Chatter) => device.keys.ring.all.map(({ key }) => key.name).sort();
  const hour = () => Math.floor(chat.scene.world.now / HOUR);

  test('a letter that gives keys of another generation, open ones, or ones that nobody asked for is taken by nobody', async () => {
    const ben = await begin({ see: 'hours', hours: 2 });
    await chat.write(ben, 'one');
    await chat.pass(0.1);
    const before = names(anna);
    const one = (generation: number, closed: RingSecret['closed']) => ({ secret: random(32), generation, closed });
    const closed = { begun: hour(), reach: 2 };
    const letters = [
      given([one(1, closed)], true),
      given([one(0, null)], true),
      given([one(0, closed)], false),
      JSON.stringify({ isNew: true, keys: 'AAAA' }),
    ];
    for (const body of letters) {
      await ben.person!.session.send(null, 'chatKeys' as never, body);
      await chat.scene.world.advance(2000);
    }
    // Long after anybody asked.
    await chat.scene.world.advance(90_000);
    await ben.person!.session.send(null, 'chatKeys' as never, given([one(0, closed)], false));
    await chat.scene.world.advance(2000);
    expect(names(anna)).toEqual(before);
    // The same way takes what is as it has to be.
    await ben.person!.session.send(null, 'chatKeys' as never, given([one(0, closed)], true));
    await chat.scene.world.advance(2000);
    expect(names(anna)).toHaveLength(before.length + 1);
  });

  test('more keys of one member than a conversation needs are not taken', async () => {
    const ben = await begin({ see: 'nothing' });
    const before = names(anna).length;
    for (let i = 0; i < 5; i++) {
      const many = Array.from({ length: 30 }, () => ({
        secret: random(32),
        generation: 0,
        closed: { begun: hour(), reach: 0 },
      }));
      await ben.person!.session.send(null, 'chatKeys' as never, given(many, true));
    }
    await chat.scene.world.advance(2000);
    expect(names(anna).length - before).toBeLessThanOrEqual(64);
  });

  test('keys that somebody with the link puts into the log for those who are there seal nothing', async () => {
    await begin({ see: 'nothing' });
    await chat.write(anna, 'one');
    const eve = await chat.visitor('Eve');
    const { chatKey, generation } = eve.device.access;
    const place = { meetingId: MEETING, generation, chatKey };
    const planted = Array.from({ length: 20 }, () => ({
      secret: random(32),
      generation,
      closed: { begun: hour(), reach: 0 },
    }));
    // Under the ids of keys that it sees in the log, but holds none of; and under open ones that it draws.
    const open = { secret: random(32), generation, closed: null };
    const ids = chat.log.items.flatMap(({ body }) => {
      const head = itemHead(fromBase64url(body));
      return head !== null && 'keyId' in head ? [head.keyId] : [];
    });
    ids.push((await deriveChatKey(open, MEETING)).id);
    const edges = await Promise.all(
      planted.map((one, i) => sealForward(place, { secret: open.secret, id: ids[i % ids.length]! }, one)),
    );
    const ring = ringItem(generation, await sealRing(chatKey, place, [open]));
    for (const item of [ring, ...edges.map((edge) => forwardItem(generation, [edge]))]) {
      const added = chat.log.append(base64url(random(16)), base64url(item));
      for (const { device } of chat.chatters) device.pushed({ type: 'items', items: [added] });
    }
    await chat.scene.world.advance(5000);
    await chat.write(anna, 'two');
    const keys = await Promise.all([...planted, open].map((one) => deriveChatKey(one, MEETING)));
    for (const { name } of keys.slice(0, -1)) expect(names(anna)).not.toContain(name);
    expect(keys.map(({ name }) => name)).not.toContain(anna.device.keys.current?.name);
    expect(await chat.opens(eve, anna)).toEqual([]);
  });

  test('a clock that was wrong when a key was begun, or is when it is asked for, makes none younger', async () => {
    const newcomers = { see: 'hours', hours: 2 } as const;
    const given = (begun: number, heard: number, now: number) =>
      isGiven({ closed: { begun, reach: 2 }, heard }, { hour: now, newcomers });
    expect([given(100, 100, 102), given(100, 100, 103)]).toEqual([true, false]);
    // Begun by a clock five hours ahead.
    expect([given(105, 100, 102), given(105, 100, 103)]).toEqual([true, false]);
    const ben = await begin(newcomers);
    await chat.write(ben, 'old');
    await chat.pass(5);
    // Everybody's own clock stands five hours back; the server's does not.
    const cem = await chat.visitor('Cem');
    for (const { device } of [anna, ben]) Object.defineProperty(device.keys, 'hour', { get: () => hour() - 5 });
    await chat.join(cem);
    expect(await chat.opens(cem, anna)).toEqual([]);
  });
});
