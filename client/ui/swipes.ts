/** A finger that moves sideways over something turns its pages. */
import type { Attachment } from 'svelte/attachments';

/** A shorter way, or one that goes up or down as well, is none. */
const LEAST_PX = 60;

/** @param turn  called with 1 for a swipe to the left, as if a page were pushed there; and with -1 */
export function swipes(turn: (by: 1 | -1) => void): Attachment<HTMLElement> {
  return (element) => {
    let began: PointerEvent | null = null;
    const ending = new AbortController();
    const { signal } = ending;
    const down = (event: PointerEvent): void => {
      began = event.pointerType === 'touch' && event.isPrimary ? event : null;
    };
    const up = (event: PointerEvent): void => {
      if (began?.pointerId !== event.pointerId) return;
      const [x, y] = [event.clientX - began.clientX, event.clientY - began.clientY];
      began = null;
      if (Math.abs(x) >= LEAST_PX && Math.abs(x) > 2 * Math.abs(y)) turn(x < 0 ? 1 : -1);
    };
    element.addEventListener('pointerdown', down, { signal });
    element.addEventListener('pointerup', up, { signal });
    element.addEventListener('pointercancel', () => (began = null), { signal });
    return () => ending.abort();
  };
}
