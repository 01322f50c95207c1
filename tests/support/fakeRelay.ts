/**
 * A relay that is ready and carries nothing: for tests of signal in which meetings are larger than a mesh, and which are not about
 * media. So they need no worker. Whoever wants transports of it is told that there are none now; closing always works.
 */
import { ProtocolError } from '../../signal/protocol/errors.ts';
import type { RelayParams, RelayPort, RelayRequestName, RelayResult } from '../../signal/protocol/relayControl.ts';

export class FakeRelay implements RelayPort {
  readonly isReady = true;
  readonly load = 0;

  request<N extends RelayRequestName>(name: N, _params: RelayParams<N>): Promise<RelayResult<N>> {
    if (name === 'peer.close' || name === 'room.close') return Promise.resolve({} as RelayResult<N>);
    return Promise.reject(new ProtocolError('relayUnavailable'));
  }

  onEvent(): void {
    // Nothing ever happens in it.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
