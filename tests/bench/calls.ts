/** Rows 3, 4, 5 and 11: what the product, and sealing alone, cost in a call of real browsers, against a bare call. */
import type { AnyPage, Call, Stage } from './appCall.ts';
import { appCall, bareCallOf, NAMES, openStage, picturesOf, sealedForRelay } from './appCall.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, interleave, median, quantile, takeTurns } from './measure.ts';
import { cpuMs, processesOf } from './procfs.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The product in a mesh, and at the relay; a call without it, and with its sealing alone. */
type Kind = 'app' | 'relay' | 'bare' | 'sealed';

function open(stage: Stage, kind: Kind, count: number): Promise<Call> {
  switch (kind) {
    case 'app':
      return appCall(stage, count);
    case 'relay':
      return appCall(stage, count, { only: 'relay' });
    case 'bare':
    case 'sealed':
      return bareCallOf(stage, count, kind === 'sealed');
  }
}

async function withStage<T>(
  work: (stage: Stage) => Promise<T>,
  options: Parameters<typeof openStage>[0] = {},
): Promise<T> {
  const stage = await openStage(options);
  try {
    return await work(stage);
  } finally {
    await stage.close();
  }
}

async function withCall<T>(stage: Stage, kind: Kind, count: number, work: (call: Call) => Promise<T>): Promise<T> {
  const call = await open(stage, kind, count);
  try {
    return await work(call);
  } finally {
    await call.close();
  }
}

export const cpu: Bench = {
  row: 3,
  name: 'cpu',
  title: "The browser's CPU, 4 peers in one call",
  async run({ rounds, quick, say }) {
    const ms = quick ? 3000 : 10_000;
    const measure = (stage: Stage, kind: Kind) => async () =>
      withCall(stage, kind, 4, async ({ pages }) => {
        // Encoders find their rate in the first seconds.
        await wait(quick ? 2000 : 6000);
        const pids = processesOf(stage.film.video);
        const [before, from] = [cpuMs(pids), performance.now()];
        const pictures = await Promise.all(pages.map((page) => picturesOf(page, ms)));
        const share = (100 * (cpuMs(pids) - before)) / (performance.now() - from);
        const fps = Math.min(...pictures.map((picture) => picture.fps));
        if (pictures.some(({ others, strangers }) => others !== 3 || strangers > 0))
          throw new Error(`${kind}: somebody is not seen`);
        say(`${kind}: ${share.toFixed(0)} % CPU, ${fps.toFixed(1)} fps at least`);
        return { share, fps };
      });
    const [product, sealing] = await withStage(async (stage) => [
      await interleave(rounds, measure(stage, 'app'), measure(stage, 'bare'), false),
      await interleave(rounds, measure(stage, 'sealed'), measure(stage, 'bare'), false),
    ]);
    const of = (results: { share: number; fps: number }[], what: 'share' | 'fps'): number[] =>
      results.map((result) => result[what]);
    return {
      figures: [
        figure(
          'sealing alone: bare call with our transforms',
          '% CPU',
          of(sealing.ours, 'share'),
          of(sealing.other, 'share'),
          { against: 'bare call', limit: 1.15 },
        ),
        figure('the whole product', '% CPU', of(product.ours, 'share'), of(product.other, 'share'), {
          against: 'bare call',
        }),
        figure('slowest picture, the whole product', 'fps', of(product.ours, 'fps'), of(product.other, 'fps'), {
          against: 'bare call',
        }),
      ],
      checked: ['every page read the film’s number from all three others’ pictures while the CPU was measured'],
    };
  },
};

/** Milliseconds from the drawing of each numbered picture at one end to its showing at the other. */
export async function latencies(
  [sender, receiver]: readonly Pick<AnyPage, 'evaluate'>[],
  ms: number,
): Promise<number[]> {
  const remote = await receiver!.evaluate(async (ms) => {
    const videos = [...document.querySelectorAll('video')];
    const own = document.querySelector<HTMLVideoElement>('[data-testid=tile][data-self=true] video') ?? videos[0]!;
    parleyReaders.watch(
      'latency',
      videos.find((video) => video !== own)!,
    );
    await new Promise((resolve) => setTimeout(resolve, ms));
    return parleyReaders.watched('latency').readings;
  }, ms);
  const drawn = new Map(await sender!.evaluate(() => [...parleyDrawn], null));
  return remote.flatMap(({ number, at }) => {
    const since = at - (drawn.get(number) ?? -Infinity);
    // The film is longer than a bench: a number that is drawn anew meanwhile gives nonsense, and is left out.
    return since > 0 && since < 5000 ? [since] : [];
  });
}

