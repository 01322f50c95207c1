/** What a member with a changed program can still do to a chat (docs/design.md, “Not held yet”): each is marked as failing, and has to be mended before it can pass. */
import { expect, test } from 'vitest';
import { base64url } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import type { ChatSnapshot } from '../../../signal/protocol/chat.ts';
import { Device, Log, together } from './world.ts';

const SILENT = { added: () => undefined, removed: () => undefined, updated: () => undefined };
const say = (text: string) => ({ is: 'say', text }) as const;

/** Past all checks of one's own program. */
async function plant(log: Log, by: Device, outline: ReturnType<ChatDocument['outline']>): Promise<ChatSnapshot> {
  const covers = log.head;
  const { packed } = await by.keeper.pack({ covers, ...outline });
  const { id, hash, parts } = packed!;
  const snapshot: ChatSnapshot = { id, covers, parts: parts.length, hash, confirmed: false };
  log.parts.set(id, parts);
  log.offered = { snapshot, by, isWhole: true };
  return snapshot;
}

const junk = () => base64url(new Uint8Array([1, ...random(200)]));

test.fails('an item under a key that nobody has does not keep members from making snapshots', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben'], 8);
  const item = log.append('x'.repeat(22), junk());
  for (const one of devices) one.pushed({ type: 'items', items: [item] });
  for (let i = 0; i < 20; i++) {
    await devices[i % 2]!.chat.write([say(`message ${i}`)]);
    await time.pass(50);
  }
  await time.pass(120_000);
  expect(log.snapshot).not.toBeNull();
});

test.fails(
  'an item under a key that nobody has does not make the log be read from its start at each visit',
  async () => {
    const { log, time, devices } = await together(['Ada']);
    const [ada] = devices as [Device];
    const item = log.append('x'.repeat(22), junk());
    ada.pushed({ type: 'items', items: [item] });
    await ada.chat.write([say('one')]);
    await time.pass(5000);
    ada.kill();
    const [asked] = [ada.wire.length];
    await ada.start();
    ada.connect();
    await time.pass(5000);
    const opened = ada.wire.slice(asked).filter((text) => text.startsWith('{"after":'));
    expect(opened[0]).toBe(`{"after":${log.head.seq}}`);
  },
);
