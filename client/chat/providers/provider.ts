/**
 * A way by which a chat's document reaches others. Several may be on at once: changes that come twice change nothing.
 */
import type { Place } from '../document.ts';

export type ProviderState = 'online' | 'connecting' | 'offline';

export interface ChatProvider {
  readonly state: ProviderState;
  /** Something was changed here. Called for each change, in order; entries of ours that it holds are on this browser's disk. */
  changed(update: Uint8Array<ArrayBuffer>): void;
  /** Whether others can get what lies there, without us. */
  keeps(place: Place): boolean;
  /** Tells whoever has the chat open, now or never. Sealed. */
  whisper(body: string): void;
  /** Idempotent. */
  close(): void;
}
