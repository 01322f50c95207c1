/** Keys of the meeting, and what each does. Letters of the layout count, not places on the keyboard. */

export type ShortcutAction =
  'talk' | 'microphone' | 'camera' | 'screen' | 'hand' | 'chat' | 'notes' | 'view' | 'earlier' | 'later' | 'help';

/** What of a keyboard event decides. */
export interface KeyPress {
  key: string;
  repeat: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

export interface FocusPlace {
  /** A text field has the focus, or a list that finds entries by letters. */
  typing: boolean;
  /** A button has it, and got it by keyboard: space belongs to the button. */
  onButton: boolean;
  /** A dialog or a menu is open. */
  inDialog: boolean;
  /** The focus is in something that scrolls by page. */
  inSheet: boolean;
}

const LETTERS: Record<string, ShortcutAction> = {
  m: 'microphone',
  v: 'camera',
  s: 'screen',
  h: 'hand',
  c: 'chat',
  n: 'notes',
  g: 'view',
  '?': 'help',
};

const PAGES: Record<string, ShortcutAction> = { PageUp: 'earlier', PageDown: 'later' };

/** What a key pressed here asks for; null leaves it to the browser. */
export function shortcutFor(press: KeyPress, place: FocusPlace): ShortcutAction | null {
  if (press.ctrlKey || press.altKey || press.metaKey || place.typing || place.inDialog) return null;
  if (press.key === ' ') return place.onButton ? null : 'talk';
  const turn = PAGES[press.key];
  if (turn !== undefined) return place.inSheet ? null : turn;
  return press.repeat ? null : (LETTERS[press.key.toLowerCase()] ?? null);
}
