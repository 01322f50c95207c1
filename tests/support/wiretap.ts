/**
 * Reads encoded frames off the wire at the receiving end, before the product's transform sees them, and tampers with them.
 *
 * The worker's script is served with `tapPrelude` in front of it: every transformer's `readable` then passes a tap, and what
 * is handed to the decoder is counted. The page side tries to decode what the tap saw as if it were not sealed, with the
 * browser's own VP8 and Opus decoders: whatever can be read there has left its sender in the clear.
 */
import type { Page } from 'playwright-core';
import { GRID, crc8, decodePicture } from './media/picture.ts';
import type { Reading } from './media/picture.ts';

/**
 * What is done with frames that arrive: `flip` one bit of each; let each pass and then come `again`; replace the sealed part by
 * that of `another` frame of the same kind; put the last frame of another kind in its place (`otherKind`).
 */
export type Tampering = 'none' | 'flip' | 'again' | 'another' | 'otherKind';

export interface TapReport {
  /** Frames with at least one byte that arrived, by kind. */
  arrived: Record<string, number>;
  /** Frames that the product handed on to the decoder, by kind. */
  handedOn: Record<string, number>;
  /** Frames that were really put in by `inject`, by kind, and those of them that the product handed on to the decoder. */
  injected: Record<string, number>;
  injectedOn: Record<string, number>;
  /** Video frames that decoded without any key. */
  decoded: number;
  /** Numbers in them: pictures of a camera, in the clear. */
  numbers: Reading[];
  /** Sound that decoded without any key: milliseconds, and its loudest frequency among those asked for, with its share of all power. */
  soundMs: number;
  tones: Record<string, number>;
}

/** A frame as it arrived; one character of `data` for each byte. */
export interface TappedFrame {
  kind: string;
  /** Peer that the product's transform takes it for. */
  peer: string;
  /** Milliseconds since 1970. */
  at: number;
  data: string;
}

/** Of two people with camera and microphone: about fifteen seconds. */
const MOST_FRAMES = 2000;

export interface Wiretap {
  report(): TapReport;
  /** What arrived last, at most `MOST_FRAMES`. @param since  milliseconds since 1970 */
  frames(since?: number): TappedFrame[];
  /** Puts a frame that was tapped elsewhere before the product's transform for that peer and kind, as if it had just arrived. */
  inject(frame: TappedFrame): void;
  /** From now on. */
  tamper(how: Tampering): void;
  reset(): void;
}

/** W3C WebRTC Encoded Transform §5; TypeScript's DOM library leaves out what lives in workers. */
interface Transformer {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
  readonly options: unknown;
}

declare global {
  var parleyTap: Wiretap;
  var RTCRtpScriptTransformer: { prototype: Transformer };
}

