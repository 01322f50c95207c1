/** What typing and pasting make of signs and addresses in the notes. Pure: an editor's state, without a browser. */
import { undoInputRule } from 'prosemirror-inputrules';
import { type Node, Slice, Fragment } from 'prosemirror-model';
import { EditorState, TextSelection, type Plugin, type Transaction } from 'prosemirror-state';
import type { EditorView } from 'prosemirror-view';
import { describe, expect, test } from 'vitest';
import { markdownOf } from '../../../client/ui/notes/markdown.ts';
import { schema } from '../../../client/ui/notes/schema.ts';
import { addresses, addressesIn, linkedSlice, rules } from '../../../client/ui/notes/typed.ts';

const { nodes, marks } = schema;

/** As much of a view as plugins ask for. */
class Typist {
  state: EditorState;
  readonly #plugins: Plugin[] = [rules(), addresses()];

  constructor(block: Node = nodes.paragraph.create()) {
    this.state = EditorState.create({ doc: nodes.doc.create(null, block), plugins: this.#plugins });
    this.dispatch(this.state.tr.setSelection(TextSelection.atEnd(this.state.doc)));
  }

  readonly dispatch = (transaction: Transaction): void => {
    this.state = this.state.apply(transaction);
  };

  type(text: string): this {
    for (const letter of text)
      if (letter === '\n') this.#enter();
      else this.#text(letter);
    return this;
  }

  /** Backspace, where it takes something back. */
  undo(): boolean {
    return undoInputRule(this.state, this.dispatch);
  }

  get markdown(): string {
    return markdownOf(this.state.doc);
  }

  #text(text: string): void {
    const { from, to } = this.state.selection;
    const view = this as unknown as EditorView;
    const isTaken = this.#plugins.some((plugin) =>
      plugin.props.handleTextInput?.call(plugin, view, from, to, text, () => this.state.tr),
    );
    if (!isTaken) this.dispatch(this.state.tr.insertText(text, from, to));
  }

  #enter(): void {
    const event = { key: 'Enter' } as KeyboardEvent;
    for (const plugin of this.#plugins) plugin.props.handleKeyDown?.call(plugin, this as unknown as EditorView, event);
    this.dispatch(this.state.tr.split(this.state.selection.from));
  }
}

const typed = (text: string): string => new Typist().type(text).markdown.trimEnd();
const HREF = 'https://example.org/a';

describe('signs that are typed become marks', () => {
  test.each([
    ['**bold** and on', '**bold** and on'],
    ['so *it is* said', 'so *it is* said'],
    ['(`code`)', '(`code`)'],
    ['~~gone~~.', '~~gone~~.'],
    ['**two words**', '**two words**'],
    ['*a **b** c*', '*a* ***b*** *c*'],
  ])('%s', (text, markdown) => {
    // With the mark, and not with signs that happen to look like one: those are saved with a stroke before them.
    expect(typed(text)).toBe(markdown);
  });

  test.each([
    ['2*3*4 = 24', String.raw`2\*3\*4 = 24`],
    ['a * b * c', String.raw`a \* b \* c`],
    ['** not this**', String.raw`\*\* not this\*\*`],
    ['snake~~case~~', String.raw`snake\~\~case\~\~`],
    ['****', String.raw`\*\*\*\*`],
  ])('but not those of %s', (text, kept) => {
    expect(typed(text)).toBe(kept);
  });

  test('and what is typed behind them is without', () => {
    const { state } = new Typist().type('**bold**!');
    const [bold, rest] = state.doc.firstChild!.children;
    expect([bold!.text, bold!.marks.map(({ type }) => type.name)]).toEqual(['bold', ['strong']]);
    expect([rest!.text, rest!.marks]).toEqual(['!', []]);
  });

  test('nor in code, where signs are signs', () => {
    const code = new Typist(nodes.code.create());
    code.type(`**a** ${HREF} \n`);
    expect(code.state.doc.textContent).toBe(`**a** ${HREF} `);
    const mono = new Typist(nodes.paragraph.create(null, schema.text('say x', [marks.mono.create()])));
    mono.type(` *a* ${HREF} `);
    expect(mono.markdown).toBe(`\`say x *a* ${HREF}\`\n`);
  });

  test('and the sign with which somebody begins the next line of a list, as in Markdown, is not written twice', () => {
    const list = new Typist(nodes.bullets.create(null, nodes.item.create(null, nodes.paragraph.create())));
    expect(list.type('- one').markdown).toBe('- one\n');
    expect(list.undo()).toBe(false);
    const numbers = new Typist(nodes.numbers.create(null, nodes.item.create(null, nodes.paragraph.create())));
    expect(numbers.type('2. two').markdown).toBe('1. two\n');
    // Of another list it is somebody's own.
    expect(new Typist(numbers.state.doc.firstChild!).type(' - x').markdown).toBe('1. two - x\n');
    const checks = new Typist(nodes.checks.create(null, nodes.check.create(null, nodes.paragraph.create())));
    expect(checks.type('1. a').markdown).toBe(String.raw`- [ ] 1. a` + '\n');
  });

  test('what is selected goes, as with any key', () => {
    const typist = new Typist().type('*word here');
    const { doc, tr } = typist.state;
    typist.dispatch(tr.setSelection(TextSelection.create(doc, 6, 11)));
    expect(typist.type('*').markdown).toBe('*word*\n');
  });

  test.each([
    ['**bold**', String.raw`\*\*bold\*\*`],
    ['# ', String.raw`\#`],
    ['- ', '-'],
    [`${HREF} `, HREF],
  ])('Backspace takes %s back, once', (text, before) => {
    const typist = new Typist().type(text);
    expect(typist.undo()).toBe(true);
    expect(typist.markdown.trimEnd()).toBe(before);
    expect(typist.undo()).toBe(false);
  });
});

