/**
 * The meetings that this browser knows: made here, or opened with their link. Kept locally; the links in it are as secret as the
 * browser's own history.
 */
import * as z from 'zod/mini';
import { MeetingId, Ms } from '../../signal/protocol/ids.ts';
import { storageOf } from '../media/remembered.ts';
import type { KnownMeeting } from './view.ts';

const KEY = 'parley.meetings';
/** Removed here, while their chats may still lie in this browser: pages are closed in the middle of things. */
const REMOVED = 'parley.removed';
/** The oldest go first. */
const MOST = 50;

const Known = z.object({
  meeting: MeetingId,
  title: z.string(),
  url: z.string(),
  host: z.boolean(),
  lastUsed: Ms,
});

/** Newest first; what does not read is left out. */
export function knownMeetings(storage: Storage | undefined = storageOf('localStorage')): KnownMeeting[] {
  let raw: unknown;
  try {
    raw = JSON.parse(storage?.getItem(KEY) ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(raw)) return [];
  return raw
    .flatMap((one) => {
      const parsed = Known.safeParse(one);
      return parsed.success ? [parsed.data] : [];
    })
    .sort((a, b) => b.lastUsed - a.lastUsed);
}

/** Adds a meeting, or renews what is known of it. Somebody who was host stays host. */
export function knowMeeting(meeting: KnownMeeting, storage: Storage | undefined = storageOf('localStorage')): void {
  const others = knownMeetings(storage);
  const before = others.find((one) => one.meeting === meeting.meeting);
  const renewed = { ...meeting, host: meeting.host || (before?.host ?? false) };
  write([renewed, ...others.filter((one) => one !== before)].slice(0, MOST), storage);
  doneRemoving(meeting.meeting, storage);
}

/** What else is kept of it is to be deleted: see `removedMeetings`. */
export function forgetMeeting(meeting: MeetingId, storage: Storage | undefined = storageOf('localStorage')): void {
  write(
    knownMeetings(storage).filter((one) => one.meeting !== meeting),
    storage,
  );
  writeRemoved([...removedMeetings(storage).filter((one) => one !== meeting), meeting], storage);
}

/** Those that were forgotten, and whose chats have not been deleted yet. */
export function removedMeetings(storage: Storage | undefined = storageOf('localStorage')): MeetingId[] {
  try {
    const parsed = z.array(MeetingId).safeParse(JSON.parse(storage?.getItem(REMOVED) ?? '[]'));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}

/** Nothing of it is left here; or it is wanted again. */
export function doneRemoving(meeting: MeetingId, storage: Storage | undefined = storageOf('localStorage')): void {
  const removed = removedMeetings(storage);
  if (removed.includes(meeting))
    writeRemoved(
      removed.filter((one) => one !== meeting),
      storage,
    );
}

function write(meetings: readonly KnownMeeting[], storage: Storage | undefined): void {
  put(KEY, meetings, storage);
}

function writeRemoved(meetings: readonly MeetingId[], storage: Storage | undefined): void {
  put(REMOVED, meetings.slice(-MOST), storage);
}

function put(key: string, value: unknown, storage: Storage | undefined): void {
  try {
    storage?.setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: the meeting works, the list is shorter.
  }
}
