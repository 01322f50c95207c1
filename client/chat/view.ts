/**
 * What the screens see of a meeting's chat, and what they may ask of it. Types only: `chat.svelte.ts` makes them true, the
 * components render them and forward intent. Texts are what people wrote, to be shown as text or through `markdown.ts`, never as HTML.
 */
import type { NotesFacade } from '../notes/view.ts';
import type { ChatTerms } from '../../signal/protocol/documents.ts';

/** Somebody who has written here, or is here: known by their lasting identity. */
export interface ChatPerson {
  /** Identity key, base64url. */
  id: string;
  name: string;
  self: boolean;
  /** In the meeting now. */
  here: boolean;
  /** Can be written to alone. */
  hasCard: boolean;
}

/**
 * How far one's own message has come. `waiting`: in this browser alone. `sent`: the server keeps it. `seen`: others have read so far.
 * `failed`: the server has no room for it; it stays here, and is tried again when asked.
 */
export type Delivery = { at: 'waiting' } | { at: 'sent' } | { at: 'seen'; by: readonly string[] } | { at: 'failed' };

export interface ReactionView {
  emoji: string;
  /** Names; where it is `mine`, the first is one's own, shown as "You" by the component. */
  names: readonly string[];
  mine: boolean;
}

/** A file of a message, as its author named it: cleaned of whatever could deceive. Nothing of it is here until it is fetched. */
export interface ChatFile {
  name: string;
  /** In bytes. */
  size: number;
  /** As its author says; for icons alone. */
  type: string;
  /** Of one that can be shown here: its size in pixels, and a small picture of it, `data:`. */
  picture: null | { width: number; height: number; thumbnail: string };
}

/** Why a file does not get where it should; each has its own words. */
export type FileFault =
  /** Larger than files may be. */
  | 'tooLarge'
  /** The server keeps no more files of this meeting. */
  | 'full'
  /** It takes no more of ours for a while. */
  | 'busy'
  /** It is not on the server any more. */
  | 'gone'
  /** The file on the disk is another by now, or cannot be read. */
  | 'changed'
  /** What the server gave is not what was sent. */
  | 'forged'
  /** Anything else. */
  | 'refused';

/** A file that goes with what is being written, or waits with it. It goes up at once. */
export interface StagedFile {
  id: string;
  name: string;
  size: number;
  /** Small, `blob:` or `data:`; null where it is no picture. */
  thumbnail: string | null;
  /** Of a picture: whether it goes as it is, with the place and camera that may be in it; null where there is no choice. */
  original: boolean | null;
  /** `share`: 0 … 1. */
  state:
    { at: 'preparing' | 'waiting' | 'ready' } | { at: 'uploading'; share: number } | { at: 'failed'; why: FileFault };
}

/**
 * A message that is written as soon as its files are up. `failed`: one of them did not get there, or it could not be written.
 * `kept`: whether it goes on after the page has ended; `soon`: not yet, `no`: this browser has no room for it, or stores nothing.
 */
export interface Outgoing {
  id: string;
  text: string;
  to: ChatPerson | null;
  files: readonly StagedFile[];
  failed: boolean;
  kept: 'yes' | 'soon' | 'no';
}

export interface ChatMessage {
  /** Hash of the entry, base64url; it stays while edits come. */
  id: string;
  author: ChatPerson;
  /** Milliseconds since 1970, by the author's clock. */
  at: number;
  /** As written; empty where deleted. */
  text: string;
  files: readonly ChatFile[];
  edited: boolean;
  deleted: boolean;
  replyTo: null | { id: string; name: string; text: string; gone: boolean };
  reactions: readonly ReactionView[];
  /** By name, or as everyone. */
  mentionsMe: boolean;
  /** Only these two can read it. */
  to: ChatPerson | null;
  /** Of one's own. */
  delivery: Delivery | null;
}

/** What is not as it should be; each has its own words. */
export type AlarmKind =
  /** The server shows an older state than this browser has seen. */
  | 'rolledBack'
  /** Members have left messages out where the chat was brought together: those whom this browser has are given back. */
  | 'dropped'
  /** The server has deleted messages that no host wanted gone, and that are not too old: those whom this browser has are given back. */
  | 'deleted'
  /** People say that there are messages which the server does not give us. */
  | 'withheld'
  /** People say that what the server gave us is not what it gave them. */
  | 'split'
  /** Messages of people are missing in the middle. */
  | 'gap'
  /** Something was refused because it was not signed by whom it names. */
  | 'forged'
  /** People's histories exist twice. */
  | 'forked';

