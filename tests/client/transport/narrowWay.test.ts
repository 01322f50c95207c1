import { describe, expect, test } from 'vitest';
import { NarrowWay, wayTotalsIn } from '../../../client/transport/narrowWay.ts';

const LOOK_MS = 500;

/** A camera that is looked at twice a second. */
function createLine() {
  const way = new NarrowWay();
  const totals = { decodedFrames: 0, nacks: 0 };
  const sound = { bytes: 0, packets: 0, lost: 0 };
  let [now, bytes] = [1000, 0];
  return {
    /** @returns how many cameras fit, after each look */
    pass(ms: number, perLook: { frames: number; nacks: number; kbps?: number; lost?: number }): (number | null)[] {
      return Array.from({ length: ms / LOOK_MS }, () => {
        now += LOOK_MS;
        totals.decodedFrames += perLook.frames;
        totals.nacks += perLook.nacks;
        bytes += ((perLook.kbps ?? 200) * LOOK_MS) / 8;
        sound.bytes += (60 * LOOK_MS) / 8;
        sound.packets += 25;
        sound.lost += perLook.lost ?? 0;
        return way.sample({ cameras: new Map([['1', { ...totals }]]), bytes, sound: { ...sound } }, now);
      });
    },
  };
}

const flowing = { frames: 7, nacks: 0 };
const stuck = { frames: 0, nacks: 9 };

describe('a way that has become too narrow', () => {
  test('one camera is asked for at the first look at fewer than half of them, before they stand still', () => {
    const line = createLine();
    expect(line.pass(3000, flowing)).toEqual(Array(6).fill(null));
    expect(line.pass(500, { frames: 3, nacks: 9 })).toEqual([1]);
  });

  test('as many as come through beside the voices', () => {
    const line = createLine();
    line.pass(3000, flowing);
    // 1,000 kbit/s, of which 900 can be planned with, less 60 of voices, at 80 each.
    expect(line.pass(500, { ...stuck, kbps: 1000 })).toEqual([10]);
  });

  test('fewer and fewer while the voices are hard to follow, at last these alone', () => {
    const line = createLine();
    line.pass(3000, flowing);
    line.pass(500, { ...stuck, kbps: 400 });
    const bad = { ...stuck, kbps: 300, lost: 9 };
    expect(line.pass(3500, bad)).not.toContain(2);
    expect(line.pass(4000, bad)).toEqual(Array(8).fill(2));
    expect(line.pass(8500, bad).at(-1)).toBe(0);
  });

  test('no fewer while the voices come through', () => {
    const line = createLine();
    line.pass(3000, flowing);
    expect(line.pass(6000, { ...stuck, lost: 2 })).not.toContain(0);
  });

  test('a line that is narrow from the start is found, too', () => {
    expect(createLine().pass(1500, stuck).at(-1)).toBe(1);
  });

  test('a picture now and then is standing still, too', () => {
    const line = createLine();
    line.pass(3000, flowing);
    expect(line.pass(1500, { frames: 0.4, nacks: 2 })).toContain(1);
  });

  test('a camera that has become slow, as in a dark room, is none', () => {
    const line = createLine();
    line.pass(3000, flowing);
    line.pass(10_000, { frames: 3, nacks: 0 });
    expect(line.pass(5000, { frames: 3, nacks: 4 })).not.toContain(1);
  });

  test('loss alone is none: pictures go on', () => {
    expect(createLine().pass(20_000, { frames: 3, nacks: 9 })).not.toContain(1);
  });

  test('a camera that shows nothing and loses nothing is off, or not watched', () => {
    const line = createLine();
    line.pass(3000, flowing);
    expect(line.pass(20_000, { frames: 0, nacks: 0 })).not.toContain(1);
  });

  test('a camera of which nothing has come yet, for which nothing is asked again, is none', () => {
    expect(createLine().pass(5000, { frames: 0, nacks: 0 })).not.toContain(1);
  });
});

describe('larger pictures again', () => {
  test('are tried after eight seconds', () => {
    const line = createLine();
    line.pass(3000, flowing);
    line.pass(1500, stuck);
    expect(line.pass(7000, flowing)).not.toContain(null);
    expect(line.pass(1500, flowing).at(-1)).toBe(null);
  });

  test('are tried later each time that they were too much, and soon again once they were not', () => {
    const line = createLine();
    const small = (): number => {
      line.pass(1500, stuck);
      return line.pass(100_000, flowing).lastIndexOf(1) * LOOK_MS;
    };
    line.pass(3000, flowing);
    line.pass(1500, stuck);
    line.pass(9000, flowing);
    line.pass(1500, stuck);
    expect(line.pass(15_000, flowing)).not.toContain(null);
    line.pass(3000, flowing);
    const third = small();
    expect(third).toBeGreaterThan(29_000);
    // A hundred seconds of the full picture lie between.
    expect(small()).toBeLessThan(8500);
  });
});

test('cameras are counted, and bytes of the way and of sound', () => {
  const report = new Map(
    [
      { id: 'a', type: 'inbound-rtp', kind: 'video', mid: '0', framesDecoded: 5, nackCount: 2, bytesReceived: 900 },
      { id: 'b', type: 'inbound-rtp', kind: 'audio', mid: '1', bytesReceived: 70, packetsReceived: 6, packetsLost: 1 },
      { id: 'c', type: 'outbound-rtp', kind: 'video', mid: '0', nackCount: 9 },
      { id: 'd', type: 'inbound-rtp', kind: 'video', mid: '2', framesDecoded: 3 },
      { id: 'e', type: 'transport', bytesReceived: 1200 },
    ].map((entry) => [entry.id, entry]),
  );
  expect(wayTotalsIn(report as unknown as RTCStatsReport, (mid) => mid === '0')).toEqual({
    cameras: new Map([['0', { decodedFrames: 5, nacks: 2 }]]),
    bytes: 1200,
    sound: { bytes: 70, packets: 6, lost: 1 },
  });
});
