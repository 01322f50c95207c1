/**
 * What an entry says, as its author sealed it. Anybody in the meeting can write anything here: everything is parsed, and nothing is
 * believed beyond its author. Unknown kinds are of a newer version, and are left alone.
 */
import * as z from 'zod/mini';
import { BlobId } from '../../signal/protocol/blobs.ts';
import { ChatHead } from '../../signal/protocol/chat.ts';
import { bytesText, fixedBytesText } from '../../signal/protocol/ids.ts';
import { MAX_UPDATE } from '../notes/limits.ts';
import { MAX_FILE_BYTES, MAX_FILES, MAX_TEXT } from './view.ts';

const EntryId = fixedBytesText(32);
const Text = z.string().check(z.minLength(1), z.maxLength(MAX_TEXT));
/** Flags and families are long. */
const Emoji = z.string().check(z.minLength(1), z.maxLength(32), z.regex(/^[\p{Emoji}\p{Emoji_Component}\p{M}]+$/u));
/** How the author is called from here on; given where it has changed. */
const name = z.optional(z.string().check(z.minLength(1), z.maxLength(80)));

const NotesPage = z.object({ at: z.int().check(z.nonnegative()), id: fixedBytesText(8) });

/** Of a picture, JPEG: all of it is in the entry, so that nothing is fetched to show it. */
export const MAX_THUMBNAIL_BYTES = 6 * 1024;
const Pixels = z.int().check(z.positive(), z.maximum(100_000));

/** A file that lies on the server, sealed: where, and what opens it. Nobody has to believe name and type. */
export const FileBody = z.object({
  blob: BlobId,
  /** Of crypto/age.ts: its identity. */
  key: fixedBytesText(32),
  name: z.string().check(z.minLength(1), z.maxLength(255)),
  type: z.string().check(z.maxLength(100), z.regex(/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/)),
  size: z.int().check(z.nonnegative(), z.maximum(MAX_FILE_BYTES)),
  picture: z.optional(z.object({ width: Pixels, height: Pixels, thumbnail: bytesText(MAX_THUMBNAIL_BYTES) })),
});
export type FileBody = z.infer<typeof FileBody>;
const Files = z.array(FileBody).check(z.minLength(1), z.maxLength(MAX_FILES));

export const Body = z.discriminatedUnion('is', [
  /** Words, files, or both. */
  z
    .object({
      is: z.literal('say'),
      text: z.string().check(z.maxLength(MAX_TEXT)),
      reply: z.optional(EntryId),
      files: z.optional(Files),
      name,
    })
    .check(z.refine(({ text, files }) => text !== '' || files !== undefined)),
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
  /** A change of a page of the notes, made by the client of this session (client/notes/update.ts). Its entry goes by the log alone. */
  z.object({
    is: z.literal('note'),
    page: NotesPage,
    session: z.int().check(z.nonnegative(), z.maximum(0xffff_ffff)),
    update: bytesText(MAX_UPDATE),
    name,
  }),
]);
export type Body = z.infer<typeof Body>;
export type NoteBody = Extract<Body, { is: 'note' }>;

/** Of a position in the notes, in bytes. */
const MAX_POSITION = 64;

/** Of one chain an entry, and how many before it in the same chain: all of these have been read (reading.ts). */
/** Chains in one whisper. */
export const MAX_TOLD = 16;
const Told = z
  .array(z.tuple([EntryId, z.int().check(z.nonnegative(), z.maximum(0xffff_ffff))]))
  .check(z.maxLength(MAX_TOLD));
export type Told = z.infer<typeof Told>;

/** What is only worth something now. */
export const Whisper = z.object({
  /** Just came, and wants to hear from those who are here. */
  hello: z.optional(z.boolean()),
  typing: z.optional(z.boolean()),
  /** Has read this. */
  read: z.optional(Told),
  /** How the log goes, as its author has it: whoever is shown another one by the server notices. */
  head: z.optional(ChatHead),
  /**
   * On which page of the notes they are; `from` and `to`: where their cursor stands there, as Yjs's relative positions; `lacks`: what it is built upon is
   * not there for them.
   */
  notes: z.optional(
    z.object({
      page: NotesPage,
      from: z.optional(bytesText(MAX_POSITION)),
      to: z.optional(bytesText(MAX_POSITION)),
      lacks: z.optional(z.boolean()),
    }),
  ),
  name,
});
export type Whisper = z.infer<typeof Whisper>;

/** As bodies of notes begin here: what only looks whether it is one need not parse it. */
export function isNote(text: string | null): boolean {
  return text?.startsWith('{"is":"note"') ?? false;
}

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
