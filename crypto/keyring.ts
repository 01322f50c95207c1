/**
 * The media keys of one member of one group: which key seals now, which still open, and what was seen before.
 *
 * Receives with an epoch as soon as it is installed, sends with one only when told. Never hands out a frame that it
 * could not authenticate, and seals nothing without a key. State changes take effect at once, before any promise
 * settles, so a caller may seal and open concurrently.
 * Invariants: no (key, counter) seals twice; no frame opens twice; an epoch is installed once, and epochs only rise, so a
 * counter never starts again under its key. Sources: RFC 9605 §5.2 (KIDs, epochs), §7.4 and §9.3 (replay).
 */
import type { Bytes } from './bytes.ts';
import type { Codec } from './clearPrefix.ts';
import { clearPrefix } from './clearPrefix.ts';
import { CryptoError } from './errors.ts';
import type { Kind } from './mediaKeys.ts';
import { EPOCH_SLOTS, EpochKeys, partsOfKid } from './mediaKeys.ts';
import { openFrame, sealFrame } from './sframe.ts';
import { parseHeader } from './sframeHeader.ts';

/**
 * Frames that one key may seal: 2^24, 17 hours of a camera with 30 frames a second in 3 layers on 3 connections.
 *
 * Two reasons meet here. Counters stay below 2^24, three bytes, so a frame never grows by more than 1 + 2 + 3 + 16 = 22
 * bytes. And AES-GCM under one key, with never repeating nonces, can be told from random with an advantage of about
 * 2·σ² / 2^128 after σ blocks (the bound behind RFC 9001 Appendix B.1.1): MAX_BLOCKS keeps that at 2^-57, as QUIC does.
 */
export const MAX_FRAMES = 2 ** 24;

/** AES blocks that one key may seal: 2^35, 512 GiB; 2^24 frames of 32 KiB each just reach it. */
export const MAX_BLOCKS = 2 ** 35;

const MAX_KID = 0xffff;

/** How many epochs a sender may be before us: commits come 250 ms apart, and a frame is not waited for longer than a few of them. */
const MAX_AHEAD = 4;

export type SealResult = { ok: true; frame: Bytes } | { ok: false; why: 'noKey' | 'exhausted' | 'malformed' };

/**
 * `ahead`: sealed in an epoch that may be installed in a moment; then it may be tried again. `earlier`: sealed before we were a member,
 * for those who were.
 */
export type OpenRefusal = 'ahead' | 'earlier' | 'unknownKey' | 'replayed' | 'forged' | 'wrongSender' | 'malformed';
export type OpenResult = { ok: true; frame: Bytes; epoch: number; counter: number } | { ok: false; why: OpenRefusal };

export class Keyring {
  readonly #now: () => number;
  readonly #maxFrames: number;
  readonly #maxBlocks: number;
  /** By epoch mod 64, which is all that a KID says of it. */
  readonly #slots: (EpochKeys | undefined)[] = new Array<EpochKeys | undefined>(EPOCH_SLOTS).fill(undefined);
  #newest = -1;
  #first = -1;
  #sending: EpochKeys | undefined;

  /**
   * @param options.now         milliseconds of any steady clock; `retire` speaks of the same one
   * @param options.maxFrames   a limit below MAX_FRAMES; never above
   * @param options.maxBlocks   a limit below MAX_BLOCKS; never above
   */
  constructor(options: { now: () => number; maxFrames?: number; maxBlocks?: number }) {
    this.#now = options.now;
    this.#maxFrames = Math.min(MAX_FRAMES, options.maxFrames ?? MAX_FRAMES);
    this.#maxBlocks = Math.min(MAX_BLOCKS, options.maxBlocks ?? MAX_BLOCKS);
  }

