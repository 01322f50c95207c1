/** A server that keeps the chat from one member, with everything that speaks of it: heartbeats of the call say that there is more. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChatScene, type Chatter } from './support/chatPeople.ts';

let chat: ChatScene;
let anna: Chatter;
let ben: Chatter;
beforeEach(async () => {
  chat = await ChatScene.open();
  anna = await chat.come('Anna');
  ben = await chat.come('Ben');
  await chat.write(anna, 'one');
});
afterEach(() => {
  for (const { errors } of chat.scene.people) expect(errors).toEqual([]);
  chat.end();
});

test('of whom neither items nor whispers come hears in the call that the log goes on, and by whom', async () => {
  ben.device.isCutOff = true;
  await chat.write(anna, 'two');
  await chat.scene.world.advance(30_000);
  expect(ben.device.texts).toEqual(['one']);
  expect(ben.device.chat.alarms).toEqual([{ is: 'withheld', by: [anna.device.chat.self] }]);
  expect(anna.device.chat.alarms).toEqual([]);
});

test('whom nothing is kept from is not alarmed, though many write while heartbeats pass', async () => {
  for (let i = 0; i < 10; i++) {
    await chat.write(i % 2 === 0 ? anna : ben, `message ${i}`);
    await chat.scene.world.advance(700);
  }
  await chat.scene.world.advance(30_000);
  expect(ben.device.texts).toHaveLength(11);
  expect([anna, ben].flatMap(({ device }) => device.chat.alarms)).toEqual([]);
});
