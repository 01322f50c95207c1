/** Notes as Markdown (CommonMark, with GitHub's checklists and strikethrough): to be saved or copied. */
import type { Mark, Node } from 'prosemirror-model';
import { levelOf, safeHref } from './schema.ts';

export function markdownOf(doc: Node): string {
  const text = blocks(doc).join('\n\n').trim();
  return text === '' ? '' : `${text}\n`;
}

function blocks(parent: Node): string[] {
  return parent.children.map(block);
}

function block(node: Node): string {
  switch (node.type.name) {
    case 'heading':
      return `${'#'.repeat(levelOf(node.attrs))} ${inline(node)}`;
    case 'quote':
      return indented(blocks(node).join('\n\n'), '> ', '> ');
    case 'code':
      return fenced(node.textContent);
    case 'bullets':
      return items(node, () => '- ');
    case 'numbers':
      return items(node, (_, index) => `${index + 1}. `);
    case 'checks':
      return items(node, (check) => (check.attrs['done'] === true ? '- [x] ' : '- [ ] '));
    case 'line':
      return '---';
    default:
      return inline(node);
  }
}

function items(list: Node, sign: (item: Node, index: number) => string): string {
  const written = list.children.map((item, index) =>
    indented(blocks(item).join('\n\n'), sign(item, index), ' '.repeat(list.type.name === 'numbers' ? 3 : 2)),
  );
  return written.join('\n');
}

function indented(text: string, first: string, rest: string): string {
  return text
    .split('\n')
    .map((line, index) => ((index === 0 ? first : rest) + line).trimEnd())
    .join('\n');
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

function inline(parent: Node): string {
  return parent.children.map((node) => (node.isText ? marked(node.text ?? '', node.marks) : '  \n')).join('');
}

/** Signs of Markdown in what was written stay what they are, and blanks at the ends stand outside of marks, which begin and end with a word. */
function marked(text: string, marks: readonly Mark[]): string {
  const names = marks.map(({ type }) => type.name);
  const words = text.trim();
  if (words === '') return text;
  const start = text.indexOf(words);
  const [before, after] = [text.slice(0, start), text.slice(start + words.length)];
  let written = names.includes('mono') ? mono(words) : words.replace(/[\\`*_~[\]<>#]/g, String.raw`\$&`);
  if (names.includes('strike')) written = `~~${written}~~`;
  if (names.includes('em')) written = `*${written}*`;
  if (names.includes('strong')) written = `**${written}**`;
  const href = safeHref(marks.find(({ type }) => type.name === 'link')?.attrs['href']);
  return `${before}${href === null ? written : `[${written}](<${href}>)`}${after}`;
}

function mono(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const sign = '`'.repeat(longest + 1);
  return longest === 0 ? `${sign}${text}${sign}` : `${sign} ${text} ${sign}`;
}
