/**
 * Seals and opens synthetic frames in a dedicated worker: our keyring, LiveKit's cryptor, and WebCrypto alone.
 *
 * All three run in the same kind of pipe, a TransformStream between a source that has all frames ready and a sink that keeps them, one
 * frame after the other, as an RTCRtpScriptTransform runs them. LiveKit's worker is loaded as it is published; it takes streams.
 */
import { clearPrefix } from '../../../crypto/clearPrefix.ts';
import { Keyring } from '../../../crypto/keyring.ts';
import { parseHeader } from '../../../crypto/sframeHeader.ts';
import 'livekit-client/e2ee-worker';

export type Contender = 'parley' | 'livekit' | 'raw';

export interface FramesResult {
  /** Microseconds for one frame, by the wall clock. */
  seal: number;
  open: number;
  /** Bytes that sealing added to each frame. */
  added: number;
  /** Frames that came out of both pipes equal to what went in. */
  intact: number;
}

/** What became of our frames in which one bit of clear prefix, header or tag had been changed. */
export interface ForgedResult {
  tried: number;
  opened: number;
  /** The same frames, untouched, opened afterwards: so it was the change that was refused. */
  intact: boolean;
}

export type Job = { contender: Contender; size: number; count: number } | { forged: number };

interface Frame {
  data: ArrayBuffer;
  /** Present on video, as LiveKit tells the two apart. */
  type?: 'key' | 'delta';
  timestamp: number;
  getMetadata(): { synchronizationSource: number; payloadType: number; mimeType: string };
}

const livekit = self.onmessage as (event: { data: unknown }) => void;
self.onmessage = ({ data: job }: MessageEvent<Job>): void => {
  const done: Promise<FramesResult | ForgedResult> = 'forged' in job ? forge(job.forged) : run(job);
  done.then(
    (result) => postMessage({ result }),
    (error: unknown) => postMessage({ error: String(error) }),
  );
};

/** Frames are audio below this, video above. */
const AUDIO_BELOW = 500;

async function run({
  contender,
  size,
  count,
}: {
  contender: Contender;
  size: number;
  count: number;
}): Promise<FramesResult> {
  const audio = size < AUDIO_BELOW;
  const originals = Array.from({ length: count }, () => payload(size));
  const frames = originals.map((data, i): Frame => makeFrame(data.slice().buffer, audio, i));
  const pipes = await pipesOf(contender, audio);
  const sealed: Frame[] = [];
  const opened: Frame[] = [];
  const seal = await timed(frames, pipes.seal, sealed);
  const added = sealed.reduce((sum, frame, i) => sum + frame.data.byteLength - originals[i]!.length, 0) / sealed.length;
  const open = await timed(sealed, pipes.open, opened);
  let intact = 0;
  for (let i = 0; i < count; i++) if (same(originals[i]!, opened[i]?.data)) intact++;
  return { seal: (seal * 1000) / count, open: (open * 1000) / count, added, intact };
}

function payload(size: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));
  // VP8: bit 0 of the first byte says "not a keyframe" (RFC 7741 §4.3).
  data[0]! |= 1;
  return data;
}

function makeFrame(data: ArrayBuffer, audio: boolean, i: number): Frame {
  const metadata = { synchronizationSource: 1234, payloadType: 96, mimeType: audio ? 'audio/opus' : 'video/VP8' };
  return { data, timestamp: i * 3000, getMetadata: () => metadata, ...(audio ? {} : { type: 'delta' as const }) };
}

function same(original: Uint8Array, data: ArrayBuffer | undefined): boolean {
  if (data === undefined || data.byteLength !== original.length) return false;
  const bytes = new Uint8Array(data);
  return original.every((byte, i) => byte === bytes[i]);
}

type Pipe = (readable: ReadableStream<Frame>, writable: WritableStream<Frame>) => void;

/** Milliseconds from the first frame in to the last frame out. */
async function timed(frames: readonly Frame[], pipe: Pipe, out: Frame[]): Promise<number> {
  let next = 0;
  const done = Promise.withResolvers<number>();
  const readable = new ReadableStream<Frame>(
    {
      pull(controller) {
        if (next < frames.length) controller.enqueue(frames[next++]!);
      },
    },
    { highWaterMark: 1 },
  );
  const writable = new WritableStream<Frame>({
    write(frame) {
      out.push(frame);
      if (out.length === frames.length) done.resolve(performance.now());
    },
  });
  const from = performance.now();
  pipe(readable, writable);
  return (await done.promise) - from;
}

function transformed(transform: (frame: Frame) => Promise<Frame>): Pipe {
  return (readable, writable) => {
    const stream = new TransformStream<Frame, Frame>({
      async transform(frame, controller) {
        controller.enqueue(await transform(frame));
      },
    });
    void readable.pipeThrough(stream).pipeTo(writable);
  };
}

