/**
 * Row 15: the worker of the relay that three people are at is killed, again and again, and how long they miss each other.
 *
 * Two relays, each a process with one worker: the meeting moves to the other, and is killed there next, when the first has a new worker.
 */
import { killed, type Outage, Relays } from '../support/outage.ts';
import { People } from '../support/person.ts';
import { RELAY_SECRET } from '../support/relayProcess.ts';
import { startSignalProcess } from '../support/signalProcess.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';

const OPTIONS = { context: { viewport: { width: 640, height: 480 } }, probe: { meshLimit: 2 } };
const KILLS_PER_ROUND = 2;
const TARGET_MS = 1500;

export const outage: Bench = {
  row: 15,
  name: 'outage',
  title: 'A worker of the relay is killed: how long three people miss each other',
  async run({ rounds, quick }) {
    const kills = KILLS_PER_ROUND * (quick ? 1 : rounds);
    const outages: Outage[] = [];
    const signal = await startSignalProcess({ PARLEY_RELAY_SECRET: RELAY_SECRET });
    const here = new People(signal.origin);
    let relays: Relays | undefined;
    try {
      relays = await Relays.start(signal.port, ['one', 'two']);
      const { people } = await here.meet(['Anna', 'Ben', 'Carla'], { options: OPTIONS });
      for (let kill = 0; kill < kills; kill++) {
        await relays.allAt(people);
        const at = await relays.of(people[0]!);
        const [worker] = at.workers();
        if (worker === undefined) throw new Error('the relay has no worker');
        const found = await killed(people, `worker ${kill + 1} of ${kills}`, () => process.kill(worker, 'SIGKILL'));
        if (at.workers().includes(worker)) throw new Error('the worker outlived it');
        outages.push(...found);
      }
      for (const person of people) {
        for (const other of people) if (other !== person) await person.see(other.name, 3);
        const { unopened } = await person.totals();
        if (unopened > 0) throw new Error(`${person.name} could not open ${unopened} frames`);
      }
    } finally {
      await here.close();
      relays?.close();
      await signal.close();
    }
    return {
      figures: [
        ...figuresOf('no new picture', outages, 'unseen'),
        ...figuresOf('no sound', outages, 'unheard'),
        ...figuresOf('of the pictures, what both mirrors stood still: the machine', outages, 'stalls', null),
      ],
      checked: [
        `${kills} kills; before and after each, all six directions were seen and heard, and the worker was gone`,
        'every frame that came could be opened',
      ],
    };
  },
};

function figuresOf(
  what: string,
  outages: readonly Outage[],
  key: 'unseen' | 'unheard' | 'stalls',
  targetMs: number | null = TARGET_MS,
): Figure[] {
  const values = outages.map((one) => one[key]);
  const common = { unit: 'ms' as const, other: null, ratio: null, against: '' };
  const largest = Math.max(...values);
  return [
    { what: `${what}, p50`, ours: median(values), target: '', met: null, ...common },
    {
      what: `${what}, largest`,
      ours: largest,
      target: targetMs === null ? '' : `≤ ${targetMs / 1000} s`,
      met: targetMs === null ? null : largest <= targetMs,
      ...common,
    },
  ];
}
