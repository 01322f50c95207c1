/** Turns the page's key events into the meeting's actions (shortcuts.ts says which), and push to talk into down and up. */
import { shortcutFor } from './shortcuts.ts';

export interface ShortcutTargets {
  talk: (down: boolean) => void;
  microphone: () => void;
  camera: () => void;
  screen: () => void;
  hand: () => void;
  chat: () => void;
  notes: () => void;
  view: () => void;
  earlier: () => void;
  later: () => void;
  help: () => void;
}

const TYPING = 'input, textarea, select, [contenteditable="true"]';
const PRESSABLE = 'button, a[href], summary, [role="button"], [role="menuitem"]';

/** @returns how to stop; lets go of the microphone if the space bar is down */
export function listenForShortcuts(targets: ShortcutTargets): () => void {
  let isTalking = false;
  // Not `:focus-visible`: Chromium turns it on with the first key, also on a button that a pointer pressed.
  let isPointing = false;
  let focusedByPointer = false;

  const onDown = (event: KeyboardEvent): void => {
    isPointing = false;
    const focus = document.activeElement;
    const action = shortcutFor(event, {
      typing: focus?.matches(TYPING) ?? false,
      // A click leaves the focus on the button it pressed; that must not take the space bar away from talking.
      onButton: !focusedByPointer && (focus?.matches(PRESSABLE) ?? false),
      inDialog:
        document.querySelector('[role="dialog"][data-state="open"], [role="alertdialog"], [role="menu"]') !== null,
      inSheet: (focus?.closest('aside') ?? null) !== null,
    });
    if (action === null) return;
    event.preventDefault();
    if (action !== 'talk') return targets[action]();
    if (!isTalking) targets.talk(true);
    isTalking = true;
  };

  const onUp = (event: KeyboardEvent): void => {
    if (event.key !== ' ' || !isTalking) return;
    // Else the button that was clicked last is pressed again.
    event.preventDefault();
    release();
  };

  const release = (): void => {
    if (isTalking) targets.talk(false);
    isTalking = false;
  };

  const page = new AbortController();
  const { signal } = page;
  addEventListener('pointerdown', () => (isPointing = true), { signal, capture: true });
  addEventListener('focusin', () => (focusedByPointer = isPointing), { signal });
  addEventListener('keydown', onDown, { signal });
  addEventListener('keyup', onUp, { signal });
  // The key may come up somewhere else.
  addEventListener('blur', release, { signal });
  document.addEventListener('visibilitychange', release, { signal });
  return () => {
    page.abort();
    release();
  };
}
