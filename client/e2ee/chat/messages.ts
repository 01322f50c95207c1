/** The chat's part of the boundary between page and worker. Bytes are sealed; plain are only the bodies, which the page shows. */
import type { Bytes } from '../../../crypto/bytes.ts';
import type { ChatHead, ChatItem } from '../../../signal/protocol/chat.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';

/** An entry whose author is proven. Ids and keys are base64url. */
export interface ReadEntry {
  readonly id: string;
  /** Identity key. */
  readonly author: string;
  readonly writer: string;
  readonly sequence: number;
  /** Id of the one before it. */
  readonly previous: string;
  /** Milliseconds since 1970, by the author. */
  readonly at: number;
  /** JSON text; null: erased. Empty where it is between others, or where nobody has tried whether it is for us. */
  readonly body: string | null;
  /** Identity of the only one beside its author who can read it; null: whoever holds the ring. */
  readonly to: string | null;
}

/**
 * `hidden`: sealed under a key that this browser does not hold. `unproven`: without a signature, and no later entry of its author's has come that
 * names it. `isLocked`: it may be for us alone, and has to be tried.
 */
export type EntryVerdict =
  | { readonly is: 'read'; readonly entry: ReadEntry; readonly isLocked: boolean }
  | { readonly is: 'hidden' | 'unproven' | 'forged' | 'malformed' };

/** A list of the document, which its client alone writes, and how many clocks that has used. */
export interface ListOutline {
  readonly client: number;
  readonly clocks: number;
}

/** A stretch of one, with an entry at each of `clocks` and holes elsewhere: what was removed. */
export interface ListPart {
  readonly client: number;
  readonly from: number;
  /** Not itself in it. */
  readonly to: number;
  readonly clocks: readonly number[];
}

/** One that waits for a key, or for the rest of its parts. */
export type UnreadItem = Pick<ChatItem, 'seq' | 'at'> & { readonly body: string };

/** What an item of the log holds. `isNews`: keys, which the worker keeps; entries that were hidden may open now. */
export type OpenedItem =
  | { readonly is: 'update'; readonly update: Bytes }
  | { readonly is: 'ring'; readonly isNews: boolean }
  /** `stale`: sealed under a key that a removal had ended by then; whoever wrote it honestly gives it to the log again. */
  | { readonly is: 'part' | 'stale' | 'forged' }
  | { readonly is: 'hidden'; readonly isNews?: boolean };

export interface WrittenEntry {
  readonly bytes: Bytes;
  readonly entry: ReadEntry;
}

/** An item for the log, its SHA-256, and that of the token that erases it. */
export interface SealedItem {
  readonly body: string;
  readonly hash: string;
  readonly erase: string;
}

/** A file of which sealed pieces can be had, by its handle. */
export interface SealedFile {
  readonly handle: number;
  readonly key: string;
  readonly bytes: number;
  readonly erase: string;
}

