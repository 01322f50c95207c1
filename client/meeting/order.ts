/**
 * In which order the others stand, and who of them is the active speaker. Pure: `step` is told who is here and who speaks at `now`.
 *
 * People keep their places. One thing moves somebody: who speaks and is on no page that is looked at changes places with the person on
 * the first page who has been silent for longest. The active speaker is held, so that a large picture does not flicker.
 * Invariant: everybody who is here is in `order` once, and those who stay and do not change places keep their relative order.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';

export interface Order {
  order: readonly PeerId[];
  /** Since when those who speak do. */
  since: Readonly<Record<PeerId, number>>;
  /** When those who are silent spoke last; nothing of who never did. */
  spokeAt: Readonly<Record<PeerId, number>>;
  active: null | { peer: PeerId; at: number };
  /** Who is large at present. */
  large: PeerId | null;
}

export interface Heard {
  /** Others by joining. */
  here: readonly PeerId[];
  speaking: readonly PeerId[];
  /** How many others the first page holds. */
  first: number;
  /** The first page is looked at, so that whoever speaks may be brought to it. */
  onFirst: boolean;
  /** One person is large: the active speaker, or who is pinned. */
  large: { pinned: PeerId | null } | null;
  now: number;
}

export const NOBODY: Order = { order: [], since: {}, spokeAt: {}, active: null, large: null };

/** A large picture stays at least this long. */
const HOLD_MS = 2000;
/** A cough brings nobody to the first page. */
const SPEECH_MS = 1000;

/** @returns the same object if nothing is different */
export function step(before: Order, heard: Heard): Order {
  const { since, spokeAt } = speech(before, heard);
  const active = activeOf(before, heard, since);
  const present = inPlace(before.order, heard.here);
  const large = largeOf(heard, active?.peer ?? null, present, before.large);
  const settled = exchanged(present, before.large, large);
  const order = heard.onFirst ? broughtForward(settled, heard, since, spokeAt, large) : settled;
  const after: Order = { order, since, spokeAt, active, large };
  return same(before, after) ? before : after;
}

function speech({ since, spokeAt }: Order, { here, speaking, now }: Heard): Pick<Order, 'since' | 'spokeAt'> {
  const speaks: Record<PeerId, number> = {};
  const spoke: Record<PeerId, number> = {};
  for (const peer of here) {
    const began = since[peer];
    const ended = began === undefined ? spokeAt[peer] : now;
    if (speaking.includes(peer)) speaks[peer] = began ?? now;
    else if (ended !== undefined) spoke[peer] = ended;
  }
  return { since: speaks, spokeAt: spoke };
}

/** Who has the floor keeps it while they speak, and a moment longer; then it is whoever of the others spoke first. */
function activeOf({ active }: Order, { here, now }: Heard, since: Order['since']): Order['active'] {
  const isHere = active !== null && here.includes(active.peer);
  if (isHere && (since[active.peer] !== undefined || now - active.at < HOLD_MS)) return active;
  const [next] = here.filter((peer) => since[peer] !== undefined).sort((a, b) => since[a]! - since[b]!);
  if (next !== undefined) return { peer: next, at: now };
  return isHere ? active : null;
}

/** Those who were here keep their order, newcomers follow. */
function inPlace(before: readonly PeerId[], here: readonly PeerId[]): PeerId[] {
  const [now, were] = [new Set(here), new Set(before)];
  return [...before.filter((peer) => now.has(peer)), ...here.filter((peer) => !were.has(peer))];
}

function largeOf({ large }: Heard, active: PeerId | null, order: readonly PeerId[], before: PeerId | null) {
  if (!large) return null;
  const wanted = large.pinned ?? active ?? before;
  return wanted !== null && order.includes(wanted) ? wanted : (order[0] ?? null);
}

/** Who was large takes the place of who becomes it: nobody else moves in the strip. */
function exchanged(order: PeerId[], before: PeerId | null, after: PeerId | null): PeerId[] {
  if (before === null || after === null || before === after) return order;
  return swapped(order, order.indexOf(before), order.indexOf(after));
}

function broughtForward(
  order: PeerId[],
  { first, now }: Heard,
  since: Order['since'],
  spokeAt: Order['spokeAt'],
  large: PeerId | null,
): PeerId[] {
  let brought = order;
  for (const peer of order) {
    const began = since[peer];
    if (began === undefined || now - began < SPEECH_MS || peer === large) continue;
    const small = brought.filter((other) => other !== large);
    if (small.indexOf(peer) < first) continue;
    const quiet = small.slice(0, first).filter((other) => since[other] === undefined);
    // Of those who never spoke, the last: the first are who were here first.
    const longest = quiet.reduceRight<PeerId | null>(
      (best, other) => (best === null || (spokeAt[other] ?? 0) < (spokeAt[best] ?? 0) ? other : best),
      null,
    );
    if (longest !== null) brought = swapped(brought, brought.indexOf(longest), brought.indexOf(peer));
  }
  return brought;
}

function swapped(order: PeerId[], one: number, other: number): PeerId[] {
  const [a, b] = [order[one], order[other]];
  return a === undefined || b === undefined ? order : order.with(one, b).with(other, a);
}

function same(a: Order, b: Order): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
