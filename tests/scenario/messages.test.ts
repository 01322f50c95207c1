import { afterEach, describe, expect, test } from 'vitest';
import { fromBase64url, base64url } from '../../crypto/bytes.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { Scene, type Person } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

async function three(): Promise<[Person, Person, Person]> {
  scene = await Scene.open();
  return (await scene.gather('Ann', 'Ben', 'Cem')) as [Person, Person, Person];
}

/** What the server carried, from now on. */
function tap(): { from: PeerId; to: PeerId; body: string }[] {
  const seen: { from: PeerId; to: PeerId; body: string }[] = [];
  scene.server.deliver = (event, to) => {
    if (event.type === 'message') seen.push({ from: event.from, to, body: event.body });
    return [event];
  };
  return seen;
}

const message = (from: PeerId, body: string): ServerEvent => ({ type: 'message', from, body });

test('a message to all reaches all others, one to somebody only them', async () => {
  const [ann, ben, cem] = await three();
  await ann.say(null, '"all"');
  await ann.say(ben, '"only Ben"');
  await scene.world.advance(10);
  expect(ben.messages).toEqual(['"all"', '"only Ben"']);
  expect(cem.messages).toEqual(['"all"']);
  expect(ann.messages).toEqual([]);
  expect(ben.notices.findLast((notice) => notice.type === 'message')).toMatchObject({
    from: ann.peer,
    kind: 'reaction',
  });
});

test('the server carries nothing that it could read', async () => {
  const [ann] = await three();
  const seen = tap();
  await ann.say(null, '"the eagle has landed"');
  await scene.world.advance(10);
  expect(seen.length).toBeGreaterThan(0);
  for (const { body } of seen) expect(Buffer.from(body, 'base64url').toString('latin1')).not.toContain('eagle');
});

test('who speaks is a sealed message like any other: members hear of it, and the server cannot tell it from a hand', async () => {
  const [ann, ben] = await three();
  const seen = tap();
  await ann.say(null, '{"on":true}', 'speaking');
  await scene.world.advance(10);
  expect(ben.notices.findLast((notice) => notice.type === 'message')).toMatchObject({
    from: ann.peer,
    kind: 'speaking',
    body: '{"on":true}',
  });
  await ann.say(null, '{"on":false}', 'speaking');
  await ann.say(null, '{"raised":true}', 'hand');
  await scene.world.advance(10);
  expect(seen).toHaveLength(6);
  expect(new Set(seen.map(({ body }) => body.length)).size).toBe(1);
  for (const { body } of seen)
    expect(Buffer.from(body, 'base64url').toString('latin1')).not.toMatch(/speaking|"on"|true/);
});

