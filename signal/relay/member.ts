/** One of the relays that a server may use. */
import type { RelayId, RelayPort } from '../protocol/relayControl.ts';

export interface PoolMember {
  readonly id: RelayId;
  readonly region: string;
  readonly port: RelayPort;
}
