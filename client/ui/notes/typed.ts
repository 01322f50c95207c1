/**
 * What is made of what somebody types or pastes: signs of Markdown become headings, lists and marks, and web addresses become links. The key
 * Backspace takes back what typing has just made. Nothing is fetched, and an address leads where it says: both are the same text.
 */
import { InputRule, inputRules, textblockTypeInputRule, wrappingInputRule } from 'prosemirror-inputrules';
import { Fragment, Slice, type MarkType, type Node, type NodeType } from 'prosemirror-model';
import { Plugin, type EditorState, type Transaction } from 'prosemirror-state';
import { safeHref, schema } from './schema.ts';

const { nodes, marks } = schema;

/** Where one stands in front of it: after a letter or a digit it is a sum, or part of a name. */
const BEFORE = String.raw`(^|[\s([{"'“‘«/\-–—*_~])`;
const ADDRESS = /\b(?:https?:\/\/[^\s"'<>`\\/?#]|mailto:[^\s"'<>`\\@]+@)[^\s"<>`\\]*/giu;
/** In characters, before the cursor. */
const LONGEST = 2100;

export interface Address {
  /** In the text that it was found in. */
  readonly from: number;
  readonly to: number;
  readonly href: string;
}

/** Addresses in a line of text, without the signs of the sentence around them. */
export function addressesIn(text: string): Address[] {
  return [...text.matchAll(ADDRESS)].flatMap(({ 0: found, index: from }) => {
    const address = withoutEnd(found);
    const href = safeHref(address.replaceAll("'", '%27'));
    return href === null ? [] : [{ from, to: from + address.length, href }];
  });
}

/** As GitHub's autolinks: a bracket belongs to it if it was opened in it. */
function withoutEnd(address: string): string {
  let end = address.length;
  let open = [...address].filter((sign) => sign === ')').length - [...address].filter((sign) => sign === '(').length;
  for (; end > 0; end--) {
    const last = address[end - 1]!;
    if (last === ')' && open > 0) open--;
    else if (!`.,;:!?*_~]}'”’»`.includes(last)) break;
  }
  return address.slice(0, end);
}

/** For a sign before and behind some words; `**`, for one, where a single one means something else. */
function markRule(sign: string, type: MarkType): InputRule {
  const [of, letter] = [sign.replaceAll('*', String.raw`\*`), sign[0] === '*' ? String.raw`\*` : sign[0]!];
  const pattern = new RegExp(String.raw`${BEFORE}${of}([^\s${letter}](?:[^${letter}]*[^\s${letter}])?)${of}$`, 'u');
  return new InputRule(
    pattern,
    (state, match, start, end) => {
      const [, before, words] = match as unknown as [string, string, string];
      // Of two signs the second one begins nothing.
      if (before === sign[0]) return null;
      const opening = start + before.length;
      const from = opening + sign.length;
      const to = from + words.length;
      if (to > end || state.doc.textBetween(from, to, null, '\ufffc') !== words) return null;
      if (!state.doc.resolve(from).parent.type.allowsMarkType(type)) return null;
      return state.tr
        .delete(to, end)
        .delete(opening, from)
        .addMark(opening, opening + words.length, type.create())
        .removeStoredMark(type);
    },
    { inCodeMark: false },
  );
}

/** Whoever writes lists as in Markdown begins each line with the sign, which stands there already. */
function lineRule(match: RegExp, list: NodeType): InputRule {
  return new InputRule(match, ({ doc, tr }, _match, start, end) => {
    const $start = doc.resolve(start);
    const isFirst = $start.depth > 2 && $start.index($start.depth - 1) === 0;
    return isFirst && $start.node($start.depth - 2).type === list ? tr.delete(start, end) : null;
  });
}

/** Links the word before a blank that is typed. */
const addressRule = new InputRule(
  /(\S+)(\s)$/u,
  ({ tr }, match, start, end) => {
    const [, word, blank] = match as unknown as [string, string, string];
    const to = start + word.length;
    return to <= end && linked(tr, start, to) ? tr.insertText(blank, to, end) : null;
  },
  { inCodeMark: false },
);

/** @returns whether something between has become a link */
function linked(tr: Transaction, from: number, to: number): boolean {
  const { doc } = tr;
  let is = false;
  for (const address of addressesIn(doc.textBetween(from, to, null, '\ufffc'))) {
    const [start, end] = [from + address.from, from + address.to];
    if (doc.rangeHasMark(start, end, marks.link) || doc.rangeHasMark(start, end, marks.mono)) continue;
    tr.addMark(start, end, marks.link.create({ href: address.href }));
    is = true;
  }
  return is;
}

export function rules(): Plugin {
  return inputRules({
    rules: [
      textblockTypeInputRule(/^(#{1,3})\s$/, nodes.heading, (match) => ({ level: match[1]!.length })),
      textblockTypeInputRule(/^```$/, nodes.code),
      wrappingInputRule(/^\s*>\s$/, nodes.quote),
      wrappingInputRule(/^\s*[-*]\s$/, nodes.bullets),
      wrappingInputRule(/^1[.)]\s$/, nodes.numbers),
      wrappingInputRule(/^\[\s?\]\s$/, nodes.checks),
      lineRule(/^\s*[-*]\s$/, nodes.bullets),
      lineRule(/^\d{1,3}[.)]\s$/, nodes.numbers),
      lineRule(/^\[\s?\]\s$/, nodes.checks),
      markRule('**', marks.strong),
      markRule('*', marks.em),
      markRule('~~', marks.strike),
      markRule('`', marks.mono),
      addressRule,
    ],
  });
}

/** The same for a line that ends, and for what is pasted or dropped. */
export function addresses(): Plugin {
  return new Plugin({
    props: {
      handleKeyDown(view, event) {
        if (event.key !== 'Enter' || view.composing) return false;
        const tr = lineLinked(view.state);
        if (tr !== null) view.dispatch(tr);
        return false;
      },
      transformPasted: (slice, view) =>
        view.state.selection.$from.parent.type.spec.code === true ? slice : linkedSlice(slice),
    },
  });
}

/** With links for the addresses in the word before the cursor; null: there are none. */
export function lineLinked({ selection: { $from, empty }, tr }: EditorState): Transaction | null {
  if (!empty || $from.parent.type.spec.code === true) return null;
  const before = $from.parent.textBetween(
    Math.max(0, $from.parentOffset - LONGEST),
    $from.parentOffset,
    null,
    '\ufffc',
  );
  const word = /\S+$/u.exec(before)?.[0];
  return word !== undefined && linked(tr, $from.pos - word.length, $from.pos) ? tr : null;
}

export function linkedSlice({ content, openStart, openEnd }: Slice): Slice {
  return new Slice(linkedContent(content), openStart, openEnd);
}

function linkedContent(content: Fragment): Fragment {
  return Fragment.from(
    content.content.flatMap((node) => {
      if (node.isText) return linkedText(node);
      return node.isLeaf || node.type.spec.code === true ? [node] : [node.copy(linkedContent(node.content))];
    }),
  );
}

function linkedText(node: Node): Node[] {
  if (marks.link.isInSet(node.marks) || marks.mono.isInSet(node.marks)) return [node];
  const pieces: Node[] = [];
  let end = 0;
  for (const { from, to, href } of addressesIn(node.text ?? '')) {
    if (from > end) pieces.push(node.cut(end, from));
    const piece = node.cut(from, to);
    pieces.push(piece.mark(marks.link.create({ href }).addToSet(piece.marks)));
    end = to;
  }
  return end < node.nodeSize ? [...pieces, node.cut(end)] : pieces;
}