describe('the server tampers', () => {
  test('a message that comes twice is handed on once', async () => {
    const [ann, ben] = await three();
    const seen = tap();
    await ann.say(ben, '"once"');
    await scene.world.advance(10);
    for (const { body } of seen) scene.server.raw(ben.peer, message(ann.peer, body));
    await scene.world.advance(3000);
    for (const { body } of seen) scene.server.raw(ben.peer, message(ann.peer, body));
    await scene.world.advance(10);
    expect(ben.messages).toEqual(['"once"']);
  });

  test('what leads to a connection is handed on in whatever order it comes, each once', async () => {
    const [ann, ben] = await three();
    const held: ServerEvent[] = [];
    scene.server.deliver = (event, to) => {
      if (event.type !== 'message' || to !== ben.peer || event.from !== ann.peer) return [event];
      held.push(event);
      return [];
    };
    for (const body of ['"offer"', '"candidate"', '"another"']) await ann.say(ben, body, 'mesh.signal');
    await scene.world.settle();
    expect(held).toHaveLength(3);
    for (const event of [...held].reverse()) scene.server.raw(ben.peer, event);
    for (const event of held) scene.server.raw(ben.peer, event);
    await scene.world.settle();
    expect(ben.messages).toEqual(['"another"', '"candidate"', '"offer"']);
    expect(ben.alarms).toEqual([]);
  });

  test('of two messages in the wrong order only the newer is handed on', async () => {
    const [ann, ben] = await three();
    const held: ServerEvent[] = [];
    scene.server.deliver = (event, to) => {
      if (event.type !== 'message' || to !== ben.peer || event.from !== ann.peer) return [event];
      held.push(event);
      return [];
    };
    await ann.say(ben, '"first"');
    await ann.say(ben, '"second"');
    await scene.world.settle();
    expect(held.length).toBe(2);
    for (const event of held.reverse()) scene.server.raw(ben.peer, event);
    await scene.world.settle();
    expect(ben.messages).toEqual(['"second"']);
  });

  test('a changed message is dropped, and an alarm raised', async () => {
    const [ann, ben] = await three();
    const seen = tap();
    await ann.say(ben, '"x"');
    await scene.world.advance(10);
    const bytes = fromBase64url(seen.at(-1)!.body);
    for (const at of [0, 5, 11, 20, bytes.length - 1]) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      scene.server.raw(ben.peer, message(ann.peer, base64url(changed)));
    }
    scene.server.raw(ben.peer, message(ann.peer, 'AAAA'));
    await scene.world.advance(10);
    expect(ben.messages).toEqual(['"x"']);
    expect(ben.alarms).toContain('forged');
  });

  test('a message to one is of no use to another, and its sender is who sealed it', async () => {
    const [ann, ben, cem] = await three();
    const seen = tap();
    await ann.say(ben, '"for Ben"');
    await ann.say(null, '"for all"');
    await scene.world.advance(10);
    for (const { body } of seen) scene.server.raw(cem.peer, message(ben.peer, body));
    await scene.world.advance(10);
    expect(cem.messages).toEqual(['"for all"']);
    expect(cem.notices.findLast((notice) => notice.type === 'message')).toMatchObject({ from: ann.peer });
  });

  test('what was sealed in an epoch long past is not opened', async () => {
    const [ann, ben] = await three();
    const seen: ServerEvent[] = [];
    scene.server.deliver = (event, to) => {
      if (event.type !== 'message' || to !== ben.peer || event.from !== ann.peer) return [event];
      seen.push(event);
      return [];
    };
    await ann.say(ben, '"old"');
    await scene.world.settle();
    scene.server.deliver = (event) => [event];
    await scene.arrive('Dua');
    await scene.world.advance(11_000);
    for (const event of seen) scene.server.raw(ben.peer, event);
    await scene.world.advance(10);
    expect(ben.messages).toEqual([]);
  });
});

describe('around a change of epoch', () => {
  test('a message that is faster than the commit it needs waits for it', async () => {
    const [ann, ben] = await three();
    const held: ServerEvent[] = [];
    let holding = true;
    scene.server.deliver = (event, to) => {
      if (!holding || event.type !== 'group.committed' || to !== ben.peer) return [event];
      held.push(event);
      return [];
    };
    await scene.arrive('Dua');
    await scene.world.advance(100);
    await ann.say(null, '"early"');
    await scene.world.advance(100);
    expect(ben.messages).toEqual([]);
    holding = false;
    for (const event of held) scene.server.raw(ben.peer, event);
    await scene.world.advance(10);
    expect(ben.messages).toEqual(['"early"']);
  });

  test('a message sealed just before the commit arrives all the same', async () => {
    const [ann, ben, cem] = await three();
    const held: ServerEvent[] = [];
    scene.server.deliver = (event, to) => {
      if (event.type !== 'message' || to !== ben.peer || event.from !== cem.peer || held.length > 0) return [event];
      held.push(event);
      return [];
    };
    await cem.say(ben, '"late"');
    await scene.world.settle();
    const dua = await scene.arrive('Dua');
    await scene.world.until(() => ben.members.length === 4 && dua.members.length === 4);
    for (const event of held) scene.server.raw(ben.peer, event);
    await scene.world.advance(10);
    expect(ben.messages).toEqual(['"late"']);
    expect(ann.alarms).toEqual([]);
  });

  test('what a newcomer says before the page knows them is told after', async () => {
    const [ann] = await three();
    const dua = await scene.arrive('Dua');
    await scene.world.until(() => dua.members.length === 4);
    await dua.say(null, '"hello"');
    await scene.world.advance(2000);
    const listed = ann.notices.findIndex((notice) => notice.type === 'members' && notice.members.length === 4);
    const heard = ann.notices.findIndex((notice) => notice.type === 'message');
    expect(listed).toBeGreaterThanOrEqual(0);
    expect(heard).toBeGreaterThan(listed);
  });

  test('a name whose message was lost is asked for', async () => {
    scene = await Scene.open();
    const [ann] = await scene.gather('Ann');
    let lost = 0;
    scene.server.deliver = (event, to) => (event.type === 'message' && to === ann!.peer && lost++ < 2 ? [] : [event]);
    await scene.arrive('Ben');
    await scene.world.until(() => ann!.names.includes('Ben'), 8000);
  });
});
