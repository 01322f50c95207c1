/** Why no meeting could be made, in words. */
import type { HomeFacade } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';

export function homeProblemWords(problem: NonNullable<HomeFacade['problem']>['reason']): string {
  switch (problem) {
    case 'offline':
      return m.home_problem_offline();
    case 'tooMany':
      return m.home_problem_tooMany();
    case 'internal':
      return m.home_problem_internal();
    case 'storage':
      return m.home_problem_storage();
  }
}
