/** What a meeting is made with: the server and every member hold to it. */
import { expect, test } from 'vitest';
import { Settings } from '../../../signal/protocol/documents.ts';
import { settingsOf } from '../../../client/meeting/settings.ts';

test('a meeting that is fixed to one way says so in its signed settings, and one that is not does not', () => {
  expect(settingsOf(null, null)).not.toHaveProperty('only');
  expect(settingsOf('relay', null)).toMatchObject({ only: 'relay', capacity: 100 });
  for (const only of [null, 'relay', 'mesh'] as const)
    expect(Settings.parse(settingsOf(only, null))).toEqual(settingsOf(only, null));
});

test('six at most meet in a mesh alone, for the server lets no more in', () => {
  expect(settingsOf('mesh', null)).toEqual({ only: 'mesh', capacity: 6, meshLimit: 6 });
});

test('the chat is as it was chosen, whatever the way, and unsaid where nothing was', () => {
  const chat = { newcomers: { see: 'hours' as const, hours: 8 }, keepDays: 0 };
  for (const only of [null, 'relay', 'mesh'] as const)
    expect(Settings.parse(settingsOf(only, chat))).toEqual({ ...settingsOf(only, null), chat });
  expect(settingsOf(null, null)).not.toHaveProperty('chat');
});
