/** Synthetic members, many, in a few processes. */
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { RealMeeting } from '../../scenario/support/realPerson.ts';
import type { CrowdOrders } from './crowdProcess.ts';
import type { MemberReport } from './member.ts';
import { Servant } from './orders.ts';

/** A process has one thread, and a member's keys want some of it at every join. */
const MEMBERS_PER_PROCESS = 28;

export class Crowd {
  readonly #url: string;
  readonly #processes: Servant<CrowdOrders>[] = [];
  /** The last that was started, and how many are in it. */
  #newest: { home: Servant<CrowdOrders>; taken: number } | null = null;
  readonly #homes = new Map<PeerId, Servant<CrowdOrders>>();

  constructor(url: string) {
    this.#url = url;
  }

  /** In the order in which they entered, all of one process at once. */
  get peers(): PeerId[] {
    return [...this.#homes.keys()];
  }

  get pids(): number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** As soon as the server has let them in; the keys come later. */
  async enter(meeting: RealMeeting, count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `Member ${this.#homes.size + i + 1}`);
    const entering: Promise<void>[] = [];
    while (names.length > 0) {
      const { home, room } = this.#homeWithRoom();
      const order = { url: this.#url, meeting, names: names.splice(0, room) };
      entering.push(
        home.order('enter', order).then((peers) => {
          for (const peer of peers) this.#homes.set(peer, home);
        }),
      );
      this.#newest!.taken += order.names.length;
    }
    await Promise.all(entering);
  }

  #homeWithRoom(): { home: Servant<CrowdOrders>; room: number } {
    if (!this.#newest || this.#newest.taken >= MEMBERS_PER_PROCESS) {
      const home = new Servant<CrowdOrders>(new URL('crowdProcess.ts', import.meta.url));
      this.#processes.push(home);
      this.#newest = { home, taken: 0 };
    }
    return { home: this.#newest.home, room: MEMBERS_PER_PROCESS - this.#newest.taken };
  }

  async follow(who: PeerId, whom: PeerId[]): Promise<void> {
    await this.#homes.get(who)!.order('follow', { who, whom });
  }

  async report(): Promise<MemberReport[]> {
    return (await Promise.all(this.#processes.map((home) => home.order('report', {})))).flat();
  }

  async leave(): Promise<void> {
    await Promise.all(this.#processes.map((home) => home.order('leave', {})));
    await this.close();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((home) => home.end()));
    this.#homes.clear();
    this.#newest = null;
  }
}

/** From what a browser shows in its address bar. */
export function meetingOf(link: string): RealMeeting {
  const { pathname, hash } = new URL(link);
  return { id: pathname.split('/').at(-1)! as RealMeeting['id'], secret: hash.slice(1) };
}
