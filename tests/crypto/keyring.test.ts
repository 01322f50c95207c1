/** The keyring: which frames open, which never do, and that no counter is used twice. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, hex } from '../../crypto/bytes.ts';
import type { Codec } from '../../crypto/clearPrefix.ts';
import { Keyring, MAX_BLOCKS, MAX_FRAMES } from '../../crypto/keyring.ts';
import type { Kind } from '../../crypto/mediaKeys.ts';
import { kidOf } from '../../crypto/mediaKeys.ts';
import { random } from '../../crypto/primitives.ts';
import { deriveKeys, importBaseKey, sealFrame } from '../../crypto/sframe.ts';
import { parseHeader } from '../../crypto/sframeHeader.ts';
import { naiveSeal } from './naiveSFrame.ts';

const MICROPHONE: Kind = 0;
const CAMERA: Kind = 1;
const SCREEN: Kind = 2;
const kinds: Kind[] = [0, 1, 2, 3];
const ALICE = 0;
const BOB = 5;
const leaves = [ALICE, BOB, 200];

let clock = 0;
let alice: Keyring;
let bob: Keyring;
/** What the exporter would give, by epoch. */
let baseKeys: Map<number, Bytes>;

beforeEach(() => {
  clock = 1000;
  alice = new Keyring({ now: () => clock });
  bob = new Keyring({ now: () => clock });
  baseKeys = new Map();
});

function baseKeyOf(epoch: number): Bytes {
  const baseKey = baseKeys.get(epoch) ?? random(32);
  baseKeys.set(epoch, baseKey);
  return baseKey;
}

/** Alice and Bob enter an epoch; Alice sends with it. */
async function enter(epoch: number): Promise<void> {
  const baseKey = baseKeyOf(epoch);
  await alice.install({ epoch, ownLeaf: ALICE, baseKey, leaves });
  await bob.install({ epoch, ownLeaf: BOB, baseKey, leaves });
  alice.sendWith(epoch);
}

async function sealed(ring: Keyring, kind: Kind, codec: Codec, frame: Bytes): Promise<Bytes> {
  const result = await ring.seal(kind, codec, frame);
  if (!result.ok) throw new Error(`not sealed: ${result.why}`);
  return result.frame;
}

/** A frame as some member of the epoch could make it, honest or not. */
async function forge(
  kind: Kind,
  leaf: number,
  epoch: number,
  counter: number,
  frame: Bytes = random(100),
): Promise<Bytes> {
  const keys = await deriveKeys(5, await importBaseKey(baseKeyOf(epoch)), kidOf(kind, leaf, epoch), 'seal');
  return sealFrame(keys, counter, frame, 0);
}

const fromAlice = { kind: CAMERA, leaf: ALICE };

describe('round trip', () => {
  test('frames of every kind and codec open with epoch and counter', async () => {
    await enter(7);
    for (const kind of kinds) {
      let counter = 0;
      for (const codec of ['opus', 'vp8', 'vp9'] as const) {
        for (const size of [1, 2, 160, 1200, 30_000]) {
          const frame = random(size);
          const result = await bob.open({ kind, leaf: ALICE }, codec, await sealed(alice, kind, codec, frame));
          expect(result).toMatchObject({ ok: true, epoch: 7, counter: counter++ });
          expect(result.ok && hex(result.frame)).toBe(hex(frame));
        }
      }
    }
  });

  test('a frame looks as the naive twin makes it, and grows by at most 22 bytes', async () => {
    await enter(77);
    for (let counter = 0; counter < 300; counter++) {
      const frame = random(50);
      const one = await sealed(alice, CAMERA, 'vp8', frame);
      const twin = naiveSeal({
        suite: 5,
        baseKey: baseKeyOf(77),
        kid: (1 << 14) | (ALICE << 6) | 13,
        counter,
        clear: frame.subarray(0, 1),
        plaintext: frame.subarray(1),
      });
      expect(twin.equals(one)).toBe(true);
      expect(one.length - frame.length).toBeLessThanOrEqual(22);
    }
    // The longest header there can be: two bytes of key id, three of counter.
    const longest = await forge(3, 255, 63, MAX_FRAMES - 1, random(50));
    expect(longest.length).toBe(50 + 22);
  });

  test('the first byte of a VP8 frame stays readable, nothing else does', async () => {
    await enter(1);
    const frame = random(500);
    const vp8 = await sealed(alice, CAMERA, 'vp8', frame);
    expect(vp8[0]).toBe(frame[0]);
    expect(hex(vp8)).not.toContain(hex(frame.subarray(1, 17)));
    const opus = await sealed(alice, MICROPHONE, 'opus', frame);
    expect(hex(opus)).not.toContain(hex(frame.subarray(0, 16)));
  });

  test('frames that come late and out of order open, as far back as the window goes', async () => {
    await enter(1);
    const frames = await Promise.all(Array.from({ length: 2100 }, () => sealed(alice, CAMERA, 'vp9', random(20))));
    expect((await bob.open(fromAlice, 'vp9', frames[2099]!)).ok).toBe(true);
    expect((await bob.open(fromAlice, 'vp9', frames[2098]!)).ok).toBe(true);
    expect((await bob.open(fromAlice, 'vp9', frames[52]!)).ok).toBe(true);
    expect(await bob.open(fromAlice, 'vp9', frames[51]!)).toEqual({ ok: false, why: 'replayed' });
  });
});

