/**
 * Row 14: the server's socket dies, the path is lost for a while, an address changes: what two people miss of each other.
 *
 * In an internet of the bench's own (tests/support/internet.ts), the two on hosts of their own and the relay on another. Signalling is
 * carried in beside it, so what is timed is how soon the media find the path again. Needs root.
 */
import { startHostileServer } from '../support/hostileServer.ts';
import { createInternet } from '../support/internet.ts';
import { whyNoNamespace } from '../support/namespace.ts';
import { longestWithout, perceivedOf } from '../support/perceiving.ts';
import { pairsOf, perceiveEachOther } from '../support/outage.ts';
import { People, type Person, until } from '../support/person.ts';
import { RELAY_SECRET, startRelayProcess } from '../support/relayProcess.ts';
import { serveApp } from '../support/servedApp.ts';
import { sealedForRelay } from './appCall.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';

const OPTIONS = { context: { viewport: { width: 640, height: 480 } } };
const WAYS = ['mesh', 'relay'] as const;
type Way = (typeof WAYS)[number];
/** After each trouble, so that the next meets a call that has found its rate again. */
const CALM_MS = 2500;
/** Whoever is seen and heard so long after a new address was: the address is noticed sooner. */
const SETTLED_MS = 4000;
/** Who is not back by then is not coming back. */
const PATIENCE_MS = 60_000;
const SOCKET_LOST_MS = 2000;

const TROUBLES = ['path lost for 1 s', 'path lost for 5 s', 'path lost for 30 s', 'new address'] as const;
type Trouble = (typeof TROUBLES)[number];
const LOST_MS: Record<Trouble, number> = {
  'path lost for 1 s': 1000,
  'path lost for 5 s': 5000,
  'path lost for 30 s': 30_000,
  'new address': 0,
};

/** Milliseconds without picture and sound of the other, by direction. */
interface Back {
  seen: number;
  heard: number;
}

export const reconnecting: Bench = {
  row: 14,
  name: 'reconnecting',
  title: 'Reconnecting: the socket dies, the path is lost, the address changes',
  async run({ rounds, say }) {
    const why = whyNoNamespace();
    if (why !== null) throw new Error(why);
    const app = await serveApp({ PARLEY_RELAY: 'off', PARLEY_RELAY_SECRET: RELAY_SECRET });
    const server = await startHostileServer(app.origin);
    const internet = await createInternet();
    const back = new Map<string, Back[]>();
    const sockets: SocketLoss[] = [];
    let here = new People(server.origin);
    try {
      const hosts = [await internet.host(), await internet.host()];
      for (const host of hosts) await host.bringIn(Number(new URL(server.origin).port));
      for (const way of WAYS) {
        // After the mesh: where there is none, nobody goes to it when a path is lost.
        if (way === 'relay') {
          const relay = await startRelayProcess(await internet.host(), Number(new URL(app.origin).port));
          await until(
            async () => relay.log().includes('relay: at'),
            () => relay.log(),
          );
        }
        const people = [
          await here.invite('Anna', { ...OPTIONS, within: hosts[0]! }),
          await here.invite('Ben', { ...OPTIONS, within: hosts[1]! }),
        ];
        await meetBy(way, people, server.origin);
        for (let round = 0; round < rounds; round++) {
          if (way === 'mesh') sockets.push(await loseSocket(people, () => server.cut(SOCKET_LOST_MS)));
          for (const trouble of TROUBLES) {
            // The longest once: it takes as long as all others together.
            if (trouble === 'path lost for 30 s' && round > 0) continue;
            const found = await loseAndFind(people, LOST_MS[trouble], {
              begin: () => (trouble === 'new address' ? hosts[0]!.move() : internet.lose(hosts[0]!, 100)),
              end: () => trouble !== 'new address' && internet.lose(hosts[0]!, 0),
            });
            const name = `${trouble}, ${way}`;
            back.set(name, [...(back.get(name) ?? []), ...found]);
            say(`${name}: ${found.map(({ seen, heard }) => `seen ${seen}, heard ${heard}`).join('; ')} ms`);
          }
          await expectWay(way, people);
        }
        for (const person of people) {
          const { unopened } = await person.totals();
          if (unopened > 0) throw new Error(`${person.name} could not open ${unopened} frames`);
        }
        await here.close();
        here = new People(server.origin);
      }
    } finally {
      await here.close();
      await internet.close();
      await server.close();
      await app.close();
    }
    return {
      figures: [
        ...socketFigures(sockets),
        ...TROUBLES.flatMap((trouble) => WAYS.flatMap((way) => backFigures(trouble, way, back) ?? [])),
      ],
      checked: [
        'while the path was lost nobody was seen or heard, and afterwards both were, in both directions',
        'every frame that came could be opened; nothing was sealed for the relay in the mesh, at the relay everything was',
      ],
    };
  },
};

async function meetBy(way: Way, people: readonly Person[], origin: string): Promise<void> {
  const [anna, ben] = people as [Person, Person];
  await anna.page.goto(origin);
  if (way === 'relay') {
    await anna.by('home-options').click();
    await anna.by('way-relay').check();
  }
  await anna.by('home-create').click();
  await anna.join();
  await ben.come(anna.page.url());
  await perceiveEachOther(people, `in the ${way}`);
  await expectWay(way, people);
  await pause(CALM_MS);
}

async function expectWay(way: Way, people: readonly Person[]): Promise<void> {
  for (const { page, name } of people)
    if ((await sealedForRelay(page)) > 0 !== (way === 'relay')) throw new Error(`${name} is not by the ${way}`);
}

