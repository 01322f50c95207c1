/**
 * What a test reads inside a page: numbers from a <video>, tones from an audio track.
 *
 * `readerScript` is the text of an init script that puts `parleyReaders` on the page's global object; playwright and
 * puppeteer take it alike. It only looks: nothing of the page is wrapped or changed.
 */
import { GRID, crc8, decodePicture } from './picture.ts';
import type { Reading } from './picture.ts';

export interface TimedReading extends Reading {
  /** When the frame was presented, milliseconds since 1970. All pages of one machine share that clock. */
  at: number;
  /** By which element: 0 for the one that was watched first, one more for each that took over. */
  by: number;
}

export interface Tone {
  /** Loudest frequency, hertz. */
  frequency: number;
  /** Its level, decibels full scale; −Infinity for digital silence. */
  level: number;
  /** Median level of all frequencies between 200 and 4,000 Hz. */
  floor: number;
}

export interface Watch {
  readings: TimedReading[];
  /** Presented frames that carry no number: black, frozen garbage, or something else. */
  unreadable: number;
}

export interface Readers {
  /** Collects from now on, also when another element takes this one's place; one watch per name. */
  watch(name: string, video: HTMLVideoElement): void;
  /** What was collected so far, as a copy. */
  watched(name: string): Watch;
  /** What the element shows at this moment. */
  now(video: HTMLVideoElement): Reading | null;
  /** Listens for `ms`, the tracks mixed. */
  tone(tracks: readonly MediaStreamTrack[], ms: number): Promise<Tone>;
}

declare global {
  var parleyReaders: Readers;
}

