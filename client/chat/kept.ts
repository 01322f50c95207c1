/**
 * What this browser keeps of a chat between visits: every change of the document, and how far we had come with it.
 *
 * In order, one after the other. Invariant: what is said to have been taken in is never further than what is kept.
 */
import * as z from 'zod/mini';
import { BlobId } from '../../signal/protocol/blobs.ts';
import type { ChatDocument } from './document.ts';
import type { ChatPort } from './providers/signal.ts';
import { SignalMemory } from './providers/signal.ts';
import { readByAny, ReadMemory } from './reading.ts';

/** Kept changes are brought together when they are so many. */
const MANY = 64;

/** Beside the changes. `read`: what was read, here and by others. `notesSeen`: until when the notes were. `unsaid`: where things lay that have still to leave the log. `files`: of erased entries, still to leave the server. */
const Memory = z.object({
  signal: z.nullable(SignalMemory),
  read: ReadMemory,
  notesSeen: z.int(),
  unsaid: z.array(z.object({ client: z.int(), clock: z.int(), length: z.int() })),
  files: z.array(z.object({ blob: BlobId, key: z.string() })),
});
export type Memory = z.infer<typeof Memory>;

/**
 * What tabs of this browser have kept, brought together: what one of them has still to do stays to be done, whatever another kept after it.
 * @param states  the newest last
 * @returns null where there is none, or only of another version: everything is compared again then
 */
export function memoryFrom(states: readonly string[]): Memory | null {
  const memories = states.flatMap((state) => Memory.safeParse(JSON.parse(state)).data ?? []);
  if (memories.length === 0) return null;
  const furthest = memories.reduce((best, one) => (reachOf(one) >= reachOf(best) ? one : best));
  const signals = memories.flatMap(({ signal }) => signal ?? []);
  return {
    signal: furthest.signal && {
      ...furthest.signal,
      dirty: signals.some(({ dirty }) => dirty),
      carries: signals.some(({ carries }) => carries),
    },
    read: readByAny(memories.map(({ read }) => read)),
    notesSeen: Math.max(...memories.map(({ notesSeen }) => notesSeen)),
    unsaid: unique(memories.flatMap(({ unsaid }) => unsaid)),
    files: unique(memories.flatMap(({ files }) => files)),
  };
}

/** How far it had come with the log. */
function reachOf({ signal }: Memory): number {
  return signal?.head?.seq ?? 0;
}

function unique<T>(things: readonly T[]): T[] {
  return [...new Map(things.map((one) => [JSON.stringify(one), one])).values()];
}

export class Kept {
  readonly #port: ChatPort;
  readonly #document: ChatDocument;
  #count: number;
  #keeping: Promise<void> = Promise.resolve();
  /** As the disk has it. */
  #memory: string | null = null;
  /** Something could not be kept. */
  #isBehind = false;
  #isClosed = false;

  /** @param count of the changes that are kept already */
  constructor(port: ChatPort, document: ChatDocument, count: number) {
    this.#port = port;
    this.#document = document;
    this.#count = count;
  }

  /** Resolves once everything so far is on the disk, or has failed to be. */
  get done(): Promise<void> {
    return this.#keeping;
  }

  /** @param update null: only the memory is another now */
  keep(update: Uint8Array<ArrayBuffer> | null, memory: Memory): void {
    this.#keeping = this.#keeping
      .then(() => this.#keep(update, memory))
      .catch(() => {
        // The disk may be full. Once it takes something again, it gets everything.
        this.#isBehind ||= update !== null;
      });
  }

  /** The document is another now, and that is not kept yet: until it is, nothing else is. The next change that is kept brings all of it. */
  defer(): void {
    this.#isBehind = true;
  }

  /** What is under way is still kept. */
  close(): void {
    this.#isClosed = true;
  }

  async #keep(update: Uint8Array<ArrayBuffer> | null, memory: Memory): Promise<void> {
    const state = JSON.stringify(memory);
    if (update === null && (this.#isClosed || this.#isBehind || state === this.#memory)) return;
    const all = update !== null && (this.#isBehind || this.#count >= MANY);
    this.#count = all ? 1 : this.#count + (update === null ? 0 : 1);
    const kept = all ? this.#document.changes() : update;
    await this.#port.call('chat.keep', { update: kept, state, all });
    this.#memory = state;
    this.#isBehind = false;
  }
}
