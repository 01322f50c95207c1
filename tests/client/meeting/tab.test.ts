/** Tabs that reload, and tabs that were duplicated: with real Web Locks, which Node has too. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { forgetTab, formerPeer, livesAs } from '../../../client/meeting/tab.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';

const meeting = '0abc-def1-ghjk-mnpq' as MeetingId;
const other = '1abc-def1-ghjk-mnpq' as MeetingId;
const peer = 'A'.repeat(22) as PeerId;

beforeEach(() => {
  const items = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
    removeItem: (key: string) => items.delete(key),
  });
});
afterEach(() => void vi.unstubAllGlobals());

test('a tab that was nobody replaces nobody', async () => {
  expect(await formerPeer(meeting)).toBeNull();
});

test('a tab that was reloaded replaces the peer that it was, in that meeting alone', async () => {
  const release = livesAs(meeting, peer);
  release();
  await vi.waitFor(async () => expect(await formerPeer(meeting)).toBe(peer));
  expect(await formerPeer(other)).toBeNull();
});

test('a duplicated tab replaces nobody while the first one lives', async () => {
  const release = livesAs(meeting, peer);
  await vi.waitFor(async () => expect((await navigator.locks.query()).held?.length).toBe(1));
  // The duplicate inherits the memory of the tab, not its lock.
  expect(await formerPeer(meeting)).toBeNull();
  release();
  await vi.waitFor(async () => expect(await formerPeer(meeting)).toBe(peer));
});

test('who left comes back as a new visitor', async () => {
  livesAs(meeting, peer)();
  forgetTab(meeting);
  expect(await formerPeer(meeting)).toBeNull();
});

for (const text of ['{', 'null', '{"peer":"short"}', '7'])
  test(`${text} in the tab's memory is as good as nothing`, async () => {
    sessionStorage.setItem(`parley.tab.${meeting}`, text);
    expect(await formerPeer(meeting)).toBeNull();
  });