describe('no counter twice', () => {
  test('5,000 frames sealed at once have 5,000 counters, and all open', async () => {
    await enter(3);
    // Nothing is derived yet: the first frames wait for the key while the others queue up behind them.
    const frames = await Promise.all(Array.from({ length: 5000 }, () => sealed(alice, CAMERA, 'vp8', random(40))));
    const counters = new Set(frames.map((frame) => parseHeader(frame, 1)!.counter));
    expect(counters.size).toBe(5000);
    expect(Math.max(...[...counters].map(Number))).toBe(4999);
    const nonces = new Set(frames.map((frame) => hex(frame.subarray(1, 1 + parseHeader(frame, 1)!.length))));
    expect(nonces.size).toBe(5000);
    const results = await Promise.all(frames.map((frame) => bob.open(fromAlice, 'vp8', frame)));
    // The window is 2,048 wide; opened in order, all of them are inside.
    expect(results.filter((result) => result.ok)).toHaveLength(5000);
  });

  test('kinds have keys and counters of their own', async () => {
    await enter(3);
    const frame = random(40);
    const heads = await Promise.all(
      kinds.map(async (kind) => parseHeader(await sealed(alice, kind, 'opus', frame), 0)),
    );
    expect(heads.map((head) => head!.counter)).toEqual([0, 0, 0, 0]);
    expect(new Set(heads.map((head) => head!.kid)).size).toBe(4);
  });

  test('an epoch is installed once: a second time its counters would start again', async () => {
    await enter(3);
    const again = { epoch: 3, ownLeaf: ALICE, baseKey: baseKeyOf(3), leaves };
    await expect(alice.install(again)).rejects.toMatchObject({ code: 'usage' });
    await expect(alice.install({ ...again, epoch: 2 })).rejects.toMatchObject({ code: 'usage' });
    alice.wipe();
    await expect(alice.install(again)).rejects.toMatchObject({ code: 'usage' });
  });

  test('sending never goes back to an older epoch', async () => {
    await enter(3);
    await enter(4);
    expect(() => {
      alice.sendWith(3);
    }).toThrow(expect.objectContaining({ code: 'usage' }));
    alice.sendWith(4);
    expect(parseHeader(await sealed(alice, CAMERA, 'vp9', random(9)), 0)!.counter).toBe(0);
    alice.sendWith(4);
    expect(parseHeader(await sealed(alice, CAMERA, 'vp9', random(9)), 0)!.counter).toBe(1);
  });

  test('a key that has sealed its last frame seals no other, and the next epoch goes on', async () => {
    alice = new Keyring({ now: () => clock, maxFrames: 3 });
    await enter(3);
    expect(alice.framesLeft()).toBe(3);
    // All at once: the limit holds although no frame is done yet.
    const results = await Promise.all(Array.from({ length: 10 }, () => alice.seal(CAMERA, 'vp9', random(9))));
    expect(results.map((result) => (result.ok ? 'sealed' : result.why))).toEqual([
      ...new Array<string>(3).fill('sealed'),
      ...new Array<string>(7).fill('exhausted'),
    ]);
    expect(alice.framesLeft()).toBe(0);
    expect((await alice.seal(SCREEN, 'vp9', random(9))).ok).toBe(true);
    await enter(4);
    expect(alice.framesLeft()).toBe(3);
    expect((await alice.seal(CAMERA, 'vp9', random(9))).ok).toBe(true);
  });

  test('a key that has sealed its share of bytes seals no other', async () => {
    alice = new Keyring({ now: () => clock, maxBlocks: 10 });
    await enter(3);
    // Two blocks and one for the tag, three times; then there is room for none.
    for (let i = 0; i < 3; i++) expect((await alice.seal(CAMERA, 'vp9', random(32))).ok).toBe(true);
    expect(await alice.seal(CAMERA, 'vp9', random(1))).toEqual({ ok: false, why: 'exhausted' });
  });

  test('the limits keep the distinguishing advantage at 2^-57 and cannot be raised', async () => {
    // 2·σ² / 2^128 with σ = MAX_BLOCKS
    expect(1 + 2 * Math.log2(MAX_BLOCKS) - 128).toBe(-57);
    alice = new Keyring({ now: () => clock, maxFrames: Infinity, maxBlocks: Infinity });
    await enter(3);
    expect(alice.framesLeft()).toBe(MAX_FRAMES);
    expect(MAX_FRAMES).toBe(2 ** 24);
  });
});

