/** What happens to the page around a meeting: its network changes, it is closed, time goes by. */

export interface PageTargets {
  /** Another network, or one again. */
  moved: () => void;
  /** The page is being closed for good. */
  closing: () => void;
  tick: () => void;
}

/** Frozen pictures and long waits change with time alone. */
const REFRESH_MS = 1000;

/** @returns how to stop */
export function watchPage({ moved, closing, tick }: PageTargets): () => void {
  const timer = setInterval(tick, REFRESH_MS);
  const connection = (navigator as Navigator & { connection?: EventTarget }).connection;
  // A page that the browser only puts aside may come back, and resumes.
  const hidden = ({ persisted }: PageTransitionEvent) => {
    if (!persisted) closing();
  };
  globalThis.addEventListener('online', moved);
  globalThis.addEventListener('pagehide', hidden);
  connection?.addEventListener('change', moved);
  return () => {
    clearInterval(timer);
    globalThis.removeEventListener('online', moved);
    globalThis.removeEventListener('pagehide', hidden);
    connection?.removeEventListener('change', moved);
  };
}
