/**
 * What somebody wrote, as a tree of the few kinds that a chat shows. Pure.
 *
 * Raw HTML, headings, rules, references and character entities stay what they are as text; images become links. A link whose scheme is
 * not http, https or mailto stays as it was written. Nothing here fetches, and nothing here makes HTML.
 * Invariant: every `href` is a URL in its normal form with one of the three schemes.
 */
import type { PhrasingContent, RootContent } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmAutolinkLiteralFromMarkdown } from 'mdast-util-gfm-autolink-literal';
import { gfmStrikethroughFromMarkdown } from 'mdast-util-gfm-strikethrough';
import { gfmAutolinkLiteral } from 'micromark-extension-gfm-autolink-literal';
import { gfmStrikethrough } from 'micromark-extension-gfm-strikethrough';
import { visibleLine, visibleText } from './visible.ts';

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'emphasis' | 'struck'; inside: Inline[] }
  /** `host`: where it leads, if the words do not say so themselves. */
  | { kind: 'link'; href: string; host: string | null; inside: Inline[] }
  | { kind: 'mention'; text: string }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; inside: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'quote'; inside: Block[] }
  /** `start`: first number; null without numbers. */
  | { kind: 'list'; start: number | null; items: Block[][] };

/** Deeper nesting is no thought of anybody; it is shown as it was written. */
const MAX_DEPTH = 6;

const SYNTAX = {
  extensions: [
    gfmAutolinkLiteral(),
    gfmStrikethrough({ singleTilde: false }),
    {
      disable: {
        null: [
          ...['htmlFlow', 'htmlText', 'headingAtx', 'setextUnderline', 'thematicBreak', 'definition', 'codeIndented'],
          'characterReference',
        ],
      },
    },
  ],
  mdastExtensions: [gfmAutolinkLiteralFromMarkdown(), gfmStrikethroughFromMarkdown()],
};

interface Place {
  source: string;
  mention: RegExp | null;
  depth: number;
}

/** Quotes and lists that a line opens one in another; the parser takes seconds for a thousand of them. */
const OPENED = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))*/;
const MAX_OPENED = 12;

const opensTooMany = (line: string): boolean =>
  (OPENED.exec(line)?.[0].match(/>|[-+*]|\d+/g)?.length ?? 0) > MAX_OPENED;

/** @param mention  finds names with their @, with the flag g; null where there are none (mentions.ts makes it) */
export function parseMarkdown(source: string, mention: RegExp | null): Block[] {
  const place = { source, mention, depth: 0 };
  if (source.split(/[\r\n]/).some(opensTooMany)) return [{ kind: 'paragraph', inside: withBreaks(source, place) }];
  return blocksOf(fromMarkdown(source, SYNTAX).children, place);
}

/** The address, in its normal form; null if it may not be followed. */
export function safeHref(address: string): string | null {
  const url = URL.parse(address);
  if (url === null || !['http:', 'https:', 'mailto:'].includes(url.protocol)) return null;
  return url.href;
}

const written = (node: RootContent, source: string): string =>
  source.slice(node.position?.start.offset ?? 0, node.position?.end.offset ?? 0);

const asWritten = (node: RootContent, place: Place): Inline[] =>
  withBreaks(written(node, place.source), { ...place, mention: null });

function blocksOf(nodes: readonly RootContent[], place: Place): Block[] {
  return nodes.flatMap((node) => blockOf(node, place));
}

function blockOf(node: RootContent, place: Place): Block[] {
  const within = { ...place, depth: place.depth + 1 };
  if (place.depth >= MAX_DEPTH && 'children' in node && node.type !== 'paragraph') {
    return [{ kind: 'paragraph', inside: asWritten(node, place) }];
  }
  switch (node.type) {
    case 'paragraph':
      return [{ kind: 'paragraph', inside: inlinesOf(node.children, within) }];
    case 'code':
      return [{ kind: 'code', text: visibleText(node.value) }];
    case 'blockquote':
      return [{ kind: 'quote', inside: blocksOf(node.children, within) }];
    case 'list':
      return [
        {
          kind: 'list',
          start: node.ordered ? (node.start ?? 1) : null,
          items: node.children.map((item) => blocksOf(item.children, within)),
        },
      ];
    default:
      return [{ kind: 'paragraph', inside: asWritten(node, place) }];
  }
}

