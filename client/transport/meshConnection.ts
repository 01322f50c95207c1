/**
 * One attempt at a connection with one peer: a simple-peer with four transceivers, one per kind of track, made once.
 *
 * The offering side makes the transceivers before it negotiates; the answering side adopts those that the first offer makes, in the
 * very task that makes them. Both set every transform in that task: a task later the browser ignores it without an error
 * (docs/design.md, "Frames"). Tracks are only ever replaced. This class never decides to try again: meshPeer.ts does.
 */
import SimplePeer from 'simple-peer/simplepeer.min.js';
import { trackKinds, type TrackKind, type TransformCounts } from '../e2ee/messages.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { Placeholders } from '../media/placeholder.ts';
import { Pace } from '../net/pace.ts';
import { Arrival } from './arrival.ts';
import { budgetOf } from './bitrate.ts';
import { preferSealable, tuneSender } from './codecs.ts';
import { noCounts } from './counts.ts';
import { codecOf, drawTransformId, mediaOf, type SealPort } from './sealPort.ts';
import { restrictSdp } from './sdp.ts';
import { SealedSender } from './sealedSender.ts';
import type { SignalData } from './signals.ts';

export interface ConnectionOptions {
  peer: PeerId;
  initiator: boolean;
  iceServers: RTCIceServer[];
  port: SealPort;
  placeholders: Placeholders;
  /** What is to be sent of each kind once it is safe. */
  wanted: ReadonlyMap<TrackKind, MediaStreamTrack | null>;
  held: boolean;
  others: number;
  on: {
    signal(data: SignalData): void;
    /** ICE and DTLS: as RTCPeerConnection.connectionState, without `new`. */
    state(state: 'connecting' | 'connected' | 'disconnected' | 'closed'): void;
    /** A sealed message came over the data channel. */
    data(body: string): void;
    /** The first frame of a kind was opened. */
    opened(kind: TrackKind, track: MediaStreamTrack): void;
  };
}

/** One of the peer's tracks as it arrives. */
export interface Receiving {
  id: string;
  kind: TrackKind;
  mid: () => string | null;
  receiver: RTCRtpReceiver;
  arrival: Arrival;
  counts: TransformCounts;
}

/** One of our senders, with its totals. */
export interface Sending {
  sealed: SealedSender;
  mid: () => string | null;
  counts: TransformCounts;
}

/** More than this waiting in a data channel: the path is stuck, and the same message goes through the server anyway. */
const MAX_BUFFERED = 256 * 1024;

/** Sealed messages of 64 kB at most, in base64url. */
const MAX_DATA_CHARS = 96 * 1024;

