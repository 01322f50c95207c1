/**
 * Whether a Yjs change of the notes may be taken in, before Yjs sees it.
 *
 * Yjs believes everybody: anyone may write in another's name (client number), and what is malformed, or builds upon what never comes, it keeps
 * waiting or breaks at. So a change of the notes has structs of one client alone, whose number follows from its author, and is handed to Yjs once all that
 * it builds upon is there. What it removes may be anybody's: that is what a shared text is.
 */
import { digest } from 'lib0/hash/sha256';
import * as Y from 'yjs';
import { MAX_UPDATE } from './limits.ts';
import { MARKS, MAX_DEPTH, NODES, ROOT } from './shape.ts';

/** Clocks beyond this are nobody's writing. */
const MAX_CLOCK = 2 ** 31;

/** Which page: the newest one is the one that is written on. `at` in milliseconds since 1970, 0 for the first. */
export interface PageName {
  readonly at: number;
  /** 8 bytes, base64url. */
  readonly id: string;
}

/** A change that may be handed to Yjs once everything up to these clocks is there, if it fits into the text then. */
export interface CheckedUpdate {
  readonly update: Uint8Array;
  readonly client: number;
  readonly structs: readonly (Y.Item | Y.GC)[];
  /** Where it begins; 0 if it only removes. */
  readonly from: number;
  readonly needs: ReadonlyMap<number, number>;
}

/**
 * The number of a client, 53 bits: whoever wants another's has to try as many hashes.
 * @param author   identity, base64url
 * @param session  32 bits, drawn anew by each visit: no two documents may count under one number
 */
export function clientOf(author: string, page: PageName, session: number): number {
  const bytes = digest(new TextEncoder().encode(`parley notes client 1\0${author} ${page.at} ${page.id} ${session}`));
  return bytes.subarray(1, 7).reduce((value, byte) => value * 256 + byte, bytes[0]! & 0x1f);
}

/** @returns null for what nobody may take in */
export function checkUpdate(update: Uint8Array, client: number): CheckedUpdate | null {
  if (update.length > MAX_UPDATE) return null;
  try {
    const { structs: all, ds } = Y.decodeUpdate(update);
    const structs: (Y.Item | Y.GC)[] = [];
    const from = all[0]?.id.clock ?? 0;
    let to = from;
    const needs = new Map<number, number>();
    const need = (one: number, clock: number): void => void needs.set(one, Math.max(needs.get(one) ?? 0, clock));
    for (const struct of all) {
      if (struct instanceof Y.Skip || struct.id.client !== client || struct.id.clock !== to) return null;
      for (const id of struct instanceof Y.Item ? [struct.origin, struct.rightOrigin, parentIdOf(struct)] : []) {
        if (id === null) continue;
        // Nobody builds upon what they write later.
        if (id.client === client && id.clock >= to) return null;
        if (id.client !== client || id.clock < from) need(id.client, id.clock + 1);
      }
      to += struct.length;
      if (!(to <= MAX_CLOCK)) return null;
      structs.push(struct);
    }
    for (const [removed, ranges] of ds.clients)
      for (const { clock, len } of ranges) {
        if (!(clock + len <= MAX_CLOCK)) return null;
        if (removed !== client || clock + len > to) need(removed, clock + len);
      }
    return { update, client, structs, from, needs };
  } catch {
    return null;
  }
}

/** What is removed, or built upon, and is not there would wait in Yjs: somebody could remove what another has yet to write. */
export function isReady({ client, from, needs }: CheckedUpdate, doc: Y.Doc): boolean {
  const known = (one: number): number => Y.getState(doc.store, one);
  return known(client) >= from && [...needs].every(([one, clock]) => known(one) >= clock);
}

/** Where something lies: among blocks, in a line of text, or as an attribute; `gone`: in what is removed, so it will never be seen; `elsewhere`: in no notes. */
interface Spot {
  readonly in: 'blocks' | 'text' | 'attribute' | 'gone' | 'elsewhere';
  /** How many blocks it lies in. */
  readonly depth: number;
}
const GONE: Spot = { in: 'gone', depth: 0 };