describe('no key, no frame', () => {
  test('nothing seals before an epoch is sent with, nor after wiping', async () => {
    expect(await alice.seal(CAMERA, 'vp8', random(9))).toEqual({ ok: false, why: 'noKey' });
    await alice.install({ epoch: 0, ownLeaf: ALICE, baseKey: random(32), leaves });
    expect(await alice.seal(CAMERA, 'vp8', random(9))).toEqual({ ok: false, why: 'noKey' });
    expect(alice.framesLeft()).toBe(0);
    alice.sendWith(0);
    expect((await alice.seal(CAMERA, 'vp8', random(9))).ok).toBe(true);
    const underWay = alice.seal(SCREEN, 'vp8', random(9));
    alice.wipe();
    expect(await underWay).toEqual({ ok: false, why: 'noKey' });
    expect(await alice.seal(CAMERA, 'vp8', random(9))).toEqual({ ok: false, why: 'noKey' });
  });

  test('nothing opens before its epoch is there, nor after wiping', async () => {
    await enter(3);
    const [early, late, last] = await Promise.all([1, 2, 3].map(() => sealed(alice, CAMERA, 'vp8', random(9))));
    const stranger = new Keyring({ now: () => clock });
    expect(await stranger.open(fromAlice, 'vp8', early!)).toEqual({ ok: false, why: 'unknownKey' });
    expect((await bob.open(fromAlice, 'vp8', early!)).ok).toBe(true);
    const underWay = bob.open(fromAlice, 'vp8', late!);
    bob.wipe();
    expect(await underWay).toEqual({ ok: false, why: 'unknownKey' });
    expect(await bob.open(fromAlice, 'vp8', last!)).toEqual({ ok: false, why: 'unknownKey' });
  });

  test('what was sealed before one was a member is told from what one should be able to open', async () => {
    const why = async (sealedIn: number, held: readonly number[]): Promise<string> => {
      const [sender, receiver] = [0, 1].map(() => new Keyring({ now: () => clock })) as [Keyring, Keyring];
      await sender.install({ epoch: sealedIn, ownLeaf: ALICE, baseKey: baseKeyOf(sealedIn), leaves });
      sender.sendWith(sealedIn);
      for (const epoch of held) await receiver.install({ epoch, ownLeaf: BOB, baseKey: baseKeyOf(epoch), leaves });
      const opened = await receiver.open(fromAlice, 'vp8', await sealed(sender, CAMERA, 'vp8', random(9)));
      return opened.ok ? 'opened' : opened.why;
    };
    expect(await why(9, [10])).toBe('earlier');
    expect(await why(60, [65, 66])).toBe('earlier');
    expect(await why(0, [1])).toBe('earlier');
    expect(await why(12, [10, 11])).toBe('ahead');
    // Of an epoch that we have missed, or that is long gone: those are ours.
    expect(await why(11, [10, 12])).toBe('unknownKey');
    expect(await why(30, [10])).toBe('unknownKey');
    expect(await why(63, [0])).toBe('unknownKey');
  });

  test('sending with an epoch that is not there is our own mistake', async () => {
    await enter(3);
    for (const epoch of [4, 67, -61]) {
      expect(() => {
        alice.sendWith(epoch);
      }).toThrow(expect.objectContaining({ code: 'usage' }));
    }
  });

  test('empty frames, and frames shorter than their prefix, are not sealed', async () => {
    await enter(3);
    for (const codec of ['opus', 'vp8', 'vp9'] as const) {
      expect(await alice.seal(CAMERA, codec, new Uint8Array(0))).toEqual({ ok: false, why: 'malformed' });
    }
    expect(parseHeader(await sealed(alice, CAMERA, 'opus', random(1)), 0)!.counter).toBe(0);
  });

  test('a leaf that a KID cannot hold, a base key of another length and a bad epoch are refused', async () => {
    const good = { epoch: 0, ownLeaf: 255, baseKey: random(32), leaves: [255, 0] };
    for (const bad of [
      { ownLeaf: 256 },
      { ownLeaf: -1 },
      { leaves: [0, 256] },
      { baseKey: random(31) },
      { baseKey: random(64) },
      { epoch: 0.5 },
      { epoch: NaN },
    ]) {
      await expect(alice.install({ ...good, ...bad }), Object.keys(bad)[0]).rejects.toMatchObject({ code: 'usage' });
    }
    await alice.install(good);
  });
});

