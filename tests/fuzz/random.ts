/** Chance that can be repeated: mulberry32, 32 bits of state, good enough to try things out and for nothing else. */
export interface Random {
  /** 0 ≤ x < limit, whole */
  below(limit: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (from) => from[Math.floor(next() * from.length)]!,
  };
}

/** Seeds to try: another set each time, or PARLEY_SEED alone. Ten times as many in a soak. */
export function seeds(count: number): number[] {
  const fixed = process.env['PARLEY_SEED'];
  if (fixed) return [Number(fixed)];
  const first = Date.now() % 1_000_000_000;
  return Array.from({ length: process.env['PARLEY_SOAK'] ? 10 * count : count }, (_, index) => first + index);
}
