/**
 * One call in which everything is killed, one after the other, with SIGKILL: a worker of the relay, a relay, signal.
 *
 * Three people, whom the meeting's limit takes to the relay: five browsers on two cores wait for the machine rather than for what is
 * tested here. Relays and signal are processes, as an operator runs them.
 */
import { afterEach, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { freePort } from '../support/namespace.ts';
import { longestWithout, perceive, perceivedOf } from '../support/perceiving.ts';
import { People, type Person, until } from '../support/person.ts';
import { RELAY_SECRET, type RelayProcess, startRelayProcess, thisMachine } from '../support/relayProcess.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

let signal: SignalProcess | undefined;
let here: People | undefined;
const relays = new Map<number, RelayProcess>();

afterEach(async () => {
  await here?.close();
  await signal?.close();
  for (const { child } of relays.values()) child.kill('SIGKILL');
  relays.clear();
});

const WINDOWS = { context: { viewport: { width: 640, height: 480 } }, probe: { meshLimit: 2 } };
/** Who has lost the relay sees and hears again after this, if the machine has time. */
const BACK_MS = 1500;
/**
 * A picture may take so much longer: whoever asks for a camera before its first packet has no layer of it, since mediasoup (3.27) finds
 * one without a bit rate then, and it looks again after a second.
 */
const LAYER_MS = 1000;
/** So long after what was killed is looked at. */
const AFTER_MS = 5000;

test.skipIf(!hasWorker())(
  'worker, relay and signal are killed in one call: all see and hear each other again, and signal is not missed',
  { timeout: 120_000 },
  async () => {
    signal = await startSignalProcess({ PARLEY_RELAY_SECRET: RELAY_SECRET });
    for (const name of ['one', 'two']) {
      const port = await freePort();
      relays.set(port, await startRelayProcess(thisMachine(name), signal.port, { PARLEY_RELAY_PORT: String(port) }));
    }
    await until(
      async () => [...relays.values()].every(({ log }) => log().includes('relay: at')),
      () => [...relays.values()].map(({ log }) => log()).join('\n'),
    );
    here = new People(signal.origin);
    const { people, link } = await here.meet(['Anna', 'Ben', 'Carla'], { options: WINDOWS });
    await allAtRelay(people);

    const first = await relayOf(people[0]!);
    const worker = await killed(people, 'a worker', () => {
      for (const pid of relays.get(first)!.workers()) process.kill(pid, 'SIGKILL');
    });
    expectBack(worker);

    const second = await relayOf(people[0]!);
    const relay = await killed(people, 'a relay', () => void relays.get(second)!.child.kill('SIGKILL'));
    expectBack(relay);
    expect(await relayOf(people[0]!)).not.toBe(second);

    const gone = await killed(people, 'signal', async () => {
      await signal!.kill();
      await signal!.start();
      for (const { page } of people) await page.getByTestId('banner-reconnecting').waitFor({ state: 'hidden' });
    });
    // Nobody missed it: what there was at the relay went on, the mesh stood in while the relay was not back, and then it was opened anew.
    expectBack(gone);
    const dan = await here.invite('Dan', WINDOWS);
    await dan.come(link);
    for (const person of people) {
      await person.see('Dan', 3);
      await dan.see(person.name, 3);
    }
    for (const person of [...people, dan]) expect((await person.totals()).unopened, person.name).toBe(0);
  },
);

/** All see and hear each other again, in time. */
function expectBack(outages: readonly Outage[]): void {
  for (const { pair, unseen, unheard, stalls } of outages) {
    expect(unheard, `${pair}: the tone`).toBeLessThan(BACK_MS + stalls);
    expect(unseen, `${pair}: pictures`).toBeLessThan(BACK_MS + LAYER_MS + stalls);
  }
}

async function allAtRelay(people: readonly Person[]): Promise<void> {
  for (const person of people) {
    await until(
      async () => (await relayPorts(person)).some((port) => relays.has(port)),
      async () => `${person.name} is at the relay alone; instead: ${await person.situation()}`,
    );
  }
}

/** Ports at the other end of the connections that are up. */
const relayPorts = (person: Person): Promise<number[]> =>
  person.page.evaluate(async () => {
    const ports: number[] = [];
    for (const connection of parleyProbe.connections) {
      if (connection.connectionState !== 'connected') continue;
      const stats = await connection.getStats();
      for (const entry of stats.values()) {
        if (entry.type !== 'transport' || entry.selectedCandidatePairId === undefined) continue;
        ports.push(stats.get(stats.get(entry.selectedCandidatePairId).remoteCandidateId).port);
      }
    }
    return ports;
  });

/** The port of the relay that somebody is at. */
async function relayOf(person: Person): Promise<number> {
  const port = (await relayPorts(person)).find((one) => relays.has(one));
  expect(port, `${person.name} is at a relay`).toBeDefined();
  return port!;
}

interface Outage {
  pair: string;
  /** Longest time without a new picture, and without the tone. */
  unseen: number;
  unheard: number;
  /** How long the cameras of both stood still in their own mirrors: the machine, not the product. */
  stalls: number;
}

/** Kills something and says how long each missed each other. */
async function killed(people: readonly Person[], what: string, kill: () => unknown): Promise<Outage[]> {
  for (const one of people) for (const other of people) await perceive(one, other);
  const pairs = people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other] as const));
  for (const [one, other] of pairs) {
    await until(
      async () => {
        const { seen, heard } = await perceivedOf(one, other);
        return seen.length > 10 && heard.length > 3;
      },
      async () =>
        `${one.name} sees and hears ${other.name} before ${what} is killed; instead: ${await one.situation()}`,
    );
  }
  const from = Date.now();
  await kill();
  const tookMs = Date.now() - from;
  await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
  const outages = await Promise.all(
    pairs.map(async ([one, other]): Promise<Outage> => {
      const { seen, heard } = await perceivedOf(one, other);
      const mirrors = await Promise.all([one, other].map((person) => perceivedOf(person, person)));
      const stalls = mirrors.map((mirror) => longestWithout(mirror.seen, from));
      return {
        pair: `${one.name} misses ${other.name}`,
        unseen: longestWithout(seen, from),
        unheard: longestWithout(heard, from),
        stalls: stalls[0]! + stalls[1]!,
      };
    }),
  );
  console.info(
    `${what} killed (${tookMs} ms): longest without a picture`,
    `${outages.map(({ unseen }) => unseen).join(' ')}, without the tone ${outages.map(({ unheard }) => unheard).join(' ')},`,
    `stalls ${outages.map(({ stalls }) => stalls).join(' ')} ms`,
  );
  return outages;
}
