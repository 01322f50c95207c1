/** Nouns that several requests and events share. */
import * as z from 'zod/mini';
import { Signed } from './documents.ts';
import { Epoch, GroupId, PeerId, bytesText } from './ids.ts';

/** The four tracks that a peer may have, in the order of their numbers in a frame's key id (docs/design.md, "Frames"). */
export const trackKinds = ['microphone', 'camera', 'screen', 'screenAudio'] as const;
export const TrackKind = z.enum(trackKinds);
export type TrackKind = z.infer<typeof TrackKind>;

/** The group as the server knows it: an id, and how many commits it has ordered. */
export const GroupRef = z.object({ id: GroupId, epoch: Epoch });
export type GroupRef = z.infer<typeof GroupRef>;

/** A name sealed under the metadata key. */
export const SealedName = bytesText(512);

/** One connected device as the server sees it. Who is *in* the meeting is told by the group's tree, never by this. */
export const RosterPeer = z.object({
  peer: PeerId,
  name: SealedName,
  /** `away`: its socket is lost and may still come back. */
  presence: z.enum(['here', 'away']),
  /** It is a member of the group, as far as the server can tell. */
  inGroup: z.boolean(),
});
export type RosterPeer = z.infer<typeof RosterPeer>;

/** As RTCIceServer takes it (W3C WebRTC §4.2.2). */
export const IceServer = z.object({
  urls: z.array(z.string().check(z.maxLength(512))).check(z.minLength(1), z.maxLength(8)),
  username: z.optional(z.string()),
  credential: z.optional(z.string()),
});
export type IceServer = z.infer<typeof IceServer>;

/** A commit as it was ordered: it ends `epoch`. */
export const OrderedCommit = z.object({ groupId: GroupId, epoch: Epoch, by: PeerId, commit: bytesText(512 * 1024) });
export type OrderedCommit = z.infer<typeof OrderedCommit>;

export const LeaveReason = z.enum(['left', 'lost', 'removed', 'replaced']);
export type LeaveReason = z.infer<typeof LeaveReason>;

/** Names of producers and consumers, drawn by the relay. */
export const StreamId = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/))
  .brand<'StreamId'>();
export type StreamId = z.infer<typeof StreamId>;

/** A track that a peer sends to the relay. Whose it really is, is told by the keys of its frames. */
export const RelayStream = z.object({ peer: PeerId, kind: TrackKind, producer: StreamId });
export type RelayStream = z.infer<typeof RelayStream>;

/** How media travel now, for the whole meeting. Each decision has a higher number than the one before. */
export const Topology = z.object({ number: z.int().check(z.nonnegative()), at: z.enum(['mesh', 'relay']) });
export type Topology = z.infer<typeof Topology>;

/** What somebody sees who has proven link and password, before joining. */
export const Lobby = z.object({
  peers: z.array(RosterPeer).check(z.maxLength(128)),
  group: z.nullable(GroupRef),
  hostState: z.nullable(Signed),
});
export type Lobby = z.infer<typeof Lobby>;

/** Spatial layer: 0 is the smallest picture of a sender's three. */
export const Layer = z.union([z.literal(0), z.literal(1), z.literal(2)]);
export type Layer = z.infer<typeof Layer>;
