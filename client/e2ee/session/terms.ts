/** What a session is given by the keeper: who we are, what we may open, and where what we learn is kept. */
import type { Bytes } from '../../../crypto/bytes.ts';
import type { PendingJoin } from '../../../crypto/group.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import type { ChatHead } from '../../../signal/protocol/chat.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';
import type { MeetingId } from '../../../signal/protocol/ids.ts';
import type { Access } from '../access.ts';
import type { Host } from '../host.ts';
import type { Body } from './bodies.ts';

/** A generation that the host has told the members of, and not yet the server. */
export interface Rotation {
  /** It was sent along with a commit, and begins only if that was ordered: who asks the server for its record knows. */
  readonly offered: boolean;
  readonly record: Signed;
  readonly access: Signed;
  readonly secret: Bytes;
}

/** A letter about the chat's keys, from a member. */
export type ChatLetter = { readonly identity: string; readonly epoch: number } & (
  { readonly kind: 'chatKeys'; readonly body: Body<'chatKeys'> } | { readonly kind: 'chatAsk' }
);

export interface ChatGroupLine {
  /** To all members. @param epoch  in this one or not at all; null: in the present one */
  send<K extends 'chatKeys' | 'chatAsk'>(kind: K, body: Body<K>, epoch: number | null): void;
  /** Milliseconds since 1970 as the server counts them. */
  serverNow(): number;
}

/** The chat's keys in the group (chat/group.ts). Nothing of it is waited for. */
export interface ChatKeysOfGroup {
  /** We are a member. @param at.isBack  this tab was one a moment ago */
  begin(line: ChatGroupLine, at: { epoch: number; isBack: boolean }): void;
  /** @param at.isStranger  somebody came who was not in the group until now */
  entered(at: { epoch: number; isStranger: boolean }): void;
  /** The host's word, link or password are others now. */
  changed(): void;
  read(letter: ChatLetter): void;
  end(): void;
}

export interface ChatOfGroup extends ChatKeysOfGroup {
  /** Where we see the chat's log end; null: we do not have it open. */
  head(): ChatHead | null;
  /** A member sees it end there. */
  heard(identity: string, head: ChatHead): void;
}

export interface SessionTerms {
  readonly meeting: MeetingId;
  readonly title: string;
  /** Lasting; only read. */
  readonly identity: KeyPair;
  /** Shown to the members, sealed. */
  readonly name: string;
  /** The fresh leaf of this join. Owned by the session from now on. */
  readonly pending: PendingJoin;
  /** Public key of the leaf that this one takes the place of. */
  readonly replaces: Bytes | null;
  readonly access: Access;
  /** If this browser holds the meeting's host key. */
  readonly host: Host | null;
  readonly rotation: Rotation | null;
  readonly keepRotation: (rotation: Rotation | null) => Promise<void>;
  /** The newest host state that this browser has ever seen of this meeting. */
  readonly hostState: Signed | null;
  readonly keepHostState: (state: Signed) => void;
  /** A new generation has begun: from now on its keys are the meeting's. */
  readonly renewed: (access: Access) => void;
  readonly chat: ChatOfGroup;
  /** True if this browser met that identity before this meeting. Remembers it from now on. */
  readonly meet: (identity: string) => boolean;
}
