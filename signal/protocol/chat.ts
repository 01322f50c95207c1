/**
 * The sealed chat of a meeting, as the server sees it: an append-only log of items that it cannot open, and snapshots that clients
 * make of it. Beside `requests.ts` because of their weight: the chat loads these when it is opened.
 *
 * The log is a hash chain, so that clients notice a server that withholds, reorders or rolls back:
 *
 *     h(0) = SHA-256("parley chat log 1" ‖ 0x00 ‖ meeting id)
 *     h(n) = SHA-256(h(n-1) ‖ n as 8 bytes, big-endian ‖ SHA-256(body n))
 */
import * as z from 'zod/mini';
import { ChatHead, Signed } from './documents.ts';
import { Ms, bytesText, fixedBytesText } from './ids.ts';
import type { RequestSpec } from './phases.ts';

export { ChatHead };

/** Of one item. A message of a person is far smaller; a client cuts what it has written offline into several. */
export const MAX_ITEM_BYTES = 64 * 1024;
/** Of one part of a snapshot. */
export const MAX_PART_BYTES = 256 * 1024;
/** Parts of one snapshot: 64 MiB. */
export const MAX_PARTS = 256;
/** Items of one page, beside `MAX_PAGE_BYTES` of their bodies. */
export const MAX_PAGE_ITEMS = 1000;
export const MAX_PAGE_BYTES = 512 * 1024;
/** Of what is only worth something now: who types, who has read how far. */
export const MAX_WHISPER_BYTES = 2048;

/** What a log's chain hash starts with; the meeting's id follows. */
export const CHAT_LOG_LABEL = 'parley chat log 1';

const Hash = fixedBytesText(32);
const Seq = z.int().check(z.nonnegative());

export const ChatItem = z.object({
  seq: z.int().check(z.positive()),
  /** When the server took it. */
  at: Ms,
  /** SHA-256 of the body; stays when another takes its place. */
  hash: Hash,
  body: bytesText(MAX_ITEM_BYTES),
  /** Whoever wrote it has put this in its place: the hash is of what was there. */
  replaced: z.optional(z.literal(true)),
});
export type ChatItem = z.infer<typeof ChatItem>;

/** What everything up to `covers` came to, sealed by a client. It takes the place of those items once another has confirmed it. */
export const ChatSnapshot = z.object({
  id: fixedBytesText(16),
  covers: ChatHead,
  parts: z.int().check(z.minimum(1), z.maximum(MAX_PARTS)),
  /** SHA-256 over all parts, joined. */
  hash: Hash,
  confirmed: z.boolean(),
});
export type ChatSnapshot = z.infer<typeof ChatSnapshot>;

const ChatPage = z.object({
  /** Items up to here are gone: a confirmed snapshot holds what they came to, or they were too old. */
  base: ChatHead,
  /** Items up to this one were deleted, by a host's word (`HostState.cleared`) or because their time is over; 0: none. Only from here to the base a snapshot holds what they came to. */
  deleted: Seq,
  head: ChatHead,
  /** After `after` and after the base, oldest first; at most a page. */
  items: z.array(ChatItem).check(z.maxLength(MAX_PAGE_ITEMS)),
});
export type ChatPage = z.infer<typeof ChatPage>;

/** What comes to whoever has the chat open, as `{ chat: ChatPush }`, unnumbered: after a lost connection it is opened again from where one was. */
export const ChatPush = z.discriminatedUnion('type', [
  z.object({ type: z.literal('items'), items: z.array(ChatItem) }),
  z.object({ type: z.literal('erased'), seqs: z.array(z.int()) }),
  /** Another has offered a snapshot, which is complete and waits to be confirmed, or one was confirmed. The former follows `chat.open`, too. */
  z.object({ type: z.literal('snapshot'), snapshot: ChatSnapshot }),
  /** Sealed, and not kept. */
  z.object({ type: z.literal('whisper'), body: bytesText(MAX_WHISPER_BYTES) }),
  /** Everything up to here was deleted: by the host, or because its time is over. `state`: the host's newest, which has to say so; null: no host has decided anything. */
  z.object({ type: z.literal('cleared'), base: ChatHead, state: z.nullable(Signed) }),
  /** This connection gets no more: its link opens nothing any longer. */
  z.object({ type: z.literal('closed') }),
]);
export type ChatPush = z.infer<typeof ChatPush>;

const nothing = z.object({});

