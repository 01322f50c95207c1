/**
 * Watches a page of the product from outside, and can make its browser misbehave.
 *
 * `probeScript` runs before the page's own scripts. It keeps the product's own statistics (the worker's notices), the peer
 * connections and the workers where a test can reach them; the product has no hook of its own. The misbehaviours are those
 * of section 5 of docs/design.md's "Frames": a transform that is set too late, never, or a worker that dies.
 */
import type { FromWorker, Notice, ToWorker, TransformCounts, TransformOptions } from '../../client/e2ee/messages.ts';

/** What is done with a `transform` that the page sets. `late`: one task later, which Chromium ignores without a word. */
export type SetTransform = 'set' | 'late' | 'ignore';

export interface Probe {
  /** Every frame transform that was made, in order. */
  transforms: TransformOptions[];
  /** Newest counts of each transform, kept after its end. */
  counts: Record<string, TransformCounts>;
  /** When the page heard of the first frame that a transform passed, milliseconds since 1970, by transform. */
  firstPassed: Record<string, number>;
  /** When a connection was up for the first time, likewise. */
  connectedAt: WeakMap<RTCPeerConnection, number>;
  /** What else the worker said, oldest first. */
  notices: Exclude<Notice, { type: 'counts' }>[];
  /** Whose a received track is, by the transform that its receiver was given. */
  sourceOf(track: MediaStreamTrack): { peer: string; kind: string } | undefined;
  connections: RTCPeerConnection[];
  /** What peer connections have refused to do: "method: reason". */
  refusals: string[];
  workers: Worker[];
  senders: SetTransform;
  receivers: SetTransform;
  /** `close()` of peer connections does nothing, and counts go on after their end: for an eavesdropper who would rather stay. */
  keepConnections: boolean;
}

declare global {
  var parleyProbe: Probe;
}

export interface ProbeOptions {
  senders?: SetTransform;
  receivers?: SetTransform;
  keepConnections?: boolean;
  /** Peer connections use TURN servers alone. */
  relayOnly?: boolean;
  /** Meetings that are made here go to the relay above this many; the product's own page does not ask. */
  meshLimit?: number;
}