export class MeshConnection {
  /** Heartbeats travel here, one in two seconds: a flood would keep the worker from everything else. */
  readonly #dataPace = new Pace(20, 5);
  readonly #options: ConnectionOptions;
  readonly #simple: SimplePeer.Instance;
  readonly pc: RTCPeerConnection;
  readonly sending = new Map<TrackKind, Sending>();
  readonly receiving = new Map<TrackKind, Receiving>();
  #others: number;
  #held: boolean;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#others = options.others;
    this.#held = options.held;
    const config: RTCConfiguration & { encodedInsertableStreams?: boolean } = {
      // Always given: simple-peer's own default names servers of others.
      iceServers: options.iceServers,
      bundlePolicy: 'max-bundle',
      ...('RTCRtpScriptTransform' in globalThis ? {} : { encodedInsertableStreams: true }),
    };
    this.#simple = new SimplePeer({
      initiator: options.initiator,
      config,
      objectMode: true,
      sdpTransform: restrictSdp,
    });
    // The real connection: simple-peer has no other way to transceivers, states and statistics.
    this.pc = (this.#simple as unknown as { _pc: RTCPeerConnection })._pc;
    if (options.initiator) this.#makeTransceivers();
    else this.pc.addEventListener('signalingstatechange', () => this.#adopt());
    this.#listen();
  }

  /** A message of the peer about this attempt. */
  signal(data: SignalData): void {
    if (this.#closed || !('type' in data)) return;
    if (data.type === 'offer' || data.type === 'answer') {
      this.#simple.signal({ type: data.type, sdp: restrictSdp(data.sdp) });
    } else if (data.type === 'candidate' || data.type === 'renegotiate') {
      this.#simple.signal(data as SimplePeer.SignalData);
    }
  }

  /** New candidates over the same connection: keys, transforms and tracks stay. Only the offering side may. */
  restartIce(): void {
    if (this.#closed) return;
    this.pc.restartIce();
    (this.#simple as unknown as { negotiate(): void }).negotiate();
  }

  /** @returns false if the channel is not open, or stuck */
  sendData(body: string): boolean {
    if (this.#closed || !this.#simple.connected || this.#simple.bufferSize > MAX_BUFFERED) return false;
    try {
      this.#simple.send(body);
      return true;
    } catch {
      return false;
    }
  }

  async publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    const sending = this.sending.get(kind);
    await sending?.sealed.set(track);
    this.#tune(kind);
  }

  hold(held: boolean): void {
    this.#held = held;
    for (const { sealed } of this.sending.values()) sealed.hold(held);
  }

  /** How many others there are: the share of each shrinks. */
  setOthers(others: number): void {
    if (others === this.#others) return;
    this.#others = others;
    for (const kind of this.sending.keys()) this.#tune(kind);
  }

  /** The worker's totals; those of other connections are left alone. */
  counted(counts: TransformCounts): void {
    for (const sending of this.sending.values()) {
      if (sending.sealed.id !== counts.id) continue;
      const before = sending.sealed.sealing;
      sending.counts = counts;
      sending.sealed.counted(counts);
      if (!before && sending.sealed.sealing) this.#tune(sending.sealed.kind);
    }
    for (const receiving of this.receiving.values()) {
      if (receiving.id !== counts.id) continue;
      const before = receiving.counts.passed;
      receiving.counts = counts;
      receiving.arrival.counted(counts.passed, performance.now());
      if (before === 0 && counts.passed > 0) this.#options.on.opened(receiving.kind, receiving.receiver.track);
    }
  }

  /** Idempotent. `on.state('closed')` is not called for it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { sealed } of this.sending.values()) {
      sealed.close();
      this.#options.port.call('transform.end', { id: sealed.id }).catch(() => undefined);
    }
    for (const { id } of this.receiving.values())
      this.#options.port.call('transform.end', { id }).catch(() => undefined);
    this.#simple.destroy();
    // simple-peer closes in a microtask of its own; nothing is to leave meanwhile.
    this.pc.close();
  }

  #makeTransceivers(): void {
    for (const kind of trackKinds) {
      const video = mediaOf[kind] === 'video';
      const placeholder = video ? this.#options.placeholders.video() : this.#options.placeholders.audio();
      const { maxBitrate } = budgetOf(kind, this.#others);
      this.#take(kind, this.pc.addTransceiver(placeholder, { direction: 'sendrecv', sendEncodings: [{ maxBitrate }] }));
    }
  }

  /** Answering: the first offer has just made the transceivers; their order is the offerer's. */
  #adopt(): void {
    if (this.pc.signalingState !== 'have-remote-offer' || this.sending.size > 0 || this.#closed) return;
    const transceivers = this.pc.getTransceivers();
    const fits =
      transceivers.length === trackKinds.length &&
      trackKinds.every((kind, i) => transceivers[i]?.receiver.track.kind === mediaOf[kind]);
    if (!fits) return this.#fail();
    trackKinds.forEach((kind, i) => {
      const transceiver = transceivers[i]!;
      transceiver.direction = 'sendrecv';
      this.#take(kind, transceiver);
      const placeholder =
        mediaOf[kind] === 'video' ? this.#options.placeholders.video() : this.#options.placeholders.audio();
      void transceiver.sender.replaceTrack(placeholder);
    });
  }

  /** In the task that made the transceiver, always. */
  #take(kind: TrackKind, transceiver: RTCRtpTransceiver): void {
    const { port, peer, placeholders, wanted } = this.#options;
    const codec = codecOf[kind];
    const send = drawTransformId(kind, 'send');
    const receive = drawTransformId(kind, 'receive');
    port.transform({ id: send, side: 'send', kind, codec, peer }, transceiver.sender);
    port.transform({ id: receive, side: 'receive', kind, codec, peer }, transceiver.receiver);
    preferSealable(transceiver, codec);
    const mid = () => transceiver.mid;
    const sealed = new SealedSender({ id: send, kind, sender: transceiver.sender, placeholders });
    if (this.#held) sealed.hold(true);
    this.sending.set(kind, { sealed, mid, counts: noCounts(send) });
    const { receiver } = transceiver;
    const arrival = new Arrival();
    this.receiving.set(kind, { id: receive, kind, mid, receiver, arrival, counts: noCounts(receive) });
    void sealed.set(wanted.get(kind) ?? null);
  }

  #tune(kind: TrackKind): void {
    const sending = this.sending.get(kind);
    if (sending) void tuneSender(sending.sealed.sender, budgetOf(kind, this.#others));
  }

  #listen(): void {
    const { on } = this.#options;
    this.#simple.on('signal', (data) => {
      if (!this.#closed) on.signal(data as SignalData);
    });
    this.#simple.on('data', (data: unknown) => {
      if (this.#closed || typeof data !== 'string' || data.length > MAX_DATA_CHARS) return;
      if (this.#dataPace.take(performance.now())) on.data(data);
    });
    this.#simple.on('error', () => this.#fail());
    this.#simple.on('close', () => this.#fail());
    this.pc.addEventListener('connectionstatechange', () => {
      if (this.#closed) return;
      const state = this.pc.connectionState;
      if (state === 'connecting' || state === 'connected' || state === 'disconnected') on.state(state);
      else if (state === 'failed' || state === 'closed') this.#fail();
    });
  }

  #fail(): void {
    if (this.#closed) return;
    this.close();
    this.#options.on.state('closed');
  }
}
