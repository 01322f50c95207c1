/**
 * Which picture of each stream anybody wants: the largest layer that some consumer of it asks for, or none. Senders are told, so that
 * what nobody watches is not sent.
 *
 * More is told at once, less only when it has lasted: people turn pages back and forth. A new stream is taken as wanted whole until
 * then, so that the first to watch it wait for nothing.
 */
import type { PeerId } from '../signal/protocol/ids.ts';
import type { Layer, StreamId } from '../signal/protocol/model.ts';

const LESS_MS = 2000;
const LARGEST: Layer = 2;

interface Wanted {
  readonly peer: PeerId;
  /** By consumer. Null: it is paused. */
  readonly by: Map<string, () => Layer | null>;
  told: Layer | null;
  timer: NodeJS.Timeout | undefined;
}

export class Demand {
  readonly #tell: (producer: StreamId, peer: PeerId, layer: Layer | null) => void;
  readonly #streams = new Map<StreamId, Wanted>();

  constructor(tell: (producer: StreamId, peer: PeerId, layer: Layer | null) => void) {
    this.#tell = tell;
  }

  begin(producer: StreamId, peer: PeerId): void {
    this.#streams.set(producer, { peer, by: new Map(), told: LARGEST, timer: undefined });
    this.look();
  }

  /** @param wants what the consumer asks for now; undefined once it has ended */
  consumed(producer: StreamId, consumer: string, wants: () => Layer | null | undefined): void {
    const wanted = this.#streams.get(producer);
    if (!wanted) return;
    wanted.by.set(consumer, () => {
      const layer = wants();
      if (layer === undefined) wanted.by.delete(consumer);
      return layer ?? null;
    });
  }

  /** Something may have changed. */
  look(): void {
    for (const [producer, wanted] of this.#streams) this.#lookAt(producer, wanted);
  }

  end(producer: StreamId): void {
    clearTimeout(this.#streams.get(producer)?.timer);
    this.#streams.delete(producer);
  }

  /** Idempotent. */
  close(): void {
    for (const producer of [...this.#streams.keys()]) this.end(producer);
  }

  #lookAt(producer: StreamId, wanted: Wanted): void {
    const layer = largest(wanted);
    if (layer === wanted.told) {
      clearTimeout(wanted.timer);
      wanted.timer = undefined;
      return;
    }
    if (rank(layer) > rank(wanted.told)) return this.#say(producer, wanted, layer);
    wanted.timer ??= setTimeout(() => this.#say(producer, wanted, largest(wanted)), LESS_MS);
    wanted.timer.unref();
  }

  #say(producer: StreamId, wanted: Wanted, layer: Layer | null): void {
    clearTimeout(wanted.timer);
    wanted.timer = undefined;
    if (layer === wanted.told) return;
    wanted.told = layer;
    this.#tell(producer, wanted.peer, layer);
  }
}

function largest({ by }: Wanted): Layer | null {
  let most: Layer | null = null;
  for (const wants of [...by.values()]) {
    const layer = wants();
    if (rank(layer) > rank(most)) most = layer;
  }
  return most;
}

const rank = (layer: Layer | null): number => layer ?? -1;
