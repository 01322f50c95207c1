import { describe, expect, test } from 'vitest';
import { Frames } from '../../../client/e2ee/frames.ts';
import type { EncodedFrame, FrameKeys } from '../../../client/e2ee/frameTransform.ts';
import type { Notice, TransformCounts, TransformOptions } from '../../../client/e2ee/messages.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import { Keyring } from '../../../crypto/keyring.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';

const ALICE = 'AAAAAAAAAAAAAAAAAAAAAA' as PeerId;
const BOB = 'BBBBBBBBBBBBBBBBBBBBBB' as PeerId;
const leaves: Record<string, number> = { [ALICE]: 0, [BOB]: 1 };
const base = (epoch: number): Bytes => new Uint8Array(32).fill(epoch + 1);

interface Side {
  keyring: Keyring;
  frames: Frames;
  notices: Notice[];
  keys: FrameKeys;
  heard: PeerId[];
  timers: (() => void)[];
  clock: { now: number };
  online: boolean;
  sending: number;
  /** Which epoch each peer is known to open. */
  opens: Map<PeerId, number>;
}

function side(): Side {
  const clock = { now: 0 };
  const keyring = new Keyring({ now: () => clock.now });
  const heard: PeerId[] = [];
  const notices: Notice[] = [];
  const timers: (() => void)[] = [];
  const opens = new Map<PeerId, number>();
  const trees = new Map<number, Record<string, number>>();
  const keys: FrameKeys = {
    keyring,
    leafOf: (peer) => leaves[peer] ?? null,
    isLeafOf: (peer, leaf, epoch) => (trees.get(epoch) ?? leaves)[peer] === leaf,
    epochFor: (peer) => (peer === null ? made.sending : (opens.get(peer) ?? -1)),
    heard: (peer) => heard.push(peer),
  };
  const made: Side = {
    keyring,
    frames: undefined as never,
    notices,
    keys,
    heard,
    timers,
    clock,
    online: true,
    sending: -1,
    opens,
  };
  made.frames = new Frames({
    now: () => clock.now,
    after: (_ms, run) => timers.push(run),
    keys: () => (made.online ? keys : null),
    emit: (notice) => notices.push(notice),
  });
  return made;
}

async function pair(epoch = 0): Promise<{ alice: Side; bob: Side }> {
  const [alice, bob] = [side(), side()];
  await alice.keyring.install({ epoch, ownLeaf: 0, baseKey: base(epoch), leaves: [0, 1] });
  await bob.keyring.install({ epoch, ownLeaf: 1, baseKey: base(epoch), leaves: [0, 1] });
  alice.keyring.sendWith(epoch);
  alice.sending = epoch;
  return { alice, bob };
}

const frame = (bytes: number[], mimeType?: string): EncodedFrame => ({
  data: Uint8Array.from(bytes).buffer,
  getMetadata: () => (mimeType === undefined ? {} : { mimeType }),
});
const bytesOf = (one: EncodedFrame): number[] => [...new Uint8Array(one.data)];

/** Runs frames through one transform and gives what came out. */
async function run(
  on: Side,
  options: TransformOptions,
  frames: EncodedFrame[],
  keyFrame?: () => Promise<unknown>,
): Promise<EncodedFrame[]> {
  const out: EncodedFrame[] = [];
  const readable = new ReadableStream<EncodedFrame>({
    start(controller) {
      for (const one of frames) controller.enqueue(one);
      controller.close();
    },
  });
  await new Promise<void>((done) => {
    const writable = new WritableStream<EncodedFrame>({ write: (one) => void out.push(one), close: done });
    on.frames.attach(options, { readable, writable }, keyFrame);
  });
  await new Promise((done) => setTimeout(done, 0));
  return out;
}

function lastCounts(on: Side, id: string): TransformCounts {
  const told = on.notices.flatMap((notice) => (notice.type === 'counts' ? notice.counts : []));
  return told.findLast((counts) => counts.id === id)!;
}

const send = (id: string, codec: 'opus' | 'vp8' = 'vp8', peer: PeerId | null = null): TransformOptions => ({
  id,
  side: 'send',
  kind: codec === 'opus' ? 'microphone' : 'camera',
  codec,
  peer,
});
const receive = (id: string, peer: PeerId, codec: 'opus' | 'vp8' = 'vp8'): TransformOptions => ({
  id,
  side: 'receive',
  kind: codec === 'opus' ? 'microphone' : 'camera',
  codec,
  peer,
});

