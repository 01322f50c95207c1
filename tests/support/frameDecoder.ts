/**
 * The browser's own VP8 and Opus decoders for frames that somebody has caught: what do they show, and what do they sound like?
 *
 * They are given every chance: a stream at a time, and after a frame that they refuse they begin anew with the next key frame.
 */
import type { Browser, Page } from 'playwright-core';
import { GRID, crc8, decodePicture } from './media/picture.ts';
import type { Reading } from './media/picture.ts';
import { servePage } from './pageServer.ts';
import type { Media } from './rtp.ts';

export interface Decoded {
  /** Pictures, and those of them that carry a number. */
  pictures: number;
  numbers: Reading[];
  soundMs: number;
  /** Milliseconds in which most of the sound is of one frequency, by hertz. */
  tones: Record<string, number>;
}

export interface FrameDecoder {
  decode(media: Media, frames: readonly Uint8Array[]): Promise<Decoded>;
  close(): Promise<void>;
}

declare global {
  var parleyDecode: (media: Media, frames: string[]) => Promise<Decoded>;
}

/** Sent to the page as text. */
function installDecoder(decode: typeof decodePicture, frequencies: readonly number[]): void {
  const canvas = new OffscreenCanvas(160, 90);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  /** Long enough to tell one tone from another, and a whole number of their periods. */
  const blockMs = 20;

  async function video(frames: Uint8Array[], into: Decoded): Promise<void> {
    const output = (frame: VideoFrame): void => {
      into.pictures++;
      context.drawImage(frame, 0, 0, canvas.width, canvas.height);
      frame.close();
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const reading = decode(data, canvas.width, canvas.height);
      if (reading !== null) into.numbers.push(reading);
    };
    let decoder: VideoDecoder | null = null;
    for (const [i, data] of frames.entries()) {
      // The P bit, RFC 6386 §9.1.
      const isKey = (data[0]! & 1) === 0;
      if (isKey) {
        await decoder?.flush().catch(() => undefined);
        if (decoder === null || decoder.state === 'closed') {
          decoder = new VideoDecoder({ output, error: () => undefined });
          decoder.configure({ codec: 'vp8' });
        }
      }
      if (decoder === null || decoder.state === 'closed') continue;
      try {
        decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp: i * 33_000, data }));
      } catch {
        // No key frame of VP8, whatever its first bit says.
      }
    }
    await decoder?.flush().catch(() => undefined);
  }

  async function audio(frames: Uint8Array[], into: Decoded): Promise<void> {
    let block: number[] = [];
    const listen = (sampleRate: number): void => {
      const power = block.reduce((sum, sample) => sum + sample * sample, 0);
      for (const frequency of frequencies) {
        let [real, imaginary] = [0, 0];
        block.forEach((sample, n) => {
          const angle = (2 * Math.PI * frequency * n) / sampleRate;
          real += sample * Math.cos(angle);
          imaginary += sample * Math.sin(angle);
        });
        const share = (2 * (real * real + imaginary * imaginary)) / block.length / power;
        if (power > 0 && share > 0.6) into.tones[frequency] = (into.tones[frequency] ?? 0) + blockMs;
      }
      into.soundMs += blockMs;
      block = [];
    };
    const output = (data: AudioData): void => {
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      const { sampleRate } = data;
      data.close();
      for (const sample of samples) if (block.push(sample) === (sampleRate * blockMs) / 1000) listen(sampleRate);
    };
    let decoder: AudioDecoder | null = null;
    for (const [i, data] of frames.entries()) {
      if (decoder === null || decoder.state === 'closed') {
        decoder = new AudioDecoder({ output, error: () => undefined });
        decoder.configure({ codec: 'opus', sampleRate: 48_000, numberOfChannels: 2 });
      }
      decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: i * 20_000, data }));
      // One that is refused must not take those behind it along.
      if (i % 50 === 49) await decoder.flush().catch(() => undefined);
    }
    await decoder?.flush().catch(() => undefined);
  }

  globalThis.parleyDecode = async (media, texts) => {
    const frames = texts.map((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
    const into: Decoded = { pictures: 0, numbers: [], soundMs: 0, tones: {} };
    await (media === 'video' ? video : audio)(frames, into);
    return into;
  };
}

/** @param frequencies tones to look for, hertz */
export async function openDecoder(browser: Browser, frequencies: readonly number[]): Promise<FrameDecoder> {
  const site = await servePage();
  const page: Page = await browser.newPage();
  await page.addInitScript({
    content: `(() => {
const GRID = ${JSON.stringify(GRID)};
${crc8.toString()}
${decodePicture.toString()}
(${installDecoder.toString()})(decodePicture, ${JSON.stringify(frequencies)});
})();`,
  });
  await page.goto(site.origin);
  return {
    decode: (media, frames) =>
      page.evaluate(({ media, texts }) => parleyDecode(media, texts), {
        media,
        texts: frames.map((frame) => Buffer.from(frame).toString('base64')),
      }),
    async close() {
      await page.close();
      await site.close();
    },
  };
}
