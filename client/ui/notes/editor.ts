/**
 * The notes' editor: ProseMirror upon a page's Yjs text. It draws nothing but what the schema has, follows no link by itself, and sets no style but by the
 * browser's own interface, since the page's policy allows no other.
 */
import { baseKeymap, chainCommands, exitCode, setBlockType, toggleMark, wrapIn } from 'prosemirror-commands';
import { undoInputRule } from 'prosemirror-inputrules';
import { keymap } from 'prosemirror-keymap';
import type { NodeType, Slice } from 'prosemirror-model';
import { liftListItem, sinkListItem, splitListItem, wrapInList } from 'prosemirror-schema-list';
import { EditorState, Plugin, PluginKey, type Command, type Transaction } from 'prosemirror-state';
import { Decoration, DecorationSet, EditorView, type NodeViewConstructor } from 'prosemirror-view';
import {
  absolutePositionToRelativePosition,
  redo,
  relativePositionToAbsolutePosition,
  undo,
  ySyncPlugin,
  ySyncPluginKey,
  yUndoPlugin,
} from 'y-prosemirror';
import * as Y from 'yjs';
import type { NotesCursor } from '../../notes/view.ts';
import { markdownOf } from './markdown.ts';
import { levelOf, safeHref, schema } from './schema.ts';
import { addresses, rules } from './typed.ts';

const { nodes, marks } = schema;
/** In characters: more is a file. */
const MAX_PASTE = 60_000;

export interface EditorTerms {
  readonly text: Y.XmlFragment;
  readonly canWrite: () => boolean;
  readonly label: string;
  /** On the box of a checklist's line. */
  readonly doneLabel: string;
  /** Selection, text, or what buttons say of it is another now. */
  readonly changed: () => void;
  readonly moved: (place: { from: Uint8Array; to: Uint8Array } | null) => void;
  /** What was to be pasted is too long. */
  readonly tooLong: () => void;
}

export type Action =
  | 'strong'
  | 'em'
  | 'strike'
  | 'mono'
  | 'title'
  | 'heading'
  | 'bullets'
  | 'numbers'
  | 'checks'
  | 'quote'
  | 'code'
  | 'undo'
  | 'redo';

const cursorsKey = new PluginKey<DecorationSet>('cursors');

export class Editor {
  readonly view: EditorView;
  readonly #terms: EditorTerms;

  constructor(place: HTMLElement, terms: EditorTerms) {
    this.#terms = terms;
    let isThere = false;
    const drew = ({ selectionSet, docChanged }: Transaction): void => {
      if (isThere && (selectionSet || docChanged)) this.#moved();
      terms.changed();
    };
    this.view = new EditorView(place, {
      state: EditorState.create({ schema, plugins: plugins() }),
      editable: () => terms.canWrite(),
      attributes: () => ({
        role: 'textbox',
        'aria-multiline': 'true',
        'aria-label': terms.label,
        'aria-readonly': String(!terms.canWrite()),
        // Read-only text has to be reached by keys, too.
        tabindex: '0',
        'data-testid': 'notes-text',
      }),
      nodeViews: { check: checkView(terms) },
      handlePaste: (_view, _event, slice) => this.#isTooLong(slice),
      handleDrop: (_view, _event, slice) => this.#isTooLong(slice),
      handleClick: (_view, _pos, event) => followed(event),
      // Also while it is being made: what is written already comes so.
      dispatchTransaction(this: EditorView, transaction) {
        this.updateState(this.state.apply(transaction));
        drew(transaction);
      },
      handleDOMEvents: {
        focus: () => void this.#moved(),
        blur: () => void terms.moved(null),
      },
    });
    isThere = true;
    function plugins(): Plugin[] {
      return [ySyncPlugin(terms.text), yUndoPlugin(), rules(), addresses(), keys(), keymap(baseKeymap), cursors()];
    }
  }

  get markdown(): string {
    return markdownOf(this.view.state.doc);
  }

  get isEmpty(): boolean {
    return this.view.state.doc.textContent === '' && this.view.state.doc.childCount === 1;
  }

  /** Whether the selection is in such text. */
  isActive(action: Action): boolean {
    const { state } = this.view;
    const { from, to, empty, $from } = state.selection;
    const mark = marks[action];
    if (mark !== undefined)
      return empty
        ? mark.isInSet(state.storedMarks ?? $from.marks()) !== undefined
        : state.doc.rangeHasMark(from, to, mark);
    if (action === 'title' || action === 'heading')
      return $from.parent.type === nodes.heading && levelOf($from.parent.attrs) === (action === 'title' ? 1 : 2);
    return Array.from({ length: $from.depth }, (_, i) => $from.node(i + 1).type.name).includes(action);
  }

