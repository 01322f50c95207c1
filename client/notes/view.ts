/** What the screens see of the shared notes, and what they may ask of them. Types only: client/chat/chat.svelte.ts makes them true. */
import type { XmlFragment } from 'yjs';

/** Where another's cursor stands: Yjs's relative positions. */
export interface NotesCursor {
  /** Identity, base64url. */
  readonly id: string;
  readonly name: string;
  /** 0 … 7; of one person always the same. */
  readonly colour: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface PageView {
  readonly key: string;
  /** When it was begun, milliseconds since 1970; 0 for the first. */
  readonly at: number;
  /** Who began it; null: nobody has written on it. */
  readonly by: string | null;
  readonly text: XmlFragment;
}

export interface NotesView {
  /** The one that all write on. */
  readonly page: PageView;
  /** Former ones, newest first. They can be read. */
  readonly earlier: readonly PageView[];
  /** Others changed something since somebody looked last. */
  readonly hasNew: boolean;
  /** Who did. */
  readonly lastBy: string | null;
  /** There is no room for more on this page. */
  readonly isFull: boolean;
  /** Something is built upon what is not for us: it was written before we came, or has been deleted. */
  readonly lacks: boolean;
  /** Names of those here for whom it is so. */
  readonly lacking: readonly string[];
  readonly cursors: readonly NotesCursor[];
  /** Written here, and not in everybody's reach yet. */
  readonly isWaiting: boolean;
}

export interface NotesFacade {
  /** Null while what is kept is being read. */
  readonly view: NotesView | null;
  /** Somebody looks at them. */
  looked(): void;
  /** All go on with a copy of this page, which whoever is here can read whole. */
  copy(key: string): void;
  /** Where our cursor is; null: in no text. Often called. */
  moved(place: { from: Uint8Array; to: Uint8Array } | null): void;
  /** What was typed a moment ago is on its way now. */
  flush(): void;
}
