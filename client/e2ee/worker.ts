/**
 * The worker that holds every key: ports to the page and to the browser's media pipeline, and nothing else.
 *
 * A frame transform set on a sender or receiver arrives here as `rtctransform` event; its streams are attached in that very
 * task, so that no frame passes by. What goes wrong here must not leave the pipeline open: an uncaught error reaches the page as
 * the worker's error, and the page takes its tracks off.
 */
import { CallDesk } from './calls.ts';
import { browserChatStore } from './chat/store.ts';
import type { EncodedFrame } from './frameTransform.ts';
import type { ToWorker, TransformOptions } from './messages.ts';
import { browserStore } from './store.ts';

/** RTCRtpScriptTransformer, W3C WebRTC Encoded Transform; TypeScript knows it only without the DOM. */
interface ScriptTransformer {
  readonly options: TransformOptions;
  readonly readable: ReadableStream<EncodedFrame>;
  readonly writable: WritableStream<EncodedFrame>;
  generateKeyFrame?(): Promise<unknown>;
  sendKeyFrameRequest?(): Promise<unknown>;
}

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onrtctransform: ((event: Event & { transformer: ScriptTransformer }) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as WorkerScope;

const desk = new CallDesk({
  store: browserStore(),
  chatStore: browserChatStore,
  // Where a browser has no locks, two tabs that write at the same moment fork their chain, and that is shown.
  alone: (name, act) => ('locks' in navigator ? navigator.locks.request(`parley ${name}`, act) : act()),
  hold: (name) =>
    new Promise((resolve, reject) => {
      if (!('locks' in navigator)) return resolve(() => undefined);
      const held = (lock: Lock | null) =>
        lock === null ? resolve(null) : new Promise<void>((release) => resolve(() => release()));
      navigator.locks.request(`parley ${name}`, { ifAvailable: true }, held).catch(reject);
    }),
  // Steady, unlike Date: somebody who sets the clock must not revive keys.
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  post: (message) => scope.postMessage(message),
});

scope.onmessage = ({ data }) => desk.receive(data);

scope.onrtctransform = ({ transformer }) => {
  const { options, readable, writable } = transformer;
  const request =
    options.side === 'send'
      ? () => transformer.generateKeyFrame?.() ?? Promise.resolve()
      : () => transformer.sendKeyFrameRequest?.() ?? Promise.resolve();
  desk.frames.attach(options, { readable, writable }, request);
};
