import { describe, expect, test } from 'vitest';
import { camerasIn, NarrowWay } from '../../../client/transport/narrowWay.ts';

const LOOK_MS = 500;

/** A camera that is looked at twice a second. */
function createLine() {
  const way = new NarrowWay();
  const totals = { decodedFrames: 0, nacks: 0 };
  let now = 1000;
  return {
    /** @returns what is asked for after each look */
    pass(ms: number, perLook: { frames: number; nacks: number }): (0 | 1 | 2 | null)[] {
      return Array.from({ length: ms / LOOK_MS }, () => {
        now += LOOK_MS;
        totals.decodedFrames += perLook.frames;
        totals.nacks += perLook.nacks;
        return way.sample(new Map([['1', { ...totals }]]), now);
      });
    },
  };
}

const flowing = { frames: 7, nacks: 0 };
const stuck = { frames: 0, nacks: 9 };

describe('a way that has become too narrow', () => {
  test('the smallest pictures are asked for within a second and a half of standing still', () => {
    const line = createLine();
    expect(line.pass(3000, flowing)).not.toContain(0);
    expect(line.pass(1500, stuck).at(-1)).toBe(0);
  });

  test('a picture now and then is standing still, too', () => {
    const line = createLine();
    line.pass(3000, flowing);
    expect(line.pass(1500, { frames: 0.4, nacks: 9 })).toContain(0);
  });

  test('loss alone is none: pictures go on', () => {
    expect(createLine().pass(20_000, { frames: 3, nacks: 9 })).not.toContain(0);
  });

  test('a camera that shows nothing and loses nothing is off, or not watched', () => {
    const line = createLine();
    line.pass(3000, flowing);
    expect(line.pass(20_000, { frames: 0, nacks: 0 })).not.toContain(0);
  });

  test('a camera of which nothing has come yet, for which nothing is asked again, is none', () => {
    expect(createLine().pass(5000, { frames: 0, nacks: 0 })).not.toContain(0);
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
      return line.pass(100_000, flowing).lastIndexOf(0) * LOOK_MS;
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

test('only cameras are counted, whatever else comes', () => {
  const report = new Map(
    [
      { id: 'a', type: 'inbound-rtp', mid: '0', framesDecoded: 5, nackCount: 2 },
      { id: 'b', type: 'inbound-rtp', mid: '1', nackCount: 7 },
      { id: 'c', type: 'outbound-rtp', mid: '0', nackCount: 9 },
    ].map((entry) => [entry.id, entry]),
  );
  expect(camerasIn(report as unknown as RTCStatsReport, (mid) => mid === '0')).toEqual(
    new Map([['0', { decodedFrames: 5, nacks: 2 }]]),
  );
});
