/** Several people who watch each other: the longest time that one stood still for another, and what was held back for want of a key. */
import type { Person } from './person.ts';

/** Everybody begins to write down what everybody's tile shows, their own mirror too. */
export async function watchEachOther(people: readonly Person[]): Promise<void> {
  for (const person of people) for (const other of people) await person.watch(other.name);
}

/** Longest time without a new picture of `who` since watching began, milliseconds: until now, so that what stopped for good counts. */
export async function longestGap(person: Person, who: Person): Promise<number> {
  const [{ readings }, now] = await Promise.all([
    person.watchedOf(who.name),
    person.page.evaluate(() => performance.timeOrigin + performance.now()),
  ]);
  if (readings.length === 0) return Infinity;
  const times = [...readings.map(({ at }) => at), now];
  return Math.max(...times.slice(1).map((at, i) => at - times[i]!));
}

/**
 * Of all pairs. `stalls` is how long the cameras of both stood still in their own mirrors, which no network and no key comes between:
 * a machine that is busy with other things stops these too.
 */
export async function longestGaps(people: readonly Person[]): Promise<{ pair: string; ms: number; stalls: number }[]> {
  const own = new Map<Person, number>();
  for (const person of people) own.set(person, await longestGap(person, person));
  const gaps: { pair: string; ms: number; stalls: number }[] = [];
  for (const person of people) {
    for (const other of people) {
      if (other === person) continue;
      const ms = Math.round(await longestGap(person, other));
      gaps.push({
        pair: `${person.name} looks at ${other.name}`,
        ms,
        stalls: Math.round(own.get(person)! + own.get(other)!),
      });
    }
  }
  return gaps;
}

/** Frames for those of `people` who are connected that this page's worker has dropped since it had a key for them, by whom they were for. */
export async function heldBack(person: Person, people: readonly Person[]): Promise<Record<string, number>> {
  return person.page.evaluate(
    (names) => {
      const held: Record<string, number> = {};
      for (const tile of document.querySelectorAll('[data-testid=tile][data-self=false]')) {
        const name = tile.getAttribute('data-name') ?? '';
        if (!names.includes(name)) continue;
        for (const { id, side, kind, peer } of parleyProbe.transforms) {
          const counts = parleyProbe.counts[id];
          if (side !== 'send' || peer !== tile.getAttribute('data-peer') || !counts || counts.passed === 0) continue;
          held[`${name} ${kind} ${id}`] = counts.dropped.noKey;
        }
      }
      return held;
    },
    people.map(({ name }) => name as string),
  );
}
