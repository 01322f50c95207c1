/**
 * Requests that a client may send, in the order in which it lives. `phase` is the least a connection must have proven;
 * the handlers of signal/ws are typed by this catalogue, so a request without a handler does not compile.
 */
import * as z from 'zod/mini';
import { Signed, SignedTerms } from './documents.ts';
import {
  Challenge,
  Epoch,
  GroupId,
  MeetingId,
  Ms,
  PeerId,
  PublicKey,
  Signature,
  bytesText,
  fixedBytesText,
} from './ids.ts';
import type { chatRequests } from './chat.ts';
import type { mediaRequests } from './mediaRequests.ts';
import { GroupRef, IceServer, Lobby, OrderedCommit, RosterPeer, SealedName, Topology } from './model.ts';
import type { RequestSpec } from './phases.ts';

/** Version of this protocol, sent in `hello`. It names the suite too: there is one. */
export const PROTOCOL = 1;

const nothing = z.object({});

export const requests = {
  /** First words of a connection that is not resumed. Answers with a challenge for the link key. Errors: unsupported, meetingNotFound, meetingEnded. */
  hello: {
    phase: 'new',
    params: z.object({ protocol: z.int(), meeting: MeetingId }),
    result: z.object({ challenge: Challenge, now: Ms }),
  },
  /** First words of a connection that takes up a lost one: token from `meeting.join`, last event seen. Missed events follow. Errors: resumeRefused, removed. */
  resume: {
    phase: 'new',
    params: z.object({
      protocol: z.int(),
      meeting: MeetingId,
      peer: PeerId,
      token: fixedBytesText(32),
      received: z.int().check(z.nonnegative()),
    }),
    result: z.object({
      group: z.nullable(GroupRef),
      peers: z.array(RosterPeer),
      topology: Topology,
      iceServers: z.array(IceServer),
      now: Ms,
    }),
  },
  /** Proves the link: `proofText` under `labels.proveLink`. Answers with the public record and a challenge for the access key. Errors: linkRefused, tooMany. */
  'meeting.proveLink': {
    phase: 'new',
    params: z.object({ signature: Signature }),
    result: z.object({ record: Signed, challenge: Challenge }),
  },
  /** Proves link and password: `labels.proveAccess`. May be tried again after `accessRefused`, at the pace it names. Errors: accessRefused, tooMany. */
  'meeting.proveAccess': {
    phase: 'linked',
    params: z.object({ signature: Signature }),
    result: Lobby,
  },
  /**
   * Becomes a peer. `peer` is the hash of `leafKey`, and `signature` that key's over `proofText(meeting, challenge, peer)` under `labels.provePeer`,
   * with the challenge of `meeting.proveLink`. `member` is said by a peer that is in a group already and comes back to a server that forgot it.
   * Errors: proofRefused, linkRefused, meetingFull, meetingLocked, meetingEnded, removed.
   */
  'meeting.join': {
    phase: 'admitted',
    params: z.object({
      peer: PeerId,
      leafKey: PublicKey,
      signature: Signature,
      name: SealedName,
      member: z.optional(GroupRef),
    }),
    result: z.object({
      token: fixedBytesText(32),
      group: z.nullable(GroupRef),
      peers: z.array(RosterPeer),
      topology: Topology,
      iceServers: z.array(IceServer),
      hostState: z.nullable(Signed),
      now: Ms,
    }),
  },
  /**
   * Says "my group is born". `created: false` names the one that lives (then ask to be added), or, with `group: null`, that members of a group are
   * expected back within `waitMs`, and to ask again then. Errors: outOfOrder.
   */
  'group.create': {
    phase: 'joined',
    params: z.object({ groupId: GroupId }),
    result: z.object({ created: z.boolean(), group: z.nullable(GroupRef), waitMs: z.optional(Ms) }),
  },
  /** Asks the members to be added: an MLS key package (RFC 9420 §10) and its admission. Goes to all members as `group.addRequested`. Errors: groupUnknown, tooMany. */
  'group.requestAdd': {
    phase: 'joined',
    params: z.object({ groupId: GroupId, keyPackage: bytesText(16 * 1024), admission: bytesText(1024) }),
    result: nothing,
  },
  /**
   * Offers the commit that ends `epoch` (RFC 9420 §12.4). The first for a group's epoch wins, in the store. `welcome` goes to the peers of `added` alone;
   * `removed` are no longer counted as members. `rotation`, with a host's removal: the terms of the next generation, taken as by `host.rotate` the moment that
   * this commit is ordered, and `letter`, sealed in the epoch that it leads to, which all other members get as a `message` right behind it.
   * Errors: staleEpoch, groupUnknown, commitBarred, tooMany; with `rotation` notAllowed, proofRefused, badRequest.
   */
  'group.commit': {
    phase: 'joined',
    params: z.object({
      groupId: GroupId,
      epoch: Epoch,
      commit: bytesText(512 * 1024),
      welcome: z.optional(bytesText(1024 * 1024)),
      added: z.array(PeerId).check(z.maxLength(100)),
      removed: z.array(PeerId).check(z.maxLength(100)),
      rotation: z.optional(z.object({ ...SignedTerms.shape, letter: bytesText(64 * 1024) })),
    }),
    result: z.object({ epoch: Epoch }),
  },
  /** Commits from `epoch` on, oldest first, at most 64: for a member that missed some. Errors: groupUnknown. */
  'group.log': {
    phase: 'joined',
    params: z.object({ groupId: GroupId, epoch: Epoch }),
    result: z.object({ commits: z.array(OrderedCommit), epoch: Epoch }),
  },
  /** "I am in `epoch`, and open what is sealed in it." When nobody is missing, all are told (`group.settled`). */
  'group.entered': { phase: 'joined', params: z.object({ groupId: GroupId, epoch: Epoch }), result: nothing },
  /**
   * "I cannot apply the commit that ended `epoch`", signed by the leaf over `groupId ‖ epoch ‖ commit hash` under the label `parley commit invalid 1`.
   * When more than half of the connected members say so, the slot reopens (`group.reopened`) and its author loses commit rights.
   */
  'group.commitInvalid': {
    phase: 'joined',
    params: z.object({ groupId: GroupId, epoch: Epoch, commitHash: fixedBytesText(32), signature: Signature }),
    result: nothing,
  },
  /** "These are said to have been added, and are not in my tree." When most of the older members say so, they no longer count as members. Errors: groupUnknown. */
  'group.disown': {
    phase: 'joined',
    params: z.object({ groupId: GroupId, peers: z.array(PeerId).check(z.minLength(1), z.maxLength(100)) }),
    result: nothing,
  },
  /** A sealed message to one peer, or to all. `transient` ones (heartbeats, candidates of a dead attempt) are not kept for a peer that is away. Members alone may. Errors: groupUnknown, peerUnknown, tooMany. */
  'message.send': {
    phase: 'joined',
    params: z.object({ to: z.nullable(PeerId), body: bytesText(64 * 1024), transient: z.optional(z.boolean()) }),
    result: nothing,
  },
  /** My uplink or my device cannot carry the mesh. The relay takes over while there are more than two. */
  'path.burdened': { phase: 'joined', params: nothing, result: nothing },
  /** "I cannot reach this peer", with all that ICE and TURN have: the meeting goes to the relay. `withdrawn`: I can after all. Errors: peerUnknown. */
  'path.failed': {
    phase: 'joined',
    params: z.object({ peer: PeerId, withdrawn: z.optional(z.boolean()) }),
    result: nothing,
  },
  /** Leaves for good. What members need to commit the removal travels before it, sealed. */
  'meeting.leave': { phase: 'joined', params: nothing, result: nothing },
  /** Round trip, and a sign of life that a browser can send. */
  ping: { phase: 'new', params: nothing, result: z.object({ now: Ms }) },
  /** A newer host state (`HostState`). Errors: notAllowed, badRequest. */
  'host.state': { phase: 'joined', params: z.object({ state: Signed }), result: nothing },
  /** Record and access key of the next generation: older links and passwords stop working. Errors: notAllowed, badRequest. */
  'host.rotate': { phase: 'joined', params: SignedTerms, result: nothing },
  /** A `HostCommand`: remove a peer, or end the meeting. Errors: notAllowed, peerUnknown. */
  'host.command': { phase: 'joined', params: z.object({ command: Signed }), result: nothing },
} as const satisfies Record<string, RequestSpec>;

/** These, those of `mediaRequests.ts` and of `chat.ts`, which a client loads when it needs them; `catalogue.ts` has all. */
type Catalogue = typeof requests & typeof mediaRequests & typeof chatRequests;
export type RequestName = keyof Catalogue;
export type Params<N extends RequestName> = z.infer<Catalogue[N]['params']>;
export type Result<N extends RequestName> = z.infer<Catalogue[N]['result']>;

/** Type guard, so that a name from the wire never indexes the prototype. */
export function isBasicRequest(name: string): name is keyof typeof requests {
  return Object.hasOwn(requests, name);
}
