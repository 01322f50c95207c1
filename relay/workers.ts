/**
 * The relay's workers: one process of mediasoup per core, each with one port for all its peers, UDP and TCP.
 *
 * A worker that dies is replaced at once; what it held is told as lost, and whoever held it opens it anew on another.
 */
import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import { ProtocolError } from '../signal/protocol/errors.ts';

/** Where peers reach the relay. */
export interface ListenTerms {
  /** Addresses to listen on, each with the one that peers are told, if that differs (behind NAT). */
  readonly addresses: readonly { ip: string; announced: string | null }[];
  /** Of the first worker, the next ones count up; 0: any free one. */
  readonly port: number;
}

export interface WorkersTerms {
  readonly count: number;
  readonly listen: ListenTerms;
  readonly onError: (error: unknown) => void;
}

/** A live worker and what hangs on it. */
export interface Slot {
  readonly index: number;
  readonly worker: types.Worker;
  readonly server: types.WebRtcServer;
  rooms: number;
  peers: number;
}

/** A worker that cannot be started is tried again after this, doubling. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

/** Who asks while the only worker is being replaced waits this long for it, rather than ask again. */
const REPLACED_MS = 1000;

export class Workers {
  readonly #terms: WorkersTerms;
  /** Those who wait for a worker. */
  readonly #waiting = new Set<() => void>();
  readonly #slots: (Slot | null)[];
  readonly #retries = new Set<NodeJS.Timeout>();
  #isClosed = false;

  private constructor(terms: WorkersTerms) {
    this.#terms = terms;
    this.#slots = Array.from({ length: terms.count }, () => null);
  }

  /** @throws Error where not even the first worker starts */
  static async start(terms: WorkersTerms): Promise<Workers> {
    const workers = new Workers(terms);
    try {
      for (let index = 0; index < terms.count; index++) await workers.#spawn(index);
    } catch (error) {
      workers.close();
      throw error;
    }
    return workers;
  }

  get isReady(): boolean {
    return !this.#isClosed && this.#slots.some((slot) => slot !== null);
  }

  /** Resolves when there is a worker; after `REPLACED_MS` in any case. */
  async soon(): Promise<void> {
    if (this.isReady || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, REPLACED_MS);
      this.#waiting.add(done);
    });
  }

  /** Process ids, for tests and the log. */
  get pids(): number[] {
    return this.#slots.flatMap((slot) => (slot === null ? [] : [slot.worker.pid]));
  }

  /** Peers on all of them. */
  get peers(): number {
    return this.#alive.reduce((sum, { peers }) => sum + peers, 0);
  }

  /** The worker with the fewest peers, not one of `taken` where there is another. @throws ProtocolError relayUnavailable */
  pick(taken: readonly Slot[] = []): Slot {
    const others = this.#alive.filter((slot) => !taken.includes(slot));
    const [first, ...more] = others.length > 0 ? others : this.#alive;
    if (first === undefined || this.#isClosed) throw new ProtocolError('relayUnavailable');
    return more.reduce((least, slot) => (burden(slot) < burden(least) ? slot : least), first);
  }

  get #alive(): Slot[] {
    return this.#slots.filter((slot) => slot !== null);
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const done of [...this.#waiting]) done();
    for (const retry of this.#retries) clearTimeout(retry);
    for (const slot of this.#slots) slot?.worker.close();
    this.#slots.fill(null);
  }

  async #spawn(index: number): Promise<void> {
    const { listen } = this.#terms;
    const worker = await mediasoup.createWorker({ logLevel: 'error' });
    const port = listen.port === 0 ? {} : { port: listen.port + index };
    const listenInfos = listen.addresses.flatMap(({ ip, announced }) =>
      (['udp', 'tcp'] as const).map((protocol) => ({
        protocol,
        ip,
        ...(announced === null ? {} : { announcedAddress: announced }),
        // Both families on one port.
        ...(ip === '::' ? { flags: { ipv6Only: true } } : {}),
        ...port,
      })),
    );
    let server: types.WebRtcServer;
    try {
      server = await worker.createWebRtcServer({ listenInfos });
    } catch (error) {
      worker.close();
      throw error;
    }
    if (this.#isClosed) return worker.close();
    const slot: Slot = { index, worker, server, rooms: 0, peers: 0 };
    this.#slots[index] = slot;
    for (const done of [...this.#waiting]) done();
    worker.on('died', (error) => {
      this.#terms.onError(error);
      this.#slots[index] = null;
      this.#respawn(index, 0);
    });
  }

  #respawn(index: number, attempt: number): void {
    if (this.#isClosed) return;
    const wait = attempt === 0 ? 0 : Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (attempt - 1));
    const retry = setTimeout(() => {
      this.#retries.delete(retry);
      this.#spawn(index).catch((error: unknown) => {
        this.#terms.onError(error);
        this.#respawn(index, attempt + 1);
      });
    }, wait);
    this.#retries.add(retry);
  }
}

/** Rooms that are still empty count, too: several may open at once. */
function burden({ peers, rooms }: Slot): number {
  return peers + rooms;
}
