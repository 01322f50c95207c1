/** What a meeting is made with: the server and every member hold to it. */
import { expect, test } from 'vitest';
import { Settings } from '../../../signal/protocol/documents.ts';
import { settingsOf } from '../../../client/meeting/settings.ts';

test('a meeting that is fixed to one way says so in its signed settings, and one that is not does not', () => {
  expect(settingsOf(null)).not.toHaveProperty('only');
  expect(settingsOf('relay')).toMatchObject({ only: 'relay', capacity: 100 });
  for (const only of [null, 'relay', 'mesh'] as const)
    expect(Settings.parse(settingsOf(only))).toEqual(settingsOf(only));
});

test('six at most meet in a mesh alone, for the server lets no more in', () => {
  expect(settingsOf('mesh')).toEqual({ only: 'mesh', capacity: 6, meshLimit: 6 });
});