export interface ChatAlarm {
  is: AlarmKind;
  /** Who says so, or whose messages they are; empty where it is nobody's. */
  by: readonly ChatPerson[];
}

export interface ChatView {
  /** `opening`: what is kept is being read. */
  at: 'opening' | 'ready' | 'closed';
  connection: 'online' | 'connecting' | 'offline';
  /** Oldest first, the same order for everybody. */
  messages: readonly ChatMessage[];
  people: readonly ChatPerson[];
  /** Names of who is typing now, oneself excepted. */
  typing: readonly string[];
  unread: number;
  /** Where reading goes on; null where nothing is unread. */
  firstUnread: string | null;
  /** Earlier messages that are not for us: they cannot be opened here. */
  hidden: number;
  /** What newcomers see, and how long the server keeps it. */
  terms: ChatTerms;
  /** The host, in the meeting: may change the terms, and delete. */
  host: boolean;
  /** False for who was never in a meeting whose newcomers do not see everything: it opens once they have been. */
  canWrite: boolean;
  alarms: readonly ChatAlarm[];
  /** A host has deleted what was written, and has signed that: nothing is wrong. */
  cleared: boolean;
  /** Files that go with what is being written. */
  staged: readonly StagedFile[];
  /** Messages that wait for their files. */
  outgoing: readonly Outgoing[];
  /** What one did to a message and this browser could not keep: nothing of it happened. */
  undone: null | 'deletion' | 'reaction';
  /** Share of the server's room that is used, 0 … 1. */
  used: number;
}

/** `noCard`: it cannot be locked for this one person. `failed`: this browser kept nothing. Then nothing was written. */
export type Written = 'written' | 'noCard' | 'failed';

export interface FileTransfer {
  /** How much of it is here, 0 … 1. */
  progress: (share: number) => void;
  signal: AbortSignal;
}

export interface ChatFacade {
  readonly view: ChatView;
  readonly notes: NotesFacade;
  /** Somebody looks at it. Idempotent. */
  look(): void;
  /**
   * With what is staged; then it is taken over, and written once that is up.
   * @param to only for this person: never for anybody else
   */
  send(message: { text: string; replyTo?: string | null; to?: string | null }): Promise<Written>;
  /** Stages files; those beyond `MAX_FILES` are left. @returns how many were */
  attach(files: readonly File[]): number;
  /** A picture goes as it is, or anew without what the camera wrote into it. */
  asOriginal(file: string, original: boolean): void;
  /** Takes a staged file back. */
  detach(file: string): void;
  /** Tries a staged file, or a message that waits, again. */
  resend(id: string): void;
  /** Gives up a message that waits for its files. */
  giveUp(id: string): void;
  /**
   * Fetches and opens a message's file, all of it.
   * @returns a blob of no type that a browser runs
   * @throws with `fault`, or the signal's reason
   */
  fetchFile(message: string, index: number, transfer: FileTransfer): Promise<Blob>;
  /** One's own. */
  edit(id: string, text: string): Promise<Written>;
  /** One's own, for everybody and for good. */
  remove(id: string): void;
  react(id: string, emoji: string): void;
  /** Tries again what is `undone`. */
  redo(): void;
  /** The person is typing. Often called. */
  typing(): void;
  /** From the first to the last of these messages all are in sight. Often called. */
  seen(first: string, last: string): void;
  /** Tries again what has failed. */
  retry(): void;
  /** The host's: from now on. */
  setTerms(terms: ChatTerms): void;
  /** The host's: deletes what the server keeps. What others' devices have of it stays there. */
  clear(): void;
  /** Everything that can be read here. */
  export(format: 'text' | 'json'): string;
}

/** Largest file, in bytes: 100 MiB. */
export const MAX_FILE_BYTES = 100 * 1024 * 1024;
/** Of one message. */
export const MAX_FILES = 8;
/** Longest text of one message, in UTF-16 code units. */
export const MAX_TEXT = 8000;
