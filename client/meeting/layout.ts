/**
 * Where each tile of a page stands: how many people and screens there are, and the space there is, become rectangles. Who is on which
 * page, and who stands where, says gallery.ts.
 *
 * Faces are to be large. So a grid tries every number of columns and keeps the one that shows most, tiles may be cropped between
 * portrait and 16:9 to fill their cell, and with one or two others one's own picture floats in a corner and leaves them the room.
 * A shared screen or one large person takes the stage, with people beside it (wide) or below it (tall).
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

/** One's own picture: a tile among the others, small in a corner, or not at all. */
export type OwnTile = 'tile' | 'small' | 'hidden';

/** What one page has to show. */
export interface PageCount {
  /** People but oneself, and but the one on the stage. */
  others: number;
  screens: number;
  /** One person is on the stage, with the screens if there are any. */
  large?: boolean;
  own?: OwnTile;
  /** There are more pages: tiles are as large as on one with this many, and there is room to turn. */
  full?: number;
}

export interface StageLayout {
  /** In the order in which the others are shown. */
  others: Rect[];
  self: Rect | null;
  /** One's own tile lies over another's corner. */
  selfFloats: boolean;
  screens: Rect[];
  large: Rect | null;
  /** For the buttons that turn the pages. */
  pager: Rect | null;
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

/** Buttons to turn pages have this height: a finger's. */
const PAGER = 44;

/** One's own picture covers no more than this part of another's side. */
const COVER = 0.5;

const MOST = 49;
/** So few always have one page, however small it is. */
const FEW = 4;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

const sizeOf = (rect: Rect | undefined): number => (rect ? rect.width * rect.height : 0);

export function layOut(count: PageCount, space: Space): StageLayout {
  const layout = fromTheLeft(count, space);
  if (!space.rtl) return layout;
  const mirrored = (rect: Rect): Rect => ({ ...rect, x: space.width - rect.x - rect.width });
  const maybe = (rect: Rect | null): Rect | null => rect && mirrored(rect);
  const { others, self, screens, large, pager, selfFloats } = layout;
  return {
    others: others.map(mirrored),
    self: maybe(self),
    screens: screens.map(mirrored),
    large: maybe(large),
    pager: maybe(pager),
    selfFloats,
  };
}

/**
 * How many tiles one page holds, all of them large enough to know a face by.
 * @param count  of people, on all pages together, one's own tile among them where it is one among equals
 * @returns      `count` where they need only one page
 */
export function roomOnPage(count: number, staged: { screens: number; large: boolean }, space: Space): number {
  const [, area] = partsOf(staged, count, space);
  const least = leastTile(space, staged.screens > 0 || staged.large);
  if (count <= fitting(area, space.gap, least)) return count;
  return fitting(withPager(area, space.gap)[0], space.gap, least);
}

function leastTile(space: Space, isStrip: boolean): { width: number; height: number } {
  if (isStrip) return { width: 110, height: 80 };
  // A phone, upright or on its side, is held close.
  return Math.min(space.width, space.height) < 500 ? { width: 126, height: 110 } : { width: 160, height: 101 };
}

function fitting(area: Rect, gap: number, least: { width: number; height: number }): number {
  for (let count = MOST; count > FEW; count -= 1) {
    const { width, height } = bestGrid(count, area, gap);
    if (width >= least.width && height >= least.height) return count;
  }
  return FEW;
}

function fromTheLeft(count: PageCount, space: Space): StageLayout {
  const { others: number, screens: shared, large: isLarge = false, own = 'tile', full } = count;
  const { gap } = space;
  const hasStage = shared > 0 || isLarge;
  const floats = own === 'small' && (number > 0 || isLarge);
  const isTile = own !== 'hidden' && !floats;
  const people = number + (isTile ? 1 : 0);
  const [stage, all] = partsOf({ screens: shared, large: isLarge }, Math.max(people, full ?? 0), space);
  const [area, pager] = full === undefined ? [all, null] : withPager(all, gap);
  // A screen is shown whole whatever its cell looks like, so its cells need no shape of their own.
  const staged = stage
    ? grid(shared + (isLarge ? 1 : 0), stage, gap, { shape: isLarge && shared === 0 ? FACE : ANY })
    : [];
  const screens = staged.slice(0, shared);
  const large = isLarge ? (staged[shared] ?? null) : null;
  const tiles = grid(people, area, gap, full === undefined ? {} : { full });
  const others = tiles.slice(0, number);
  const layout = { others, self: isTile ? (tiles[number] ?? area) : null, selfFloats: false, screens, large, pager };
  if (floats) return { ...layout, self: floating(area, large ?? others.at(-1) ?? area, gap), selfFloats: true };
  if (hasStage || full !== undefined || own !== 'tile' || number === 0 || number > FLOAT_LIMIT) return layout;
  const alone = grid(number, area, gap);
  if (sizeOf(tiles[0]) >= ENOUGH * sizeOf(alone[0])) return layout;
  return { ...layout, others: alone, self: floating(area, alone.at(-1) ?? area, gap), selfFloats: true };
}

/** What is on the stage, and where people stand. */
function partsOf(
  staged: { screens: number; large: boolean },
  people: number,
  { width, height, gap }: Space,
): [stage: Rect | null, people: Rect] {
  const whole: Rect = { x: 0, y: 0, width, height };
  if (staged.screens === 0 && !staged.large) return [null, whole];
  if (people === 0) return [whole, { x: 0, y: height, width, height: 0 }];
  return width / height >= BESIDE_RATIO ? beside(whole, people, gap) : below(whole, people, gap);
}

function withPager(area: Rect, gap: number): [people: Rect, pager: Rect] {
  const height = Math.min(PAGER, area.height / 2);
  const people = { ...area, height: Math.max(0, area.height - height - gap) };
  return [people, { ...area, y: area.y + area.height - height, height }];
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

/** Least and greatest width ÷ height of a tile. */
interface Shape {
  tallest: number;
  widest: number;
}
const FACE: Shape = { tallest: TALLEST, widest: WIDEST };
const ANY: Shape = { tallest: 0, widest: Infinity };

function bestGrid(count: number, area: Rect, gap: number, shape = FACE) {
  let best = { columns: 1, width: 0, height: 0, size: -1 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = Math.max(0, (area.width - gap * (columns - 1)) / columns);
    const cellHeight = Math.max(0, (area.height - gap * (rows - 1)) / rows);
    const width = Math.floor(Math.min(cellWidth, cellHeight * shape.widest));
    const height = Math.floor(Math.min(cellHeight, shape.tallest === 0 ? cellHeight : cellWidth / shape.tallest));
    if (width * height > best.size) best = { columns, width, height, size: width * height };
  }
  return best;
}

/**
 * `count` tiles of one size, centred in `area`, with the last row centred where it is not full.
 * @param full  as large as so many would be, and the first of them where it would stand among so many
 */
function grid(count: number, area: Rect, gap: number, { shape = FACE, full = count } = {}): Rect[] {
  const { columns, width, height } = bestGrid(full, area, gap, shape);
  const rows = Math.ceil(full / columns);
  const top = area.y + Math.floor((area.height - rows * height - (rows - 1) * gap) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, full - row * columns);
    const left = area.x + Math.floor((area.width - inRow * width - (inRow - 1) * gap) / 2);
    return { x: left + (index % columns) * (width + gap), y: top + row * (height + gap), width, height };
  });
}

/** One's own picture in the lower far corner of another's tile, away from the name in the near one. */
function floating(whole: Rect, over: Rect, gap: number): Rect {
  const isTall = whole.height > whole.width;
  const width = isTall ? clamp(whole.width * 0.26, 72, 150) : clamp(whole.width * 0.17, 96, 232);
  const height = isTall ? width * (4 / 3) : width * (10 / 16);
  const fit = Math.min(1, (over.width * COVER) / width, (over.height * COVER) / height);
  const size = { width: Math.floor(width * fit), height: Math.floor(height * fit) };
  return { x: over.x + over.width - size.width - gap, y: over.y + over.height - size.height - gap, ...size };
}