describe('from one member to another', () => {
  test('frames arrive unchanged and in order, and only the first byte of VP8 could be read on the way', async () => {
    const { alice, bob } = await pair();
    const plain = Array.from({ length: 20 }, (_, n) => [n % 2, n, 7, 7, 7, 7]);
    const sealed = await run(
      alice,
      send('s'),
      plain.map((bytes) => frame(bytes, 'video/VP8')),
    );
    expect(sealed.map((one) => bytesOf(one)[0])).toEqual(plain.map((bytes) => bytes[0]));
    for (const one of sealed) expect(Buffer.from(one.data).includes(Buffer.from([7, 7, 7, 7]))).toBe(false);
    const opened = await run(bob, receive('r', ALICE), sealed);
    expect(opened.map(bytesOf)).toEqual(plain);
    expect(lastCounts(alice, 's').passed).toBe(20);
    expect(lastCounts(bob, 'r').passed).toBe(20);
    expect(bob.heard).toContain(ALICE);
  });

  test('the first frame seen and the first that passes are told at once, the next ones twice a second', async () => {
    const { alice } = await pair();
    alice.online = false;
    await run(alice, send('s'), [frame([1, 2, 3]), frame([1, 2, 3])]);
    expect(alice.notices.slice(0, 1)).toMatchObject([{ counts: [{ id: 's', passed: 0, dropped: { noKey: 1 } }] }]);
    alice.notices.length = 0;
    alice.online = true;
    const { readable, writable } = new TransformStream<EncodedFrame>();
    const out = new TransformStream<EncodedFrame>();
    alice.frames.attach(send('t'), { readable, writable: out.writable });
    const [writer, reader] = [writable.getWriter(), out.readable.getReader()];
    for (let n = 0; n < 3; n++) {
      void writer.write(frame([1, 2, 3]));
      await reader.read();
    }
    expect(alice.notices).toMatchObject([{ counts: [{ id: 't', passed: 1 }] }]);
    alice.timers.at(-1)!();
    expect(lastCounts(alice, 't').passed).toBe(3);
  });

  test('what was counted since the last report is told when the connection ends', async () => {
    const { alice } = await pair();
    const { readable, writable } = new TransformStream<EncodedFrame>();
    const out = new TransformStream<EncodedFrame>();
    alice.frames.attach(send('s'), { readable, writable: out.writable });
    const [writer, reader] = [writable.getWriter(), out.readable.getReader()];
    for (let n = 0; n < 3; n++) {
      void writer.write(frame([1, 2, 3]));
      await reader.read();
    }
    expect(lastCounts(alice, 's').passed).toBe(1);
    alice.frames.end('s');
    expect(lastCounts(alice, 's').passed).toBe(3);
    const told = alice.notices.length;
    void writer.write(frame([1, 2, 3]));
    await reader.read();
    alice.frames.end('s');
    alice.timers.at(-1)!();
    expect(alice.notices).toHaveLength(told);
  });

  test('large frames go through where a browser cannot give buffers back', async () => {
    const { transfer } = ArrayBuffer.prototype;
    Reflect.deleteProperty(ArrayBuffer.prototype, 'transfer');
    try {
      const { alice, bob } = await pair();
      const plain = [1, ...new Array<number>(20_000).fill(7)];
      const sealed = await run(alice, send('s'), [frame(plain)]);
      expect((await run(bob, receive('r', ALICE), sealed)).map(bytesOf)).toEqual([plain]);
    } finally {
      Object.defineProperty(ArrayBuffer.prototype, 'transfer', {
        value: transfer,
        writable: true,
        configurable: true,
      });
    }
  });

  test('empty Opus frames pass on sending without a counter, and are dropped on receiving', async () => {
    const { alice, bob } = await pair();
    const out = await run(alice, send('s', 'opus'), [frame([]), frame([1, 2]), frame([])]);
    expect(out.map((one) => one.data.byteLength === 0)).toEqual([true, false, true]);
    expect(lastCounts(alice, 's')).toMatchObject({ passed: 1, empty: 2 });
    expect(await run(bob, receive('r', ALICE, 'opus'), out)).toHaveLength(1);
    expect(lastCounts(bob, 'r')).toMatchObject({ passed: 1, empty: 2 });
  });
});