describe('must reject', () => {
  test('any flipped bit, any lost or added byte', async () => {
    await enter(3);
    for (const codec of ['opus', 'vp8'] as const) {
      const frame = await sealed(alice, CAMERA, codec, random(40));
      for (let bit = 0; bit < 8 * frame.length; bit++) {
        const flipped = frame.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect((await bob.open(fromAlice, codec, flipped)).ok, `${codec} bit ${bit}`).toBe(false);
      }
      for (let length = 0; length < frame.length; length++) {
        expect((await bob.open(fromAlice, codec, frame.slice(0, length))).ok).toBe(false);
      }
      expect((await bob.open(fromAlice, codec, concat(frame, Uint8Array.of(0)))).ok).toBe(false);
      // None of that moved the window.
      expect((await bob.open(fromAlice, codec, frame)).ok).toBe(true);
    }
  });

  test('a frame of another leaf', async () => {
    await enter(3);
    const frame = await sealed(alice, CAMERA, 'vp9', random(40));
    expect(await bob.open({ kind: CAMERA, leaf: 200 }, 'vp9', frame)).toEqual({ ok: false, why: 'wrongSender' });
    expect(await bob.open({ kind: CAMERA, leaf: ALICE + 256 }, 'vp9', frame)).toEqual({
      ok: false,
      why: 'wrongSender',
    });
    expect((await bob.open(fromAlice, 'vp9', frame)).ok).toBe(true);
  });

  test('a frame of another kind', async () => {
    await enter(3);
    const frame = await sealed(alice, CAMERA, 'vp9', random(40));
    for (const kind of kinds.filter((kind) => kind !== CAMERA)) {
      expect(await bob.open({ kind, leaf: ALICE }, 'vp9', frame)).toEqual({ ok: false, why: 'wrongSender' });
    }
  });

  test('a frame relabelled to another leaf, kind or epoch that exists', async () => {
    await enter(3);
    await enter(4);
    const frame = await sealed(alice, CAMERA, 'vp9', random(40));
    for (const [kind, leaf, epoch] of [
      [CAMERA, 200, 4],
      [SCREEN, ALICE, 4],
      [CAMERA, ALICE, 3],
    ] as const) {
      // Written like the header that it takes the place of: three bytes of key id form, counter inside of the first.
      const kid = kidOf(kind, leaf, epoch);
      const relabelled = concat(Uint8Array.of(0x90, kid >> 8, kid & 0xff), frame.subarray(3));
      expect(await bob.open({ kind, leaf }, 'vp9', relabelled)).toEqual({ ok: false, why: 'forged' });
    }
  });

  test('a frame of a leaf that is not in the epoch, though its maker has the keys', async () => {
    await enter(3);
    const frame = await forge(CAMERA, 9, 3, 0);
    expect(await bob.open({ kind: CAMERA, leaf: 9 }, 'vp9', frame)).toEqual({ ok: false, why: 'unknownKey' });
  });

  test('our own frames sent back to us', async () => {
    await enter(3);
    const own = await sealed(alice, CAMERA, 'vp9', random(40));
    expect(await alice.open(fromAlice, 'vp9', own)).toEqual({ ok: false, why: 'unknownKey' });
  });

  test('a repeated counter, also with other content', async () => {
    await enter(3);
    const frame = await sealed(alice, CAMERA, 'vp9', random(40));
    expect((await bob.open(fromAlice, 'vp9', frame)).ok).toBe(true);
    expect(await bob.open(fromAlice, 'vp9', frame)).toEqual({ ok: false, why: 'replayed' });
    const other = await forge(CAMERA, ALICE, 3, 0);
    expect(await bob.open(fromAlice, 'vp9', other)).toEqual({ ok: false, why: 'replayed' });
  });

  test('of copies opened at the same time only one wins', async () => {
    await enter(3);
    for (let round = 0; round < 20; round++) {
      const frame = await sealed(alice, CAMERA, 'vp9', random(40));
      const results = await Promise.all(Array.from({ length: 8 }, () => bob.open(fromAlice, 'vp9', frame)));
      expect(results.filter((result) => result.ok)).toHaveLength(1);
      expect(results.filter((result) => !result.ok && result.why === 'replayed')).toHaveLength(7);
    }
  });

  test('a forged frame with a high counter does not shut out the true ones', async () => {
    await enter(3);
    const high = await forge(CAMERA, ALICE, 3, 1_000_000);
    high[high.length - 1]! ^= 1;
    expect(await bob.open(fromAlice, 'vp9', high)).toEqual({ ok: false, why: 'forged' });
    expect((await bob.open(fromAlice, 'vp9', await sealed(alice, CAMERA, 'vp9', random(9)))).ok).toBe(true);
  });

  test('a counter past the limit of a key, however authentic', async () => {
    await enter(3);
    expect((await bob.open(fromAlice, 'vp9', await forge(CAMERA, ALICE, 3, MAX_FRAMES - 1))).ok).toBe(true);
    expect(await bob.open(fromAlice, 'vp9', await forge(CAMERA, ALICE, 3, MAX_FRAMES))).toEqual({
      ok: false,
      why: 'malformed',
    });
    expect(await bob.open(fromAlice, 'vp9', random(0))).toEqual({ ok: false, why: 'malformed' });
  });

  test('a frame under the same epoch number of another group', async () => {
    await enter(3);
    const frame = await sealed(alice, CAMERA, 'vp9', random(40));
    const elsewhere = new Keyring({ now: () => clock });
    await elsewhere.install({ epoch: 3, ownLeaf: BOB, baseKey: random(32), leaves });
    expect(await elsewhere.open(fromAlice, 'vp9', frame)).toEqual({ ok: false, why: 'forged' });
  });
});