const inlinesOf = (nodes: readonly PhrasingContent[], place: Place): Inline[] =>
  nodes.flatMap((node) => inlineOf(node, place));

function inlineOf(node: PhrasingContent, place: Place): Inline[] {
  const within = { ...place, depth: place.depth + 1 };
  if (place.depth >= MAX_DEPTH + 4 && 'children' in node) return asWritten(node, place);
  switch (node.type) {
    case 'text':
      return withBreaks(node.value, place);
    case 'inlineCode':
      return [{ kind: 'code', text: visibleText(node.value) }];
    case 'strong':
      return [{ kind: 'strong', inside: inlinesOf(node.children, within) }];
    case 'emphasis':
      return [{ kind: 'emphasis', inside: inlinesOf(node.children, within) }];
    case 'delete':
      return [{ kind: 'struck', inside: inlinesOf(node.children, within) }];
    case 'break':
      return [{ kind: 'break' }];
    case 'link': {
      const inside = inlinesOf(node.children, { ...within, mention: null });
      return linkOf(node.url, inside) ?? asWritten(node, place);
    }
    case 'image': {
      const words = node.alt || node.url;
      return linkOf(node.url, [{ kind: 'text', text: words }]) ?? asWritten(node, place);
    }
    default:
      return asWritten(node, place);
  }
}

function linkOf(address: string, words: Inline[]): Inline[] | null {
  const href = safeHref(address);
  if (href === null) return null;
  const inside = inOneLine(words);
  const said = wordsOf(inside).trim();
  const url = new URL(href);
  const goal = url.protocol === 'mailto:' ? decodeSafely(url.pathname) : url.host;
  if (said === '') return [{ kind: 'link', href, host: null, inside: [{ kind: 'text', text: visibleLine(href) }] }];
  return [{ kind: 'link', href, host: saysWhere(said, url, goal) ? null : visibleLine(goal), inside }];
}

/** The words are the address itself. What only begins like it ("bank.com.evil.org") is not. */
function saysWhere(words: string, url: URL, goal: string): boolean {
  if (url.protocol === 'mailto:') return words === goal || words === `mailto:${goal}`;
  const said = URL.parse(/^[a-z]+:\/\//i.test(words) ? words : `http://${words}`);
  return said !== null && said.host === url.host && said.username === '' && !/\s/.test(words);
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function inOneLine(nodes: Inline[]): Inline[] {
  return nodes.map((node): Inline => {
    if (node.kind === 'text' || node.kind === 'code') return { ...node, text: visibleLine(node.text) };
    return 'inside' in node ? { ...node, inside: inOneLine(node.inside) } : node;
  });
}

const wordsOf = (nodes: readonly Inline[]): string =>
  nodes.map((node) => ('inside' in node ? wordsOf(node.inside) : 'text' in node ? node.text : ' ')).join('');

/** A line end is one: people press Enter for a new line, not for a new paragraph. */
function withBreaks(text: string, place: Place): Inline[] {
  return visibleText(text)
    .split('\n')
    .flatMap((line, index): Inline[] => [
      ...(index > 0 ? [{ kind: 'break' } as const] : []),
      ...withMentions(line, place.mention),
    ]);
}

function withMentions(text: string, mention: RegExp | null): Inline[] {
  const parts: Inline[] = [];
  let end = 0;
  for (const match of mention === null ? [] : text.matchAll(mention)) {
    if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) });
    parts.push({ kind: 'mention', text: visibleLine(match[0]) });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) });
  return parts;
}
