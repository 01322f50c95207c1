/** What people write, as a tree: the basics of Markdown, and nothing that could run, load or deceive. */
import { describe, expect, test } from 'vitest';
import { type Block, type Inline, parseMarkdown, safeHref } from '../../../client/chat/markdown.ts';
import { visibleLine, visibleText } from '../../../client/chat/visible.ts';

const parse = (text: string, mention: RegExp | null = null): Block[] => parseMarkdown(text, mention);

/** The inside of the only paragraph. */
function line(text: string, mention: RegExp | null = null): Inline[] {
  const [block, ...rest] = parse(text, mention);
  if (block?.kind !== 'paragraph' || rest.length > 0) throw new Error(`not one paragraph: ${JSON.stringify(block)}`);
  return block.inside;
}

const words = (nodes: readonly Inline[]): string =>
  nodes.map((node) => ('inside' in node ? words(node.inside) : 'text' in node ? node.text : '\n')).join('');

function linksIn(value: unknown): (Inline & { kind: 'link' })[] {
  if (Array.isArray(value)) return value.flatMap(linksIn);
  if (typeof value !== 'object' || value === null) return [];
  const own = (value as { kind?: string }).kind === 'link' ? [value as Inline & { kind: 'link' }] : [];
  return [...own, ...Object.values(value).flatMap(linksIn)];
}

describe('the basics', () => {
  test('bold, italic, struck and code', () => {
    expect(line('**a** *b* ~~c~~ `d`')).toEqual([
      { kind: 'strong', inside: [{ kind: 'text', text: 'a' }] },
      { kind: 'text', text: ' ' },
      { kind: 'emphasis', inside: [{ kind: 'text', text: 'b' }] },
      { kind: 'text', text: ' ' },
      { kind: 'struck', inside: [{ kind: 'text', text: 'c' }] },
      { kind: 'text', text: ' ' },
      { kind: 'code', text: 'd' },
    ]);
  });

  test('a line end is a line end, an empty line begins a paragraph', () => {
    expect(line('a\nb')).toEqual([{ kind: 'text', text: 'a' }, { kind: 'break' }, { kind: 'text', text: 'b' }]);
    expect(parse('a\n\nb').map(({ kind }) => kind)).toEqual(['paragraph', 'paragraph']);
  });

  test('lists with and without numbers, from where they start', () => {
    expect(parse('- a\n- b')).toMatchObject([{ kind: 'list', start: null, items: [[{}], [{}]] }]);
    expect(parse('3. a\n4. b')).toMatchObject([{ kind: 'list', start: 3 }]);
  });

  test('quotes and blocks of code, which keep their blanks', () => {
    expect(parse('> a')).toMatchObject([{ kind: 'quote', inside: [{ kind: 'paragraph' }] }]);
    expect(parse('```js\n  a\n\n b\n```')).toEqual([{ kind: 'code', text: '  a\n\n b' }]);
  });

  test.each([
    ['# not a title', '# not a title'],
    ['#1 comes first', '#1 comes first'],
    ['---', '---'],
    ['a\n---', 'a\n---'],
    ['&amp; &#60;', '&amp; &#60;'],
    ['[a]: https://example.org', '[a]: https://example.org'],
    ['2 * 3 * 4 and snake_case_name', '2 * 3 * 4 and snake_case_name'],
    ['~about~ 5', '~about~ 5'],
  ])('%j stays as it is', (text, shown) => {
    expect(words(line(text))).toBe(shown);
  });

  test('what is indented is no code', () => {
    expect(words(line('    four blanks'))).toBe('four blanks');
  });
});

describe('raw HTML', () => {
  test.each(['<b>a</b>', '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<!-- a -->', '<svg/onload=x>'])(
    '%s is text',
    (text) => {
      expect(line(text).every(({ kind }) => kind === 'text')).toBe(true);
      expect(words(line(text))).toBe(text);
    },
  );
});

