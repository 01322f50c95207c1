/** Row 13: what group operations cost at 2 to 100 members, against ts-mls called bare. */
import { openWorkerPage } from './inWorker.ts';
import { commitsForStorm } from './joinStorm.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, interleave } from './measure.ts';
import type { GroupResult, Operation } from './pages/group.worker.ts';

const SIZES = [2, 10, 30, 100] as const;

export const groups: Bench = {
  row: 13,
  name: 'groups',
  title: 'Group operations (X-Wing)',
  async run({ rounds, quick, say }) {
    const repetitions = quick ? 1 : 3;
    const page = await openWorkerPage(new URL('pages/group.worker.ts', import.meta.url));
    const figures: Figure[] = [];
    try {
      for (const size of SIZES) {
        const measure = (side: 'parley' | 'bare') => async (): Promise<Record<Operation, number>> => {
          const result = await page.run<GroupResult>({ side, size, repetitions });
          if (!result.agreed || result.members !== size + 20)
            throw new Error(`${side}: members of a group of ${size} disagree`);
          return result.ms;
        };
        const { ours, other } = await interleave(rounds, measure('parley'), measure('bare'), !quick);
        for (const operation of Object.keys(ours[0]!) as Operation[]) {
          const of = (results: Record<Operation, number>[]): number[] => results.map((ms) => ms[operation]);
          figures.push(
            figure(`${operation}, ${size} members`, 'ms', of(ours), of(other), { against: 'bare ts-mls', limit: 1.2 }),
          );
        }
        say(`${size} members done`);
      }
    } finally {
      await page.close();
    }
    const storm = async (spreadMs: number): Promise<number> => {
      const commits: number[] = [];
      for (let seed = 1; seed <= (quick ? 1 : 3); seed++)
        commits.push(await commitsForStorm({ members: 4, spreadMs, seed }));
      return Math.max(...commits);
    };
    const common = { unit: '' as const, other: null, ratio: null, against: '' };
    const [together, spread] = [await storm(1), await storm(120)];
    figures.push(
      { what: 'commits for 20 joins at once', ours: together, target: '1 commit', met: together === 1, ...common },
      { what: 'commits for 20 joins over wires of 1 to 120 ms', ours: spread, target: '', met: null, ...common },
    );
    return {
      figures,
      checked: [
        'committer and follower had the same exporter secret after every operation, whoever joined too, and all members were there',
        'commits are those of real sessions (tests/scenario); after them all 24 saw and opened one another',
      ],
    };
  },
};
