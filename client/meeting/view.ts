/**
 * What the screens see of a meeting, and what they may ask of it. Types only: `meeting.svelte.ts` and `devices.svelte.ts`
 * make them true, the components render them and forward intent.
 */
import type { ChatTerms, Settings } from '../../signal/protocol/documents.ts';
import type { Health } from '../../signal/protocol/http.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { ChatFacade } from '../chat/view.ts';
import type { TrackKind } from '../e2ee/messages.ts';

/** Why a person is not, or no longer, in the meeting. Each has its own words and its own next step on the screen. */
export type ClosedReason =
  | 'left'
  | 'removed'
  | 'ended'
  | 'notFound'
  | 'oldLink'
  | 'locked'
  | 'full'
  | 'elsewhere'
  | 'serverLies'
  | 'needsLink'
  | 'unsupportedBrowser'
  | 'insecureOrigin'
  | 'noSealedFrames'
  | 'offline'
  | 'internal';

export type TileState =
  | { at: 'joining' }
  | { at: 'connecting' }
  | { at: 'securing' }
  | { at: 'connected' }
  | { at: 'poor' }
  | { at: 'reconnecting'; since: number }
  | { at: 'frozen'; since: number }
  | { at: 'unsafe'; detail: 'clearFrames' | 'nothingOpened' | 'workerLost' };

export interface TileView {
  peer: PeerId;
  name: string;
  self: boolean;
  host: boolean;
  /** Never seen in this browser before. */
  unknown: boolean;
  state: TileState;
  camera: MediaStreamTrack | null;
  microphone: MediaStreamTrack | null;
  cameraOn: boolean;
  microphoneOn: boolean;
  speaking: boolean;
  handRaised: boolean;
  pairCode: string[];
  path: 'direct' | 'turn' | 'relay' | null;
  /** How the way to them is, as far as it is measured; null for oneself, and before. */
  quality: QualityView | null;
}

export interface QualityView {
  roundTripMs: number | null;
  /** Share of packets that did not come, 0 … 1. */
  loss: number | null;
  bitrateKbps: number | null;
  /** The picture as it comes. */
  width: number | null;
  height: number | null;
  fps: number | null;
  codec: string | null;
}

export interface ScreenShareView {
  peer: PeerId;
  name: string;
  self: boolean;
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
}

/** What is to be seen of somebody: `height` in pixels of the screen. */
export interface ShownPicture {
  peer: PeerId;
  kind: 'camera' | 'screen';
  height: number;
}

/** A line for people, shown as a toast and read out; `key` names it in the message catalogue. */
export interface NoticeView {
  id: number;
  key:
    | 'joined'
    | 'left'
    | 'removedByHost'
    | 'lost'
    | 'linkChanged'
    | 'locked'
    | 'unlocked'
    | 'screenStarted'
    | 'handRaised'
    | 'split'
    | 'withheld'
    | 'unreadable'
    | 'letIn'
    | 'forged'
    | 'commitRefused'
    | 'deviceLost'
    | 'deviceSwitched'
    | 'serverBack'
    | 'shareFailed'
    | 'removeFailed'
    | 'lockFailed'
    | 'endFailed'
    | 'chatTermsFailed'
    | 'chatClearFailed'
    | 'goOnFailed';
  /** Who it is about, and who said it, as names. */
  name?: string;
  by?: string;
  /** Which device it is about. */
  device?: 'camera' | 'microphone';
  tone: 'info' | 'warning' | 'danger';
}

export interface LiveView {
  at: 'live';
  title: string;
  only: Only | null;
  meeting: MeetingId;
  inviteUrl: string;
  since: number;
  connection: 'online' | 'reconnecting';
  /** Order: self last; others by joining. */
  tiles: TileView[];
  screens: ScreenShareView[];
  self: {
    microphoneOn: boolean;
    cameraOn: boolean;
    screenOn: boolean;
    handRaised: boolean;
    host: boolean;
    speakingWhileMuted: boolean;
  };
  /** Group verification code, groups of five digits; and the epoch's for experts. */
  code: string[];
  authenticator: string[];
  epoch: number;
  locked: boolean;
  /** Most others are lost: nothing is sent until they are gone or the person says go on. */
  sendingPaused: boolean;
  /** Playback was blocked by the browser until a click. */
  needsGesture: boolean;
}

/** The one way that media may take, where the host has fixed it. */
export type Only = NonNullable<Settings['only']>;

