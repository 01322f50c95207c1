/**
 * Which tiles are shown, and where: what a person chose, how many are here and the space there is become pages with places.
 *
 * In a grid all tiles are equal; in the speaker's view, and while somebody is pinned, one person is large and the others stand beside.
 * What does not fit at a size at which faces are known goes to further pages. One's own tile is on the first page.
 * Invariant: everybody is large, or on exactly one page.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { layOut, roomOnPage, type OwnTile, type Rect, type Space } from './layout.ts';

export interface Wish {
  view: 'grid' | 'speaker';
  own: OwnTile;
  pinned: PeerId | null;
}

export interface Division {
  /** One person is large. */
  large: boolean;
  pages: number;
  /** Others on the first page, and on each after it. */
  first: number;
  each: number;
  own: OwnTile;
}

export interface Gallery {
  /** Everybody on this page but oneself, the large one among them. */
  places: ReadonlyMap<PeerId, Rect>;
  self: Rect | null;
  /** One's own tile lies over this person's. */
  covered: PeerId | null;
  screens: Rect[];
  pager: Rect | null;
  page: number;
  pages: number;
}

export function divide(count: { others: number; screens: number }, wish: Wish, space: Space): Division {
  const { others, screens } = count;
  // With one other there is nobody to stand beside them.
  const large = others > 1 && (wish.pinned !== null || (wish.view === 'speaker' && screens === 0));
  const own = ownOf(wish.own, { alone: others + screens === 0, strip: screens > 0 && !large });
  const small = others - (large ? 1 : 0);
  const cells = small + (own === 'tile' ? 1 : 0);
  const each = roomOnPage(cells, { screens, large }, space);
  if (each >= cells) return { large, pages: 1, first: small, each: small, own };
  const first = each - (own === 'tile' ? 1 : 0);
  return { large, pages: 1 + Math.ceil((small - first) / each), first, each, own };
}

/** Whoever is alone sees themselves; beside a screen all tiles are small, and one's own is one of them. */
function ownOf(own: OwnTile, { alone, strip }: { alone: boolean; strip: boolean }): OwnTile {
  return alone || (own === 'small' && strip) ? 'tile' : own;
}

/** @param order  of the others, as order.ts keeps it; `large` is one of them where the division has a large one */
export function gallery(
  given: { order: readonly PeerId[]; large: PeerId | null; screens: number; page: number },
  division: Division,
  space: Space,
): Gallery {
  const { pages, first, each } = division;
  const page = Math.max(0, Math.min(pages - 1, given.page));
  const large = division.large ? given.large : null;
  const small = given.order.filter((peer) => peer !== large);
  const [from, to] = page === 0 ? [0, first] : [first + (page - 1) * each, first + page * each];
  const shown = small.slice(from, to);
  const own = page === 0 || division.own === 'small' ? division.own : 'hidden';
  const layout = layOut(
    {
      others: shown.length,
      screens: given.screens,
      large: large !== null,
      own,
      ...(pages > 1 ? { full: each } : {}),
    },
    space,
  );
  const places = new Map<PeerId, Rect>();
  shown.forEach((peer, index) => places.set(peer, layout.others[index]!));
  if (large !== null && layout.large) places.set(large, layout.large);
  const covered = layout.selfFloats ? (large ?? shown.at(-1) ?? null) : null;
  const { self, screens, pager } = layout;
  return { places, self, covered, screens, pager, page, pages };
}