  run(action: Action): void {
    if (!this.#terms.canWrite()) return;
    this.#command(action)(this.view.state, this.view.dispatch, this.view);
    this.view.focus();
  }

  /** Where the link leads in which the cursor stands; null: it stands in none. */
  get href(): string | null {
    return this.#link?.href ?? null;
  }

  /** For what is selected, or the link in which the cursor stands, or else the address itself. @returns false for one that may not be followed */
  link(href: string): boolean {
    const safe = safeHref(href);
    if (safe === null) return false;
    const { tr, selection } = this.view.state;
    const mark = marks.link.create({ href: safe });
    const { from, to } = selection.empty ? (this.#link ?? selection) : selection;
    this.view.dispatch(from === to ? tr.insert(from, schema.text(safe, [mark])) : tr.addMark(from, to, mark));
    this.view.focus();
    return true;
  }

  /** Its words stay. */
  unlink(): void {
    const link = this.#link;
    if (link !== null) this.view.dispatch(this.view.state.tr.removeMark(link.from, link.to, marks.link));
    this.view.focus();
  }

  /** Whether it may be written is another now. */
  refresh(): void {
    this.view.setProps({});
  }

  show(cursors: readonly NotesCursor[]): void {
    this.view.dispatch(this.view.state.tr.setMeta(cursorsKey, this.#drawn(cursors)).setMeta('addToHistory', false));
  }

  destroy(): void {
    this.view.destroy();
  }

  get #link(): { from: number; to: number; href: string } | null {
    const { $from } = this.view.state.selection;
    const mark = marks.link.isInSet($from.marks());
    const href = safeHref(mark?.attrs['href']);
    if (mark === undefined || href === null) return null;
    let [from, to] = [$from.start(), $from.start()];
    for (const child of $from.parent.children) {
      if (!mark.isInSet(child.marks)) {
        if (to >= $from.pos) break;
        from = to + child.nodeSize;
      }
      to += child.nodeSize;
    }
    return { from, to, href };
  }

  #command(action: Action): Command {
    const mark = marks[action];
    if (mark !== undefined) return toggleMark(mark);
    switch (action) {
      case 'undo':
        return undo;
      case 'redo':
        return redo;
      case 'title':
      case 'heading':
        return this.isActive(action)
          ? setBlockType(nodes.paragraph)
          : setBlockType(nodes.heading, { level: action === 'title' ? 1 : 2 });
      case 'code':
        return setBlockType(this.isActive('code') ? nodes.paragraph : nodes.code);
      case 'quote':
        return wrapIn(nodes.quote);
      case 'checks':
        return this.isActive(action) ? liftListItem(nodes.check) : wrapInList(nodes.checks);
      default:
        return this.isActive(action) ? liftListItem(nodes.item) : wrapInList(nodes[action] as NodeType);
    }
  }

  /** Then it is not taken in, and what is selected stays. */
  #isTooLong({ content }: Slice): boolean {
    if (content.size <= MAX_PASTE) return false;
    this.#terms.tooLong();
    return true;
  }

  #moved(): void {
    const { state } = this.view;
    const sync = ySyncPluginKey.getState(state) as { type: Y.XmlFragment; binding: { mapping: never } } | undefined;
    if (sync === undefined || !this.view.hasFocus()) return;
    const { anchor, head } = state.selection;
    const placed = (pos: number): Uint8Array =>
      Y.encodeRelativePosition(absolutePositionToRelativePosition(pos, sync.type, sync.binding.mapping));
    try {
      this.#terms.moved({ from: placed(anchor), to: placed(head) });
    } catch {
      // In the middle of a change from elsewhere: the next one tells.
    }
  }

  #drawn(cursors: readonly NotesCursor[]): DecorationSet {
    const { state } = this.view;
    const sync = ySyncPluginKey.getState(state) as { type: Y.XmlFragment; doc: Y.Doc; binding: { mapping: never } };
    const at = (bytes: Uint8Array): number | null => {
      try {
        const place = Y.decodeRelativePosition(bytes);
        const pos = relativePositionToAbsolutePosition(sync.doc, sync.type, place, sync.binding.mapping);
        return pos === null ? null : Math.min(pos, state.doc.content.size);
      } catch {
        return null;
      }
    };
    const drawn = cursors.flatMap(({ id, name, colour, from, to }) => {
      const [anchor, head] = [at(from), at(to)];
      if (anchor === null || head === null) return [];
      const caret = Decoration.widget(head, () => caretOf(name, colour), { key: `${id} ${name}`, side: 10 });
      if (anchor === head) return [caret];
      const [start, end] = [Math.min(anchor, head), Math.max(anchor, head)];
      return [caret, Decoration.inline(start, end, { class: `notes-selection person-${colour}` })];
    });
    return DecorationSet.create(state.doc, drawn);
  }
}

