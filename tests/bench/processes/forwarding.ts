/** A relay in a process of its own: ours, as signal embeds it, bare mediasoup, or Janus. Told by ../forwarder.ts what to do. */
import type { RelayParams } from '../../../signal/protocol/relayControl.ts';
import { startLocalRelay } from '../../relay/support.ts';
import { obey } from '../../support/synthetic/orders.ts';
import { BareRelay } from './bareRelay.ts';
import { JanusRelay, type Opening } from './janusRelay.ts';

type Asked = 'peer.open' | 'transport.connect' | 'produce' | 'consume' | 'consumer.set';
type Answering = { [N in Exclude<Asked, 'peer.open'>]: (params: RelayParams<N>) => Promise<object> } & {
  'peer.open': (params: Opening) => Promise<object>;
};

export type Contender = 'parley' | 'bare' | 'janus';

let answering: Answering;
let stop: () => Promise<void> = async () => undefined;

const handlers = {
  /** @returns process ids of its workers */
  async start({ which }: { which: Contender }): Promise<number[]> {
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
    if (which === 'janus') {
      const janus = await JanusRelay.start();
      answering = {
        'peer.open': (params) => janus.open(params),
        'transport.connect': async () => ({}),
        produce: async () => janus.produced(),
        consume: async () => janus.consumed(),
        'consumer.set': async () => ({}),
      };
      stop = () => janus.close();
      return janus.pids;
    }
    const relay = await startLocalRelay(1);
    answering = {
      'peer.open': ({ meeting, peer }) => relay.request('peer.open', { meeting, peer }),
      'transport.connect': (params) => relay.request('transport.connect', params),
      produce: (params) => relay.request('produce', params),
      consume: (params) => relay.request('consume', params),
      'consumer.set': (params) => relay.request('consumer.set', params),
    };
    return relay.status().workers;
  },
  open: (params: Opening) => answering['peer.open'](params),
  connect: (params: RelayParams<'transport.connect'>) => answering['transport.connect'](params),
  produce: (params: RelayParams<'produce'>) => answering.produce(params),
  consume: (params: RelayParams<'consume'>) => answering.consume(params),
  set: (params: RelayParams<'consumer.set'>) => answering['consumer.set'](params),
  /** What has a process that does not end with this one. */
  stop: (_: object) => stop(),
};

export type ForwardingOrders = typeof handlers;

obey(handlers);