/** Sent to the page as text, so it may use its parameter and globals alone: the test runner renames what is imported. */
function installReaders(decode: typeof decodePicture): void {
  const canvas = new OffscreenCanvas(160, 90);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const watches = new Map<string, Watch>();
  let audio: AudioContext | undefined;

  function now(video: HTMLVideoElement): Reading | null {
    if (context === null || video.videoWidth === 0) return null;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    return decode(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height);
  }

  function watch(name: string, video: HTMLVideoElement): void {
    const seen: Watch = { readings: [], unreadable: 0 };
    watches.set(name, seen);
    let elements = 0;
    const follow = (element: HTMLVideoElement): void => {
      const by = elements++;
      const onFrame = (): void => {
        // One that was taken away shows nobody anything, and gives a last black frame.
        if (watches.get(name) !== seen || !element.isConnected) return;
        const reading = now(element);
        if (reading === null) seen.unreadable++;
        else seen.readings.push({ ...reading, by, at: performance.timeOrigin + performance.now() });
        element.requestVideoFrameCallback(onFrame);
      };
      element.requestVideoFrameCallback(onFrame);
    };
    follow(video);
    // Where a picture changes its track, another element takes over from this one; one that was away for a while comes with all around it.
    const place = video.closest('[data-testid=tile]') ?? video.closest('[data-picture]');
    if (!place) return;
    const known = new Set([video]);
    new MutationObserver(() => {
      for (const element of place.querySelectorAll('video')) {
        if (known.has(element)) continue;
        known.add(element);
        follow(element);
      }
    }).observe(place, { childList: true, subtree: true });
  }

  function watched(name: string): Watch {
    const seen = watches.get(name);
    return { readings: [...(seen?.readings ?? [])], unreadable: seen?.unreadable ?? 0 };
  }

  /** Powers of the frequencies up to 4,000 Hz, with the width of one step in hertz. */
  interface Spectrum {
    power: Float64Array;
    width: number;
  }

  async function spectrumLive(context: AudioContext, stream: MediaStream, ms: number): Promise<Spectrum> {
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    const source = context.createMediaStreamSource(stream);
    source.connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    const power = new Float64Array(bins.length);
    let rounds = 0;
    const until = performance.now() + ms;
    // The analyser's window is 171 ms at 48 kHz: the first look would still see what was before.
    await new Promise((resolve) => setTimeout(resolve, 180));
    do {
      analyser.getFloatFrequencyData(bins);
      for (let i = 0; i < bins.length; i++) power[i]! += 10 ** (bins[i]! / 10);
      rounds++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (performance.now() < until);
    source.disconnect();
    return { power: power.map((sum) => sum / rounds), width: context.sampleRate / 2 / bins.length };
  }

  /** Without a sound device Firefox's AudioContext never runs: record, decode, and transform the last second or less by hand. */
  async function spectrumRecorded(stream: MediaStream, ms: number): Promise<Spectrum> {
    const recorder = new MediaRecorder(stream);
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, ms));
    recorder.stop();
    await stopped;
    const decoder = new OfflineAudioContext(1, 48_000, 48_000);
    const sound = await decoder.decodeAudioData(await new Blob(parts, { type: recorder.mimeType }).arrayBuffer());
    const length = Math.min(8192, sound.length);
    const samples = sound.getChannelData(0).slice(sound.length - length);
    const width = sound.sampleRate / length;
    const power = new Float64Array(Math.ceil(4000 / width) + 2);
    for (let bin = 0; bin < power.length; bin++) {
      let [real, imaginary] = [0, 0];
      for (let n = 0; n < length; n++) {
        // Hann's window: without it a loud tone spills over all others.
        const sample = samples[n]! * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length));
        real += sample * Math.cos((2 * Math.PI * bin * n) / length);
        imaginary -= sample * Math.sin((2 * Math.PI * bin * n) / length);
      }
      power[bin] = (real * real + imaginary * imaginary) / (length * length);
    }
    return { power, width };
  }

  async function tone(tracks: readonly MediaStreamTrack[], ms: number): Promise<Tone> {
    audio ??= new AudioContext();
    const stream = new MediaStream([...tracks]);
    if (audio.state !== 'running') {
      await Promise.race([audio.resume(), new Promise((resolve) => setTimeout(resolve, 1000))]);
    }
    const isRunning = (audio.state as AudioContextState) === 'running';
    const { power, width } = isRunning ? await spectrumLive(audio, stream, ms) : await spectrumRecorded(stream, ms);
    const from = Math.floor(200 / width);
    const to = Math.ceil(4000 / width);
    let top = from;
    for (let i = from; i <= to; i++) if (power[i]! > power[top]!) top = i;
    const sorted = [...power.subarray(from, to + 1)].sort((a, b) => a - b);
    // The true frequency lies between bins: the centre of the three highest ones.
    const [a, b, c] = [power[top - 1]!, power[top]!, power[top + 1]!];
    const centre = a + b + c === 0 ? top : top + (c - a) / (a + b + c);
    return {
      frequency: centre * width,
      level: 10 * Math.log10(power[top]!),
      floor: 10 * Math.log10(sorted[sorted.length >> 1]!),
    };
  }

  globalThis.parleyReaders = { watch, now, tone, watched };
}

/** Give it to `addInitScript` or `evaluateOnNewDocument`. */
export const readerScript = `(() => {
const GRID = ${JSON.stringify(GRID)};
${crc8.toString()}
${decodePicture.toString()}
(${installReaders.toString()})(decodePicture);
})();`;

/** The tone is there: right frequency (± 2 %), loud enough, far above everything else. */
export function isTone(heard: Tone, frequency: number): boolean {
  return (
    Math.abs(heard.frequency - frequency) < frequency * 0.02 && heard.level > -60 && heard.level - heard.floor > 20
  );
}

/**
 * Numbers come in the order of the film, which may start again; a repeated number is a frame shown twice.
 * @param frames  length of the film
 * @returns       how often a step went back (0 is right) and the largest step forward
 */
export function orderOf(readings: readonly Reading[], frames: number): { backward: number; largestStep: number } {
  let backward = 0;
  let largestStep = 0;
  for (let i = 1; i < readings.length; i++) {
    const step = (readings[i]!.number - readings[i - 1]!.number + frames) % frames;
    if (step > frames / 2) backward++;
    else largestStep = Math.max(largestStep, step);
  }
  return { backward, largestStep };
}
