/** Whether bytes could be random: Pearson's chi-square over their histogram (NIST/SEMATECH e-Handbook §1.3.5.15). */

const VALUES = 256;
/**
 * Random bytes are outside of these bounds once in 500,000 times: the quantiles 10⁻⁶ and 1 − 10⁻⁶ for 255 degrees of freedom.
 * Too even is as suspicious as too uneven.
 */
export const CHI_SQUARE = { least: 161, most: 378 } as const;
/** With fewer than five expected of each value the statistic says nothing. */
export const LEAST_SAMPLE = 5 * VALUES;

export function chiSquare(parts: Iterable<Uint8Array>): { bytes: number; chiSquare: number } {
  const counts = new Float64Array(VALUES);
  let bytes = 0;
  for (const part of parts) {
    bytes += part.length;
    for (const byte of part) counts[byte]!++;
  }
  const expected = bytes / VALUES;
  return { bytes, chiSquare: counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) };
}

export function looksRandom(value: number): boolean {
  return value > CHI_SQUARE.least && value < CHI_SQUARE.most;
}
