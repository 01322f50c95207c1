/**
 * Every frame transform of this browser, and what they count.
 *
 * They are told apart by the id that the page drew; mesh and relay, senders and receivers, all share the one keyring of the
 * meeting. Counts go to the page at once when a transform sees its first frame and when it passes its first one (the page's
 * seal check waits for them), and then twice a second as long as they change.
 */
import type { FrameKeys, KeyFrameRequest, EncodedFrame } from './frameTransform.ts';
import { FrameTransform } from './frameTransform.ts';
import type { Notice, TransformCounts, TransformOptions } from './messages.ts';

const REPORT_MS = 500;

export interface FramesContext {
  now: () => number;
  /** Runs `run` once, after `ms`. */
  after: (ms: number, run: () => void) => unknown;
  keys: () => FrameKeys | null;
  emit: (notice: Notice) => void;
}

export class Frames {
  readonly #context: FramesContext;
  readonly #transforms = new Map<string, FrameTransform>();
  readonly #changed = new Set<FrameTransform>();
  #reporting = false;

  constructor(context: FramesContext) {
    this.#context = context;
  }

  /** Puts a transform between the two streams, for as long as they last. */
  attach(
    options: TransformOptions,
    streams: { readable: ReadableStream<EncodedFrame>; writable: WritableStream<EncodedFrame> },
    requestKeyFrame?: KeyFrameRequest,
  ): void {
    const { now, after, keys } = this.#context;
    const transform = new FrameTransform(options, {
      keys,
      now,
      after,
      counted: (first) => this.#counted(transform, first),
      ...(requestKeyFrame ? { requestKeyFrame } : {}),
    });
    this.#transforms.set(options.id, transform);
    void transform.run(streams.readable, streams.writable).finally(() => {
      this.#report();
    });
  }

  /** The connection is gone: what it counted last is told at once, and nothing afterwards. */
  end(id: string): void {
    const transform = this.#transforms.get(id);
    if (transform !== undefined && this.#changed.has(transform)) this.#report();
    this.#transforms.delete(id);
  }

  /** We send with another key from now on, or open with one more. */
  keysChanged(side: 'send' | 'receive'): void {
    for (const transform of this.#transforms.values()) if (transform.options.side === side) transform.keysChanged();
  }

  #counted(transform: FrameTransform, first: boolean): void {
    if (this.#transforms.get(transform.options.id) !== transform) return;
    this.#changed.add(transform);
    if (first) {
      this.#report();
      return;
    }
    if (this.#reporting) return;
    this.#reporting = true;
    this.#context.after(REPORT_MS, () => {
      this.#reporting = false;
      this.#report();
    });
  }

  #report(): void {
    if (this.#changed.size === 0) return;
    const counts = [...this.#changed].map((transform) => copyOf(transform.counts));
    this.#changed.clear();
    this.#context.emit({ type: 'counts', counts });
  }
}

function copyOf(counts: TransformCounts): TransformCounts {
  return { ...counts, dropped: { ...counts.dropped } };
}
