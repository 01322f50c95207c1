/** Who is on which page, and where: with every number of people, in every view, on every kind of screen. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { divide, gallery, type Gallery, type Wish } from '../../../client/meeting/gallery.ts';
import type { Rect, Space } from '../../../client/meeting/layout.ts';

const SPACES: Record<string, Space> = {
  desktop: { width: 1256, height: 658, gap: 12 },
  large: { width: 1896, height: 938, gap: 12 },
  phone: { width: 374, height: 710, gap: 8 },
  'phone on its side': { width: 820, height: 250, gap: 8 },
  'small phone': { width: 304, height: 430, gap: 8 },
  slit: { width: 120, height: 90, gap: 8 },
};
const spaces = Object.entries(SPACES).map(([name, space]) => ({ name, space }));
const OTHERS = [0, 1, 2, 5, 15, 48, 99];
const peersUpTo = (count: number): PeerId[] => Array.from({ length: count }, (_, index) => `p${index}` as PeerId);

const wishes: Wish[] = (['grid', 'speaker'] as const).flatMap((view) =>
  (['tile', 'small', 'hidden'] as const).flatMap((own) =>
    [null, 'p1' as PeerId].map((pinned) => ({ view, own, pinned })),
  ),
);
const cases = OTHERS.flatMap((others) =>
  [0, 1, 2].flatMap((screens) => wishes.map((wish) => ({ others, screens, wish }))),
);

function pagesOf({ others, screens, wish }: (typeof cases)[number], space: Space): Gallery[] {
  const order = peersUpTo(others);
  const division = divide({ others, screens }, wish, space);
  const large = division.large ? (wish.pinned ?? order[0]!) : null;
  return Array.from({ length: division.pages }, (_, page) => gallery({ order, large, screens, page }, division, space));
}

const overlap = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const solid = ({ places, screens, pager, self, covered }: Gallery): Rect[] => [
  ...places.values(),
  ...screens,
  ...(pager ? [pager] : []),
  ...(self && covered === null ? [self] : []),
];

describe.each(spaces)('on a $name', ({ space }) => {
  test('everybody is on exactly one page, but for the large one, who is on each', () => {
    for (const given of cases) {
      const pages = pagesOf(given, space);
      const seen = pages.flatMap(({ places }) => [...places.keys()]);
      const times = (peer: PeerId): number => seen.filter((one) => one === peer).length;
      const isLarge = divide(given, given.wish, space).large;
      const large = isLarge ? (given.wish.pinned ?? ('p0' as PeerId)) : null;
      const wrong = peersUpTo(given.others).filter((peer) => times(peer) !== (peer === large ? pages.length : 1));
      expect(wrong).toEqual([]);
    }
  });

  test('nothing leaves the space, and nothing overlaps', () => {
    for (const given of cases) {
      for (const shown of pagesOf(given, space)) {
        const rects = solid(shown);
        const all = shown.self ? [...rects, shown.self] : rects;
        // One assertion for a page: there are thousands.
        const outside = all.filter(
          ({ x, y, width, height }) =>
            Math.min(x, y, width - 1, height - 1) < 0 || x + width > space.width || y + height > space.height,
        );
        const clashing = rects.filter((one, index) => rects.slice(index + 1).some((other) => overlap(one, other)));
        expect({ outside, clashing }).toEqual({ outside: [], clashing: [] });
      }
    }
  });

  test('there is room to turn pages where there are more than one, and only there', () => {
    for (const given of cases) {
      const pages = pagesOf(given, space);
      for (const { pager } of pages) expect(pager !== null).toBe(pages.length > 1);
    }
  });

  test('one’s own picture is on the first page unless it is hidden, and always while one is alone', () => {
    for (const given of cases) {
      const [first] = pagesOf(given, space);
      expect(first!.self !== null).toBe(given.wish.own !== 'hidden' || given.others + given.screens === 0);
    }
  });
});

describe('pages', () => {
  const grid: Wish = { view: 'grid', own: 'tile', pinned: null };

  test('a large screen shows 49 with one’s own, and the fiftieth is on a second page', () => {
    expect(divide({ others: 48, screens: 0 }, grid, SPACES.large!)).toMatchObject({ pages: 1 });
    expect(divide({ others: 49, screens: 0 }, grid, SPACES.large!)).toMatchObject({ pages: 2, first: 48, each: 49 });
  });

  test.each([
    ['desktop', 160],
    ['large', 160],
    ['phone', 126],
    ['phone on its side', 126],
  ])('no tile of a %s is narrower than %s pixels, and the first page holds five others and more', (name, least) => {
    const space = SPACES[name]!;
    const [first] = pagesOf({ others: 99, screens: 0, wish: grid }, space);
    for (const { width } of first!.places.values()) expect(width).toBeGreaterThanOrEqual(least);
    expect(first!.places.size).toBeGreaterThanOrEqual(5);
  });

  test('a phone has two columns', () => {
    const [first] = pagesOf({ others: 30, screens: 0, wish: grid }, SPACES.phone!);
    expect(new Set([...first!.places.values()].map(({ x }) => x)).size).toBe(2);
  });

  test('tiles have one size on all pages, also on one that is not full', () => {
    const sizes = pagesOf({ others: 99, screens: 0, wish: grid }, SPACES.desktop!).flatMap(({ places }) =>
      [...places.values()].map(({ width, height }) => `${width}×${height}`),
    );
    expect(new Set(sizes).size).toBe(1);
  });

  test('a page that is no more is the last that is', () => {
    const division = divide({ others: 5, screens: 0 }, grid, SPACES.desktop!);
    expect(gallery({ order: peersUpTo(5), large: null, screens: 0, page: 7 }, division, SPACES.desktop!).page).toBe(0);
  });
});

describe('the large one', () => {
  const wish: Wish = { view: 'speaker', own: 'tile', pinned: null };
  const sizeOf = ({ width, height }: Rect): number => width * height;

  test('takes most of a desktop, with the others beside', () => {
    const [first] = pagesOf({ others: 8, screens: 0, wish }, SPACES.desktop!);
    const large = first!.places.get('p0' as PeerId)!;
    expect(sizeOf(large) / sizeOf({ ...SPACES.desktop!, x: 0, y: 0 })).toBeGreaterThan(0.6);
    for (const [peer, { x }] of first!.places)
      if (peer !== 'p0') expect(x).toBeGreaterThanOrEqual(large.x + large.width);
  });

  test('is nobody where there is one other, or a shared screen that nobody is pinned beside', () => {
    expect(divide({ others: 1, screens: 0 }, wish, SPACES.desktop!).large).toBe(false);
    expect(divide({ others: 5, screens: 1 }, wish, SPACES.desktop!).large).toBe(false);
    expect(divide({ others: 5, screens: 1 }, { ...wish, pinned: 'p1' as PeerId }, SPACES.desktop!).large).toBe(true);
  });
});