function caretOf(name: string, colour: number): HTMLElement {
  const caret = document.createElement('span');
  caret.className = `notes-caret person-${colour}`;
  // Who is where changes with each key: read aloud it would be noise.
  caret.setAttribute('aria-hidden', 'true');
  const label = document.createElement('span');
  label.textContent = name;
  caret.append(label);
  return caret;
}

function cursors(): Plugin<DecorationSet> {
  return new Plugin<DecorationSet>({
    key: cursorsKey,
    state: {
      init: () => DecorationSet.empty,
      apply: (transaction, before) =>
        (transaction.getMeta(cursorsKey) as DecorationSet | undefined) ??
        before.map(transaction.mapping, transaction.doc),
    },
    props: { decorations: (state) => cursorsKey.getState(state) },
  });
}

function keys(): Plugin {
  const newLine: Command = (state, dispatch) => {
    dispatch?.(state.tr.replaceSelectionWith(nodes.break.create()).scrollIntoView());
    return true;
  };
  return keymap({
    'Mod-z': undo,
    'Mod-y': redo,
    'Mod-Shift-z': redo,
    'Mod-b': toggleMark(marks.strong),
    'Mod-i': toggleMark(marks.em),
    'Mod-Shift-x': toggleMark(marks.strike),
    'Mod-e': toggleMark(marks.mono),
    'Mod-Alt-1': setBlockType(nodes.heading, { level: 1 }),
    'Mod-Alt-2': setBlockType(nodes.heading, { level: 2 }),
    'Mod-Alt-0': setBlockType(nodes.paragraph),
    'Mod-Shift-7': wrapInList(nodes.numbers),
    'Mod-Shift-8': wrapInList(nodes.bullets),
    'Mod-Shift-9': wrapInList(nodes.checks),
    'Mod-Enter': (state, dispatch) => toggleDone(state, dispatch),
    Backspace: undoInputRule,
    Enter: chainCommands(splitListItem(nodes.check, { done: false }), splitListItem(nodes.item)),
    'Shift-Enter': chainCommands(exitCode, newLine),
    // Tab leaves the field, unless it is in a list.
    Tab: chainCommands(sinkListItem(nodes.item), sinkListItem(nodes.check)),
    'Shift-Tab': chainCommands(liftListItem(nodes.item), liftListItem(nodes.check)),
  });
}

const toggleDone: Command = (state, dispatch) => {
  const { $from } = state.selection;
  for (let depth = $from.depth; depth > 0; depth--) {
    const node = $from.node(depth);
    if (node.type !== nodes.check) continue;
    dispatch?.(state.tr.setNodeAttribute($from.before(depth), 'done', node.attrs['done'] !== true));
    return true;
  }
  return false;
};

/** A line of a checklist, with a box that can be ticked by pointer and keys. */
function checkView({ canWrite, doneLabel }: EditorTerms): NodeViewConstructor {
  return (node, view, getPos) => {
    const dom = document.createElement('li');
    const tick = document.createElement('label');
    const box = document.createElement('input');
    const contentDOM = document.createElement('div');
    box.type = 'checkbox';
    // Around the box, for fingers: as large as they need it.
    tick.contentEditable = 'false';
    tick.append(box);
    box.setAttribute('aria-label', doneLabel);
    box.addEventListener('change', () => {
      const pos = getPos();
      if (pos !== undefined && canWrite()) view.dispatch(view.state.tr.setNodeAttribute(pos, 'done', box.checked));
    });
    dom.append(tick, contentDOM);
    const draw = (done: boolean): void => {
      box.checked = done;
      box.disabled = !canWrite();
      dom.dataset['done'] = String(done);
    };
    draw(node.attrs['done'] === true);
    return {
      dom,
      contentDOM,
      update: (next) => {
        if (next.type !== node.type) return false;
        draw(next.attrs['done'] === true);
        return true;
      },
      stopEvent: ({ target }) => target instanceof Node && tick.contains(target),
      ignoreMutation: (mutation) => !contentDOM.contains(mutation.target),
    };
  };
}

/** A link in a text that is being written is followed with Ctrl or Cmd; else one could not set the cursor into it. */
function followed(event: MouseEvent): boolean {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const href = safeHref(link?.getAttribute('href'));
  if (href === null || !(event.ctrlKey || event.metaKey)) return false;
  window.open(href, '_blank', 'noopener,noreferrer');
  return true;
}
