/**
 * What this browser remembers of a person's choices: name, devices, on or off. Plain settings, never a secret.
 *
 * Storage may be full, forbidden or filled by an older version: then nothing is remembered, and nothing breaks.
 */
import * as z from 'zod/mini';

const Choice = z.object({ id: z.string(), label: z.string() });
/** A device as it was chosen. Browsers renew ids, so the label is the fallback. */
export type Choice = z.infer<typeof Choice>;

const Remembered = z.object({
  name: z.optional(z.string().check(z.maxLength(80))),
  camera: z.optional(Choice),
  microphone: z.optional(Choice),
  speaker: z.optional(Choice),
  cameraOn: z.optional(z.boolean()),
  microphoneOn: z.optional(z.boolean()),
  sounds: z.optional(z.boolean()),
  /** Of people on the screen, and of one's own picture among them (ui/showing.svelte.ts). */
  view: z.optional(z.string()),
  ownTile: z.optional(z.string()),
});
export type Remembered = z.infer<typeof Remembered>;

const KEY = 'parley.settings';

export function recall(storage: Storage | undefined = storageOf('localStorage')): Remembered {
  try {
    const parsed = Remembered.safeParse(JSON.parse(storage?.getItem(KEY) ?? '{}'));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}

/** Keeps what is not named in `change`. */
export function remember(change: Remembered, storage: Storage | undefined = storageOf('localStorage')): void {
  try {
    storage?.setItem(KEY, JSON.stringify({ ...recall(storage), ...change }));
  } catch {
    // Full or forbidden: the choice holds for this page only.
  }
}

/** @returns undefined where the browser forbids it (even reading the property may throw) */
export function storageOf(which: 'localStorage' | 'sessionStorage'): Storage | undefined {
  try {
    return globalThis[which];
  } catch {
    return undefined;
  }
}

/**
 * Which of the devices present is meant by a remembered choice: the same id, else the same label.
 * @returns null if it is not there
 */
export function findChoice<T extends { id: string; label: string }>(
  list: readonly T[],
  choice: Choice | undefined,
): T | null {
  if (!choice) return null;
  const byId = list.find(({ id }) => id === choice.id);
  return byId ?? list.find(({ label }) => label !== '' && label === choice.label) ?? null;
}