  /**
   * Takes in an epoch and opens frames with it from now on.
   * @param entry.baseKey  exporter output "SFrame 1.0 Base Key", 32 bytes; copied, so wipe yours afterwards
   * @param entry.leaves   the leaves of this epoch's tree, 0 to 255; the own one may be among them
   * @throws CryptoError 'usage' unless the epoch is newer than all before: a counter would start again
   */
  async install(entry: { epoch: number; ownLeaf: number; baseKey: Bytes; leaves: readonly number[] }): Promise<void> {
    if (entry.epoch <= this.#newest) throw new CryptoError('usage', 'epochs only rise');
    const keys = new EpochKeys(entry.epoch, entry.ownLeaf, entry.baseKey, entry.leaves);
    this.#newest = entry.epoch;
    if (this.#first < 0) this.#first = entry.epoch;
    this.sweep();
    // RFC 9605 §5.2: receivers MUST remove an old epoch when a new one has the same low-order bits.
    const slot = entry.epoch % EPOCH_SLOTS;
    const old = this.#slots[slot];
    if (old !== undefined) this.#drop(old);
    this.#slots[slot] = keys;
    await keys.ready();
  }

  /** Seals with an installed epoch from now on. Never goes back. @throws CryptoError 'usage' otherwise */
  sendWith(epoch: number): void {
    const keys = this.#installed(epoch);
    if (keys === undefined || this.#isDead(keys)) {
      throw new CryptoError('usage', `epoch ${epoch} is not installed`);
    }
    if (this.#sending !== undefined && epoch < this.#sending.epoch) throw new CryptoError('usage', 'epochs only rise');
    this.#sending = keys;
  }

  /**
   * Lets the keys of an epoch, and of all before it, die at `atMs` by the keyring's clock. A later call can only bring
   * that forward: a removal also shortens what an earlier join has left. While an epoch is the one sent with, that ends too.
   */
  retire(epoch: number, atMs: number): void {
    for (const keys of this.#slots) {
      if (keys !== undefined && keys.epoch <= epoch) keys.deadAt = Math.min(keys.deadAt, atMs);
    }
    this.sweep();
  }

  /** Wipes what has died. Dead keys are never used, swept or not; call it so that they do not linger in an idle call. */
  sweep(): void {
    for (const keys of this.#slots) if (keys !== undefined) this.#isDead(keys);
  }

  /**
   * Seals a frame of our own under the next counter of its kind. Counters are taken in the order of the calls.
   * @param frame  at least one byte, left untouched; empty Opus frames (DTX) do not come here
   * @param withEpoch  the epoch to seal with, if not the one of `sendWith`: for a frame that goes to one member alone
   */
  async seal(kind: Kind, codec: Codec, frame: Bytes, withEpoch?: number): Promise<SealResult> {
    const epoch = withEpoch === undefined ? this.#sending : this.#installed(withEpoch);
    if (epoch === undefined || this.#isDead(epoch)) return { ok: false, why: 'noKey' };
    const clear = clearPrefix(codec);
    if (frame.length === 0 || frame.length < clear) return { ok: false, why: 'malformed' };

    const sender = epoch.sender(kind);
    // One more block for the tag.
    const blocks = Math.ceil(frame.length / 16) + 1;
    if (sender.counter >= this.#maxFrames || sender.blocks + blocks > this.#maxBlocks)
      return { ok: false, why: 'exhausted' };
    // Taken before anything is awaited, so that frames sealed at the same time never share a counter.
    const counter = sender.counter++;
    sender.blocks += blocks;

    const keys = sender.keys.now ?? (await sender.keys.later);
    if (keys === undefined) return { ok: false, why: 'noKey' };
    return { ok: true, frame: await sealFrame(keys, counter, frame, clear) };
  }

  /**
   * Opens a frame.
   * @param from   the track it came on. Leaves are reused: hold the `epoch` of the result against that epoch's tree
   * @returns      the codec payload on a buffer of its own, or why it has to be dropped; 'forged' never says more
   */
  async open(from: { kind: Kind; leaf: number }, codec: Codec, frame: Bytes): Promise<OpenResult> {
    const clear = clearPrefix(codec);
    const header = parseHeader(frame, clear);
    if (header === null) return { ok: false, why: 'malformed' };
    const { kid, counter } = header;
    if (typeof kid !== 'number' || kid > MAX_KID || typeof counter !== 'number' || counter >= MAX_FRAMES) {
      return { ok: false, why: 'malformed' };
    }
    const { kind, leaf, epochSlot } = partsOfKid(kid);
    if (kind !== from.kind || leaf !== from.leaf) return { ok: false, why: 'wrongSender' };

    const epoch = this.#slots[epochSlot];
    if (epoch === undefined || this.#isDead(epoch)) return { ok: false, why: this.#whyNotInstalled(epochSlot) };
    const receiver = epoch.receiver(from.kind, leaf);
    if (receiver === undefined) return { ok: false, why: 'unknownKey' };
    // Spares the work; what counts is asked again below.
    if (!receiver.window.isFresh(counter)) return { ok: false, why: 'replayed' };

    const keys = receiver.keys.now ?? (await receiver.keys.later);
    if (keys === undefined) return { ok: false, why: 'unknownKey' };
    const opened = await openFrame(keys, header, frame, clear);
    if (opened === null) return { ok: false, why: 'forged' };
    if (epoch.wiped) return { ok: false, why: 'unknownKey' };
    // Only now, authenticated, does a frame move the window; of two copies opened at once the second is refused here.
    if (!receiver.window.accept(counter)) return { ok: false, why: 'replayed' };
    return { ok: true, frame: opened, epoch: epoch.epoch, counter };
  }

  /** Frames that the busiest of our current keys may still seal. Commit an update well before it is 0. */
  framesLeft(): number {
    return this.#sending === undefined ? 0 : this.#maxFrames - this.#sending.framesSealed();
  }

  /** Forgets every key. Nothing seals or opens until another epoch is installed. */
  wipe(): void {
    for (const keys of this.#slots) if (keys !== undefined) this.#drop(keys);
  }

  #installed(epoch: number): EpochKeys | undefined {
    const keys = epoch < 0 ? undefined : this.#slots[epoch % EPOCH_SLOTS];
    return keys?.epoch === epoch ? keys : undefined;
  }

  /** A slot says the epoch modulo 64 alone: what is taken for earlier is what lies up to half of that before our first. */
  #whyNotInstalled(epochSlot: number): 'ahead' | 'earlier' | 'unknownKey' {
    if (this.#newest < 0) return 'unknownKey';
    const ahead = modulo(epochSlot - this.#newest);
    if (ahead > 0 && ahead <= MAX_AHEAD) return 'ahead';
    const before = modulo(this.#first - epochSlot);
    const isEarlier = before > 0 && before <= this.#first && before + (this.#newest - this.#first) < EPOCH_SLOTS / 2;
    return isEarlier ? 'earlier' : 'unknownKey';
  }

  #isDead(keys: EpochKeys): boolean {
    if (keys.wiped) return true;
    if (keys.deadAt === Infinity || this.#now() < keys.deadAt) return false;
    this.#drop(keys);
    return true;
  }

  #drop(keys: EpochKeys): void {
    keys.wipe();
    const slot = keys.epoch % EPOCH_SLOTS;
    if (this.#slots[slot] === keys) this.#slots[slot] = undefined;
    if (this.#sending === keys) this.#sending = undefined;
  }
}

function modulo(epochs: number): number {
  return ((epochs % EPOCH_SLOTS) + EPOCH_SLOTS) % EPOCH_SLOTS;
}
