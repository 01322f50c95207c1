/**
 * How a figure is made: us and the other interleaved, A B A B, a ratio per round, and the median of the ratios.
 *
 * A machine that is slower in one round is slower for both, so the ratio holds where absolute numbers do not.
 */

export interface Figure {
  /** What was measured, with size or count. */
  what: string;
  unit: 'µs' | 'ms' | 's' | 'B' | 'KiB' | 'fps' | '% CPU' | 'packets/s' | '';
  /** Medians over the rounds. */
  ours: number;
  /** null where there is nothing to compare with. */
  other: number | null;
  /** Median of the rounds' ours ÷ other. */
  ratio: number | null;
  /** Whose number `other` is. */
  against: string;
  target: string;
  /** null where the target does not speak of this figure. */
  met: boolean | null;
}

export interface Report {
  row: number;
  title: string;
  figures: Figure[];
  /** What was checked in the same run, so that a broken direction does not look fast. */
  checked: string[];
  /** What follows from the figures, each below a sentence of its own. */
  tables?: { title: string; head: string[]; rows: string[][] }[];
  rounds: number;
}

export interface Bench {
  row: number;
  name: string;
  title: string;
  run(options: {
    rounds: number;
    quick: boolean;
    /** Whatever is loaded comes from the network, as on a machine that has never had it. */
    emptyCaches: boolean;
    say: (line: string) => void;
  }): Promise<Omit<Report, 'row' | 'title' | 'rounds'>>;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @param q 0 … 1; interpolated between neighbours */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}

/** Runs A B A B …. One unrecorded round first, unless `warm` is false. */
export async function interleave<A, B>(
  rounds: number,
  ours: () => Promise<A>,
  other: () => Promise<B>,
  warm = true,
): Promise<{ ours: A[]; other: B[] }> {
  const result = { ours: [] as A[], other: [] as B[] };
  for (let round = warm ? -1 : 0; round < rounds; round++) {
    const a = await ours();
    const b = await other();
    if (round < 0) continue;
    result.ours.push(a);
    result.other.push(b);
  }
  return result;
}

/** Runs A B C …, A B C …: each by its name, for where one is compared with several. One unrecorded round first where `warm` is true. */
export async function takeTurns<K extends string, R>(
  rounds: number,
  names: readonly K[],
  run: (name: K) => Promise<R>,
  warm = false,
): Promise<Record<K, R[]>> {
  const results = Object.fromEntries(names.map((name) => [name, [] as R[]])) as Record<K, R[]>;
  for (let round = warm ? -1 : 0; round < rounds; round++) {
    for (const name of names) {
      const result = await run(name);
      if (round >= 0) results[name].push(result);
    }
  }
  return results;
}

/** A figure of rounds; `limit` is the largest ratio that meets the target. */
export function figure(
  what: string,
  unit: Figure['unit'],
  ours: readonly number[],
  other: readonly number[],
  { against, limit, target }: { against: string; limit?: number; target?: string },
): Figure {
  const ratio = median(ours.map((value, i) => value / other[i]!));
  return {
    what,
    unit,
    ours: median(ours),
    other: median(other),
    ratio,
    against,
    target: target ?? (limit === undefined ? '' : `≤ ${limit} ×`),
    met: limit === undefined ? null : ratio <= limit,
  };
}
