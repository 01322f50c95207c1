/** Many synthetic members in a process of their own, told by crowd.ts what to do. */
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { RealMeeting } from '../../scenario/support/realPerson.ts';
import { SyntheticMember, type MemberReport } from './member.ts';
import { obey } from './orders.ts';

const members = new Map<PeerId, SyntheticMember>();

const handlers = {
  /** All at once. */
  enter: async ({ url, meeting, names }: { url: string; meeting: RealMeeting; names: string[] }): Promise<PeerId[]> =>
    Promise.all(
      names.map(async (name) => {
        const member = new SyntheticMember(url, name);
        const peer = await member.enter(meeting);
        members.set(peer, member);
        return peer;
      }),
    ),
  follow: ({ who, whom }: { who: PeerId; whom: PeerId[] }): void => members.get(who)!.follow(whom),
  report: (_: object): MemberReport[] => [...members.values()].map((member) => member.report()),
  leave: async (_: object): Promise<void> => {
    await Promise.all([...members.values()].map((member) => member.leave()));
    members.clear();
  },
};

export type CrowdOrders = typeof handlers;

obey(handlers);
