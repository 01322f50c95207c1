/**
 * How media gets from here to the other peers. The mesh satisfies it today, the relay beside it; the meeting knows only this.
 *
 * Every sender and receiver carries its frame transform from the task that made it. No key, no frame: nothing here can send in the clear.
 */
import type { ServerEvent } from '../../signal/protocol/events.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { Layer, RelayStream, StreamId, Topology } from '../../signal/protocol/model.ts';
import type { TrackKind } from '../e2ee/messages.ts';

/** State of the path to one peer. `unsafe`: the watchdog closed it, and `detail` says why. */
export type PathState =
  | { at: 'connecting' }
  /** Connected, no frame opened yet. */
  | { at: 'securing' }
  | { at: 'connected'; poor: boolean }
  | { at: 'reconnecting'; since: number }
  | { at: 'unsafe'; detail: 'clearFrames' | 'nothingOpened' | 'workerLost' }
  | { at: 'closed' };

export interface PathStats {
  path: 'direct' | 'turn' | 'relay';
  roundTripMs: number | null;
  /** Share of packets lost on receiving in the last interval, 0 … 1. */
  loss: number | null;
  /** Speech level of the peer's microphone 0 … 1, computed here from what was decoded. */
  level: number;
  /** Since the last camera frame that opened, in milliseconds; 0 before the first. Large while the camera is on: the picture is frozen. */
  cameraQuietMs: number;
  /** For people who look: all that comes of the peer, and its larger picture as it comes. */
  bitrateKbps?: number | null;
  width?: number | null;
  height?: number | null;
  fps?: number | null;
  codec?: string | null;
}

export interface TransportEvents {
  /** A track of a peer is decodable: its first frame was opened. Ends with `null`. */
  track: (peer: PeerId, kind: TrackKind, track: MediaStreamTrack | null) => void;
  state: (peer: PeerId, state: PathState) => void;
  stats: (peer: PeerId, stats: PathStats) => void;
}

/** A picture that is on the screen. */
export interface Shown {
  peer: PeerId;
  kind: 'camera' | 'screen';
  /** Of its tile, in device pixels. */
  height: number;
}

/** Peers that the server named and no member added within this are forgotten: the key package lives two minutes, patience does not. */
export const EXPECTED_MS = 20_000;
export const MOST_EXPECTED = 4;

/** One way that media take. */
export interface Way {
  /** The peers to be connected with. Called with each change. */
  setPeers(peers: readonly PeerId[]): void;
  /** What is sent as `kind` to everybody from now on; null sends nothing. Resolves when every sender has it (or waits behind its seal check). */
  publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void>;
  on<E extends keyof TransportEvents>(event: E, listener: TransportEvents[E]): () => void;
  /** Takes every real track off at once: the worker failed, or sending is paused. `false` puts them back behind the seal check. */
  hold(held: boolean): void;
  /** These may be members soon, by the server's word: the way to them is made ready, and nothing of them is shown. */
  expect(peers: readonly PeerId[]): void;
  /** The network changed: restart ICE everywhere. */
  refresh(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A way that can say whether it delivers: what senders begin with, a black picture and silence, is nothing. */
export interface MeasuredWay extends Way {
  /** Kinds of which real pictures or real sound of this peer come at present. */
  flowing(peer: PeerId): Promise<ReadonlySet<TrackKind>>;
}

interface Direct {
  /** A `mesh.signal` message of a member. */
  receive(from: PeerId, body: string): void;
  /** Sealed bytes over every open data channel. */
  broadcast(body: string): void;
}

export interface MeshTransport extends MeasuredWay, Direct {}

export interface RelayTransport extends MeasuredWay {
  /** Somebody sends a track there. */
  produced(stream: RelayStream): void;
  ended(producer: StreamId): void;
  /** The largest picture that anybody watches of a track that we send; null: nobody watches it. */
  watched(producer: StreamId, layer: Layer | null): void;
  /** Pictures that are asked for, each as large as it is shown; null: all of them, as large as so many can be shown. */
  show(pictures: readonly Shown[] | null): void;
  /** The socket is back: what could not be asked for is asked for again. */
  retry(): void;
  /** The relay has lost it: opened anew, and what there is goes on until that is answered. */
  renew(): void;
  /** The server has forgotten it, and another takes its place: it delivers what it can, and asks for nothing any more. */
  retire(): void;
}

export interface MediaTransport extends Way, Direct {
  /**
   * Media take this way now; an older decision is ignored. The same one again: the socket is back, and what could not be asked for
   * meanwhile is asked for.
   * @param isAnew  we had to join again: what we have at the relay, nobody there knows of any more
   */
  follow(topology: Topology, isAnew?: boolean): void;
  /** An event of the server about the relay. */
  relayed(event: ServerEvent): void;
  /** What is on the screen by now. Pictures that are not need not come; sound always does. */
  show(pictures: readonly Shown[]): void;
}
