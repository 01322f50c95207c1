/**
 * Row 9: how many real browsers one call has on this machine before any picture falls below 14 a second: the product in a mesh and at the
 * relay, and the bare call with and without sealing.
 */
import type { Call, Stage } from './appCall.ts';
import { appCall, bareCallOf, openStage, picturesOf, sealedForRelay } from './appCall.ts';
import type { Bench, Figure } from './measure.ts';
import { median, takeTurns } from './measure.ts';

const ENOUGH_FPS = 14;
const FEWEST = 3;
/** As many as the product's mesh takes. */
const MOST = 6;

const WAYS = {
  'bare call': (stage, count) => bareCallOf(stage, count, false),
  'bare call, sealed': (stage, count) => bareCallOf(stage, count, true),
  'ours in a mesh': (stage, count) => appCall(stage, count, { only: 'mesh' }),
  'ours at the relay': (stage, count) => appCall(stage, count, { only: 'relay' }),
} as const satisfies Record<string, (stage: Stage, count: number) => Promise<Call>>;
type Way = keyof typeof WAYS;
const ways = Object.keys(WAYS) as Way[];

export const crowdedCall: Bench = {
  row: 9,
  name: 'crowded',
  title: 'Most people in one call of real browsers on this machine, every picture at 14 a second',
  async run({ rounds, quick, say }) {
    const stage = await openStage({ relay: true });
    try {
      const found = await takeTurns(rounds, ways, (way) => mostBy(stage, way, quick, say));
      const bare = found['bare call'];
      const figures = ways.map((way): Figure => {
        const [ours, other] = [median(found[way].map(({ most }) => most)), median(bare.map(({ most }) => most))];
        const isOurs = way === 'ours in a mesh';
        return {
          what: `${way} (${median(found[way].map(({ fps }) => fps)).toFixed(1)} fps with one more)`,
          unit: '',
          ours,
          other: way === 'bare call' ? null : other,
          ratio: null,
          against: way === 'bare call' ? '' : 'bare call',
          target: isOurs ? '6 people' : '',
          met: isOurs ? ours >= 6 : null,
        };
      });
      return {
        figures,
        checked: [
          'every page read the film’s number from all others’ pictures while they were counted',
          'in the mesh nothing was sealed for the relay, at the relay all was',
        ],
      };
    } finally {
      await stage.close();
    }
  },
};

/** @returns the most with enough pictures, and the slowest picture's rate with one more */
async function mostBy(
  stage: Stage,
  way: Way,
  quick: boolean,
  say: (line: string) => void,
): Promise<{ most: number; fps: number }> {
  for (let count = FEWEST; ; count++) {
    const call = await WAYS[way](stage, count).catch(() => null);
    if (!call) {
      // So many do not see each other within half a minute.
      for (const context of stage.browser.contexts()) await context.close();
      return { most: count - 1, fps: 0 };
    }
    try {
      const fps = await slowest(call, way, quick);
      say(`${way}: ${count} people, ${fps.toFixed(1)} fps at least`);
      if (fps < ENOUGH_FPS || count === MOST) return { most: fps < ENOUGH_FPS ? count - 1 : count, fps };
    } finally {
      await call.close();
    }
  }
}

async function slowest({ pages }: Call, way: Way, quick: boolean): Promise<number> {
  // Encoders find their rate in the first seconds.
  await new Promise((resolve) => setTimeout(resolve, quick ? 2000 : 5000));
  const pictures = await Promise.all(pages.map((page) => picturesOf(page, quick ? 2000 : 5000)));
  if (pictures.some(({ others, strangers }) => others !== pages.length - 1 || strangers > 0))
    throw new Error(`${way}: somebody is not seen`);
  for (const page of way.startsWith('ours') ? pages : []) {
    if ((await sealedForRelay(page)) > 0 !== (way === 'ours at the relay')) throw new Error(`${way}: by the other way`);
  }
  return Math.min(...pictures.map(({ fps }) => fps));
}
