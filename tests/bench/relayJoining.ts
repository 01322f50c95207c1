/** Row 6: from joining to the first decrypted picture through the relay, against Janus's video room and a bare call without a server. */
import type { Call, Stage } from './appCall.ts';
import { appCall, bareCallOf, openStage, picturesOf, sealedForRelay } from './appCall.ts';
import { janusMissing } from './janus.ts';
import { serveJanusCall, type JanusSite } from './janusSite.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, median, quantile, takeTurns } from './measure.ts';

/** More than these, of whom all encode three sizes, are too much for two cores. */
const MOST = 3;
const PICTURES_MS = 1500;
/** Large pictures are asked for, and encoders find their rate. */
const SETTLING_MS = 3000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Kind = 'relay' | 'bare' | 'janus';
/** Milliseconds to the first picture, by how many are then there. */
type Joins = Map<number, number[]>;

function open(stage: Stage, janus: JanusSite | null, kind: Kind): Promise<Call> {
  switch (kind) {
    case 'relay':
      return appCall(stage, MOST, { only: 'relay' });
    case 'bare':
      return bareCallOf(stage, MOST, false);
    case 'janus':
      return janus!.call(stage, MOST);
  }
}

/** @throws Error where somebody is not seen, or is not seen by that way */
async function check(kind: Kind, { pages }: Call): Promise<void> {
  await wait(SETTLING_MS);
  for (const page of pages) {
    const { others, strangers, fps } = await picturesOf(page, PICTURES_MS);
    if (others !== MOST - 1 || strangers > 0 || fps === 0)
      throw new Error(
        `${kind}: ${others} others, ${strangers} strange pictures, ${fps.toFixed(1)} a second of the slowest`,
      );
    if (kind === 'relay' && (await sealedForRelay(page)) === 0) throw new Error('the relay was not used');
  }
}

export const relayJoining: Bench = {
  row: 6,
  name: 'relay-joining',
  title: 'From joining to the first decrypted picture, through the relay',
  async run({ rounds, quick, say }) {
    const missing = janusMissing();
    if (missing !== null) say(`${missing}: measured without it`);
    const kinds: readonly Kind[] = missing === null ? ['relay', 'janus', 'bare'] : ['relay', 'bare'];
    const repeats = quick ? 1 : 2;
    const janus = missing === null ? await serveJanusCall() : null;
    try {
      const stage = await openStage({ relay: true });
      try {
        const measure = async (kind: Kind): Promise<Joins> => {
          const found: Joins = new Map();
          for (let i = 0; i < repeats; i++) {
            const call = await open(stage, janus, kind);
            try {
              if (i === 0) await check(kind, call);
              call.joins.forEach((times, others) => {
                if (others > 0) found.set(others + 1, [...(found.get(others + 1) ?? []), times[0]!]);
              });
            } finally {
              await call.close();
            }
          }
          say(
            `${kind}: ${[...found].map(([peers, times]) => `${peers} peers ${median(times).toFixed(0)} ms`).join(', ')}`,
          );
          return found;
        };
        // What is run for the first time is compiled and cached by the way.
        if (!quick) await takeTurns(1, kinds, measure);
        const found = await takeTurns(rounds, kinds, measure);
        return {
          figures: [2, 3].flatMap((peers) => figuresOf(peers, found)),
          checked: [
            'the newcomer was shown a picture of everybody who was there, and then all read the film’s number from all others’ pictures',
            'at the relay all sealed for it',
          ],
        };
      } finally {
        await stage.close();
      }
    } finally {
      await janus?.close();
    }
  },
};

/** @param found by round, of the same rounds each */
export function figuresOf(
  peers: number,
  found: { relay: readonly Joins[]; bare: readonly Joins[]; janus?: readonly Joins[] },
): Figure[] {
  const of = (rounds: readonly Joins[]): number[] => rounds.map((joins) => median(joins.get(peers)!));
  const all = found.relay.flatMap((joins) => joins.get(peers)!);
  const what = `first picture, ${peers} peers`;
  return [
    ...(found.janus ? [figure(what, 'ms', of(found.relay), of(found.janus), { against: 'Janus', limit: 0.5 })] : []),
    figure(what, 'ms', of(found.relay), of(found.bare), { against: 'bare call, no server' }),
    {
      what: `p95, ${peers} peers`,
      unit: 'ms',
      ours: quantile(all, 0.95),
      other: null,
      ratio: null,
      against: '',
      target: '',
      met: null,
    },
  ];
}
