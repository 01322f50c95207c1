/**
 * The whole boundary between the page and the one worker that holds every key.
 *
 * The page owns the socket, the peer connections and the devices; it moves sealed bytes that it cannot open. The worker owns the
 * identity, the host key, the group, the frame keys and the member messages. Bytes are base64url text here as on the wire, so they
 * pass through untouched. A call is answered under its `id`; notices come when they come, in order.
 */
import type {
  ChatHead,
  ChatTerms,
  MeetingRecord,
  Settings,
  Signed,
  SignedTerms,
} from '../../signal/protocol/documents.ts';
import type { ErrorCode } from '../../signal/protocol/errors.ts';
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { GroupRef, RosterPeer } from '../../signal/protocol/model.ts';
import type { RequestName } from '../../signal/protocol/requests.ts';
import type { ChatCalls } from './chat/messages.ts';

/** The four tracks that a peer may have, in KID order (docs/design.md, "Frames"). */
export const trackKinds = ['microphone', 'camera', 'screen', 'screenAudio'] as const;
export type TrackKind = (typeof trackKinds)[number];

/**
 * Options of an RTCRtpScriptTransform, and of its stream fallback. `id` is drawn by the page and names the transform in counts.
 * `peer`: whom the frames go to or come from; null on sending: to everybody.
 */
export type TransformOptions =
  | { id: string; side: 'send'; kind: TrackKind; codec: 'opus' | 'vp8' | 'vp9'; peer: PeerId | null }
  | { id: string; side: 'receive'; kind: TrackKind; codec: 'opus' | 'vp8' | 'vp9'; peer: PeerId };

/** Calls: name → what goes in, what comes back. */
export interface Calls extends ChatCalls {
  /** Draws a host key and an invite secret, keeps the host secret in this browser, and makes the record to POST. */
  'meeting.create': {
    in: { title: string; password: string | null; settings: Settings };
    out: { meeting: MeetingId; secret: string } & SignedTerms;
  };
  /** Deletes what this browser keeps of a meeting's chat: messages, keys, and what opens it without the server. */
  'meeting.forget': { in: { meeting: MeetingId }; out: object };
  /** Takes up an invite. What was open before is wiped. `before`: the peer that this tab was before a reload. */
  'invite.open': { in: { meeting: MeetingId; secret: string; before: PeerId | null }; out: { host: boolean } };
  /** Answers the first challenge. */
  'invite.proveLink': { in: { challenge: string }; out: { signature: string } };
  /**
   * Checks record against id, opens the title. Fails with `forged` on a server that lies. `needsPassword`: there is one, and this
   * browser has not kept it for the tab that was `before`.
   */
  'invite.acceptRecord': {
    in: { record: Signed };
    out: { title: string; needsPassword: boolean; record: MeetingRecord };
  };
  /**
   * The same from what this browser keeps, while the server cannot be reached. Null where nothing is kept that this link opens: somebody has to have
   * opened the chat here before.
   */
  'invite.openKept': { in: object; out: { kept: Calls['invite.acceptRecord']['out'] | null } };
  /** Opens the chat of what was `openKept`, as `invite.proveAccess` would. Fails with `badPassword`. */
  'invite.unlockKept': { in: { password: string | null }; out: object };
  /** Stretches the password (about half a second; null where there is none) and answers the second challenge. */
  'invite.proveAccess': { in: { challenge: string; password: string | null }; out: { signature: string } };
  /**
   * Opens the names of the roster; one that does not open is null. `hostState`: as the server tells it; the newer of it and what this browser knows
   * counts. `chat`: what hosts have decided of the chat after the record; null where nothing.
   */
  'lobby.open': {
    in: { peers: RosterPeer[]; hostState: Signed | null };
    out: { names: (string | null)[]; chat: ChatTerms | null };
  };
  /** Goes through a join with keys of nobody, so that the real one finds everything compiled. Waits for nothing, holds nothing up. */
  rehearse: { in: object; out: object };
  /** Makes a fresh leaf for this join and proves it. `replaces`: the peer that this tab was before a reload. */
  'peer.prepare': {
    in: { name: string; challenge: string; replaces: PeerId | null };
    out: { peer: PeerId; leafKey: string; signature: string; name: string };
  };
  /** Draws another identity for this browser: codes change, and the old one is gone. Fails with `usage` during a meeting. */
  'identity.replace': { in: object; out: object };
  /** Signs a challenge with the present leaf, for a server that forgot us. */
  'peer.proveAgain': { in: { challenge: string }; out: { signature: string; member: GroupRef | null } };
  /** The join was answered: from here on the worker drives the group through `request` notices. `now` is the server's clock. */
  'group.begin': { in: { group: GroupRef | null; hostState: Signed | null; now: number }; out: object };
  /** The socket came back (resumed or joined again): the worker catches up. */
  'group.resumed': { in: { group: GroupRef | null }; out: object };
  /** An event of the server that concerns keys, messages, host state; the page passes on all of them, in order. */
  'server.event': { in: { event: ServerEvent }; out: object };
  /** What became of a request that the worker asked for. */
  'request.settled': {
    in:
      | { request: number; result: unknown }
      | { request: number; error: { code: ErrorCode | 'offline'; retryAfterMs?: number; epoch?: number } };
    out: object;
  };
  /** A sealed message that came over a data channel. */
  'peer.data': { in: { body: string }; out: object };
  /** Seals a message to one member or all, and sends it. `body` is JSON text. `overData`: the page may use the data channel too. */
  'message.send': { in: { to: PeerId | null; kind: MessageKind; body: string }; out: object };
  'host.remove': { in: { peer: PeerId }; out: object };
  'host.lock': { in: { locked: boolean }; out: object };
  /** From now on, for everybody. */
  'host.chatTerms': { in: { terms: ChatTerms }; out: object };
  /** Deletes what the server keeps of the chat. */
  'host.clearChat': { in: { upTo: ChatHead }; out: object };
  'host.end': { in: object; out: object };
  /** "Go on": the person accepts that many are lost, and sending resumes. */
  'group.goOn': { in: object; out: object };
  /** Sends the signed leave and wipes every key of the meeting. */
  'meeting.leave': { in: object; out: object };
  /** Streams of a browser without RTCRtpScriptTransform; they are transferred. */
  'transform.streams': {
    in: { options: TransformOptions; readable: ReadableStream; writable: WritableStream };
    out: object;
  };
  /** The transform's connection is gone: tell its last counts, and forget it. */
  'transform.end': { in: { id: string }; out: object };
  /** Sign of life. The page takes its tracks off when this is unanswered for 1 s. */
  ping: { in: object; out: object };
}
export type CallName = keyof Calls;

