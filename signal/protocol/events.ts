/**
 * Events that the server sends to a joined peer, each with a sequence number of that peer's own (`wire.ts`), so that a resumed
 * connection can name the last one it saw. None of them is believed about membership or keys: members check those themselves.
 */
import * as z from 'zod/mini';
import { Signed } from './documents.ts';
import { Epoch, GroupId, Ms, PeerId, bytesText } from './ids.ts';
import { GroupRef, LeaveReason, OrderedCommit, Layer, RelayStream, RosterPeer, StreamId, Topology } from './model.ts';

export const ServerEvent = z.discriminatedUnion('type', [
  /** Somebody connected. */
  z.object({ type: z.literal('peer.joined'), peer: RosterPeer }),
  /** Somebody's socket was lost, or came back. */
  z.object({ type: z.literal('peer.presence'), peer: PeerId, presence: z.enum(['here', 'away']) }),
  /** Somebody is gone. */
  z.object({ type: z.literal('peer.left'), peer: PeerId, reason: LeaveReason }),
  /** A group was born; the peers that wait for one ask it to add them. */
  z.object({ type: z.literal('group.created'), group: GroupRef, by: PeerId }),
  /** Somebody asks to be added. */
  z.object({
    type: z.literal('group.addRequested'),
    peer: PeerId,
    groupId: GroupId,
    keyPackage: bytesText(16 * 1024),
    admission: bytesText(1024),
  }),
  /** A commit was ordered; its author gets this too, after the answer. `added`: whom it adds, by its author's word; see `group.disown`. */
  z.object({
    type: z.literal('group.committed'),
    ...OrderedCommit.shape,
    added: z.optional(z.array(PeerId).check(z.maxLength(100))),
  }),
  /** You were added: the epoch that the Welcome leads into. */
  z.object({
    type: z.literal('group.welcome'),
    groupId: GroupId,
    epoch: Epoch,
    by: PeerId,
    welcome: bytesText(1024 * 1024),
  }),
  /** Every member says to be in `epoch`: no need to wait any longer before sealing in it. */
  z.object({ type: z.literal('group.settled'), groupId: GroupId, epoch: Epoch }),
  /** The commit that ended `epoch` was withdrawn: most members could not apply it. */
  z.object({ type: z.literal('group.reopened'), groupId: GroupId, epoch: Epoch, author: PeerId }),
  /** A sealed message. `from` is a hint; the seal says who sent it. */
  z.object({ type: z.literal('message'), from: PeerId, body: bytesText(64 * 1024) }),
  /** Media take this way from now on. The way before stays open until the new one delivers. */
  z.object({ type: z.literal('topology'), topology: Topology }),
  /** Somebody sends a track to the relay; `relay.consume` asks for it. */
  z.object({ type: z.literal('relay.produced'), stream: RelayStream }),
  /** It has ended. */
  z.object({ type: z.literal('relay.ended'), producer: StreamId }),
  /** The largest picture that anybody watches of a track that you send (0, 1, 2); null: nobody watches it. More need not be sent. */
  z.object({ type: z.literal('relay.wanted'), producer: StreamId, layer: z.nullable(Layer) }),
  /** Hosts have decided something new. */
  z.object({ type: z.literal('host.state'), state: Signed }),
  /** A new generation began. The secret travels sealed, between members. */
  z.object({ type: z.literal('meeting.record'), record: Signed }),
  /** The host has ended the meeting; `command` proves it. */
  z.object({ type: z.literal('meeting.ended'), command: Signed }),
  /** This server stops soon: connect again after `retryMs`. */
  z.object({ type: z.literal('server.draining'), retryMs: Ms }),
]);
export type ServerEvent = z.infer<typeof ServerEvent>;
