/** How long chats are kept: what hosts have chosen is obeyed within the hour. */
import type { BlobService } from '../blobs/service.ts';
import type { ChatHead } from '../protocol/chat.ts';
import type { MeetingId } from '../protocol/ids.ts';
import type { ChatStore } from '../store/store.ts';

const DAY_MS = 86_400_000;

export interface SweepTerms {
  readonly chat: ChatStore;
  readonly blobs: BlobService;
  readonly now: number;
  /** Null: there is no such meeting. `cleared`: a host's order, which may not have been carried out. */
  readonly find: (meeting: MeetingId) => Promise<{ keepDays: number; cleared: ChatHead | null } | null>;
  readonly isHere: (meeting: MeetingId) => boolean;
  /** Runs in the meeting's turn, and tells. */
  readonly drop: (meeting: MeetingId, task: () => Promise<ChatHead | null>) => Promise<boolean>;
}

/**
 * Drops what is older than its meeting keeps it. 0 days: until everybody has left, which is no matter of time; where nobody ever came, or
 * the server did not see them leave, a day. Files go by the same terms. Snapshots that nobody has confirmed in a day go, too.
 */
export async function sweepChats({ chat, blobs, now, find, isHere, drop }: SweepTerms): Promise<void> {
  const some = [...(await chat.olderThan(now - DAY_MS)), ...(await blobs.olderThan(now - DAY_MS))];
  for (const meeting of new Set(some)) {
    const known = await find(meeting);
    if (known === null) continue;
    const { keepDays: days, cleared } = known;
    if (cleared !== null && (await drop(meeting, () => chat.clear(meeting, cleared)))) await blobs.clear(meeting);
    if (days === 0 && isHere(meeting)) continue;
    const before = now - Math.max(1, days) * DAY_MS;
    await drop(meeting, () => chat.dropBefore(meeting, before));
    await blobs.clear(meeting, before);
  }
  await blobs.sweep();
  await chat.dropOffers(now - DAY_MS);
}
