/** What stands below what in the list: messages in groups, days, and where reading goes on. Pure. */
import type { ChatMessage } from '../../chat/view.ts';

export type Row =
  | { kind: 'hidden'; key: 'hidden'; count: number }
  | { kind: 'day'; key: string; at: number }
  | { kind: 'unread'; key: 'unread' }
  /** `opens`: first of a group, with the name above it. `closes`: last of one. */
  | { kind: 'message'; key: string; message: ChatMessage; opens: boolean; closes: boolean };

/** Who goes on writing within this time writes in the same group. */
const GROUP_MS = 5 * 60_000;

/** The day, by the calendar of this place. */
const dayOf = (at: number): number => {
  const date = new Date(at);
  return date.getFullYear() * 400 + date.getMonth() * 32 + date.getDate();
};

export const idsOf = (messages: readonly ChatMessage[]): ReadonlySet<string> => new Set(messages.map(({ id }) => id));

/** @param unread  id of the first message that has not been read; null without a line */
export function rowsOf(messages: readonly ChatMessage[], unread: string | null, hidden: number): Row[] {
  const rows: Row[] = [];
  if (hidden > 0) rows.push({ kind: 'hidden', key: 'hidden', count: hidden });
  let before: (Row & { kind: 'message' }) | null = null;
  let day = NaN;
  for (const message of messages) {
    const today = dayOf(message.at);
    const isNewDay = today !== day;
    // The key is the message's: days may come twice where clocks differ.
    if (isNewDay) rows.push({ kind: 'day', key: `day ${message.id}`, at: message.at });
    if (message.id === unread) rows.push({ kind: 'unread', key: 'unread' });
    const opens: boolean =
      before === null || isNewDay || message.id === unread || !isSameGroup(before.message, message);
    if (before !== null) before.closes = opens;
    before = { kind: 'message', key: message.id, message, opens, closes: true };
    rows.push(before);
    day = today;
  }
  return rows;
}

function isSameGroup(one: ChatMessage, next: ChatMessage): boolean {
  return (
    one.author.id === next.author.id &&
    one.to?.id === next.to?.id &&
    next.replyTo === null &&
    Math.abs(next.at - one.at) < GROUP_MS
  );
}