/** Kinds of member messages that the page sends and receives. Heartbeats, profiles, generations and leaves stay in the worker. */
export type MessageKind = 'mesh.signal' | 'media.state' | 'hand' | 'speaking' | 'reaction';

export type ToWorker = { [N in CallName]: { type: 'call'; id: number; name: N; params: Calls[N]['in'] } }[CallName];

/** Codes of a failed call. `crypto` never says why a seal did not open. */
export type CallErrorCode =
  'forged' | 'badPassword' | 'storage' | 'usage' | 'notHost' | 'notReady' | 'noCard' | 'unreadable' | 'internal';

export type FromWorker =
  | { type: 'answer'; id: number; result: unknown }
  | { type: 'failure'; id: number; code: CallErrorCode; detail: string }
  | { type: 'notice'; notice: Notice };

export interface MemberView {
  peer: PeerId;
  /** Lasting identity, base64url. */
  identity: string;
  /** From the member's own sealed profile; null until it came. */
  name: string | null;
  self: boolean;
  host: boolean;
  /** This browser has not met this identity before. */
  unknown: boolean;
  /** Digits to compare with this one person, groups of five. */
  pairCode: string[];
  /** No sealed heartbeat for three intervals. */
  lost: boolean;
}

/** Running totals of one transform. `dropped` frames never reached a decoder, or never left. */
export interface TransformCounts {
  id: string;
  /** Sealed (send) or opened (receive). */
  passed: number;
  /** Empty Opus frames (DTX) let through on sending, dropped on receiving. */
  empty: number;
  dropped: {
    noKey: number;
    unknownKey: number;
    /** Sealed before we were a member: not for us. */
    earlier: number;
    forged: number;
    replayed: number;
    wrongSender: number;
    malformed: number;
    /** More frames than the worker could keep up with. */
    shed: number;
  };
}

export type Notice =
  /** Send this request to signal, and settle it. */
  | { type: 'request'; request: number; name: RequestName; params: unknown }
  /** Also send this sealed message over every open data channel. */
  | { type: 'broadcast'; body: string }
  /** Who holds the keys now. The only list of participants there is. Codes are empty while they are computed. `removed`: what changed, with who said it. */
  | {
      type: 'members';
      epoch: number;
      members: MemberView[];
      code: string[];
      authenticator: string[];
      removed: { peer: PeerId; name: string | null; reason: 'leave' | 'host' | 'lost' | 'replaced'; by: PeerId }[];
    }
  | { type: 'message'; from: PeerId; kind: MessageKind; body: string }
  /** Counts that changed since the last notice; at once after the first frame passed, else twice a second. */
  | { type: 'counts'; counts: TransformCounts[] }
  /** A new generation: the link is another now. */
  | { type: 'invite'; secret: string; generation: number }
  /** `chat`: null where no host has decided otherwise than the record says. */
  | { type: 'hostState'; locked: boolean; chat: ChatTerms | null }
  /** Other keys of the chat are held, or another one seals. */
  | { type: 'chatKeys' }
  /** Our sealed good-bye of this epoch: what a page sends that is being closed and has no time to ask. */
  | { type: 'farewell'; body: string }
  /**
   * Something that people should see. `split`: the server shows another group; `withheld`: members are ahead of what the server
   * gives us; `unreadable`: what one member (`peer`, as far as the message or the server says) sends does not open, which is its
   * own doing or the server's; `letIn`: `peer` added somebody in spite of the host's lock or ban, which its own program should have
   * refused; `forged`: something unproven was refused.
   */
  | { type: 'alarm'; alarm: 'split' | 'withheld' | 'forged' | 'commitRefused'; detail: string }
  | { type: 'alarm'; alarm: 'unreadable' | 'letIn'; detail: string; peer: PeerId | null }
  /** Sending is paused since most others are lost, or goes on again. */
  | { type: 'paused'; paused: boolean }
  /**
   * Our leaf is gone. `removed` by a host; `repair`: make a new leaf and join again, nothing is lost but the leaf;
   * `elsewhere`: this browser made a new leaf that replaced ours, in another tab.
   */
  | { type: 'out'; why: 'removed' | 'repair' | 'ended' | 'elsewhere' };
