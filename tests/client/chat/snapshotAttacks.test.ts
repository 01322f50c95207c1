/** What one who was removed and has the server's ear can do by snapshots. */
import { expect, test } from 'vitest';
import { base64url } from '../../../crypto/bytes.ts';
import { openSeal, openSection, snapshotKeyId, unpackSnapshot } from '../../../client/e2ee/chat/snapshot.ts';
import { accessOf, Device, MEETING, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;

test('what somebody wrote before hearing of a removal opens for nobody who was removed, in a snapshot either', async () => {
  const { log, time, devices } = await together(['Ada', 'Ben', 'Cy', 'Mal'], 8);
  const [ada, ben, cy, mal] = devices as [Device, Device, Device, Device];
  await ada.chat.write([say('with Mal')]);
  await time.pass(3000);
  ben.disconnect();
  const next = accessOf(1);
  mal.disconnect();
  for (const one of [ada, cy]) {
    one.access = next;
    one.chat.renewed();
  }
  await time.pass(10_000);
  // Ben, without a connection, knows nothing of it yet.
  await ben.chat.write([say('Mal must not read this')]);
  ben.access = next;
  ben.connect();
  ben.chat.renewed();
  await time.pass(10_000);
  for (let i = 0; i < 12; i++) {
    await ada.chat.write([say(`more ${i}`)]);
    await time.pass(50);
  }
  await time.pass(120_000);
  expect(log.snapshot).not.toBeNull();
  const { covers, hash, id } = log.snapshot!;
  const unpacked = (await unpackSnapshot(log.parts.get(id)!, hash))!;
  /** What these keys open of it. */
  const read = async (held: Device): Promise<string> => {
    const keyOf = (item: Uint8Array<ArrayBuffer>) =>
      held.keys.ring.all.find((one) => one.key.name === base64url(snapshotKeyId(item)!))?.key;
    const outer = keyOf(unpacked.seal);
    let found = '';
    for (const section of (outer && openSeal(outer, MEETING, unpacked, covers))?.sections ?? []) {
      const key = keyOf(section);
      if (key) found += new TextDecoder().decode((await openSection(key, MEETING, section)).block.plain);
    }
    return found;
  };
  expect(await read(ada)).toContain('Mal must not read this');
  expect(await read(mal)).toBe('');
});