async function pipesOf(contender: Contender, audio: boolean): Promise<{ seal: Pipe; open: Pipe }> {
  switch (contender) {
    case 'parley':
      return parleyPipes(audio);
    case 'livekit':
      return livekitPipes(audio);
    case 'raw':
      return rawPipes();
  }
}

async function parleyKeyrings(): Promise<{ sender: Keyring; receiver: Keyring }> {
  const baseKey = crypto.getRandomValues(new Uint8Array(32));
  const [sender, receiver] = [
    new Keyring({ now: () => performance.now() }),
    new Keyring({ now: () => performance.now() }),
  ];
  await sender.install({ epoch: 7, ownLeaf: 3, baseKey, leaves: [3, 4] });
  await receiver.install({ epoch: 7, ownLeaf: 4, baseKey, leaves: [3, 4] });
  sender.sendWith(7);
  return { sender, receiver };
}

const trackOf = (audio: boolean) => (audio ? ([0, 'opus'] as const) : ([1, 'vp8'] as const));

async function parleyPipes(audio: boolean): Promise<{ seal: Pipe; open: Pipe }> {
  const [kind, codec] = trackOf(audio);
  const { sender, receiver } = await parleyKeyrings();
  return {
    seal: transformed(async (frame) => {
      const result = await sender.seal(kind, codec, new Uint8Array(frame.data));
      if (!result.ok) throw new Error(result.why);
      frame.data = result.frame.buffer;
      return frame;
    }),
    open: transformed(async (frame) => {
      const result = await receiver.open({ kind, leaf: 3 }, codec, new Uint8Array(frame.data));
      if (!result.ok) throw new Error(result.why);
      frame.data = result.frame.buffer;
      return frame;
    }),
  };
}

/** Each bit of the clear prefix and the header, and one of the tag, is changed in a frame that was never opened before. */
async function forge(size: number): Promise<ForgedResult> {
  const [kind, codec] = trackOf(size < AUDIO_BELOW);
  const { sender, receiver } = await parleyKeyrings();
  const original = payload(size);
  const result = { tried: 0, opened: 0, intact: true };
  // Some frames in, so that the header has the length that most have.
  for (let i = 0; i < 300; i++) await sender.seal(kind, codec, original);
  const sealed = await sender.seal(kind, codec, original);
  if (!sealed.ok) throw new Error(sealed.why);
  const clear = clearPrefix(codec);
  const header = parseHeader(sealed.frame, clear);
  if (header === null) throw new Error('no header');
  const bits = Array.from({ length: 8 * (clear + header.length) }, (_, bit) => bit);
  for (const bit of [...bits, 8 * sealed.frame.length - 1]) {
    const changed = sealed.frame.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    result.tried++;
    if ((await receiver.open({ kind, leaf: 3 }, codec, changed)).ok) result.opened++;
  }
  const opened = await receiver.open({ kind, leaf: 3 }, codec, sealed.frame);
  result.intact = opened.ok && same(original, opened.frame.slice().buffer);
  return result;
}

let livekitCount = 0;
async function livekitPipes(audio: boolean): Promise<{ seal: Pipe; open: Pipe }> {
  const say = (kind: string, data: object): void => livekit({ data: { kind, data } });
  const [alice, bob] = [`alice${livekitCount}`, `bob${livekitCount++}`];
  const key = await crypto.subtle.importKey('raw', crypto.getRandomValues(new Uint8Array(32)), 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ]);
  const keyProviderOptions = {
    sharedKey: true,
    ratchetSalt: 'LKFrameEncryptionKey',
    ratchetWindowSize: 0,
    failureTolerance: 10,
    keyringSize: 16,
    keySize: 128,
  };
  say('init', { loglevel: 'silent', keyProviderOptions });
  say('setKey', { key, keyIndex: 0, updateCurrentKeyIndex: true });
  for (const participantIdentity of [alice, bob]) say('enable', { enabled: true, participantIdentity });
  const pipe =
    (kind: 'encode' | 'decode', participantIdentity: string): Pipe =>
    (readableStream, writableStream) =>
      say(kind, {
        readableStream,
        writableStream,
        participantIdentity,
        trackId: kind,
        hasPacketTrailer: false,
        ...(audio ? {} : { codec: 'vp8' }),
      });
  // Messages are handled in order, one task later; the key must be in before the first frame.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { seal: pipe('encode', alice), open: pipe('decode', bob) };
}

/** The limit: one call of AES-256-GCM, a counter for a nonce, nothing parsed, copied or checked. */
async function rawPipes(): Promise<{ seal: Pipe; open: Pipe }> {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const pipe = (operation: 'encrypt' | 'decrypt'): Pipe => {
    const iv = new Uint8Array(12);
    const view = new DataView(iv.buffer);
    let counter = 0;
    return transformed(async (frame) => {
      view.setUint32(8, counter++);
      frame.data = await crypto.subtle[operation]({ name: 'AES-GCM', iv }, key, frame.data);
      return frame;
    });
  };
  return { seal: pipe('encrypt'), open: pipe('decrypt') };
}
