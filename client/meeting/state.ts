/**
 * What the meeting machine knows, hears and asks for. Types only: plain data, so that tests compare values.
 *
 * Secrets are not here: a password passes through one input and one effect and is kept nowhere.
 */
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { ErrorCode } from '../../signal/protocol/errors.ts';
import type { CallErrorCode, MemberView, MessageKind, Notice, TrackKind } from '../e2ee/messages.ts';
import type { PathState } from '../transport/transport.ts';
import type { ClosedReason, NoticeView } from './view.ts';

/** How far we are with the server, on the present socket. */
export type Link =
  | { at: 'down'; since: number }
  /** hello, the proof of the link, the record. */
  | { at: 'opening' }
  /** The link is proven; the password is due. `until`: too many tries. */
  | { at: 'linked'; until: number | null }
  /** The password is being checked. */
  | { at: 'proving' }
  | { at: 'admitted' }
  | { at: 'joining' }
  | { at: 'resuming'; since: number }
  | { at: 'joined' };

export interface Common {
  meeting: MeetingId;
  /** Counts sockets: what an older one brings is dropped. */
  attempt: number;
  link: Link;
  /** Given by the person; sealed by the worker. */
  name: string;
}

/** What a peer says of its own tracks. */
export type MediaState = Record<TrackKind, boolean>;

/** Everybody's part of the meeting, as far as the worker proved it. */
export interface Live {
  self: PeerId;
  since: number;
  members: readonly MemberView[];
  code: readonly string[];
  authenticator: readonly string[];
  epoch: number;
  locked: boolean;
  paused: boolean;
  media: Readonly<Record<PeerId, MediaState>>;
  hands: readonly PeerId[];
  /** Who says that they speak, and when they last said so. */
  speaking: Readonly<Record<PeerId, number>>;
  paths: Readonly<Record<PeerId, PathState>>;
  /** Since when somebody is silent. */
  lostSince: Readonly<Record<PeerId, number>>;
  /** Whose coming has been told. */
  announced: readonly PeerId[];
  /** Names of everybody who was here with us, for afterwards. */
  met: readonly string[];
}

export type Joining = { step: 'connecting' | 'securing'; since: number };

export type State =
  | (Common & { at: 'opening'; since: number; joining: Joining | null })
  | (Common & {
      at: 'lobby';
      title: string;
      password: null | { wrong: boolean };
      /** Who is in: null until the password is proven; a name that does not open is null. */
      peers: readonly (string | null)[] | null;
      joining: Joining | null;
      /** Our leaf, from the answer to join on. */
      self: PeerId | null;
      /** Opened by what this browser keeps, while there was no server: how far its chat is. Null: by the server's word. */
      kept: null | 'locked' | 'unlocking' | 'open';
    })
  | (Common & {
      at: 'live';
      title: string;
      live: Live;
      /** Our leaf is lost; a new one is on its way. */ renewing: boolean;
    })
  | {
      at: 'closed';
      meeting: MeetingId;
      name: string;
      reason: ClosedReason;
      title: string | null;
      code: string;
      people: readonly string[];
    };

/** Why something did not happen. `refused`: the worker. */
export type Failure =
  | { from: 'server'; code: ErrorCode; retryAfterMs: number | null }
  | { from: 'worker'; code: CallErrorCode }
  | { from: 'network' };

/** Notices of the worker that the machine decides upon; the others go straight to where they belong. */
export type DecidedNotice = Extract<Notice, { type: 'members' | 'invite' | 'hostState' | 'alarm' | 'paused' | 'out' }>;

export type Input =
  | { type: 'socket.up' }
  | { type: 'socket.down'; code: number }
  | { type: 'opened'; attempt: number; title: string; needsPassword: boolean }
  /** As `opened` and `admitted`, by what this browser keeps. */
  | { type: 'kept'; title: string; needsPassword: boolean }
  | { type: 'unlocked' }
  | { type: 'unlockFailed' }
  | { type: 'admitted'; attempt: number; peers: readonly (string | null)[] }
  | { type: 'joined'; attempt: number; self: PeerId }
  | { type: 'resumed'; attempt: number }
  | { type: 'failed'; attempt: number; what: 'open' | 'prove' | 'join' | 'resume'; failure: Failure }
  | { type: 'notice'; notice: DecidedNotice }
  | { type: 'message'; from: PeerId; kind: MessageKind; body: string }
  | { type: 'path'; peer: PeerId; path: PathState }
  | { type: 'draining'; retryMs: number }
  /** This browser or page cannot hold a meeting. */
  | { type: 'unfit'; reason: 'needsLink' | 'unsupportedBrowser' | 'insecureOrigin' | 'noSealedFrames' | 'internal' }
  | { type: 'network.changed' }
  | { type: 'tick' }
  /** Intents of the person. */
  | { type: 'password'; password: string }
  | { type: 'join'; name: string }
  | { type: 'leave' }
  | { type: 'rejoin'; name: string };

export type Effect =
  /** hello → meeting.proveLink → the record, checked. Brings `opened`. */
  | { type: 'open'; attempt: number }
  /** Looks for what this browser keeps of the meeting. Brings `kept`, or nothing. */
  | { type: 'openKept' }
  /** Brings `unlocked` or `unlockFailed`. */
  | { type: 'unlock'; password: string | null }
  /** meeting.proveAccess and the names of the roster; null where there is no password, or it was accepted before. Brings `admitted`. */
  | { type: 'prove'; attempt: number; password: string | null }
  /** A leaf, meeting.join, group.begin. `again`: with the leaf that we have, to a server that forgot us. Brings `joined`. */
  | { type: 'join'; attempt: number; name: string; again: boolean; replaces: PeerId | null }
  /** Brings `resumed`. */
  | { type: 'resume'; attempt: number }
  /** Gives the socket up, if there is one, and opens another. */
  | { type: 'reconnect'; afterMs: number }
  /** Media: these are the members to be connected with. */
  | { type: 'peers'; peers: readonly PeerId[] }
  | { type: 'hold'; held: boolean }
  | { type: 'refresh' }
  /** Tell newcomers what we send, and whether our hand is up. */
  | { type: 'greet'; peers: readonly PeerId[] }
  /** The link is another now. */
  | { type: 'address'; secret: string }
  /** Remember this meeting in this browser. */
  | { type: 'know'; title: string }
  | { type: 'notice'; key: NoticeView['key']; name?: string; by?: string; tone: NoticeView['tone'] }
  /** Say good-bye, then end everything. */
  | { type: 'leave' }
  /** End everything: socket, media, keys. */
  | { type: 'end' }
  /** Begin from nothing: a new worker, a new socket. */
  | { type: 'start' }
  /** A `tick` is due then. */
  | { type: 'wake'; at: number };

export type Step = [State, readonly Effect[]];