export const latency: Bench = {
  row: 4,
  name: 'latency',
  title: 'Frame latency, from canvas to the other’s screen: mesh, and through the relay',
  async run({ rounds, quick, say }) {
    const ms = quick ? 3000 : 8000;
    const measure = (stage: Stage, kind: Kind): Promise<{ p50: number; p95: number }> =>
      withCall(stage, kind, 2, async ({ pages }) => {
        await wait(3000);
        const found = await latencies(pages, ms);
        if (found.length < (ms / 1000) * 10)
          throw new Error(`${kind}: only ${found.length} pictures were seen at both ends`);
        if (kind === 'app' || kind === 'relay') {
          for (const page of pages)
            if ((await sealedForRelay(page)) > 0 !== (kind === 'relay')) throw new Error(`${kind}: by the wrong way`);
        }
        say(`${kind}: p50 ${median(found).toFixed(1)} ms of ${found.length} pictures`);
        return { p50: median(found), p95: quantile(found, 0.95) };
      });
    const found = await withStage(
      (stage) => takeTurns(rounds, ['app', 'bare', 'sealed', 'relay'], (kind) => measure(stage, kind)),
      { canvasCamera: true, relay: true },
    );
    const difference = (what: string, [ours, other]: [Kind, Kind], q: 'p50' | 'p95', limit: number | null): Figure => {
      const more = median(found[ours].map((result, i) => result[q] - found[other][i]![q]));
      const [one, two] = [ours, other].map((kind) => found[kind as Kind].map((result) => result[q]));
      return {
        ...figure(`${what}, ${q} (${more >= 0 ? '+' : ''}${more.toFixed(1)} ms)`, 'ms', one!, two!, {
          against: other === 'app' ? 'our mesh' : 'bare call',
        }),
        target: limit === null ? '' : `+${limit} ms`,
        met: limit === null ? null : more <= limit,
      };
    };
    return {
      figures: [
        difference('sealing alone', ['sealed', 'bare'], 'p50', 1),
        difference('sealing alone', ['sealed', 'bare'], 'p95', null),
        difference('the whole product', ['app', 'bare'], 'p50', 1),
        difference('the whole product', ['app', 'bare'], 'p95', null),
        difference('through the relay', ['relay', 'app'], 'p50', 2),
        difference('through the relay', ['relay', 'app'], 'p95', null),
      ],
      checked: [
        'times are of the same numbered picture at both ends, at least ten a second of them',
        'in the mesh nothing was sealed for the relay, at the relay both sealed for it',
      ],
    };
  },
};

export const joining: Bench = {
  row: 5,
  name: 'joining',
  title: 'From joining to the first decrypted picture, mesh',
  async run({ rounds, quick, say }) {
    const figures: Figure[] = [];
    const repeats = quick ? 1 : 3;
    await withStage(async (stage) => {
      const measure = (kind: 'app' | 'bare') => async (): Promise<Map<number, number[]>> => {
        const found = new Map<number, number[]>();
        for (let i = 0; i < repeats; i++) {
          await withCall(stage, kind, 4, async ({ joins }) => {
            joins.forEach((times, others) => {
              if (others === 0) return;
              if (times.length < others) throw new Error(`${kind}: newcomer ${others} saw ${times.length}`);
              found.set(others + 1, [...(found.get(others + 1) ?? []), times[0]!]);
            });
          });
        }
        say(
          `${kind}: ${[...found].map(([peers, times]) => `${peers} peers ${median(times).toFixed(0)} ms`).join(', ')}`,
        );
        return found;
      };
      const { ours, other } = await interleave(rounds, measure('app'), measure('bare'), !quick);
      for (const peers of [2, 3, 4]) {
        const against = 'bare call';
        const of = (results: Map<number, number[]>[]): number[][] => results.map((result) => result.get(peers)!);
        const [app, bare] = [of(ours), of(other)];
        figures.push(
          figure(`first picture, ${peers} peers`, 'ms', app.map(median), bare.map(median), { against, limit: 1.5 }),
        );
        const p95 = quantile(app.flat(), 0.95);
        figures.push({
          what: `p95, ${peers} peers`,
          unit: 'ms',
          ours: p95,
          other: quantile(bare.flat(), 0.95),
          ratio: null,
          against,
          target: '≤ 250 ms',
          met: p95 <= 250,
        });
      }
    });
    return { figures, checked: ['the newcomer was shown a picture of everybody who was there'] };
  },
};

export const newcomer: Bench = {
  row: 11,
  name: 'newcomer',
  title: 'A newcomer’s first decrypted frame after the transport is up, mesh of 4',
  async run({ rounds, quick, say }) {
    const times: number[] = [];
    await withStage(async (stage) => {
      for (let i = 0; i < rounds * (quick ? 1 : 2); i++) {
        await withCall(stage, 'app', 4, async ({ pages }) => {
          await wait(1500);
          for (const [i, page] of pages.entries()) {
            const before = NAMES.slice(0, i);
            const found = await page.evaluate(firstFrames, before);
            if (found.length !== before.length)
              throw new Error(
                `${NAMES[i]} opened a first frame of ${found.length} people, and ${before.length} were there`,
              );
            times.push(...found);
          }
        });
        say(`${times.length} connections so far, median ${median(times).toFixed(0)} ms`);
      }
    });
    const p95 = quantile(times, 0.95);
    const common = { unit: 'ms' as const, other: null, ratio: null, against: 'MatrixRTC 1 s, Jitsi 5 s' };
    return {
      figures: [
        { what: 'median', ours: median(times), target: '', met: null, ...common },
        { what: 'p95', ours: p95, target: '≤ 100 ms', met: p95 <= 100, ...common },
      ],
      checked: [
        `${times.length} connections, six in each call: everybody’s to all who were there before, each with its first opened frame`,
      ],
    };
  },
};

/** In the page: for each of those people, milliseconds from "connected" to the first frame of theirs, of any kind, that was opened. */
function firstFrames(names: readonly string[]): number[] {
  const sourcesOf = (connection: RTCPeerConnection): (string | undefined)[] =>
    connection.getReceivers().map(({ track }) => parleyProbe.sourceOf(track)?.peer);
  return names.flatMap((name) => {
    const peer = document.querySelector<HTMLElement>(`[data-testid=tile][data-name="${name}"]`)?.dataset['peer'];
    if (peer === undefined) return [];
    const connection = parleyProbe.connections.find((one) => sourcesOf(one).includes(peer));
    const connected = connection && parleyProbe.connectedAt.get(connection);
    const firsts = parleyProbe.transforms
      .filter((options) => options.side === 'receive' && options.peer === peer)
      .flatMap(({ id }) => parleyProbe.firstPassed[id] ?? []);
    if (connected === undefined || firsts.length === 0) return [];
    return [Math.max(0, Math.min(...firsts) - connected)];
  });
}