export const chatRequests = {
  /** Opens the chat for this connection: the first page, and pushes from now on. `state` as with the push `cleared`. `keepDays`, `used` and `quota` (bytes) are the server's own terms. Errors: linkRefused, tooMany. */
  'chat.open': {
    phase: 'admitted',
    params: z.object({ after: Seq }),
    result: z.object({
      ...ChatPage.shape,
      /** The confirmed one. */
      snapshot: z.nullable(ChatSnapshot),
      state: z.nullable(Signed),
      keepDays: z.int().check(z.nonnegative()),
      used: z.int().check(z.nonnegative()),
      quota: z.int().check(z.positive()),
    }),
  },
  /** The next page. Errors: outOfOrder (not open), tooMany. */
  'chat.read': { phase: 'admitted', params: z.object({ after: Seq }), result: ChatPage },
  /** One part of a snapshot, from 0 on. Errors: chatUnknown. */
  'chat.part': {
    phase: 'admitted',
    params: z.object({ snapshot: fixedBytesText(16), part: z.int().check(z.nonnegative()) }),
    result: z.object({ body: bytesText(MAX_PART_BYTES) }),
  },
  /**
   * Adds an item. `id` is drawn by the client: the same one again, after a lost answer, is answered as before and adds nothing. `erase` is the
   * SHA-256 of a token that erases it. Everybody else who has the chat open gets it. Errors: outOfOrder, chatFull, tooMany.
   */
  'chat.append': {
    phase: 'admitted',
    params: z.object({ id: fixedBytesText(16), body: bytesText(MAX_ITEM_BYTES), erase: Hash }),
    result: z.object({ seq: z.int().check(z.positive()), at: Ms }),
  },
  /**
   * Erases the bodies of items whose tokens these are; their hashes stay. `body`: what takes its place, at most as large: a document that has
   * holes is of no use to newcomers. What is gone or replaced already is no error. Errors: outOfOrder, chatUnknown (a token that does not fit), badRequest.
   */
  'chat.erase': {
    phase: 'admitted',
    params: z.object({
      items: z
        .array(
          z.object({
            seq: z.int().check(z.positive()),
            token: fixedBytesText(32),
            body: bytesText(MAX_ITEM_BYTES),
          }),
        )
        .check(z.minLength(1), z.maxLength(64)),
    }),
    result: nothing,
  },
  /** Not kept; goes to whoever has the chat open. Errors: outOfOrder, tooMany. */
  'chat.whisper': { phase: 'admitted', params: z.object({ body: bytesText(MAX_WHISPER_BYTES) }), result: nothing },
  /** Begins a snapshot; its parts follow, in order, by `chat.offerPart`. It takes the place of one that nobody has confirmed. Errors: outOfOrder, chatUnknown (covers nothing of this log, or its id is taken). */
  'chat.offer': { phase: 'admitted', params: z.object({ snapshot: ChatSnapshot }), result: nothing },
  /** After the last part the hash is checked, and the others are told. Errors: outOfOrder, badRequest, chatUnknown (not offered any more), chatFull. */
  'chat.offerPart': {
    phase: 'admitted',
    params: z.object({
      snapshot: fixedBytesText(16),
      part: z.int().check(z.nonnegative()),
      body: bytesText(MAX_PART_BYTES),
    }),
    result: nothing,
  },
  /** "I have opened it, and it holds all that I know." Not from the connection that offered it. The items that it covers go. Errors: outOfOrder, notAllowed, chatUnknown. */
  'chat.confirm': { phase: 'admitted', params: z.object({ snapshot: fixedBytesText(16) }), result: nothing },
  /** Lets a peer's browser find the others' over `GET /ws/chat?ticket=…` (`chatDirect.ts`), any number of times while this connection has the chat open: whoever only holds link and password learns nobody's address. It takes the place of the one before. Errors: outOfOrder, linkRefused, tooMany. */
  'chat.ticket': {
    phase: 'joined',
    params: nothing,
    result: z.object({ ticket: fixedBytesText(32), expiresAt: Ms }),
  },
  /** Lets this browser put and get sealed files (`blobs.ts`) while this connection has the chat open. It takes the place of the one before. Errors: outOfOrder, linkRefused, tooMany. */
  'chat.pass': {
    phase: 'admitted',
    params: nothing,
    result: z.object({ pass: fixedBytesText(32), expiresAt: Ms }),
  },
  /** No more pushes. */
  'chat.close': { phase: 'admitted', params: nothing, result: nothing },
} as const satisfies Record<string, RequestSpec>;
