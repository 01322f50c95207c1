/** The product's frame transforms under one fixed key, without a group: what sealing alone adds to a bare call. */
import { Frames } from '../../../client/e2ee/frames.ts';
import type { FrameKeys } from '../../../client/e2ee/frameTransform.ts';
import type { TransformOptions } from '../../../client/e2ee/messages.ts';
import { Keyring } from '../../../crypto/keyring.ts';

interface Transformer {
  readonly options: TransformOptions;
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
}

const keyring = new Keyring({ now: () => performance.now() });
let ready = false;
/** Peers are called "0", "1" …, after their leaves. */
const keys: FrameKeys = {
  keyring,
  leafOf: (peer) => Number(peer),
  isLeafOf: (peer, leaf) => Number(peer) === leaf,
  epochFor: () => 1,
  heard: () => undefined,
};
const frames = new Frames({
  now: () => performance.now(),
  after: (ms, run) => setTimeout(run, ms),
  keys: () => (ready ? keys : null),
  emit: (notice) => postMessage(notice),
});

self.onmessage = async ({ data }: MessageEvent<{ leaf: number; baseKey: Uint8Array<ArrayBuffer> }>) => {
  await keyring.install({ epoch: 1, ownLeaf: data.leaf, baseKey: data.baseKey, leaves: [0, 1, 2, 3, 4, 5, 6, 7] });
  keyring.sendWith(1);
  ready = true;
  postMessage({ type: 'ready' });
};

addEventListener('rtctransform', (event) => {
  const { transformer } = event as Event & { transformer: Transformer };
  frames.attach(transformer.options, transformer);
});
