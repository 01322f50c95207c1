/** What tells people of the same name apart: the beginning of their identity, which nobody else has. Pure. */
import { visibleLine } from './visible.ts';

/** Characters of a code at least. */
const SHORTEST = 4;

/** So much of a name as leaves room on every screen for what stands behind it. */
const NAMESAKE = 40;

/** What a code stands behind. Whoever puts one behind their own name is a namesake of those whose name stands before it. */
const BEFORE = '·';

/** A name with the code that tells it from others. */
export const withCode = (name: string, code: string): string => `${name.trim().slice(0, NAMESAKE)} ${BEFORE} ${code}`;

const asRead = (name: string): string =>
  visibleLine(name.normalize('NFKC').split(BEFORE)[0]!).replace(/\s+/gu, ' ').trim().toLowerCase();

/** Of those whose name somebody else has too: identity → as much of it as no namesake shares. */
export function codesOf(people: readonly { readonly id: string; readonly name: string }[]): Map<string, string> {
  const codes = new Map<string, string>();
  for (const [name, namesakes] of Map.groupBy(people, ({ name }) => asRead(name))) {
    // One person may be here twice.
    const ids = [...new Set(namesakes.map(({ id }) => id))];
    if (name === '' || ids.length === 1) continue;
    let length = SHORTEST;
    while (new Set(ids.map((id) => id.slice(0, length))).size < ids.length && length < ids[0]!.length) length++;
    for (const id of ids) codes.set(id, id.slice(0, length));
  }
  return codes;
}
