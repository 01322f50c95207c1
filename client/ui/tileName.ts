/** How a person is called on tiles and in lists. */
import type { TileView } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';

export function tileName(tile: Pick<TileView, 'name' | 'self'>): string {
  const name = tile.name === '' ? m.tile_unnamed() : tile.name;
  return tile.self ? m.tile_name_you({ name }) : name;
}