function installProbe(options: ProbeOptions): void {
  const optionsOf = new WeakMap<object, TransformOptions>();
  const sources = new WeakMap<object, { peer: string; kind: string }>();
  const probe: Probe = {
    sourceOf: (track) => sources.get(track),
    transforms: [],
    counts: {},
    firstPassed: {},
    connectedAt: new WeakMap(),
    notices: [],
    connections: [],
    refusals: [],
    workers: [],
    senders: options.senders ?? 'set',
    receivers: options.receivers ?? 'set',
    keepConnections: options.keepConnections ?? false,
  };
  globalThis.parleyProbe = probe;

  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, workerOptions?: WorkerOptions) {
      super(url, workerOptions);
      probe.workers.push(this);
      const { meshLimit } = options;
      if (meshLimit !== undefined) {
        const post = this.postMessage.bind(this) as (message: ToWorker, transfer?: Transferable[]) => void;
        this.postMessage = (message: ToWorker, transfer: Transferable[] = []) => {
          const isCreate = message.type === 'call' && message.name === 'meeting.create';
          if (isCreate) message.params.settings = { ...message.params.settings, meshLimit };
          post(message, transfer);
        };
      }
      this.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
        if (data?.type !== 'notice') return;
        if (data.notice.type !== 'counts') {
          probe.notices.push(data.notice);
          return;
        }
        for (const counts of data.notice.counts) {
          probe.counts[counts.id] = counts;
          if (counts.passed > 0) probe.firstPassed[counts.id] ??= performance.timeOrigin + performance.now();
        }
      });
    }
    override postMessage(message: ToWorker, transfer?: Transferable[] | StructuredSerializeOptions): void {
      if (probe.keepConnections && message?.type === 'call' && message.name === 'transform.end') return;
      super.postMessage(message, transfer as Transferable[]);
    }
  };

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(options.relayOnly === true ? { ...configuration, iceTransportPolicy: 'relay' } : configuration);
      probe.connections.push(this);
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState !== 'connected' || probe.connectedAt.has(this)) return;
        probe.connectedAt.set(this, performance.timeOrigin + performance.now());
      });
    }
    override close(): void {
      if (!probe.keepConnections) super.close();
    }
  };

  for (const name of [
    'createOffer',
    'createAnswer',
    'setLocalDescription',
    'setRemoteDescription',
    'addIceCandidate',
  ] as const) {
    const native = RTCPeerConnection.prototype[name] as (...args: unknown[]) => Promise<unknown>;
    Object.defineProperty(RTCPeerConnection.prototype, name, {
      configurable: true,
      writable: true,
      value(this: RTCPeerConnection, ...args: unknown[]) {
        const result = native.apply(this, args);
        result?.catch((error: unknown) => probe.refusals.push(`${name}: ${String(error)} ${JSON.stringify(args[0])}`));
        return result;
      },
    });
  }

  globalThis.RTCRtpScriptTransform = class extends RTCRtpScriptTransform {
    constructor(worker: Worker, transformOptions?: unknown, transfer?: object[]) {
      super(worker, transformOptions, transfer);
      const known = transformOptions as Partial<TransformOptions> | undefined;
      if (typeof known?.id !== 'string') return;
      probe.transforms.push(known as TransformOptions);
      optionsOf.set(this, known as TransformOptions);
    }
  };

  for (const [prototype, side] of [
    [RTCRtpSender.prototype, 'senders'],
    [RTCRtpReceiver.prototype, 'receivers'],
  ] as const) {
    const native = Object.getOwnPropertyDescriptor(prototype, 'transform')!;
    const pretended = new WeakMap<object, unknown>();
    Object.defineProperty(prototype, 'transform', {
      configurable: true,
      enumerable: true,
      get(this: object) {
        return pretended.get(this) ?? native.get!.call(this);
      },
      set(this: RTCRtpSender | RTCRtpReceiver, transform: object | null) {
        const options = transform === null ? undefined : optionsOf.get(transform);
        if (options?.side === 'receive' && this.track !== null)
          sources.set(this.track, { peer: options.peer, kind: options.kind });
        if (probe[side] === 'set') return native.set!.call(this, transform);
        pretended.set(this, transform);
        if (probe[side] === 'late') setTimeout(() => native.set!.call(this, transform), 0);
      },
    });
  }
}

/** Give it to `addInitScript`. */
export function probeScript(options: ProbeOptions = {}): string {
  return `(${installProbe.toString()})(${JSON.stringify(options)});`;
}

/** Totals over all transforms of one page, or of those that `which` picks. */
export interface Totals {
  transforms: number;
  /** Transforms that passed nothing, by "side kind": 0 frames where frames should be is a failure. */
  idle: string[];
  passed: number;
  /** Receiving: what could not be opened, for any reason. */
  unopened: number;
  /** Sending: what was dropped for want of a key. */
  unsealed: number;
  byReason: Record<string, number>;
}

/** Adds up; runs in Node on what `page.evaluate(() => …)` brought. */
export function totalsOf({ transforms, counts }: Pick<Probe, 'transforms' | 'counts'>): Totals {
  const totals: Totals = { transforms: 0, idle: [], passed: 0, unopened: 0, unsealed: 0, byReason: {} };
  for (const options of transforms) {
    // The product's own look at the browser, before anybody joins and without a key.
    if (options.id.startsWith('selfTest.')) continue;
    totals.transforms++;
    const count = counts[options.id];
    if (count === undefined || count.passed === 0) totals.idle.push(`${options.side} ${options.kind}`);
    if (count === undefined) continue;
    totals.passed += count.passed;
    for (const [reason, frames] of Object.entries(count.dropped)) {
      if (options.side === 'send') totals.unsealed += frames;
      // What was sealed before one was a member is for others, and comes by the relay all the same.
      else if (reason !== 'earlier') totals.unopened += frames;
      if (frames > 0)
        totals.byReason[`${options.side} ${reason}`] = (totals.byReason[`${options.side} ${reason}`] ?? 0) + frames;
    }
  }
  return totals;
}