describe('links', () => {
  test.each([
    ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
    ['www.example.org', 'http://www.example.org/'],
    ['<https://example.org>', 'https://example.org/'],
    ['[a](http://example.org)', 'http://example.org/'],
    ['ada@example.org', 'mailto:ada@example.org'],
    ['[write](mailto:ada@example.org)', 'mailto:ada@example.org'],
  ])('%s leads to %s', (text, href) => {
    expect(linksIn(parse(text)).map((link) => link.href)).toEqual([href]);
  });

  test.each([
    '[a](javascript:alert(1))',
    '[a](JaVaScRiPt:alert(1))',
    '[a](java\u0000script:alert(1))',
    '[a](&#106;avascript:alert(1))',
    '[a](javascript&colon;alert(1))',
    '[a](data:text/html,x)',
    '[a](vbscript:x)',
    '[a](file:///etc/passwd)',
    '[a](blob:https://example.org/x)',
    '[a](/relative)',
    '[a](//example.org)',
    '[a](#x)',
    '<javascript:alert(1)>',
    '![a](javascript:alert(1))',
    '![a](data:image/svg+xml,x)',
    '[a][b]\n\n[b]: javascript:alert(1)',
  ])('%j leads nowhere, and is shown as it was written', (text) => {
    expect(linksIn(parse(text))).toEqual([]);
    expect(words(parse(text).flatMap((block) => (block.kind === 'paragraph' ? block.inside : [])))).toContain(
      text.slice(0, 3).replace('\u0000', '\ufffd'),
    );
  });

  test('an image is a link to it, and nothing fetches it', () => {
    expect(line('![a cat](https://example.org/cat.png)')).toEqual([
      {
        kind: 'link',
        href: 'https://example.org/cat.png',
        host: 'example.org',
        inside: [{ kind: 'text', text: 'a cat' }],
      },
    ]);
  });

  test.each([
    ['https://example.org/a', null],
    ['[example.org](https://example.org/a)', null],
    ['[here](https://example.org)', 'example.org'],
    ['[https://bank.example](https://evil.example)', 'evil.example'],
    ['[bank.example](https://bank.example.evil.org)', 'bank.example.evil.org'],
    ['[x](https://bank.example@evil.org)', 'evil.org'],
    ['[https://evil.org@bank.example](https://evil.org)', 'evil.org'],
    ['[a](https://аpple.com)', 'xn--pple-43d.com'],
    ['[ada@example.org](mailto:eve@example.org)', 'eve@example.org'],
  ])('%s says where it leads: %s', (text, host) => {
    expect(linksIn(parse(text)).map((link) => link.host)).toEqual([host]);
  });

  test('what turns the words of a link round is shown', () => {
    const [link] = linksIn(parse('[\u202egro.elpmaxe\u2066\u200b](https://evil.example)'));
    expect(words(link!.inside)).toBe('\ufffdgro.elpmaxe\ufffd\ufffd');
  });

  test('one without words shows its address', () => {
    expect(words(line('[](https://example.org/a)'))).toBe('https://example.org/a');
  });

  test('only three schemes are ever followed', () => {
    expect(['http://a', 'https://a', 'mailto:a@b'].every((address) => safeHref(address) !== null)).toBe(true);
    expect(['ftp://a', 'tel:1', 'ws://a', 'about:blank', 'x', ''].map(safeHref)).toEqual(Array(6).fill(null));
  });
});

describe('mentions', () => {
  const mention = /@(?:everyone|Ada Lovelace|Ada)/giu;

  test('are found in text, inside of emphasis too', () => {
    expect(line('hi @Ada Lovelace, **@everyone**', mention)).toEqual([
      { kind: 'text', text: 'hi ' },
      { kind: 'mention', text: '@Ada Lovelace' },
      { kind: 'text', text: ', ' },
      { kind: 'strong', inside: [{ kind: 'mention', text: '@everyone' }] },
    ]);
  });

  test('are none in code and in links', () => {
    expect(JSON.stringify(parse('`@Ada` [@Ada](https://a.example)\n\n```\n@Ada\n```', mention))).not.toContain(
      'mention',
    );
  });
});

describe('what is written to hurt', () => {
  test.each([
    ['quotes', '> '.repeat(3_900)],
    ['lists', '- '.repeat(3_900)],
    ['stars', '*'.repeat(7_900)],
    ['stars and letters', '*a **a '.repeat(1_100)],
    ['brackets', '['.repeat(7_900)],
    ['links in links', `${'['.repeat(1_500)}a${'](https://a.example)'.repeat(300)}`],
    ['ticks', '`a``b'.repeat(1_500)],
    ['tildes', '~~a~~'.repeat(1_500)],
    ['at signs', 'a@b.c'.repeat(1_500)],
    ['angles', '<a '.repeat(2_600)],
    ['lists by the line', Array.from({ length: 88 }, (_, depth) => `${' '.repeat(2 * depth)}- a`).join('\n')],
    ['carriage returns', '> '.repeat(1_300).concat('\r', '- '.repeat(1_300), '\r\n', '> '.repeat(1_200))],
    ['tabs', '>\t'.repeat(3_900)],
    ['many lines of quotes', '> > > > > > > > > > > >\n'.repeat(330)],
    ['quotes and lists', '> - '.repeat(1_950)],
  ])('%s are done soon, and not nested without end', (_, text) => {
    const started = performance.now();
    const depth = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0;
    expect(depth(parse(`${text}x`))).toBeLessThan(60);
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  test('characters that hide or turn round are shown in lines, and those that override in texts', () => {
    expect(visibleLine('Ada\u202egpj\u200b\u0007\n')).toBe('Ada\ufffdgpj\ufffd\ufffd\ufffd');
    expect(visibleLine('👩‍👩‍👧 नमस्ते')).toBe('👩‍👩‍👧 नमस्ते');
    expect(visibleText('a\u202eb\u0000\n\tc\u200f')).toBe('a\ufffdb\ufffd\n\tc\u200f');
  });
});
