/**
 * One meeting as the server sees it, what can happen to it, and what follows. Values only.
 *
 * `group.members` is the group's tree as far as commits tell, kept also while people are away; `Peer.inGroup` says of
 * somebody connected that it counts as a member. The list that people see is made of neither, but of keys.
 */
import type { Signed } from '../protocol/documents.ts';
import type { ServerEvent } from '../protocol/events.ts';
import type { Topology } from '../protocol/model.ts';
import type { Epoch, GroupId, MeetingId, PeerId } from '../protocol/ids.ts';

type Ms = number;

export interface Peer {
  readonly peer: PeerId;
  /** Sealed. */
  readonly name: string;
  /** `until`: how long its place is kept. */
  readonly presence: { readonly at: 'here' } | { readonly at: 'away'; readonly until: Ms };
  readonly inGroup: boolean;
}

export interface AddRequest {
  readonly keyPackage: string;
  readonly admission: string;
  readonly at: Ms;
}

/** That somebody was added, as far as the author of a commit says: its word, until the older members have had time to disown. */
export interface Claim {
  readonly by: PeerId;
  /** The epoch that the commit ended. */
  readonly epoch: Epoch;
  readonly at: Ms;
  readonly disownedBy: ReadonlySet<PeerId>;
}

/** The newest commit: the one that may still be withdrawn. */
export interface LastCommit {
  /** The epoch that it ended. */
  readonly epoch: Epoch;
  readonly author: PeerId;
  /** SHA-256, base64url. */
  readonly hash: string;
  readonly removed: readonly PeerId[];
  /** As things were before it. */
  readonly membersBefore: ReadonlyMap<PeerId, number>;
  readonly requestsBefore: ReadonlyMap<PeerId, AddRequest>;
  /** Who could have applied it, the author apart. */
  readonly witnesses: ReadonlySet<PeerId>;
  /** Of the witnesses, those who are members by a late claim alone. */
  readonly claimed: ReadonlySet<PeerId>;
  readonly objections: ReadonlySet<PeerId>;
}

export interface Group {
  readonly id: GroupId;
  readonly epoch: Epoch;
  /** Peer → leaf index. */
  readonly members: ReadonlyMap<PeerId, number>;
  /** Until then members are expected back, and nobody else may make a group. */
  readonly expectedUntil: Ms;
  readonly requests: ReadonlyMap<PeerId, AddRequest>;
  /** Who came lately, oldest first. */
  readonly claims: ReadonlyMap<PeerId, Claim>;
  readonly last: LastCommit | null;
  /** Members who say that they are in the present epoch; `all`: nobody was missing, and that was told. */
  readonly arrived: ReadonlySet<PeerId> | 'all';
  /** When the present epoch began; -Infinity for the first. */
  readonly epochBeganAt: Ms;
  /** When each member's newest commit was ordered. */
  readonly committedAt: ReadonlyMap<PeerId, Ms>;
  /** When each member's newest commits with removals were ordered: those do not wait. */
  readonly hurriedAt: ReadonlyMap<PeerId, readonly Ms[]>;
  /** Who lost the right to commit, until when. */
  readonly barredUntil: ReadonlyMap<PeerId, Ms>;
}

export interface Room {
  readonly meeting: MeetingId;
  /** Of the link that opens it now. */
  readonly generation: number;
  readonly capacity: number;
  readonly locked: boolean;
  /** Up to this many meet in a mesh. */
  readonly meshLimit: number;
  /** The one way that the meeting is fixed to; null: whichever fits. */
  readonly only: 'mesh' | 'relay' | null;
  /** Whether a relay would take the meeting now. */
  readonly hasRelay: boolean;
  readonly topology: Topology;
  /** Pairs that cannot reach each other directly, each sorted. */
  readonly troubles: readonly (readonly [PeerId, PeerId])[];
  /** Who cannot carry a mesh: one's uplink or device is too weak to send the same to each. */
  readonly burdened: ReadonlySet<PeerId>;
  /** There have been more than a mesh carries since it went to the relay. */
  readonly hasGrown: boolean;
  /** How long a mesh has to do again before the meeting goes back to it. */
  readonly calmMs: Ms;
  /** Since when a mesh would do again; null: it would not. */
  readonly calmSince: Ms | null;
  /** When the room at the relay is closed, after its peers have gone back to the mesh. */
  readonly relayClosesAt: Ms | null;
  /** In the order of joining. */
  readonly peers: ReadonlyMap<PeerId, Peer>;
  readonly group: Group | null;
  /** Peers that a host removed: they do not come back by this id. */
  readonly removed: ReadonlySet<PeerId>;
}

/** A commit without its bytes: the core orders, it does not look. */
export interface Offer {
  readonly by: PeerId;
  readonly groupId: GroupId;
  readonly epoch: Epoch;
  readonly hash: string;
  readonly added: readonly PeerId[];
  readonly removed: readonly PeerId[];
}

export type Input =
  /** `generation`: of the link that it has proven. `member`: the group that it says it is in. */
  | { type: 'join'; peer: PeerId; generation: number; name: string; member: GroupId | null }
  | { type: 'back'; peer: PeerId }
  | { type: 'away'; peer: PeerId }
  | { type: 'leave'; peer: PeerId }
  | { type: 'tick' }
  | { type: 'createGroup'; by: PeerId; groupId: GroupId }
  | { type: 'requestAdd'; by: PeerId; groupId: GroupId; keyPackage: string; admission: string }
  /** The store has taken it. */
  | { type: 'ordered'; offer: Offer; commit: string; welcome: string | null; letter: string | null }
  | { type: 'invalid'; by: PeerId; groupId: GroupId; epoch: Epoch; hash: string }
  | { type: 'entered'; by: PeerId; groupId: GroupId; epoch: Epoch }
  | { type: 'disown'; by: PeerId; groupId: GroupId; peers: readonly PeerId[] }
  | { type: 'message'; from: PeerId; to: PeerId | null; body: string; transient: boolean }
  | { type: 'hostState'; by: PeerId; state: Signed; locked: boolean }
  | { type: 'rotated'; by: PeerId; record: Signed; generation: number; capacity: number }
  /** A relay can be had, or not any more. */
  | { type: 'relay'; available: boolean }
  /** What was open for the meeting at the relay is gone. */
  | { type: 'relayLost' }
  /** `withdrawn`: it works after all. */
  | { type: 'pathFailed'; by: PeerId; peer: PeerId; withdrawn?: boolean }
  | { type: 'burdened'; by: PeerId }
  | { type: 'remove'; peer: PeerId }
  | { type: 'end'; command: Signed };

export type Effect =
  /** `transient` ones are not kept for who is away. */
  | { type: 'tell'; to: readonly PeerId[]; event: ServerEvent; transient: boolean }
  /** Its place is gone; `code` closes its connection. */
  | { type: 'dismiss'; peer: PeerId; code: 'removed' | 'meetingEnded' | 'draining' | null }
  | { type: 'saveGroup'; group: Group }
  | { type: 'dropGroup'; groupId: GroupId }
  | { type: 'closeRelay' }
  /** The group is in this epoch, with these members; what was ordered for it is not. */
  | { type: 'reopen'; group: Group };

export type Step = readonly [Room, readonly Effect[]];
