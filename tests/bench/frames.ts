/** Rows 1 and 2: what sealing and opening a frame costs, in microseconds and in bytes. */
import { openWorkerPage } from './inWorker.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, median } from './measure.ts';
import type { Contender, ForgedResult, FramesResult } from './pages/frames.worker.ts';

const SIZES = [160, 1200, 5000, 30_000] as const;
const CONTENDERS: readonly Contender[] = ['parley', 'raw', 'livekit'];

/** Results of every contender and size, round by round; and how many changed frames of ours were refused. */
async function measure(
  rounds: number,
  count: number,
): Promise<{ results: Map<string, FramesResult[]>; refused: number }> {
  const page = await openWorkerPage(new URL('pages/frames.worker.ts', import.meta.url));
  try {
    let refused = 0;
    const results = new Map<string, FramesResult[]>();
    // One unrecorded round first.
    for (let round = -1; round < rounds; round++) {
      for (const size of SIZES) {
        for (const contender of CONTENDERS) {
          const result = await page.run<FramesResult>({ contender, size, count });
          if (result.intact !== count)
            throw new Error(`${contender}: ${result.intact} of ${count} frames of ${size} B came back`);
          const key = `${contender} ${size}`;
          if (round >= 0) results.set(key, [...(results.get(key) ?? []), result]);
        }
      }
    }
    for (const size of SIZES) {
      const { tried, opened, intact } = await page.run<ForgedResult>({ forged: size });
      if (opened > 0 || !intact) throw new Error(`${opened} of ${tried} changed frames of ${size} B were opened`);
      refused += tried;
    }
    return { results, refused };
  } finally {
    await page.close();
  }
}

function of(
  results: Map<string, FramesResult[]>,
  contender: Contender,
  size: number,
  what: keyof FramesResult,
): number[] {
  return (results.get(`${contender} ${size}`) ?? []).map((result) => result[what]);
}

export const sealing: Bench = {
  row: 1,
  name: 'sealing',
  title: 'Sealing and opening a frame, dedicated worker',
  async run({ rounds, quick }) {
    const count = quick ? 500 : 3000;
    const { results } = await measure(rounds, count);
    const figures: Figure[] = [];
    for (const size of SIZES) {
      for (const what of ['seal', 'open'] as const) {
        const ours = of(results, 'parley', size, what);
        figures.push(
          figure(`${what} ${size} B`, 'µs', ours, of(results, 'raw', size, what), {
            against: 'raw WebCrypto',
            limit: 1.15,
          }),
        );
        figures.push(
          figure(`${what} ${size} B`, 'µs', ours, of(results, 'livekit', size, what), {
            against: 'livekit-client',
            limit: 0.7,
          }),
        );
      }
    }
    return {
      figures,
      checked: [`${count} frames of each size came back byte for byte, in each round and from each contender`],
    };
  },
};

export const overhead: Bench = {
  row: 2,
  name: 'overhead',
  title: 'Bytes added per frame',
  async run() {
    const { results, refused } = await measure(1, 300);
    const figures = SIZES.map((size): Figure => {
      const ours = median(of(results, 'parley', size, 'added'));
      const other = median(of(results, 'livekit', size, 'added'));
      return {
        what: `${size} B`,
        unit: 'B',
        ours,
        other,
        ratio: ours / other,
        against: 'livekit-client',
        target: '≤ 22 B',
        met: ours <= 22,
      };
    });
    return {
      figures,
      checked: [
        '300 frames of each size came back byte for byte',
        `prefix and header are authenticated: each of their bits, and one of the tag, was changed in a frame of each size; ${refused} of ${refused} were refused, and the same frames untouched were opened`,
      ],
    };
  },
};