export type MeetingView =
  | { at: 'opening'; slow: boolean }
  | {
      at: 'lobby';
      title: string;
      only: Only | null;
      meeting: MeetingId;
      /** The password comes first; with it we know who is in. `waitUntil`: too many tries. */
      access:
        | { at: 'password'; wrong: boolean; checking: boolean; waitUntil: number | null }
        /** `peers`: null while nobody can say. */
        | { at: 'open'; peers: (string | null)[] | null };
      /** There is no connection to the server; another is being tried. */
      offline: boolean;
      /** By what this browser keeps of it: the password can be given, and the chat read and written, without a server. */
      kept: boolean;
      joining: null | { step: 'connecting' | 'securing' | 'waitingForOthers'; slow: boolean };
    }
  | LiveView
  | { at: 'closed'; reason: ClosedReason; title: string | null; rejoin: boolean; code: string; people: string[] };

export interface MeetingFacade {
  readonly view: MeetingView;
  readonly notices: readonly NoticeView[];
  /** Null until `openChat` has loaded it; in a meeting that is done soon after joining. */
  readonly chat: ChatFacade | null;
  /** Remembered in this browser. */
  name: string;
  submitPassword(password: string): void;
  join(): void;
  /** Loads the chat and opens it, in the lobby too. Idempotent. */
  openChat(): void;
  /** @returns false if it should be on and does not open: its slot says why */
  toggleMicrophone(): Promise<boolean>;
  toggleCamera(): Promise<boolean>;
  toggleScreen(): void;
  toggleHand(): void;
  /** For push to talk: on while held. */
  holdToTalk(down: boolean): void;
  leave(): void;
  rejoin(): void;
  goOn(): void;
  /** What is on the screen: pictures that nobody sees need not come. Often called; passed on at times. */
  show(pictures: readonly ShownPicture[]): void;
  resumePlayback(): void;
  removePeer(peer: PeerId): void;
  setLocked(locked: boolean): void;
  endForAll(): void;
  dismiss(notice: number): void;
  /** Idempotent; the screen is gone. */
  destroy(): void;
}

export type DeviceProblem = 'denied' | 'dismissed' | 'inUse' | 'missing' | 'unplugged' | 'insecureOrigin' | 'unknown';

export interface DeviceSlot {
  /** `id` is the browser's deviceId; labels are empty until permission. */
  list: { id: string; label: string }[];
  chosen: string | null;
  on: boolean;
  problem: DeviceProblem | null;
  starting: boolean;
  /** Label of a device that was chosen and did not open, so that the former one goes on; null if there is none. */
  refused: string | null;
}

export interface DevicesFacade {
  readonly camera: DeviceSlot;
  readonly microphone: DeviceSlot;
  readonly speaker: { list: { id: string; label: string }[]; chosen: string | null; supported: boolean };
  /** The live camera track for the mirror, null when off or absent. */
  readonly preview: MediaStreamTrack | null;
  /** Microphone level 0 … 1, about ten times a second. */
  readonly level: number;
  start(): Promise<void>;
  choose(kind: 'camera' | 'microphone' | 'speaker', id: string): void;
  /** Resolves when it is open, closed, or has failed. */
  setOn(kind: 'camera' | 'microphone', on: boolean): Promise<void>;
  /** The same. */
  retry(kind: 'camera' | 'microphone'): Promise<void>;
  track(kind: TrackKind): MediaStreamTrack | null;
  stop(): void;
}

/** A meeting that this browser has made or joined; kept locally, removable. */
export interface KnownMeeting {
  meeting: MeetingId;
  title: string;
  /** With the secret in the fragment, as it was opened; null where only the id is known. */
  url: string;
  host: boolean;
  lastUsed: number;
}

export type RelayState = Health['parts']['relay']['state'];

export interface HomeFacade {
  readonly known: readonly KnownMeeting[];
  readonly creating: boolean;
  /** `code` is what people may quote. */
  readonly problem: null | { reason: 'offline' | 'tooMany' | 'internal' | 'storage'; code: string };
  /** The terms of a chat where nothing is chosen. */
  readonly usualChat: ChatTerms;
  /** Makes a meeting and answers its URL with the fragment. `chat`: null for the usual. */
  create(options: {
    title: string;
    password: string | null;
    only: Only | null;
    chat: ChatTerms | null;
  }): Promise<string | null>;
  /** Whether this server has a relay by now; null where it does not say. */
  relay(): Promise<RelayState | null>;
  /** Where a pasted link, id#secret or bare id leads; null if it is none of these. */
  resolve(text: string): { url: string; hasSecret: boolean } | null;
  forget(meeting: MeetingId): void;
  /** Another identity for this browser, the present one gone for good. @returns false if nothing changed */
  replaceIdentity(): Promise<boolean>;
}
