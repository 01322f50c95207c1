/** What of a chat is written to this browser's disk, and when. */
import { expect, test } from 'vitest';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { accessOf, Device, Log, person, Time } from './world.ts';

test('how far one has come is written when it is another, not at each look at the log', async () => {
  const time = new Time();
  const kept = memoryChatStore();
  let written = 0;
  const store: typeof kept = {
    ...kept,
    add(records, ...more) {
      if (records.some(({ name }) => name.startsWith('state '))) written += 1;
      return kept.add(records, ...more);
    },
  };
  const given = { person: await person('Ada'), log: new Log(), time, access: accessOf(), random: () => 0.5, store };
  const ada = await new Device(given).start();
  ada.connect();
  await ada.chat.write([{ is: 'say', text: 'one' }]);
  await time.pass(20_000);
  expect(written).toBeGreaterThan(0);

  written = 0;
  for (let i = 0; i < 5; i++) {
    ada.disconnect();
    ada.connect();
    await time.pass(20_000);
  }
  expect(written).toBe(0);
  ada.chat.markSeen(ada.chat.thread.said[0]!.id);
  await ada.chat.settled();
  expect(written).toBe(1);
  ada.kill();
});