describe('what never reaches a decoder or the network', () => {
  test('without a meeting nothing leaves and nothing is opened', async () => {
    const { alice, bob } = await pair();
    const sealed = await run(alice, send('ok'), [frame([1, 2, 3])]);
    alice.online = bob.online = false;
    expect(await run(alice, send('s'), [frame([1, 2, 3])])).toEqual([]);
    expect(lastCounts(alice, 's').dropped.noKey).toBe(1);
    expect(await run(bob, receive('r', ALICE), sealed)).toEqual([]);
    expect(lastCounts(bob, 'r').dropped.unknownKey).toBe(1);
  });

  test('before an epoch is sent with, nothing leaves', async () => {
    const alice = side();
    await alice.keyring.install({ epoch: 0, ownLeaf: 0, baseKey: base(0), leaves: [0, 1] });
    expect(await run(alice, send('s'), [frame([1, 2, 3])])).toEqual([]);
    expect(lastCounts(alice, 's').dropped.noKey).toBe(1);
  });

  test('clear, changed, repeated and foreign frames are dropped, each under its name', async () => {
    const { alice, bob } = await pair();
    const [one, two] = await run(alice, send('s'), [frame([1, 2, 3]), frame([1, 5, 6])]);
    const changed = bytesOf(two!);
    changed[changed.length - 1]! ^= 1;
    const clear = [1, ...new Array<number>(40).fill(9)];
    const out = await run(bob, receive('r', ALICE), [
      frame(bytesOf(one!)),
      frame(bytesOf(one!)),
      frame(changed),
      frame(clear),
    ]);
    expect(out.map(bytesOf)).toEqual([[1, 2, 3]]);
    const { dropped } = lastCounts(bob, 'r');
    expect(dropped).toMatchObject({ replayed: 1, forged: 1 });
    expect(dropped.malformed + dropped.wrongSender + dropped.unknownKey).toBe(1);
  });

  test("a frame that comes over another peer's connection is dropped although its key is known", async () => {
    const { alice } = await pair();
    const sealed = await run(alice, send('s'), [frame([1, 2, 3])]);
    const carol = side();
    await carol.keyring.install({ epoch: 0, ownLeaf: 2, baseKey: base(0), leaves: [0, 1, 2] });
    expect(await run(carol, receive('r', BOB), sealed)).toEqual([]);
    expect(lastCounts(carol, 'r').dropped.wrongSender).toBe(1);
  });

  test('a frame of a newcomer who got the leaf of somebody who left is not shown on the old tile', async () => {
    const { alice, bob } = await pair();
    const sealed = await run(alice, send('s'), [frame([1, 2, 3])]);
    bob.keys.isLeafOf = () => false;
    expect(await run(bob, receive('r', ALICE), sealed)).toEqual([]);
    expect(lastCounts(bob, 'r').dropped.wrongSender).toBe(1);
  });

  test('another codec than the agreed one is dropped on both sides', async () => {
    const { alice, bob } = await pair();
    expect(await run(alice, send('s'), [frame([1, 2, 3], 'video/H264')])).toEqual([]);
    const sealed = await run(alice, send('s2'), [frame([1, 2, 3])]);
    expect(await run(bob, receive('r', ALICE), [frame(bytesOf(sealed[0]!), 'video/VP9')])).toEqual([]);
    expect(lastCounts(bob, 'r').dropped.malformed).toBe(1);
  });

  test('more frames than can be worked on are shed, counted, and the rest keeps its order', async () => {
    const { alice } = await pair();
    const out = await run(
      alice,
      send('s'),
      Array.from({ length: 1000 }, (_, n) => frame([1, n % 256])),
    );
    const { passed, dropped } = lastCounts(alice, 's');
    expect(passed + dropped.shed).toBe(1000);
    expect(out).toHaveLength(passed);
    expect(dropped.shed).toBeGreaterThan(0);
  });
});

