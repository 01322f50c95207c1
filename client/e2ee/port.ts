/**
 * The page's handle on the worker that holds every key.
 *
 * It passes calls in, answers and notices out, and hands encoded frames over to the worker. It keeps no secret and opens
 * nothing. A worker that failed is never restarted behind the page's back: its keys are gone, and the page has to know.
 */
/// <reference types="vite/client" />
import workerAddress from './worker.ts?worker&url';
import type { CallErrorCode, CallName, Calls, FromWorker, Notice, ToWorker, TransformOptions } from './messages.ts';
import { scriptUrl } from './trusted.ts';

/** A call that the worker refused, or could not answer any more. */
export class CallError extends Error {
  readonly code: CallErrorCode;

  constructor(code: CallErrorCode, detail: string) {
    super(detail);
    this.name = 'CallError';
    this.code = code;
  }
}

export interface Port {
  /** @throws CallError */
  call<N extends CallName>(name: N, params: Calls[N]['in']): Promise<Calls[N]['out']>;
  /** @returns takes the listener off again */
  onNotice(listener: (notice: Notice) => void): () => void;
  /** Puts the worker between a codec and the network, in this very task: a task later would be too late. */
  transform(options: TransformOptions, target: RTCRtpSender | RTCRtpReceiver): void;
  /** The worker has failed; no call will be answered. Called at once if it already has. */
  onDead(listener: () => void): () => void;
  /** Ends the worker, and with it every key. Idempotent. */
  terminate(): void;
}

/** What Chromium calls a sender or receiver in the older interface. */
interface EncodedStreams {
  createEncodedStreams(): { readable: ReadableStream; writable: WritableStream };
}

interface Waiting {
  resolve: (result: never) => void;
  reject: (error: CallError) => void;
}

/** True if this browser lets a worker in between codec and network at all. */
export function canTransform(): boolean {
  return 'RTCRtpScriptTransform' in globalThis || 'createEncodedStreams' in RTCRtpSender.prototype;
}

export function createPort(): Port {
  const worker = new Worker(scriptUrl(workerAddress), { type: 'module', name: 'parley keys' });
  const waiting = new Map<number, Waiting>();
  const notices = new Set<(notice: Notice) => void>();
  const mourners = new Set<() => void>();
  let nextCall = 1;
  let dead = false;

  const end = (): void => {
    if (dead) return;
    dead = true;
    worker.terminate();
    for (const { reject } of waiting.values()) reject(new CallError('internal', 'the worker is gone'));
    waiting.clear();
  };
  const die = (): void => {
    if (dead) return;
    end();
    for (const listener of mourners) listener();
  };

  worker.addEventListener('error', die);
  worker.addEventListener('messageerror', die);
  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    if (dead) return;
    if (data.type === 'notice') {
      for (const listener of notices) listener(data.notice);
      return;
    }
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.type === 'answer') call?.resolve(data.result as never);
    else call?.reject(new CallError(data.code, data.detail));
  });

  const post = (message: ToWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);

  const call: Port['call'] = (name, params) => {
    if (dead) return Promise.reject(new CallError('internal', 'the worker is gone'));
    return new Promise((resolve, reject) => {
      const id = nextCall++;
      waiting.set(id, { resolve, reject });
      const { readable, writable } = params as { readable?: ReadableStream; writable?: WritableStream };
      // Name and params belong together by the signature; TypeScript does not follow a generic into the union.
      post({ type: 'call', id, name, params } as ToWorker, readable && writable ? [readable, writable] : []);
    });
  };

  return {
    call,
    onNotice: (listener) => {
      notices.add(listener);
      return () => notices.delete(listener);
    },
    transform: (options, target) => {
      if ('RTCRtpScriptTransform' in globalThis) {
        target.transform = new RTCRtpScriptTransform(worker, options);
        return;
      }
      const { readable, writable } = (target as unknown as EncodedStreams).createEncodedStreams();
      void call('transform.streams', { options, readable, writable }).catch(die);
    },
    onDead: (listener) => {
      if (dead) listener();
      else mourners.add(listener);
      return () => mourners.delete(listener);
    },
    terminate: end,
  };
}