describe('addresses', () => {
  test.each([
    [`see ${HREF}, then`, [HREF]],
    [`(${HREF})`, [HREF]],
    ['http://a.b/c_(d) and HTTPS://E.F', ['http://a.b/c_(d)', 'HTTPS://E.F']],
    ['write to mailto:ada@example.org.', ['mailto:ada@example.org']],
    ["https://a.b/Rubik's_Cube", ['https://a.b/Rubik%27s_Cube']],
    [`'${HREF}'`, [HREF]],
    [`https://a.b/?next=${HREF}`, [`https://a.b/?next=${HREF}`]],
  ])('are found in %s', (text, hrefs) => {
    expect(addressesIn(text).map(({ href }) => href)).toEqual(hrefs);
    for (const { from, to, href } of addressesIn(text)) expect(text.slice(from, to).replace("'", '%27')).toBe(href);
  });

  test.each([
    'javascript:alert(1)',
    'data:text/html,https',
    'ftp://example.org',
    'xhttps://example.org',
    'https://',
    'https://.',
    'https:///x',
    'mailto:nobody',
    'www.example.org',
    `https://example.org/${'x'.repeat(2100)}`,
  ])('of another kind, or none, are not: %s', (text) => {
    expect(addressesIn(text)).toEqual([]);
  });

  test('become links with the blank or the line’s end after them, and nothing typed behind belongs to them', () => {
    expect(typed(`${HREF} more`)).toBe(`[${HREF}](<${HREF}>) more`);
    expect(typed(`see ${HREF}.\nnext`)).toBe(`see [${HREF}](<${HREF}>).\n\nnext`);
    expect(typed('javascript:alert(1) ')).toBe('javascript:alert(1)');
    expect(typed(`${HREF}`)).toBe(HREF);
  });

  test('of a link that somebody set leave that link as it is', () => {
    const set = schema.text(HREF, [marks.link.create({ href: 'https://other.example/' })]);
    const typist = new Typist(nodes.paragraph.create(null, set)).type(' \n');
    expect(typist.markdown).toContain('(<https://other.example/>)');
    expect(typist.markdown).not.toContain(`(<${HREF}>)`);
  });

  test('become links where they are pasted: in lists too, never in code, and what is open stays open', () => {
    const words = schema.text(`one ${HREF} two`, [marks.strong.create()]);
    const item = nodes.item.create(null, nodes.paragraph.create(null, words));
    const code = nodes.code.create(null, schema.text(HREF));
    const mono = nodes.paragraph.create(null, [schema.text(HREF, [marks.mono.create()]), nodes.break.create()]);
    const given = new Slice(Fragment.from([nodes.bullets.create(null, item), code, mono]), 3, 1);
    const { content, openStart, openEnd } = linkedSlice(given);
    expect([openStart, openEnd, content.size]).toEqual([3, 1, given.content.size]);
    const doc = nodes.doc.create(null, content);
    doc.check();
    const links: string[] = [];
    doc.descendants((node) => {
      const link = marks.link.isInSet(node.marks);
      if (link)
        links.push(
          `${node.text} ${String(link.attrs['href'])} ${String(marks.strong.isInSet(node.marks) !== undefined)}`,
        );
    });
    expect(links).toEqual([`${HREF} ${HREF} true`]);
  });
});
