/**
 * What notes are made of, and how it is drawn. Names are those of client/notes/shape.ts. Whatever comes in a document was written by somebody: attributes
 * are read one by one, and nothing of them reaches the page but these tags, classes, and addresses of links that are harmless.
 */
import { Schema, type Attrs, type DOMOutputSpec } from 'prosemirror-model';

const SAFE = /^(?:https?:\/\/|mailto:)[^\s"'<>`\\]{1,2000}$/i;

/** The address as it may be followed; null for one that may not. */
export function safeHref(href: unknown): string | null {
  return typeof href === 'string' && SAFE.test(href) ? href : null;
}

export function levelOf({ level }: Attrs): 1 | 2 | 3 {
  return level === 2 || level === 3 ? level : 1;
}

const tag = (name: string): DOMOutputSpec => [name, 0];

export const schema = new Schema({
  nodes: {
    doc: { content: 'block+' },
    paragraph: { content: 'inline*', group: 'block', parseDOM: [{ tag: 'p' }, { tag: 'div' }], toDOM: () => tag('p') },
    heading: {
      content: 'inline*',
      group: 'block',
      defining: true,
      attrs: { level: { default: 1 } },
      parseDOM: [1, 2, 3, 4, 5, 6].map((level) => ({ tag: `h${level}`, attrs: { level: Math.min(level, 3) } })),
      // The sheet's own title is the second level of the page.
      toDOM: ({ attrs }) => tag(`h${levelOf(attrs) + 2}`),
    },
    quote: {
      content: 'block+',
      group: 'block',
      defining: true,
      parseDOM: [{ tag: 'blockquote' }],
      toDOM: () => tag('blockquote'),
    },
    code: {
      content: 'text*',
      group: 'block',
      code: true,
      defining: true,
      marks: '',
      parseDOM: [{ tag: 'pre', preserveWhitespace: 'full' }],
      toDOM: () => ['pre', ['code', 0]],
    },
    bullets: { content: 'item+', group: 'block', parseDOM: [{ tag: 'ul' }], toDOM: () => tag('ul') },
    numbers: { content: 'item+', group: 'block', parseDOM: [{ tag: 'ol' }], toDOM: () => tag('ol') },
    item: { content: 'paragraph block*', defining: true, parseDOM: [{ tag: 'li' }], toDOM: () => tag('li') },
    checks: {
      content: 'check+',
      group: 'block',
      parseDOM: [{ tag: 'ul.checks', priority: 60 }],
      toDOM: () => ['ul', { class: 'checks' }, 0],
    },
    check: {
      content: 'paragraph block*',
      defining: true,
      attrs: { done: { default: false } },
      parseDOM: [
        {
          tag: 'ul.checks > li',
          priority: 60,
          getAttrs: (element) => ({ done: element.getAttribute('data-done') === 'true' }),
        },
      ],
      toDOM: ({ attrs }) => ['li', { 'data-done': String(attrs['done'] === true) }, 0],
    },
    line: { group: 'block', parseDOM: [{ tag: 'hr' }], toDOM: () => ['hr'] },
    break: { group: 'inline', inline: true, selectable: false, parseDOM: [{ tag: 'br' }], toDOM: () => ['br'] },
    text: { group: 'inline' },
  },
  marks: {
    strong: { parseDOM: [{ tag: 'strong' }, { tag: 'b' }], toDOM: () => tag('strong') },
    em: { parseDOM: [{ tag: 'em' }, { tag: 'i' }], toDOM: () => tag('em') },
    strike: { parseDOM: [{ tag: 's' }, { tag: 'del' }, { tag: 'strike' }], toDOM: () => tag('s') },
    mono: { code: true, excludes: '_', parseDOM: [{ tag: 'code' }], toDOM: () => tag('code') },
    link: {
      inclusive: false,
      attrs: { href: {} },
      parseDOM: [
        {
          tag: 'a[href]',
          getAttrs: (element) => {
            const href = safeHref(element.getAttribute('href'));
            return href !== null && { href };
          },
        },
      ],
      toDOM: ({ attrs }) => {
        const href = safeHref(attrs['href']);
        return href === null ? tag('span') : ['a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, 0];
      },
    },
  },
});
