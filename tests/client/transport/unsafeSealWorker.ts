/**
 * A worker for tests of the mesh alone: real SFrame keys under a base key that everybody knows, so unsafe by name.
 *
 * It speaks the part of client/e2ee/messages.ts that the transport uses: ping, transform.end, counts. `init` gives it its leaf,
 * `mute` makes it owe its answers for a while, as a stuck worker does, and `spy` lets everything through as it came: an eavesdropper.
 */
import { Keyring } from '../../../crypto/keyring.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import { trackKinds, type TransformCounts, type TransformOptions } from '../../../client/e2ee/messages.ts';

interface Frame {
  data: ArrayBuffer;
}
interface TransformEvent {
  transformer: { options: TransformOptions; readable: ReadableStream<Frame>; writable: WritableStream<Frame> };
}

const keyring = new Keyring({ now: () => performance.now() });
const counts = new Map<string, TransformCounts>();
const changed = new Set<string>();
let leaves: Record<string, number> = {};
let mute = false;
let spy = false;
const owed: number[] = [];
const answer = (id: number) => self.postMessage({ type: 'answer', id, result: {} });

const report = () => {
  if (changed.size === 0) return;
  const all = [...changed].map((id) => counts.get(id)!);
  changed.clear();
  self.postMessage({ type: 'notice', notice: { type: 'counts', counts: all } });
};
setInterval(report, 500);

self.onmessage = ({ data }: MessageEvent) => {
  if (data.type === 'init') {
    leaves = data.leaves;
    const baseKey = new Uint8Array(32).fill(7) as Bytes;
    void keyring
      .install({ epoch: 1, ownLeaf: data.leaf, baseKey, leaves: Object.values(leaves) })
      .then(() => keyring.sendWith(1))
      .then(() => self.postMessage({ type: 'ready' }));
    spy = data.spy;
  } else if (data.type === 'mute') {
    mute = data.mute;
    if (!mute) for (const id of owed.splice(0)) answer(id);
  } else if (data.type === 'call') {
    if (mute) owed.push(data.id);
    else answer(data.id);
  }
};

(self as unknown as { onrtctransform: (event: TransformEvent) => void }).onrtctransform = ({ transformer }) => {
  const { options } = transformer;
  const kind = trackKinds.indexOf(options.kind) as 0 | 1 | 2 | 3;
  const dropped = {
    noKey: 0,
    unknownKey: 0,
    earlier: 0,
    forged: 0,
    replayed: 0,
    wrongSender: 0,
    malformed: 0,
    shed: 0,
  };
  const count: TransformCounts = { id: options.id, passed: 0, empty: 0, dropped };
  counts.set(options.id, count);
  const stream = new TransformStream<Frame, Frame>({
    async transform(frame, controller) {
      changed.add(options.id);
      if (spy && options.side === 'receive') {
        count.passed++;
        return controller.enqueue(frame);
      }
      if (frame.data.byteLength === 0) {
        count.empty++;
        if (options.side === 'send') controller.enqueue(frame);
        return;
      }
      const bytes = new Uint8Array(frame.data);
      const done =
        options.side === 'send'
          ? await keyring.seal(kind, options.codec, bytes)
          : await keyring.open({ kind, leaf: leaves[options.peer]! }, options.codec, bytes);
      if (!done.ok) {
        dropped[done.why === 'exhausted' ? 'noKey' : done.why === 'ahead' ? 'unknownKey' : done.why]++;
        return;
      }
      frame.data = done.frame.buffer as ArrayBuffer;
      controller.enqueue(frame);
      if (++count.passed === 1) report();
    },
  });
  void transformer.readable.pipeThrough(stream).pipeTo(transformer.writable);
};
