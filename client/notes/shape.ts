/** Of what notes are made, by the names under which it lies in the document: whatever else an update brings is refused before it counts. */

export const NODES = [
  'paragraph',
  'heading',
  'bullets',
  'numbers',
  'item',
  'checks',
  'check',
  'quote',
  'code',
  'line',
  'break',
];
/** y-prosemirror adds `--` and a hash where one mark lies over itself. */
export const MARKS = ['strong', 'em', 'strike', 'mono', 'link'];

/** Under this name a page's text lies in its document. */
export const ROOT = 'notes';
/** Lists in lists; deeper ones nobody means. */
export const MAX_DEPTH = 32;
