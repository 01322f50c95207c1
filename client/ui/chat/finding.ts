/** Finds words in messages, whatever their case. Pure. */
import type { ChatMessage } from '../../chat/view.ts';

/** Ids of the messages that hold it, oldest first. */
export function foundIn(messages: readonly ChatMessage[], query: string): string[] {
  const wanted = query.trim().toLowerCase();
  if (wanted === '') return [];
  return messages
    .filter(({ text, author, files }) =>
      [text, author.name, ...files.map(({ name }) => name)].some((one) => one.toLowerCase().includes(wanted)),
    )
    .map(({ id }) => id);
}

/** The text in pieces; every second one is what was searched for. */
export function piecesOf(text: string, query: string): string[] {
  const wanted = query.trim().toLowerCase();
  const low = text.toLowerCase();
  // Where lower case has another length, places would not match: then nothing is marked.
  if (wanted === '' || low.length !== text.length) return [text];
  const pieces: string[] = [];
  let end = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, end)) {
    pieces.push(text.slice(end, at), text.slice(at, at + wanted.length));
    end = at + wanted.length;
  }
  return [...pieces, text.slice(end)];
}
