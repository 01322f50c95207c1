/** Row 13: what group operations cost at 2 to 100 members, against ts-mls called bare. */
import { openWorkerPage } from './inWorker.ts';
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
    let commits = 0;
    try {
      for (const size of SIZES) {
        const measure = (side: 'parley' | 'bare') => async (): Promise<Record<Operation, number>> => {
          const result = await page.run<GroupResult>({ side, size, repetitions });
          if (!result.agreed || result.members !== size + 20)
            throw new Error(`${side}: members of a group of ${size} disagree`);
          commits = Math.max(commits, result.commitsFor20);
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
    const target = '1 commit';
    figures.push({
      what: 'commits for 20 joins at once',
      unit: '',
      ours: commits,
      other: null,
      ratio: null,
      against: '',
      target,
      met: commits === 1,
    });
    return {
      figures,
      checked: [
        'committer and follower had the same exporter secret after every operation, and all members were there',
      ],
    };
  },
};
