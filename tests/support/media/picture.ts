/**
 * A picture that says who is in it and which frame of the film it is, so that a test can read it back from a <video>.
 *
 * The picture is a grid of large black and white cells: the four corners say what black and white look like after the encoder,
 * the other 28 carry person(8) ‖ number(12) ‖ CRC-8, most significant bit first. Large cells survive VP8 at a low
 * bitrate and scaling down to a quarter; what is smeared reads as null, never as a wrong number (the checksum and a dead zone
 * around the threshold see to that).
 *
 * `GRID`, `crc8` and `decodePicture` also run inside pages (readers.ts sends their source): they use nothing else.
 */

export const GRID = { columns: 8, rows: 4 } as const;

/** How many numbers there are before they start again. */
export const NUMBERS = 4096;

/** Luma of the cells: not the extremes, as a camera's would not be either. */
const BLACK = 40;
const WHITE = 215;

export interface Reading {
  /** Who is in the picture, 0 … 255. */
  person: number;
  /** Frame of the film, 0 … 4095. */
  number: number;
}

/** CRC-8, polynomial x⁸ + x² + x + 1, over 24 bits. */
export function crc8(value: number): number {
  let rest = 0;
  for (let bit = 23; bit >= 0; bit--) {
    const top = ((rest >> 7) ^ (value >> bit)) & 1;
    rest = ((rest << 1) & 0xff) ^ (top === 1 ? 0x07 : 0);
  }
  return rest;
}

/** The 32 cells in reading order; true is white. */
export function cellsOf({ person, number }: Reading): boolean[] {
  if (person < 0 || person > 255 || number < 0 || number >= NUMBERS)
    throw new RangeError('person or number out of range');
  const value = (person << 12) | number;
  // A set bit above the value, so that an all-black picture does not carry a right checksum.
  const word = value * 256 + crc8(value | (1 << 23));
  const cells: boolean[] = [];
  let bit = 27;
  for (let i = 0; i < GRID.columns * GRID.rows; i++) {
    if (i === 0 || i === 31) cells.push(true);
    else if (i === 7 || i === 24) cells.push(false);
    else cells.push(Math.floor(word / 2 ** bit--) % 2 === 1);
  }
  return cells;
}

/** The luma plane of one picture, `width` × `height` bytes. */
export function drawLuma(reading: Reading, width: number, height: number): Uint8Array {
  const cells = cellsOf(reading);
  const plane = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * GRID.rows) / height);
    for (let x = 0; x < width; x++) {
      const column = Math.floor((x * GRID.columns) / width);
      plane[y * width + x] = cells[row * GRID.columns + column] === true ? WHITE : BLACK;
    }
  }
  return plane;
}

/**
 * Reads a picture back.
 * @param rgba  as ImageData has it, 4 bytes a pixel
 * @returns     null for anything that is not clearly one of our pictures
 */
export function decodePicture(rgba: ArrayLike<number>, width: number, height: number): Reading | null {
  const means: number[] = [];
  for (let row = 0; row < GRID.rows; row++) {
    for (let column = 0; column < GRID.columns; column++) {
      // The middle half of the cell: its edges are what the encoder and the scaler smear.
      const left = Math.floor(((column + 0.25) * width) / GRID.columns);
      const right = Math.max(left + 1, Math.floor(((column + 0.75) * width) / GRID.columns));
      const top = Math.floor(((row + 0.25) * height) / GRID.rows);
      const bottom = Math.max(top + 1, Math.floor(((row + 0.75) * height) / GRID.rows));
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const at = (y * width + x) * 4;
          sum += (rgba[at] ?? 0) + (rgba[at + 1] ?? 0) + (rgba[at + 2] ?? 0);
        }
      }
      means.push(sum / (3 * (right - left) * (bottom - top)));
    }
  }
  const white = Math.min(means[0] ?? 0, means[31] ?? 0);
  const black = Math.max(means[7] ?? 0, means[24] ?? 0);
  if (white - black < 60) return null;
  const middle = (white + black) / 2;
  let word = 0;
  for (let i = 0; i < 32; i++) {
    if (i === 0 || i === 7 || i === 24 || i === 31) continue;
    const mean = means[i] ?? middle;
    if (Math.abs(mean - middle) < (white - black) * 0.15) return null;
    word = word * 2 + (mean > middle ? 1 : 0);
  }
  const value = Math.floor(word / 256);
  if (crc8(value | (1 << 23)) !== word % 256) return null;
  return { person: value >> 12, number: value & 0xfff };
}
