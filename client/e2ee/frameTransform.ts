/**
 * One sender's or receiver's frames on their way through the worker.
 *
 * What does not seal or open is dropped: there is no pass-through. Frames are worked on side by side, and leave in the order
 * in which they came. Encoded streams have no back-pressure (W3C WebRTC Encoded Transform, "stream creation": the high-water
 * mark is infinite), so beyond `MAX_IN_WORK` frames are shed here, and counted.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { release } from '../../crypto/bytes.ts';
import type { Keyring } from '../../crypto/keyring.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { TransformCounts, TransformOptions } from './messages.ts';
import { trackKinds } from './messages.ts';

/**
 * Frames of one transform that may be under way at once: five seconds of a microphone. A worker that was held up for a moment
 * gets all that waited for it in one task, so fewer would throw away what it opens in no time; more means that it cannot keep up.
 */
const MAX_IN_WORK = 250;
/** A frame may be faster than the commit that leads to its key: by a bad way to the server, or a device that is busy. */
const HOLD_MS = 2000;
/** Asking for key frames more often than this makes a bad connection worse. */
const KEY_FRAME_PACE_MS = 1000;

/**
 * A camera that comes again after so long has most likely lost what its next pictures build on. Longer than between two pictures of a
 * dark room or a narrow line, where a key frame that nobody needs would take the place of several.
 */
const CAMERA_GAP_MS = 1500;

/** An RTCEncodedVideoFrame or RTCEncodedAudioFrame. */
export interface EncodedFrame {
  data: ArrayBuffer;
  getMetadata?(): { mimeType?: string };
}

/** Asks for a key frame: of our own encoder on the sending side, of the remote one on the receiving side. Video only. */
export type KeyFrameRequest = () => Promise<unknown>;

/** The keys of the meeting, as a transform needs them. */
export interface FrameKeys {
  readonly keyring: Keyring;
  /** The leaf of a peer, in any epoch whose keys still open; null for who is no member. */
  leafOf(peer: PeerId): number | null;
  /** Leaves are reused: true if `leaf` belonged to `peer` in that very epoch. */
  isLeafOf(peer: PeerId, leaf: number, epoch: number): boolean;
  /** The epoch to seal with for this peer alone, null: for everybody. -1: there is none that it could open. */
  epochFor(peer: PeerId | null): number;
  /** A frame of this peer opened: a sign of life. */
  heard(peer: PeerId): void;
}

type Dropped = keyof TransformCounts['dropped'];

export interface FrameTransformContext {
  /** Null outside of a meeting: then everything is dropped. */
  keys: () => FrameKeys | null;
  now: () => number;
  /** Runs `run` once, after `ms`. */
  after: (ms: number, run: () => void) => unknown;
  /** A count has changed; `first`: the first frame ever seen, or the first that passed. */
  counted: (first: boolean) => void;
  requestKeyFrame?: KeyFrameRequest;
}

export class FrameTransform {
  readonly options: TransformOptions;
  readonly counts: TransformCounts;
  readonly #context: FrameTransformContext;
  #inWork = 0;
  /** Keeps the order of frames that are worked on side by side. */
  #tail: Promise<void> = Promise.resolve();
  #askedAt = -Infinity;
  /** When the last frame came. */
  #cameAt = Infinity;
  #told = false;
  #toldPassed = false;
  /** Frames were dropped since the last one that passed, so a decoder may wait for a key frame. */
  #gap = false;
  #keysCame = Promise.withResolvers<void>();

  constructor(options: TransformOptions, context: FrameTransformContext) {
    this.options = options;
    this.#context = context;
    this.counts = {
      id: options.id,
      passed: 0,
      empty: 0,
      dropped: { noKey: 0, unknownKey: 0, earlier: 0, forged: 0, replayed: 0, wrongSender: 0, malformed: 0, shed: 0 },
    };
  }

