/** Sealed messages between members. */
import { ProtocolError } from '../../protocol/errors.ts';
import type { Handlers } from '../session.ts';

export const messages: Pick<Handlers, 'message.send'> = {
  'message.send'(session, { to, body, transient }, { service, now }) {
    const { meeting, peer } = session.in('joined');
    const receivers = to === null ? service.live(meeting).room.peers.size : 1;
    const retryAfterMs = session.limits.spread(body.length * receivers, now());
    if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
    service.apply(meeting, { type: 'message', from: peer, to, body, transient: transient ?? false });
    return {};
  },
};
