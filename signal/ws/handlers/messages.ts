/** Sealed messages between members. */
import type { Handlers } from '../session.ts';

export const messages: Pick<Handlers, 'message.send'> = {
  'message.send'(session, { to, body, transient }, { service }) {
    const { meeting, peer } = session.in('joined');
    const receivers = to === null ? service.live(meeting).room.peers.size : 1;
    session.spread(body.length * receivers);
    service.apply(meeting, { type: 'message', from: peer, to, body, transient: transient ?? false });
    return {};
  },
};