  /** Runs until the connection ends. Never throws: a stream that fails has simply ended. */
  async run(readable: ReadableStream<EncodedFrame>, writable: WritableStream<EncodedFrame>): Promise<void> {
    const reader = readable.getReader();
    const writer = writable.getWriter();
    // Whoever closes the connection breaks the stream: the loop notices on reading.
    writer.closed.catch(() => undefined);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#take(value, writer);
      }
      await this.#tail;
      await writer.close();
    } catch {
      await reader.cancel().catch(() => undefined);
      await writer.abort().catch(() => undefined);
    }
  }

  /**
   * A new key is sent with, or opens: whoever cannot decode yet gets a picture to start from. A single peer needs none, since it
   * opened all that came before.
   */
  keysChanged(): void {
    const { options } = this;
    this.#keysCame.resolve();
    this.#keysCame = Promise.withResolvers();
    if (options.side === 'send' ? options.peer === null : this.#gap) this.#askForKeyFrame();
  }

  #take(frame: EncodedFrame, writer: WritableStreamDefaultWriter<EncodedFrame>): void {
    const now = this.#context.now();
    const { side, kind } = this.options;
    if (side === 'receive' && kind === 'camera' && now - this.#cameAt > CAMERA_GAP_MS) this.#askForKeyFrame();
    this.#cameAt = now;
    if (this.#inWork >= MAX_IN_WORK) {
      this.#drop('shed');
      return;
    }
    this.#inWork++;
    // Sealing begins now, so that counters rise in the order of frames; only the handing out waits its turn.
    const passes = this.options.side === 'send' ? this.#seal(frame) : this.#open(frame);
    this.#tail = this.#tail
      .then(async () => {
        if (await passes) await writer.write(frame);
      })
      .catch(() => undefined)
      .finally(() => {
        this.#inWork--;
      });
  }

  async #seal(frame: EncodedFrame): Promise<boolean> {
    const data: Bytes = new Uint8Array(frame.data);
    const { codec, kind, side, peer } = this.options;
    if (!this.#isOfCodec(frame)) return this.#drop('malformed');
    if (data.length === 0 && codec === 'opus') {
      // Nothing is sent for it; sealed, it would become a packet, and DTX would be lost (20 ms of silence each).
      this.counts.empty++;
      this.#count();
      return true;
    }
    const keys = this.#context.keys();
    if (keys === null) return this.#drop('noKey');
    // A newcomer opens nothing that is older than itself, while others may not have come as far yet.
    const epoch = side === 'send' ? keys.epochFor(peer) : -1;
    const sealed = await keys.keyring.seal(kindNumber(kind), codec, data, epoch);
    if (!sealed.ok) return this.#drop(sealed.why === 'malformed' ? 'malformed' : 'noKey');
    return this.#pass(frame, data, sealed.frame);
  }

  async #open(frame: EncodedFrame): Promise<boolean> {
    const data: Bytes = new Uint8Array(frame.data);
    const { options } = this;
    if (options.side !== 'receive') return false;
    const { codec, kind, peer } = options;
    if (data.length === 0 && codec === 'opus') {
      // Nobody sealed it, so nobody can have sent it.
      this.counts.empty++;
      this.#count();
      return false;
    }
    if (!this.#isOfCodec(frame)) return this.#drop('malformed');
    const keys = this.#context.keys();
    const leaf = keys?.leafOf(peer) ?? null;
    if (keys === null || leaf === null) return this.#drop('unknownKey');
    const deadline = this.#context.now() + HOLD_MS;
    let opened = await keys.keyring.open({ kind: kindNumber(kind), leaf }, codec, data);
    while (!opened.ok && opened.why === 'ahead' && this.#context.now() < deadline) {
      await this.#nextKeys(deadline);
      opened = await keys.keyring.open({ kind: kindNumber(kind), leaf }, codec, data);
    }
    if (!opened.ok) return this.#drop(opened.why === 'ahead' ? 'unknownKey' : opened.why);
    if (!keys.isLeafOf(peer, leaf, opened.epoch)) return this.#drop('wrongSender');
    keys.heard(peer);
    return this.#pass(frame, data, opened.frame);
  }

  /** Settles with the next change of keys, at the latest by the deadline. */
  #nextKeys(deadline: number): Promise<void> {
    const { after, now } = this.#context;
    const late = new Promise<void>((resolve) => after(deadline - now(), resolve));
    return Promise.race([this.#keysCame.promise, late]);
  }

  #pass(frame: EncodedFrame, before: Bytes, data: Bytes): true {
    frame.data = data.byteLength === data.buffer.byteLength ? data.buffer : data.slice().buffer;
    release(before.buffer);
    this.#gap = false;
    this.counts.passed++;
    this.#count();
    return true;
  }

  #drop(why: Dropped): false {
    this.counts.dropped[why]++;
    this.#gap = true;
    this.#count();
    // A decoder that missed a frame shows nothing new until a key frame. One that opens late has missed some too.
    if (why !== 'noKey' && why !== 'replayed') this.#askForKeyFrame();
    return false;
  }

  #count(): void {
    // The page judges by these two whether frames come here at all, and whether they get through.
    const first = !this.#told || (this.counts.passed === 1 && !this.#toldPassed);
    this.#told = true;
    this.#toldPassed ||= this.counts.passed > 0;
    this.#context.counted(first);
  }

  #isOfCodec(frame: EncodedFrame): boolean {
    // Not every browser tells the codec (Safari does not): then the options have to do.
    const mimeType = frame.getMetadata?.().mimeType;
    return mimeType === undefined || mimeType.toLowerCase().endsWith(`/${this.options.codec}`);
  }

  #askForKeyFrame(): void {
    const { requestKeyFrame, now } = this.#context;
    if (requestKeyFrame === undefined || this.options.codec === 'opus') return;
    if (now() - this.#askedAt < KEY_FRAME_PACE_MS) return;
    this.#askedAt = now();
    // Refused by a track that has just ended, or a browser that lacks it: the encoder's own interval has to do.
    requestKeyFrame().catch(() => undefined);
  }
}

function kindNumber(kind: TransformOptions['kind']): 0 | 1 | 2 | 3 {
  return trackKinds.indexOf(kind) as 0 | 1 | 2 | 3;
}