function installPrelude(): void {
  const channel = new BroadcastChannel('parley-tap');
  let tampering: Tampering = 'none';
  type Options = { id?: string; side: string; kind: string; peer?: string };
  /** Not the product's look at the browser before anybody joins: it has no key, and no camera. */
  const isTapped = (options: Options | undefined): options is Options =>
    options?.side === 'receive' && options.id?.startsWith('selfTest.') !== true;
  type Encoded = RTCEncodedVideoFrame | RTCEncodedAudioFrame;
  const last = new Map<string, Uint8Array>();
  /** The product hands on the very object that it took: so its fate can be told from that of ordinary traffic. */
  const invented = new WeakSet<Encoded>();
  /** Newest frame and the stream of each transform, by peer and kind: an invented frame is a copy of a real one with other bytes. */
  type Track = { kind: string; frame: Encoded; controller: TransformStreamDefaultController<Encoded> };
  const tracks = new Map<string, Track>();
  const prototype = RTCRtpScriptTransformer.prototype;
  const wrap = <T>(name: 'readable' | 'writable', make: (transformer: Transformer, native: T) => T): void => {
    const native = Object.getOwnPropertyDescriptor(prototype, name)!;
    const made = new WeakMap<object, T>();
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Transformer) {
        const known = made.get(this);
        if (known !== undefined) return known;
        const stream = make(this, native.get!.call(this));
        made.set(this, stream);
        return stream;
      },
    });
  };
  const copyOf = (frame: Encoded): Encoded =>
    'type' in frame
      ? new (RTCEncodedVideoFrame as unknown as new (frame: Encoded) => Encoded)(frame)
      : new (RTCEncodedAudioFrame as unknown as new (frame: Encoded) => Encoded)(frame);

  channel.onmessage = ({
    data,
  }: MessageEvent<{ tamper?: Tampering; inject?: { track: string; bytes: Uint8Array<ArrayBuffer> } }>) => {
    tampering = data.tamper ?? tampering;
    const track = tracks.get(data.inject?.track ?? '');
    if (data.inject === undefined || track === undefined) return;
    const frame = copyOf(track.frame);
    frame.data = data.inject.bytes.buffer;
    invented.add(frame);
    track.controller.enqueue(frame);
    channel.postMessage({ injected: track.kind });
  };
  channel.postMessage({ ready: true });

  wrap<ReadableStream>('readable', (transformer, native) => {
    const options = transformer.options as Options | undefined;
    if (!isTapped(options)) return native;
    return native.pipeThrough(
      new TransformStream<Encoded, Encoded>({
        transform(frame, controller) {
          const bytes = new Uint8Array(frame.data).slice();
          if (bytes.length === 0) return controller.enqueue(frame);
          const type = 'type' in frame ? frame.type : 'audio';
          tracks.set(`${options.peer} ${options.kind}`, { kind: options.kind, frame: copyOf(frame), controller });
          channel.postMessage({
            arrived: options.kind,
            peer: options.peer ?? '',
            type,
            timestamp: frame.timestamp ?? 0,
            bytes,
          });
          const changed = bytes.slice();
          if (tampering === 'flip') changed[changed.length >> 1]! ^= 1;
          // A key seals no frame twice: the body of the one before does not fit this header.
          const before = last.get(options.kind);
          if (tampering === 'another' && before !== undefined) changed.set(before.subarray(8, changed.length), 8);
          last.set(options.kind, bytes);
          const other = last.get(options.kind === 'camera' ? 'microphone' : 'camera');
          if (tampering === 'otherKind' && other !== undefined) frame.data = other.slice().buffer as ArrayBuffer;
          else if (tampering === 'flip' || tampering === 'another') frame.data = changed.buffer as ArrayBuffer;
          const again = tampering === 'again' ? copyOf(frame) : null;
          controller.enqueue(frame);
          if (again !== null) controller.enqueue(again);
        },
      }),
    );
  });
  wrap<WritableStream>('writable', (transformer, native) => {
    const options = transformer.options as Options | undefined;
    if (!isTapped(options)) return native;
    const counter = new TransformStream<Encoded, Encoded>({
      transform(frame, controller) {
        if (invented.has(frame)) channel.postMessage({ injectedOn: options.kind });
        else if (frame.data.byteLength > 0) channel.postMessage({ handedOn: options.kind });
        controller.enqueue(frame);
      },
    });
    void counter.readable.pipeTo(native);
    return counter.writable;
  });
}

/** In front of the worker's own script. */
export const tapPrelude = `(${installPrelude.toString()})();\n`;

interface Arrival {
  arrived?: string;
  peer?: string;
  injected?: string;
  injectedOn?: string;
  handedOn?: string;
  /** A worker has started and wants to know what to do. */
  ready?: boolean;
  type: 'key' | 'delta' | 'audio';
  timestamp: number;
  bytes: Uint8Array<ArrayBuffer>;
}

