/**
 * A black picture and silence: what a sender carries until its transform is known to seal.
 *
 * Both are made of nothing, so nothing is lost if the browser sends them in the clear. Frames are made only while somebody needs
 * them. Where the browser has track generators (Chromium) they work in a hidden tab and without a gesture; elsewhere (Firefox) a
 * canvas and an audio graph stand in.
 */

/** Small enough to cost nothing, large enough for every VP8 encoder. */
export const PLACEHOLDER_SIZE = { width: 64, height: 36 } as const;
const { width: WIDTH, height: HEIGHT } = PLACEHOLDER_SIZE;
/** A fast pace: a sender waits for the first of these frames before it may send the real thing. */
const VIDEO_EVERY_MS = 33;
const AUDIO_EVERY_MS = 20;
const SAMPLE_RATE = 48_000;

export interface Placeholders {
  /** The shared black track. Stays live until `close`. */
  video(): MediaStreamTrack;
  /** The shared silent track. */
  audio(): MediaStreamTrack;
  /** Frames flow while at least one lease is held. @returns gives the lease back; idempotent */
  lease(): () => void;
  close(): void;
}

interface Source {
  track: MediaStreamTrack;
  start(): void;
  stop(): void;
  close(): void;
}

/** Chromium's breakout-box writer (W3C mediacapture-transform as first shipped); not in TypeScript's library. */
type TrackGenerator = MediaStreamTrack & { writable: WritableStream<VideoFrame | AudioData> };
declare global {
  var MediaStreamTrackGenerator: (new (init: { kind: 'audio' | 'video' }) => TrackGenerator) | undefined;
}

export function createPlaceholders(): Placeholders {
  let video: Source | undefined;
  let audio: Source | undefined;
  let leases = 0;
  const made = () => [video, audio].filter((source) => source !== undefined);
  const started = (source: Source) => {
    if (leases > 0) source.start();
    return source;
  };
  return {
    video: () => (video ??= started(globalThis.MediaStreamTrackGenerator ? generatedBlack() : canvasBlack())).track,
    audio: () => (audio ??= started(globalThis.MediaStreamTrackGenerator ? generatedSilence() : graphSilence())).track,
    lease() {
      if (leases++ === 0) for (const source of made()) source.start();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        if (--leases === 0) for (const source of made()) source.stop();
      };
    },
    close() {
      for (const source of made()) source.close();
      video = audio = undefined;
    },
  };
}

function ticking(tick: () => void, everyMs: number): { start(): void; stop(): void } {
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    start() {
      if (timer !== undefined) return;
      tick();
      timer = setInterval(tick, everyMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function generated(kind: 'audio' | 'video', everyMs: number, make: (index: number) => VideoFrame | AudioData): Source {
  const track = new globalThis.MediaStreamTrackGenerator!({ kind });
  const writer = track.writable.getWriter();
  let index = 0;
  const clock = ticking(() => {
    const frame = make(index++);
    // A track that nobody reads, or that was stopped, refuses: that frame is not missed.
    writer.write(frame).catch(() => frame.close());
  }, everyMs);
  return {
    track,
    ...clock,
    close() {
      clock.stop();
      writer.close().catch(() => undefined);
      track.stop();
    },
  };
}

function generatedBlack(): Source {
  const pixels = new Uint8Array(WIDTH * HEIGHT * 4);
  return generated('video', VIDEO_EVERY_MS, () => {
    const timestamp = Math.round(performance.now() * 1000);
    return new VideoFrame(pixels, { format: 'RGBX', codedWidth: WIDTH, codedHeight: HEIGHT, timestamp });
  });
}

function generatedSilence(): Source {
  const numberOfFrames = (SAMPLE_RATE * AUDIO_EVERY_MS) / 1000;
  const data = new Float32Array(numberOfFrames);
  return generated('audio', AUDIO_EVERY_MS, (index) => {
    const timestamp = index * AUDIO_EVERY_MS * 1000;
    return new AudioData({
      format: 'f32',
      sampleRate: SAMPLE_RATE,
      numberOfFrames,
      numberOfChannels: 1,
      timestamp,
      data,
    });
  });
}

function canvasBlack(): Source {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d', { alpha: false });
  const track = canvas.captureStream().getVideoTracks()[0]!;
  // Only a canvas that is drawn upon is captured; the same black again counts.
  const clock = ticking(() => context?.fillRect(0, 0, WIDTH, HEIGHT), VIDEO_EVERY_MS);
  return {
    track,
    ...clock,
    close() {
      clock.stop();
      track.stop();
    },
  };
}

function graphSilence(): Source {
  const context = new AudioContext();
  const track = context.createMediaStreamDestination().stream.getAudioTracks()[0]!;
  return {
    track,
    // Without a gesture the context stays suspended and nothing is sent: closed, not open.
    start: () => void context.resume().catch(() => undefined),
    stop: () => void context.suspend().catch(() => undefined),
    close() {
      track.stop();
      void context.close().catch(() => undefined);
    },
  };
}
