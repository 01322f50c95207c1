/** What a member with a changed program can do to a chat, and what becomes of it. */
import { describe, expect, test } from 'vitest';
import { base64url, type Bytes } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { sealWhisper } from '../../../client/e2ee/chat/whispers.ts';
import type { ChatHead } from '../../../signal/protocol/chat.ts';
import { Device, MEETING, person, together, type Person } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;
const junkHash = () => base64url(random(32));

describe('one who lies about how the log goes', () => {
  /** @param head  what is said of it, by how the log goes in truth */
  async function told(head: (truth: ChatHead) => ChatHead, liars: (mal: Person) => Promise<Person[]> | Person[]) {
    const { log, time, devices } = await together(['Ada', 'Ben', 'Mal']);
    const [ada, , mal] = devices as [Device, Device, Device];
    await ada.chat.write([say('one')]);
    await time.pass(3000);
    for (const { identity } of await liars(mal.person)) {
      const given = { identity, at: time.now, body: JSON.stringify({ head: head(log.head) }) };
      const body = await sealWhisper(mal.keys.current!, MEETING, given);
      for (const one of devices.slice(0, 2)) one.pushed({ type: 'whisper', body });
    }
    await time.pass(60_000);
    return { mal: mal.chat.self, said: devices.slice(0, 2).map(({ chat }) => chat.alarms) };
  }

  test.each<[string, string, (truth: ChatHead) => ChatHead]>([
    ['goes on', 'withheld', ({ seq }) => ({ seq: seq + 1000, hash: junkHash() })],
    ['goes on for ever', 'withheld', () => ({ seq: Number.MAX_SAFE_INTEGER, hash: junkHash() })],
    ['is another where it ends', 'split', ({ seq }) => ({ seq, hash: junkHash() })],
  ])('and says that it %s is named to all, and the server alone accused by nobody', async (_what, is, head) => {
    const { mal, said } = await told(head, (one) => [one]);
    expect(said).toEqual([[{ is, by: [mal] }], [{ is, by: [mal] }]]);
  });

  test('under a hundred names fills no screen with them', async () => {
    const liars = () => Promise.all(Array.from({ length: 100 }, (_, i) => person(`Mal ${i}`)));
    const { said } = await told(({ seq }) => ({ seq: seq + 1, hash: junkHash() }), liars);
    for (const alarms of said) expect(alarms.map(({ by }) => by.length)).toEqual([8]);
  });
});

test('whose messages are missing is said, and whose exist twice', async () => {
  const { log, time, devices } = await together(['Ada', 'Mal']);
  const [ada, mal] = devices as [Device, Device];
  const write = async (text: string) => {
    const given = { at: time.now, bodies: [JSON.stringify(say(text))], to: null, card: '{"is":"card"}' };
    return (await mal.keeper.write(given)).written.at(-1)!.bytes;
  };
  const give = async (...entries: Bytes[]) => {
    const document = new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });
    document.add(entries);
    const { items } = await mal.keeper.seal({ update: document.changes() });
    ada.pushed({ type: 'items', items: [log.append(base64url(random(16)), items[0]!.body)] });
    await time.pass(30_000);
  };
  await give(await write('one'));
  const state = structuredClone(await mal.store.get(`chain ${MEETING} ${mal.chat.self}`))!;
  const left = await write('left out');
  await give(await write('after it'));
  expect(ada.chat.alarms).toEqual([{ is: 'gap', by: [mal.chat.self] }]);
  // As from a copy of the browser's store.
  await mal.store.put(`chain ${MEETING} ${mal.chat.self}`, state);
  await give(left, await write('left out, otherwise'));
  expect(ada.chat.alarms).toContainEqual({ is: 'forked', by: [mal.chat.self] });
});
