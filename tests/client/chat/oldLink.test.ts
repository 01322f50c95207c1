/** An older link, which whoever was removed has too, shown once more by a server in league with them. */
import { expect, test } from 'vitest';
import { fromBase64url } from '../../../crypto/bytes.ts';
import { itemHead, wrappedRing } from '../../../crypto/chatItem.ts';
import { openRing } from '../../../crypto/chatKey.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { accessOf, Device, Log, MEETING, person, Time } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;

test('a browser that had a later link tells and writes nothing under an older one', async () => {
  const [log, time] = [new Log(), new Time()];
  const [former, today] = [accessOf(0), accessOf(1)];
  const who = await person('Ada');
  const store = memoryChatStore();
  const visit = async (access: typeof former) => {
    const device = await new Device({ person: who, log, time, access, random: () => 0.5, store }).start();
    device.connect();
    await time.pass(10_000);
    return device;
  };
  const first = await visit(former);
  await first.chat.write([say('with Eve')]);
  await time.pass(5000);
  first.kill();
  const second = await visit(today);
  await second.chat.write([say('without Eve')]);
  await time.pass(5000);
  second.kill();
  const before = log.items.length;
  // The link in last month's mail; the server shows the record that went with it.
  const third = await visit(former);
  await third.chat.write([say('where am I')]).catch(() => undefined);
  await time.pass(20_000);
  const told = [];
  for (const { body } of log.items) {
    const item = fromBase64url(body);
    if (itemHead(item)?.kind !== 'ring') continue;
    const place = { meetingId: MEETING, generation: 0, chatKey: former.chatKey };
    told.push(...(await openRing(former.chatKey, place, wrappedRing(item)).catch(() => [])));
  }
  expect(told.map(({ generation }) => generation)).not.toContain(1);
  expect(log.items).toHaveLength(before);
  expect(third.texts).toEqual(['with Eve', 'without Eve']);
  expect(third.chat.canWrite).toBe(false);
  expect(third.alarms).toContain('rolledBack');
  third.kill();
});
