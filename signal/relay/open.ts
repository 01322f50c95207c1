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
  /** Resolves when it is known whether the relay in this process is there, or that takes too long. */
  readonly looked: Promise<void>;
  /** Why the relay in this process did not start; null: it did, may still, or there is to be none. */
  readonly failure: string | null;
}

interface RelayLog {
  error: (error: unknown) => void;
  log: (words: string) => void;
}

/** @returns null where there is to be no relay at all */
export function openRelays(
  { relay, relaySecret: secret, region }: Config,
  on: RelayLog,
  given?: RelayPort,
): Relays | null {
  if (!relay && secret === null && !given) return null;
  const pool = new RelayPool(region, on.error);
  const embedded = relay && !given ? embed(relay, on) : null;
  const port = given ?? embedded;
  if (port) pool.add({ id: EMBEDDED, region, port });
  const door = secret === null ? null : new RelayDoor({ secret, pool, log: on.log });
  return {
    pool,
    door,
    looked: embedded?.looked ?? Promise.resolve(),
    get failure() {
      return embedded?.failure ?? null;
    },
  };
}

/** The one place where signal reaches into relay/. Its mediasoup is loaded only where a relay is wanted. */
function embed({ workers: count, port, addresses }: RelayConfig, on: RelayLog): LateRelay {
  const { error: onError } = on;
  const start = async () => {
    const { hasWorker, startRelay } = await import('../../relay/relay.ts');
    if (!hasWorker()) return null;
    const { ip, announced } = addresses[0]!;
    const pipes = { protocol: 'udp' as const, ip, ...(announced === null ? {} : { announcedAddress: announced }) };
    return startRelay({ count, capacity: count * PEERS_PER_WORKER, listen: { addresses, port }, pipes, onError });
  };
  const explain = (error: unknown) => {
    const words = whyNotStarted(error, port);
    on.log(`The relay does not start, and meetings stay small: ${words}`);
    return words;
  };
  return new LateRelay({ start, onError, explain });
}

/** @param error of mediasoup, which has no codes @param port first one of the relay */
export function whyNotStarted(error: unknown, port: number): string {
  const message = error instanceof Error ? error.message : '';
  if (/address already in use/.test(message)) {
    const taken = /port:(\d+)/.exec(message)?.[1] ?? port;
    return `port ${taken} is in use; stop what uses it, or choose others with PARLEY_RELAY_PORT`;
  }
  if (/address not available/.test(message)) return 'PARLEY_HOST or PARLEY_RELAY_ADDRESS is no address to listen on';
  if (/permission denied/.test(message)) return 'PARLEY_RELAY_PORT may not be used by this user; choose one above 1023';
  return 'its worker failed; the log says how';
}
