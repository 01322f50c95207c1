/**
 * Asks the worker for a sign of life. A worker that owes one for a second is taken for dead: its transforms may hold media back, or
 * worse, so the caller takes the real tracks off. It may come back.
 */

const EVERY_MS = 500;
/** docs/design.md, "Frames". */
const LOST_AFTER_MS = 1000;

export interface PulseOptions {
  /** Resolves when the worker answered. */
  ping: () => Promise<unknown>;
  lost: () => void;
  back: () => void;
}

/** @returns stops asking; idempotent */
export function watchPulse(options: PulseOptions): () => void {
  let stopped = false;
  let lost = false;
  let waiting = 0;
  const beat = () => {
    // One that is owed is asked for no further: a stuck worker would only find a pile of them.
    if (waiting > 0) return;
    waiting++;
    let answered = false;
    const timer = setTimeout(() => {
      // The page itself may have been stuck: let answers that are queued behind this timer come first.
      setTimeout(() => {
        if (answered || stopped || lost) return;
        lost = true;
        options.lost();
      }, 0);
    }, LOST_AFTER_MS);
    options
      .ping()
      .then(() => {
        answered = true;
        if (lost && !stopped) {
          lost = false;
          options.back();
        }
      })
      .catch(() => undefined)
      .finally(() => {
        if (answered) clearTimeout(timer);
        waiting--;
      });
  };
  const interval = setInterval(beat, EVERY_MS);
  beat();
  return () => {
    stopped = true;
    clearInterval(interval);
  };
}
