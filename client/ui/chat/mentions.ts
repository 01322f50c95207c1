/** Names with an @ before them: found in what was written, and offered while one writes. Pure. */
import type { ChatPerson } from '../../chat/view.ts';

/** Calls everybody, in every language: it is part of what is sent, not of the screen. */
export const EVERYONE = 'everyone';

/** How many are offered at a time. */
const OFFERED = 6;

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** Finds the names of these people with their @; the longest first, so that "@Ann Lee" is not "@Ann". */
export function mentionPattern(people: readonly ChatPerson[]): RegExp {
  const names = [EVERYONE, ...people.map(({ name }) => name.trim())].filter((name) => name !== '');
  names.sort((a, b) => b.length - a.length);
  return new RegExp(`(?<![\\p{L}\\p{N}_@])@(?:${names.map(escaped).join('|')})(?![\\p{L}\\p{N}_])`, 'giu');
}

export interface Mentioning {
  /** Where the @ stands. */
  start: number;
  query: string;
}

/** What is being written before the caret, if it may become a mention. */
export function mentioningAt(text: string, caret: number): Mentioning | null {
  const found = /(?:^|[^\p{L}\p{N}_@])@([^@\n]{0,40})$/u.exec(text.slice(0, caret));
  const query = found?.[1];
  // After a blank a name may go on; two of them end it.
  if (query === undefined || query.startsWith(' ') || query.split(' ').length > 3) return null;
  return { start: caret - query.length - 1, query };
}

/** Names that begin like it, or have a word that does; who is here comes first. */
export function offersFor(query: string, people: readonly ChatPerson[]): string[] {
  const wanted = query.toLocaleLowerCase();
  const others = people.filter(({ self, name }) => !self && name.trim() !== '');
  const names = [...others.filter(({ here }) => here), ...others.filter(({ here }) => !here)].map(({ name }) =>
    name.trim(),
  );
  const fits = (name: string): boolean => {
    const low = name.toLocaleLowerCase();
    return low !== wanted && (low.startsWith(wanted) || low.split(/\s+/).some((word) => word.startsWith(wanted)));
  };
  return [...new Set([...names, EVERYONE])].filter(fits).slice(0, OFFERED);
}

/** The text with the name in its place, and where the caret then stands. */
export function withMention(
  text: string,
  caret: number,
  { start }: Mentioning,
  name: string,
): { text: string; caret: number } {
  const before = `${text.slice(0, start)}@${name} `;
  return { text: before + text.slice(caret).replace(/^ /, ''), caret: before.length };
}
