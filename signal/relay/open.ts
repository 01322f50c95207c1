/** Config → the relays of this server: the one in this process, and a door for those on other hosts. */
import type { Config, RelayConfig } from '../config.ts';
import type { RelayPort } from '../protocol/relayControl.ts';
import { LateRelay } from '../relays.ts';
import { EMBEDDED, RelayDoor } from './door.ts';
import { RelayPool } from './pool.ts';

/** Peers that one worker in this process is meant for: it shares the machine with signal. */
const PEERS_PER_WORKER = 150;

export interface Relays {
  readonly pool: RelayPool;
  /** Null: no other host's relay is let in. */
  readonly door: RelayDoor | null;
  /** Resolves when it is known whether the relay in this process is there. */
  readonly looked: Promise<void>;
}

/** @returns null where there is to be no relay at all */
export function openRelays(
  { relay, relaySecret: secret, region }: Config,
  on: { error: (error: unknown) => void; log: (words: string) => void },
  given?: RelayPort,
): Relays | null {
  if (!relay && secret === null && !given) return null;
  const pool = new RelayPool(region, on.error);
  const embedded = relay && !given ? embed(relay, on.error) : null;
  const port = given ?? embedded;
  if (port) pool.add({ id: EMBEDDED, region, port });
  const door = secret === null ? null : new RelayDoor({ secret, pool, log: on.log });
  return { pool, door, looked: embedded?.looked ?? Promise.resolve() };
}

/** The one place where signal reaches into relay/. Its mediasoup is loaded only where a relay is wanted. */
function embed({ workers: count, port, addresses }: RelayConfig, onError: (error: unknown) => void): LateRelay {
  const start = async () => {
    const { hasWorker, startRelay } = await import('../../relay/relay.ts');
    if (!hasWorker()) return null;
    const { ip, announced } = addresses[0]!;
    const pipes = { protocol: 'udp' as const, ip, ...(announced === null ? {} : { announcedAddress: announced }) };
    return startRelay({ count, capacity: count * PEERS_PER_WORKER, listen: { addresses, port }, pipes, onError });
  };
  return new LateRelay({ start, onError });
}
