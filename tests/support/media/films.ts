/**
 * Camera and microphone of a test person as files: a Y4M film of numbered pictures, a WAV of one tone.
 *
 * Chromium plays them in a loop (`--use-file-for-fake-video-capture`, `--use-file-for-fake-audio-capture`). Both are made
 * anew in a temporary folder and removed with it: a film of 240 pictures is 21 MB.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drawLuma } from './picture.ts';

export interface FilmOptions {
  /** Written into every picture, 0 … 255. */
  person: number;
  /** Hertz. */
  tone: number;
  /** The voice is silent for so many seconds after every two: people take turns, and one who listens sends next to nothing. */
  pause?: number;
  width?: number;
  height?: number;
  fps?: number;
  /** Pictures until the film starts again; their numbers are 0 … frames − 1. */
  frames?: number;
}

export interface Film {
  video: string;
  audio: string;
  frames: number;
  /** Removes the files. */
  close(): void;
}

/** What two cores carry with four pages (docs/benchmarks.md). */
export const FILM = { width: 320, height: 180, fps: 15, frames: 240 } as const;

export function makeFilm({
  person,
  tone,
  pause = 0,
  width = FILM.width,
  height = FILM.height,
  fps = FILM.fps,
  frames = FILM.frames,
}: FilmOptions): Film {
  const folder = mkdtempSync(join(tmpdir(), 'parley-film-'));
  const video = join(folder, 'camera.y4m');
  const audio = join(folder, 'microphone.wav');
  writeY4m(video, { person, width, height, fps, frames });
  writeFileSync(audio, toneWav(tone, pause));
  return { video, audio, frames, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** YUV4MPEG2, 4:2:0. Without colour: the chroma planes stay at 128. */
function writeY4m(
  path: string,
  film: { person: number; width: number; height: number; fps: number; frames: number },
): void {
  const { person, width, height, fps, frames } = film;
  const file = openSync(path, 'w');
  try {
    writeSync(file, `YUV4MPEG2 W${width} H${height} F${fps}:1 Ip A1:1 C420\n`);
    const chroma = new Uint8Array((width * height) / 2).fill(128);
    for (let number = 0; number < frames; number++) {
      writeSync(file, 'FRAME\n');
      writeSync(file, drawLuma({ person, number }, width, height));
      writeSync(file, chroma);
    }
  } finally {
    closeSync(file);
  }
}

const RATE = 48_000;
/** Two seconds hold a whole number of periods of every whole frequency, so the loop has no click. */
const SECONDS = 2;

/**
 * One tone, 16 bit, mono, swelling four times a second like syllables do: the browser's noise suppression takes a steady
 * tone for noise and silences it. A faint second tone an octave and a fifth above (−26 dB) makes it less pure.
 */
export function toneWav(frequency: number, pause = 0): Uint8Array {
  const samples = RATE * (SECONDS + pause);
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16); // size of the format chunk
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // channels
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(RATE * 2, 28);
  wav.writeUInt16LE(2, 32); // bytes a sample
  wav.writeUInt16LE(16, 34); // bits a sample
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < RATE * SECONDS; i++) {
    const t = i / RATE;
    const swell = 0.25 + 0.75 * (0.5 - 0.5 * Math.cos(2 * Math.PI * 4 * t));
    const wave = Math.sin(2 * Math.PI * frequency * t) + 0.05 * Math.sin(2 * Math.PI * 3 * frequency * t);
    wav.writeInt16LE(Math.round(0.5 * swell * wave * 32_767), 44 + i * 2);
  }
  return wav;
}
