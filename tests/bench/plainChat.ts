/** The conversation that chats are measured with, and the same as plain Yjs: texts of 40 characters, by people who take turns. */
import * as Y from 'yjs';

export const TEXT_LENGTH = 40;
export const AUTHORS = 8;
/** Messages that one person writes before another does. */
export const AT_A_TIME = 5;

const FILLING = 'what somebody has to say about all of it';

/** The text of a message by its number, which it carries. */
export function textOf(index: number): string {
  return `Entry ${index} ${FILLING}`.slice(0, TEXT_LENGTH);
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';

/** As long, of letters drawn at random: hardly any of it can be compressed. */
export function randomTextOf(index: number): string {
  const letters = crypto.getRandomValues(new Uint8Array(TEXT_LENGTH));
  return `Entry ${index} ${[...letters].map((value) => LETTERS[value % 64]).join('')}`.slice(0, TEXT_LENGTH);
}

export function authorOf(index: number): number {
  return Math.floor(index / AT_A_TIME) % AUTHORS;
}

/** What `textOf` carries of all messages up to `count`, added up: equal sums, equal messages. */
export function sumOfTexts(count: number): number {
  return (count * (count - 1)) / 2;
}

/** What a plain chat has to keep of a message: who, when and what. */
export function plainEntry(index: number): { from: string; at: number; text: string } {
  return { from: `Person ${authorOf(index)}`, at: 1_790_000_000_000 + index * 1000, text: textOf(index) };
}

/** @param each  given the update of every message, in turn */
export function plainDocument<T>(
  count: number,
  entryOf: (index: number) => T,
  each: (update: Uint8Array) => void = () => undefined,
): Y.Doc {
  const doc = new Y.Doc();
  doc.on('update', each);
  const list = doc.getArray<T>('entries');
  const clients = Array.from({ length: AUTHORS }, (_, author) => doc.clientID + author);
  for (let index = 0; index < count; index++) {
    doc.clientID = clients[authorOf(index)]!;
    list.push([entryOf(index)]);
  }
  return doc;
}
