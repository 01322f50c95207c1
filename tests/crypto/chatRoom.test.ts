/** Where browsers meet for the chat's direct way: another secret, generation or meeting is another room with another password. */
import { expect, test } from 'vitest';
import { base64url, wipe } from '../../crypto/bytes.ts';
import { deriveChatKey, deriveChatRoom, newRingSecret } from '../../crypto/chatKey.ts';

const MEETING = 'abcd-efgh-jkmn-pqrs';
const given = { secret: newRingSecret(), generation: 1, closed: null };

test('room and password are the same for all who hold a key, and others for any other key', async () => {
  const own = await deriveChatRoom(given, MEETING);
  expect(await deriveChatRoom({ ...given, secret: given.secret.slice() }, MEETING)).toEqual(own);
  const others = await Promise.all([
    deriveChatRoom({ ...given, generation: 2 }, MEETING),
    deriveChatRoom({ ...given, secret: newRingSecret() }, MEETING),
    deriveChatRoom({ ...given, closed: { begun: 1, reach: 0 } }, MEETING),
    deriveChatRoom(given, 'abcd-efgh-jkmn-pqrt'),
  ]);
  const all = [own, ...others];
  expect(new Set(all.flatMap(({ room, password }) => [room, password])).size).toBe(10);
  for (const { room, password } of all) expect([room, password].map(({ length }) => length)).toEqual([22, 43]);
});

test('neither is any of the keys that seal, nor the secret', async () => {
  const { room, password } = await deriveChatRoom(given, MEETING);
  const { id, entryKey, erasedKey, itemKey } = await deriveChatKey(given, MEETING);
  const secrets = [given.secret, id, entryKey, erasedKey, itemKey].map(base64url);
  for (const one of [room, password])
    for (const secret of secrets) expect(secret.startsWith(one.slice(0, 10))).toBe(false);
  wipe(entryKey, erasedKey, itemKey);
});
