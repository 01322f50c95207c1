/** The catalogue of words: what the screens say is in it, and nothing else is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const catalogue = JSON.parse(readFileSync(join(root, 'client/messages/en.json'), 'utf8')) as Record<
  string,
  string | Record<string, string>
>;

const sources = readdirSync(join(root, 'client'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(svelte|ts)$/.test(entry.name) && !entry.parentPath.includes('paraglide'))
  .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
const used = new Set(sources.flatMap((text) => [...text.matchAll(/\bm\.([A-Za-z0-9_]+)\(/g)].map((match) => match[1])));

test('every message that the screens ask for exists', () => {
  expect([...used].filter((key) => !(key! in catalogue))).toEqual([]);
});

test('every message is used', () => {
  expect(Object.keys(catalogue).filter((key) => !used.has(key))).toEqual([]);
});

test('what counts has a text for one and for others, both with the same names in them', () => {
  for (const [key, entry] of Object.entries(catalogue)) {
    if (typeof entry === 'string') continue;
    expect(Object.keys(entry), key).toEqual(['one', 'other']);
    const names = Object.values(entry).map((text) => new Set(text.match(/\{\w+\}/g)));
    expect(names[0], key).toEqual(names[1]);
  }
});

test('nothing apologises with “oops”, shouts, or speaks of errors without a next step', () => {
  const texts = Object.values(catalogue).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  );
  expect(texts.filter((text) => /oops|!|\berror\b/i.test(text))).toEqual([]);
});

test('the screens hold no words of their own', () => {
  const components = readdirSync(join(root, 'client'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.svelte'))
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')] as const);
  const found = components.flatMap(([name, text]) => {
    const markup = text
      .replace(/<(script|style)[\s\S]*?<\/\1>/g, '')
      .replace(/<!--[\s\S]*?-->/g, '')
      // Braces may hold braces; two rounds are enough for what the screens have.
      .replace(/\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g, '');
    const between = [...markup.matchAll(/>([^<>]*[A-Za-z]{2,}[^<>]*)</g)].map((match) => match[1]!.trim());
    const spoken = [...markup.matchAll(/\s(?:aria-label|title|placeholder|alt)="([^"]+)"/g)].map((match) => match[1]!);
    return [...between, ...spoken].map((words) => `${name}: ${words}`);
  });
  expect(found).toEqual([]);
});