function installTap(decode: typeof decodePicture, frequencies: readonly number[], most: number): void {
  const channel = new BroadcastChannel('parley-tap');
  const canvas = new OffscreenCanvas(160, 90);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  let report: TapReport;
  let powers: { all: number; at: number[] };
  const reset = (): void => {
    report = {
      arrived: {},
      handedOn: {},
      injected: {},
      injectedOn: {},
      decoded: 0,
      numbers: [],
      soundMs: 0,
      tones: {},
    };
    powers = { all: 0, at: frequencies.map(() => 0) };
  };
  reset();
  let tampering: Tampering = 'none';
  const frames: TappedFrame[] = [];
  const count = (counts: Record<string, number>, kind: string | undefined): void => {
    if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
  };

  let video: VideoDecoder | null = null;
  function onPicture(frame: VideoFrame): void {
    report.decoded++;
    context.drawImage(frame, 0, 0, canvas.width, canvas.height);
    frame.close();
    const reading = decode(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height);
    if (reading !== null) report.numbers.push(reading);
  }
  function tryVideo({ type, timestamp, bytes }: Arrival): void {
    if (video === null || video.state === 'closed') {
      if (type !== 'key') return;
      video = new VideoDecoder({ output: onPicture, error: () => undefined });
      video.configure({ codec: 'vp8' });
    }
    try {
      video.decode(new EncodedVideoChunk({ type: type === 'key' ? 'key' : 'delta', timestamp, data: bytes }));
    } catch {
      video = null;
    }
  }

  let sound: AudioDecoder | null = null;
  function onSound(data: AudioData): void {
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
    report.soundMs += (1000 * data.numberOfFrames) / data.sampleRate;
    const { sampleRate } = data;
    data.close();
    for (const sample of samples) powers.all += sample * sample;
    frequencies.forEach((frequency, i) => {
      let [real, imaginary] = [0, 0];
      samples.forEach((sample, n) => {
        const angle = (2 * Math.PI * frequency * n) / sampleRate;
        real += sample * Math.cos(angle);
        imaginary += sample * Math.sin(angle);
      });
      powers.at[i]! += (2 * (real * real + imaginary * imaginary)) / samples.length;
      report.tones[String(frequency)] = powers.all === 0 ? 0 : powers.at[i]! / powers.all;
    });
  }
  function trySound({ timestamp, bytes }: Arrival): void {
    if (sound === null || sound.state === 'closed') {
      sound = new AudioDecoder({ output: onSound, error: () => undefined });
      sound.configure({ codec: 'opus', sampleRate: 48_000, numberOfChannels: 2 });
    }
    try {
      sound.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: bytes }));
    } catch {
      sound = null;
    }
  }

  channel.onmessage = ({ data }: MessageEvent<Arrival>) => {
    if (data.ready === true) channel.postMessage({ tamper: tampering });
    count(report.handedOn, data.handedOn);
    count(report.injected, data.injected);
    count(report.injectedOn, data.injectedOn);
    if (data.arrived === undefined) return;
    frames.push({
      kind: data.arrived,
      peer: data.peer ?? '',
      at: Date.now(),
      data: Array.from(data.bytes, (byte) => String.fromCharCode(byte)).join(''),
    });
    if (frames.length > most) frames.shift();
    count(report.arrived, data.arrived);
    if (data.type === 'audio') trySound(data);
    else tryVideo(data);
  };
  globalThis.parleyTap = {
    report: () => report,
    frames: (since = 0) => frames.filter(({ at }) => at >= since),
    inject: ({ kind, peer, data }) =>
      channel.postMessage({
        inject: { track: `${peer} ${kind}`, bytes: Uint8Array.from(data, (c) => c.charCodeAt(0)) },
      }),
    tamper(how) {
      tampering = how;
      channel.postMessage({ tamper: how });
    },
    reset,
  };
}

/** Init script of the page. @param frequencies tones to look for, hertz */
export function tapScript(frequencies: readonly number[]): string {
  return `(() => {
const GRID = ${JSON.stringify(GRID)};
${crc8.toString()}
${decodePicture.toString()}
(${installTap.toString()})(decodePicture, ${JSON.stringify(frequencies)}, ${MOST_FRAMES});
})();`;
}

/** Taps a page of the product; call it before the page loads. @param worker matches the URL of the worker's script */
export async function tapPage(page: Page, worker: RegExp, frequencies: readonly number[]): Promise<void> {
  await page.addInitScript({ content: tapScript(frequencies) });
  await page.route(worker, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: tapPrelude + (await response.text()) });
  });
}