describe('when not everybody has come into the new epoch yet', () => {
  test('a newcomer is sent what it opens, and the others go on being sent what they open', async () => {
    const { alice } = await pair(0);
    const newcomer = side();
    await newcomer.keyring.install({ epoch: 1, ownLeaf: 1, baseKey: base(1), leaves: [0, 1] });
    await alice.keyring.install({ epoch: 1, ownLeaf: 0, baseKey: base(1), leaves: [0, 1] });
    alice.opens.set(BOB, 1);
    const [toBob] = await run(alice, send('s', 'vp8', BOB), [frame([1, 2, 3])]);
    expect(await run(newcomer, receive('r', ALICE), [toBob!])).toHaveLength(1);
    const { bob } = await pair(0);
    const [toAll] = await run(alice, send('t'), [frame([1, 2, 3])]);
    expect(await run(bob, receive('r', ALICE), [toAll!])).toHaveLength(1);
  });

  test('to somebody who opens nothing yet, nothing is sealed', async () => {
    const { alice } = await pair(0);
    expect(await run(alice, send('s', 'vp8', BOB), [frame([1, 2, 3])])).toEqual([]);
    expect(lastCounts(alice, 's').dropped.noKey).toBe(1);
  });
});

describe('a frame that is faster than its key', () => {
  const sealedAhead = async () => {
    const { alice, bob } = await pair(0);
    await alice.keyring.install({ epoch: 1, ownLeaf: 0, baseKey: base(1), leaves: [0, 1] });
    alice.keyring.sendWith(1);
    alice.sending = 1;
    const ahead = await run(alice, send('s'), [frame([1, 2, 3]), frame([1, 2, 4])]);
    return { bob, ahead };
  };

  test('waits for it, keeps its place, and is opened', async () => {
    const { bob, ahead } = await sealedAhead();
    const opened = run(bob, receive('r', ALICE), ahead);
    await new Promise((done) => setTimeout(done, 10));
    await bob.keyring.install({ epoch: 1, ownLeaf: 1, baseKey: base(1), leaves: [0, 1] });
    bob.frames.keysChanged('receive');
    expect((await opened).map(bytesOf)).toEqual([
      [1, 2, 3],
      [1, 2, 4],
    ]);
  });

  test('is dropped when the key has not come in two seconds', async () => {
    const { bob, ahead } = await sealedAhead();
    const opened = run(bob, receive('r', ALICE), ahead);
    await new Promise((done) => setTimeout(done, 10));
    bob.clock.now += 2000;
    for (const late of bob.timers.splice(0)) late();
    expect(await opened).toEqual([]);
    expect(lastCounts(bob, 'r').dropped.unknownKey).toBe(2);
  });
});

describe('key frames', () => {
  test('a receiver that cannot open asks for one, at most once a second', async () => {
    const { alice, bob } = await pair();
    const sealed = await run(
      alice,
      send('s'),
      Array.from({ length: 5 }, () => frame([1, 2, 3])),
    );
    bob.keyring.wipe();
    let asked = 0;
    await run(bob, receive('r', ALICE), sealed, async () => ++asked);
    expect(asked).toBe(1);
    bob.clock.now += 1000;
    bob.frames.keysChanged('receive');
    expect(asked).toBe(2);
  });

  test('a camera that comes again after a gap is asked for one, for what its next pictures build on may be lost; one that goes on is not', async () => {
    const { alice, bob } = await pair();
    const sealed = await run(
      alice,
      send('s'),
      Array.from({ length: 4 }, () => frame([1, 2, 3])),
    );
    const waits = [0, 1500, 1501, 60];
    const asked: number[] = [];
    const readable = new ReadableStream<EncodedFrame>(
      {
        pull(controller) {
          const next = sealed.shift();
          if (!next) return controller.close();
          bob.clock.now += waits.shift()!;
          controller.enqueue(next);
        },
      },
      { highWaterMark: 0 },
    );
    await new Promise<void>((close) => {
      const writable = new WritableStream<EncodedFrame>({ close });
      bob.frames.attach(receive('r', ALICE), { readable, writable }, async () => asked.push(bob.clock.now));
    });
    expect(asked).toEqual([3001]);
  });

  test('a switch of the sending key makes the encoders of video start anew, not those of sound', async () => {
    const { alice } = await pair();
    let asked = 0;
    await run(alice, send('s'), [frame([1, 2, 3])], async () => ++asked);
    await run(alice, send('a', 'opus'), [frame([1, 2, 3])], async () => ++asked);
    await run(alice, send('b', 'vp8', BOB), [frame([1, 2, 3])], async () => ++asked);
    alice.frames.keysChanged('send');
    expect(asked, 'one peer alone has opened all that came before').toBe(1);
  });
});
