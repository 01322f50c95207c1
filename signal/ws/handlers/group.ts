/** The group's keys change: births, requests to be added, commits, the log. The server orders and forwards; it opens nothing. */
import { commit, commitInvalid, createGroup, disown, log } from '../../meeting/ordering.ts';
import { memberPeers } from '../../meeting/epochs.ts';
import type { MeetingId } from '../../protocol/ids.ts';
import type { Context, Handlers } from '../session.ts';

type Group = Pick<
  Handlers,
  | 'group.create'
  | 'group.requestAdd'
  | 'group.commit'
  | 'group.log'
  | 'group.commitInvalid'
  | 'group.disown'
  | 'group.entered'
>;

export const group: Group = {
  'group.create'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    return createGroup(service, meeting, peer, params);
  },

  'group.requestAdd'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    session.spread((params.keyPackage.length + params.admission.length) * membersOf(service, meeting));
    service.apply(meeting, { type: 'requestAdd', by: peer, ...params });
    return {};
  },

  'group.commit'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    const { commit: bytes, welcome, added, rotation } = params;
    const toAll = bytes.length + (rotation?.letter.length ?? 0);
    session.spread(toAll * membersOf(service, meeting) + (welcome?.length ?? 0) * added.length);
    return commit(service, meeting, peer, params);
  },

  'group.log'(session, params, { service }) {
    return log(service, session.in('joined').meeting, params);
  },

  'group.entered'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    service.apply(meeting, { type: 'entered', by: peer, ...params });
    return {};
  },

  async 'group.commitInvalid'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    await commitInvalid(service, meeting, peer, params);
    return {};
  },

  async 'group.disown'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    await disown(service, meeting, peer, params);
    return {};
  },
};

function membersOf(service: Context['service'], meeting: MeetingId): number {
  return memberPeers(service.live(meeting).room).length;
}
