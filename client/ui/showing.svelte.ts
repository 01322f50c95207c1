/**
 * What of a meeting is on the screen: the view that the person chose, who is pinned, the page, and from these where everybody stands.
 * Rules are in order.ts and gallery.ts; here they meet the clock and what this browser remembers.
 */
import { untrack } from 'svelte';
import { recall, remember } from '../media/remembered.ts';
import { divide, gallery, type Gallery, type Wish } from '../meeting/gallery.ts';
import type { OwnTile, Space } from '../meeting/layout.ts';
import { NOBODY, step, type Order } from '../meeting/order.ts';
import { Paced } from '../meeting/paced.ts';
import type { LiveView, ShownPicture, TileView } from '../meeting/view.ts';

type Peer = TileView['peer'];

export const views = ['grid', 'speaker'] as const satisfies readonly Wish['view'][];
export const ownTiles = ['tile', 'small', 'hidden'] as const satisfies readonly OwnTile[];

const NOWHERE: Space = { width: 0, height: 0, gap: 0 };
/** Who speaks long enough, and who no more, changes with time alone. */
const LOOK_MS = 500;
/** A small window on top of others is about so high. */
const FLOATING_HEIGHT = 240;
/** A window that is being made larger changes with each picture. */
const SHOWN_PAUSE_MS = 250;

export class Showing {
  readonly #live: () => LiveView;
  #view = $state<Wish['view']>(views.find((view) => view === recall().view) ?? 'grid');
  #own = $state<OwnTile>(ownTiles.find((own) => own === recall().ownTile) ?? 'tile');
  #pinned = $state<Peer | null>(null);
  #page = $state(0);
  #order = $state.raw<Order>(NOBODY);
  #looks = $state(0);
  /** Set by what measures it. */
  space = $state.raw<Space>(NOWHERE);
  /** Who is in the small window on top of other programs. */
  floating = $state<Peer | null>(null);

  readonly #others = $derived.by(() => this.#live().tiles.filter((tile) => !tile.self));
  readonly #count = $derived.by(() => this.#others.length);
  readonly #screens = $derived.by(() => this.#live().screens.filter((screen) => !screen.self).length);
  readonly #wish = $derived.by((): Wish => ({ view: this.#view, own: this.#own, pinned: this.pinned }));
  readonly #division = $derived.by(() =>
    divide({ others: this.#count, screens: this.#screens }, this.#wish, this.space),
  );
  readonly #gallery = $derived.by(() => {
    const { order, large } = this.#order;
    return gallery({ order, large, screens: this.#screens, page: this.#page }, this.#division, this.space);
  });

  /**
   * Owned by the component that makes it.
   * @param shown  is told which pictures are on the screen
   */
  constructor(live: () => LiveView, shown: (pictures: readonly ShownPicture[]) => void) {
    this.#live = live;
    const told = new Paced<readonly ShownPicture[] | null>(null, SHOWN_PAUSE_MS, (pictures) => shown(pictures ?? []));
    $effect(() => told.say(this.pictures(devicePixelRatio)));
    $effect(() => () => told.close());
    $effect(() => {
      const timer = setInterval(() => this.#looks++, LOOK_MS);
      return () => clearInterval(timer);
    });
    $effect.pre(() => {
      void this.#looks;
      const [others, division] = [this.#others, this.#division];
      const heard = {
        here: others.map(({ peer }) => peer),
        speaking: others.filter(({ speaking }) => speaking).map(({ peer }) => peer),
        first: division.first,
        onFirst: this.#page === 0,
        large: division.large ? { pinned: this.pinned } : null,
        now: performance.now(),
      };
      this.#order = untrack(() => step(this.#order, heard));
    });
  }

  get gallery(): Gallery {
    return this.#gallery;
  }
  get view(): Wish['view'] {
    return this.#view;
  }
  get own(): OwnTile {
    return this.#own;
  }
  /** Null as soon as they are gone. */
  get pinned(): Peer | null {
    return this.#others.some(({ peer }) => peer === this.#pinned) ? this.#pinned : null;
  }
  /** With one other there is nothing to choose from. */
  get canPin(): boolean {
    return this.#count > 1;
  }
  /** Who speaks, or spoke last. */
  get active(): TileView | null {
    const peer = this.#order.active?.peer;
    return this.#others.find((tile) => tile.peer === peer) ?? this.#others[0] ?? null;
  }

  setView(view: Wish['view']): void {
    this.#view = view;
    this.#page = 0;
    remember({ view });
  }
  setOwn(own: OwnTile): void {
    this.#own = own;
    remember({ ownTile: own });
  }
  /** Again: lets go. */
  pin(peer: Peer): void {
    this.#pinned = this.pinned === peer ? null : peer;
    this.#page = 0;
  }
  turn(by: 1 | -1): void {
    const { page, pages } = this.#gallery;
    this.#page = Math.max(0, Math.min(pages - 1, page + by));
  }

  /** What is to be seen of others, and how high, in pixels of this screen. */
  pictures(pixelRatio: number): ShownPicture[] {
    const { places, screens } = this.#gallery;
    // Also of those who show none yet: whether a camera is on is known at first by what it sends.
    const cameras = [...places].map(([peer, { height }]): ShownPicture => {
      return { peer, kind: 'camera', height: Math.round(height * pixelRatio) };
    });
    if (this.floating !== null && !places.has(this.floating))
      cameras.push({ peer: this.floating, kind: 'camera', height: Math.round(FLOATING_HEIGHT * pixelRatio) });
    const shared = this.#live().screens.filter((screen) => !screen.self);
    return [
      ...shared.map(({ peer }, index): ShownPicture => {
        const height = Math.round((screens[index]?.height ?? 0) * pixelRatio);
        return { peer, kind: 'screen', height };
      }),
      ...cameras,
    ];
  }
}
