/** A relay in a process of its own: ours, as signal embeds it, or bare mediasoup. Told by ../forwarder.ts what to do. */
import type { RelayParams } from '../../../signal/protocol/relayControl.ts';
import { startLocalRelay } from '../../relay/support.ts';
import { obey } from '../../support/synthetic/orders.ts';
import { BareRelay } from './bareRelay.ts';

type Asked = 'peer.open' | 'transport.connect' | 'produce' | 'consume' | 'consumer.set';
type Answering = { [N in Asked]: (params: RelayParams<N>) => Promise<object> };

let answering: Answering;

const handlers = {
  /** @returns process ids of its workers */
  async start({ which }: { which: 'parley' | 'bare' }): Promise<number[]> {
    if (which === 'bare') {
      const bare = await BareRelay.start();
      answering = {
        'peer.open': (params) => bare.open(params),
        'transport.connect': (params) => bare.connect(params),
        produce: (params) => bare.produce(params),
        consume: (params) => bare.consume(params),
        'consumer.set': (params) => bare.set(params),
      };
      return bare.pids;
    }
    const relay = await startLocalRelay(1);
    answering = {
      'peer.open': (params) => relay.request('peer.open', params),
      'transport.connect': (params) => relay.request('transport.connect', params),
      produce: (params) => relay.request('produce', params),
      consume: (params) => relay.request('consume', params),
      'consumer.set': (params) => relay.request('consumer.set', params),
    };
    return relay.status().workers;
  },
  open: (params: RelayParams<'peer.open'>) => answering['peer.open'](params),
  connect: (params: RelayParams<'transport.connect'>) => answering['transport.connect'](params),
  produce: (params: RelayParams<'produce'>) => answering.produce(params),
  consume: (params: RelayParams<'consume'>) => answering.consume(params),
  set: (params: RelayParams<'consumer.set'>) => answering['consumer.set'](params),
};

export type ForwardingOrders = typeof handlers;

obey(handlers);
