/**
 * What of the chat hosts have let go, by their signed word alone: the server shows it wherever it says that it has deleted something.
 *
 * It is in the host state (hostStates.ts), so it is bound to the meeting by its host's key, and the newest holds all that was said before:
 * how far the log was cleared, by number and chain, and what was too old under terms that are gone.
 */
import type { ChatTerms, HostState, Signed } from '../../../signal/protocol/documents.ts';
import type { HostStateVerdict } from '../session/hostStates.ts';
import type { ChatCalls } from './messages.ts';

export interface WordTerms {
  /** Takes a state where a host has signed it, and it is the newest. */
  readonly hear: (state: Signed) => Promise<HostStateVerdict>;
  /** The newest of all that this browser has heard, from whomever. */
  readonly decided: () => HostState | null;
  /** By that, else by the record. */
  readonly terms: () => ChatTerms;
}

export async function wordOf(
  { hear, decided, terms }: WordTerms,
  { state }: ChatCalls['chat.word']['in'],
): Promise<ChatCalls['chat.word']['out']> {
  const isForged = state !== null && (await hear(state)) === 'forged';
  const { cleared = null, expired = 0, narrowed = false } = decided() ?? {};
  const { newcomers, keepDays } = terms();
  return { isForged, keepDays, cleared, expired, isOpen: newcomers.see === 'all' && !narrowed };
}