export interface ChatCalls {
  /**
   * Takes up the chat of the open invite: everything that this browser keeps of it. `states` is what pages last gave to keep, one for each tab that has not been followed by another, the newest last. `last`: entries that we wrote
   * lately, which a page may have ended before placing. `lasting`: this browser stores all that. `isPast`: it has had a later link, so nothing can be written.
   * `again`: the log has to be read from its start, since a key came of which something waits there. */
  'chat.begin': {
    in: object;
    out: {
      self: string;
      updates: Bytes[];
      last: Bytes[];
      states: string[];
      host: boolean;
      lasting: boolean;
      isPast: boolean;
      again: boolean;
    };
  };
  /**
   * Checks items against the chain that ended in `head`, and opens them. Null: from the log's start. `head` is where the chain is now;
   * `broken`: the items do not follow, and nothing was opened. `late`: of items before these, which keys that came now open. `isBase`: the log begins at this head.
   * `hidden`: how many there are that do not. `settled`: up to here nothing need be read again, keys apart (`isPast`): a large change may not be finished.
   */
  'chat.items': {
    in: { head: ChatHead | null; items: ChatItem[]; isBase?: boolean };
    out: { head: ChatHead; settled: ChatHead; broken: boolean; opened: OpenedItem[]; late: Bytes[]; hidden: number };
  };
  /**
   * The changes that items hold; null for those that hold none, or do not open. Nothing is checked but their seal. `large`: those of several items,
   * with the indexes of these; `open`: of parts whose others are not here; `unread`: of what waits for a key.
   */
  'chat.peek': {
    in: { items: ChatItem[] };
    out: { updates: (Bytes | null)[]; large: { update: Bytes; of: number[] }[]; open: number[]; unread: number[] };
  };
  /** What takes the place of an item that is to be erased, or of all parts of a large change, and the token that does it: it follows from the item, and from a secret of this browser. */
  'chat.unsay': { in: { hashes: string[]; update: Bytes }; out: { items: { body: string; token: string }[] } };
  /** `unlock`: tries what may be for us alone, some milliseconds each. */
  'chat.read': { in: { entries: Bytes[]; unlock?: boolean }; out: { verdicts: EntryVerdict[] } };
  /**
   * Signs and seals what the person writes, in this order, each a JSON text. `to`: for this identity alone; without its card nothing is written.
   * `card`: what is said with our own card, which goes before it where none of ours lies under the key that seals now. `run`: whoever opens one
   * entry of a run opens all of it; another run goes to another list. Fails with `notReady` where nobody could read it (`chat.standing`).
   * `sent`: what was kept by `chat.keepSent`, and goes in the same step; where it has gone already nothing is written.
   */
  'chat.write': {
    in: { at: number; bodies: string[]; to: string | null; card: string; sent?: string | null };
    out: { written: WrittenEntry[]; run: string };
  };
  /** Makes items of a change of the document: one, or parts of a large one. `keys`: to be sent before them. */
  'chat.seal': { in: { update: Bytes }; out: { keys: SealedItem[]; items: SealedItem[] } };
  /** `canWrite`: false for whoever was never in a meeting whose newcomers do not see everything. */
  'chat.standing': { in: object; out: { canWrite: boolean } };
  /**
   * Link, password or keys are others now: tries again what could not be opened. `isPast`: they began before items that were opened already,
   * some of which may be stale, or open items that are not here any more: the log has to be read again.
   */
  'chat.reopen': { in: object; out: { late: Bytes[]; isPast: boolean } };
  /** Keys that the log does not have yet: for link and password of today, or for who was there and is away. */
  'chat.tell': { in: { isBase: boolean }; out: { keys: SealedItem[] } };
  /**
   * Seals a snapshot of these lists: of what is proven in them, each under the key that most of it is sealed under; with all keys as the log tells
   * them, and with what it covers under a key of today. `unread`: items that it has as they are, since they wait for keys. `list`: by its index. `keys`: have to be told first, and nothing was made. Null without any:
   * it is too large, or what waits for a key would lie under one that not all have who have the link. Parts are base64url.
   */
  'chat.pack': {
    in: {
      covers: ChatHead;
      unread: UnreadItem[];
      lists: ListOutline[];
      entries: { list: number; clock: number; bytes: Bytes }[];
    };
    out: { keys: SealedItem[]; packed: { id: string; hash: string; parts: string[] } | null };
  };
  /**
   * Opens one, and checks every author's signature in it: null where it is not what it says. `take`: the log goes on from it, so its keys are taken.
   * `hidden`: sections whose keys we lack; 1, and no block, where it was made under another link than today's or its seal under a key that we lack.
   * `unread`: items that it has as they were in the log, and that open for nobody here; `late`: what others of those come to.
   * `opened`: its number for `chat.block`, which gives out each of its blocks once, the last one last.
   */
  'chat.unpack': {
    in: { parts: string[]; hash: string; covers: ChatHead; take: boolean };
    out: { opened: number; blocks: number; hidden: number; unread: UnreadItem[]; late: Bytes[] } | null;
  };
  /**
   * Entries as they lie in the document, one behind the other in the order of `parts`. `verdicts`: of each, if `read`; null for one that comes with
   * nothing that proves it, and has to be read like any other.
   */
  'chat.block': {
    in: { opened: number; index: number; read: boolean };
    out: { parts: ListPart[]; bytes: Bytes; lengths: number[]; verdicts: (EntryVerdict | null)[] };
  };
  /**
   * What of the chat hosts have let go, by the newest word that a host has signed; `state`, which the server shows, is heard first, and changes
   * nothing where it is none (`isForged`). `keepDays`: 0 until everybody has left. `cleared`: the log up to there. `expired`: what was written
   * before, milliseconds since 1970 by the host's clock, was too old under earlier terms. `isOpen`: newcomers have always seen everything, so whoever has
   * the link comes to every key.
   */
  'chat.word': {
    in: { state: Signed | null };
    out: { isForged: boolean; keepDays: number; cleared: ChatHead | null; expired: number; isOpen: boolean };
  };
  /** The same entry without its body. */
  'chat.erase': { in: { entry: Bytes }; out: { entry: Bytes } };
  /** Seals and signs something that is not kept. */
  'chat.whisper': { in: { body: string }; out: { body: string | null } };
  /** Opens one; null where it does not open. */
  /** Where members have said in their heartbeats, since the last call, that the log ends. */
  'chat.overheard': { in: object; out: { author: string; head: ChatHead }[] };
  'chat.overhear': { in: { body: string }; out: { author: string; at: number; body: string } | null };
  /**
   * Where browsers meet that hold the key which seals now, and the password for what they say there: for the direct way (providers/webrtc.ts).
   * Another key, another room; null while there is none. Of the key itself neither tells anything.
   */
  'chat.room': { in: object; out: { room: { room: string; password: string } | null } };
  /**
   * A file that is to be sealed, piece by piece. `key` opens it, for the entry that names it; `bytes`: how long it gets; `erase`: SHA-256 of
   * the token that deletes it. `handle` is good until `chat.endFile`.
   */
  'chat.sealFile': { in: { file: Blob }; out: SealedFile };
  /** A part of the sealed file: the same bytes each time. Fails with `unreadable` where the file is another by now. */
  'chat.sealed': { in: { handle: number; from: number; to: number }; out: { bytes: Bytes } };
  /** A file that is to be opened. `bytes`: how long it is, sealed. */
  'chat.openFile': { in: { key: string; size: number }; out: { handle: number; bytes: number } };
  /** Opens what comes next of it, in order. Fails with `forged`. Only where it `isWhole` nothing is missing. */
  'chat.opened': { in: { handle: number; sealed: Bytes }; out: { bytes: Bytes; isWhole: boolean } };
  'chat.endFile': { in: { handle: number }; out: object };
  /**
   * Keeps, in this browser, a piece of a file that is being sealed: of message `id` the file of this number, so many pieces in. `isLast`: all of
   * it is kept then. Fails where the browser does not store, and with `storage` where too much is kept already, or all goes with the page.
   */
  'chat.keepPiece': { in: { id: string; file: number; handle: number; piece: number }; out: { isLast: boolean } };
  /** Keeps a message that waits for its files, in the page's words, and again with what is another by now. Its pieces are to be kept before. Fails like `chat.keepPiece`. */
  'chat.keepSent': { in: { id: string; message: string }; out: object };
  /** As `chat.sealFile`, of pieces that were kept. */
  'chat.keptFile': { in: { id: string; file: number; key: string; size: number }; out: SealedFile };
  /** Messages that pages have kept which are gone: from here on this page's, each given out once. */
  'chat.takeSent': { in: object; out: { sent: { id: string; message: string }[] } };
  /** It is not to be written any more. */
  'chat.dropSent': { in: { id: string }; out: object };
  /** What deletes a file that this browser has sealed. */
  'chat.fileToken': { in: { key: string }; out: { token: string } };
  /** Keeps a change of the document in this browser, sealed. `all`: it holds everything that was kept before. */
  'chat.keep': { in: { update: Bytes | null; state: string; all: boolean }; out: object };
}