/**
 * Takes the path away and gives it back.
 * @returns for each direction, how long after that it was seen and heard again; where no time is between, its longest gap
 */
async function loseAndFind(
  people: readonly Person[],
  ms: number,
  { begin, end }: { begin: () => unknown; end: () => unknown },
): Promise<Back[]> {
  await perceiveEachOther(people, 'before a trouble');
  const begun = Date.now();
  begin();
  await pause(ms);
  const from = Date.now();
  end();
  const first = (moments: readonly number[], after: number): number | undefined => moments.find((at) => at >= after);
  await Promise.all(
    pairsOf(people).map(([one, other]) =>
      until(
        async () => {
          const { seen, heard } = await perceivedOf(one, other);
          // A moment later too: what was on its way when the trouble began is not it.
          return [from, from + SETTLED_MS].every((at) => first(seen, at) && first(heard, at));
        },
        async () => `${one.name} sees and hears ${other.name} again; instead: ${await one.situation()}`,
        PATIENCE_MS,
      ),
    ),
  );
  const found = await Promise.all(
    pairsOf(people).map(async ([one, other]): Promise<Back> => {
      const { seen, heard } = await perceivedOf(one, other);
      if (ms === 0) return { seen: longestWithout(seen, from), heard: longestWithout(heard, from) };
      const during = [...seen, ...heard].filter((at) => at > begun + 800 && at < from);
      if (during.length > 0) throw new Error(`${one.name} perceived ${other.name} while the path was lost`);
      return { seen: Math.round(first(seen, from)! - from), heard: Math.round(first(heard, from)! - from) };
    }),
  );
  await pause(CALM_MS);
  return found;
}

interface SocketLoss {
  /** Longest wait for a picture, around it and in as long a time before, and the same of the tone. */
  unseen: number;
  unseenBefore: number;
  unheard: number;
  unheardBefore: number;
  /** Packets of media that did not come. */
  lost: number;
}

async function loseSocket(people: readonly Person[], cut: () => Promise<void>): Promise<SocketLoss> {
  await perceiveEachOther(people, 'before the socket dies');
  const longest = async (from: number): Promise<{ unseen: number; unheard: number }> => {
    const all = await Promise.all(pairsOf(people).map(([one, other]) => perceivedOf(one, other)));
    return {
      unseen: Math.max(...all.map(({ seen }) => longestWithout(seen, from))),
      unheard: Math.max(...all.map(({ heard }) => longestWithout(heard, from))),
    };
  };
  const lostPackets = async (): Promise<number> =>
    (await Promise.all(people.map(packetsLost))).reduce((sum, lost) => sum + lost, 0);
  const quiet = Date.now();
  await pause(SOCKET_LOST_MS + CALM_MS);
  const [before, lostBefore] = [await longest(quiet), await lostPackets()];
  const from = Date.now();
  const noticed = people.map(({ page }) => page.getByTestId('banner-reconnecting').waitFor({ state: 'visible' }));
  await Promise.all([cut(), ...noticed]);
  for (const { page } of people) await page.getByTestId('banner-reconnecting').waitFor({ state: 'hidden' });
  await pause(Math.max(0, from + SOCKET_LOST_MS + CALM_MS - Date.now()));
  const { unseen, unheard } = await longest(from);
  const lost = (await lostPackets()) - lostBefore;
  return { unseen, unheard, unseenBefore: before.unseen, unheardBefore: before.unheard, lost };
}

const packetsLost = ({ page }: Person): Promise<number> =>
  page.evaluate(async () => {
    let lost = 0;
    for (const connection of parleyProbe.connections) {
      const stats = await connection.getStats();
      for (const entry of stats.values()) if (entry.type === 'inbound-rtp') lost += entry.packetsLost ?? 0;
    }
    return lost;
  });

function socketFigures(losses: readonly SocketLoss[]): Figure[] {
  const largest = (key: keyof SocketLoss): number => Math.max(...losses.map((one) => one[key]));
  const common = { ratio: null, target: '', met: null, against: 'the seconds before' };
  const lost = losses.reduce((sum, one) => sum + one.lost, 0);
  return [
    {
      what: 'socket dies, mesh: packets lost',
      unit: '',
      ours: lost,
      other: null,
      ...common,
      against: '',
      target: '0',
      met: lost === 0,
    },
    {
      what: 'socket dies, mesh: longest wait for a picture',
      unit: 'ms',
      ours: largest('unseen'),
      other: largest('unseenBefore'),
      ...common,
    },
    {
      what: 'socket dies, mesh: longest wait for the tone',
      unit: 'ms',
      ours: largest('unheard'),
      other: largest('unheardBefore'),
      ...common,
    },
  ];
}

function backFigures(trouble: Trouble, way: Way, all: ReadonlyMap<string, Back[]>): Figure[] {
  const found = all.get(`${trouble}, ${way}`) ?? [];
  const limit = trouble === 'new address' ? 1000 : 500;
  return (['seen', 'heard'] as const).map((what) => {
    const values = found.map((one) => one[what]);
    const largest = Math.max(...values);
    return {
      what: `${trouble}, ${way}: ${what} again, p50 (largest ${largest} ms)`,
      unit: 'ms',
      ours: median(values),
      other: null,
      ratio: null,
      against: '',
      target: `≤ ${limit} ms`,
      met: median(values) <= limit,
    };
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
