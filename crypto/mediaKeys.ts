/**
 * The frame keys of one epoch, derived when first needed and dropped together.
 *
 * KID of 16 bits = kind(2) ‖ leaf(8) ‖ epoch mod 64 (6): context, sender index and epoch of RFC 9605 §5.2 with S = 8 and
 * E = 6. A key seals only for our own leaf and opens only for others, so none is ever used in both directions (§4.4.1).
 */
import type { Bytes } from './bytes.ts';
import { wipe } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { ReplayWindow } from './replayWindow.ts';
import type { SFrameKeys } from './sframe.ts';
import { deriveKeys, importBaseKey } from './sframe.ts';
import type { Direction } from './sframeCipher.ts';
import { SUITES } from './sframeCipher.ts';

/** 0 microphone · 1 camera · 2 screen · 3 screen audio */
export type Kind = 0 | 1 | 2 | 3;

/** AES_256_GCM_SHA512_128, the suite of every meeting. */
const SUITE = 5;
const EPOCH_BITS = 6;
const LEAF_BITS = 8;
/** Epochs that a KID can tell apart. */
export const EPOCH_SLOTS = 1 << EPOCH_BITS;
const LEAVES = 1 << LEAF_BITS;
/** Bytes of a base key: AEAD.Nk of the suite, RFC 9605 §5.2. */
const BASE_KEY_BYTES = SUITES[SUITE].keyBytes;

/**
 * @param leaf  0 to 255
 * @param epoch of any size: its low 6 bits are taken (RFC 9605 §5.2)
 * @returns     0 ≤ KID < 2^16
 */
export function kidOf(kind: Kind, leaf: number, epoch: number): number {
  return (kind << (LEAF_BITS + EPOCH_BITS)) | (leaf << EPOCH_BITS) | (epoch % EPOCH_SLOTS);
}

/** @param kid 0 ≤ kid < 2^16 */
export function partsOfKid(kid: number): { kind: number; leaf: number; epochSlot: number } {
  return {
    kind: kid >> (LEAF_BITS + EPOCH_BITS),
    leaf: (kid >> EPOCH_BITS) & (LEAVES - 1),
    epochSlot: kid & (EPOCH_SLOTS - 1),
  };
}

/** Our own key of one kind: one counter for all tracks, layers, connections and topologies that send this kind. */
export interface Sender {
  readonly keys: LazyKeys;
  /** The next frame's counter. */
  counter: number;
  /** AES blocks sealed so far. */
  blocks: number;
}

export interface Receiver {
  readonly keys: LazyKeys;
  readonly window: ReplayWindow;
}

export class EpochKeys {
  readonly epoch: number;
  readonly ownLeaf: number;
  /** When its receive keys die, by the keyring's clock. */
  deadAt = Infinity;
  /** True once the keys are gone: whatever is still under way must not be handed out. */
  wiped = false;
  readonly #leaves: ReadonlySet<number>;
  #baseKey: Promise<CryptoKey> | undefined;
  readonly #senders = new Map<Kind, Sender>();
  readonly #receivers = new Map<number, Receiver>();

  /** Copies `baseKey` (32 bytes). @throws CryptoError 'usage' for a leaf that a KID cannot hold, or another length */
  constructor(epoch: number, ownLeaf: number, baseKey: Bytes, leaves: readonly number[]) {
    if (!Number.isSafeInteger(epoch) || epoch < 0) throw new CryptoError('usage', 'an epoch is a count');
    if (baseKey.length !== BASE_KEY_BYTES) throw new CryptoError('usage', `a base key has ${BASE_KEY_BYTES} bytes`);
    for (const leaf of [ownLeaf, ...leaves]) {
      if (!Number.isInteger(leaf) || leaf < 0 || leaf >= LEAVES) throw new CryptoError('usage', 'no room in the KID');
    }
    this.epoch = epoch;
    this.ownLeaf = ownLeaf;
    this.#leaves = new Set(leaves);
    const copy = baseKey.slice();
    this.#baseKey = importBaseKey(copy).finally(() => {
      wipe(copy);
    });
  }

  /** Resolves when the base key is in. */
  async ready(): Promise<void> {
    await this.#baseKey;
  }

  sender(kind: Kind): Sender {
    let sender = this.#senders.get(kind);
    if (sender === undefined) {
      const keys = this.#lazy(kidOf(kind, this.ownLeaf, this.epoch), 'seal');
      sender = { keys, counter: 0, blocks: 0 };
      this.#senders.set(kind, sender);
    }
    return sender;
  }

  /** Undefined for a leaf that was not in this epoch's tree, and for our own: nobody else may use our key. */
  receiver(kind: Kind, leaf: number): Receiver | undefined {
    if (leaf === this.ownLeaf || !this.#leaves.has(leaf)) return undefined;
    const kid = kidOf(kind, leaf, this.epoch);
    let receiver = this.#receivers.get(kid);
    if (receiver === undefined) {
      receiver = { keys: this.#lazy(kid, 'open'), window: new ReplayWindow() };
      this.#receivers.set(kid, receiver);
    }
    return receiver;
  }

  /** Frames of the busiest kind sealed so far. */
  framesSealed(): number {
    return Math.max(0, ...[...this.#senders.values()].map((sender) => sender.counter));
  }

  wipe(): void {
    this.wiped = true;
    this.#baseKey = undefined;
    for (const { keys } of this.#senders.values()) keys.wipe();
    for (const { keys } of this.#receivers.values()) keys.wipe();
    this.#senders.clear();
    this.#receivers.clear();
  }

  #lazy(kid: number, direction: Direction): LazyKeys {
    const baseKey = this.#baseKey;
    if (baseKey === undefined) throw new CryptoError('unknownKey', 'the keys of this epoch are gone');
    return new LazyKeys(baseKey.then((key) => deriveKeys(SUITE, key, kid, direction)));
  }
}

/** Keys that are being derived, then there. `now` spares the hot path a promise. */
export class LazyKeys {
  now: SFrameKeys | undefined;
  readonly later: Promise<SFrameKeys | undefined>;
  #wiped = false;

  constructor(deriving: Promise<SFrameKeys>) {
    this.later = deriving.then((keys) => {
      if (this.#wiped) return undefined;
      this.now = keys;
      return keys;
    });
    // A failure is met by whoever awaits `later`; nobody may be awaiting it yet.
    this.later.catch(() => undefined);
  }

  /** Lets go of the CryptoKey, which cannot be overwritten: it was never readable in the first place. */
  wipe(): void {
    this.#wiped = true;
    this.now = undefined;
  }
}
