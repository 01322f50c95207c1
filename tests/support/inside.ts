/** What a page's worker has told it, and what the page shows of that. */
import type { Name, Person } from './person.ts';

declare global {
  var parleyStates: Record<string, string[]> | undefined;
  var parleyShown: Set<string> | undefined;
}

/** Newest epoch that the page was told. */
export const epochOf = (person: Person): Promise<number> =>
  person.page.evaluate(() => parleyProbe.notices.findLast((notice) => notice.type === 'members')?.epoch ?? -1);

/** How many hold the keys, oneself among them. */
export const membersOf = (person: Person): Promise<number> =>
  person.page.evaluate(() => parleyProbe.notices.findLast((notice) => notice.type === 'members')?.members.length ?? 0);

/** Changes with every epoch, and differs between two halves of a group that call theirs by the same number. */
export const authenticatorOf = (person: Person): Promise<string> =>
  person.page.evaluate(
    () => parleyProbe.notices.findLast((notice) => notice.type === 'members')?.authenticator.join(' ') ?? '',
  );

/** Frames of a peer that this page's worker has opened. */
export const openedFrom = (viewer: Person, peer: string): Promise<number> =>
  viewer.page.evaluate(
    (peer) =>
      parleyProbe.transforms
        .filter((options) => options.side === 'receive' && options.peer === peer)
        .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
    peer,
  );

/**
 * Of everybody whose tile is shown, the newest transforms that passed nothing, as "Ben send camera": 0 frames are a failure, of screens
 * too, since each kind begins with a black picture or silence. What was tried with who has left since does not count.
 */
export const idleTransforms = (person: Person): Promise<string[]> =>
  person.page.evaluate(() => {
    const idle: string[] = [];
    for (const tile of document.querySelectorAll('[data-testid=tile][data-self=false]')) {
      for (const side of ['send', 'receive']) {
        for (const kind of ['microphone', 'camera', 'screen', 'screenAudio']) {
          const newest = parleyProbe.transforms.findLast(
            (options) =>
              options.peer === tile.getAttribute('data-peer') && options.side === side && options.kind === kind,
          );
          if ((parleyProbe.counts[newest?.id ?? '']?.passed ?? 0) === 0)
            idle.push(`${tile.getAttribute('data-name')} ${side} ${kind}`);
        }
      }
    }
    return idle;
  });

/** Frames of a peer and kind that this page's worker has dropped, by reason. */
export const droppedFrom = (viewer: Person, peer: string, kind: string): Promise<Record<string, number>> =>
  viewer.page.evaluate(
    ({ peer, kind }) => {
      const sums: Record<string, number> = {};
      for (const options of parleyProbe.transforms) {
        if (options.side !== 'receive' || options.peer !== peer || options.kind !== kind) continue;
        const dropped = Object.entries(parleyProbe.counts[options.id]?.dropped ?? {});
        for (const [reason, frames] of dropped) sums[reason] = (sums[reason] ?? 0) + frames;
      }
      return sums;
    },
    { peer, kind },
  );

/** Alarms of the worker, oldest first. */
export const alarmsOf = (person: Person): Promise<string[]> =>
  person.page.evaluate(() => parleyProbe.notices.flatMap((notice) => (notice.type === 'alarm' ? [notice.alarm] : [])));

/** True while the page shows one of these lines to the person who sits before it. */
export async function showsNotice(person: Person, ...keys: string[]): Promise<boolean> {
  const selector = keys.map((key) => `[data-testid="notice"][data-key="${key}"]`).join();
  return person.page.locator(selector).first().isVisible();
}

/** Writes down every line of news that this page shows from now on: some go by themselves. */
export async function recordNotices(person: Person): Promise<void> {
  await person.page.evaluate(() => {
    const shown = (globalThis.parleyShown = new Set<string>());
    const look = (): void => {
      for (const notice of document.querySelectorAll('[data-testid=notice]'))
        shown.add(notice.getAttribute('data-key')!);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
  });
}

/** Keys of what was shown since. */
export const noticesOf = (person: Person): Promise<string[]> =>
  person.page.evaluate(() => [...(globalThis.parleyShown ?? [])]);

/** Writes down every state that this page shows for somebody from now on, also one that lasts a moment; with its reason, if it gives one. */
export async function recordStates(viewer: Person, who: Name): Promise<void> {
  await viewer.page.evaluate((who) => {
    const states: string[] = [];
    (globalThis.parleyStates ??= {})[who] = states;
    const look = (): void => {
      const tile = document.querySelector(`[data-testid=tile][data-name="${who}"]`);
      const state = [tile?.getAttribute('data-state') ?? 'none', tile?.getAttribute('data-reason')]
        .filter(Boolean)
        .join(' ');
      if (states.at(-1) !== state) states.push(state);
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  }, who);
}

/** In order: `connected`, `unsafe clearFrames` … */
export const statesOf = (viewer: Person, who: Name): Promise<string[]> =>
  viewer.page.evaluate((who) => globalThis.parleyStates?.[who] ?? [], who);
