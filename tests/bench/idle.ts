/**
 * Row 17: memory of the server for a meeting in which nobody says anything, and after many have come and gone; and that a meeting in a
 * mesh costs the relay nothing.
 *
 * Members join by the real protocol over real sockets. Memory is after a collection of garbage, in new processes in each round.
 */
import type { Settings } from '../../signal/protocol/documents.ts';
import type { Person } from '../signal/client.ts';
import { create, join } from '../signal/client.ts';
import { TestMeeting } from '../signal/keys.ts';
import type { AppOrders, Held } from '../support/synthetic/appProcess.ts';
import { Servant } from '../support/synthetic/orders.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';
import { residentBytes } from './procfs.ts';

/** Before anything is measured: what the first meetings make the server load and compile is not the price of one. */
const WARM_MEETINGS = 300;
const IDLE_MEETINGS = 400;
const PASSING_MEETINGS = 1000;
const AT_ONCE = 10;
const MOST_BYTES = 50_000;
const MOST_LEFT = 0.02;

interface State extends Held {
  residentBytes: number;
  workerBytes: number;
}

interface Round {
  /** Bytes of heap and buffers for each idle meeting of two. The process is no larger: it uses again what those before have left. */
  perMeeting: number;
  /** Bytes of the relay's worker that all idle meetings together cost. */
  workerGrowth: number;
  before: State;
  after: State;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @param settings of the meeting: one is made in a mesh unless they say otherwise */
async function meet(url: string, settings: Partial<Settings> = {}): Promise<Person[]> {
  const meeting = new TestMeeting();
  meeting.settings = { ...meeting.settings, ...settings };
  await create(url, meeting);
  return [await join(url, meeting), await join(url, meeting)];
}

/** That a router would have been seen, had there been one. */
async function meetAtRelay(server: Servant<AppOrders>, url: string): Promise<void> {
  const people = await meet(url, { only: 'relay' });
  for (const { client } of people) await client.request('relay.open', {});
  const { rooms, routers, peers } = await server.order('held', {});
  if (rooms !== 1 || routers !== 1 || peers !== 2)
    throw new Error(`a meeting at the relay is ${rooms} rooms, ${routers} routers and ${peers} peers there`);
  await part(people);
}

async function part(people: readonly Person[]): Promise<void> {
  for (const { client } of people) {
    await client.request('meeting.leave', {});
    client.close();
    await client.closed;
  }
}

async function inTurn(count: number, run: () => Promise<void>): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await run();
    }),
  );
}

/** After what is only waiting to be thrown away has been. */
async function settled(
  server: Servant<AppOrders>,
  expected: { meetings: number; connections: number },
): Promise<State> {
  for (let tries = 0; ; tries++) {
    await wait(1000);
    const held = await server.order('held', {});
    if (held.meetings === expected.meetings && held.connections === expected.connections) {
      await wait(500);
      const again = await server.order('held', {});
      return { ...again, residentBytes: residentBytes(server.pid), workerBytes: residentBytes(again.workers[0]!) };
    }
    if (tries === 10)
      throw new Error(`${held.meetings} meetings and ${held.connections} connections, not ${JSON.stringify(expected)}`);
  }
}

async function measure(share: number): Promise<Round> {
  const server = new Servant<AppOrders>(new URL('../support/synthetic/appProcess.ts', import.meta.url), [
    '--expose-gc',
  ]);
  try {
    const url = await server.order('start', { workers: 1 });
    const passing = (count: number): Promise<void> => inTurn(count, async () => part(await meet(url)));
    const nobody = { meetings: 0, connections: 0 };
    await passing(WARM_MEETINGS * share);
    const before = await settled(server, nobody);
    await passing(PASSING_MEETINGS * share);
    const after = await settled(server, nobody);
    const people: Person[][] = [];
    const meetings = IDLE_MEETINGS * share;
    await inTurn(meetings, async () => void people.push(await meet(url)));
    const idle = await settled(server, { meetings, connections: 2 * meetings });
    if (idle.rooms + idle.peers + idle.routers > 0) throw new Error('the relay has rooms for meetings in a mesh');
    if (people.flat().some(({ joined }) => joined.topology.at === 'relay'))
      throw new Error('a meeting of two is not in a mesh');
    await meetAtRelay(server, url);
    return {
      perMeeting: (idle.heapBytes - after.heapBytes) / meetings,
      workerGrowth: idle.workerBytes - before.workerBytes,
      before,
      after,
    };
  } finally {
    await server.end();
  }
}

export const idle: Bench = {
  row: 17,
  name: 'idle',
  title: 'Memory of an idle meeting of two, and after 1,000 came and went',
  async run({ rounds, quick, say }) {
    const found: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const one = await measure(quick ? 0.1 : 1);
      found.push(one);
      say(
        `${(one.perMeeting / 1024).toFixed(1)} KiB of heap a meeting; process ` +
          `${(one.before.residentBytes / 2 ** 20).toFixed(1)} → ${(one.after.residentBytes / 2 ** 20).toFixed(1)} MiB, ` +
          `heap ${(one.before.heapBytes / 2 ** 20).toFixed(2)} → ${(one.after.heapBytes / 2 ** 20).toFixed(2)} MiB; worker +${one.workerGrowth} B`,
      );
    }
    const of = (value: (round: Round) => number): number => median(found.map(value));
    const kib = 1024;
    const alone = (what: string, ours: number, target: string, met: boolean | null): Figure => ({
      what,
      unit: 'KiB',
      ours: ours / kib,
      other: null,
      ratio: null,
      against: '',
      target,
      met,
    });
    const back = (what: string, value: (state: State) => number, isJudged: boolean): Figure => {
      const ratio = of((round) => value(round.after) / value(round.before));
      const ours = of((round) => value(round.after));
      return {
        ...alone(what, ours, isJudged ? '± 2 %' : '', isJudged ? Math.abs(ratio - 1) <= MOST_LEFT : null),
        other: of((round) => value(round.before)) / kib,
        ratio,
        against: 'before they came',
      };
    };
    const perMeeting = of((round) => round.perMeeting);
    const growth = of((round) => round.workerGrowth);
    return {
      figures: [
        alone('heap of an idle meeting with its two members', perMeeting, '≤ 50 kB', perMeeting <= MOST_BYTES),
        back('heap after 1,000 meetings', (state) => state.heapBytes, true),
        back('the whole process, resident', (state) => state.residentBytes, false),
        alone('the relay’s worker, for all idle meetings together', growth, 'none', growth <= 0),
      ],
      checked: [
        'as many meetings and connections were there as were meant, before, with and after them, by the server’s own count',
        'while they were in a mesh the relay knew of no room and no peer, and its worker of no router',
        'a meeting that was made for the relay then had a router there, so one would have been seen',
      ],
    };
  },
};