describe('changing epoch', () => {
  test('a new epoch opens at once, is sent with when told, and the old one overlaps', async () => {
    await enter(3);
    const old = await sealed(alice, CAMERA, 'vp9', random(9));
    const baseKey = baseKeyOf(4);
    await alice.install({ epoch: 4, ownLeaf: ALICE, baseKey, leaves });
    await bob.install({ epoch: 4, ownLeaf: BOB, baseKey, leaves });
    const stillOld = await sealed(alice, CAMERA, 'vp9', random(9));
    alice.sendWith(4);
    const fresh = await sealed(alice, CAMERA, 'vp9', random(9));
    expect(await bob.open(fromAlice, 'vp9', fresh)).toMatchObject({ ok: true, epoch: 4, counter: 0 });
    expect(await bob.open(fromAlice, 'vp9', old)).toMatchObject({ ok: true, epoch: 3, counter: 0 });
    expect(await bob.open(fromAlice, 'vp9', stillOld)).toMatchObject({ ok: true, epoch: 3, counter: 1 });
  });

  test('installing takes effect before its promise settles', async () => {
    const baseKey = baseKeyOf(0);
    const installed = alice.install({ epoch: 0, ownLeaf: ALICE, baseKey, leaves });
    alice.sendWith(0);
    const sealing = sealed(alice, CAMERA, 'vp9', random(9));
    void bob.install({ epoch: 0, ownLeaf: BOB, baseKey: baseKey.slice(), leaves });
    expect((await bob.open(fromAlice, 'vp9', await sealing)).ok).toBe(true);
    await installed;
  });

  test('the base key may be wiped as soon as the call returns', async () => {
    const baseKey = random(32);
    const copy = baseKey.slice();
    baseKeys.set(0, baseKey.slice());
    const installed = alice.install({ epoch: 0, ownLeaf: ALICE, baseKey, leaves });
    baseKey.fill(0);
    await installed;
    await bob.install({ epoch: 0, ownLeaf: BOB, baseKey: copy, leaves });
    alice.sendWith(0);
    expect((await bob.open(fromAlice, 'vp9', await sealed(alice, CAMERA, 'vp9', random(9)))).ok).toBe(true);
  });

  test('an old epoch opens until its overlap ends, and not one millisecond longer', async () => {
    await enter(3);
    const [before, after] = await Promise.all([1, 2].map(() => sealed(alice, CAMERA, 'vp9', random(9))));
    await enter(4);
    bob.retire(3, clock + 10_000);
    clock += 9999;
    expect((await bob.open(fromAlice, 'vp9', before!)).ok).toBe(true);
    clock += 1;
    expect(await bob.open(fromAlice, 'vp9', after!)).toEqual({ ok: false, why: 'unknownKey' });
    clock -= 5000;
    // Once dead, always dead, even by a clock that is set back.
    expect(await bob.open(fromAlice, 'vp9', after!)).toEqual({ ok: false, why: 'unknownKey' });
    expect((await bob.open(fromAlice, 'vp9', await sealed(alice, CAMERA, 'vp9', random(9)))).ok).toBe(true);
  });

  test('a removal shortens what earlier changes have left, and nothing lengthens it', async () => {
    await enter(3);
    const third = await sealed(alice, CAMERA, 'vp9', random(9));
    await enter(4);
    const fourth = await sealed(alice, CAMERA, 'vp9', random(9));
    bob.retire(3, clock + 10_000);
    await enter(5);
    bob.retire(4, clock + 1000);
    bob.retire(3, clock + 60_000);
    clock += 1000;
    expect(await bob.open(fromAlice, 'vp9', third)).toEqual({ ok: false, why: 'unknownKey' });
    expect(await bob.open(fromAlice, 'vp9', fourth)).toEqual({ ok: false, why: 'unknownKey' });
    expect((await bob.open(fromAlice, 'vp9', await sealed(alice, CAMERA, 'vp9', random(9)))).ok).toBe(true);
  });

  test('a dead epoch is not sent with', async () => {
    await enter(3);
    alice.retire(3, clock + 1000);
    expect((await alice.seal(CAMERA, 'vp9', random(9))).ok).toBe(true);
    clock += 1000;
    expect(await alice.seal(CAMERA, 'vp9', random(9))).toEqual({ ok: false, why: 'noKey' });
    expect(() => {
      alice.sendWith(3);
    }).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('64 epochs later the same KID opens only the new key, and the old one is gone', async () => {
    await enter(3);
    const old = await sealed(alice, CAMERA, 'vp9', random(40));
    await enter(67);
    const fresh = await sealed(alice, CAMERA, 'vp9', random(40));
    expect(parseHeader(old, 0)!.kid).toBe(parseHeader(fresh, 0)!.kid);
    expect(await bob.open(fromAlice, 'vp9', old)).toEqual({ ok: false, why: 'forged' });
    // The old epoch's window went with it: counter 0 of the new one is fresh.
    expect(await bob.open(fromAlice, 'vp9', fresh)).toMatchObject({ ok: true, epoch: 67, counter: 0 });
  });

  test('an epoch that takes the slot of the one sent with ends that sending', async () => {
    await enter(3);
    await alice.install({ epoch: 67, ownLeaf: ALICE, baseKey: baseKeyOf(67), leaves });
    expect(await alice.seal(CAMERA, 'vp9', random(9))).toEqual({ ok: false, why: 'noKey' });
  });

  test('the same leaf in a later epoch is told apart by the epoch of the result', async () => {
    await enter(3);
    const byOldBob = await forge(CAMERA, 200, 3, 0);
    await enter(4);
    const byNewcomer = await forge(CAMERA, 200, 4, 0);
    expect(await bob.open({ kind: CAMERA, leaf: 200 }, 'vp9', byOldBob)).toMatchObject({ ok: true, epoch: 3 });
    expect(await bob.open({ kind: CAMERA, leaf: 200 }, 'vp9', byNewcomer)).toMatchObject({ ok: true, epoch: 4 });
  });

  test('frames are opened in 200 epochs in a row without one being lost', async () => {
    for (let epoch = 0; epoch < 200; epoch++) {
      await enter(epoch);
      if (epoch > 0) for (const ring of [alice, bob]) ring.retire(epoch - 1, clock + 10_000);
      clock += 250;
      const frame = await sealed(alice, MICROPHONE, 'opus', random(9));
      expect((await bob.open({ kind: MICROPHONE, leaf: ALICE }, 'opus', frame)).ok).toBe(true);
    }
  });
});
