/**
 * Where each tile stands: the number of people and screens, and the space there is, become rectangles.
 *
 * Faces are to be large. So a grid tries every number of columns and keeps the one that shows most, tiles may be cropped between
 * portrait and 16:9 to fill their cell, and with one or two others one's own picture floats in a corner and leaves them the room.
 * A shared screen takes the stage, with people beside it (wide) or below it (tall).
 * Invariant: nothing leaves the space, and nothing overlaps but one's own floating tile. All lengths in CSS pixels.
 */

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Space {
  width: number;
  height: number;
  /** Between tiles. */
  gap: number;
  /** Written from the right: everything begins there, and one's own picture still keeps away from the names. */
  rtl?: boolean;
}

export interface StageLayout {
  /** In the order in which the others are shown. */
  others: Rect[];
  self: Rect;
  /** One's own tile lies over another's corner. */
  selfFloats: boolean;
  screens: Rect[];
}

/** A face stays whole in these: a phone's portrait picture at one end, a camera's 16:9 at the other. */
const TALLEST = 9 / 16;
const WIDEST = 16 / 9;

/** Up to this many others, one's own picture floats. */
const FLOAT_LIMIT = 2;

/** But not where a place beside the others leaves them this part of their size, as on a phone on its side. */
const ENOUGH = 0.85;

/** A space at least this much wider than tall has people beside a screen, else below. */
const BESIDE_RATIO = 1.15;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

const sizeOf = (rect: Rect | undefined): number => (rect ? rect.width * rect.height : 0);

/** @param others people but oneself; screens: shares that are shown on the stage */
export function layOut(count: { others: number; screens: number }, space: Space): StageLayout {
  const layout = fromTheLeft(count, space);
  if (!space.rtl) return layout;
  const mirrored = (rect: Rect): Rect => ({ ...rect, x: space.width - rect.x - rect.width });
  const { others, self, screens, selfFloats } = layout;
  return { others: others.map(mirrored), self: mirrored(self), screens: screens.map(mirrored), selfFloats };
}

function fromTheLeft(count: { others: number; screens: number }, space: Space): StageLayout {
  const whole: Rect = { x: 0, y: 0, width: space.width, height: space.height };
  if (count.screens > 0) return withScreens(count, whole, space.gap);
  if (count.others === 0) return { others: [], self: fitted(whole), selfFloats: false, screens: [] };
  const tiles = grid(count.others + 1, whole, space.gap);
  const amongEquals = { others: tiles.slice(0, -1), self: tiles.at(-1) ?? whole, selfFloats: false, screens: [] };
  if (count.others > FLOAT_LIMIT) return amongEquals;
  const others = grid(count.others, whole, space.gap);
  if (sizeOf(tiles[0]) >= ENOUGH * sizeOf(others[0])) return amongEquals;
  return { others, self: floating(whole, others, space.gap), selfFloats: true, screens: [] };
}

function withScreens(count: { others: number; screens: number }, whole: Rect, gap: number): StageLayout {
  const people = count.others + 1;
  const [stage, strip] =
    whole.width / whole.height >= BESIDE_RATIO ? beside(whole, people, gap) : below(whole, people, gap);
  const tiles = grid(people, strip, gap);
  // A screen is shown whole whatever its cell looks like, so its cells need no shape of their own.
  const screens = grid(count.screens, stage, gap, { tallest: 0, widest: Infinity });
  return { others: tiles.slice(0, -1), self: tiles.at(-1) ?? strip, selfFloats: false, screens };
}

function beside(whole: Rect, people: number, gap: number): [stage: Rect, strip: Rect] {
  // Few people have wide tiles; many share the column, so it may be narrower.
  const share = people > 4 ? 0.2 : 0.24;
  const width = Math.round(clamp(whole.width * share, Math.min(132, whole.width * 0.3), 320));
  const stage = { ...whole, width: whole.width - width - gap };
  return [stage, { ...whole, x: whole.x + stage.width + gap, width }];
}

function below(whole: Rect, people: number, gap: number): [stage: Rect, strip: Rect] {
  // A wide screen on a tall phone needs little height: the rest is for faces.
  const share = people > 3 ? 0.45 : 0.5;
  const height = Math.round(Math.min(whole.height * share, (whole.width * 3) / 4));
  return [
    { ...whole, height },
    { ...whole, y: whole.y + height + gap, height: whole.height - height - gap },
  ];
}

/**
 * `count` tiles of one size, centred in `area`, with the last row centred where it is not full.
 * @param limits least and greatest width ÷ height of a tile
 */
function grid(count: number, area: Rect, gap: number, limits = { tallest: TALLEST, widest: WIDEST }): Rect[] {
  let best = { columns: 1, width: 0, height: 0, size: -1 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = Math.max(0, (area.width - gap * (columns - 1)) / columns);
    const cellHeight = Math.max(0, (area.height - gap * (rows - 1)) / rows);
    const width = Math.floor(Math.min(cellWidth, cellHeight * limits.widest));
    const height = Math.floor(Math.min(cellHeight, limits.tallest === 0 ? cellHeight : cellWidth / limits.tallest));
    if (width * height > best.size) best = { columns, width, height, size: width * height };
  }
  const { columns, width, height } = best;
  const rows = Math.ceil(count / columns);
  const top = area.y + Math.floor((area.height - rows * height - (rows - 1) * gap) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = area.x + Math.floor((area.width - inRow * width - (inRow - 1) * gap) / 2);
    return { x: left + (index % columns) * (width + gap), y: top + row * (height + gap), width, height };
  });
}

/** Alone: as much of the space as a picture of sensible shape can have. */
function fitted(area: Rect): Rect {
  return grid(1, area, 0)[0] ?? area;
}

/** One's own picture in the lower far corner of the last tile, away from the name in the near one. */
function floating(whole: Rect, others: readonly Rect[], gap: number): Rect {
  const isTall = whole.height > whole.width;
  const width = isTall ? clamp(whole.width * 0.26, 72, 150) : clamp(whole.width * 0.17, 96, 232);
  const height = isTall ? width * (4 / 3) : width * (10 / 16);
  const last = others.at(-1) ?? whole;
  const fit = Math.min(1, (last.width - 2 * gap) / width, (last.height - 2 * gap) / height);
  const size = { width: Math.floor(Math.max(0, width * fit)), height: Math.floor(Math.max(0, height * fit)) };
  return { x: last.x + last.width - size.width - gap, y: last.y + last.height - size.height - gap, ...size };
}
