/** Looks for words in all that a server was told: in what was said, and in the bytes that base64url in it stands for. */
import { fromBase64url } from '../../crypto/bytes.ts';
import type { HostileServer } from './hostileServer.ts';

/** @returns the names of those words that were found */
export function wordsHeard(
  { http, lines }: HostileServer,
  words: Record<string, string | Uint8Array<ArrayBuffer>>,
): string[] {
  const said = [...http, ...lines.flatMap(({ requests }) => requests.map((request) => JSON.stringify(request)))];
  const heard = said.flatMap((text) => [Buffer.from(text), ...readings(text)]);
  return Object.keys(words).filter((name) => heard.some((bytes) => bytes.includes(Buffer.from(words[name]!))));
}

/** Every string within, as the bytes that it encodes; JSON in JSON is opened. */
function readings(text: string): Buffer[] {
  // What is no JSON as a whole may still have some as its last line: a body after its headers.
  const value = jsonOf(text) ?? jsonOf(text.slice(text.lastIndexOf('\n') + 1));
  if (value === undefined) return [];
  return stringsIn(value).flatMap((string) => {
    const bytes = bytesOf(string);
    const inner = bytes?.toString() ?? '';
    return [Buffer.from(string), ...(bytes === null ? [] : [bytes]), ...readings(string), ...readings(inner)];
  });
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

/** Objects and arrays alone: a bare word that happens to be JSON says nothing more. */
function jsonOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(text: string): Buffer | null {
  try {
    return Buffer.from(fromBase64url(text));
  } catch {
    return null;
  }
}