/** Whether everything in a change that is ready is something that notes are made of, in its place. */
export function fits({ client, from, structs }: CheckedUpdate, doc: Y.Doc): boolean {
  const spots: Spot[] = [];
  const spotOf = ({ client: of, clock }: Y.ID): Spot | null =>
    of === client && clock >= from ? (spots[indexOf(structs, clock)] ?? null) : null;
  for (const struct of structs) {
    const spot = struct instanceof Y.Item ? spotFor(struct, { doc, structs, from, spotOf }) : GONE;
    if (struct instanceof Y.Item && !isAllowed(struct.content, spot)) return false;
    spots.push(spot);
  }
  return true;
}

function spotFor(
  struct: Y.Item,
  {
    doc,
    structs,
    from,
    spotOf,
  }: {
    doc: Y.Doc;
    structs: CheckedUpdate['structs'];
    from: number;
    spotOf: (id: Y.ID) => Spot | null;
  },
): Spot {
  const read: unknown = struct.parent;
  if (typeof read === 'string') return { in: read === ROOT ? 'blocks' : 'elsewhere', depth: 0 };
  const parent = parentIdOf(struct);
  const beside = struct.origin ?? struct.rightOrigin;
  // An item says where it lies if it has no neighbour; else it lies where that does.
  if (parent === null) return beside === null ? GONE : (spotOf(beside) ?? storedSpot(doc, beside));
  const isOwn = parent.client === struct.id.client && parent.clock >= from;
  const holder = isOwn ? structs[indexOf(structs, parent.clock)] : Y.getItem(doc.store, parent);
  if (!(holder instanceof Y.Item) || !(holder.content instanceof Y.ContentType)) return GONE;
  const depth = (spotOf(parent) ?? storedSpot(doc, parent)).depth + 1;
  return { in: struct.parentSub !== null ? 'attribute' : isText(holder.content) ? 'text' : 'blocks', depth };
}

function storedSpot(doc: Y.Doc, id: Y.ID): Spot {
  const item: Y.Item | Y.GC = Y.getItem(doc.store, id);
  if (!(item instanceof Y.Item) || !(item.parent instanceof Y.AbstractType)) return GONE;
  let depth = 0;
  for (let above = item.parent._item; above !== null; above = (above.parent as Y.AbstractType<unknown>)._item)
    depth += 1;
  const isLine = item.parent instanceof Y.XmlText;
  return { in: item.parentSub !== null ? 'attribute' : isLine ? 'text' : 'blocks', depth };
}

function isAllowed(content: Y.Item['content'], spot: Spot): boolean {
  if (spot.in === 'elsewhere') return false;
  if (content instanceof Y.ContentDeleted || spot.in === 'gone') return true;
  if (spot.in === 'attribute') return content instanceof Y.ContentAny;
  if (spot.in === 'blocks') {
    if (!(content instanceof Y.ContentType) || spot.depth >= MAX_DEPTH) return false;
    const { type } = content;
    // A page has blocks, and only these have lines: y-prosemirror breaks at a line without.
    return (
      (isText(content) && spot.depth > 0) ||
      (type.constructor === Y.XmlElement && NODES.includes((type as Y.XmlElement).nodeName))
    );
  }
  if (content instanceof Y.ContentFormat) return MARKS.includes(content.key.replace(/--.*$/s, ''));
  return content instanceof Y.ContentString;
}

function isText({ type }: Y.ContentType): boolean {
  return type.constructor === Y.XmlText;
}

/** As it was read: the name of a root, an id, or nothing; Yjs's types say what it becomes. */
function parentIdOf({ parent }: Y.Item): Y.ID | null {
  const read: unknown = parent;
  return read instanceof Y.ID ? read : null;
}

function indexOf(structs: CheckedUpdate['structs'], clock: number): number {
  let [low, high] = [0, structs.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (structs[middle]!.id.clock <= clock) low = middle;
    else high = middle - 1;
  }
  return low;
}
