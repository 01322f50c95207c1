/**
 * The meetings that this browser knows: made here, or opened with their link. Kept locally; the links in it are as secret as the
 * browser's own history.
 */
import * as z from 'zod/mini';
import { MeetingId, Ms } from '../../signal/protocol/ids.ts';
import { storageOf } from '../media/remembered.ts';
import type { KnownMeeting } from './view.ts';

const KEY = 'parley.meetings';
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
}

export function forgetMeeting(meeting: MeetingId, storage: Storage | undefined = storageOf('localStorage')): void {
  write(
    knownMeetings(storage).filter((one) => one.meeting !== meeting),
    storage,
  );
}

function write(meetings: readonly KnownMeeting[], storage: Storage | undefined): void {
  try {
    storage?.setItem(KEY, JSON.stringify(meetings));
  } catch {
    // Full or forbidden: the meeting works, the list is shorter.
  }
}
