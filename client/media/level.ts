/**
 * Measures how loud a microphone is, about ten times a second. Nothing is recorded or sent.
 */

const EVERY_MS = 100;
/** Speech at arm's length reaches about a fifth of full scale (root mean square): that fills the meter. */
const FULL = 0.2;

export interface Meter {
  /** What is measured from now on; null measures nothing. */
  listen(track: MediaStreamTrack | null): void;
  /** Idempotent. */
  stop(): void;
}

/** @param heard  called with 0 … 1 */
export function createMeter(heard: (level: number) => void): Meter {
  let context: AudioContext | undefined;
  let source: MediaStreamAudioSourceNode | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let present: MediaStreamTrack | null = null;

  const stop = () => {
    clearInterval(timer);
    source?.disconnect();
    timer = source = undefined;
    present = null;
    heard(0);
  };
  return {
    listen(track) {
      if (track === present) return;
      stop();
      if (!track) return;
      present = track;
      context ??= new AudioContext();
      const analyser = new AnalyserNode(context, { fftSize: 1024 });
      source = context.createMediaStreamSource(new MediaStream([track]));
      source.connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      timer = setInterval(() => {
        // A context made without a gesture sleeps until there was one.
        if (context?.state === 'suspended') void context.resume().catch(() => undefined);
        analyser.getFloatTimeDomainData(samples);
        heard(levelOf(samples));
      }, EVERY_MS);
    },
    stop() {
      stop();
      void context?.close().catch(() => undefined);
      context = undefined;
    },
  };
}

/** Root mean square of samples in -1 … 1, as a share of a loud voice, 0 … 1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / Math.max(1, samples.length)) / FULL);
}
