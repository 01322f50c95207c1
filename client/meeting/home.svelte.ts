/**
 * What the home screen needs: make a meeting, find where a pasted link leads, and the meetings that this browser knows.
 */
import type { MeetingId } from '../../signal/protocol/ids.ts';
import type { HomeFacade, KnownMeeting } from './view.ts';

class Home implements HomeFacade {
  #known = $state.raw<readonly KnownMeeting[]>([]);
  #creating = $state(false);
  #problem = $state<HomeFacade['problem']>(null);
  get known(): readonly KnownMeeting[] {
    return this.#known;
  }
  get creating(): boolean {
    return this.#creating;
  }
  get problem(): HomeFacade['problem'] {
    return this.#problem;
  }
  async create(_options: { title: string; password: string | null }): Promise<string | null> {
    return null;
  }
  resolve(_text: string): { url: string; hasSecret: boolean } | null {
    return null;
  }
  forget(_meeting: MeetingId): void {}
}

export function createHomeFacade(): HomeFacade {
  return new Home();
}
