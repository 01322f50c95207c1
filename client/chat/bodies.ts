/**
 * What an entry says, as its author sealed it. Anybody in the meeting can write anything here: everything is parsed, and nothing is
 * believed beyond its author. Unknown kinds are of a newer version, and are left alone.
 */
import * as z from 'zod/mini';
import { ChatHead } from '../../signal/protocol/chat.ts';
import { fixedBytesText } from '../../signal/protocol/ids.ts';
import { MAX_TEXT } from './view.ts';

const EntryId = fixedBytesText(32);
const Text = z.string().check(z.minLength(1), z.maxLength(MAX_TEXT));
/** Flags and families are long. */
const Emoji = z.string().check(z.minLength(1), z.maxLength(32), z.regex(/^[\p{Emoji}\p{Emoji_Component}\p{M}]+$/u));
/** How the author is called from here on; given where it has changed. */
const name = z.optional(z.string().check(z.minLength(1), z.maxLength(80)));

export const Body = z.discriminatedUnion('is', [
  z.object({ is: z.literal('say'), text: Text, reply: z.optional(EntryId), name }),
  /** Another text for one's own entry. */
  z.object({ is: z.literal('edit'), of: EntryId, text: Text, name }),
  /**
   * One's own entry is gone, for everybody. `quiet`: nothing is shown in its place to whoever never read it. It counts where everybody can
   * read it; said to one alone, it tells whom a gone message was for.
   */
  z.object({ is: z.literal('erase'), of: EntryId, quiet: z.optional(z.boolean()), name }),
  z.object({ is: z.literal('react'), of: EntryId, emoji: Emoji, on: z.boolean(), name }),
  /** One can be written to alone: the worker puts the key beside it. */
  z.object({ is: z.literal('card'), name }),
]);
export type Body = z.infer<typeof Body>;

/** What is only worth something now. */
export const Whisper = z.object({
  /** Just came, and wants to hear from those who are here. */
  hello: z.optional(z.boolean()),
  typing: z.optional(z.boolean()),
  /** Has read up to here. */
  seen: z.optional(EntryId),
  /** How the log goes, as its author has it: whoever is shown another one by the server notices. */
  head: z.optional(ChatHead),
  name,
});
export type Whisper = z.infer<typeof Whisper>;

/** Null for what is none. */
export function bodyFrom(text: string): Body | null {
  return parsed(Body, text);
}

export function whisperFrom(text: string): Whisper | null {
  return parsed(Whisper, text);
}

function parsed<T>(schema: z.ZodMiniType<T>, text: string): T | null {
  try {
    const result = schema.safeParse(JSON.parse(text));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}
