/**
 * Where relays on other hosts knock: a WebSocket on the same port, with a proof of the shared secret before anything else.
 *
 * Whoever has proven it joins the pool until its connection ends; a relay that comes back under the same name takes its own place.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { RelayId } from '../protocol/relayControl.ts';
import { drawNonce, isRelayProof, RELAY_PATH, RELAY_PROTOCOL, RelayHello, relayProof } from '../protocol/relayWire.ts';
import { MAX_MESSAGE_BYTES } from '../protocol/wire.ts';
import type { RelayPool } from './pool.ts';
import { RemoteRelay } from './remote.ts';

/** Of the relay in this process: no other may call itself so. */
export const EMBEDDED = 'embedded' as RelayId;
/** Whoever has not proven anything by then. */
const PROVE_MS = 5000;
/** Connections that have not proven themselves; relays are few. */
const MAX_KNOCKING = 16;
const REFUSED = 4403;

export interface DoorTerms {
  readonly secret: string;
  readonly pool: RelayPool;
  readonly log: (words: string) => void;
}

export class RelayDoor {
  readonly #terms: DoorTerms;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  #knocking = 0;

  constructor(terms: DoorTerms) {
    this.#terms = terms;
  }

  /** Whether an `upgrade` of the HTTP server is for this door. */
  static isFor({ url }: IncomingMessage): boolean {
    return url?.split('?')[0] === RELAY_PATH;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    if (this.#knocking >= MAX_KNOCKING) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#knocking++;
    this.#server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => undefined);
      void this.#admit(client).finally(() => this.#knocking--);
    });
  }

  async #admit(socket: WebSocket): Promise<void> {
    const { secret, pool, log } = this.#terms;
    const signalNonce = drawNonce();
    socket.send(JSON.stringify({ type: 'challenge', protocol: RELAY_PROTOCOL, nonce: signalNonce }));
    const hello = await firstMessage(socket);
    if (!hello || hello.protocol !== RELAY_PROTOCOL || hello.relay === EMBEDDED) {
      return socket.close(REFUSED, 'no hello of this protocol');
    }
    const { relay, region, nonce: relayNonce, proof } = hello;
    const terms = { relay, region, signalNonce, relayNonce };
    if (!(await isRelayProof(secret, 'relay', terms, proof))) {
      log(`relay ${relay} was refused: it does not know PARLEY_RELAY_SECRET`);
      return socket.close(REFUSED, 'the secret is another');
    }
    if (socket.readyState !== socket.OPEN) return;
    const port = new RemoteRelay(socket, () => {
      log(`relay ${relay} is lost`);
      if (pool.members.some((member) => member.port === port)) pool.remove(relay);
    });
    socket.send(JSON.stringify({ type: 'welcome', proof: await relayProof(secret, 'signal', terms) }));
    pool.add({ id: relay, region, port });
    log(`relay ${relay} is here${region === '' ? '' : ` (${region})`}`);
  }
}

/** @returns undefined for what is no hello, or does not come in time */
function firstMessage(socket: WebSocket): Promise<RelayHello | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), PROVE_MS);
    socket.once('close', () => resolve(undefined));
    socket.once('message', (data, isBinary) => {
      clearTimeout(timer);
      try {
        resolve(isBinary ? undefined : RelayHello.safeParse(JSON.parse(data.toString())).data);
      } catch {
        resolve(undefined);
      }
    });
  });
}
