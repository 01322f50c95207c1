/**
 * One RTCRtpSender that never sends anything real before its transform has proven itself.
 *
 * It starts on a placeholder. The real track replaces it only after the worker has counted a sealed frame of this very sender's
 * transform; browsers ignore a transform that was set too late, without any error, and send in the clear (docs/design.md, "Frames").
 * `hold` takes the real track off at once, and puts the sender behind the same check again.
 */
import type { TrackKind, TransformCounts } from '../e2ee/messages.ts';
import type { Placeholders } from '../media/placeholder.ts';
import { mediaOf } from './sealPort.ts';

export interface SealedSenderOptions {
  id: string;
  kind: TrackKind;
  sender: RTCRtpSender;
  placeholders: Placeholders;
}

export class SealedSender {
  readonly id: string;
  readonly kind: TrackKind;
  readonly sender: RTCRtpSender;
  readonly #placeholders: Placeholders;
  #passed = 0;
  /** Sealed frames that must be exceeded before the real track goes on. */
  #gate = 0;
  #want: MediaStreamTrack | null = null;
  #held = false;
  #closed = false;
  #endLease: (() => void) | null;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: SealedSenderOptions) {
    this.id = options.id;
    this.kind = options.kind;
    this.sender = options.sender;
    this.#placeholders = options.placeholders;
    this.#endLease = options.placeholders.lease();
  }

  get sealing(): boolean {
    return this.#passed > this.#gate;
  }

  /** The real track is on, no placeholder. */
  get isReal(): boolean {
    return !this.#held && this.sealing && this.#want !== null;
  }

  /** What should be sent from now on; null sends nothing, once the check has passed. Resolves when the sender has it, or waits behind the check. */
  set(track: MediaStreamTrack | null): Promise<void> {
    this.#want = track;
    return this.#apply();
  }

  /** The worker's totals of this transform. */
  counted(counts: TransformCounts): void {
    const before = this.sealing;
    this.#passed = Math.max(this.#passed, counts.passed);
    if (before || !this.sealing || this.#held) return;
    this.#release();
    void this.#apply();
  }

  /** `true`: nothing real from this task on. `false`: the placeholder, until another frame was sealed. */
  hold(held: boolean): void {
    if (held === this.#held || this.#closed) return;
    this.#held = held;
    // Also on letting go: counts of frames from before the hold may have come meanwhile, and prove nothing about now.
    this.#gate = this.#passed;
    if (held) this.#release();
    else this.#endLease ??= this.#placeholders.lease();
    void this.#apply();
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    this.#endLease?.();
    this.#endLease = null;
  }

  #target(): MediaStreamTrack | null {
    if (this.#held) return null;
    if (this.sealing) return this.#want;
    return mediaOf[this.kind] === 'video' ? this.#placeholders.video() : this.#placeholders.audio();
  }

  /** Replacements one after the other; each takes what is wanted when its turn comes. */
  #apply(): Promise<void> {
    // Taking off does not wait for its turn: Chromium and Firefox apply a null at once, and the queued one below repeats it.
    if (this.#held && !this.#closed) this.sender.replaceTrack(null).catch(() => undefined);
    this.#queue = this.#queue.then(async () => {
      const target = this.#target();
      if (this.#closed || this.sender.track === target) return;
      await this.sender.replaceTrack(target).catch(() => undefined);
    });
    return this.#queue;
  }
}
