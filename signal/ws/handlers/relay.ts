/** Ways to the relay, and the word that two cannot reach each other without it. */
import { ProtocolError } from '../../protocol/errors.ts';
import type { Handlers } from '../session.ts';

type Relay = Pick<
  Handlers,
  | 'path.failed'
  | 'path.burdened'
  | 'relay.open'
  | 'relay.connect'
  | 'relay.restartIce'
  | 'relay.produce'
  | 'relay.consume'
  | 'relay.set'
  | 'relay.forget'
  | 'relay.close'
>;

export const relay: Relay = {
  'path.failed'(session, { peer, withdrawn = false }, { service }) {
    const place = session.in('joined');
    if (!service.live(place.meeting).room.peers.has(peer)) throw new ProtocolError('peerUnknown');
    service.apply(place.meeting, { type: 'pathFailed', by: place.peer, peer, withdrawn });
    return {};
  },
  'path.burdened'(session, _params, { service }) {
    const { meeting, peer } = session.in('joined');
    service.apply(meeting, { type: 'burdened', by: peer });
    return {};
  },
  'relay.open': (session, _params, { service }) => service.relaying.open(placeOf(session)),
  'relay.connect': (session, params, { service }) => service.relaying.connect(placeOf(session), params),
  'relay.restartIce': (session, params, { service }) => service.relaying.restartIce(placeOf(session), params),
  'relay.produce': (session, params, { service }) => service.relaying.produce(placeOf(session), params),
  'relay.consume': (session, params, { service }) => service.relaying.consume(placeOf(session), params),
  'relay.set': (session, params, { service }) => service.relaying.set(placeOf(session), params),
  'relay.forget': (session, params, { service }) => service.relaying.forget(placeOf(session), params),
  'relay.close'(session, _params, { service }) {
    service.relaying.close(placeOf(session));
    return {};
  },
};

function placeOf(session: Parameters<Relay['relay.open']>[0]) {
  const { meeting, peer } = session.in('joined');
  return { meeting, peer };
}
