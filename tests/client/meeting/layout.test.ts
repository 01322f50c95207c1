/** Where tiles stand: on every kind of screen, with every number of people. */
import { describe, expect, test } from 'vitest';
import { layOut, type Rect, type StageLayout } from '../../../client/meeting/layout.ts';

const SPACES = {
  desktop: { width: 1256, height: 658, gap: 12 },
  'desktop beside a sheet': { width: 864, height: 658, gap: 12 },
  ultrawide: { width: 2520, height: 940, gap: 12 },
  phone: { width: 374, height: 710, gap: 8 },
  'phone on its side': { width: 820, height: 250, gap: 8 },
  'small phone': { width: 304, height: 430, gap: 8 },
  square: { width: 700, height: 700, gap: 12 },
  slit: { width: 120, height: 90, gap: 8 },
};
const OTHERS = [0, 1, 2, 3, 4, 5, 8];
const SCREENS = [0, 1, 2];

const spaces = Object.entries(SPACES).map(([name, space]) => ({ name, space }));
const counts = OTHERS.flatMap((others) => SCREENS.map((screens) => ({ others, screens })));

const overlap = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** All that must keep clear of each other. */
const solid = (layout: StageLayout): Rect[] => [
  ...layout.others,
  ...layout.screens,
  ...(layout.selfFloats || !layout.self ? [] : [layout.self]),
];

const area = (rects: Rect[]): number => rects.reduce((sum, rect) => sum + rect.width * rect.height, 0);

describe('with any number of people and shares', () => {
  test.each(spaces)('each has one place: $name', ({ space }) => {
    for (const count of counts) {
      const layout = layOut(count, space);
      expect(layout.others).toHaveLength(count.others);
      expect(layout.screens).toHaveLength(count.screens);
    }
  });

  test.each(spaces)('written from the right, all of it is mirrored: $name', ({ space }) => {
    for (const count of counts) {
      const [left, right] = [layOut(count, space), layOut(count, { ...space, rtl: true })];
      const mirrored = (rect: Rect) => ({ ...rect, x: space.width - rect.x - rect.width });
      expect(right).toEqual({
        ...left,
        others: left.others.map(mirrored),
        screens: left.screens.map(mirrored),
        self: left.self && mirrored(left.self),
      });
    }
  });

  test.each(spaces)('nothing leaves the space: $name', ({ space }) => {
    for (const count of counts) {
      const layout = layOut(count, space);
      for (const { x, y, width, height } of [...solid(layout), layout.self!]) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(x + width).toBeLessThanOrEqual(space.width);
        expect(y + height).toBeLessThanOrEqual(space.height);
        expect(Math.min(width, height)).toBeGreaterThan(0);
      }
    }
  });

  test.each(spaces)('nothing overlaps: $name', ({ space }) => {
    for (const count of counts) {
      const rects = solid(layOut(count, space));
      for (const [index, one] of rects.entries()) {
        for (const other of rects.slice(index + 1)) expect(overlap(one, other)).toBe(false);
      }
    }
  });

  test('a space that is not measured yet gives empty places, not broken ones', () => {
    const layout = layOut({ others: 3, screens: 1 }, { width: 0, height: 0, gap: 12 });
    for (const { width, height } of solid(layout)) {
      expect(Number.isFinite(width) && Number.isFinite(height)).toBe(true);
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(0);
    }
  });
});

describe('faces are large', () => {
  test.each([
    ['desktop', 0.85],
    ['phone', 0.85],
    ['phone on its side', 0.75],
  ] as const)('with one to three others, people take most of a %s', (name, share) => {
    const space = SPACES[name];
    for (const others of [1, 2, 3]) {
      const used = area(solid(layOut({ others, screens: 0 }, space)));
      expect(used / (space.width * space.height)).toBeGreaterThan(share);
    }
  });

  test('faces stay whole: no tile is taller than 9:16 or wider than 16:9', () => {
    for (const { space } of spaces) {
      for (const others of OTHERS) {
        for (const { width, height } of layOut({ others, screens: 0 }, space).others) {
          expect(width / height).toBeGreaterThan(9 / 16 - 0.02);
          expect(width / height).toBeLessThan(16 / 9 + 0.03);
        }
      }
    }
  });

  test('two others stand side by side on a desktop, and one above the other on a phone', () => {
    const [left, right] = layOut({ others: 2, screens: 0 }, SPACES.desktop).others;
    expect(left?.y).toBe(right?.y);
    const [upper, lower] = layOut({ others: 2, screens: 0 }, SPACES.phone).others;
    expect(upper?.x).toBe(lower?.x);
    expect(lower?.y).toBeGreaterThan(upper?.y ?? Infinity);
  });

  test('four people are two by two, all of one size', () => {
    for (const space of [SPACES.desktop, SPACES.phone]) {
      const layout = layOut({ others: 3, screens: 0 }, space);
      const rects = [...layout.others, layout.self!];
      expect(new Set(rects.map(({ width, height }) => `${width}×${height}`)).size).toBe(1);
      expect(new Set(rects.map(({ x }) => x)).size).toBe(2);
    }
  });
});

describe('one’s own picture', () => {
  test('fills the space while nobody else is there', () => {
    const { self, selfFloats } = layOut({ others: 0, screens: 0 }, SPACES.desktop);
    expect(selfFloats).toBe(false);
    expect(self!.height).toBe(SPACES.desktop.height);
  });

  test('floats in the last tile’s far lower corner with one or two others, a small part of it', () => {
    for (const space of [SPACES.desktop, SPACES.phone, SPACES.ultrawide, SPACES['small phone']]) {
      for (const others of [1, 2]) {
        const layout = layOut({ others, screens: 0 }, space);
        const last = layout.others.at(-1)!;
        const self = layout.self!;
        expect(layout.selfFloats).toBe(true);
        expect(self.x + self.width).toBe(last.x + last.width - space.gap);
        expect(self.x).toBeGreaterThan(last.x);
        expect(area([self]) / area([last])).toBeLessThan(0.25);
      }
    }
  });

  test('stands beside one other on a phone on its side, where that costs them little', () => {
    const { selfFloats, self, others } = layOut({ others: 1, screens: 0 }, SPACES['phone on its side']);
    expect(selfFloats).toBe(false);
    expect(self!.y).toBe(others[0]!.y);
  });

  test('is one tile among equals from three others on', () => {
    expect(layOut({ others: 3, screens: 0 }, SPACES.desktop).selfFloats).toBe(false);
  });
});

describe('a shared screen', () => {
  test('takes most of a desktop, with people beside it', () => {
    const { screens, others, self } = layOut({ others: 2, screens: 1 }, SPACES.desktop);
    expect(area(screens) / (SPACES.desktop.width * SPACES.desktop.height)).toBeGreaterThan(0.7);
    for (const rect of [...others, self!]) expect(rect.x).toBeGreaterThan(screens[0]!.width);
  });

  test('stands above the people on a phone, and leaves them the larger part', () => {
    const { screens, others, self } = layOut({ others: 2, screens: 1 }, SPACES.phone);
    for (const rect of [...others, self!]) expect(rect.y).toBeGreaterThan(screens[0]!.y + screens[0]!.height);
    expect(screens[0]!.width).toBe(SPACES.phone.width);
    expect(screens[0]!.height).toBeLessThan(SPACES.phone.height / 2);
  });

  test('shares its room evenly with a second one', () => {
    const { screens } = layOut({ others: 2, screens: 2 }, SPACES.desktop);
    expect(screens[0]!.width * screens[0]!.height).toBe(screens[1]!.width * screens[1]!.height);
  });
});
